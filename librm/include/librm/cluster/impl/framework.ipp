// The framework session: (re)connecting, offers, updates, kills and reconciliation.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/cluster/framework.hpp"

namespace librm {

LIBRM_DECL FrameworkCore::FrameworkCore(FrameworkOptions options)
    : options_(std::move(options)),
      prng_(options_.seed),
      reconnect_after_(options_.reconnect_min),
      heartbeat_interval_(seconds(5)) {}

LIBRM_DECL void FrameworkCore::remember(const KnownTask& task) {
  TrackedTask& tracked = tasks_[task.task];
  tracked.agent = task.agent;
}

LIBRM_DECL void FrameworkCore::start(Now, FrameworkActions& out) {
  connecting_ = true;
  out.emplace_back(ConnectMaster{});
}

LIBRM_DECL void FrameworkCore::step(Now now, const FrameworkEvent& event, FrameworkActions& out) {
  if (const auto* connected = std::get_if<MasterConnected>(&event)) {
    connecting_ = false;
    reconnect_at_.reset();
    connection_ = connected->connection;
    last_heard_ = now.mono;
    heartbeat_at_ = now.mono + heartbeat_interval_;
    send(Subscribe{options_.framework, options_.info}, out);
  } else if (std::holds_alternative<MasterUnavailable>(event)) {
    lose_session(now, out);
  } else if (std::holds_alternative<MasterChanged>(event)) {
    on_master_changed(now, out);
  } else if (const auto* closed = std::get_if<Closed>(&event)) {
    if (connection_ == closed->connection) lose_session(now, out);
  } else if (const auto* call = std::get_if<Call>(&event)) {
    on_call(now, *call, out);
  } else if (const auto* received = std::get_if<Received>(&event)) {
    if (connection_ != received->connection) return;  // of a session that is over
    last_heard_ = now.mono;
    if (const auto* m = std::get_if<Subscribed>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<Offers>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<RescindOffers>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<InverseOffers>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<RescindInverseOffers>(&received->message)) {
      on_message(now, *m, out);
    }
    if (const auto* m = std::get_if<StatusUpdates>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<FrameworkError>(&received->message)) on_message(now, *m, out);
    if (const auto* m = std::get_if<AgentLost>(&received->message)) out.emplace_back(AgentNews{*m});
    if (const auto* m = std::get_if<ExecutorMessage>(&received->message)) {
      out.emplace_back(MessageReceived{*m});
    }
  } else {
    on_tick(now, out);
  }
}

LIBRM_DECL void FrameworkCore::on_message(Now now, const Subscribed& message,
                                          FrameworkActions& out) {
  options_.framework = message.framework;
  subscribed_ = true;
  reconnect_after_ = options_.reconnect_min;
  heartbeat_interval_ = message.heartbeat_interval;
  heartbeat_at_ = now.mono + heartbeat_interval_;
  for (auto& [id, task] : tasks_) {
    task.heard.reset();
    if (task.kill_retry_at) task.kill_retry_at = now.mono;
  }
  out.emplace_back(SessionOpened{message.framework, message.epoch});
  if (!demands_.empty()) send(DeclareDemands{demands_}, out);
  reconcile_after_ = seconds(1);
  reconcile_unheard(now, out);
  on_tick(now, out);
}

LIBRM_DECL void FrameworkCore::on_message(Now now, const Offers& message, FrameworkActions& out) {
  for (const OfferInfo& offer : message.offers) {
    OfferReceived received{offer, now.mono + offer.lease};
    offers_[offer.id] = received;
    out.emplace_back(std::move(received));
  }
}

LIBRM_DECL void FrameworkCore::on_message(Now, const RescindOffers& message,
                                          FrameworkActions& out) {
  for (OfferId offer : message.offers) {
    if (offers_.erase(offer) != 0) out.emplace_back(OfferEnded{offer});
  }
}

LIBRM_DECL void FrameworkCore::on_message(Now, const InverseOffers& message,
                                          FrameworkActions& out) {
  for (const InverseOfferInfo& offer : message.offers) {
    inverse_offers_.insert(offer.id);
    out.emplace_back(InverseOfferReceived{offer});
  }
}

LIBRM_DECL void FrameworkCore::on_message(Now, const RescindInverseOffers& message,
                                          FrameworkActions& out) {
  for (InverseOfferId offer : message.offers) {
    if (inverse_offers_.erase(offer) != 0) out.emplace_back(InverseOfferEnded{offer});
  }
}

LIBRM_DECL void FrameworkCore::on_message(Now now, const StatusUpdates& message,
                                          FrameworkActions& out) {
  for (const StatusUpdate& update : message.updates) on_update(now, update, out);
}

LIBRM_DECL void FrameworkCore::on_update(Now now, const StatusUpdate& update,
                                         FrameworkActions& out) {
  auto found = tasks_.find(update.task);
  if (found == tasks_.end()) {
    // Of a task that ended for us, or that an earlier process launched: the framework decides.
    out.emplace_back(UpdateReceived{update});
    return;
  }
  TrackedTask& task = found->second;
  task.heard = now.mono;
  // An end is always news: a host that crashed may have lost count and number it like an earlier
  // update.
  const bool ends = is_terminal(update.state) && !is_terminal(task.state);
  if (!ends && update.sequence > 0 && update.sequence <= task.acknowledged) {
    acknowledge(update, out);  // its acknowledgement was lost
    return;
  }
  if (!ends && update.sequence > 0 && update.sequence <= task.sequence) return;  // being remembered
  if (update.sequence > 0) task.sequence = update.sequence;
  if (update.agent) task.agent = update.agent;
  task.state = update.state;
  const bool over = is_terminal(update.state) && update.sequence == 0;
  if (over) tasks_.erase(found);
  out.emplace_back(UpdateReceived{update});
}

LIBRM_DECL void FrameworkCore::on_message(Now now, const FrameworkError& message,
                                          FrameworkActions& out) {
  out.emplace_back(CallRefused{message});
  if (!message.fatal) return;
  if (connection_) out.emplace_back(Close{*connection_, message.message});
  lose_session(now, out);
}

LIBRM_DECL void FrameworkCore::on_call(Now now, const Call& call, FrameworkActions& out) {
  if (const auto* accept = std::get_if<AcceptOffers>(&call.message)) {
    const std::size_t bytes = launch_bytes(accept->tasks, accept->operations);
    if (!launch(now, accept->offers, accept->tasks, bytes, out)) return;
  } else if (const auto* together = std::get_if<AcceptTogether>(&call.message)) {
    std::size_t bytes = 0;
    for (const AcceptPart& part : together->parts) {
      bytes += launch_bytes(part.tasks, part.operations);
    }
    bool sent = true;
    for (const AcceptPart& part : together->parts) {
      sent = launch(now, part.offers, part.tasks, bytes, out);
    }
    if (!sent) return;
  } else if (const auto* demands = std::get_if<DeclareDemands>(&call.message)) {
    demands_ = demands->demands;
  } else if (const auto* decline = std::get_if<DeclineOffers>(&call.message)) {
    for (OfferId offer : decline->offers) offers_.erase(offer);
  } else if (const auto* kill = std::get_if<KillTask>(&call.message)) {
    auto found = tasks_.find(kill->task);
    if (found != tasks_.end()) {
      found->second.kill_retry_at = now.mono + options_.kill_retry;
      found->second.kill_grace = kill->grace;
    }
  } else if (const auto* acks = std::get_if<AcknowledgeUpdates>(&call.message)) {
    for (const UpdateAck& ack : acks->acks) {
      auto found = tasks_.find(ack.task);
      if (found == tasks_.end()) continue;
      found->second.acknowledged = std::max(found->second.acknowledged, ack.sequence);
      if (is_terminal(found->second.state)) tasks_.erase(found);
    }
  }
  if (subscribed_) send(call.message, out);
}

/// What they take in a message, roughly.
LIBRM_DECL std::size_t FrameworkCore::launch_bytes(const std::vector<TaskInfo>& tasks,
                                                   const std::vector<Operation>& operations) {
  std::size_t bytes = 0;
  for (const TaskInfo& info : tasks) bytes += piece_size(info);
  for (const Operation& operation : operations) bytes += to_string(operation).size() + 512;
  return bytes;
}

/// False where the message, of so many bytes, cannot be sent; its tasks are over then.
LIBRM_DECL bool FrameworkCore::launch(Now now, const std::vector<OfferId>& offers,
                                      const std::vector<TaskInfo>& tasks, std::size_t bytes,
                                      FrameworkActions& out) {
  AgentId agent;
  for (OfferId offer : offers) {
    auto found = offers_.find(offer);
    if (found == offers_.end()) continue;
    agent = found->second.offer.agent;
    offers_.erase(found);
  }
  const bool too_large = bytes > launch_bytes_max;
  for (const TaskInfo& info : tasks) {
    if (subscribed_ && !too_large) {
      TrackedTask& task = tasks_[info.id];
      task.agent = agent;
      task.heard = now.mono;
      continue;
    }
    StatusUpdate update;
    update.framework = options_.framework;
    update.task = info.id;
    update.agent = agent;
    update.state = too_large ? TaskState::error : TaskState::dropped;
    update.reason = too_large ? TaskReason::invalid_task : TaskReason::invalid_offers;
    update.source = UpdateSource::master;
    update.message = too_large ? "it was launched in one message of " + std::to_string(bytes) +
                                     " bytes, at most " + std::to_string(launch_bytes_max)
                               : "the session with the master is lost, and its offers with it";
    out.emplace_back(UpdateReceived{std::move(update)});
  }
  return subscribed_ && !too_large;
}

LIBRM_DECL std::vector<OfferReceived> FrameworkCore::offers_of(EarmarkId earmark) const {
  std::vector<OfferReceived> all;
  for (const auto& [id, offer] : offers_) {
    if (offer.offer.earmark == earmark) all.push_back(offer);
  }
  if (!all.empty() && all.size() < all.front().offer.together) all.clear();
  return all;
}

LIBRM_DECL void FrameworkCore::on_tick(Now now, FrameworkActions& out) {
  if (reconnect_at_ && now.mono >= *reconnect_at_) {
    reconnect_at_.reset();
    connecting_ = true;
    out.emplace_back(ConnectMaster{});
  }
  if (connection_ && heartbeat_at_ && now.mono >= *heartbeat_at_) {
    if (now.mono - last_heard_ > heartbeat_interval_ * 3) {
      out.emplace_back(Close{*connection_, "the master is silent"});
      lose_session(now, out);
      return;
    }
    heartbeat_at_ = now.mono + heartbeat_interval_;
    if (subscribed_) send(FrameworkHeartbeat{++heartbeat_sequence_}, out);
  }
  for (auto offer = offers_.begin(); offer != offers_.end();) {
    if (now.mono < offer->second.expires) {
      ++offer;
      continue;
    }
    out.emplace_back(OfferEnded{offer->first});
    offer = offers_.erase(offer);
  }
  if (!subscribed_) return;
  for (auto& [id, task] : tasks_) {
    if (!task.kill_retry_at || now.mono < *task.kill_retry_at || is_terminal(task.state)) continue;
    task.kill_retry_at = now.mono + options_.kill_retry;
    send(KillTask{options_.framework, id, task.agent, task.kill_grace}, out);
  }
  if (now.mono >= reconcile_at_) reconcile_unheard(now, out);
}

LIBRM_DECL void FrameworkCore::reconcile_unheard(Now now, FrameworkActions& out) {
  std::vector<TaskRef> unheard;
  for (const auto& [id, task] : tasks_) {
    // "Unreachable" is no last word: a host that lost its ledger will never report the task.
    const bool silent = !task.heard || task.state == TaskState::unreachable ||
                        now.mono - *task.heard >= options_.reconcile_interval;
    if (silent && !is_terminal(task.state)) unheard.push_back({id, task.agent});
  }
  if (unheard.empty()) reconcile_after_ = options_.reconcile_interval;
  in_pieces(
      std::move(unheard), [](const TaskRef& task) { return task.task.size() + 64; },
      [&](std::vector<TaskRef> tasks) { send(ReconcileTasks{std::move(tasks)}, out); });
  reconcile_at_ = now.mono + reconcile_after_;
  reconcile_after_ = std::min(reconcile_after_ * 2, options_.reconcile_interval);
}

LIBRM_DECL void FrameworkCore::lose_session(Now now, FrameworkActions& out) {
  const bool had_session = subscribed_;
  connection_.reset();
  connecting_ = false;
  subscribed_ = false;
  heartbeat_at_.reset();
  for (const auto& [id, offer] : offers_) out.emplace_back(OfferEnded{id});
  offers_.clear();
  for (InverseOfferId id : inverse_offers_) out.emplace_back(InverseOfferEnded{id});
  inverse_offers_.clear();
  // What was passed on and not acknowledged may have to be passed on again.
  for (auto& [id, task] : tasks_) task.sequence = task.acknowledged;
  const std::int64_t jitter = prng_.between(0, reconnect_after_.ns / 2);
  reconnect_at_ = now.mono + reconnect_after_ + nanoseconds(jitter);
  reconnect_after_ = std::min(reconnect_after_ * 2, options_.reconnect_max);
  if (had_session) out.emplace_back(SessionLost{});
}

LIBRM_DECL void FrameworkCore::on_master_changed(Now now, FrameworkActions& out) {
  if (connection_) out.emplace_back(Close{*connection_, "there is another leader"});
  lose_session(now, out);
  reconnect_after_ = options_.reconnect_min;
  reconnect_at_ = now.mono + nanoseconds(prng_.between(0, options_.reconnect_min.ns));
}

LIBRM_DECL void FrameworkCore::send(Message message, FrameworkActions& out) {
  if (connection_) out.emplace_back(Send{*connection_, std::move(message)});
}

LIBRM_DECL void FrameworkCore::acknowledge(const StatusUpdate& update, FrameworkActions& out) {
  send(AcknowledgeUpdates{{{update.framework, update.task, update.agent, update.sequence}}}, out);
}

LIBRM_DECL Deadline FrameworkCore::next_deadline() const {
  Deadline deadline;
  if (reconnect_at_) deadline.at_latest(*reconnect_at_);
  if (heartbeat_at_) deadline.at_latest(*heartbeat_at_);
  for (const auto& [id, offer] : offers_) deadline.at_latest(offer.expires);
  if (!subscribed_) return deadline;
  for (const auto& [id, task] : tasks_) {
    if (task.kill_retry_at && !is_terminal(task.state)) deadline.at_latest(*task.kill_retry_at);
  }
  if (!tasks_.empty()) deadline.at_latest(reconcile_at_);
  return deadline;
}

}  // namespace librm
