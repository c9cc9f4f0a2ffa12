// An operator in trouble: cordons, drains, windows and machines that are down, and all of it
// undone.
#include <iterator>
#include <utility>

#include "cluster.hpp"
#include "librm/sim/host.hpp"

namespace rm_sim {

using namespace librm;

namespace {

/// Agents that have not returned by then never will: a new id was given to a lost answer.
constexpr Duration return_within = seconds(300);

ControlAgent undoing(AgentId agent, AgentAction action) {
  ControlAgent event;
  event.agent = agent;
  event.action = action;
  return event;
}

}  // namespace

void Cluster::maintain() {
  ClusterNode* node = leader();
  if (node == nullptr || node->core().master().agents().empty()) return;
  Prng& random = world_.random();
  if (random.chance(1, 4)) return plan_window(*node);
  const auto& agents = node->core().master().agents();
  ControlAgent event;
  event.agent =
      std::next(agents.begin(), static_cast<std::ptrdiff_t>(random.below(agents.size())))->first;
  event.action = static_cast<AgentAction>(random.below(6));
  // More of the action with the longest way.
  if (random.chance(1, 3)) event.action = AgentAction::drain;
  event.force = random.chance(1, 2);
  if (event.action == AgentAction::drain) {
    event.drain.mode = static_cast<DrainMode>(1 + random.below(3));
    if (random.chance(1, 2)) event.drain.grace = milliseconds(random.between(0, 5000));
    if (event.drain.mode == DrainMode::wait && random.chance(1, 2)) {
      event.drain.deadline = node->host().now().wall + milliseconds(random.between(0, 60'000));
    }
  }
  world_.trace("people", "maintenance of " + to_string(event.agent) + ": action " +
                             std::to_string(static_cast<int>(event.action)));
  node->post_master(std::move(event));
}

void Cluster::plan_window(ClusterNode& node) {
  Prng& random = world_.random();
  const MaintenanceRecord& present = node.core().master().maintenance();
  SetMaintenance event;
  event.windows = present.windows;
  // Sometimes of an outdated schedule, which is refused.
  event.revision = present.revision - (present.revision > 0 && random.chance(1, 8) ? 1 : 0);
  if (event.windows.size() > 3 || (!event.windows.empty() && random.chance(1, 4))) {
    event.windows.erase(event.windows.begin());
  } else {
    MaintenanceWindow window;
    window.name = "w" + std::to_string(++windows_planned_);
    window.start = node.host().now().wall + milliseconds(random.between(-5000, 60'000));
    if (random.chance(2, 3)) window.duration = milliseconds(random.between(6000, 60'000));
    const std::size_t host = random.below(agents_.size());
    window.hostnames = {agents_[host].host->name()};
    event.windows.push_back(std::move(window));
  }
  oracle_.mark("windows changed");
  node.post_master(std::move(event));
}

/// Takes agents back into service. Drains under way have to come to their own end first.
void Cluster::end_maintenance(ClusterNode& node) {
  const MasterCore& master = node.core().master();
  if (!master.maintenance().windows.empty()) {
    node.post_master(SetMaintenance{});
  }
  for (const auto& [id, agent] : master.agents()) {
    const bool lost =
        agent.record.status != AgentStatus::admitted && world_.now() > healed_at_ + return_within;
    switch (agent.service.service) {
      case AgentService::cordoned:
        node.post_master(undoing(id, AgentAction::uncordon));
        break;
      case AgentService::drained:
        node.post_master(undoing(id, AgentAction::undrain));
        break;
      case AgentService::down:
        node.post_master(undoing(id, AgentAction::up));
        break;
      case AgentService::draining:
        if (lost) node.post_master(undoing(id, AgentAction::undrain));
        break;
      case AgentService::normal:
        break;
    }
  }
}

}  // namespace rm_sim
