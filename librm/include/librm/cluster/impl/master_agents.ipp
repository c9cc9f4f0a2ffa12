// The master takes agents in: whom it refuses, and what it believes of what they say they run.
#pragma once

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/impl/entries.hpp"
#include "librm/cluster/impl/master_maintenance.ipp"
#include "librm/cluster/impl/master_tasks.ipp"
#include "librm/cluster/master.hpp"
#include "librm/resource/fits.hpp"

namespace librm {

namespace detail {

/// Why the agent cannot have the resources that it names: they do not cover what runs there. Other
/// ones than before are welcome as long as they do.
inline std::optional<std::string> uncovered(const RegisterAgent& message) {
  Resources held;
  std::size_t running = 0;
  for (const TaskReport& report : message.tasks) {
    if (is_terminal(report.latest.state)) continue;
    held += (report.info.resources - shared_part(report.info.resources)).unreserved();
    ++running;
  }
  const auto lack = shortage(held, message.total.unreserved());
  if (!lack) return std::nullopt;
  return "agent " + (message.agent ? to_string(message.agent) + " " : "") + "(" + message.hostname +
         "): has " + to_string(message.total) + ", but " + std::to_string(running) +
         (running == 1 ? " task that runs on there holds " : " tasks that run on there hold ") +
         to_string(held) + ": " + to_string(*lack) +
         "; start it with at least that, or when they have ended";
}

}  // namespace detail

/// Empty for one that is welcome.
LIBRM_DECL std::optional<AgentRefused> MasterCore::refuse_agent(
    const RegisterAgent& message) const {
  const auto known = agents_.find(message.agent);
  if (known != agents_.end() && known->second.record.status == AgentStatus::gone) {
    return AgentRefused{ErrorCode::failed_precondition,
                        "agent " + to_string(message.agent) + " was marked gone by an operator"};
  }
  if (known != agents_.end() && known->second.service.service == AgentService::down) {
    return AgentRefused{ErrorCode::unavailable, detail::down_text(known->second)};
  }
  if (message.topology.size() > topology_bytes_max) {
    return AgentRefused{ErrorCode::invalid_argument,
                        "agent " + message.hostname + ": its topology takes " +
                            std::to_string(message.topology.size()) + " bytes, at most " +
                            std::to_string(topology_bytes_max)};
  }
  if (auto lack = detail::uncovered(message)) {
    return AgentRefused{ErrorCode::failed_precondition, std::move(*lack)};
  }
  return std::nullopt;
}

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const RegisterAgent& message, MasterActions& out) {
  if (message.epoch_highest > epoch_) {
    out.output(Close{connection, "this master's epoch is " + std::to_string(epoch_) +
                                     ", the agent obeys " + std::to_string(message.epoch_highest)});
    return;
  }
  if (taken(connection, message.agent)) {
    out.output(Close{connection, "this connection has a session of another peer"});
    on_closed(now, connection);
    return;
  }
  if (auto refusal = refuse_agent(message)) {
    send(connection, std::move(*refusal), out);
    out.output(Close{connection, "refused"});
    return;
  }
  const auto known = agents_.find(message.agent);
  const bool same_boot =
      known != agents_.end() && known->second.record.incarnation == message.incarnation;
  if (same_boot && message.session < known->second.session) {
    out.output(Close{connection, "the agent has opened a newer session"});
    return;
  }
  const bool was_unreachable =
      known != agents_.end() && known->second.record.status == AgentStatus::unreachable;
  const AgentId id = admit_agent(now, message, out);
  Agent& agent = agents_.at(id);
  if (agent.connection && *agent.connection != connection) {
    agent_connections_.erase(*agent.connection);
    outboxes_.erase(*agent.connection);
    out.output(Close{*agent.connection, "the agent opened a new session"});
  }
  agent.connection = connection;
  agent.session = message.session;
  agent_connections_[connection] = id;
  agent.last_heard = now.mono;
  agent.available_until = window_start(agent.record, now.wall);
  agent.drain_kills.clear();  // the agent may have forgotten them
  adopt_reports(now, agent, message, was_unreachable, out);
  // A new id is used once its agent has shown that it knows it: were the answer lost, the agent
  // would ask for another one, and what was launched with the first would wait for ever.
  if (message.agent && !offer_agent(now, agent, out)) return;
  agent.lease_until = now.mono + options_.agent_lease;
  look_at(now.mono + options_.agent_unreachable_after);
  send(connection, AgentRegistered{id, epoch_, options_.agent_lease, options_.heartbeat_interval},
       out);
  trace(to_string(id), "registered from " + message.hostname + " with " + to_string(message.total));
}

/// False where its resources cannot be had: then it is refused.
LIBRM_DECL bool MasterCore::offer_agent(Now now, Agent& agent, MasterActions& out) {
  Resources held;
  for (const auto& [framework, id] : agent.tasks) {
    const Task& task = frameworks_.at(framework).tasks.at(id);
    if (task.resources_held) held += task.info.resources;
  }
  Restored restored = restore(agent.record.total, agent.made, held);
  if (!restored.missing.empty()) {
    trace(to_string(agent.record.agent), "has lost " + to_string(restored.missing));
  }
  agent.missing = std::move(restored.missing);
  Result<void> entered = enter_allocator(agent, restored.total);
  if (entered) return true;
  const ConnectionId connection = *agent.connection;
  send(connection, AgentRefused{entered.error().code, entered.error().message}, out);
  out.output(Close{connection, "refused"});
  on_closed(now, connection);
  return false;
}

/// One connection is one session: a peer cannot be two agents, or an agent and a framework.
LIBRM_DECL bool MasterCore::taken(ConnectionId connection, AgentId agent) const {
  auto known = agent_connections_.find(connection);
  return (known != agent_connections_.end() && known->second != agent) ||
         framework_connections_.count(connection) != 0;
}

/// Writes down what is new about the agent; a task of an earlier incarnation ends here.
LIBRM_DECL AgentId MasterCore::admit_agent(Now, const RegisterAgent& message, MasterActions& out) {
  AgentRecord record;
  record.agent = message.agent ? message.agent : AgentId{agent_id_last_ + 1};
  record.status = AgentStatus::admitted;
  record.incarnation = message.incarnation;
  record.hostname = message.hostname;
  record.http_address = message.http_address;
  record.total = message.total;
  record.attributes = message.attributes;
  record.topology = message.topology;
  auto known = agents_.find(record.agent);
  const bool rebooted =
      known != agents_.end() && known->second.record.incarnation != message.incarnation;
  TaskSet reported;
  for (const TaskReport& report : message.tasks) {
    reported.emplace(report.framework, report.info.id);
  }
  if (known != agents_.end()) fail_missing_tasks(known->second, reported, rebooted);
  if (known == agents_.end() || known->second.record != record) persist(record, out);
  return record.agent;
}

/// The agent's word about its tasks replaces what was thought of them.
LIBRM_DECL void MasterCore::adopt_reports(Now now, Agent& agent, const RegisterAgent& message,
                                          bool was_unreachable, MasterActions& out) {
  std::set<FrameworkId> unwanted;
  for (const TaskReport& report : message.tasks) {
    if (frameworks_.count(report.framework) == 0) {
      // Of a framework that this master never knew: void, but its tasks hold resources.
      persist(FrameworkRecord{report.framework, FrameworkStatus::completed, {}}, out);
    }
    Framework& framework = frameworks_.at(report.framework);
    if (framework.record.status == FrameworkStatus::completed) unwanted.insert(report.framework);
    auto [entry, is_new] = framework.tasks.try_emplace(report.info.id);
    Task& task = entry->second;
    if (!is_new && task.agent != agent.record.agent) {
      free_task(task);
      Agent& former = agents_.at(task.agent);
      former.tasks.erase({report.framework, report.info.id});
      touch(former);
    }
    task = Task{report.framework,
                agent.record.agent,
                report.info,
                report.latest,
                !is_terminal(report.latest.state),
                detail::until_of(now, report)};
    task.latest.agent = agent.record.agent;
    agent.tasks.emplace(report.framework, report.info.id);
    // A framework that asked heard "unreachable" even of tasks that this master had not met.
    if (was_unreachable && !is_terminal(report.latest.state)) {
      tell(framework, master_update(report.framework, report.info.id, agent.record.agent,
                                    report.latest.state, TaskReason::reconciliation,
                                    "agent " + to_string(agent.record.agent) + " returned"));
    }
  }
  for (FrameworkId framework : unwanted) {
    send(*agent.connection, ShutdownFramework{framework}, out);
  }
}

LIBRM_DECL Result<void> MasterCore::enter_allocator(Agent& agent, const Resources& total) {
  leave_allocator(agent);
  std::vector<Allocator::Held> held;
  for (const auto& [framework, id] : agent.tasks) {
    const Task& task = frameworks_.at(framework).tasks.at(id);
    if (!task.resources_held) continue;
    held.push_back({framework, task.info.role, task.info.resources, task.until});
  }
  const AgentRecord& record = agent.record;
  Result<void> added =
      allocator_->add_agent(record.agent, record.hostname, total, record.attributes, held);
  agent.in_allocator = added.has_value();
  if (!added) return added;
  came_back(record.agent);
  allocator_->set_available_until(record.agent, agent.available_until);
  if (agent.service.service != AgentService::normal || !agent.connection) {
    (void)allocator_->deactivate_agent(record.agent);
  }
  touch(agent);
  return {};
}

LIBRM_DECL void MasterCore::leave_allocator(Agent& agent) {
  if (!agent.in_allocator) return;
  rescind_all(allocator_->remove_agent(agent.record.agent));
  agent.in_allocator = false;
}

}  // namespace librm
