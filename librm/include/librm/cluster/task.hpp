// Tasks: what a framework launches, the states it goes through, and what is reported of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// The states of Mesos' partition-aware frameworks. Numbers are on the wire: never change them.
enum class TaskState : std::uint8_t {
  staging = 1,   ///< accepted by the master, not yet known to run
  starting = 2,  ///< a custom executor prepares it
  running = 3,
  killing = 4,       ///< asked to end, inside its grace
  finished = 5,      ///< exit code 0
  failed = 6,        ///< another exit code, a signal of its own, or it could not be started
  killed = 7,        ///< ended because it was asked to
  error = 8,         ///< the launch itself was invalid
  lost = 9,          ///< it ran, it has ended, and how is unknown
  dropped = 10,      ///< it never started and never will
  unreachable = 11,  ///< its agent is, and its lease over; it may still run
  gone = 12,         ///< it ran on an incarnation that is proven dead
  gone_by_operator = 13,
  unknown = 14,  ///< nobody knows this task
};

/// Terminal states never change again, and the task's resources are free.
constexpr bool is_terminal(TaskState state) {
  switch (state) {
    case TaskState::finished:
    case TaskState::failed:
    case TaskState::killed:
    case TaskState::error:
    case TaskState::lost:
    case TaskState::dropped:
    case TaskState::gone:
    case TaskState::gone_by_operator:
      return true;
    default:
      return false;
  }
}

/// `TASK_RUNNING` is `running` here, in JSON and in the CLI.
LIBRM_DECL const char* to_string(TaskState state);

enum class UpdateSource : std::uint8_t { master = 1, agent = 2, executor = 3 };

/// Why a task is in its state; the message has the amounts. Numbers never change.
enum class TaskReason : std::uint8_t {
  none = 0,
  command_failed = 1,  ///< exit code or signal of its own
  launch_failed = 2,   ///< the process could not be started
  time_limit_reached = 3,
  memory_limit = 4,
  disk_limit = 5,
  killed_by_framework = 6,
  killed_during_launch = 7,
  framework_removed = 8,
  invalid_task = 9,
  invalid_offers = 10,
  agent_unreachable = 11,
  agent_restarted = 12,  ///< the host booted since; what ran has ended
  agent_removed = 13,
  agent_removed_by_operator = 14,
  agent_draining = 15,
  lease_expired = 16,      ///< the agent may not start tasks without a valid lease
  stale_incarnation = 17,  ///< the launch was for an earlier boot
  duplicate_task = 18,     ///< this id was used before
  resources_unavailable = 19,
  exit_status_unknown = 20,  ///< the shepherd that would have reaped it was lost
  executor_terminated = 21,
  executor_registration_timeout = 22,
  reconciliation = 23,  ///< answers a question; nothing happened
  preempted = 24,
  release_by_reached = 25,
  fetch_failed = 26,        ///< a file that the command needs could not be had
  killed_by_operator = 27,  ///< a drain in mode kill; not to be started elsewhere
};
LIBRM_DECL const char* to_string(TaskReason reason);

/// A file that is fetched into the sandbox before the command starts.
struct Fetch {
  std::string uri;          ///< http, https, ftp or file; an absolute path is a file
  std::string output_file;  ///< below the sandbox; empty: the last segment of the URI's path
  bool extract = true;      ///< unpack it there where its name is an archive's
  bool executable = false;  ///< may be executed; never unpacked then
  bool operator==(const Fetch&) const = default;
};

struct Command {
  bool shell = true;                   ///< run `value` with /bin/sh -c, else exec it directly
  std::string value;                   ///< the shell text, or the program's path or name
  std::vector<std::string> arguments;  ///< argv[1..] when not shell
  std::map<std::string, std::string> environment;
  std::string working_directory;  ///< empty: the sandbox
  std::string user;               ///< empty: the agent's own
  std::vector<Fetch> fetch;       ///< in this order; one that fails is the task's failure
  bool operator==(const Command&) const = default;
};

/// A process that runs several tasks of a framework and speaks the executor protocol.
struct ExecutorInfo {
  ExecutorId id;
  Command command;
  Resources resources;
  std::string data;
  bool operator==(const ExecutorInfo&) const = default;
};

struct TaskInfo {
  TaskId id;
  std::string name;
  std::string role = std::string(any_role);  ///< whose share it counts against
  Resources resources;
  Command command;
  std::optional<ExecutorInfo> executor;  ///< empty: the command itself is the task
  std::string data;                      ///< for the executor
  Duration kill_grace = seconds(3);      ///< from SIGTERM to SIGKILL
  std::optional<Duration> time_limit;    ///< then killed with time_limit_reached
  std::optional<Duration> fence_after;   ///< killed this long after the agent's last lease
  /// The task has let go of its resources by then, by the master's clock; the agent counts the time
  /// that is left on its own. It tells the task to end its grace earlier, and kills it then. A
  /// custom executor is told, and trusted.
  std::optional<WallTime> release_by;
  std::map<std::string, std::string> labels;
  bool operator==(const TaskInfo&) const = default;
};

/// Ids are file names and words in messages: 1..255 bytes of `[A-Za-z0-9._-]`, not starting with
/// a dot or a dash.
LIBRM_DECL Result<void> validate_task_id(const TaskId& id);

/// Text that a task carries: names, command, environment, data, labels. At most task_bytes_max.
LIBRM_DECL std::size_t text_bytes(const TaskInfo& info);
inline constexpr std::size_t task_bytes_max = 1 << 20;

/// One change of a task's state. Delivered at least once, until acknowledged with `sequence`;
/// a newer update of the same task supersedes an older one that was not delivered yet.
struct StatusUpdate {
  FrameworkId framework;
  TaskId task;
  AgentId agent;
  TaskState state = TaskState::staging;
  TaskReason reason = TaskReason::none;
  UpdateSource source = UpdateSource::agent;
  std::string message;
  /// Counts the task's updates from 1. 0: made by the master, needs no acknowledgement.
  std::uint64_t sequence = 0;
  std::optional<std::int32_t> exit_code;  ///< 0..255
  std::optional<std::int32_t> signal;     ///< that ended it
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
  std::optional<Duration> cpu_time;  ///< user and system, of the task and its children
  std::optional<std::int64_t> rss_max_bytes;
  std::string data;  ///< from a custom executor
  bool operator==(const StatusUpdate&) const = default;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/task.ipp"
#endif
