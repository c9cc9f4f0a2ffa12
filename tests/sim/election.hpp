// Which candidate leads: what an ensemble of servers on the hosts themselves makes of it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "cluster_node.hpp"
#include "librm/base/time.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/world.hpp"

namespace rm_sim {

/// A server on each host, and one candidate. Who reaches most hosts, and runs, keeps its session; a
/// leader ends on its own two thirds of a session after it was last confirmed; where the session is
/// over another one that reaches most hosts begins to lead, whatever the old one does.
class Election {
 public:
  Election(librm::sim::World& world, std::vector<ClusterNode*> candidates, librm::Duration session);

  void start() { tick(); }
  /// Whom a process on this host believes to lead: old news where it cannot reach most hosts.
  ClusterNode* known_at(const librm::sim::Host& host) const;
  bool reaches_most(const librm::sim::Host& host) const;
  /// Somebody could lead now, and the hosts that most of them reach are known to run.
  bool possible() const;
  /// The ensemble forgets the leader's session while it lives on.
  void expire() { confirmed_ = librm::Instant{} - session_; }

 private:
  bool ready(std::size_t candidate) const;
  void tick();
  void end_deposed();

  librm::sim::World& world_;
  std::vector<ClusterNode*> candidates_;
  librm::Duration session_;
  std::size_t holder_ = none;
  std::uint64_t life_ = 0;                       ///< of the holder's process
  librm::Instant confirmed_;                     ///< the holder's session, last
  std::vector<librm::Instant> back_at_;          ///< when a process that ended stands again
  std::map<std::uint64_t, ClusterNode*> known_;  ///< by host number

  static constexpr std::size_t none = static_cast<std::size_t>(-1);
};

}  // namespace rm_sim
