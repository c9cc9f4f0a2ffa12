// Windows of maintenance, and the plan of a drain.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "librm/cluster/maintenance.hpp"

namespace librm {

namespace detail {

/// Spans come from frameworks and people: one that is too long means the end of time.
inline WallTime later(WallTime t, Duration span) {
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  if (span.ns <= 0) return t;
  return t.ns > last - span.ns ? WallTime{last} : t + span;
}

inline std::string seconds_text(Duration span) { return std::to_string(to_ms(span) / 1000) + " s"; }

inline Result<void> validate_window(const MaintenanceWindow& window, WallTime now) {
  // The same rules: both are words in command lines and messages.
  if (!validate_task_id(window.name)) {
    return fail(ErrorCode::invalid_argument,
                "window: name: 1 to 255 letters, digits, '.', '_' and '-', not beginning with '.' "
                "or '-'");
  }
  const std::string name = "window " + window.name + ": ";
  if (window.start.ns < 0) {
    return fail(ErrorCode::invalid_argument, name + "start: it is before 1970");
  }
  if (window.duration && window.duration->ns <= 0) {
    return fail(ErrorCode::invalid_argument, name + "duration: more than 0 s is needed, given " +
                                                 seconds_text(*window.duration));
  }
  const std::size_t members = window.agents.size() + window.hostnames.size();
  if (members == 0 || members > maintenance_members_max) {
    return fail(ErrorCode::invalid_argument,
                name + "agents: 1 to " + std::to_string(maintenance_members_max) +
                    " ids and host names, given " + std::to_string(members));
  }
  if (window.hostnames.count("") != 0) {
    return fail(ErrorCode::invalid_argument, name + "agents: a host name is empty");
  }
  if (window.reason.size() > maintenance_reason_bytes_max) {
    return fail(ErrorCode::invalid_argument,
                name + "reason: at most " + std::to_string(maintenance_reason_bytes_max) +
                    " bytes, given " + std::to_string(window.reason.size()));
  }
  if (is_over(window, now)) {
    return fail(ErrorCode::invalid_argument,
                name + "it ended " + seconds_text(now - window.start - *window.duration) + " ago");
  }
  return {};
}

}  // namespace detail

// --- windows ---

LIBRM_DECL Result<void> validate_windows(const std::vector<MaintenanceWindow>& windows,
                                         WallTime now) {
  if (windows.size() > maintenance_windows_max) {
    return fail(ErrorCode::invalid_argument,
                "schedule: at most " + std::to_string(maintenance_windows_max) +
                    " windows, given " + std::to_string(windows.size()));
  }
  std::set<std::string_view> names;
  for (const MaintenanceWindow& window : windows) {
    if (Result<void> valid = detail::validate_window(window, now); !valid) return valid;
    if (!names.insert(window.name).second) {
      return fail(ErrorCode::invalid_argument, "window " + window.name + ": it is given twice");
    }
  }
  return {};
}

LIBRM_DECL bool is_over(const MaintenanceWindow& window, WallTime now) {
  return window.duration && now - window.start >= *window.duration;
}

LIBRM_DECL bool concerns(const MaintenanceWindow& window, AgentId agent,
                         std::string_view hostname) {
  return window.agents.count(agent) != 0 || window.hostnames.count(std::string(hostname)) != 0;
}

LIBRM_DECL const MaintenanceWindow* next_window(const std::vector<MaintenanceWindow>& windows,
                                                AgentId agent, std::string_view hostname,
                                                WallTime now) {
  const MaintenanceWindow* next = nullptr;
  for (const MaintenanceWindow& window : windows) {
    if (is_over(window, now) || !concerns(window, agent, hostname)) continue;
    if (next == nullptr || window.start < next->start) next = &window;
  }
  return next;
}

// --- names ---

LIBRM_DECL const char* to_string(AgentService service) {
  switch (service) {
    case AgentService::normal:
      return "normal";
    case AgentService::cordoned:
      return "cordoned";
    case AgentService::draining:
      return "draining";
    case AgentService::drained:
      return "drained";
    case AgentService::down:
      return "down";
  }
  return "invalid";
}

LIBRM_DECL const char* to_string(DrainMode mode) {
  switch (mode) {
    case DrainMode::wait:
      return "wait";
    case DrainMode::requeue:
      return "requeue";
    case DrainMode::kill:
      return "kill";
  }
  return "invalid";
}

LIBRM_DECL std::optional<DrainMode> parse_drain_mode(std::string_view text) {
  for (const DrainMode mode : {DrainMode::wait, DrainMode::requeue, DrainMode::kill}) {
    if (text == to_string(mode)) return mode;
  }
  return std::nullopt;
}

LIBRM_DECL Result<void> validate_drain(const Drain& drain) {
  if (drain.grace && drain.grace->ns < 0) {
    return fail(ErrorCode::invalid_argument,
                "drain: grace: 0 s or more is needed, given " + detail::seconds_text(*drain.grace));
  }
  if (drain.deadline && drain.mode != DrainMode::wait) {
    return fail(ErrorCode::invalid_argument, std::string("drain: deadline: mode ") +
                                                 to_string(drain.mode) +
                                                 " kills at once; only mode wait has a deadline");
  }
  return {};
}

// --- the plan ---

LIBRM_DECL std::optional<WallTime> ends_by(const DrainSnapshot::Task& task, WallTime now) {
  std::optional<WallTime> end = task.release_by;
  if (task.time_limit) {
    // What has not started yet starts now, at best.
    const WallTime limit = detail::later(task.started.value_or(now), *task.time_limit);
    end = end ? std::min(*end, limit) : limit;
  }
  if (end) end = std::max(*end, now);
  return end;
}

namespace detail {

/// Adds what one task means to the plan; returns when it is gone at the latest, where that is
/// known.
inline std::optional<WallTime> plan_task(const DrainSnapshot::Agent& agent,
                                         const DrainSnapshot::Task& task, WallTime now,
                                         DrainPlan& plan) {
  const std::string name = "task " + task.id + " of " + task.framework_name + ": ";
  if (is_terminal(task.state)) {
    plan.blockers.push_back(name + "it has ended, and its framework has not acknowledged that");
    return std::nullopt;
  }
  const Drain& drain = agent.drain;
  const Duration grace = std::min(task.kill_grace, drain.grace.value_or(task.kill_grace));
  if (drain.mode != DrainMode::wait) {
    const TaskReason reason =
        drain.mode == DrainMode::kill ? TaskReason::killed_by_operator : TaskReason::agent_draining;
    plan.kills.push_back({agent.agent, task.framework, task.id, now, grace, reason});
    return later(now, grace);
  }
  std::optional<WallTime> gone = ends_by(task, now);
  if (gone) gone = later(*gone, task.kill_grace);
  if (drain.deadline) {
    const WallTime at = std::max(*drain.deadline, now);
    if (gone && *gone <= at) return gone;
    plan.kills.push_back(
        {agent.agent, task.framework, task.id, at, grace, TaskReason::agent_draining});
    return later(at, grace);
  }
  if (gone) return gone;
  plan.blockers.push_back(name + "no time limit; mode wait has no deadline");
  return std::nullopt;
}

inline void warn_of_window(const DrainSnapshot& snapshot, const DrainSnapshot::Agent& agent,
                           std::optional<WallTime> end, DrainPlan& plan) {
  const MaintenanceWindow* window =
      next_window(snapshot.windows, agent.agent, agent.hostname, snapshot.now);
  if (window == nullptr || (end && *end <= window->start)) return;
  const std::string name = "agent " + to_string(agent.agent) + ": ";
  const std::string begins =
      window->start <= snapshot.now
          ? "window " + window->name + " has begun"
          : "window " + window->name + " begins in " + seconds_text(window->start - snapshot.now);
  plan.blockers.push_back(name + begins +
                          (end ? ", the drain may take " + seconds_text(*end - snapshot.now)
                               : ", and when the drain ends is unknown"));
}

}  // namespace detail

LIBRM_DECL DrainPlan plan_drain(const DrainSnapshot& snapshot) {
  DrainPlan plan;
  plan.expected_end = snapshot.now;
  for (const DrainSnapshot::Agent& agent : snapshot.agents) {
    std::optional<WallTime> end = snapshot.now;
    if (!agent.there) {
      plan.blockers.push_back("agent " + to_string(agent.agent) + " (" + agent.hostname +
                              "): it is away; the drain takes effect on its return");
      end.reset();
    }
    for (const DrainSnapshot::Task& task : agent.tasks) {
      const std::optional<WallTime> gone = detail::plan_task(agent, task, snapshot.now, plan);
      end = end && gone ? std::optional(std::max(*end, *gone)) : std::nullopt;
    }
    if (!agent.tasks.empty() || !agent.there) detail::warn_of_window(snapshot, agent, end, plan);
    plan.expected_end =
        plan.expected_end && end ? std::optional(std::max(*plan.expected_end, *end)) : std::nullopt;
  }
  std::stable_sort(plan.kills.begin(), plan.kills.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return plan;
}

}  // namespace librm
