// Faults that compose: what breaks, how often, for how long; and the end of all of it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "librm/base/time.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"
#include "librm/sim/node.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {

/// Mean times between two faults of a kind, over the whole world; none where zero.
struct FaultRates {
  Duration process_crash;
  Duration host_crash;
  Duration stall;
  Duration partition;
  Duration clog;
  Duration swizzle;
  Duration wall_step;
  Duration down_max = seconds(20);        ///< of a process
  Duration host_down_max = seconds(120);  ///< of a host
  Duration partition_max = seconds(60);
  Duration stall_max = seconds(20);
  NetworkOptions network;  ///< until stop()
};

/// Hosts that run nothing important need not be given. Everything that was broken is whole again
/// after stop(), at once.
class Faults {
 public:
  explicit Faults(World& world, FaultRates rates) : world_(world), rates_(rates) {}

  /// May crash and stall; started again by `restart` (Node::start() where none is given).
  void add_process(Node& node, std::function<void()> restart = nullptr);
  /// May lose power; its processes are started by `restart` after it has booted.
  void add_host(Host& host, std::function<void()> restart);
  /// May be cut off from the others.
  void add_to_network(Host& host) { cables_.push_back(&host); }

  void start();
  void stop();
  bool active() const { return active_; }
  std::uint64_t count() const { return count_; }
  const std::map<std::string, std::uint64_t>& kinds() const { return kinds_; }
  /// One that somebody else did counts, too.
  void counted(const std::string& kind) {
    ++count_;
    ++kinds_[kind];
  }

 private:
  struct Process {
    Node* node;
    std::function<void()> restart;
  };
  struct Machine {
    Host* host;
    std::function<void()> restart;
  };

  void repeat(const char* kind, Duration mean, void (Faults::*fault)());
  void crash_process();
  void crash_host();
  void stall();
  void partition();
  void clog();
  void swizzle();
  void clog_host(Host& host, Duration extra);
  void step_wall();

  World& world_;
  FaultRates rates_;
  std::vector<Process> processes_;
  std::vector<Machine> machines_;
  std::vector<Host*> cables_;
  bool active_ = false;
  std::uint64_t count_ = 0;
  std::map<std::string, std::uint64_t> kinds_;
};

}  // namespace librm::sim
