// A custom executor's session with its agent: takes tasks, reports their states until believed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/message.hpp"

namespace librm {

struct AgentConnected {
  ConnectionId connection;
};

/// What the executor's program says of a task: its state, message and data; the session fills in
/// the rest.
struct ReportTask {
  TaskId task;
  TaskState state = TaskState::running;
  std::string message;
  std::string data;
  std::optional<std::int32_t> exit_code;
};

struct SendToFramework {
  std::string data;
};

using ExecutorEvent =
    std::variant<Tick, AgentConnected, Received, Closed, ReportTask, SendToFramework>;

/// Connect to the agent's executor socket; answered by AgentConnected, or Closed on failure.
struct ConnectAgent {};

struct RunTask {
  TaskInfo task;
};

struct StopTask {
  TaskId task;
  Duration grace;
};

struct FrameworkData {
  std::string data;
};

/// End the process: shut down by the agent, or the agent stayed away for too long.
struct StopExecutor {
  std::string reason;
};

using ExecutorOutput =
    std::variant<ConnectAgent, Send, RunTask, StopTask, FrameworkData, StopExecutor>;
using ExecutorActions = std::vector<ExecutorOutput>;

struct ExecutorOptions {
  FrameworkId framework;
  ExecutorId executor;
  Duration reconnect_after = milliseconds(500);
  Duration recovery_timeout = seconds(900);  ///< without an agent it ends itself
};

/// Pure and not thread-safe, as all cores. A task that was launched twice is run once; updates
/// are kept until the agent acknowledges them and sent again after a reconnect.
class ExecutorCore {
 public:
  explicit ExecutorCore(ExecutorOptions options);

  void start(Now now, ExecutorActions& out);
  void step(Now now, const ExecutorEvent& event, ExecutorActions& out);
  Deadline next_deadline() const;

  const std::map<TaskId, TaskState>& tasks() const { return tasks_; }
  std::size_t unacknowledged() const { return unacknowledged_.size(); }

 private:
  void on_message(Now, const ExecutorSubscribed&, ExecutorActions&);
  void on_message(Now, const ExecutorLaunch&, ExecutorActions&);
  void on_message(Now, const ExecutorKill&, ExecutorActions&);
  void on_message(Now, const ExecutorShutdown&, ExecutorActions&);
  void on_message(Now, const AcknowledgeUpdates&, ExecutorActions&);
  void on_message(Now, const ExecutorMessage&, ExecutorActions&);

  ExecutorOptions options_;
  std::optional<ConnectionId> connection_;
  bool subscribed_ = false;
  AgentId agent_;
  Instant away_since_;
  std::optional<Instant> reconnect_at_;
  std::map<TaskId, TaskState> tasks_;  ///< every id that was ever launched here
  std::map<TaskId, StatusUpdate> unacknowledged_;
  std::map<TaskId, std::uint64_t> sequences_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/executor.ipp"
#endif
