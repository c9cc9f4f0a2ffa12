// Runs whose agent is unreachable: when they start anew, and when so many agents are away that
// nothing does.
#include <algorithm>
#include <set>
#include <utility>

#include "batch/batch.hpp"
#include "change.hpp"

namespace batch {
namespace {

using librm::TaskReason;
using librm::TaskState;

/// Added to a fence: the drift of two clocks over its length, and the time that signals take.
constexpr librm::Duration fence_margin = librm::seconds(10);
constexpr std::int64_t fence_drift_divisor = 100;

/// Fewer are no sign of anything but themselves.
constexpr std::size_t unreachable_nodes_min = 3;

std::set<librm::AgentId> reachable_of(const ClusterShape& shape) {
  std::set<librm::AgentId> agents;
  for (const ClusterShape::Node& node : shape.nodes) {
    if (node.reachable) agents.insert(node.agent);
  }
  return agents;
}

}  // namespace

std::optional<std::string> pause_of_rescheduling(const ClusterShape& shape, std::uint32_t percent) {
  std::size_t known = 0;
  std::size_t unreachable = 0;
  for (const ClusterShape::Node& node : shape.nodes) {
    if (node.down) continue;
    ++known;
    if (!node.reachable || node.silent) ++unreachable;
  }
  if (unreachable < unreachable_nodes_min || unreachable * 100 <= known * percent) {
    return std::nullopt;
  }
  return "rescheduling is paused: " + std::to_string(unreachable) + " of " + std::to_string(known) +
         " agents are unreachable, limit " + std::to_string(percent) + " %";
}

void BatchCore::on_unreachable(librm::Now now, const Element& element, const Attempt& attempt,
                               BatchActions& out) {
  Execution& execution = element.execution;
  const JobSpec& spec = element.job.spec;
  if (is_terminal(execution.state)) return;
  const std::string reason = "agent " + to_string(attempt.agent) + " is unreachable";
  trace(attempt.latest.task, reason);
  if (spec.lost == LostPolicy::rerun) {
    to_reschedule_.insert({TimerKey::Kind::rerun, element.id(), attempt.attempt});
  }
  if (spec.lost == LostPolicy::fence && spec.fence_after) {
    // The agent's lease had ended before the master gave it up, so its own count began earlier.
    const librm::Duration bound = *spec.fence_after;
    timers_.set({TimerKey::Kind::fence, element.id(), attempt.attempt},
                now.mono + bound + bound / fence_drift_divisor + spec.kill_grace + fence_margin);
  }
  if (!execution.cancel_requested && execution.state == JobState::running) {
    execution.reason = reason;
  }
  announce(element.id(), execution, out);
}

void BatchCore::forget_reschedule(const ElementId& id, std::uint32_t attempt) {
  timers_.clear({TimerKey::Kind::fence, id, attempt});
  for (const auto kind : {TimerKey::Kind::fence, TimerKey::Kind::rerun}) {
    to_reschedule_.erase({kind, id, attempt});
    paused_.erase({kind, id, attempt});
  }
}

void BatchCore::on_shape(const ClusterShape& shape) {
  if (attempts_before_ > 0) {
    const std::set<librm::AgentId> before = reachable_of(shape_);
    const std::set<librm::AgentId> after = reachable_of(shape);
    agents_came_ |= !std::includes(before.begin(), before.end(), after.begin(), after.end());
  }
  shape_ = shape;
  std::optional<std::string> pause = pause_of_rescheduling(shape, options_.pause_percent);
  if (pause.has_value() != rescheduling_pause_.has_value()) {
    trace("batch", pause ? *pause : "rescheduling goes on");
  }
  rescheduling_pause_ = std::move(pause);
  if (!rescheduling_pause_) to_reschedule_.merge(paused_);
}

/// In flush(), when all that became unreachable at once is known to have.
void BatchCore::reschedule(librm::Now now, BatchActions& out) {
  for (const TimerKey& key : std::exchange(to_reschedule_, {})) {
    const auto element = find_element(key.element);
    if (!element) continue;
    Execution& execution = element->execution;
    const Attempt* attempt = find_attempt(execution, execution.run, key.attempt);
    if (attempt == nullptr || attempt->latest.state != TaskState::unreachable) continue;
    if (rescheduling_pause_ && execution.state == JobState::running &&
        !execution.cancel_requested) {
      paused_.insert(key);
      execution.reason =
          "agent " + to_string(attempt->agent) + " is unreachable; rescheduling is paused";
      announce(element->id(), execution, out);
    } else if (key.kind == TimerKey::Kind::fence) {
      end_fenced(now, *element, *attempt, out);
    } else {
      rerun(now, *element, *attempt, out);
    }
  }
}

void BatchCore::rerun(librm::Now now, const Element& element, const Attempt& attempt,
                      BatchActions& out) {
  const Execution& execution = element.execution;
  const bool alone =
      std::none_of(execution.attempts.begin(), execution.attempts.end(), [](const Attempt& a) {
        return !is_terminal(a.latest.state) && a.latest.state != TaskState::unreachable;
      });
  if (!alone || execution.state != JobState::running || execution.cancel_requested) return;
  JobChangeRecord record = change_record(element.id(), execution);
  record.state = JobState::pending;
  record.reason =
      "agent " + to_string(attempt.agent) + " is unreachable; launched anew by policy 'rerun'";
  change(now, std::move(record), out);
}

void BatchCore::end_fenced(librm::Now now, const Element& element, const Attempt& attempt,
                           BatchActions& out) {
  Attempt ended = attempt;
  ended.latest.state = TaskState::gone;
  ended.latest.reason = TaskReason::agent_unreachable;
  ended.latest.sequence = 0;
  ended.latest.message =
      "agent " + to_string(ended.agent) + " is unreachable, its fence has killed the task by now";
  on_end(now, element, std::move(ended), out);
}

}  // namespace batch
