// The agent as a service in a process: core, journal, shepherd and sockets behind one object.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "agent/gc_plan.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/agent.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

struct AgentConfig {
  /// Of the master's cluster port; or the directory of a master on this host, whose address file
  /// is read anew at every reconnect, so that a master on another port is found.
  std::string master;
  std::string master_dir;
  std::string shepherd;                         ///< path of rm-shepherd
  std::uint64_t fetch_bytes_max = 16ull << 30;  ///< that one task may fetch, and unpack
  GcOptions gc;                                 ///< of ended tasks' sandboxes
  Duration gc_interval = seconds(60);
  bool kill_on_exit = false;  ///< else tasks and shepherd outlive the agent
  /// A shepherd that is started kills its tasks and ends when this process ends in any way: for a
  /// cluster inside another program.
  bool shepherd_ends_with_us = false;
  Duration kill_timeout = seconds(15);
  std::uint32_t snapshot_every = 50'000;  ///< records
  AgentOptions agent;  ///< `work_dir` is absolute; http_address is set by start()
};

/// Owns the core, its driver, the journal `<work_dir>/agent.db`, the link to the shepherd, the
/// session with the master and the executors' socket `<work_dir>/executor.sock`. The HTTP edge
/// reads the core through core().
///
/// Everything happens on the io_context's thread; views are valid until control goes back to the
/// loop. The io_context outlives it.
class AgentService {
 public:
  /// `on_end` is called once, with the exit code: after stop(), or when it cannot go on.
  AgentService(asio::io_context& io, AgentConfig config, std::function<void(int)> on_end);
  ~AgentService();
  AgentService(const AgentService&) = delete;
  AgentService& operator=(const AgentService&) = delete;

  /// Takes the directory, recovers, listens for executors, and begins to look for shepherd and
  /// master. Fails with already_exists where another agent has the directory. `http_address` is
  /// what the master is told.
  Result<void> start(const std::string& http_address);
  /// Ends tasks and shepherd if configured so, commits what was decided, then calls on_end(0).
  void stop();

  /// Started and not stopping. Says nothing about the master: see core().registered().
  bool ready() const;
  const std::string& http_address() const;

  /// Precondition: start() has succeeded.
  const AgentCore& core() const;
  Now now() const;

  /// Where the files `stdout` and `stderr` of this run are, whether or not they exist; empty where
  /// the id is not one that a task can have, so that no path leads out of the work directory.
  std::string sandbox(FrameworkId framework, const TaskId& task) const;
  /// Null where it is not live and everything about it was acknowledged, or it never was here.
  const AgentCore::Task* task(FrameworkId framework, const TaskId& task) const;

  /// Called after every turn of the core, when any view may have changed. Subscribing and
  /// unsubscribing from within a callback is allowed.
  std::uint64_t subscribe(std::function<void()> callback);
  void unsubscribe(std::uint64_t token);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
