// Dependencies: edges follow their parents' runs, children follow their edges.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "text.hpp"

namespace batch {

namespace {

JobAction action_where_failed(const JobSpec& spec) {
  return spec.on_dependency_failed == OnDependencyFailed::cancel ? JobAction::cancel
                                                                 : JobAction::hold;
}

}  // namespace

EdgeState judge_edge(const Edge& edge, const Job* parent) {
  if (edge.state != EdgeState::pending) return edge.state;
  if (parent == nullptr) return EdgeState::unsatisfiable;
  const bool over = is_terminal(parent->state);
  const auto decided = [](bool good) {
    return good ? EdgeState::satisfied : EdgeState::unsatisfiable;
  };
  switch (edge.kind) {
    case EdgeKind::any:
      return over ? EdgeState::satisfied : EdgeState::pending;
    case EdgeKind::start:
      if (parent->started) return EdgeState::satisfied;
      return over ? EdgeState::unsatisfiable : EdgeState::pending;
    case EdgeKind::not_ok:
      return over ? decided(parent->state != JobState::finished) : EdgeState::pending;
    case EdgeKind::corresponding:
      // Between arrays each element was judged by itself.
      if (parent->elements) return over ? EdgeState::satisfied : EdgeState::pending;
      [[fallthrough]];
    case EdgeKind::ok:
      return over ? decided(parent->state == JobState::finished) : EdgeState::pending;
  }
  return EdgeState::unsatisfiable;
}

bool edges_block(const Job& job) {
  return std::any_of(job.edges.begin(), job.edges.end(), [&](const Edge& edge) {
    if (edge.kind == EdgeKind::corresponding && job.elements) return false;
    return edge.state == EdgeState::pending ||
           (edge.state == EdgeState::unsatisfiable &&
            job.spec.on_dependency_failed != OnDependencyFailed::run);
  });
}

std::string describe_unsatisfiable(const Edge& edge, const Job* parent) {
  if (parent == nullptr) return "job " + std::to_string(edge.parent) + " is forgotten";
  std::string text = text::job(*parent);
  if (edge.kind == EdgeKind::start && !parent->started) return text + " never started";
  if (parent->state == JobState::cancelled) return text + " was cancelled";
  return text + ' ' + to_string(parent->state);
}

/// A list of work instead of recursion: chains of cancelled jobs may be as long as the queue.
void BatchCore::settle_edges(librm::Now now, BatchActions& out) {
  while (!settling_.empty()) {
    const ElementId id = settling_.front();
    settling_.pop_front();
    settle_children(now, id, out);
  }
}

/// What the parent's state, or that of one of its elements, means for its children.
void BatchCore::settle_children(librm::Now now, const ElementId& parent_id, BatchActions& out) {
  const Job* parent = find(parent_id.job);
  std::set<JobId> affected;
  std::set<JobId> corresponding;
  for (auto at = children_.lower_bound({parent_id.job, 0});
       at != children_.end() && at->first == parent_id.job; ++at) {
    const Job& child = jobs_.at(at->second);
    for (const Edge& edge : child.edges) {
      if (edge.parent != parent_id.job) continue;
      // Also where the edge was satisfied once: elements of both may have been retried since.
      if (edge.kind == EdgeKind::corresponding && child.elements) corresponding.insert(child.id);
      if (edge.state != EdgeState::pending || parent_id.index) continue;
      EdgeRecord record{child.id, edge};
      record.edge.state = judge_edge(edge, parent);
      if (record.edge.state == EdgeState::pending) continue;
      persist(std::move(record), out);
      affected.insert(child.id);
    }
  }
  // Afterwards, because a child that ends leaves the index that was walked over.
  for (const JobId child : corresponding) {
    Job& job = jobs_.at(child);
    settle_corresponding(now, job, parent_id.index ? single(*parent_id.index) : waiting(job), out);
  }
  for (const JobId child : affected) settle_job(now, jobs_.at(child), out);
}

/// What a job's decided edges mean for itself.
void BatchCore::settle_job(librm::Now now, Job& job, BatchActions& out) {
  const auto never = std::find_if(job.edges.begin(), job.edges.end(), [](const Edge& edge) {
    return edge.state == EdgeState::unsatisfiable;
  });
  const bool waits = job.state == JobState::pending || job.state == JobState::held;
  if (waits && never != job.edges.end()) {
    const JobAction action = action_where_failed(job.spec);
    if (job.spec.on_dependency_failed != OnDependencyFailed::run && suits(action, job)) {
      act(now, job, action,
          "DependencyNeverSatisfied: " + describe_unsatisfiable(*never, find(never->parent)), out);
      return;
    }
  }
  refresh(job);
}

/// From here on elements of such an array start one by one.
void BatchCore::begin_corresponding(librm::Now now, Job& job, BatchActions& out) {
  const bool corresponding =
      job.elements && std::any_of(job.edges.begin(), job.edges.end(), [](const Edge& edge) {
        return edge.kind == EdgeKind::corresponding;
      });
  if (!corresponding) return;
  eligible_[job.id] = {};
  settle_corresponding(now, job, waiting(job), out);
}

/// Elements whose parents' elements of the same index have finished may start; those where one of
/// them never will follow the policy.
void BatchCore::settle_corresponding(librm::Now now, Job& child, const librm::Ranges& indices,
                                     BatchActions& out) {
  const bool runs_anyway = child.spec.on_dependency_failed == OnDependencyFailed::run;
  librm::Ranges eligible = common(indices, waiting(child));
  const librm::Ranges freed = common(eligible, child.elements->freed);
  eligible -= freed;
  librm::Ranges never;
  const Job* culprit = nullptr;
  for (const Edge& edge : child.edges) {
    const Job* parent = edge.kind == EdgeKind::corresponding ? find(edge.parent) : nullptr;
    if (parent == nullptr) continue;
    librm::Ranges good = elements_in(*parent, JobState::finished, eligible);
    librm::Ranges bad = elements_in(*parent, JobState::failed, eligible);
    bad += elements_in(*parent, JobState::cancelled, eligible);
    if (!bad.empty()) culprit = parent;
    (runs_anyway ? good : never) += bad;
    eligible = std::move(good);
  }
  // A parent's element that was retried has not finished any more.
  librm::Ranges& allowed = eligible_[child.id];
  allowed -= indices;
  allowed += eligible;
  allowed += freed;
  refresh(child);
  const JobAction action = action_where_failed(child.spec);
  never = suited(child, action, never);
  if (never.empty()) return;
  act(now, child, action, never,
      "DependencyNeverSatisfied: the same element of " + text::job(*culprit) + " did not finish",
      out);
}

}  // namespace batch
