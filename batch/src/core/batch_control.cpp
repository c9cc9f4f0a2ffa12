// What people ask of a job: cancel, hold, release, requeue, retry.
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "text.hpp"

namespace batch {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

const char* to_string(JobAction action) {
  switch (action) {
    case JobAction::cancel:
      return "cancel";
    case JobAction::hold:
      return "hold";
    case JobAction::release:
      return "release";
    case JobAction::requeue:
      return "requeue";
    case JobAction::retry:
      return "retry";
  }
  return "unknown";
}

void BatchCore::on_control(librm::Now now, const ControlJob& request, BatchActions& out) {
  ControlAnswer answer{request.request, {}};
  const Job* job = find(request.job);
  if (job == nullptr) {
    answer.result =
        fail(ErrorCode::not_found, "job " + std::to_string(request.job) + ": no such job");
  } else if (request.action == JobAction::cancel) {
    answer.result = cancel(now, *job, request.reason, out);
  } else if (request.action == JobAction::hold) {
    answer.result = hold(now, *job, request.reason, out);
  } else if (request.action == JobAction::release) {
    answer.result = release(now, *job, out);
  } else if (request.action == JobAction::requeue) {
    answer.result = requeue(now, *job, out);
  } else {
    answer.result = retry(now, *job, out);
  }
  out.output(std::move(answer));
}

Result<void> BatchCore::cancel(librm::Now now, const Job& job, const std::string& reason,
                               BatchActions& out) {
  if (is_terminal(job.state)) {
    if (job.state == JobState::cancelled) return {};
    return fail(ErrorCode::failed_precondition,
                text::job(job) + ": it has already " + to_string(job.state));
  }
  JobChangeRecord record = change_of(job);
  record.cancel_requested = true;
  record.reason = reason.empty() ? "cancelled" : reason;
  // With a lost attempt under way that may overlap, nobody waits for its end.
  if (job.state != JobState::running) {
    record.state = JobState::cancelled;
    record.ended = now.wall;
    record.not_before.reset();
  }
  if (!job.cancel_requested) change(now, std::move(record), out);
  kill_attempts(now, job, nullptr, out);
  return {};
}

Result<void> BatchCore::hold(librm::Now now, const Job& job, const std::string& reason,
                             BatchActions& out) {
  if (job.state == JobState::held) return {};
  if (job.state != JobState::pending) {
    return fail(ErrorCode::failed_precondition,
                text::job(job) + ": only what waits can be held, it is " + to_string(job.state));
  }
  JobChangeRecord record = change_of(job);
  record.state = JobState::held;
  record.reason = reason.empty() ? "held" : reason;
  change(now, std::move(record), out);
  return {};
}

Result<void> BatchCore::release(librm::Now now, const Job& job, BatchActions& out) {
  if (job.state != JobState::held) {
    return fail(ErrorCode::failed_precondition,
                text::job(job) + ": it is not held, it is " + to_string(job.state));
  }
  std::vector<EdgeRecord> given_up;
  for (const Edge& edge : job.edges) {
    if (edge.state != EdgeState::unsatisfiable) continue;
    given_up.push_back({job.id, edge});
    given_up.back().edge.state = EdgeState::satisfied;
  }
  for (EdgeRecord& record : given_up) persist(std::move(record), out);
  JobChangeRecord record = change_of(job);
  record.state = JobState::pending;
  record.reason.clear();
  change(now, std::move(record), out);
  return {};
}

/// The attempt that is killed belongs to an earlier run then, so however it ends the job waits
/// anew; only if it finishes before it is killed the job has finished.
Result<void> BatchCore::requeue(librm::Now now, const Job& job, BatchActions& out) {
  if (job.state != JobState::running || job.cancel_requested) {
    return fail(ErrorCode::failed_precondition,
                text::job(job) + ": only what runs can be requeued, it is " +
                    (job.cancel_requested ? "being cancelled" : to_string(job.state)));
  }
  JobChangeRecord record = change_of(job);
  record.run = job.run + 1;
  record.failures = 0;
  record.reason = "requeued";
  change(now, std::move(record), out);
  kill_attempts(now, job, nullptr, out);
  return {};
}

Result<void> BatchCore::retry(librm::Now now, const Job& job, BatchActions& out) {
  if (!is_terminal(job.state) || job.state == JobState::finished) {
    return fail(ErrorCode::failed_precondition,
                text::job(job) + ": only what failed or was cancelled can be retried, it is " +
                    to_string(job.state));
  }
  if (!job.spec.image.empty() || !job.spec.command.fetch.empty()) {
    return fail(ErrorCode::unsupported, text::job(job) + ": " + job.reason);
  }
  const Job* same = find(job.spec.name);
  if (same != nullptr && same->id != job.id && !is_terminal(same->state)) {
    return fail(ErrorCode::already_exists, text::job(job) + ": name: job " +
                                               std::to_string(same->id) + " has it and is " +
                                               to_string(same->state));
  }
  std::vector<EdgeRecord> edges;
  for (const Edge& edge : job.edges) {
    EdgeRecord record{job.id, edge};
    if (edge.state == EdgeState::satisfied) continue;
    record.edge.state = EdgeState::pending;
    const Job* parent = find(edge.parent);
    record.edge.state = judge_edge(record.edge, parent);
    if (record.edge.state == EdgeState::unsatisfiable &&
        job.spec.on_dependency_failed != OnDependencyFailed::run) {
      return fail(ErrorCode::failed_precondition, text::job(job) + ": its dependency is not met: " +
                                                      describe_unsatisfiable(edge, parent) +
                                                      "; retry that first");
    }
    edges.push_back(record);
  }
  for (EdgeRecord& record : edges) persist(std::move(record), out);
  JobChangeRecord record = change_of(job);
  record.state = JobState::pending;
  record.reason = "retried";
  record.cancel_requested = false;
  record.run = job.run + 1;
  record.failures = 0;
  record.started.reset();
  record.ended.reset();
  record.not_before.reset();
  record.exit_code.reset();
  record.signal.reset();
  change(now, std::move(record), out);
  return {};
}

}  // namespace batch
