// Why a job waits, in words and amounts; computed when somebody asks.
#include <algorithm>
#include <map>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "elements.hpp"
#include "librm/resource/fits.hpp"
#include "placement.hpp"
#include "text.hpp"

namespace batch {

namespace {

constexpr std::size_t edges_named_max = 20;

std::string place_of(const Attempt& attempt) {
  return to_string(attempt.agent) + " (" + attempt.hostname + ")";
}

std::string describe_running(const Execution& job, librm::Now now,
                             const std::optional<std::string>& pause) {
  const Attempt& attempt = job.attempts.back();
  std::string text;
  switch (attempt.latest.state) {
    case librm::TaskState::staging:
    case librm::TaskState::starting:
      text = "being started on " + place_of(attempt) + " since " +
             text::span(now.wall - attempt.launched);
      break;
    case librm::TaskState::unreachable:
      text = "started on " + place_of(attempt) + " " + text::span(now.wall - attempt.launched) +
             " ago · agent " + to_string(attempt.agent) + " is unreachable";
      if (pause) text += " · " + *pause;
      break;
    default:
      text = "running " + text::span(now.wall - attempt.latest.started.value_or(attempt.launched)) +
             " on " + place_of(attempt);
  }
  if (job.cancel_requested) text += " · is being cancelled: " + job.reason;
  return text;
}

/// What happens next to a run whose agent is unreachable.
std::string describe_policy(LostPolicy lost, bool paused) {
  const std::string policy = std::string("policy '") + to_string(lost) + "': ";
  const std::string end = paused ? " and rescheduling goes on" : "";
  switch (lost) {
    case LostPolicy::fence:
      return policy + "started anew when its fence has surely killed it" + end;
    case LostPolicy::rerun:
      return policy + "started anew elsewhere" +
             (paused ? " when rescheduling goes on, unless its agent is back" : "");
    default:
      return policy + "no new attempt before this one is known to be over";
  }
}

std::string describe_ended(const Execution& job, librm::Now now) {
  std::string text = std::string(to_string(job.state)) + " " +
                     text::span(now.wall - job.ended.value_or(now.wall)) + " ago";
  if (job.started && job.ended) text += " after " + text::span(*job.ended - *job.started);
  if (!job.reason.empty()) text += " · " + job.reason;
  return text;
}

/// `job 41 (extract), running`.
std::string describe_edge(const Edge& edge, const Job* parent) {
  if (parent == nullptr) return "job " + std::to_string(edge.parent) + ", forgotten";
  return text::job(*parent) + ", " + to_string(parent->state);
}

/// `3 running (at most 10 at the same time), 90 pending, 7 finished`.
std::string describe_elements(const Job& job) {
  const std::uint32_t parallel_max = job.spec.array->parallel_max;
  std::string text;
  for (const JobState state : {JobState::running, JobState::pending, JobState::held,
                               JobState::finished, JobState::failed, JobState::cancelled}) {
    const std::uint64_t count = job.elements->counts[state];
    if (count == 0) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + to_string(state);
    if (state == JobState::running && parallel_max != 0) {
      text += " (at most " + std::to_string(parallel_max) + " at the same time)";
    }
  }
  return text;
}

const char* wanted_of(EdgeKind kind) {
  switch (kind) {
    case EdgeKind::any:
      return "to end";
    case EdgeKind::not_ok:
      return "to fail";
    case EdgeKind::start:
      return "to start";
    default:
      return "to finish";
  }
}

}  // namespace

/// What is free there as far as this framework knows: the total less what its own attempts hold.
struct BatchCore::NodeUsage {
  const ClusterShape::Node* node;
  librm::Resources free;
};

std::vector<BatchCore::NodeUsage> BatchCore::node_usage() const {
  std::vector<NodeUsage> nodes;
  std::map<librm::AgentId, std::size_t> places;
  for (const ClusterShape::Node& node : shape_.nodes) {
    places.emplace(node.agent, nodes.size());
    nodes.push_back({&node, node.total});
  }
  for (const ElementId& id : with_live_attempts_) {
    const Job& job = jobs_.at(id.job);
    const Execution& execution = id.index ? job.elements->launched.at(*id.index) : job;
    for (const Attempt& attempt : execution.attempts) {
      if (is_terminal(attempt.latest.state)) continue;
      auto place = places.find(attempt.agent);
      if (place == places.end()) continue;
      librm::Resources& free = nodes[place->second].free;
      if (free.contains(attempt.resources)) free -= attempt.resources;
    }
  }
  return nodes;
}

Why BatchCore::why(const Job& job, librm::Now now) const {
  if (!job.elements) return why(job, {job.id, std::nullopt}, job, now);
  // What the whole waits for is what its elements wait for that were never launched.
  Execution whole = job;
  const bool waits = !is_terminal(job.state) && !never_launched(job).empty();
  if (waits) whole.state = JobState::pending;
  Why why;
  if (job.state == JobState::running && !waits) {
    why.job = job.id;
    why.summary = "running " + text::span(now.wall - job.started.value_or(job.submitted));
    if (job.cancel_requested) why.summary += " · is being cancelled: " + job.reason;
  } else {
    why = this->why(job, {job.id, std::nullopt}, whole, now);
  }
  why.state = job.state;
  why.details.insert(why.details.begin(), describe_elements(job));
  return why;
}

Why BatchCore::why(const Job& job, std::uint32_t index, librm::Now now) const {
  return why(job, {job.id, index}, element_of(job, index).value(), now);
}

Why BatchCore::why(const Job& job, const ElementId& id, const Execution& execution,
                   librm::Now now) const {
  Why why;
  why.job = job.id;
  why.index = id.index;
  why.state = execution.state;
  if (is_terminal(execution.state)) {
    why.summary = describe_ended(execution, now);
  } else if (execution.state == JobState::running) {
    why.summary = describe_running(execution, now, rescheduling_pause_);
    if (execution.attempts.back().latest.state == librm::TaskState::unreachable) {
      why.details.push_back(describe_policy(job.spec.lost, rescheduling_pause_.has_value()));
    }
  } else {
    why.summary =
        std::string(to_string(execution.state)) + " " + text::span(now.wall - job.submitted);
    if (execution.state == JobState::held) {
      why.summary += " · " + (execution.reason.empty() ? "held" : execution.reason);
    } else {
      explain_waiting(job, id, execution, now, why);
    }
  }
  if (execution.state != JobState::running && !execution.attempts.empty()) {
    const Attempt& last = execution.attempts.back();
    why.details.push_back("attempt " + std::to_string(last.attempt) + " on " + place_of(last) +
                          ": " + text::end_of(last.latest));
  }
  return why;
}

/// An edge between arrays that this element, or some element, need not wait for any more.
bool BatchCore::may_start_beside(const Job& job, const ElementId& id, const Edge& edge) const {
  if (edge.kind != EdgeKind::corresponding || !job.elements) return false;
  const auto eligible = eligible_.find(job.id);
  if (eligible == eligible_.end()) return false;
  return id.index ? eligible->second.contains(single(*id.index))
                  : !common(never_launched(job), eligible->second).empty();
}

/// Adds to the summary of a pending job what it waits for first.
void BatchCore::explain_waiting(const Job& job, const ElementId& id, const Execution& execution,
                                librm::Now now, Why& why) const {
  std::size_t waits = 0;
  for (const Edge& edge : job.edges) {
    if (edge.state != EdgeState::pending || may_start_beside(job, id, edge)) continue;
    const Job* parent = find(edge.parent);
    if (waits == 0) why.summary += " · waits for " + describe_edge(edge, parent);
    if (++waits > edges_named_max) continue;
    why.details.push_back(std::string("waits for ") + describe_edge(edge, parent) + ", " +
                          wanted_of(edge.kind));
  }
  if (waits > 1) why.summary += " and " + std::to_string(waits - 1) + " more";
  if (waits > edges_named_max) {
    why.details.push_back("and " + text::count(waits - edges_named_max, "more dependency edge"));
  }
  if (waits > 0) return;
  if (!execution.attempts.empty() && !execution.reason.empty()) {
    why.details.push_back(execution.reason);
  }
  if (const auto at = timers_.find({TimerKey::Kind::retry, id, 0})) {
    why.summary += " · next attempt in " + text::span(*at - now.mono) + ": " + execution.reason;
    return;
  }
  if (job.elements && job.spec.array->parallel_max != 0 &&
      job.elements->counts[JobState::running] >= job.spec.array->parallel_max) {
    why.summary += " · at most " + std::to_string(job.spec.array->parallel_max) +
                   " elements run at the same time";
    return;
  }
  if (storage_low_) {
    why.summary += " · nothing is started: the disk of the journal is nearly full";
    return;
  }
  if (!session_.subscribed()) {
    why.summary += " · the batch front end has no session with the master";
    if (!session_refusal_.empty()) why.summary += ": " + session_refusal_;
    return;
  }
  if (shape_.nodes.empty()) {
    why.summary += " · no agent is registered";
    return;
  }
  explain_nodes(job, now, why);
}

/// Which agents could take it now, and by how much the others are short.
void BatchCore::explain_nodes(const Job& job, librm::Now now, Why& why) const {
  std::size_t fitting = 0;
  struct Short {
    std::size_t count = 0;
    librm::Amount need;
    librm::Amount most;
  };
  std::map<std::string, Short> short_of;
  std::size_t others = 0;
  std::string other_reason;
  for (const NodeUsage& usage : node_usage()) {
    Why::Node node{usage.node->agent, usage.node->hostname, false, {}};
    bool is_short = false;
    if (!usage.node->reachable) {
      node.reason = usage.node->out_of_service.empty() ? "unreachable" : usage.node->out_of_service;
    } else if (!usage.node->out_of_service.empty()) {
      node.reason = usage.node->out_of_service;
    } else if (const auto different = mismatch(job.spec.constraints, job.spec.patterns,
                                               *options_.patterns, usage.node->attributes)) {
      node.reason = "constraint: needs " + *different;
    } else if (const auto lack = fits(job.spec.request, usage.free, job.spec.role)) {
      node.reason = to_string(*lack);
      Short& entry = short_of[lack->name];
      ++entry.count;
      entry.need = lack->need;
      entry.most = std::max(entry.most, lack->free);
      is_short = true;
    } else if (outlasts(job, usage.node->available_until, now)) {
      const librm::Duration left = *usage.node->available_until - now.wall;
      node.reason = left.ns > 0 ? "planned maintenance begins in " + text::span(left) +
                                      ", before its time limit would end it"
                                : "planned maintenance has begun";
    } else {
      node.fits = true;
      ++fitting;
    }
    if (!node.fits && !is_short) {
      ++others;
      if (other_reason.empty()) other_reason = node.reason;
    }
    why.nodes.push_back(std::move(node));
  }
  const std::size_t total = why.nodes.size();
  const std::size_t ahead = ready_.contains(job) ? ready_.ahead_of(job) : 0;
  std::vector<std::string> parts;
  parts.push_back(std::to_string(fitting) + " of " + text::count(total, "agent") +
                  (total == 1 && fitting == 1 ? " fits" : " fit"));
  for (const auto& [name, entry] : short_of) {
    parts.push_back(std::to_string(entry.count) + " short of " + name + ": need " +
                    to_string(entry.need) + ", most free " + to_string(entry.most));
  }
  if (others > 0) parts.push_back(std::to_string(others) + " not usable (" + other_reason + ")");
  std::string fit_line;
  for (const std::string& part : parts) fit_line += (fit_line.empty() ? "" : "; ") + part;
  why.summary += " · " + fit_line;
  if (ahead > 0) {
    const std::string turn = "waits for its turn: " + text::count(ahead, "job") +
                             " of higher priority or earlier " + (ahead == 1 ? "is" : "are") +
                             " ahead";
    why.summary += " · " + turn;
  } else if (fitting > 0) {
    why.summary += " · waits for an offer";
  }
}

}  // namespace batch
