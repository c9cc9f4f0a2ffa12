// What operators say about roles: weights and quotas, and how both come back after a start.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/cluster/master.hpp"
#include "librm/resource/operation.hpp"

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

// --- reservations and volumes ---

LIBRM_DECL void MasterCore::on_operate(const OperateOnAgent& event, MasterActions& out) {
  Result<void> done = operate(event, out);
  out.output(Reply{event.request, std::move(done)});
}

LIBRM_DECL Result<void> MasterCore::operate(const OperateOnAgent& event, MasterActions& out) {
  const auto found = agents_.find(event.agent);
  const std::string name = "agent " + to_string(event.agent);
  if (found == agents_.end()) return fail(ErrorCode::not_found, name + ": no such agent");
  Agent& agent = found->second;
  if (agent.record.status == AgentStatus::gone) {
    return fail(ErrorCode::failed_precondition, name + " was marked gone by an operator");
  }
  const Result<Conversion> conversion = convert(event.operation);
  if (!conversion) return tl::unexpected<Error>(conversion.error());
  const bool undoes = event.operation.kind == OperationKind::unreserve ||
                      event.operation.kind == OperationKind::destroy_volume;
  if (undoes && agent.missing.contains(conversion->consumed)) {
    const Resources left = made_in(conversion->converted);
    agent.missing = agent.missing - conversion->consumed + left;
    persist(ReservationsRecord{event.agent, agent.made - conversion->consumed + left}, out);
    return {};
  }
  if (!agent.in_allocator) {
    return fail(ErrorCode::unavailable, name + " (" + agent.record.hostname +
                                            ") is away; what is reserved there can be changed "
                                            "when it is back");
  }
  Result<Resources> made = check_operations(agent, {event.operation});
  if (!made) return tl::unexpected<Error>(made.error());
  Result<std::vector<OfferId>> done = allocator_->operate(event.agent, event.operation);
  if (!done) return tl::unexpected<Error>(done.error());
  rescind_all(*done);
  persist(ReservationsRecord{event.agent, std::move(*made)}, out);
  trace(to_string(event.agent), to_string(event.operation));
  return {};
}

/// What is made there after them, if that can be made again of what the agent reports.
LIBRM_DECL Result<Resources> MasterCore::check_operations(
    const Agent& agent, const std::vector<Operation>& operations) const {
  if (operations.empty()) return agent.made;
  const std::string name = "agent " + to_string(agent.record.agent) + ": ";
  if (operations.size() > operations_max) {
    return fail(ErrorCode::invalid_argument, name + std::to_string(operations.size()) +
                                                 " operations, at most " +
                                                 std::to_string(operations_max));
  }
  Resources total = *allocator_->agent(agent.record.agent)->total;
  for (const Operation& operation : operations) {
    if (const std::size_t bytes = to_string(operation).size(); bytes > operation_bytes_max) {
      return fail(ErrorCode::invalid_argument, name + "an operation of " + std::to_string(bytes) +
                                                   " bytes, at most " +
                                                   std::to_string(operation_bytes_max));
    }
    Result<Resources> after = librm::apply(operation, total);
    if (!after) return fail(after.error().code, name + after.error().message);
    total = std::move(*after);
  }
  Resources made = made_in(total);
  const Resources own = made_in(agent.record.total);
  if (!made.contains(own)) {
    return fail(ErrorCode::failed_precondition, name + to_string(own) +
                                                    " is what it was started with, and changed "
                                                    "only by another start");
  }
  made -= own;
  if (restore(agent.record.total, made, {}).total != total) {
    return fail(ErrorCode::failed_precondition,
                name + to_string(made) + " could not be made again when the agent returns");
  }
  return made + agent.missing;
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
