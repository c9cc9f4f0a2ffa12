// The executor session: subscribing, tasks taken once, updates kept until acknowledged.
#pragma once

#include <utility>

#include "librm/cluster/executor.hpp"

namespace librm {

LIBRM_DECL ExecutorCore::ExecutorCore(ExecutorOptions options) : options_(std::move(options)) {}

LIBRM_DECL void ExecutorCore::start(Now now, ExecutorActions& out) {
  away_since_ = now.mono;
  out.emplace_back(ConnectAgent{});
}

LIBRM_DECL void ExecutorCore::step(Now now, const ExecutorEvent& event, ExecutorActions& out) {
  if (const auto* connected = std::get_if<AgentConnected>(&event)) {
    connection_ = connected->connection;
    SubscribeExecutor subscribe{options_.framework, options_.executor, {}};
    for (const auto& [id, update] : unacknowledged_) subscribe.unacknowledged.push_back(update);
    out.emplace_back(Send{*connection_, std::move(subscribe)});
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    if (connection_ && closed->connection != *connection_) return;
    if (subscribed_) away_since_ = now.mono;
    connection_.reset();
    subscribed_ = false;
    reconnect_at_ = now.mono + options_.reconnect_after;
  } else if (const auto* report = std::get_if<ReportTask>(&event)) {
    StatusUpdate update;
    update.framework = options_.framework;
    update.task = report->task;
    update.agent = agent_;
    update.state = report->state;
    update.source = UpdateSource::executor;
    update.message = report->message;
    update.data = report->data;
    update.exit_code = report->exit_code;
    update.sequence = ++sequences_[report->task];
    if (is_terminal(report->state)) update.ended = now.wall;
    tasks_[report->task] = report->state;
    unacknowledged_[report->task] = update;
    if (subscribed_) out.emplace_back(Send{*connection_, StatusUpdates{{std::move(update)}}});
  } else if (const auto* data = std::get_if<SendToFramework>(&event)) {
    if (!subscribed_) return;
    out.emplace_back(Send{*connection_, ExecutorMessage{options_.framework, agent_,
                                                        options_.executor, data->data, true}});
  } else if (const auto* received = std::get_if<Received>(&event)) {
    if (connection_ != received->connection) return;
    const Message& message = received->message;
    if (const auto* m = std::get_if<ExecutorSubscribed>(&message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<ExecutorLaunch>(&message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<ExecutorKill>(&message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<ExecutorShutdown>(&message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<AcknowledgeUpdates>(&message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<ExecutorMessage>(&message)) on_message(now, *m, out);
  } else if (!connection_) {
    if (now.mono - away_since_ >= options_.recovery_timeout) {
      out.emplace_back(StopExecutor{"the agent stayed away for longer than recovery_timeout"});
      reconnect_at_.reset();
    } else if (reconnect_at_ && now.mono >= *reconnect_at_) {
      reconnect_at_ = now.mono + options_.reconnect_after;
      out.emplace_back(ConnectAgent{});
    }
  }
}

LIBRM_DECL void ExecutorCore::on_message(Now, const ExecutorSubscribed& message, ExecutorActions&) {
  agent_ = message.agent;
  subscribed_ = true;
  reconnect_at_.reset();
}

LIBRM_DECL void ExecutorCore::on_message(Now, const ExecutorLaunch& message, ExecutorActions& out) {
  if (!tasks_.emplace(message.task.id, TaskState::starting).second) return;
  out.emplace_back(RunTask{message.task});
}

LIBRM_DECL void ExecutorCore::on_message(Now, const ExecutorKill& message, ExecutorActions& out) {
  auto found = tasks_.find(message.task);
  if (found == tasks_.end() || is_terminal(found->second)) return;
  out.emplace_back(StopTask{message.task, message.grace});
}

LIBRM_DECL void ExecutorCore::on_message(Now, const ExecutorShutdown& message,
                                         ExecutorActions& out) {
  for (const auto& [id, state] : tasks_) {
    if (!is_terminal(state)) out.emplace_back(StopTask{id, message.grace});
  }
  out.emplace_back(StopExecutor{"shut down by the agent"});
}

LIBRM_DECL void ExecutorCore::on_message(Now, const AcknowledgeUpdates& message, ExecutorActions&) {
  for (const UpdateAck& ack : message.acks) {
    auto found = unacknowledged_.find(ack.task);
    if (found != unacknowledged_.end() && found->second.sequence == ack.sequence) {
      unacknowledged_.erase(found);
    }
  }
}

LIBRM_DECL void ExecutorCore::on_message(Now, const ExecutorMessage& message,
                                         ExecutorActions& out) {
  out.emplace_back(FrameworkData{message.data});
}

LIBRM_DECL Deadline ExecutorCore::next_deadline() const {
  Deadline deadline;
  if (!connection_ && reconnect_at_) deadline.at_latest(*reconnect_at_);
  if (!connection_) deadline.at_latest(away_since_ + options_.recovery_timeout);
  return deadline;
}

}  // namespace librm
