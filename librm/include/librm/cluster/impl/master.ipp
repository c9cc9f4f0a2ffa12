// The master's sessions: agents and frameworks come, go, return, and are given up.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/base/check.hpp"
#include "librm/cluster/impl/master_agents.ipp"
#include "librm/cluster/impl/master_maintenance.ipp"
#include "librm/cluster/impl/master_offers.ipp"
#include "librm/cluster/impl/master_roles.ipp"
#include "librm/cluster/impl/master_tasks.ipp"
#include "librm/cluster/master.hpp"

namespace librm {

namespace detail {

inline FrameworkWishes wishes_of(const FrameworkInfo& info) {
  return {info.roles, info.revocable, info.min_allocatable};
}

}  // namespace detail

LIBRM_DECL MasterCore::MasterCore(MasterOptions options, TraceSink* trace)
    : options_(std::move(options)),
      trace_(trace),
      allocator_(std::make_unique<Allocator>(options_.allocator)) {}

LIBRM_DECL MasterCore::~MasterCore() = default;
LIBRM_DECL MasterCore::MasterCore(MasterCore&&) noexcept = default;
LIBRM_DECL MasterCore& MasterCore::operator=(MasterCore&&) noexcept = default;

LIBRM_DECL void MasterCore::step(Now now, const MasterEvent& event, MasterActions& out) {
  LIBRM_CHECK(resumed_, "a master is resumed before its first event");
  if (const auto* received = std::get_if<Received>(&event)) {
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { on_message(now, received->connection, message, out); }) {
            on_message(now, received->connection, message, out);
          } else {
            refuse(received->connection, ErrorCode::invalid_argument,
                   "this message is not for a master", true, out);
          }
        },
        received->message);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    on_closed(now, closed->connection);
  } else if (const auto* storage = std::get_if<StorageLow>(&event)) {
    storage_low_ = storage->low;
  } else if (const auto* gone = std::get_if<MarkAgentGone>(&event)) {
    on_mark_agent_gone(now, *gone, out);
  } else if (const auto* weight = std::get_if<SetRoleWeight>(&event)) {
    on_set_role_weight(*weight, out);
  } else if (const auto* quota = std::get_if<SetQuota>(&event)) {
    on_set_quota(*quota, out);
  } else if (const auto* operation = std::get_if<OperateOnAgent>(&event)) {
    on_operate(*operation, out);
  } else if (const auto* windows = std::get_if<SetMaintenance>(&event)) {
    on_set_maintenance(now, *windows, out);
  } else if (const auto* control = std::get_if<ControlAgent>(&event)) {
    on_control_agent(now, *control, out);
  } else {
    on_tick(now, out);
  }
}

LIBRM_DECL void MasterCore::apply(const MasterRecord& record) {
  if (const auto* epoch = std::get_if<EpochRecord>(&record)) {
    epoch_ = std::max(epoch_, epoch->epoch);
  } else if (const auto* agent = std::get_if<AgentRecord>(&record)) {
    agents_[agent->agent].record = *agent;
    agent_id_last_ = std::max(agent_id_last_, agent->agent.value);
  } else if (const auto* framework = std::get_if<FrameworkRecord>(&record)) {
    frameworks_[framework->framework].record = *framework;
    framework_id_last_ = std::max(framework_id_last_, framework->framework.value);
  } else if (const auto* role = std::get_if<RoleRecord>(&record)) {
    weights_[role->role] = role->weight_milli;
    if (role->weight_milli == RoleRecord{}.weight_milli) weights_.erase(role->role);
  } else if (const auto* quota = std::get_if<QuotaRecord>(&record)) {
    quotas_.erase(quota->role);
    if (quota->quota) quotas_[quota->role] = *quota->quota;
  } else if (const auto* reservations = std::get_if<ReservationsRecord>(&record)) {
    agents_[reservations->agent].made = reservations->made;
  } else if (const auto* maintenance = std::get_if<MaintenanceRecord>(&record)) {
    maintenance_ = *maintenance;
  } else if (const auto* service = std::get_if<AgentServiceRecord>(&record)) {
    agents_[service->agent].service = *service;
  }
}

LIBRM_DECL std::vector<MasterRecord> MasterCore::snapshot() const {
  std::vector<MasterRecord> records;
  records.push_back(EpochRecord{epoch_});
  for (const auto& [role, weight] : weights_) records.push_back(RoleRecord{role, weight});
  for (const auto& [role, quota] : quotas_) records.push_back(QuotaRecord{role, quota});
  for (const auto& [id, framework] : frameworks_) records.push_back(framework.record);
  for (const auto& [id, agent] : agents_) {
    records.push_back(agent.record);
    if (agent.service.service != AgentService::normal) records.push_back(agent.service);
    if (!agent.made.empty()) records.push_back(ReservationsRecord{id, agent.made});
  }
  if (maintenance_.revision != 0) records.push_back(maintenance_);
  return records;
}

LIBRM_DECL void MasterCore::resume(Now now, MasterActions& out) {
  LIBRM_CHECK(!resumed_, "a master is resumed once");
  resumed_ = true;
  persist(EpochRecord{epoch_ + 1}, out);
  AllocatorOptions allocator = options_.allocator;
  // An offer of an earlier epoch must never be mistaken for one of ours.
  allocator.first_offer = OfferId{(std::uint64_t{epoch_} << 32) + 1};
  allocator_ = std::make_unique<Allocator>(allocator);
  restore_roles(now);
  for (auto& [id, framework] : frameworks_) {
    if (framework.record.status != FrameworkStatus::active) continue;
    framework.failover_deadline = now.mono + framework.record.info.failover_timeout;
    // One with a role that is not allowed any more hears of it when it subscribes.
    (void)allocator_->add_framework(id, detail::wishes_of(framework.record.info));
    (void)allocator_->deactivate_framework(id);
  }
  // Known agents get agent_return_timeout to return, whatever the limit for silence is.
  for (auto& [id, agent] : agents_) {
    agent.last_heard = now.mono + options_.agent_return_timeout - options_.agent_unreachable_after;
    agent.lease_until = now.mono + options_.agent_lease;  // an earlier master may have given it
    agent.available_until = window_start(agent.record, now.wall);
  }
  check_at_ = now.mono;
  maintenance_at_ = now.wall;
  inverse_offer_last_ = std::uint64_t{epoch_} << 32;
}

// --- agents: see master_agents.ipp ---

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const AgentHeartbeat& message, MasterActions& out) {
  Agent* agent = agent_on(connection);
  if (agent == nullptr) {
    out.output(Close{connection, "a heartbeat before the registration"});
    return;
  }
  if (!agent->in_allocator && !offer_agent(now, *agent, out)) return;
  agent->last_heard = now.mono;
  agent->lease_until = now.mono + options_.agent_lease;
  send(connection, HeartbeatAnswer{message.sequence}, out);
}

LIBRM_DECL void MasterCore::disconnect(Agent& agent, std::string reason, MasterActions& out) {
  if (!agent.connection) return;
  out.output(Close{*agent.connection, std::move(reason)});
  agent_connections_.erase(*agent.connection);
  outboxes_.erase(*agent.connection);
  agent.connection.reset();
}

/// Silent for too long, or down: its tasks may run on, but nobody can say. Its lease is over, or
/// it has no tasks.
LIBRM_DECL void MasterCore::mark_unreachable(Agent& agent, const std::string& why,
                                             MasterActions& out) {
  const AgentId id = agent.record.agent;
  disconnect(agent, why, out);
  leave_allocator(agent);
  AgentRecord record = agent.record;
  record.status = AgentStatus::unreachable;
  persist(record, out);
  std::set<FrameworkId> concerned;
  for (const auto& [framework, task_id] : agent.tasks) {
    Task& task = frameworks_.at(framework).tasks.at(task_id);
    task.resources_held = false;
    concerned.insert(framework);
    if (is_terminal(task.latest.state)) continue;
    task.latest.state = TaskState::unreachable;
    tell(
        frameworks_.at(framework),
        master_update(framework, task_id, id, TaskState::unreachable, TaskReason::agent_unreachable,
                      "agent " + to_string(id) + " (" + record.hostname + ") is " + why));
  }
  for (FrameworkId framework : concerned) {
    const Framework& entry = frameworks_.at(framework);
    if (entry.connection) send(*entry.connection, AgentLost{id, false}, out);
  }
  trace(to_string(id), "unreachable");
}

LIBRM_DECL void MasterCore::on_mark_agent_gone(Now, const MarkAgentGone& event,
                                               MasterActions& out) {
  auto found = agents_.find(event.agent);
  if (found == agents_.end()) {
    out.output(Reply{event.request, fail(ErrorCode::not_found,
                                         "agent " + to_string(event.agent) + ": no such agent")});
    return;
  }
  Agent& agent = found->second;
  if (agent.connection) {
    send(*agent.connection,
         AgentRefused{ErrorCode::failed_precondition, "marked gone by an operator"}, out);
    disconnect(agent, "gone", out);
  }
  leave_allocator(agent);
  AgentRecord record = agent.record;
  record.status = AgentStatus::gone;
  persist(record, out);
  came_back(event.agent);  // it is not waited for any more
  const TaskSet tasks = agent.tasks;
  std::set<FrameworkId> concerned;
  for (const auto& [framework, id] : tasks) {
    frameworks_.at(framework).tasks.at(id).resources_held = false;
    concerned.insert(framework);
    end_task(frameworks_.at(framework), id, TaskState::gone_by_operator,
             TaskReason::agent_removed_by_operator,
             "agent " + to_string(event.agent) + " was marked gone by an operator");
  }
  for (FrameworkId framework : concerned) {
    const Framework& entry = frameworks_.at(framework);
    if (entry.connection) send(*entry.connection, AgentLost{event.agent, true}, out);
  }
  out.output(Reply{event.request, {}});
}

// --- frameworks ---

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection, const Subscribe& message,
                                       MasterActions& out) {
  const Framework* present = framework_on(connection);
  if (agent_connections_.count(connection) != 0 ||
      (present != nullptr && present->record.framework != message.framework)) {
    out.output(Close{connection, "this connection has a session of another peer"});
    on_closed(now, connection);
    return;
  }
  if (message.info.roles.empty()) {
    refuse(connection, ErrorCode::invalid_argument, "framework: roles: at least one is needed",
           true, out);
    return;
  }
  FrameworkRecord record{message.framework, FrameworkStatus::active, message.info};
  auto known = frameworks_.find(message.framework);
  if (message.framework && known == frameworks_.end()) {
    refuse(connection, ErrorCode::not_found,
           "framework " + to_string(message.framework) + ": this master never issued that id", true,
           out);
    return;
  }
  if (known != frameworks_.end() && known->second.record.status == FrameworkStatus::completed) {
    refuse(connection, ErrorCode::failed_precondition,
           "framework " + to_string(message.framework) + ": has ended; subscribe without an id",
           true, out);
    return;
  }
  if (!message.framework) record.framework = FrameworkId{framework_id_last_ + 1};
  const bool is_new = known == frameworks_.end();
  if (auto admitted = admit_framework(record); !admitted) {
    refuse(connection, admitted.error().code, admitted.error().message, true, out);
    return;
  }
  if (is_new || known->second.record != record) persist(record, out);
  Framework& framework = frameworks_.at(record.framework);
  if (framework.connection && *framework.connection != connection) {
    refuse(*framework.connection, ErrorCode::stale, "the framework opened a new session", true,
           out);
    framework_connections_.erase(*framework.connection);
    outboxes_.erase(*framework.connection);
    framework.connection.reset();
    // Offers belong to a session: the new one starts without any, and so does the allocator.
    rescind_all(allocator_->deactivate_framework(record.framework));
  }
  framework.connection = connection;
  // So do inverse offers: what an earlier session said may be news to this one.
  forget_inverse_offers(record.framework);
  framework.failover_deadline.reset();
  framework_connections_[connection] = record.framework;
  if (!is_new) {
    allocator_->activate_framework(record.framework);
    allocator_->revive(record.framework, {});
  }
  send(connection, Subscribed{record.framework, epoch_, options_.heartbeat_interval}, out);
  trace(to_string(record.framework), "subscribed as " + record.info.name);
}

/// Tells the allocator what the framework wants in this session: other roles, perhaps, than before.
LIBRM_DECL Result<void> MasterCore::admit_framework(const FrameworkRecord& record) {
  const FrameworkInfo& info = record.info;
  if (info.min_allocatable.size() > min_allocatable_max) {
    return fail(ErrorCode::invalid_argument,
                "framework: min_allocatable: " + std::to_string(info.min_allocatable.size()) +
                    " requests, at most " + std::to_string(min_allocatable_max));
  }
  Result<void> added = allocator_->add_framework(record.framework, detail::wishes_of(info));
  if (added || added.error().code != ErrorCode::already_exists) return added;
  auto updated = allocator_->update_framework(record.framework, detail::wishes_of(info));
  if (!updated) return tl::unexpected<Error>(updated.error());
  rescind_all(*updated);
  return allocator_->set_demands(record.framework, {});
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const TeardownFramework&,
                                       MasterActions& out) {
  Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  complete_framework(*framework, out);
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection,
                                       const FrameworkHeartbeat& message, MasterActions& out) {
  if (framework_on(connection) == nullptr) return;
  send(connection, HeartbeatAnswer{message.sequence}, out);
}

/// Its id is void from now on, and what it runs is killed.
LIBRM_DECL void MasterCore::complete_framework(Framework& framework, MasterActions& out) {
  FrameworkRecord record = framework.record;
  record.status = FrameworkStatus::completed;
  persist(record, out);
  rescind_all(allocator_->remove_framework(record.framework));
  forget_inverse_offers(record.framework);
  framework.failover_deadline.reset();
  if (framework.connection) {
    out.output(Close{*framework.connection, "the framework has ended"});
    framework_connections_.erase(*framework.connection);
    outboxes_.erase(*framework.connection);
    framework.connection.reset();
  }
  std::set<AgentId> concerned;
  for (const auto& [id, task] : framework.tasks) concerned.insert(task.agent);
  for (AgentId id : concerned) {
    const Agent& agent = agents_.at(id);
    if (agent.connection) send(*agent.connection, ShutdownFramework{record.framework}, out);
  }
  trace(to_string(record.framework), "completed");
}

// --- connections, time, bookkeeping ---

LIBRM_DECL void MasterCore::on_closed(Now now, ConnectionId connection) {
  outboxes_.erase(connection);
  if (Agent* agent = agent_on(connection)) {
    agent_connections_.erase(connection);
    agent->connection.reset();
    if (agent->in_allocator) {
      rescind_all(allocator_->deactivate_agent(agent->record.agent));
    }
  } else if (Framework* framework = framework_on(connection)) {
    framework_connections_.erase(connection);
    framework->connection.reset();
    framework->failover_deadline = now.mono + framework->record.info.failover_timeout;
    rescind_all(allocator_->deactivate_framework(framework->record.framework));
    forget_inverse_offers(framework->record.framework);
    look_at(*framework->failover_deadline);
  }
}

LIBRM_DECL void MasterCore::look_at(Instant t) {
  check_at_ = check_at_ ? std::min(*check_at_, t) : t;
}

LIBRM_DECL void MasterCore::on_tick(Now now, MasterActions& out) {
  if (check_at_ && now.mono >= *check_at_) check_silence(now, out);
  if (inverse_at_ && now.mono >= *inverse_at_) {
    inverse_at_.reset();
    for (const auto& [key, offer] : inverse_offers_) touch(agents_.at(key.first));
  }
  if (maintenance_at_ && now.wall >= *maintenance_at_) check_windows(now, out);
}

/// Looks at every deadline of agents and frameworks, and remembers the earliest: heartbeats only
/// move them later, so nothing is missed and a heartbeat costs nothing here.
LIBRM_DECL void MasterCore::check_silence(Now now, MasterActions& out) {
  check_at_.reset();
  for (auto& [id, agent] : agents_) {
    if (agent.record.status != AgentStatus::admitted) continue;
    const bool down = agent.service.service == AgentService::down;
    const Instant silent = agent.last_heard + options_.agent_unreachable_after;
    const Instant limit = down ? std::min(agent.lease_until, silent) : silent;
    if (now.mono >= limit) {
      mark_unreachable(agent, down ? "down for maintenance" : "silent", out);
    } else {
      look_at(limit);
    }
  }
  for (auto& [id, framework] : frameworks_) {
    if (!framework.failover_deadline) continue;
    if (now.mono >= *framework.failover_deadline) {
      complete_framework(framework, out);
    } else {
      look_at(*framework.failover_deadline);
    }
  }
}

LIBRM_DECL Deadline MasterCore::next_deadline() const {
  Deadline deadline;
  if (check_at_) deadline.at_latest(*check_at_);
  if (maintenance_at_) deadline.at_latest(*maintenance_at_);
  if (inverse_at_) deadline.at_latest(*inverse_at_);
  if (recovery_) deadline.at_latest(recovery_->until);
  if (auto next = allocator_->next_deadline()) deadline.at_latest(*next);
  return deadline;
}

LIBRM_DECL void MasterCore::persist(MasterRecord record, MasterActions& out) {
  apply(record);
  out.record(std::move(record));
}

LIBRM_DECL void MasterCore::send(ConnectionId connection, Message message, MasterActions& out) {
  out.output(Send{connection, std::move(message)});
}

LIBRM_DECL void MasterCore::refuse(ConnectionId connection, ErrorCode code, std::string message,
                                   bool fatal, MasterActions& out) {
  send(connection, FrameworkError{code, message, fatal}, out);
  if (fatal) out.output(Close{connection, std::move(message)});
}

LIBRM_DECL MasterCore::Agent* MasterCore::agent_on(ConnectionId connection) {
  auto found = agent_connections_.find(connection);
  return found == agent_connections_.end() ? nullptr : &agents_.at(found->second);
}

LIBRM_DECL MasterCore::Framework* MasterCore::framework_on(ConnectionId connection) {
  auto found = framework_connections_.find(connection);
  return found == framework_connections_.end() ? nullptr : &frameworks_.at(found->second);
}

LIBRM_DECL void MasterCore::trace(std::string_view subject, const std::string& fact) const {
  if (trace_ != nullptr) trace_->trace(subject, fact);
}

}  // namespace librm
