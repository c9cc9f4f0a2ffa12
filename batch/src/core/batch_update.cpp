// News of attempts: what they mean for their jobs, by policy.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "change.hpp"
#include "text.hpp"

namespace batch {

namespace {

using librm::TaskReason;
using librm::TaskState;

/// A restored state asks what its agents run, ever more rarely while the same ones are reachable.
constexpr librm::Duration stray_interval_min = librm::seconds(5);
constexpr librm::Duration stray_interval_max = librm::seconds(300);

constexpr librm::Duration repeat_delay_max = librm::seconds(10);

enum class Outcome : std::uint8_t {
  success,
  failure,  ///< the job's own: consumes a retry
  repeat,   ///< the cluster's: launched anew
  unknown,  ///< over, nobody knows how, and it must not run twice
};

Outcome outcome_of(LostPolicy lost, const librm::StatusUpdate& end) {
  switch (end.state) {
    case TaskState::finished:
      return Outcome::success;
    case TaskState::failed:
    case TaskState::error:
      return Outcome::failure;
    case TaskState::killed:
      return end.reason == TaskReason::time_limit_reached ||
                     end.reason == TaskReason::memory_limit ||
                     end.reason == TaskReason::disk_limit ||
                     end.reason == TaskReason::killed_by_operator
                 ? Outcome::failure
                 : Outcome::repeat;
    case TaskState::lost:
      return lost == LostPolicy::wait ? Outcome::unknown : Outcome::repeat;
    default:
      return Outcome::repeat;
  }
}

bool is_latest(const Execution& job, const Attempt& attempt) {
  return job.attempts.back().run == attempt.run && job.attempts.back().attempt == attempt.attempt;
}

/// Doubles with every attempt in a row that the cluster, not the job, brought to an end.
librm::Duration repeat_delay(const Execution& job, const Attempt& attempt, librm::Duration unit) {
  std::size_t streak = 1;
  for (auto at = job.attempts.rbegin(); at != job.attempts.rend() && streak < 20; ++at) {
    if (at->run == attempt.run && at->attempt == attempt.attempt) continue;
    if (at->counts) break;
    ++streak;
  }
  // What was lost with its agent may start at once elsewhere; a dropped launch met a busy master.
  if (attempt.latest.state != TaskState::dropped && --streak == 0) return {};
  return std::min(unit * (std::int64_t{1} << (streak - 1)), repeat_delay_max);
}

}  // namespace

void BatchCore::on_update(librm::Now now, const librm::StatusUpdate& update, BatchActions& out) {
  // Sent by flush(), after the records of this step.
  if (update.sequence > 0) {
    acks_.push_back({update.framework, update.task, update.agent, update.sequence});
  }
  const std::optional<TaskName> name = parse_task_id(update.task);
  const auto element = name ? find_element({name->job, name->index}) : std::nullopt;
  Attempt* attempt = element ? find_attempt(element->execution, name->run, name->attempt) : nullptr;
  if (attempt == nullptr || is_terminal(attempt->latest.state)) {
    kill_stray(now, update, out);
    return;
  }
  if (!is_terminal(update.state) && update.state != TaskState::unknown) {
    on_progress(now, *element, *attempt, update, out);
    return;
  }
  Attempt ended = *attempt;
  ended.latest = update;
  if (forgotten_since_restore(*attempt, update)) {
    ended.latest.state = TaskState::lost;
    ended.latest.message =
        "this state was restored from a backup, and its agent does not know the task any more: it "
        "may have ended since";
  } else if (update.state == TaskState::unknown) {
    // The master answers so only when no agent that may have it can still return, and after it
    // took in all that was sent before the question: the launch never arrived.
    ended.latest.state = TaskState::dropped;
    ended.latest.message = "nobody knows the task: its launch never arrived";
  }
  on_end(now, *element, std::move(ended), out);
}

/// An agent forgets a task when its end is acknowledged. A restored state may have been the one
/// that did so, later than its backup, and must not take it for a launch that never arrived.
bool BatchCore::forgotten_since_restore(const Attempt& attempt,
                                        const librm::StatusUpdate& update) const {
  return attempt.attempt <= attempts_before_ &&
         (update.state == TaskState::unknown ||
          (update.state == TaskState::dropped && update.reason == TaskReason::reconciliation));
}

/// What runs at agents and was launched after the backup is heard of only if somebody asks.
void BatchCore::ask_for_strays(librm::Now now, BatchActions& out) {
  if (attempts_before_ == 0 || !session_.subscribed()) return;
  if (now.mono < ask_for_strays_at_ && !agents_came_) return;
  stray_interval_ = agents_came_
                        ? stray_interval_min
                        : std::clamp(stray_interval_ * 2, stray_interval_min, stray_interval_max);
  agents_came_ = false;
  ask_for_strays_at_ = now.mono + stray_interval_;
  call(now, librm::ReconcileTasks{}, out);
}

/// What is over for its job, or forgotten, must not run on.
void BatchCore::kill_stray(librm::Now now, const librm::StatusUpdate& update, BatchActions& out) {
  if (is_terminal(update.state) || update.state == TaskState::unknown ||
      update.state == TaskState::unreachable) {
    return;
  }
  trace(update.task, "is over or unknown here, and is killed");
  call(now, librm::KillTask{update.framework, update.task, update.agent, std::nullopt}, out);
}

void BatchCore::on_progress(librm::Now now, const Element& element, Attempt& attempt,
                            const librm::StatusUpdate& update, BatchActions& out) {
  Execution& execution = element.execution;
  const bool news = attempt.latest.state != update.state;
  attempt.latest = update;
  if (update.state == TaskState::unreachable) {
    if (news) on_unreachable(now, element, attempt, out);
    return;
  }
  forget_reschedule(element.id(), attempt.attempt);
  if (is_terminal(execution.state)) {
    kill_stray(now, update, out);
    return;
  }
  if (execution.state == JobState::pending && is_latest(execution, attempt)) {
    // It was given up, and is back before another one was launched.
    JobChangeRecord record = change_record(element.id(), execution);
    record.state = JobState::running;
    record.reason.clear();
    record.not_before.reset();
    change(now, std::move(record), out);
  } else if (news) {
    // What a pending run says is durable, and about the attempts after this one.
    if (execution.state == JobState::running && !execution.cancel_requested) {
      execution.reason.clear();
    }
    announce(element.id(), execution, out);
  }
  if (update.state == TaskState::running && !execution.started) {
    on_started(element, update.started.value_or(now.wall));
  }
}

void BatchCore::on_started(const Element& element, librm::WallTime started) {
  element.execution.started = started;
  started_in_memory_.insert(element.id());
  if (element.index && element.job.started) return;
  element.job.started = started;
  settling_.push_back({element.job.id, std::nullopt});
}

void BatchCore::on_end(librm::Now now, const Element& element, Attempt attempt, BatchActions& out) {
  const Execution& execution = element.execution;
  forget_reschedule(element.id(), attempt.attempt);
  trace(attempt.latest.task, text::end_of(attempt.latest));
  JobChangeRecord record = change_record(element.id(), execution);
  if (!record.started && attempt.latest.started) {
    // News of its running was overtaken by news of its end: children may have waited for it.
    record.started = attempt.latest.started;
    settling_.push_back({element.job.id, std::nullopt});
  }
  const bool others =
      std::any_of(execution.attempts.begin(), execution.attempts.end(), [&](const Attempt& a) {
        return !is_terminal(a.latest.state) &&
               (a.run != attempt.run || a.attempt != attempt.attempt);
      });
  const bool decides = attempt.latest.state == TaskState::finished ||
                       (execution.cancel_requested ? !others : is_latest(execution, attempt));
  if (is_terminal(execution.state) || !decides) {
    attempt.counts = false;
    if (is_terminal(execution.state)) record.started = execution.started;
    record.attempt = std::move(attempt);
    persist(std::move(record), out);
    return;
  }
  decide(now, element, attempt, record);
  record.attempt = attempt;
  change(now, std::move(record), out);
  if (is_terminal(execution.state)) kill_attempts(now, element, &attempt, out);
}

void BatchCore::decide(librm::Now now, const Element& element, Attempt& attempt,
                       JobChangeRecord& change) const {
  const JobSpec& spec = element.job.spec;
  const Execution& execution = element.execution;
  const librm::StatusUpdate& end = attempt.latest;
  const auto over = [&](JobState state, std::string reason) {
    change.state = state;
    change.reason = std::move(reason);
    change.ended = end.ended.value_or(now.wall);
    change.not_before.reset();
    change.exit_code = end.exit_code;
    change.signal = end.signal;
  };
  Outcome outcome = outcome_of(spec.lost, end);
  // Killed to be requeued: how that ended it does not matter.
  if (attempt.run < execution.run && outcome == Outcome::failure) outcome = Outcome::repeat;
  if (outcome == Outcome::success) return over(JobState::finished, "");
  if (execution.cancel_requested) return over(JobState::cancelled, execution.reason);
  if (outcome == Outcome::unknown) {
    const std::string& detail = end.message.empty() ? to_string(end.reason) : end.message;
    return over(JobState::failed, "exit status unknown: " + detail);
  }
  if (outcome == Outcome::repeat) {
    attempt.counts = false;
    return again(now, execution, attempt, change);
  }
  change.failures = execution.failures + 1;
  if (change.failures > spec.retries) {
    std::string reason = text::end_of(end);
    if (spec.retries > 0) reason += " (attempt " + std::to_string(change.failures) + ")";
    return over(JobState::failed, std::move(reason));
  }
  change.state = JobState::pending;
  change.reason = text::end_of(end) + "; retry " + std::to_string(change.failures) + " of " +
                  std::to_string(spec.retries);
  change.not_before.reset();
  if (spec.retry_delay.ns > 0) change.not_before = now.wall + spec.retry_delay;
}

/// A new attempt that consumes no retry.
void BatchCore::again(librm::Now now, const Execution& execution, const Attempt& attempt,
                      JobChangeRecord& change) const {
  change.state = JobState::pending;
  change.reason = text::end_of(attempt.latest) + "; launched anew";
  change.not_before.reset();
  const librm::Duration delay = repeat_delay(execution, attempt, options_.dropped_retry_delay);
  if (delay.ns > 0) change.not_before = now.wall + delay;
}

}  // namespace batch
