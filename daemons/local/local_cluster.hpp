// A whole cluster inside another program: master, batch front end and agents on one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "librm/base/amount.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::daemon {

struct LocalClusterOptions {
  std::uint32_t nodes = 1;  ///< 1..64, named node-1, node-2, ...
  /// Of each node; all hardware threads of this machine, at least 2, where empty: most of what is
  /// tried out waits.
  std::optional<Amount> cpus;
  std::optional<Amount> mem_mib;   ///< of each node; else this machine's memory, divided
  std::string topology;            ///< such as `pack:2 core:8`: emulated by each node
  std::string programs_directory;  ///< where rm-shepherd and rm-fetch are
  Duration start_timeout = seconds(30);
};

/// The same services as in rm-master and rm-agent, with their HTTP ports on 127.0.0.1. Tasks are
/// real processes, started by one rm-shepherd a node. State is in a temporary directory.
///
/// With one node its tasks are bound to hardware threads; several would all bind to the same.
///
/// Nothing outlives it: stop() kills tasks and shepherds, joins the thread and removes the
/// directory. If the process dies without it, the shepherds kill the tasks and end, and the next
/// cluster of this user removes the directory.
///
/// Its thread blocks all signals and calls nothing of its owner's. Any number may live in one
/// process; not to be used in a child after fork(). Members may be called from any thread.
class LocalCluster {
 public:
  /// Returns when every node is registered. Fails with invalid_argument for bad options, not_found
  /// without the programs, deadline_exceeded, or the reason of the service that did not start.
  static Result<std::unique_ptr<LocalCluster>> start(const LocalClusterOptions& options);
  ~LocalCluster();
  LocalCluster(const LocalCluster&) = delete;
  LocalCluster& operator=(const LocalCluster&) = delete;

  /// Of the master: `http://127.0.0.1:40123`.
  const std::string& url() const;
  /// Where state and sandboxes are until stop().
  const std::string& directory() const;
  /// Within seconds; does nothing when repeated. Fails where a service had ended before, or did
  /// not end cleanly; everything is gone all the same.
  Result<void> stop();

 private:
  struct Impl;
  explicit LocalCluster(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
