// The master's tasks: launched, reported, acknowledged, reconciled, and freed.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/cluster/master.hpp"

namespace librm {

namespace detail {

/// When the task will have let go of what it holds, on the master's clock; not before now.
inline std::optional<Instant> until_of(Now now, const TaskInfo& info) {
  if (!info.release_by) return std::nullopt;
  constexpr Duration longest = seconds(100LL * 365 * 24 * 3600);  // what comes by wire may overflow
  const WallTime end = std::clamp(*info.release_by, now.wall, now.wall + longest);
  return now.mono + (end - now.wall);
}

inline std::optional<Instant> until_of(Now now, const TaskReport& report) {
  if (!report.release_in) return until_of(now, report.info);
  return now.mono + std::clamp(*report.release_in, Duration{}, seconds(100LL * 365 * 24 * 3600));
}

}  // namespace detail

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const StatusUpdates& message, MasterActions& out) {
  Agent* agent = agent_on(connection);
  if (agent == nullptr) {
    out.output(Close{connection, "updates before the registration"});
    return;
  }
  agent->last_heard = std::max(agent->last_heard, now.mono);
  for (StatusUpdate update : message.updates) {
    update.agent = agent->record.agent;
    auto found = frameworks_.find(update.framework);
    const bool over =
        found == frameworks_.end() || found->second.record.status == FrameworkStatus::completed;
    if (over && update.sequence > 0) {
      // Nobody is left who could acknowledge it.
      outboxes_[connection].acks.push_back(
          {update.framework, update.task, update.agent, update.sequence});
    }
    if (found == frameworks_.end()) continue;
    Framework& framework = found->second;
    auto known = framework.tasks.find(update.task);
    if (known != framework.tasks.end() && known->second.agent == update.agent) {
      Task& task = known->second;
      task.latest = update;
      if (is_terminal(update.state)) free_task(task);
      if (is_terminal(update.state)) touch(*agent);
      if (is_terminal(update.state) && (over || update.sequence == 0)) {
        agent->tasks.erase({update.framework, update.task});
        framework.tasks.erase(known);
      }
    }
    tell(framework, std::move(update));
  }
}

LIBRM_DECL void MasterCore::free_task(Task& task) {
  if (!task.resources_held) return;
  task.resources_held = false;
  if (agents_.at(task.agent).in_allocator) {
    allocator_->release(task.framework, task.agent, task.info.role, task.info.resources,
                        task.until);
  }
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection,
                                       const AcknowledgeUpdates& message, MasterActions&) {
  Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  for (UpdateAck ack : message.acks) {
    ack.framework = framework->record.framework;
    auto known = framework->tasks.find(ack.task);
    if (known != framework->tasks.end()) {
      ack.agent = known->second.agent;
      const StatusUpdate& latest = known->second.latest;
      if (is_terminal(latest.state) && latest.sequence == ack.sequence) {
        Agent& holder = agents_.at(ack.agent);
        holder.tasks.erase({ack.framework, ack.task});
        framework->tasks.erase(known);
        touch(holder);
      }
    }
    // Lost if the agent is away: it sends the update again, and is answered again.
    auto agent = agents_.find(ack.agent);
    if (agent != agents_.end() && agent->second.connection) {
      outboxes_[*agent->second.connection].acks.push_back(std::move(ack));
    }
  }
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const KillTask& message,
                                       MasterActions& out) {
  Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  auto known = framework->tasks.find(message.task);
  if (known == framework->tasks.end()) {
    reconcile(*framework, {message.task, message.agent});
    return;
  }
  const Agent& agent = agents_.at(known->second.agent);
  // While the agent is away the framework's repetition keeps the wish alive.
  if (!agent.connection) return;
  KillTask kill = message;
  kill.framework = framework->record.framework;
  kill.agent = agent.record.agent;
  kill.reason = TaskReason::killed_by_framework;
  send(*agent.connection, std::move(kill), out);
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const ExecutorMessage& message,
                                       MasterActions& out) {
  ExecutorMessage forwarded = message;
  if (const Agent* agent = agent_on(connection)) {
    forwarded.agent = agent->record.agent;
    auto framework = frameworks_.find(message.framework);
    if (framework != frameworks_.end() && framework->second.connection) {
      send(*framework->second.connection, std::move(forwarded), out);
    }
  } else if (const Framework* framework = framework_on(connection)) {
    forwarded.framework = framework->record.framework;
    auto target = agents_.find(message.agent);
    if (target != agents_.end() && target->second.connection) {
      send(*target->second.connection, std::move(forwarded), out);
    }
  }
}

/// The agent is back and did not name these: what it was never told, or forgot with its host.
LIBRM_DECL void MasterCore::fail_missing_tasks(Agent& agent, const TaskSet& reported,
                                               bool rebooted) {
  const TaskSet tasks = agent.tasks;
  for (const auto& key : tasks) {
    if (reported.count(key) != 0) continue;
    Framework& framework = frameworks_.at(key.first);
    Task& task = framework.tasks.at(key.second);
    if (is_terminal(task.latest.state)) {
      // Its acknowledgement reached the agent on another way; nothing is owed.
      free_task(task);
      agent.tasks.erase(key);
      framework.tasks.erase(key.second);
      continue;
    }
    const bool started = task.latest.state != TaskState::staging && task.latest.sequence > 0;
    const std::string name = "agent " + to_string(agent.record.agent);
    if (rebooted && started) {
      end_task(framework, key.second, TaskState::gone, TaskReason::agent_restarted,
               name + "'s host has booted since");
    } else {
      end_task(framework, key.second, TaskState::dropped, TaskReason::agent_restarted,
               name + " returned and never received it");
    }
  }
}

/// A master-made end: needs no acknowledgement, because who misses it can ask.
LIBRM_DECL void MasterCore::end_task(Framework& framework, const TaskId& id, TaskState state,
                                     TaskReason reason, std::string message) {
  Task& task = framework.tasks.at(id);
  free_task(task);
  const AgentId agent = task.agent;
  Agent& holder = agents_.at(agent);
  holder.tasks.erase({framework.record.framework, id});
  framework.tasks.erase(id);
  touch(holder);
  tell(framework,
       master_update(framework.record.framework, id, agent, state, reason, std::move(message)));
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const ReconcileTasks& message,
                                       MasterActions&) {
  Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  for (const TaskRef& reference : message.tasks) reconcile(*framework, reference);
  if (!message.tasks.empty()) return;
  for (const auto& [id, task] : framework->tasks) reconcile(*framework, {id, task.agent});
}

/// Silence is the answer while somebody may still come back and know better.
LIBRM_DECL void MasterCore::reconcile(Framework& framework, const TaskRef& reference) {
  const FrameworkId id = framework.record.framework;
  auto known = framework.tasks.find(reference.task);
  if (known != framework.tasks.end()) {
    // An unacknowledged end keeps its sequence, so that it is remembered before it is forgotten.
    StatusUpdate update = known->second.latest;
    if (!is_terminal(update.state)) {
      update.sequence = 0;
      update.reason = TaskReason::reconciliation;
    }
    tell(framework, std::move(update));
    return;
  }
  const auto answer = [&](TaskState state, TaskReason reason, std::string text) {
    tell(framework,
         master_update(id, reference.task, reference.agent, state, reason, std::move(text)));
  };
  auto agent = agents_.find(reference.agent);
  if (agent != agents_.end()) {
    const std::string name = "agent " + to_string(reference.agent);
    if (agent->second.record.status == AgentStatus::gone) {
      answer(TaskState::gone_by_operator, TaskReason::agent_removed_by_operator,
             name + " was marked gone by an operator");
    } else if (agent->second.record.status == AgentStatus::unreachable) {
      answer(TaskState::unreachable, TaskReason::agent_unreachable, name + " is unreachable");
    } else if (agent->second.in_allocator) {
      // It registered since this master started, so its report would have named the task.
      answer(TaskState::dropped, TaskReason::reconciliation, name + " does not know this task");
    }
    return;
  }
  const bool all_back = std::none_of(agents_.begin(), agents_.end(),
                                     [this](const auto& a) { return returning(a.second); });
  if (all_back) answer(TaskState::unknown, TaskReason::reconciliation, "no agent knows this task");
}

LIBRM_DECL bool MasterCore::returning(const Agent& agent) const {
  return agent.record.status != AgentStatus::gone && !agent.in_allocator;
}

LIBRM_DECL void MasterCore::tell(const Framework& framework, StatusUpdate update) {
  // Nobody there: the agent repeats its updates, and a new session asks for the master's.
  if (framework.connection) {
    outboxes_[*framework.connection].updates.push_back(std::move(update));
  }
}

LIBRM_DECL StatusUpdate MasterCore::master_update(FrameworkId framework, const TaskId& task,
                                                  AgentId agent, TaskState state, TaskReason reason,
                                                  std::string message) const {
  StatusUpdate update;
  update.framework = framework;
  update.task = task;
  update.agent = agent;
  update.state = state;
  update.reason = reason;
  update.source = UpdateSource::master;
  update.message = std::move(message);
  return update;
}

// --- invariants ---

LIBRM_DECL std::vector<std::string> MasterCore::check_invariants() const {
  std::vector<std::string> wrong = allocator_->check_invariants();
  std::map<AgentId, Resources> held;
  for (const auto& [framework_id, framework] : frameworks_) {
    for (const auto& [id, task] : framework.tasks) {
      auto agent = agents_.find(task.agent);
      if (agent == agents_.end() || agent->second.tasks.count({framework_id, id}) == 0) {
        wrong.push_back("task " + id + ": agent " + to_string(task.agent) + " does not list it");
        continue;
      }
      if (task.resources_held) held[task.agent] += task.info.resources;
      if (task.resources_held && is_terminal(task.latest.state)) {
        wrong.push_back("task " + id + ": terminal, but still holds its resources");
      }
    }
  }
  for (const auto& [id, agent] : agents_) {
    for (const auto& [framework, task] : agent.tasks) {
      auto owner = frameworks_.find(framework);
      if (owner == frameworks_.end() || owner->second.tasks.count(task) == 0) {
        wrong.push_back("agent " + to_string(id) + " lists task " + task + ", which is unknown");
      }
    }
    if (!agent.in_allocator) continue;
    const auto view = allocator_->agent(id);
    if (view && agent.service.service != AgentService::normal && !view->offered.empty()) {
      wrong.push_back("agent " + to_string(id) + " is " + to_string(agent.service.service) +
                      ", and " + to_string(view->offered) + " of it are offered");
    }
    if (!view || !(view->held == held[id])) {
      wrong.push_back("agent " + to_string(id) + ": tasks hold " + to_string(held[id]) +
                      ", the allocator thinks " + (view ? to_string(view->held) : "nothing"));
    }
  }
  return wrong;
}

}  // namespace librm
