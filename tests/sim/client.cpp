// Bodies of the simulated person.
#include "client.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

namespace rm_sim {

using namespace librm;

namespace {

/// Answers that say "not now" instead of "not this".
bool worth_repeating(ErrorCode code) {
  return code == ErrorCode::unavailable || code == ErrorCode::stale ||
         code == ErrorCode::deadline_exceeded || code == ErrorCode::io_error;
}

batch::JobAction sensible(batch::JobState state, Prng& random) {
  switch (state) {
    case batch::JobState::pending:
      return batch::JobAction::hold;
    case batch::JobState::held:
      return batch::JobAction::release;
    case batch::JobState::running:
      return random.chance(1, 2) ? batch::JobAction::requeue : batch::JobAction::cancel;
    default:
      return batch::JobAction::retry;
  }
}

}  // namespace

Client::Client(sim::World& world, const Scenario& scenario, Find find)
    : world_(world), scenario_(scenario), find_(std::move(find)) {}

void Client::start() {
  Prng& random = world_.random();
  std::uint32_t left = scenario_.jobs;
  while (left > 0) {
    const auto jobs = static_cast<std::uint32_t>(1 + random.below(std::min(left, 8u)));
    left -= jobs;
    // Not all of it while things break: some find a whole cluster, some a broken one.
    const Duration at = world_.draw(Duration{}, scenario_.trouble);
    const std::size_t index = submissions_.size();
    submissions_.emplace_back();
    submissions_.back().key = "key-" + std::to_string(index);
    world_.after(at, [this, index, jobs] {
      Submission& submission = submissions_[index];
      for (std::uint32_t i = 0; i < jobs; ++i) submission.jobs.push_back(draw_job(submission.jobs));
      if (world_.random().chance(1, 15)) spoil(submission);
      try_submit(index);
    });
  }
  plan_schedules();
}

void Client::plan_schedules() {
  if (scenario_.targeted_schedules > 0) return;  // those are enough
  Prng& random = world_.random();
  const std::uint64_t count = random.chance(1, 2) ? 0 : 1 + random.below(3);
  for (std::size_t index = 0; index < count; ++index) {
    schedules_.emplace_back();
    world_.after(world_.draw(Duration{}, scenario_.trouble), [this, index] {
      schedules_[index].spec = draw_schedule();
      schedules_[index].spec.name = "s" + std::to_string(index);
      try_schedule(index);
    });
  }
}

/// By time, with every policy, or after the runs of one that is known.
batch::ScheduleSpec Client::draw_schedule() {
  Prng& random = world_.random();
  batch::ScheduleSpec spec;
  const auto parent = std::find_if(schedules_.begin(), schedules_.end(),
                                   [](const Planned& one) { return one.accepted; });
  if (parent != schedules_.end() && random.chance(1, 2)) {
    static constexpr batch::EdgeKind kinds[] = {batch::EdgeKind::ok, batch::EdgeKind::any,
                                                batch::EdgeKind::not_ok};
    spec.parents.push_back({parent->spec.name, kinds[random.below(std::size(kinds))]});
  } else {
    const std::string times = std::to_string(1 + random.below(8));
    const std::string period = std::to_string(random.between(1, 12));
    spec.expression = batch::parse_schedule("R" + times + "//PT" + period + "S").value();
  }
  spec.epsilon = seconds(random.between(1, 10));
  spec.catch_up = static_cast<batch::CatchUp>(1 + random.below(3));
  spec.catch_up_max = static_cast<std::uint32_t>(1 + random.below(4));
  spec.overlap = static_cast<batch::Overlap>(1 + random.below(3));
  for (std::uint64_t jobs = 1 + random.below(2); jobs > 0; --jobs) {
    batch::JobSpec job = draw_job({});
    job.dependencies.clear();
    job.hold = false;
    spec.jobs.push_back(std::move(job));
  }
  return spec;
}

void Client::try_schedule(std::size_t index) {
  if (schedules_[index].answered) return;
  const std::uint64_t request = ++request_last_;
  schedule_requests_[request] = index;
  if (ClusterNode* leader = find_(); leader != nullptr && leader->running()) {
    leader->post_batch(batch::AddSchedule{request, schedules_[index].spec, false, false});
  }
  world_.after(world_.draw(milliseconds(500), seconds(8)), [this, index] { try_schedule(index); });
}

/// One that is there already was accepted before, and its answer lost. Its jobs may be too large
/// for the agents that are there.
void Client::answer(const batch::ScheduleAnswer& answer) {
  const auto found = schedule_requests_.find(answer.request);
  if (found == schedule_requests_.end()) return;
  if (!answer.run && worth_repeating(answer.run.error().code)) return;
  Planned& planned = schedules_[found->second];
  // A leader that lives on after a failover has not heard of the parent that its successor took.
  if (!answer.run && !healed_ && !planned.spec.parents.empty()) return;
  if (std::exchange(planned.answered, true)) return;
  planned.accepted = answer.run || answer.run.error().code == ErrorCode::already_exists;
  if (planned.accepted || answer.run.error().code == ErrorCode::resource_exhausted) {
    world_.trace("client", "schedule " + planned.spec.name + " is answered");
  } else {
    world_.violation("schedule " + planned.spec.name +
                     " is refused: " + answer.run.error().message);
  }
}

batch::JobSpec Client::draw_job(const std::vector<batch::JobSpec>& before) {
  Prng& random = world_.random();
  batch::JobSpec spec;
  spec.name = "job" + std::to_string(++names_);
  spec.command.value = "work";
  spec.priority = static_cast<std::int32_t>(random.between(-2, 2));
  spec.retries = static_cast<std::uint32_t>(random.below(4));
  spec.retry_delay = random.chance(1, 2) ? Duration{} : milliseconds(random.between(1, 3000));
  spec.kill_grace = milliseconds(random.between(100, 3000));
  if (random.chance(1, 4)) spec.time_limit = milliseconds(random.between(200, 20'000));
  switch (random.below(4)) {
    case 0:
      spec.lost = batch::LostPolicy::rerun;
      break;
    case 1:
      spec.lost = batch::LostPolicy::fence;
      spec.fence_after = seconds(random.between(1, 30));
      // Not where a leader without a lease lives on: see README.md.
      if ((scenario_.failover == Duration{} || scenario_.candidates > 0) && random.chance(1, 2)) {
        spec.command.value = long_work;
      }
      break;
    default:
      break;
  }
  switch (random.below(8)) {
    case 0:
      spec.on_dependency_failed = batch::OnDependencyFailed::run;
      break;
    case 1:
      spec.on_dependency_failed = batch::OnDependencyFailed::hold;
      break;
    default:
      break;
  }
  spec.hold = random.chance(1, 40);
  draw_request(spec);
  draw_dependencies(spec, before);
  if (random.chance(1, 4)) draw_array(spec, before);
  return spec;
}

/// Small, so that each element meets some trouble; often after another one, element by element.
void Client::draw_array(batch::JobSpec& spec, const std::vector<batch::JobSpec>& before) {
  Prng& random = world_.random();
  std::vector<Range> ranges;
  for (std::uint64_t begin = random.below(3); ranges.size() < 1 + random.below(3);) {
    ranges.push_back({begin, begin + random.below(3)});
    begin = ranges.back().end + 1 + random.below(3);
  }
  spec.array.emplace();
  spec.array->indices = Ranges(std::move(ranges));
  if (random.chance(1, 2)) spec.array->parallel_max = static_cast<std::uint32_t>(random.below(3));
  if (before.empty() || !before.back().array || random.chance(1, 3)) return;
  spec.array->indices = before.back().array->indices;
  spec.dependencies.push_back({before.back().name, batch::EdgeKind::corresponding});
}

void Client::draw_request(batch::JobSpec& spec) {
  Prng& random = world_.random();
  if (random.chance(1, 4)) return;  // the defaults
  spec.request.amounts["cpus"] = Amount{500 * random.between(1, 4)};
  spec.request.amounts["mem"] = Amount::units(64 * random.between(1, 16));
  const bool ports = std::any_of(
      scenario_.agents.begin(), scenario_.agents.end(),
      [](const Scenario::Agent& agent) { return agent.total.amount("ports") >= Amount::units(1); });
  if (ports && random.chance(1, 6)) spec.request.amounts["ports"] = Amount::units(1);
  if (!ports && random.chance(1, 8)) spec.constraints["rack"] = "r0";
}

void Client::draw_dependencies(batch::JobSpec& spec, const std::vector<batch::JobSpec>& before) {
  Prng& random = world_.random();
  static constexpr batch::EdgeKind kinds[] = {batch::EdgeKind::ok, batch::EdgeKind::ok,
                                              batch::EdgeKind::any, batch::EdgeKind::not_ok,
                                              batch::EdgeKind::start};
  std::map<std::string, batch::EdgeKind> parents;
  const std::uint64_t count = random.chance(1, 3) ? 0 : random.below(4);
  for (std::uint64_t i = 0; i < count; ++i) {
    const batch::EdgeKind kind = kinds[random.below(std::size(kinds))];
    if (!before.empty() && random.chance(2, 3)) {
      // The last one, often: chains are what pipelines are made of.
      const std::size_t at = random.chance(1, 2) ? before.size() - 1 : random.below(before.size());
      parents[before[at].name] = kind;
    } else if (!known_jobs_.empty()) {
      parents[std::to_string(known_jobs_[random.below(known_jobs_.size())])] = kind;
    }
  }
  for (const auto& [parent, kind] : parents) spec.dependencies.push_back({parent, kind});
}

/// Wrong in one of the ways in which people are wrong: all of it must be refused.
void Client::spoil(Submission& submission) {
  batch::JobSpec& job = submission.jobs.front();
  submission.must_fail = true;
  switch (world_.random().below(4)) {
    case 0:
      job.dependencies.push_back({"no-such-parent", batch::EdgeKind::ok});
      break;
    case 1:
      job.request.amounts["cpus"] = Amount::units(100'000);
      submission.must_fail = false;
      submission.fits_nowhere = true;
      break;
    case 2:
      job.dependencies.push_back({submission.jobs.back().name, batch::EdgeKind::ok});
      if (submission.jobs.size() > 1) {
        submission.jobs.back().dependencies = {{job.name, batch::EdgeKind::any}};
      }
      break;
    default:
      job.name = "not a name";
  }
}

void Client::try_submit(std::size_t index) {
  Submission& submission = submissions_[index];
  if (submission.answered) return;
  const std::uint64_t request = ++request_last_;
  requests_[request] = index;
  if (ClusterNode* leader = find_(); leader != nullptr) {
    world_.after(world_.draw_skewed(microseconds(100), milliseconds(50)),
                 [this, leader, request, index, life = leader->life()] {
                   if (!leader->running() || leader->life() != life) return;
                   const Submission& s = submissions_[index];
                   leader->post_batch(batch::SubmitJobs{request, s.jobs, s.key, false});
                 });
  }
  if (submission.tries++ > 0) ++repeated_;
  world_.after(world_.draw(milliseconds(500), seconds(8)), [this, index] { try_submit(index); });
}

void Client::receive(const batch::BatchOutput& output) {
  const auto* submit = std::get_if<batch::SubmitAnswer>(&output);
  const auto* schedule = std::get_if<batch::ScheduleAnswer>(&output);
  if (submit == nullptr && schedule == nullptr) return;
  if (!healed_ && world_.random().chance(scenario_.answer_lost_percent, 100)) return;
  world_.after(world_.draw_skewed(microseconds(100), milliseconds(50)), [this, output] {
    std::visit(
        [this](const auto& one) {
          using Answer = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<Answer, batch::SubmitAnswer> ||
                        std::is_same_v<Answer, batch::ScheduleAnswer>) {
            answer(one);
          }
        },
        output);
  });
}

void Client::answer(const batch::SubmitAnswer& answer) {
  const auto found = requests_.find(answer.request);
  if (found == requests_.end()) return;
  Submission& submission = submissions_[found->second];
  if (!answer.jobs && worth_repeating(answer.jobs.error().code)) return;
  const bool first = !std::exchange(submission.answered, true);
  if (!answer.jobs) {
    if (first) {
      ++refused_;
      world_.trace("client", submission.key + " is refused: " + answer.jobs.error().message);
      if (on_refused_) on_refused_(submission.key);
    }
    return;
  }
  if (submission.must_fail) {
    world_.violation(submission.key + " is wrong, and was accepted");
    return;
  }
  if (answer.jobs->size() != submission.jobs.size()) {
    world_.violation(submission.key + ": the answer has " + std::to_string(answer.jobs->size()) +
                     " ids for " + std::to_string(submission.jobs.size()) + " jobs");
  }
  world_.trace("client", submission.key + " is accepted");
  if (on_acknowledged_) on_acknowledged_(submission.key, *answer.jobs);
  if (!first) return;
  ++acknowledged_;
  for (const batch::JobId job : *answer.jobs) {
    known_jobs_.push_back(job);
    // Accepted by a master that knew no agent yet: it would wait for a larger one for ever.
    if (submission.fits_nowhere) unwanted_.push_back(job);
    if (world_.random().chance(scenario_.cancel_percent, 100)) {
      world_.after(world_.draw_skewed(Duration{}, seconds(60)), [this, job] { cancel(job); });
    }
    if (world_.random().chance(1, 5)) meddle_later(job);
  }
}

/// A person's second thoughts, on a job or on some of its elements: mostly what suits its state.
void Client::meddle_later(batch::JobId job) {
  world_.after(world_.draw_skewed(Duration{}, seconds(60)), [this, job] {
    ClusterNode* leader = find_();
    if (healed_ || leader == nullptr || !leader->running()) return;
    Prng& random = world_.random();
    const batch::Job* known = leader->core().batch().find(job);
    const batch::JobAction action = known == nullptr || random.chance(1, 4)
                                        ? static_cast<batch::JobAction>(1 + random.below(5))
                                        : sensible(known->state, random);
    Ranges elements;
    if (random.chance(1, 2)) elements = Ranges({{0, random.below(4)}});
    world_.trace("client", std::string(batch::to_string(action)) + " " + std::to_string(job));
    leader->post_batch(
        batch::ControlJob{++request_last_, action, job, "a second thought", std::move(elements)});
    if (random.chance(3, 4)) meddle_later(job);
  });
}

void Client::cancel_unwanted() {
  for (const batch::JobId job : unwanted_) cancel(job);
}

void Client::cancel(batch::JobId job) {
  ClusterNode* leader = find_();
  if (leader == nullptr || !leader->running()) return;
  world_.trace("client", "cancels " + std::to_string(job));
  leader->post_batch(
      batch::ControlJob{++request_last_, batch::JobAction::cancel, job, "no longer wanted", {}});
}

bool Client::done() const {
  return std::all_of(submissions_.begin(), submissions_.end(),
                     [](const Submission& submission) { return submission.answered; }) &&
         std::all_of(schedules_.begin(), schedules_.end(),
                     [](const Planned& planned) { return planned.answered; });
}

}  // namespace rm_sim
