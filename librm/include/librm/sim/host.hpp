// A simulated machine: its clocks, which drift and step, and whether it has power.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"

namespace librm::sim {

class Node;
class World;

/// Clocks run from the world's time: boot time with a constant drift, wall time with the same
/// drift and steps.
class Host {
 public:
  Host(World& world, std::uint64_t number, std::string name);

  std::uint64_t number() const { return number_; }
  const std::string& name() const { return name_; }
  bool up() const { return up_; }
  /// Changes with every boot.
  Incarnation incarnation() const { return {number_ * 1000 + boots_}; }

  Now now() const;
  /// The first world time at which the host's clock has reached this.
  Instant world_time(Instant mono) const;
  Instant world_time(WallTime wall) const;

  /// Parts in a million, at most a thousand. Before anything runs on the host.
  void set_drift(std::int64_t parts_per_million) { drift_ppm_ = parts_per_million; }
  void step_wall(Duration by);

  /// Power fails: every process ends, page caches are gone, connections die silently.
  void crash();
  /// Power is back: a new incarnation. Processes are started by whoever cares.
  void boot();

  void attach(Node& node) { nodes_.push_back(&node); }
  /// Called when the power fails, after the processes have ended: disks and tasks react.
  void on_crash(std::function<void()> callback) { on_crash_.push_back(std::move(callback)); }
  const std::vector<Node*>& nodes() const { return nodes_; }

 private:
  World& world_;
  std::uint64_t number_;
  std::string name_;
  std::uint64_t boots_ = 1;
  bool up_ = true;
  std::int64_t drift_ppm_ = 0;
  Instant booted_;
  Duration wall_offset_;
  std::vector<Node*> nodes_;
  std::vector<std::function<void()>> on_crash_;
};

}  // namespace librm::sim
