// What the durable records of the batch front end may say, one after the other.
#include <algorithm>
#include <variant>

#include "librm/sim/host.hpp"
#include "oracle.hpp"

namespace rm_sim {

using namespace librm;

void Oracle::on_commit(const RecordEntry& entry) {
  if (entry.stream == master_stream) {
    Result<MasterRecord> record = decode_master_record(entry);
    if (!record) return world_.violation("cannot read a record: " + record.error().message);
    if (const auto* service = std::get_if<AgentServiceRecord>(&*record)) apply(*service);
    if (std::holds_alternative<QuotaRecord>(*record)) mark("quota recorded");
    if (std::holds_alternative<ReservationsRecord>(*record)) mark("reservation recorded");
    return;
  }
  if (entry.stream != batch_stream) return;
  Result<batch::BatchRecord> record = batch::decode_batch_record(entry);
  if (!record) return world_.violation("cannot read a record: " + record.error().message);
  std::visit([this](const auto& r) { apply(r); }, *record);
}

/// A drained agent is empty: none of its host's processes belongs to a task.
void Oracle::apply(const AgentServiceRecord& record) {
  mark(std::string("agent ") + to_string(record.service));
  services_.erase(record.agent);
  if (record.service == AgentService::normal) return;
  services_[record.agent] = record.service;
  if (record.service != AgentService::drained) return;
  for (const auto& node : world_.nodes()) {
    const auto* agent = dynamic_cast<const sim::AgentNode*>(node.get());
    if (agent == nullptr || !agent->running() || agent->core().id() != record.agent) continue;
    for (const auto& [key, truth] : log_.tasks()) {
      if (truth.host != &agent->host() || !truth.alive) continue;
      world_.violation(to_string(record.agent) + " is drained, and runs task " + key.task);
    }
  }
}

void Oracle::apply(const batch::FrameworkIdRecord& record) { framework_ = record.framework; }

void Oracle::apply(const batch::JobsRecord& record) {
  for (const batch::Job& job : record.jobs) {
    const auto [entry, is_new] = jobs_.try_emplace(job.id, KnownJob{job, {}, {}});
    if (!is_new) world_.violation("job id " + std::to_string(job.id) + " was used twice");
    KnownElement element;
    element.state = job.state;
    element.ended = job.ended;
    if (job.spec.array) {
      for (const Range& range : job.spec.array->indices.list()) {
        for (std::uint64_t index = range.begin; index <= range.end; ++index) {
          entry->second.elements[static_cast<std::uint32_t>(index)] = element;
        }
      }
    } else {
      entry->second.elements[std::nullopt] = element;
    }
    for (const batch::Edge& edge : job.edges) {
      if (edge.state != batch::EdgeState::satisfied || satisfied(edge)) continue;
      world_.violation("job " + std::to_string(job.id) + ": its edge to " +
                       std::to_string(edge.parent) + " was never satisfied");
    }
  }
}

void Oracle::apply(const batch::ScheduleRecord& record) {
  KnownSchedule& known = schedules_[record.schedule.spec.name];
  known.spec = record.schedule.spec;
  known.decided = record.schedule.due_first;
}

void Oracle::apply(const batch::ScheduleRunRecord& record) {
  apply(batch::JobsRecord{record.jobs, {}});
  check_run(schedules_[record.schedule], record.run);
}

/// Occurrences are decided in their order, each once, none is left out, and as the policies say.
void Oracle::check_run(KnownSchedule& schedule, const batch::ScheduleRun& run) {
  const std::string name = "run " + std::to_string(run.number) + " of " + schedule.spec.name;
  if (!schedule.running.empty() && schedule.spec.overlap != batch::Overlap::allow) {
    world_.violation(name + " begins while run " + std::to_string(*schedule.running.begin()) +
                     " goes on, against policy '" + batch::to_string(schedule.spec.overlap) + "'");
  }
  if (!run.ended) schedule.running.insert(run.number);
  mark(std::string("run by ") + batch::to_string(run.cause));
  if (!run.occurrence) return;
  if (*run.occurrence != schedule.decided) {
    world_.violation(name + " is of occurrence " + std::to_string(*run.occurrence) + ", but " +
                     std::to_string(schedule.decided) + " is the next that is not decided");
  }
  schedule.decided = *run.occurrence + 1;
  if (schedule.spec.catch_up == batch::CatchUp::skip &&
      run.started - run.nominal > schedule.spec.epsilon) {
    world_.violation(name + " is later than epsilon, against policy 'skip'");
  }
  for (const auto& node : world_.nodes()) note_clock(*node);
  // What was due stays due when a clock is set back, or a master with another clock goes on.
  if (wall_highest_ < run.nominal) world_.violation(name + " is too early");
}

void Oracle::apply(const batch::ScheduleChangeRecord& record) {
  KnownSchedule& schedule = schedules_[record.schedule];
  if (record.run && record.run->ended) schedule.running.erase(record.run->number);
  if (record.missed) check_missed(schedule, *record.missed);
}

/// What may be missed, and why, follows from the catch-up policy.
void Oracle::check_missed(KnownSchedule& schedule, const batch::MissedOccurrences& missed) {
  const std::string what = "schedule " + schedule.spec.name + ": occurrence " +
                           std::to_string(missed.first) + " is missed";
  if (missed.first != schedule.decided || missed.last < missed.first) {
    world_.violation(what + ", but " + std::to_string(schedule.decided) +
                     " is the next that is not decided");
  }
  schedule.decided = missed.last + 1;
  mark(std::string("missed by ") + batch::to_string(schedule.spec.catch_up));
  const bool too_many = missed.reason.find("occurrences waited") != std::string::npos;
  const bool replaced = missed.reason == "replaced by a later one";
  const bool late = missed.reason.find("late by ") != std::string::npos;
  if (too_many || (replaced && schedule.spec.overlap == batch::Overlap::replace) ||
      (late && schedule.spec.catch_up != batch::CatchUp::all)) {
    return;
  }
  world_.violation(what + " for a reason that policy '" + batch::to_string(schedule.spec.catch_up) +
                   "' does not allow: " + missed.reason);
}

void Oracle::apply(const batch::ScheduleRemovedRecord& record) {
  schedules_.erase(record.schedule);
}

Oracle::KnownJob* Oracle::known(batch::JobId job, std::string_view what) {
  const auto found = jobs_.find(job);
  if (found != jobs_.end()) return &found->second;
  world_.violation("job " + std::to_string(job) + " was " + std::string(what) +
                   " before it was durable");
  return nullptr;
}

Oracle::KnownElement* Oracle::known(const batch::ElementId& id, std::string_view what) {
  KnownJob* job = known(id.job, what);
  if (job == nullptr) return nullptr;
  const auto found = job->elements.find(id.index);
  if (found != job->elements.end()) return &found->second;
  world_.violation("job " + to_string(id) + " was " + std::string(what) + " and is no element");
  return nullptr;
}

void Oracle::apply(const batch::LaunchRecord& record) {
  for (const batch::LaunchRecord::Launch& launch : record.launches) {
    const batch::ElementId id{launch.job, launch.index};
    KnownElement* element = known(id, "launched");
    if (element == nullptr) continue;
    const batch::JobSpec& spec = jobs_.at(id.job).job.spec;
    // In one journal: its offers were gone before the next launch was decided.
    if (const auto service = services_.find(launch.attempt.agent); service != services_.end()) {
      world_.violation("job " + to_string(id) + " is launched on " +
                       to_string(launch.attempt.agent) + ", which is " +
                       to_string(service->second));
    }
    check_launch(id, spec.lost, *element, launch.attempt);
    if (element->attempts.empty()) check_corresponding(jobs_.at(id.job), id);
    element->attempts[{launch.attempt.run, launch.attempt.attempt}] = launch.attempt;
    element->state = batch::JobState::running;
    mark("launch");
    if (!id.index) continue;
    mark("launch of an element");
    std::uint32_t running = 0;
    for (const auto& [index, one] : jobs_.at(id.job).elements) {
      if (one.state == batch::JobState::running) ++running;
    }
    const std::uint32_t parallel_max = spec.array->parallel_max;
    if (parallel_max != 0 && running > parallel_max && spec.lost != batch::LostPolicy::rerun) {
      world_.violation("job " + std::to_string(id.job) + ": " + std::to_string(running) +
                       " elements run, at most " + std::to_string(parallel_max) + " may");
    }
  }
}

/// Whether another attempt may begin, given what is known of the earlier ones.
void Oracle::check_launch(const batch::ElementId& id, batch::LostPolicy lost,
                          const KnownElement& element, const batch::Attempt& attempt) {
  const std::string name =
      "attempt " + std::to_string(attempt.attempt) + " of job " + to_string(id);
  if (element.state != batch::JobState::pending) {
    world_.violation(name + " is launched while it is " + batch::to_string(element.state));
  }
  for (const auto& [number, earlier] : element.attempts) {
    if (number.first != attempt.run) continue;
    if (number.second >= attempt.attempt) {
      world_.violation(name + " is launched after attempt " + std::to_string(number.second));
    }
    if (is_terminal(earlier.latest.state) || lost == batch::LostPolicy::rerun) continue;
    world_.violation(name + " is launched while attempt " + std::to_string(number.second) +
                     " is not known to be over");
  }
}

void Oracle::apply(const batch::JobChangeRecord& record) {
  const batch::ElementId id{record.job, record.index};
  KnownElement* element = known(id, "changed");
  if (element == nullptr) return;
  const bool retried =
      record.state == batch::JobState::pending && record.run == element->run + 1 && !record.attempt;
  if (is_terminal(element->state) && !retried &&
      (record.state != element->state || record.exit_code != element->exit_code ||
       record.signal != element->signal || record.ended != element->ended ||
       record.run != element->run)) {
    world_.violation("job " + to_string(id) + " was " + batch::to_string(element->state) +
                     " and becomes " + batch::to_string(record.state));
  }
  element->state = record.state;
  element->run = record.run;
  element->exit_code = record.exit_code;
  element->signal = record.signal;
  element->ended = record.ended;
  if (!record.attempt) return;
  batch::Attempt& attempt = element->attempts[{record.attempt->run, record.attempt->attempt}];
  if (is_terminal(attempt.latest.state) && attempt.latest.state != record.attempt->latest.state) {
    world_.violation("attempt " + std::to_string(record.attempt->attempt) + " of job " +
                     to_string(id) + " was " + to_string(attempt.latest.state) + " and becomes " +
                     to_string(record.attempt->latest.state));
  }
  attempt = *record.attempt;
  check_attempt(id, attempt);
}

/// Only what is held because its parent's element will never finish is freed from following it.
void Oracle::apply(const batch::ElementsFreedRecord& record) {
  KnownJob* job = known(record.job, "freed");
  if (job == nullptr) return;
  mark("elements freed");
  for (const auto& [index, element] : job->elements) {
    const Ranges one({{*index, *index}});
    if (!record.indices.contains(one) || job->freed.contains(one)) continue;
    const bool hopeless = std::any_of(
        job->job.edges.begin(), job->job.edges.end(), [&, index = index](const batch::Edge& edge) {
          if (edge.kind != batch::EdgeKind::corresponding) return false;
          const KnownElement* parent = known(batch::ElementId{edge.parent, index}, "a parent");
          return parent != nullptr && is_terminal(parent->state) &&
                 parent->state != batch::JobState::finished;
        });
    if (element.state == batch::JobState::held && hopeless) continue;
    world_.violation("element " + std::to_string(*index) + " of job " + std::to_string(record.job) +
                     " is freed of its parents, which may still finish");
  }
  job->freed = record.indices;
}

/// An action changes what it suits, and nothing else.
void Oracle::apply(const batch::ElementActionRecord& record) {
  using batch::JobAction;
  using batch::JobState;
  KnownJob* job = known(record.job, "acted on");
  if (job == nullptr) return;
  mark(std::string("elements: ") + batch::to_string(record.action));
  for (auto& [index, element] : job->elements) {
    if (!record.indices.contains(Ranges({{*index, *index}}))) continue;
    const bool waits = element.state == JobState::pending || element.state == JobState::held;
    if (record.action == JobAction::cancel && waits) {
      element.state = JobState::cancelled;
      element.ended = record.at;
    } else if (record.action == JobAction::hold && element.state == JobState::pending) {
      element.state = JobState::held;
    } else if (record.action == JobAction::release && element.state == JobState::held) {
      element.state = JobState::pending;
    } else if (record.action == JobAction::requeue && element.state == JobState::running) {
      ++element.run;
    } else if (record.action == JobAction::retry && is_terminal(element.state) &&
               element.state != JobState::finished) {
      const std::uint32_t run = element.attempts.empty() ? element.run : element.run + 1;
      auto attempts = std::move(element.attempts);
      element = {};
      element.attempts = std::move(attempts);
      element.run = run;
    }
  }
}

/// A result on record is what really happened.
void Oracle::check_attempt(const batch::ElementId& id, const batch::Attempt& attempt) {
  const StatusUpdate& latest = attempt.latest;
  if (!is_terminal(latest.state)) return;
  mark(std::string("attempt ") + to_string(latest.state));
  const std::string task = batch::task_id({id.job, id.index, attempt.run, attempt.attempt});
  const std::string claim = "task " + task + " is recorded as " + to_string(latest.state);
  const sim::TaskTruth* truth = truth_of(task);
  if (latest.state == TaskState::dropped) {
    if (truth != nullptr && truth->host->incarnation() == truth->incarnation) {
      world_.violation(claim + ", and was started on " + truth->host->name());
    }
    return;
  }
  if (latest.state == TaskState::gone || latest.state == TaskState::gone_by_operator) {
    if (latest.reason == TaskReason::agent_unreachable) mark("fence waited for");
    if (truth != nullptr && truth->alive) world_.violation(claim + ", and runs");
    return;
  }
  const bool has_status = latest.exit_code || latest.signal;
  if (!has_status && latest.state != TaskState::finished) return;
  if (truth == nullptr || truth->alive) {
    world_.violation(claim + ", and " + (truth == nullptr ? "never ran" : "still runs"));
  } else if (truth->exit_code != latest.exit_code || truth->signal != latest.signal) {
    world_.violation(claim + ", but ended otherwise");
  } else if (latest.state == TaskState::finished && truth->exit_code != 0) {
    world_.violation(claim + ", but failed");
  }
}

void Oracle::apply(const batch::EdgeRecord& record) {
  KnownJob* entry = known(record.child, "given an edge");
  if (entry == nullptr) return;
  // What a person releases waits for nothing that can never come true.
  bool given_up = false;
  for (batch::Edge& edge : entry->job.edges) {
    if (edge.parent != record.edge.parent || edge.kind != record.edge.kind) continue;
    if (edge.state == batch::EdgeState::satisfied && edge.state != record.edge.state) {
      world_.violation("an edge of job " + std::to_string(record.child) + " changed its mind");
    }
    given_up =
        edge.state == batch::EdgeState::unsatisfiable && entry->state() == batch::JobState::held;
    edge = record.edge;
  }
  if (record.edge.state == batch::EdgeState::satisfied && !given_up && !satisfied(record.edge)) {
    world_.violation("job " + std::to_string(record.child) + ": the edge to " +
                     std::to_string(record.edge.parent) + " is not satisfied");
  }
}

void Oracle::apply(const batch::JobRemovedRecord& record) {
  world_.violation("job " + std::to_string(record.job) + " was removed, with room for all");
}

}  // namespace rm_sim
