// What a seed stands for: a cluster, its workload, and what goes wrong.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/time.hpp"
#include "librm/cluster/master.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/resources.hpp"
#include "librm/sim/disk.hpp"
#include "librm/sim/faults.hpp"

namespace rm_sim {

/// Something that is done to the cluster during the trouble: once, or again and again.
struct Deed {
  enum class Kind { partition, kill, stall, restart, skew, power_off, depose };
  enum class Target { any, leader, agent, host };
  Kind kind = Kind::partition;
  Target target = Target::any;
  std::uint32_t number = 0;           ///< of the host or agent, from 1; 0: one that is drawn
  std::vector<std::uint32_t> groups;  ///< sizes; who is in which is drawn
  std::optional<librm::Duration> at;  ///< since the start; where it is missing, it is drawn
  librm::Duration every;              ///< mean time between two; 0: once
  librm::Duration time;               ///< how long it lasts; 0: for good
  librm::Duration by;                 ///< of a clock
};

struct Scenario {
  struct Agent {
    librm::Resources total;
    librm::Attributes attributes;
    std::int64_t drift_ppm = 0;
  };
  std::vector<Agent> agents;
  librm::MasterOptions master;
  librm::sim::DiskOptions disk;
  librm::sim::FaultRates faults;
  librm::Duration trouble;       ///< how long things break
  std::uint32_t jobs = 5;        ///< batch jobs to be submitted
  std::uint32_t frameworks = 0;  ///< plain ones beside the batch front end
  std::uint32_t framework_tasks = 0;
  librm::Duration framework_failover;
  librm::Duration task_runs_max;
  std::uint32_t fails_percent = 0;  ///< of the tasks
  std::uint32_t start_fails_percent = 0;
  std::uint32_t ignores_term_percent = 0;
  std::uint32_t cancel_percent = 0;  ///< of the jobs
  librm::Duration failover;          ///< mean time between changes of leader, or 0
  librm::Duration agent_gone;        ///< mean time between agents that an operator gives up, or 0
  librm::Duration maintenance;       ///< mean time between an operator's drains and windows, or 0
  librm::Duration roles;             ///< mean time between changes of quotas and reservations, or 0
  librm::Duration release_after;     ///< of the frameworks' tasks; 0: they name none
  std::uint32_t reserve_every = 0;   ///< of their first tasks
  std::uint32_t gangs = 0;           ///< of each framework
  librm::Demand gang;                ///< what each of them needs
  librm::Duration disk_failure;      ///< mean time between failed commits of the leader, or 0
  librm::Duration full_disk;         ///< mean time between times when it is nearly full, or 0
  std::uint32_t answer_lost_percent = 0;
  std::uint32_t crash_in_spawn_ppm = 0;
  bool unreliable_shepherds = false;
  /// Masters on the first agents' hosts, by an ensemble's election; 0: two on hosts of their own.
  std::uint32_t candidates = 0;
  librm::Duration session = librm::seconds(4);         ///< of a candidate at the ensemble
  librm::Duration reconnect_max = librm::seconds(10);  ///< of agents
  std::uint32_t targeted_schedules = 0;                ///< see targets.hpp
  std::vector<Deed> deeds;
  bool rare_branches = false;   ///< in the ports
  bool mixed_versions = false;  ///< of processes that speak with each other
  bool heal_group_first = false;
  std::uint64_t crash_leader_at = 0;  ///< its k-th durable record; 0: never
  std::uint64_t crash_agent_at = 0;   ///< as well, of all agents together
};

Scenario draw_scenario(std::uint64_t seed);
/// As many agents as there ever are, jobs, and nothing that goes wrong.
Scenario draw_calm(std::uint64_t seed);
/// Five hosts with candidate, agent and front end each, on which schedules must meet their targets.
Scenario draw_chronos(std::uint64_t seed);

/// One line for people.
std::string describe(const Scenario& scenario);

}  // namespace rm_sim
