// An operator who shares out: quotas, weights and reservations, changed in trouble and all undone.
#include <array>
#include <iterator>
#include <utility>

#include "cluster.hpp"
#include "librm/alloc/allocator.hpp"
#include "librm/sim/host.hpp"

namespace rm_sim {

using namespace librm;

namespace {

constexpr std::array role_names = {"team", "team/r1", "team/r2", "idle"};

/// What undoes the last step of how the entry was made.
Operation undoing(const Resource& entry) {
  Operation operation;
  operation.resources.add(entry);
  if (entry.volume) {
    operation.kind = OperationKind::destroy_volume;
    operation.volume = *entry.volume;
  } else {
    operation.kind = OperationKind::unreserve;
    operation.reservation = entry.reservations.back();
  }
  return operation;
}

}  // namespace

void Cluster::change_roles() {
  ClusterNode* node = leader();
  if (node == nullptr) return;
  Prng& random = world_.random();
  switch (random.below(4)) {
    case 0:
      node->post_master(
          SetRoleWeight{0, role_names[random.below(role_names.size())], random.between(500, 2000)});
      break;
    case 1:
      change_reservation(*node);
      break;
    default:
      change_quota(*node);
  }
}

void Cluster::change_quota(ClusterNode& node) {
  Prng& random = world_.random();
  SetQuota event;
  event.role = role_names[random.below(role_names.size())];
  event.force = random.chance(1, 4);
  if (random.chance(3, 4)) {
    event.quota.emplace();
    const Amount least{500 * random.between(0, 6)};
    if (random.chance(2, 3)) event.quota->guarantees["cpus"] = least;
    if (random.chance(2, 3)) {
      event.quota->limits["cpus"] = Amount{least.milli + 500 * random.between(0, 8)};
    }
  }
  oracle_.mark("quota changed");
  node.post_master(std::move(event));
}

void Cluster::change_reservation(ClusterNode& node) {
  const auto& agents = node.core().master().agents();
  if (agents.empty()) return;
  Prng& random = world_.random();
  const auto at =
      std::next(agents.begin(), static_cast<std::ptrdiff_t>(random.below(agents.size())));
  const Resources& made = at->second.made;
  Operation operation;
  if (!made.empty() && random.chance(1, 3)) {
    operation = undoing(made.list()[random.below(made.list().size())]);
  } else {
    operation.resources = Resources::scalar("cpus", Amount{500 * random.between(1, 4)});
    operation.reservation.role = role_names[random.below(role_names.size())];
  }
  oracle_.mark("reservation changed");
  node.post_master(OperateOnAgent{0, at->first, std::move(operation)});
}

/// Takes away what would keep jobs waiting for ever.
void Cluster::end_roles(ClusterNode& node) {
  const MasterCore& master = node.core().master();
  for (const auto& [role, quota] : master.quotas()) {
    node.post_master(SetQuota{0, role, std::nullopt});
  }
  for (const auto& [id, agent] : master.agents()) {
    if (agent.record.status == AgentStatus::gone) continue;
    const auto view = master.allocator().agent(id);
    const Resources present = view ? made_in(*view->total) : Resources();
    for (const Resources* part : {&present, &agent.missing}) {
      for (const Resource& entry : part->list()) {
        node.post_master(OperateOnAgent{0, id, undoing(entry)});
      }
    }
  }
}

}  // namespace rm_sim
