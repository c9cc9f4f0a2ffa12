// The agent's session with its master: finding it, registering, leases, and what it is told.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/cluster/agent.hpp"
#include "librm/cluster/impl/agent_cpus.ipp"
#include "librm/cluster/impl/agent_executors.ipp"
#include "librm/cluster/impl/agent_tasks.ipp"

namespace librm {

LIBRM_DECL AgentCore::AgentCore(AgentOptions options, TraceSink* trace)
    : options_(std::move(options)),
      trace_(trace),
      prng_(options_.seed),
      lease_(seconds(15)),
      heartbeat_interval_(seconds(5)),
      reconnect_after_(options_.reconnect_min) {}

LIBRM_DECL void AgentCore::step(Now now, const AgentEvent& event, AgentActions& out) {
  LIBRM_CHECK(resumed_, "an agent is resumed before its first event");
  if (const auto* connected = std::get_if<MasterConnected>(&event)) {
    on_master_connected(now, connected->connection, out);
  } else if (std::holds_alternative<MasterUnavailable>(event)) {
    lose_session(now);
  } else if (std::holds_alternative<MasterChanged>(event)) {
    on_master_changed(now, out);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    if (connection_ == closed->connection) lose_session(now);
  } else if (const auto* received = std::get_if<Received>(&event)) {
    if (connection_ != received->connection) return;  // of a session that is over
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { on_message(now, message, out); }) on_message(now, message, out);
        },
        received->message);
  } else if (const auto* shepherd = std::get_if<FromShepherd>(&event)) {
    std::visit(
        [&](const auto& message) {
          if constexpr (requires { on_shepherd(now, message, out); }) {
            on_shepherd(now, message, out);
          }
        },
        shepherd->message);
  } else if (std::holds_alternative<ShepherdLost>(event)) {
    shepherd_ready_ = false;
    starts_.clear();
    signals_.clear();
  } else if (const auto* executor = std::get_if<FromExecutor>(&event)) {
    const ConnectionId connection = executor->connection;
    if (const auto* subscribe = std::get_if<SubscribeExecutor>(&executor->message)) {
      on_executor_subscribed(now, connection, *subscribe, out);
    } else if (const auto* updates = std::get_if<StatusUpdates>(&executor->message)) {
      on_executor_updates(now, connection, *updates, out);
    } else if (const auto* data = std::get_if<ExecutorMessage>(&executor->message)) {
      on_executor_message(now, connection, *data, out);
    }
  } else if (const auto* closed_executor = std::get_if<ExecutorClosed>(&event)) {
    on_executor_closed(now, closed_executor->connection, out);
  } else {
    on_tick(now, out);
  }
}

LIBRM_DECL void AgentCore::apply(const AgentCoreRecord& record) {
  if (const auto* identity = std::get_if<AgentIdentityRecord>(&record)) {
    id_ = identity->agent;
    epoch_highest_ = std::max(epoch_highest_, identity->epoch_highest);
    return;
  }
  const auto& ledger = std::get<TaskLedgerRecord>(record);
  const TaskKey key{ledger.framework, ledger.info.id};
  if (ledger.acknowledged) {
    tasks_.erase(key);
    if (ledger_.try_emplace(key, ledger_age_last_ + 1).second) {
      ledger_by_age_.emplace(++ledger_age_last_, key);
    }
    trim_ledger();
  } else {
    tasks_[key].record = ledger;
  }
}

LIBRM_DECL std::vector<AgentCoreRecord> AgentCore::snapshot() const {
  std::vector<AgentCoreRecord> records;
  records.push_back(AgentIdentityRecord{id_, epoch_highest_});
  for (const auto& [age, key] : ledger_by_age_) {
    TaskLedgerRecord record;
    record.framework = key.framework;
    record.info.id = key.task;
    record.acknowledged = true;
    records.push_back(std::move(record));
  }
  for (const auto& [key, task] : tasks_) records.push_back(task.record);
  return records;
}

LIBRM_DECL void AgentCore::resume(Now now, AgentActions& out) {
  LIBRM_CHECK(!resumed_, "an agent is resumed once");
  resumed_ = true;
  // Which lease it had is forgotten. Fences count from here until there is another one: an agent
  // that is never taken in again, because it is down, must keep them all the same.
  lease_until_ = now.mono;
  for (auto& [key, task] : tasks_) {
    const StatusUpdate& latest = task.record.latest;
    report_bytes_ += piece_size(task.record.info);
    if (is_terminal(latest.state)) continue;
    held_ += task.record.info.resources;
    hold_cpus(cpu_load_, task.record);
    if (task.record.incarnation == options_.incarnation) {
      if (task.record.info.fence_after) arm(now.mono + *task.record.info.fence_after);
      arm_release(task.record);
      if (task.record.info.executor) start_executor(now, key, task.record.info);
      continue;
    }
    StatusUpdate gone = latest;
    gone.state = TaskState::gone;
    gone.reason = TaskReason::agent_restarted;
    gone.message = "the host has booted since; whether it had ended is unknown";
    update(now, key, task, std::move(gone), out);
  }
  connecting_ = true;
  out.output(ConnectMaster{});
}

// --- the session ---

LIBRM_DECL void AgentCore::on_master_connected(Now now, ConnectionId connection,
                                               AgentActions& out) {
  connecting_ = false;
  reconnect_at_.reset();
  connection_ = connection;
  registered_ = false;
  register_sent_ = now.mono;
  heartbeat_at_ = now.mono + lease_;  // the registration must be answered within a lease
  RegisterAgent message;
  message.agent = id_;
  message.incarnation = options_.incarnation;
  message.hostname = options_.hostname;
  message.http_address = options_.http_address;
  message.total = options_.total;
  message.attributes = options_.attributes;
  message.topology = options_.topology;
  message.epoch_highest = epoch_highest_;
  message.session = static_cast<std::uint64_t>(now.mono.ns);
  for (const auto& [key, task] : tasks_) {
    TaskReport report{key.framework, task.record.info, task.record.latest};
    if (task.record.release_at) report.release_in = *task.record.release_at - now.mono;
    message.tasks.push_back(std::move(report));
  }
  out.output(Send{connection, std::move(message)});
}

LIBRM_DECL void AgentCore::on_message(Now now, const AgentRegistered& message, AgentActions& out) {
  if (message.epoch < epoch_highest_) {
    out.output(Close{*connection_, "epoch " + std::to_string(message.epoch) + " is over; " +
                                       std::to_string(epoch_highest_) + " was obeyed"});
    lose_session(now);
    return;
  }
  const bool is_new = message.agent != id_;
  if (message.epoch != epoch_highest_ || is_new) {
    persist(AgentIdentityRecord{message.agent, message.epoch}, out);
  }
  registered_ = true;
  lease_ = message.lease;
  lease_until_ = register_sent_ + message.lease;
  leased_ = fences_due_ = true;
  heartbeat_interval_ = message.heartbeat_interval;
  const std::int64_t spread = prng_.between(0, heartbeat_interval_.ns);
  // The first heartbeat under a new id says that it is remembered: nothing is offered before.
  heartbeat_at_ = is_new ? now.mono : now.mono + nanoseconds(spread);
  heartbeats_sent_.clear();
  reconnect_after_ = options_.reconnect_min;
  for (const auto& [key, task] : tasks_) {
    if (task.record.latest.sequence > task.acknowledged_sequence) updated_.insert(key);
  }
  trace(to_string(id_), "registered with epoch " + std::to_string(message.epoch));
}

LIBRM_DECL void AgentCore::on_message(Now now, const AgentRefused& message, AgentActions& out) {
  if (message.code != ErrorCode::unavailable) {
    out.output(StopAgent{Error{message.code, message.message}});
    return;
  }
  // An end would only make an init system start it again, over and over.
  out.output(Close{*connection_, "refused for now: " + message.message});
  reconnect_after_ = options_.reconnect_max;
  lose_session(now);
}

LIBRM_DECL void AgentCore::on_message(Now, const HeartbeatAnswer& message, AgentActions&) {
  auto sent = heartbeats_sent_.find(message.sequence);
  if (sent == heartbeats_sent_.end()) return;
  lease_until_ = std::max(lease_until_, sent->second + lease_);
  fences_due_ = true;
  heartbeats_sent_.erase(heartbeats_sent_.begin(), std::next(sent));
}

LIBRM_DECL void AgentCore::lose_session(Now now) {
  connection_.reset();
  connecting_ = false;
  registered_ = false;
  refusals_.clear();
  const std::int64_t jitter = prng_.between(0, reconnect_after_.ns / 2);
  reconnect_at_ = now.mono + reconnect_after_ + nanoseconds(jitter);
  reconnect_after_ = std::min(reconnect_after_ * 2, options_.reconnect_max);
}

/// Soon, and not all agents of a cluster at once.
LIBRM_DECL void AgentCore::on_master_changed(Now now, AgentActions& out) {
  if (connection_) out.output(Close{*connection_, "there is another leader"});
  lose_session(now);
  reconnect_after_ = options_.reconnect_min;
  reconnect_at_ = now.mono + nanoseconds(prng_.between(0, options_.reconnect_min.ns));
}

LIBRM_DECL void AgentCore::on_tick(Now now, AgentActions& out) {
  if (reconnect_at_ && now.mono >= *reconnect_at_) {
    reconnect_at_.reset();
    connecting_ = true;
    out.output(ConnectMaster{});
  }
  const bool overdue = connection_ && now.mono >= heartbeat_at_;
  if (overdue && (!registered_ || now.mono >= lease_until_)) {
    // Nobody answers there; another connection may find a master that does.
    out.output(Close{*connection_, "the master does not answer"});
    lose_session(now);
  } else if (overdue) {
    heartbeat_at_ = now.mono + heartbeat_interval_;
    heartbeats_sent_[++heartbeat_sequence_] = now.mono;
    out.output(Send{*connection_, AgentHeartbeat{heartbeat_sequence_}});
  }
  if (timer_at_ && now.mono >= *timer_at_) {
    timer_at_.reset();
    check_task_timers(now, out);
    check_executors(now, out);
  }
  if (release_at_ && now.mono >= *release_at_) check_releases(now, out);
}

LIBRM_DECL Deadline AgentCore::next_deadline() const {
  Deadline deadline;
  if (reconnect_at_) deadline.at_latest(*reconnect_at_);
  if (connection_) deadline.at_latest(heartbeat_at_);
  if (timer_at_) deadline.at_latest(*timer_at_);
  if (release_at_) deadline.at_latest(*release_at_);
  return deadline;
}

LIBRM_DECL void AgentCore::flush(Now now, AgentActions& out) {
  if (shepherd_ready_) {
    if (!starts_.empty()) out.output(ToShepherd{StartTasks{std::exchange(starts_, {})}});
    for (SignalTask& signal : signals_) out.output(ToShepherd{std::move(signal)});
    signals_.clear();
    if (!forgets_.empty()) out.output(ToShepherd{ForgetTasks{std::exchange(forgets_, {})}});
    if (fences_due_ && leased_) fence_tasks(out);
  }
  if (!registered_) return;
  StatusUpdates message;
  message.updates = std::exchange(refusals_, {});
  for (const TaskKey& key : std::exchange(updated_, {})) {
    auto found = tasks_.find(key);
    if (found == tasks_.end()) continue;
    Task& task = found->second;
    if (task.record.latest.sequence <= task.acknowledged_sequence) continue;
    task.resend_after = task.resend_at ? std::min(task.resend_after * 2, options_.update_retry_max)
                                       : options_.update_retry_min;
    task.resend_at = now.mono + task.resend_after;
    arm(*task.resend_at);
    message.updates.push_back(task.record.latest);
  }
  in_pieces(
      std::move(message.updates), [](const StatusUpdate& update) { return piece_size(update); },
      [&](std::vector<StatusUpdate> updates) {
        out.output(Send{*connection_, StatusUpdates{std::move(updates)}});
      });
}

LIBRM_DECL void AgentCore::arm(Instant at) {
  timer_at_ = timer_at_ ? std::min(*timer_at_, at) : at;
}

LIBRM_DECL void AgentCore::persist(AgentCoreRecord record, AgentActions& out) {
  apply(record);
  out.record(std::move(record));
}

/// The oldest ids are forgotten first: a launch that old cannot be on its way any more.
LIBRM_DECL void AgentCore::trim_ledger() {
  while (ledger_.size() > options_.ledger_max) {
    ledger_.erase(ledger_by_age_.begin()->second);
    ledger_by_age_.erase(ledger_by_age_.begin());
  }
}

LIBRM_DECL std::string AgentCore::sandbox(const TaskKey& key) const {
  return options_.work_dir + "/runs/" + to_string(key.framework) + "/" + key.task;
}

LIBRM_DECL void AgentCore::trace(std::string_view subject, const std::string& fact) const {
  if (trace_ != nullptr) trace_->trace(subject, fact);
}

LIBRM_DECL std::vector<std::string> AgentCore::check_invariants() const {
  std::vector<std::string> wrong;
  Resources held;
  CpuLoad cpu_load;
  for (const auto& [key, task] : tasks_) {
    if (ledger_.count(key) != 0) {
      wrong.push_back("task " + key.task + ": acknowledged, and still in the table");
    }
    if (is_terminal(task.record.latest.state)) continue;
    held += task.record.info.resources;
    hold_cpus(cpu_load, task.record);
  }
  if (!(held == held_)) {
    wrong.push_back("tasks hold " + to_string(held) + ", the agent thinks " + to_string(held_));
  }
  if (cpu_load != cpu_load_) wrong.push_back("processors: what is promised of them is not kept");
  if (!as_started(options_.total).contains(as_started(held))) {
    wrong.push_back("tasks hold " + to_string(held) + " of " + to_string(options_.total));
  }
  return wrong;
}

}  // namespace librm
