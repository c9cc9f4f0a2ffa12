// Taking agents out of service: windows of unavailability, drains, and the plan of a drain.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/task.hpp"

// Values and functions of values: no state, no clock, no I/O. MasterCore carries out what is
// planned here, and `rmctl node drain --dry-run` shows it.

namespace librm {

// --- windows ---

/// A planned unavailability of some agents, known before it begins.
struct MaintenanceWindow {
  std::string name;  ///< unique in the schedule; as a task's id: 1..255 of `[A-Za-z0-9._-]`
  WallTime start;
  std::optional<Duration> duration;  ///< more than 0; empty: until the window is removed
  std::set<AgentId> agents;
  std::set<std::string> hostnames;  ///< of agents that are there, or come later
  std::string reason;               ///< at most maintenance_reason_bytes_max
  bool operator==(const MaintenanceWindow&) const = default;
};

inline constexpr std::size_t maintenance_windows_max = 1000;
inline constexpr std::size_t maintenance_members_max = 100'000;  ///< agents and host names of one
inline constexpr std::size_t maintenance_reason_bytes_max = 1024;

/// Names the window and the field: `window kernel: duration: more than 0 s is needed, given 0 s`.
/// A window that is over at `now` is refused, too.
LIBRM_DECL Result<void> validate_windows(const std::vector<MaintenanceWindow>& windows,
                                         WallTime now);

/// Its end has come; never of one without a duration.
LIBRM_DECL bool is_over(const MaintenanceWindow& window, WallTime now);

LIBRM_DECL bool concerns(const MaintenanceWindow& window, AgentId agent, std::string_view hostname);

/// The window of this agent that begins first among those that are not over; nullptr: none. The
/// pointer is into `windows`.
LIBRM_DECL const MaintenanceWindow* next_window(const std::vector<MaintenanceWindow>& windows,
                                                AgentId agent, std::string_view hostname,
                                                WallTime now);

// --- drains ---

/// What an operator made of an agent. Numbers are on disk: never change them.
enum class AgentService : std::uint8_t {
  normal = 1,
  cordoned = 2,  ///< not offered; what runs goes on
  draining = 3,  ///< not offered; what runs comes to an end, see Drain
  drained = 4,   ///< not offered; nothing runs there, and no news of a task is owed
  down = 5,      ///< not taken in until it is up again
};
LIBRM_DECL const char* to_string(AgentService service);

enum class DrainMode : std::uint8_t {
  wait = 1,     ///< what runs may finish; at the deadline the rest is killed, to start elsewhere
  requeue = 2,  ///< all is killed now, to start elsewhere: no retry is consumed
  kill = 3,     ///< all is killed now, and that is its end: as if it had failed
};
LIBRM_DECL const char* to_string(DrainMode mode);
/// Empty where the text is none of `wait`, `requeue` and `kill`.
LIBRM_DECL std::optional<DrainMode> parse_drain_mode(std::string_view text);

struct Drain {
  DrainMode mode = DrainMode::wait;
  std::optional<Duration> grace;     ///< cap on each task's kill_grace; 0 or more
  std::optional<WallTime> deadline;  ///< of mode wait: when the rest is killed
  bool operator==(const Drain&) const = default;
};
LIBRM_DECL Result<void> validate_drain(const Drain& drain);

// --- the plan of a drain ---

/// All that a plan is made of.
struct DrainSnapshot {
  struct Task {
    FrameworkId framework;
    std::string framework_name;
    TaskId id;
    TaskState state = TaskState::running;
    std::optional<WallTime> started;
    std::optional<Duration> time_limit;
    std::optional<WallTime> release_by;
    Duration kill_grace;
  };
  struct Agent {
    AgentId agent;
    std::string hostname;
    bool there = true;  ///< in a session: only then what runs there is known, and can be killed
    Drain drain;
    std::vector<Task> tasks;
  };
  std::vector<Agent> agents;
  std::vector<MaintenanceWindow> windows;
  WallTime now;
};

struct DrainPlan {
  /// SIGTERM at `at`, SIGKILL `grace` later.
  struct Kill {
    AgentId agent;
    FrameworkId framework;
    TaskId task;
    WallTime at;
    Duration grace;
    TaskReason reason = TaskReason::agent_draining;
    bool operator==(const Kill&) const = default;
  };
  std::vector<Kill> kills;               ///< by time, then in the order of the snapshot
  std::optional<WallTime> expected_end;  ///< when nothing is left, at the latest; empty: unknown
  /// What keeps the drain from a known end, or makes it late; a line each, in the order of the
  /// snapshot: `task 42.1.1 of batch: no time limit; mode wait has no deadline`.
  std::vector<std::string> blockers;
};

/// What draining these agents means. Of a task that has ended there is nothing to kill: the drain
/// waits until its framework has acknowledged the end.
LIBRM_DECL DrainPlan plan_drain(const DrainSnapshot& snapshot);

/// When the task ends by itself at the latest, as far as it says: by its time limit or release_by.
LIBRM_DECL std::optional<WallTime> ends_by(const DrainSnapshot::Task& task, WallTime now);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/maintenance.ipp"
#endif
