// Why a job waits, in words and amounts; computed when somebody asks.
#include <algorithm>
#include <map>
#include <utility>

#include "batch/batch.hpp"
#include "edges.hpp"
#include "librm/resource/fits.hpp"
#include "placement.hpp"
#include "text.hpp"

namespace batch {

namespace {

constexpr std::size_t edges_named_max = 20;

std::string place_of(const Attempt& attempt) {
  return to_string(attempt.agent) + " (" + attempt.hostname + ")";
}

std::string describe_running(const Job& job, librm::Now now) {
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
      break;
    default:
      text = "running " + text::span(now.wall - attempt.latest.started.value_or(attempt.launched)) +
             " on " + place_of(attempt);
  }
  if (job.cancel_requested) text += " · is being cancelled: " + job.reason;
  return text;
}

std::string describe_ended(const Job& job, librm::Now now) {
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
  for (const JobId id : with_live_attempts_) {
    for (const Attempt& attempt : jobs_.at(id).attempts) {
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
  Why why;
  why.job = job.id;
  why.state = job.state;
  if (is_terminal(job.state)) {
    why.summary = describe_ended(job, now);
  } else if (job.state == JobState::running) {
    why.summary = describe_running(job, now);
    if (job.attempts.back().latest.state == librm::TaskState::unreachable) {
      why.details.push_back(std::string("policy '") + to_string(job.spec.lost) + "': " +
                            (job.spec.lost == LostPolicy::fence
                                 ? "started anew when its fence has surely killed it"
                                 : "no new attempt before this one is known to be over"));
    }
  } else {
    why.summary = std::string(to_string(job.state)) + " " + text::span(now.wall - job.submitted);
    if (job.state == JobState::held) {
      why.summary += " · " + (job.reason.empty() ? "held" : job.reason);
    } else {
      explain_waiting(job, now, why);
    }
  }
  if (job.state != JobState::running && !job.attempts.empty()) {
    const Attempt& last = job.attempts.back();
    why.details.push_back("attempt " + std::to_string(last.attempt) + " on " + place_of(last) +
                          ": " + text::end_of(last.latest));
  }
  return why;
}

/// Adds to the summary of a pending job what it waits for first.
void BatchCore::explain_waiting(const Job& job, librm::Now now, Why& why) const {
  std::size_t waits = 0;
  for (const Edge& edge : job.edges) {
    if (edge.state != EdgeState::pending) continue;
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
  if (!job.attempts.empty() && !job.reason.empty()) why.details.push_back(job.reason);
  if (const auto at = timers_.find({TimerKey::Kind::retry, job.id, 0})) {
    why.summary += " · next attempt in " + text::span(*at - now.mono) + ": " + job.reason;
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
  explain_nodes(job, why);
}

/// Which agents could take it now, and by how much the others are short.
void BatchCore::explain_nodes(const Job& job, Why& why) const {
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
    if (!usage.node->reachable) {
      node.reason = "unreachable";
    } else if (const auto different = mismatch(job.spec.constraints, job.spec.patterns,
                                               *options_.patterns, usage.node->attributes)) {
      node.reason = "constraint: needs " + *different;
    } else if (const auto lack = fits(job.spec.request, usage.free, job.spec.role)) {
      node.reason = to_string(*lack);
      Short& entry = short_of[lack->name];
      ++entry.count;
      entry.need = lack->need;
      entry.most = std::max(entry.most, lack->free);
    } else {
      node.fits = true;
      ++fitting;
    }
    if (!node.fits && (!usage.node->reachable || node.reason.rfind("constraint", 0) == 0)) {
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
