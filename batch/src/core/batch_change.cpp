// Changes of a job's state: recorded, announced, and what follows from them noted.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "change.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "text.hpp"

namespace batch {

Attempt* find_attempt(Execution& execution, std::uint32_t run, std::uint32_t number) {
  for (auto at = execution.attempts.rbegin(); at != execution.attempts.rend(); ++at) {
    if (at->run == run && at->attempt == number) return &*at;
  }
  return nullptr;
}

JobChangeRecord change_record(const ElementId& id, const Execution& execution) {
  JobChangeRecord record;
  record.job = id.job;
  record.index = id.index;
  record.state = execution.state;
  record.reason = execution.reason;
  record.cancel_requested = execution.cancel_requested;
  record.run = execution.run;
  record.failures = execution.failures;
  record.started = execution.started;
  record.ended = execution.ended;
  record.not_before = execution.not_before;
  record.exit_code = execution.exit_code;
  record.signal = execution.signal;
  return record;
}

void BatchCore::change(librm::Now now, JobChangeRecord record, BatchActions& out) {
  const Element element = *find_element({record.job, record.index});
  const bool was_over = is_terminal(element.job.state);
  persist(std::move(record), out);
  follow_change(now, element, was_over, out);
}

/// After a record about it; `was_over` is of the job before that.
void BatchCore::follow_change(librm::Now now, const Element& element, bool was_over,
                              BatchActions& out) {
  const Execution& execution = element.execution;
  const TimerKey retry{TimerKey::Kind::retry, element.id(), 0};
  if (execution.state == JobState::pending && execution.not_before &&
      *execution.not_before > now.wall) {
    timers_.set(retry, now.mono + (*execution.not_before - now.wall));
  } else {
    timers_.clear(retry);
  }
  refresh(element);
  announce(element.id(), execution, out);
  const Job& job = element.job;
  if (element.index && is_terminal(execution.state)) settling_.push_back(element.id());
  if (!is_terminal(job.state) || was_over) return;
  if (element.index) announce({job.id, std::nullopt}, job, out);
  trace(job.spec.name, std::string(to_string(job.state)) + ": " + job.reason);
  settling_.push_back({job.id, std::nullopt});
  if (job.schedule) ending_runs_.push_back(*job.schedule);
}

void BatchCore::announce(const ElementId& id, const Execution& execution, BatchActions& out) const {
  JobChanged changed{id.job,           id.index, execution.state,
                     execution.reason, 0,        librm::TaskState::unknown};
  if (!execution.attempts.empty()) {
    changed.attempt = execution.attempts.back().attempt;
    changed.task_state = execution.attempts.back().latest.state;
  }
  out.output(std::move(changed));
}

bool BatchCore::waits_for_retry(const ElementId& id) const {
  return timers_.find({TimerKey::Kind::retry, id, 0}).has_value();
}

bool BatchCore::can_start(const Job& job) const {
  if (edges_block(job)) return false;
  if (!job.elements) {
    return job.state == JobState::pending && !waits_for_retry({job.id, std::nullopt});
  }
  const std::uint32_t parallel_max = job.spec.array->parallel_max;
  if (parallel_max != 0 && job.elements->counts[JobState::running] >= parallel_max) return false;
  if (retriable_.count(job.id) != 0) return true;
  const auto eligible = eligible_.find(job.id);
  if (eligible == eligible_.end()) return !never_launched(job).empty();
  return !common(never_launched(job), eligible->second).empty();
}

/// Puts the job into the queue of those that could start now, or takes it out.
void BatchCore::refresh(const Job& job) {
  if (!can_start(job)) {
    ready_.remove(job);
  } else if (ready_.add(job) && (suppressed_ || offers_refused_)) {
    // Only a shape that nobody waited with before can fit where all that waited did not.
    revive_ = true;
  }
}

void BatchCore::refresh(const Element& element) {
  if (element.index) {
    auto found = retriable_.find(element.job.id);
    if (element.execution.state == JobState::pending && !waits_for_retry(element.id())) {
      retriable_[element.job.id].insert(*element.index);
    } else if (found != retriable_.end()) {
      found->second.erase(*element.index);
      if (found->second.empty()) retriable_.erase(found);
    }
  }
  refresh(element.job);
}

/// Asks for the end of all that is live, except one; the session repeats it until it is so.
void BatchCore::kill_attempts(librm::Now now, const Element& element, const Attempt* except,
                              BatchActions& out) {
  std::vector<librm::KillTask> kills;
  for (const Attempt& attempt : element.execution.attempts) {
    if (is_terminal(attempt.latest.state)) continue;
    if (except != nullptr && attempt.run == except->run && attempt.attempt == except->attempt) {
      continue;
    }
    kills.push_back({session_.framework(), element.task(attempt), attempt.agent, std::nullopt});
  }
  for (librm::KillTask& kill : kills) call(now, std::move(kill), out);
}

}  // namespace batch
