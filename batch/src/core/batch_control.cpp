// What people ask of a job: cancel, hold, release, requeue, retry.
#include <utility>

#include "batch/array_text.hpp"
#include "batch/batch.hpp"
#include "change.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "text.hpp"

namespace batch {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// Of a plain job, where nobody gave one.
std::string default_reason(JobAction action) {
  switch (action) {
    case JobAction::cancel:
      return "cancelled";
    case JobAction::hold:
      return "held";
    case JobAction::requeue:
      return "requeued";
    case JobAction::retry:
      return "retried";
    default:
      return {};
  }
}

std::string reason_of(const ControlJob& request) {
  const bool persons = request.action == JobAction::cancel || request.action == JobAction::hold;
  return persons && !request.reason.empty() ? request.reason : default_reason(request.action);
}

const char* what_suits(JobAction action) {
  switch (action) {
    case JobAction::hold:
      return "only what waits can be held";
    case JobAction::release:
      return "only what is held can be released";
    case JobAction::requeue:
      return "only what runs can be requeued";
    default:
      return "only what failed or was cancelled can be retried";
  }
}

const char* how_it_is(const Execution& one) {
  return one.cancel_requested && !is_terminal(one.state) ? "being cancelled" : to_string(one.state);
}

/// Why the action does not suit it; `subject` is `it` or `element 3`.
Result<void> refuse(const Job& job, const std::string& subject, const Execution& one,
                    JobAction action) {
  const std::string name = text::job(job) + ": ";
  if (action == JobAction::cancel) {
    return fail(ErrorCode::failed_precondition,
                name + subject + " has already " + to_string(one.state));
  }
  return fail(ErrorCode::failed_precondition,
              name + what_suits(action) + ", " + subject + " is " + how_it_is(one));
}

/// The state that it would have after the action, so that asking twice is no error.
bool is_done(JobAction action, const Execution& one) {
  return (action == JobAction::cancel && (one.state == JobState::cancelled ||
                                          (one.cancel_requested && !is_terminal(one.state)))) ||
         (action == JobAction::hold && one.state == JobState::held);
}

}  // namespace

void BatchCore::on_control(librm::Now now, const ControlJob& request, BatchActions& out) {
  ControlAnswer answer{request.request, {}};
  const auto found = jobs_.find(request.job);
  if (found == jobs_.end()) {
    answer.result =
        fail(ErrorCode::not_found, "job " + std::to_string(request.job) + ": no such job");
  } else if (found->second.elements) {
    answer.result = control_elements(now, found->second, request, out);
  } else if (!request.elements.empty()) {
    answer.result = fail(ErrorCode::invalid_argument,
                         text::job(found->second) + ": it is no array, it has no elements");
  } else {
    answer.result = control(now, found->second, request, out);
  }
  out.output(std::move(answer));
}

Result<void> BatchCore::control(librm::Now now, Job& job, const ControlJob& request,
                                BatchActions& out) {
  if (is_done(request.action, job)) {
    // Its agent is asked once more, in case that it was not reached.
    if (job.cancel_requested) kill_attempts(now, {job, job, std::nullopt}, nullptr, out);
    return {};
  }
  if (!suits(request.action, job)) return refuse(job, "it", job, request.action);
  auto edges = edges_before(job, request.action);
  if (!edges) return tl::unexpected(edges.error());
  for (EdgeRecord& record : *edges) persist(std::move(record), out);
  act(now, job, request.action, reason_of(request), out);
  return {};
}

Result<void> BatchCore::control_elements(librm::Now now, Job& job, const ControlJob& request,
                                         BatchActions& out) {
  const librm::Ranges& all = job.spec.array->indices;
  const librm::Ranges& wanted = request.elements.empty() ? all : request.elements;
  const std::string name = text::job(job);
  if (!all.contains(wanted)) {
    librm::Ranges strange = wanted;
    strange -= all;
    return fail(ErrorCode::not_found, name + ": it has no element " +
                                          std::to_string(strange.list().front().begin) +
                                          ", its elements are " + indices_text(all));
  }
  const librm::Ranges suitable = suited(job, request.action, wanted);
  if (suitable.empty()) {
    const auto first = static_cast<std::uint32_t>(wanted.list().front().begin);
    const Execution one = element_of(job, first).value_or(Execution{});
    if (is_done(request.action, one)) return {};
    return refuse(job, "element " + std::to_string(first), one, request.action);
  }
  auto edges = edges_before(job, request.action);
  if (!edges) return tl::unexpected(edges.error());
  for (EdgeRecord& record : *edges) persist(std::move(record), out);
  if (request.action == JobAction::release) free_elements(job, suitable, out);
  act(now, job, request.action, suitable, reason_of(request), out);
  // What of its children waits only for a turn waits for the retried elements again.
  if (request.action == JobAction::retry) settling_.push_back({job.id, std::nullopt});
  return {};
}

/// What must become of a job's edges first: released, it waits for nothing that can never be, and
/// retried, its parents are judged anew.
Result<std::vector<EdgeRecord>> BatchCore::edges_before(const Job& job, JobAction action) const {
  std::vector<EdgeRecord> records;
  if (action == JobAction::release) {
    for (const Edge& edge : job.edges) {
      if (edge.state != EdgeState::unsatisfiable) continue;
      records.push_back({job.id, edge});
      records.back().edge.state = EdgeState::satisfied;
    }
  }
  if (action != JobAction::retry) return records;
  if (auto allowed = may_retry(job); !allowed) return tl::unexpected(allowed.error());
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
    records.push_back(record);
  }
  return records;
}

/// What is released waits for nothing that can never be: as a job's edges, so its elements'.
void BatchCore::free_elements(const Job& job, const librm::Ranges& released, BatchActions& out) {
  librm::Ranges freed = job.elements->freed;
  for (const Edge& edge : job.edges) {
    const Job* parent = edge.kind == EdgeKind::corresponding ? find(edge.parent) : nullptr;
    if (parent == nullptr) continue;
    freed += elements_in(*parent, JobState::failed, released);
    freed += elements_in(*parent, JobState::cancelled, released);
  }
  if (freed != job.elements->freed) persist(ElementsFreedRecord{job.id, std::move(freed)}, out);
}

Result<void> BatchCore::may_retry(const Job& job) const {
  if (!job.spec.image.empty()) {
    return fail(ErrorCode::unsupported, text::job(job) + ": " + job.reason);
  }
  const Job* same = find(job.spec.name);
  if (same == nullptr || same->id == job.id || is_terminal(same->state)) return {};
  return fail(ErrorCode::already_exists, text::job(job) + ": name: job " +
                                             std::to_string(same->id) + " has it and is " +
                                             to_string(same->state));
}

/// On a job as a whole, which the action suits.
///
/// An attempt that is killed to be requeued belongs to an earlier run then, so however it ends the
/// job waits anew; only if it finishes before it is killed the job has finished.
void BatchCore::act(librm::Now now, Job& job, JobAction action, std::string reason,
                    BatchActions& out) {
  if (job.elements) {
    return act(now, job, action, suited(job, action, job.spec.array->indices), std::move(reason),
               out);
  }
  const Element element{job, job, std::nullopt};
  change(now, change_record(element.id(), after_action(job, action, reason, now.wall)), out);
  if (action == JobAction::cancel || action == JobAction::requeue) {
    kill_attempts(now, element, nullptr, out);
  }
}

/// On elements that the action suits.
void BatchCore::act(librm::Now now, Job& job, JobAction action, const librm::Ranges& indices,
                    std::string reason, BatchActions& out) {
  const bool was_over = is_terminal(job.state);
  persist(ElementActionRecord{job.id, action, indices, std::move(reason), now.wall}, out);
  const bool kills = action == JobAction::cancel || action == JobAction::requeue;
  each_launched(job.elements->launched, indices, [&](std::uint32_t index, Execution& execution) {
    const Element element{job, execution, index};
    follow_change(now, element, true, out);
    if (kills) kill_attempts(now, element, nullptr, out);
  });
  // The whole last: its elements' news are older than its own.
  follow_change(now, {job, job, std::nullopt}, was_over, out);
  if (action == JobAction::retry || action == JobAction::release) {
    begin_corresponding(now, job, out);
  }
  if (!is_terminal(job.state)) settling_.push_back({job.id, std::nullopt});
}

}  // namespace batch
