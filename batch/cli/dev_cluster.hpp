// A cluster of processes on this machine, kept alive until it is told to stop.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "dev_process.hpp"
#include "librm/base/result.hpp"
#include "verb.hpp"

namespace batch::cli {

struct DevOptions {
  unsigned nodes = 4;
  unsigned port = 5050;
  std::optional<double> cpus;  ///< of each node
  std::string mem;             ///< of each node
  std::string work_dir;        ///< kept, where one is given
  bool no_restart = false;
};

class DevCluster {
 public:
  DevCluster(const Context& context, DevOptions options);
  ~DevCluster();
  DevCluster(const DevCluster&) = delete;
  DevCluster& operator=(const DevCluster&) = delete;

  /// Starts everything and waits until each node is registered.
  librm::Result<void> start();
  /// Until the command ends, or a signal where there is none. Returns the exit code.
  librm::Result<int> run(const std::vector<std::string>& command);
  /// Ends agents, then what they left, then the master; safe to repeat.
  void stop();

  std::string address() const { return master_address_; }
  const std::string& directory() const { return directory_; }
  /// `2 cpus, 3.9G`.
  std::string node_size() const;

 private:
  librm::Result<void> prepare();
  librm::Result<void> make_directory();
  librm::Result<void> start_until_ready(std::size_t first, std::size_t last);
  /// Until so many nodes are connected.
  librm::Result<void> wait_registered(unsigned count);
  void wait_events(int timeout_ms);
  void on_signal();
  void reap();
  librm::Result<void> on_daemon_end(Daemon& daemon);
  void end_daemons(std::size_t first, std::size_t last);
  void end_orphans();
  std::string resources_of(unsigned index) const;

  const Context& context_;
  DevOptions options_;
  std::string directory_;
  std::string bin_;
  bool temporary_ = false;
  int lock_ = -1;
  int signals_ = -1;
  std::deque<Daemon> daemons_;  ///< the master first
  std::string master_address_;
  double node_cpus_ = 0;
  double node_mem_mib_ = 0;
  double node_disk_mib_ = 0;
  pid_t command_ = -1;
  int command_status_ = 0;
  int stop_signal_ = 0;  ///< the signal that asks us to end
  int stop_count_ = 0;
  bool stopping_ = false;
  std::optional<librm::Error> broken_;
};

}  // namespace batch::cli
