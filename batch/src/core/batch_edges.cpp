// Dependencies: edges follow their parents' runs, children follow their edges.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "text.hpp"

namespace batch {

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
    case EdgeKind::ok:
    case EdgeKind::corresponding:
      return over ? decided(parent->state == JobState::finished) : EdgeState::pending;
  }
  return EdgeState::unsatisfiable;
}

bool edges_block(const Job& job) {
  return std::any_of(job.edges.begin(), job.edges.end(), [&](const Edge& edge) {
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
    const JobId id = settling_.front();
    settling_.pop_front();
    settle_children(now, id, out);
  }
}

void BatchCore::settle_children(librm::Now now, JobId parent_id, BatchActions& out) {
  const Job* parent = find(parent_id);
  std::vector<JobId> affected;
  for (auto at = children_.lower_bound({parent_id, 0});
       at != children_.end() && at->first == parent_id; ++at) {
    bool decided = false;
    for (const Edge& edge : jobs_.at(at->second).edges) {
      if (edge.parent != parent_id || edge.state != EdgeState::pending) continue;
      EdgeRecord record{at->second, edge};
      record.edge.state = judge_edge(edge, parent);
      if (record.edge.state == EdgeState::pending) continue;
      persist(std::move(record), out);
      decided = true;
    }
    if (decided) affected.push_back(at->second);
  }
  // Afterwards, because a child that ends leaves the index that was walked over.
  for (const JobId child : affected) settle_job(now, jobs_.at(child), out);
}

/// What a job's decided edges mean for itself.
void BatchCore::settle_job(librm::Now now, const Job& job, BatchActions& out) {
  const bool waits = job.state == JobState::pending || job.state == JobState::held;
  const auto never = std::find_if(job.edges.begin(), job.edges.end(), [](const Edge& edge) {
    return edge.state == EdgeState::unsatisfiable;
  });
  if (waits && never != job.edges.end()) {
    std::string reason =
        "DependencyNeverSatisfied: " + describe_unsatisfiable(*never, find(never->parent));
    if (job.spec.on_dependency_failed == OnDependencyFailed::cancel) {
      end_job(now, job, JobState::cancelled, std::move(reason), out);
      return;
    }
    if (job.spec.on_dependency_failed == OnDependencyFailed::hold &&
        job.state == JobState::pending) {
      JobChangeRecord record = change_of(job);
      record.state = JobState::held;
      record.reason = std::move(reason);
      change(now, std::move(record), out);
      return;
    }
  }
  refresh(now, job);
}

}  // namespace batch
