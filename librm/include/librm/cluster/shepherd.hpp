// What an agent and its shepherd say to each other over their socket.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/task.hpp"

namespace librm {

/// A task of one framework. The shepherd starts a key at most once, ever.
struct TaskKey {
  FrameworkId framework;
  TaskId task;
  auto operator<=>(const TaskKey&) const = default;
};

// --- agent to shepherd ---

struct TaskStart {
  TaskKey key;
  Command command;
  /// The run's directory; it exists. stdout and stderr are appended to in it, and it is the
  /// working directory unless the command names another.
  std::string sandbox;
  std::vector<std::uint32_t>
      cpus;  ///< processors to bind it to, as the host counts them; empty: any
  bool operator==(const TaskStart&) const = default;
};

/// Starts what is new and is silent about keys that it knows.
struct StartTasks {
  std::vector<TaskStart> starts;
  bool operator==(const StartTasks&) const = default;
};

/// To the task's whole session. Keys that are not running are ignored.
struct SignalTask {
  TaskKey key;
  std::int32_t signal = 15;
  bool operator==(const SignalTask&) const = default;
};

/// The agent has the ends of these safely; the shepherd may forget how, not that.
struct ForgetTasks {
  std::vector<TaskKey> keys;
  bool operator==(const ForgetTasks&) const = default;
};

/// When a task is killed unless the agent says a later time before: it has no lease any more, and
/// elsewhere the task starts anew.
struct TaskFence {
  TaskKey key;
  Instant at;  ///< on the host's boot time
  bool operator==(const TaskFence&) const = default;
};

/// Sent again each time that the lease is extended, so that fences hold while the agent is down.
struct FenceTasks {
  std::vector<TaskFence> fences;
  bool operator==(const FenceTasks&) const = default;
};

/// TaskEnd::error of a task that the shepherd killed at its fence.
inline constexpr const char* fenced_error = "killed by its fence: the agent had no lease";

/// Goes on as this program unless it is this program already: the same process, with the same
/// children. The connection ends with it. Refused, and logged, where the program cannot.
struct UpgradeShepherd {
  std::string program;  ///< path
  bool operator==(const UpgradeShepherd&) const = default;
};

/// Kills everything that runs, then exits.
struct ShutdownShepherd {
  bool operator==(const ShutdownShepherd&) const = default;
};

// --- shepherd to agent ---

struct TaskProcess {
  TaskKey key;
  std::int64_t pid = 0;
  WallTime started;
  bool operator==(const TaskProcess&) const = default;
};

struct TaskEnd {
  TaskKey key;
  bool was_started = true;                ///< false: `error` says why it could not be
  std::optional<std::int32_t> exit_code;  ///< neither this nor signal: ended, how is unknown
  std::optional<std::int32_t> signal;
  std::string error;
  std::optional<WallTime> started;
  WallTime ended;
  Duration cpu_time;
  std::int64_t rss_max_bytes = 0;
  bool operator==(const TaskEnd&) const = default;
};

/// The first message on every connection: all that the shepherd has not forgotten.
struct ShepherdState {
  std::int64_t pid = 0;
  std::vector<TaskProcess> running;
  std::vector<TaskEnd> ended;
  bool operator==(const ShepherdState&) const = default;
};

/// Starts and ends since the last one. A task that is already over is in `ended` only.
struct TaskProgress {
  std::vector<TaskProcess> started;
  std::vector<TaskEnd> ended;
  bool operator==(const TaskProgress&) const = default;
};

using ShepherdMessage = std::variant<StartTasks, SignalTask, ForgetTasks, ShutdownShepherd,
                                     ShepherdState, TaskProgress, FenceTasks, UpgradeShepherd>;

}  // namespace librm
