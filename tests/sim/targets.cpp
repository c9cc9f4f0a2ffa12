// Bodies of the scheduling test.
#include "targets.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "batch/edge/record_codec.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

namespace {

constexpr Duration epsilon_forgiveness = seconds(5);
constexpr Duration head_start = seconds(10);
/// More than any record waits for its disk, less than clocks are stepped by.
constexpr Duration step_min = seconds(30);
constexpr Duration look_interval = milliseconds(100);
/// What a healthy majority needs until it starts what is due: the old leader's session ends, the
/// new one takes over, agents find it and register.
constexpr Duration long_enough = seconds(10);
constexpr std::string_view command_prefix = "sleep-ms ";

/// Whether a clock that is ahead, or behind, by so much was stepped: drift alone is not.
bool is_stepped(Duration ahead) { return ahead > step_min || ahead < Duration{-step_min.ns}; }

}  // namespace

Targets::Targets(sim::World& world, const Scenario& scenario, const sim::TaskLog& log,
                 const Election& election, Find find_front_end, Find leader)
    : world_(world),
      scenario_(scenario),
      log_(log),
      election_(election),
      find_front_end_(std::move(find_front_end)),
      leader_(std::move(leader)),
      clock_(world.add_host("postgres")) {}

std::optional<Duration> Targets::duration_of(const Command& command) {
  if (command.value.rfind(command_prefix, 0) != 0) return std::nullopt;
  return milliseconds(std::stoll(command.value.substr(command_prefix.size())));
}

WallTime Targets::true_time(Instant instant) const {
  return clock_.now().wall + (instant - world_.now());
}

Instant Targets::instant_of(WallTime time) const {
  return world_.now() + (time - clock_.now().wall);
}

Duration Targets::length(const Planned& planned) const {
  return planned.spec.epsilon + epsilon_forgiveness;
}

// --- what is submitted ---

void Targets::start() {
  schedules_.resize(scenario_.targeted_schedules);
  for (std::size_t index = 0; index < schedules_.size(); ++index) {
    // Most are there when the first fault strikes; some are added while things break.
    const Duration latest = index % 4 == 0 ? scenario_.trouble : scenario_.trouble / 8;
    world_.after(world_.draw(seconds(1), latest), [this, index] {
      draw(schedules_[index]);
      schedules_[index].spec.name = "target-" + std::to_string(index);
      submit(index);
    });
  }
  look();
}

void Targets::draw(Planned& planned) {
  Prng& random = world_.random();
  const Duration epsilon = seconds(random.between(10, 29));
  const Duration duration = seconds(random.between(0, 9));
  planned.interval =
      seconds(1) + duration + epsilon + epsilon_forgiveness + seconds(random.between(0, 30));
  planned.count = static_cast<std::uint64_t>(random.between(1, 99));
  planned.first = clock_.now().wall + head_start;
  batch::ScheduleExpression expression;
  expression.repetitions = planned.count;
  expression.start = batch::LocalTime{planned.first.ns};
  expression.offset = Duration{};
  expression.period.exact = planned.interval;
  batch::ScheduleSpec& spec = planned.spec;
  spec.expression = std::move(expression);
  spec.epsilon = epsilon;
  spec.overlap = random.chance(1, 2) ? batch::Overlap::forbid : batch::Overlap::allow;
  batch::JobSpec job;
  job.command.value = std::string(command_prefix) + std::to_string(to_ms(duration));
  job.request.amounts["cpus"] = Amount{100};
  job.request.amounts["mem"] = Amount::units(16);
  spec.jobs.push_back(std::move(job));
}

void Targets::submit(std::size_t index) {
  if (schedules_[index].answered || judged_) return;
  const std::uint64_t request = ++request_last_;
  requests_[request] = index;
  if (ClusterNode* node = find_front_end_(); node != nullptr && node->running()) {
    node->post_batch(batch::AddSchedule{request, schedules_[index].spec, false, false});
  }
  world_.after(world_.draw(seconds(1), seconds(6)), [this, index] { submit(index); });
}

void Targets::receive(const batch::BatchOutput& output) {
  const auto* answer = std::get_if<batch::ScheduleAnswer>(&output);
  if (answer == nullptr) return;
  const auto found = requests_.find(answer->request);
  if (found == requests_.end() || schedules_[found->second].answered) return;
  Planned& planned = schedules_[found->second];
  if (answer->run || answer->run.error().code == ErrorCode::already_exists) {
    planned.answered = true;
    planned.acknowledged = clock_.now().wall;
    world_.trace("client", planned.spec.name + " is acknowledged");
  } else if (due(planned, planned.count - 1) + planned.spec.epsilon <
             clock_.now().wall + ahead_most(world_.now())) {
    // Nobody took it before it was over, which nobody promised.
    planned.answered = true;
    planned.count = 0;
    ++counts_["targeted schedule came too late"];
  } else if (answer->run.error().code == ErrorCode::invalid_argument) {
    world_.violation(planned.spec.name + " is refused: " + answer->run.error().message);
  }
}

bool Targets::done() const {
  return judged_ && std::all_of(schedules_.begin(), schedules_.end(),
                                [](const Planned& planned) { return planned.answered; });
}

// --- what is seen ---

void Targets::look() {
  note_view();
  world_.after(look_interval, [this] { look(); });
}

void Targets::note_view() {
  View view;
  view.possible = election_.possible();
  view.leader = leader_();
  if (view.leader != nullptr && view.leader->stalled()) view.leader = nullptr;
  if (view.leader != nullptr) {
    view.clock_ahead = view.leader->host().now().wall - clock_.now().wall;
    // Drift is no news.
    view.clock_ahead = seconds((view.clock_ahead.ns + seconds(1).ns / 2) / seconds(1).ns);
  } else if (!views_.empty()) {
    view.clock_ahead = views_.back().clock_ahead;
  }
  for (const sim::AgentNode* agent : agents_) {
    const bool reached = agent->running() && !agent->stalled() && view.leader != nullptr &&
                         world_.network().passes(agent->host(), view.leader->host()) &&
                         world_.network().passes(view.leader->host(), agent->host());
    view.reached.push_back(reached);
    if (agent->stopped()) {
      world_.violation(agent->name() + " ended by itself: " + agent->stopped()->message);
    }
  }
  if (!views_.empty()) view.from = views_.back().from;
  if (views_.empty() || view != views_.back()) {
    view.from = world_.now();
    views_.push_back(std::move(view));
  }
}

void Targets::on_commit(const RecordEntry& entry) {
  if (entry.stream != batch_stream) return;
  const Result<batch::BatchRecord> record = batch::decode_batch_record(entry);
  if (!record) return;  // the oracle complains
  const auto planned_of = [this](const std::string& name) -> Planned* {
    for (Planned& planned : schedules_) {
      if (planned.spec.name == name) return &planned;
    }
    return nullptr;
  };
  if (const auto* id = std::get_if<batch::FrameworkIdRecord>(&*record)) {
    framework_ = id->framework;
  } else if (const auto* added = std::get_if<batch::ScheduleRecord>(&*record)) {
    Planned* planned = planned_of(added->schedule.spec.name);
    if (planned != nullptr && planned->recorded == Instant{}) planned->recorded = world_.now();
  } else if (const auto* run = std::get_if<batch::ScheduleRunRecord>(&*record)) {
    Planned* planned = planned_of(run->schedule);
    if (planned == nullptr) return;
    Run& begun = planned->runs[run->run.number];
    begun.occurrence = run->run.occurrence;
    if (!views_.empty()) begun.clock_ahead = views_.back().clock_ahead;
    // The clock by which it was begun may have been stepped before its record was durable.
    const Duration noted = run->run.started - clock_.now().wall;
    if (is_stepped(noted)) begun.clock_ahead = noted;
    const auto index = static_cast<std::size_t>(planned - schedules_.data());
    for (const batch::JobId job : run->run.jobs) jobs_[job] = {index, run->run.number};
  } else if (const auto* change = std::get_if<batch::ScheduleChangeRecord>(&*record)) {
    Planned* planned = planned_of(change->schedule);
    if (planned == nullptr || !change->run || !change->run->ended) return;
    planned->runs[change->run->number].ended = world_.now();
  } else if (const auto* launches = std::get_if<batch::LaunchRecord>(&*record)) {
    for (const batch::LaunchRecord::Launch& one : launches->launches) {
      const auto job = jobs_.find(one.job);
      if (job == jobs_.end()) continue;
      Launch launch;
      launch.at = world_.now();
      launch.leader = leader_();
      if (launch.leader != nullptr) {
        launch.clock_ahead = launch.leader->host().now().wall - clock_.now().wall;
      }
      while (launch.agent + 1 < agents_.size() &&
             agents_[launch.agent]->host().name() != one.attempt.hostname) {
        ++launch.agent;
      }
      launch.task = batch::task_id({one.job, one.index, one.attempt.run, one.attempt.attempt});
      schedules_[job->second.first].runs[job->second.second].launches.push_back(launch);
    }
  }
}

// --- what is judged ---

const sim::TaskTruth* Targets::truth_of(const std::string& task) const {
  return framework_ ? log_.find({*framework_, task}) : nullptr;
}

void Targets::check_end() {
  const ClusterNode* leader = leader_();
  if (leader == nullptr) return world_.violation("nobody leads when targets are judged");
  for (Planned& planned : schedules_) {
    if (planned.count == 0) continue;
    if (planned.answered && !leader->core().batch().schedules().contains(planned.spec.name)) {
      world_.violation("schedule " + planned.spec.name + " was acknowledged, and is lost");
    }
    judge(planned);
    check_overlap(planned);
  }
  judged_ = true;
  remove();
}

/// Until none is there: a request may meet a leader that ends.
void Targets::remove() {
  ClusterNode* leader = leader_();
  bool more = leader == nullptr;
  for (const Planned& planned : schedules_) {
    if (leader == nullptr || !leader->core().batch().schedules().contains(planned.spec.name)) {
      continue;
    }
    more = true;
    batch::ControlSchedule request;
    request.request = ++request_last_;
    request.action = batch::ScheduleAction::remove;
    request.schedule = planned.spec.name;
    leader->post_batch(request);
  }
  if (more) world_.after(seconds(3), [this] { remove(); });
}

bool Targets::meets(const Planned& planned, const Run& run, WallTime target) const {
  return std::any_of(run.launches.begin(), run.launches.end(), [&](const Launch& launch) {
    const sim::TaskTruth* truth = truth_of(launch.task);
    if (truth == nullptr || truth->exit_code != 0) return false;
    const WallTime started = true_time(truth->started);
    const auto inside = [&](WallTime time) {
      return time >= target && time <= target + length(planned);
    };
    return inside(started) || inside(started + launch.clock_ahead);
  });
}

/// Each target takes its own run where that is in time; what is left may serve others, since clocks
/// that step bring runs to where others were due.
void Targets::judge(Planned& planned) {
  std::vector<std::uint64_t> unmet;
  for (std::uint64_t k = 0; k < planned.count; ++k) {
    const WallTime target = due(planned, k);
    if (target + length(planned) + seconds(10) > clock_.now().wall) break;  // may still be met
    ++counts_["target"];
    const auto own = std::find_if(planned.runs.begin(), planned.runs.end(), [&](const auto& run) {
      return run.second.occurrence == k && meets(planned, run.second, target);
    });
    if (own == planned.runs.end()) {
      unmet.push_back(k);
    } else {
      own->second.used = true;
    }
  }
  for (const std::uint64_t k : unmet) {
    const WallTime target = due(planned, k);
    const auto other = std::find_if(planned.runs.begin(), planned.runs.end(), [&](const auto& run) {
      return !run.second.used && meets(planned, run.second, target);
    });
    if (other != planned.runs.end()) {
      other->second.used = true;
      continue;
    }
    const std::string what = planned.spec.name + ": target " + std::to_string(k) + ", from " +
                             std::to_string(to_ms(instant_of(target) - Instant{})) + " ms for " +
                             std::to_string(to_ms(length(planned))) + " ms";
    if (const auto why = excuse(planned, k)) {
      ++counts_["target excused: " + *why];
      excused_.push_back(what + " is excused: " + *why);
    } else {
      world_.violation(what + ", is not met");
    }
  }
}

/// The longest time for which somebody could lead and the clock was in the target: true time, or
/// that of the leaders until one of them is past epsilon, and gives up what it finds there.
Duration Targets::shown(const Planned& planned, WallTime target, bool on_leaders_clock) const {
  Duration longest;
  Duration stretch;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const View& view = views_[i];
    const Duration ahead = on_leaders_clock ? view.clock_ahead : Duration{};
    const Instant end = i + 1 < views_.size() ? views_[i + 1].from : world_.now();
    const Instant known = std::max(view.from, planned.recorded);
    const Instant low = std::max(known, instant_of(target) - ahead);
    const Instant high = std::min(end, instant_of(target + length(planned)) - ahead);
    const bool leader_lost =
        i > 0 && views_[i - 1].leader != nullptr && views_[i - 1].leader != view.leader;
    if (leader_lost || !view.possible || high <= low) stretch = {};
    if (view.possible && high > low) stretch = stretch + (high - low);
    longest = std::max(longest, stretch);
    const Instant late = instant_of(target + planned.spec.epsilon) - ahead;
    if (view.leader != nullptr && late < end && known < end) break;
  }
  return longest;
}

/// The most that a leader's clock was ahead so far: what is late on it is given up for good.
Duration Targets::ahead_most(Instant until) const {
  Duration most;
  for (const View& view : views_) {
    if (view.from <= until) most = std::max(most, view.clock_ahead);
  }
  return most;
}

/// A launch of it was out of its leader's reach at some time, so that nobody knows more.
bool Targets::lost_in(const Run& run, Instant until) const {
  return std::any_of(run.launches.begin(), run.launches.end(), [&](const Launch& launch) {
    for (std::size_t i = 0; i < views_.size(); ++i) {
      const Instant end = i + 1 < views_.size() ? views_[i + 1].from : world_.now();
      if (end < launch.at || views_[i].from > until) continue;
      if (!views_[i].reached[launch.agent] || views_[i].leader != launch.leader) return true;
    }
    return false;
  });
}

std::optional<std::string> Targets::excuse(const Planned& planned, std::uint64_t k) const {
  const WallTime target = due(planned, k);
  if (target < planned.acknowledged) return "not yet acknowledged";
  if (shown(planned, target, false) < long_enough) return "nobody could lead";
  if (shown(planned, target, true) < long_enough) return "not on the leaders' clocks";
  const Instant end = instant_of(target + length(planned));
  for (const auto& [number, run] : planned.runs) {
    if (run.occurrence == k && lost_in(run, end)) return "launched, then out of reach";
    // Begun in time on that clock; the leader that launched it had another.
    if (run.occurrence == k && run.ended && run.clock_ahead != Duration{}) {
      return "begun on another leader's clock";
    }
  }
  if (planned.spec.overlap == batch::Overlap::allow) return std::nullopt;
  for (const auto& [number, run] : planned.runs) {
    if (!run.occurrence || *run.occurrence >= k) continue;
    const bool lost = lost_in(run, end);
    const bool stepped = std::any_of(run.launches.begin(), run.launches.end(),
                                     [](const auto& l) { return is_stepped(l.clock_ahead); });
    if (!lost && !stepped) continue;
    if (!run.ended || true_time(*run.ended) + ahead_most(*run.ended) > target) {
      return lost ? "an earlier run was out of reach" : "an earlier run was on a stepped clock";
    }
  }
  return std::nullopt;
}

WallTime Targets::due(const Planned& planned, std::uint64_t k) {
  return planned.first + planned.interval * static_cast<std::int64_t>(k);
}

/// No run is started twice, and none overlaps another of its schedule.
void Targets::check_overlap(const Planned& planned) {
  struct Span {
    Instant from;
    Instant until;
    std::uint32_t run;
  };
  std::vector<Span> spans;
  for (const auto& [number, run] : planned.runs) {
    for (const Launch& launch : run.launches) {
      const sim::TaskTruth* truth = truth_of(launch.task);
      if (truth == nullptr) continue;
      spans.push_back({truth->started, truth->ended.value_or(world_.now()), number});
      // Launched in time, dropped by an agent out of reach, and launched anew.
      if (true_time(truth->started) >
          due(planned, run.occurrence.value_or(0)) + length(planned) + seconds(65)) {
        ++counts_["targeted run is later than any clock excuses"];
      }
    }
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return std::pair(a.from, a.run) < std::pair(b.from, b.run);
  });
  std::set<std::uint32_t> started;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    ++counts_["targeted run"];
    const std::string name = planned.spec.name + ": run " + std::to_string(spans[i].run);
    if (!started.insert(spans[i].run).second) world_.violation(name + " was started twice");
    if (i == 0 || spans[i].from >= spans[i - 1].until) continue;
    ++counts_["targeted runs overlap"];
    if (planned.spec.overlap == batch::Overlap::allow) continue;
    world_.violation(name + " overlaps run " + std::to_string(spans[i - 1].run));
  }
}

}  // namespace rm_sim
