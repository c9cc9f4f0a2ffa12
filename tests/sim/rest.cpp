// After the trouble: everything that can end must end, nothing may leak, timers must go quiet.
#include <algorithm>
#include <utility>

#include "cluster.hpp"
#include "librm/alloc/allocator.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

namespace {

/// Retries back off to minutes, and wall clocks that were stepped back, hours in all, delay further
/// what is scheduled.
constexpr Duration rest_within = seconds(4 * 3600);
constexpr Duration rest_check_interval = seconds(2);
constexpr Duration quiet_time = seconds(60);
constexpr Duration group_converges_within = seconds(1800);

}  // namespace

std::string Cluster::unfinished_agent(const Agent& agent) const {
  const std::string& name = agent.node->name();
  if (!agent.node->running()) return name + " does not run";
  const AgentCore& core = agent.node->core();
  if (!core.registered()) return name + " is not registered";
  if (agent.node->master() != leader()) return name + " has another master";
  if (!core.tasks().empty()) {
    const auto& [key, task] = *core.tasks().begin();
    return name + " has task " + key.task + ", " + to_string(task.record.latest.state) +
           ", in its table";
  }
  if (agent.shepherd->running_tasks() > 0) return name + ": a task runs that it does not know";
  if (agent.shepherd->remembered() > 0) return name + "'s shepherd keeps ends";
  return "";
}

std::string Cluster::unfinished_master(const MasterCore& master) const {
  for (const auto& [id, agent] : master.agents()) {
    if (agent.record.status == AgentStatus::gone) continue;
    if (agent.service.service == AgentService::normal) continue;
    return to_string(id) + " is " + to_string(agent.service.service);
  }
  if (!master.maintenance().windows.empty()) return "maintenance is planned";
  if (!master.quotas().empty()) return "role " + master.quotas().begin()->first + " has a quota";
  if (master.recovery()) return "offers wait for agents to return";
  for (const auto& [id, agent] : master.agents()) {
    if (agent.record.status != AgentStatus::admitted || agent.made.empty()) continue;
    return to_string(id) + " has " + to_string(agent.made) + " reserved";
  }
  for (const auto& [id, framework] : master.frameworks()) {
    if (framework.tasks.empty()) continue;
    const auto& [task_id, task] = *framework.tasks.begin();
    return "the master has task " + task_id + " of " + to_string(id) + ", " +
           to_string(task.latest.state) + ", in its table";
  }
  for (const Allocator::AgentView& view : master.allocator().agents()) {
    if (!view.held.empty()) return to_string(view.agent) + " still holds " + to_string(view.held);
    if (!view.offered.empty()) return to_string(view.agent) + " is still offered";
  }
  return "";
}

std::string Cluster::unfinished() const {
  ClusterNode* node = leader();
  if (node == nullptr) return "nobody leads";
  if (!client_->done()) return "a submission is not answered";
  if (targets_ && !targets_->done()) return "a schedule is not answered";
  for (const auto& [id, job] : node->core().batch().jobs()) {
    if (is_terminal(job.state)) continue;
    std::string text = "job " + std::to_string(id) + " is " + batch::to_string(job.state);
    text += ": " + node->core().batch().why(job, node->host().now()).summary;
    if (!job.attempts.empty()) {
      const batch::Attempt& last = job.attempts.back();
      text += ", attempt " + std::to_string(last.attempt) + " on " + to_string(last.agent) +
              " is " + to_string(last.latest.state);
    }
    return text;
  }
  for (const auto& [name, schedule] : node->core().batch().schedules()) {
    const bool waits = schedule.next || (!schedule.runs.empty() && !schedule.runs.back().ended);
    if (!waits) continue;
    std::string text = "schedule " + name + " goes on";
    if (schedule.next) {
      const Duration left = schedule.next->at - node->host().now().wall;
      text += ", next in " + std::to_string(left.ns / 1'000'000'000) + " s";
    }
    return text;
  }
  for (const Framework& framework : frameworks_) {
    const sim::WorkloadCore& core = framework.node->core();
    if (core.done()) continue;
    return framework.node->name() + " has " + std::to_string(core.live()) + " tasks, " +
           std::to_string(core.ended()) + " ended, and " + std::to_string(core.gangs_done()) +
           " gangs";
  }
  for (const Agent& agent : agents_) {
    if (std::string text = unfinished_agent(agent); !text.empty()) return text;
  }
  return unfinished_master(node->core().master());
}

/// Jobs that wait for a person get one.
void Cluster::release_held() {
  const ClusterNode* node = leader();
  if (node == nullptr) return;
  client_->cancel_unwanted();
  for (const auto& [id, job] : node->core().batch().jobs()) {
    if (job.state == batch::JobState::held && !job.cancel_requested) client_->cancel(id);
  }
}

/// What a group that is whole owes while all others are broken.
std::string Cluster::unconverged(const std::vector<const Agent*>& group) const {
  const ClusterNode* node = leader();
  if (node == nullptr) return "nobody leads";
  for (const Agent* agent : group) {
    const std::string& name = agent->node->name();
    if (!agent->node->running()) return name + " does not run";
    if (!agent->node->core().registered()) return name + " is not registered";
    if (agent->node->master() != node) return name + " has another master";
  }
  const auto& jobs = node->core().batch().jobs();
  const auto probe = std::find_if(jobs.begin(), jobs.end(),
                                  [](const auto& job) { return job.second.spec.name == "probe"; });
  if (probe == jobs.end()) return "a job is not accepted";
  if (is_terminal(probe->second.state)) return "";
  return "a job is " + std::string(batch::to_string(probe->second.state)) + ": " +
         node->core().batch().why(probe->second, node->host().now()).summary;
}

/// To today's version or a later one: what only those know, such as gangs, is to be done by the
/// end.
void Cluster::upgrade_all() {
  world_.set_mixed_versions(false);
  const auto upgrade = [](sim::Node& node) {
    if (node.dialect() == Dialect::first) node.set_dialect(Dialect::current);
  };
  for (ClusterNode* master : masters_) upgrade(*master);
  for (const Agent& agent : agents_) upgrade(*agent.node);
  for (const Framework& framework : frameworks_) upgrade(*framework.node);
}

/// Most machines are repaired, the rest has no power or no cable: the former must work together,
/// that is, agree on a leader and run a job. False where they do not.
bool Cluster::heal_group() {
  world_.set_rare(false);
  upgrade_all();
  trouble_ = false;
  journal_->repair();
  faults_.stop();
  ensure_leader();
  healed_at_ = world_.now();
  std::vector<const Agent*> group;
  std::vector<Agent*> rest;
  for (Agent& agent : agents_) {
    const bool enough = group.size() * 2 > agents_.size();
    if (enough && world_.random().chance(1, 2)) {
      rest.push_back(&agent);
    } else {
      group.push_back(&agent);
    }
  }
  for (Agent* broken : rest) {
    if (world_.random().chance(1, 2)) {
      broken->host->crash();
      continue;
    }
    for (sim::Host* other : machines()) {
      if (other == broken->host) continue;
      world_.network().block(*broken->host, *other);
      world_.network().block(*other, *broken->host);
    }
  }
  oracle_.mark(rest.empty() ? "all healed at once" : "group healed first");
  world_.trace("people", std::to_string(group.size()) + " agents are repaired, " +
                             std::to_string(rest.size()) + " are not");
  const Instant limit = world_.now() + group_converges_within;
  std::string wrong;
  do {
    // The same key each time: whoever leads accepts it once.
    if (ClusterNode* node = leader(); node != nullptr && world_.now() > healed_at_ + seconds(60)) {
      batch::JobSpec probe;
      probe.name = "probe";
      probe.command.value = "sleep-ms 100";
      probe.priority = 1'000'000;
      probe.lost = batch::LostPolicy::rerun;
      probe.request.amounts["cpus"] = Amount{500};
      probe.request.amounts["mem"] = Amount::units(64);
      node->post_batch(batch::SubmitJobs{0, {probe}, "probe", false});
    }
    if (!world_.run_until(world_.now() + rest_check_interval)) return false;
    wrong = unconverged(group);
  } while (!wrong.empty() && world_.now() < limit);
  if (wrong.empty()) return true;
  world_.violation("a healed group does not work within " +
                   std::to_string(to_ms(group_converges_within) / 1000) + " s: " + wrong);
  return false;
}

bool Cluster::come_to_rest() {
  const Instant limit = world_.now() + rest_within;
  std::string rest = "it was never looked at";
  while (!rest.empty() && world_.now() < limit) {
    if (!world_.run_until(world_.now() + rest_check_interval)) return false;
    release_held();
    rest = unfinished();
  }
  if (!world_.violations().empty()) return false;
  if (!rest.empty()) {
    world_.violation("no rest within " + std::to_string(to_ms(rest_within) / 1000) +
                     " s after all was repaired: " + rest);
    return false;
  }
  healing_ = world_.now() - healed_at_;
  world_.trace("people", "all is at rest");
  return true;
}

std::uint64_t Cluster::turns() const {
  std::uint64_t sum = 0;
  for (const ClusterNode* master : masters_) sum += master->turns();
  for (const Agent& agent : agents_) sum += agent.node->turns();
  for (const Framework& framework : frameworks_) sum += framework.node->turns();
  return sum;
}

/// What is at rest stays so, and only heartbeats wake anybody.
void Cluster::stay_at_rest() {
  const std::uint64_t before = turns();
  if (!world_.run_until(world_.now() + quiet_time)) return;
  const std::uint64_t beats =
      static_cast<std::uint64_t>(quiet_time.ns / scenario_.master.heartbeat_interval.ns) + 1;
  // A beat wakes its sender, the master, and the sender with the answer; and as much again.
  const std::uint64_t allowed = (agents_.size() + frameworks_.size()) * beats * 6 + 100;
  const std::uint64_t used = turns() - before;
  if (used > allowed) {
    world_.violation("not quiet: " + std::to_string(used) + " turns in " +
                     std::to_string(to_ms(quiet_time) / 1000) + " s at rest, allowed " +
                     std::to_string(allowed));
  }
  if (std::string rest = unfinished(); !rest.empty()) {
    world_.violation("rest did not last: " + rest);
  }
}

}  // namespace rm_sim
