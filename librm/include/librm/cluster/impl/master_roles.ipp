// What operators say about roles: weights and quotas, and how both come back after a start.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/cluster/master.hpp"

namespace librm {

LIBRM_DECL void MasterCore::on_set_role_weight(const SetRoleWeight& event, MasterActions& out) {
  Result<void> set = allocator_->set_weight(event.role, event.weight_milli);
  if (set) persist(RoleRecord{event.role, event.weight_milli}, out);
  out.output(Reply{event.request, std::move(set)});
}

// --- quotas ---

LIBRM_DECL void MasterCore::on_set_quota(const SetQuota& event, MasterActions& out) {
  Result<void> set = set_quota(event, out);
  out.output(Reply{event.request, std::move(set)});
}

LIBRM_DECL Result<void> MasterCore::set_quota(const SetQuota& event, MasterActions& out) {
  if (Result<void> valid = check_role(event.role); !valid) return valid;
  const auto present = quotas_.find(event.role);
  // A repetition of what was done already, whose answer was lost.
  if (present == quotas_.end() ? !event.quota : event.quota == present->second) return {};
  if (event.quota) {
    Result<std::vector<OfferId>> set = allocator_->set_quota(event.role, *event.quota, event.force);
    if (!set) return tl::unexpected<Error>(set.error());
    rescind_all(*set);
  } else {
    allocator_->remove_quota(event.role);
  }
  persist(QuotaRecord{event.role, event.quota}, out);
  trace("role " + event.role, event.quota ? "has another quota" : "has no quota any more");
  return {};
}

// --- after a start ---

LIBRM_DECL void MasterCore::restore_roles(Now now) {
  for (const auto& [role, weight] : weights_) (void)allocator_->set_weight(role, weight);
  // What was decided stands, whatever is there now. Roles below come first: each quota was checked
  // against those above, which may have been lowered since.
  for (auto at = quotas_.rbegin(); at != quotas_.rend(); ++at) {
    (void)allocator_->set_quota(at->first, at->second, true);
  }
  if (quotas_.empty()) return;
  for (const auto& [id, agent] : agents_) {
    const bool expected =
        agent.record.status == AgentStatus::admitted && agent.service.service != AgentService::down;
    if (expected) awaited_.insert(id);
  }
  const std::size_t known = awaited_.size();
  const std::size_t needed = (known * options_.quota_return_percent + 99) / 100;
  if (needed == 0) return awaited_.clear();
  recovery_ = Recovery{known, 0, needed, now.mono + options_.agent_return_timeout};
}

LIBRM_DECL void MasterCore::came_back(AgentId agent) {
  if (recovery_ && awaited_.erase(agent) != 0) ++recovery_->back;
}

/// Whether nothing may be offered yet.
LIBRM_DECL bool MasterCore::recovering(Now now) {
  if (!recovery_) return false;
  if (recovery_->back < recovery_->needed && now.mono < recovery_->until && !quotas_.empty()) {
    return true;
  }
  trace("quotas", "offers begin: " + std::to_string(recovery_->back) + " of " +
                      std::to_string(recovery_->known) + " known agents are back");
  recovery_.reset();
  awaited_.clear();
  return false;
}

}  // namespace librm
