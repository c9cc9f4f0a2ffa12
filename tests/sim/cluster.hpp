// A whole simulated cluster for one seed: trouble first, then it heals and must come to rest.
#pragma once

#include <cstdint>
#include <cstdio>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client.hpp"
#include "cluster_node.hpp"
#include "election.hpp"
#include "librm/sim/agent_node.hpp"
#include "librm/sim/disk.hpp"
#include "librm/sim/faults.hpp"
#include "librm/sim/shepherd.hpp"
#include "librm/sim/workload.hpp"
#include "librm/sim/world.hpp"
#include "oracle.hpp"
#include "scenario.hpp"
#include "targets.hpp"

namespace rm_sim {

struct Outcome {
  std::vector<std::string> violations;  ///< none: all is well
  std::uint64_t trace_hash = 0;
  librm::Duration time;     ///< simulated
  librm::Duration healing;  ///< from the end of trouble until rest
  std::uint64_t steps = 0;
  std::map<std::string, std::uint64_t> marks;
  std::uint64_t leader_commits = 0;
  std::uint64_t agent_commits = 0;
  std::vector<std::string> unmet;  ///< targets that were excused, and why
};

/// Two machines for masters share one journal; each agent has a machine of its own. Or candidates
/// run on the agents' machines, and the journal on one that all of them always reach.
class Cluster {
 public:
  Cluster(const Scenario& scenario, std::uint64_t seed, std::FILE* trace);
  Outcome run();

 private:
  struct Agent {
    librm::sim::Host* host = nullptr;
    std::unique_ptr<librm::sim::Disk> disk;
    librm::sim::Shepherd* shepherd = nullptr;
    librm::sim::AgentNode* node = nullptr;
  };
  struct Framework {
    std::unique_ptr<librm::sim::Disk> disk;
    librm::sim::WorkloadNode* node = nullptr;
  };

  void build_masters();
  void build_master(librm::sim::Host& host);
  void build_agents();
  void build_frameworks();
  void take(const batch::BatchOutput& output);
  librm::sim::TaskBehaviour draw_behaviour(librm::Prng& random,
                                           const librm::TaskStart& start) const;

  // What people and init systems do.
  void crash_soon(librm::sim::Node* node);
  ClusterNode* leader() const;
  librm::sim::Node* find_master(const librm::sim::Host& from);
  ClusterNode* find_front_end();
  void ensure_leader();
  void supervise();
  void fail_over();
  void give_up_agent();
  void break_disk();
  void fill_disk();
  void maintain();
  void plan_window(ClusterNode& node);
  void end_maintenance(ClusterNode& node);
  void change_roles();
  void change_quota(ClusterNode& node);
  void change_reservation(ClusterNode& node);
  void end_roles(ClusterNode& node);
  void repeat(librm::Duration mean, void (Cluster::*action)());

  // What the scenario wants done to it.
  void plan(const Deed& deed);
  void perform(const Deed& deed);
  void part(const Deed& deed);
  Agent& pick_agent(const Deed& deed);
  librm::sim::Node* pick_process(const Deed& deed);
  librm::sim::Host& pick_host(const Deed& deed);
  std::vector<librm::sim::Host*> machines() const;

  void heal();
  bool heal_group();
  void upgrade_all();
  std::string unconverged(const std::vector<const Agent*>& group) const;
  /// Empty where nothing is left to do; else the first thing that is.
  std::string unfinished() const;
  std::string unfinished_agent(const Agent& agent) const;
  std::string unfinished_master(const librm::MasterCore& master) const;
  bool come_to_rest();
  void stay_at_rest();
  void release_held();
  std::uint64_t turns() const;

  Scenario scenario_;
  librm::sim::World world_;
  librm::sim::TaskLog log_;
  Oracle oracle_;
  librm::sim::Faults faults_;
  std::unique_ptr<librm::sim::Disk> journal_;
  std::vector<ClusterNode*> masters_;
  std::deque<Agent> agents_;
  std::deque<Framework> frameworks_;
  std::unique_ptr<Election> election_;  ///< among candidates on the agents' hosts
  std::unique_ptr<Client> client_;
  std::unique_ptr<Targets> targets_;
  std::vector<librm::AgentId> given_up_;
  std::uint64_t windows_planned_ = 0;
  std::uint64_t leader_commits_ = 0;
  std::uint64_t agent_commits_ = 0;
  bool trouble_ = true;
  librm::Instant healed_at_;
  librm::Duration healing_;
};

}  // namespace rm_sim
