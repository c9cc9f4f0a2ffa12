// Custom executors: started for the first of their tasks, heard, and shut down after the last.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>

#include "librm/cluster/agent.hpp"
#include "librm/cluster/impl/agent_tasks.ipp"

namespace librm {

namespace detail {

/// What an executor says beyond this is cut, so that no report outgrows a message.
inline constexpr std::size_t executor_text_bytes_max = 64 << 10;

inline constexpr Duration executor_shutdown_grace = seconds(3);

}  // namespace detail

LIBRM_DECL void AgentCore::start_executor(Now now, const TaskKey& key, const TaskInfo& info) {
  auto [entry, is_new] = executors_.try_emplace({key.framework, info.executor->id});
  Executor& executor = entry->second;
  executor.tasks.insert(key);
  if (!is_new) return;
  executor.info = *info.executor;
  executor.info.command.environment["RM_EXECUTOR_ID"] = info.executor->id;
  executor.info.command.environment["RM_EXECUTOR_SOCKET"] = options_.work_dir + "/executor.sock";
  executor.deadline = now.mono + options_.executor_registration_timeout;
  arm(*executor.deadline);
  executor.process = detail::executor_process(key, info.executor->id);
  if (!shepherd_ready_) return;
  starts_.push_back({executor.process, executor.info.command, sandbox(executor.process), {}});
}

LIBRM_DECL void AgentCore::on_executor_subscribed(Now now, ConnectionId connection,
                                                  const SubscribeExecutor& message,
                                                  AgentActions& out) {
  auto found = executors_.find({message.framework, message.executor});
  if (found == executors_.end()) {
    out.output(ToExecutor{connection, ExecutorShutdown{seconds(3)}});
    return;
  }
  Executor& executor = found->second;
  executor.connection = connection;
  executor.deadline.reset();
  out.output(ToExecutor{connection, ExecutorSubscribed{id_}});
  on_executor_updates(now, connection, StatusUpdates{message.unacknowledged}, out);
  // It runs every id once, so sending all of its live tasks again is safe.
  for (const TaskKey& key : executor.tasks) {
    out.output(ToExecutor{connection, ExecutorLaunch{tasks_.at(key).record.info}});
  }
}

LIBRM_DECL void AgentCore::on_executor_updates(Now now, ConnectionId connection,
                                               const StatusUpdates& message, AgentActions& out) {
  const Executor* executor = executor_on(connection);
  if (executor == nullptr) return;
  AcknowledgeUpdates acks;
  for (const StatusUpdate& said : message.updates) {
    const TaskKey key{said.framework, said.task};
    acks.acks.push_back({said.framework, said.task, id_, said.sequence});
    auto found = tasks_.find(key);
    if (found == tasks_.end() || is_terminal(found->second.record.latest.state)) continue;
    if (executor->tasks.count(key) == 0) continue;  // no executor speaks for another's tasks
    StatusUpdate next = found->second.record.latest;
    next.state = said.state;
    next.source = UpdateSource::executor;
    if (said.state == TaskState::killed) next.reason = found->second.kill_reason;
    next.message = said.message.substr(0, detail::executor_text_bytes_max);
    next.data = said.data.substr(0, detail::executor_text_bytes_max);
    next.exit_code = said.exit_code;
    if (said.state == TaskState::running && !next.started) next.started = now.wall;
    if (is_terminal(said.state)) next.ended = now.wall;
    update(now, key, found->second, std::move(next), out);
  }
  // After the records above, so the executor forgets only what is written down here.
  if (!acks.acks.empty()) out.output(ToExecutor{connection, std::move(acks)});
}

LIBRM_DECL void AgentCore::on_message(Now, const ExecutorMessage& message, AgentActions& out) {
  auto found = executors_.find({message.framework, message.executor});
  if (found == executors_.end() || !found->second.connection) return;  // best effort
  out.output(ToExecutor{*found->second.connection, message});
}

LIBRM_DECL const AgentCore::Executor* AgentCore::executor_on(ConnectionId connection) const {
  for (const auto& [id, executor] : executors_) {
    if (executor.connection == connection) return &executor;
  }
  return nullptr;
}

/// Whose message it is says the connection, not the message.
LIBRM_DECL void AgentCore::on_executor_message(Now, ConnectionId connection,
                                               const ExecutorMessage& message, AgentActions& out) {
  for (const auto& [id, executor] : executors_) {
    if (executor.connection != connection || !registered_) continue;
    out.output(Send{*connection_, ExecutorMessage{id.first, id_, id.second, message.data, true}});
  }
}

LIBRM_DECL void AgentCore::on_executor_closed(Now now, ConnectionId connection, AgentActions&) {
  for (auto& [id, executor] : executors_) {
    if (executor.connection != connection) continue;
    executor.connection.reset();
    executor.deadline = now.mono + options_.executor_registration_timeout;
    arm(*executor.deadline);
  }
}

LIBRM_DECL void AgentCore::end_executor(Now now, const TaskKey& process, const TaskEnd& end,
                                        AgentActions& out) {
  auto found = executors_.find({process.framework, detail::executor_of(process)});
  if (found == executors_.end() || found->second.process != process) return;
  const std::set<TaskKey> tasks = found->second.tasks;
  for (const TaskKey& key : tasks) {
    Task& task = tasks_.at(key);
    StatusUpdate last = task.record.latest;
    last.state = task.kill_at ? TaskState::killed : TaskState::failed;
    last.reason = TaskReason::executor_terminated;
    last.message = !end.error.empty() ? "the executor could not be started: " + end.error
                   : end.exit_code
                       ? "the executor ended with exit code " + std::to_string(*end.exit_code)
                   : end.signal ? "the executor was ended by signal " + std::to_string(*end.signal)
                                : "the executor ended, and how is unknown";
    last.ended = end.ended;
    update(now, key, task, std::move(last), out);
  }
  executors_.erase(found);
}

/// It gets the time to end its tasks and itself, then check_executors() ends it.
LIBRM_DECL void AgentCore::shut_down_executor(Now now, Executor& executor, AgentActions& out) {
  Duration grace = detail::executor_shutdown_grace;
  for (const TaskKey& key : executor.tasks) {
    grace = std::max(grace, tasks_.at(key).record.info.kill_grace);
  }
  if (executor.connection) {
    out.output(ToExecutor{*executor.connection, ExecutorShutdown{grace}});
  }
  executor.deadline = now.mono + grace;
  arm(*executor.deadline);
}

LIBRM_DECL bool AgentCore::in_use(const TaskKey& key) const {
  if (!shepherd_ready_ || tasks_.count(key) != 0) return true;
  return std::any_of(executors_.begin(), executors_.end(),
                     [&key](const auto& entry) { return entry.second.process == key; });
}

LIBRM_DECL void AgentCore::check_executors(Now now, AgentActions&) {
  for (auto& [id, executor] : executors_) {
    if (!executor.deadline) continue;
    if (now.mono < *executor.deadline) {
      arm(*executor.deadline);
      continue;
    }
    executor.deadline.reset();
    // Its end will be reported by the shepherd and ends its tasks.
    signals_.push_back({executor.process, detail::signal_kill});
  }
}

}  // namespace librm
