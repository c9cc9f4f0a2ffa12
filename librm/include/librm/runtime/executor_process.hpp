// A custom executor's side of the agent's socket: ExecutorCore on an Asio loop, for programs.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/executor.hpp"

namespace asio {
class io_context;
}

namespace librm {

/// What the agent tells an executor that it starts, in environment variables.
struct ExecutorEnvironment {
  FrameworkId framework;  ///< RM_FRAMEWORK_ID
  ExecutorId executor;    ///< RM_EXECUTOR_ID
  std::string socket;     ///< RM_EXECUTOR_SOCKET
  std::string sandbox;    ///< RM_SANDBOX: all tasks of this process share it
};

/// Fails with failed_precondition where a variable is missing: the agent did not start this.
Result<ExecutorEnvironment> read_executor_environment();

/// Connects to the agent, again whenever it was restarted, and passes on what it wants. Tasks live
/// wherever the program likes: threads, coroutines, children.
///
/// Used on the io_context's thread, which its owner runs and which outlives it. Calls are allowed
/// from within callbacks.
class ExecutorProcess {
 public:
  struct Callbacks {
    /// Start it, then report(): `running`, and in the end `finished`, `failed` or `killed`. The
    /// same id never comes twice.
    std::function<void(const TaskInfo&)> on_run;
    /// End it within `grace` and report() `killed`; the agent does not enforce it.
    std::function<void(const TaskId&, Duration grace)> on_stop;
    /// From the framework's scheduler; best effort.
    std::function<void(const std::string& data)> on_message;
    /// Once, and the last call: everything was reported and acknowledged, or there is nobody left
    /// to report to. The program should end; it may destroy the ExecutorProcess here.
    std::function<void(const std::string& reason)> on_end;
  };

  ExecutorProcess(asio::io_context& io, const ExecutorEnvironment& environment,
                  Callbacks callbacks);
  ~ExecutorProcess();
  ExecutorProcess(const ExecutorProcess&) = delete;
  ExecutorProcess& operator=(const ExecutorProcess&) = delete;

  void start();
  /// Kept and repeated until the agent has it.
  void report(ReportTask report);
  /// To the framework's scheduler; lost where there is no agent.
  void send(std::string data);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace librm
