// Changes of a job's state: recorded, announced, and what follows from them noted.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "text.hpp"

namespace batch {

/// The job's durable values as they are, to be altered.
JobChangeRecord BatchCore::change_of(const Job& job) const {
  JobChangeRecord record;
  record.job = job.id;
  record.state = job.state;
  record.reason = job.reason;
  record.cancel_requested = job.cancel_requested;
  record.run = job.run;
  record.failures = job.failures;
  record.started = job.started;
  record.ended = job.ended;
  record.not_before = job.not_before;
  record.exit_code = job.exit_code;
  record.signal = job.signal;
  return record;
}

void BatchCore::change(librm::Now now, JobChangeRecord record, BatchActions& out) {
  const Job& job = jobs_.at(record.job);
  const bool was_over = is_terminal(job.state);
  persist(std::move(record), out);
  const TimerKey retry{TimerKey::Kind::retry, job.id, 0};
  if (job.state == JobState::pending && job.not_before && *job.not_before > now.wall) {
    timers_.set(retry, now.mono + (*job.not_before - now.wall));
  } else {
    timers_.clear(retry);
  }
  refresh(now, job);
  announce(job, out);
  if (is_terminal(job.state) && !was_over) {
    trace(job.spec.name, std::string(to_string(job.state)) + ": " + job.reason);
    settling_.push_back(job.id);
    if (job.schedule) ending_runs_.push_back(*job.schedule);
  }
}

void BatchCore::announce(const Job& job, BatchActions& out) const {
  JobChanged changed{job.id, job.state, job.reason, 0, librm::TaskState::unknown};
  if (!job.attempts.empty()) {
    changed.attempt = job.attempts.back().attempt;
    changed.task_state = job.attempts.back().latest.state;
  }
  out.output(std::move(changed));
}

/// Puts the job into the queue of those that could start now, or takes it out.
void BatchCore::refresh(librm::Now, const Job& job) {
  const bool ready = job.state == JobState::pending && !edges_block(job) &&
                     !timers_.find({TimerKey::Kind::retry, job.id, 0});
  if (!ready) {
    ready_.remove(job);
  } else if (ready_.add(job) && (suppressed_ || offers_refused_)) {
    // Only a shape that nobody waited with before can fit where all that waited did not.
    revive_ = true;
  }
}

void BatchCore::end_job(librm::Now now, const Job& job, JobState state, std::string reason,
                        BatchActions& out) {
  JobChangeRecord record = change_of(job);
  record.state = state;
  record.reason = std::move(reason);
  record.ended = now.wall;
  record.not_before.reset();
  change(now, std::move(record), out);
}

/// Asks for the end of all that is live, except one; the session repeats it until it is so.
void BatchCore::kill_attempts(librm::Now now, const Job& job, const Attempt* except,
                              BatchActions& out) {
  std::vector<librm::KillTask> kills;
  for (const Attempt& attempt : job.attempts) {
    if (is_terminal(attempt.latest.state)) continue;
    if (except != nullptr && attempt.run == except->run && attempt.attempt == except->attempt) {
      continue;
    }
    kills.push_back({session_.framework(),
                     task_id({job.id, std::nullopt, attempt.run, attempt.attempt}), attempt.agent,
                     std::nullopt});
  }
  for (librm::KillTask& kill : kills) call(now, std::move(kill), out);
}

}  // namespace batch
