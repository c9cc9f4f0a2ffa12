// What the master offers, what is accepted of it, and what it takes back.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "librm/cluster/impl/master_tasks.ipp"
#include "librm/cluster/master.hpp"

namespace librm {

/// What an offer takes in a message, roughly: ports and attributes vary, the limit is far.
inline constexpr std::size_t offer_bytes = 4096;

namespace detail {

/// Wall clocks are adjusted while an offer travels: who names the very end of a loan means it.
inline constexpr Duration loan_slack = seconds(1);

inline std::vector<Use> uses_of(Now now, const std::vector<TaskInfo>& tasks,
                                std::optional<Instant> lent_until) {
  std::vector<Use> uses;
  for (const TaskInfo& info : tasks) {
    std::optional<Instant> until = until_of(now, info);
    if (until && lent_until && *until - *lent_until <= loan_slack) {
      until = std::min(*until, *lent_until);
    }
    uses.push_back({info.resources, until});
  }
  return uses;
}

/// Whether the resources have some of what is lacking.
inline bool covers_some(const Request& lacks, const Resources& resources) {
  return std::any_of(lacks.amounts.begin(), lacks.amounts.end(), [&](const auto& part) {
    return part.second.milli > 0 && resources.amount(part.first).milli > 0;
  });
}

inline void reduce(Request& lacks, const Resources& resources) {
  for (auto& [name, amount] : lacks.amounts) amount -= std::min(amount, resources.amount(name));
}

}  // namespace detail

/// What is to be done with the offers of one agent, and what was found out about them.
struct MasterCore::Part {
  const std::vector<OfferId>& offers;
  const std::vector<TaskInfo>& tasks;
  const std::vector<Operation>& operations;
  AgentId agent{};
  std::vector<Use> uses{};
  Resources made{};                                ///< there, after the operations
  TaskReason reason = TaskReason::invalid_offers;  ///< for its tasks, were it refused now
};

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const AcceptOffers& message, MasterActions& out) {
  std::vector<Part> parts{Part{message.offers, message.tasks, message.operations}};
  accept(now, connection, std::move(parts), message.refuse_for, out);
}

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const AcceptTogether& message, MasterActions& out) {
  std::vector<Part> parts;
  for (const AcceptPart& part : message.parts) {
    parts.push_back(Part{part.offers, part.tasks, part.operations});
  }
  accept(now, connection, std::move(parts), message.refuse_for, out);
}

/// All or nothing: one wrong offer, task or operation refuses everything.
LIBRM_DECL void MasterCore::accept(Now now, ConnectionId connection, std::vector<Part> parts,
                                   Duration refuse_for, MasterActions& out) {
  Framework* framework = framework_on(connection);
  if (framework == nullptr || parts.empty()) return;
  Result<void> valid;
  TaskReason reason = TaskReason::invalid_offers;
  std::set<TaskId> ids;
  std::set<AgentId> agents;
  for (Part& part : parts) {
    valid = check_part(now, *framework, part, ids);
    reason = part.reason;
    if (valid && part.agent && !agents.insert(part.agent).second) {
      valid = fail(ErrorCode::invalid_argument,
                   "agent " + to_string(part.agent) + " is in two parts of what is accepted");
    }
    if (!valid) break;
  }
  if (valid) {
    std::vector<Allocator::Part> wanted;
    for (const Part& part : parts) {
      wanted.push_back({part.offers, part.uses, part.operations});
    }
    const auto accepted = allocator_->accept_together(wanted, now.mono, refuse_for);
    if (!accepted) valid = tl::unexpected<Error>(accepted.error());
  }
  if (valid) {
    for (Part& part : parts) launch(now, *framework, part, out);
    return;
  }
  // Tasks tell of it themselves; what asks for nothing is a decline.
  bool tasks = false;
  bool operations = false;
  for (const Part& part : parts) {
    reject(*framework, part, reason, valid.error().message);
    tasks = tasks || !part.tasks.empty();
    operations = operations || !part.operations.empty();
  }
  if (!tasks && operations) {
    refuse(connection, valid.error().code, valid.error().message, false, out);
  }
}

LIBRM_DECL Result<void> MasterCore::check_part(Now now, const Framework& framework, Part& part,
                                               std::set<TaskId>& ids) const {
  std::optional<Instant> lent_until;
  for (OfferId id : part.offers) {
    const Offer* offer = allocator_->find_offer(id);
    if (offer == nullptr) continue;
    part.agent = offer->agent;
    if (offer->lent_until) {
      lent_until = std::min(lent_until.value_or(*offer->lent_until), *offer->lent_until);
    }
  }
  if (auto valid = check_tasks(framework, part, ids); !valid) return valid;
  const auto host = agents_.find(part.agent);
  if (host == agents_.end()) return {};  // the allocator knows what is wrong
  if (now.mono >= host->second.lease_until) {
    part.reason = TaskReason::lease_expired;
    return fail(ErrorCode::unavailable,
                "agent " + to_string(part.agent) + " has not been heard for longer than its lease");
  }
  part.uses = detail::uses_of(now, part.tasks, lent_until);
  Result<Resources> made = check_operations(host->second, part.operations);
  if (!made) return tl::unexpected<Error>(made.error());
  part.made = std::move(*made);
  return {};
}

LIBRM_DECL Result<void> MasterCore::check_tasks(const Framework& framework, Part& part,
                                                std::set<TaskId>& ids) const {
  for (OfferId id : part.offers) {
    const Offer* offer = allocator_->find_offer(id);
    if (offer == nullptr || offer->framework != framework.record.framework) {
      return fail(ErrorCode::stale, "offer " + to_string(id) + " is not outstanding for " +
                                        to_string(framework.record.framework));
    }
  }
  for (const TaskInfo& info : part.tasks) {
    part.reason = TaskReason::invalid_task;
    if (Result<void> valid = validate_task_id(info.id); !valid) return valid;
    if (text_bytes(info) > task_bytes_max) {
      return fail(ErrorCode::invalid_argument,
                  "task " + info.id + ": " + std::to_string(text_bytes(info)) +
                      " bytes of text, at most " + std::to_string(task_bytes_max));
    }
    if (info.resources.empty()) {
      return fail(ErrorCode::invalid_argument, "task " + info.id + ": it asks for no resources");
    }
    part.reason = TaskReason::duplicate_task;
    if (!ids.insert(info.id).second || framework.tasks.count(info.id) != 0) {
      return fail(ErrorCode::already_exists, "task " + info.id + ": this id is in use");
    }
    part.reason = TaskReason::invalid_offers;
    for (OfferId id : part.offers) {
      const std::string& role = allocator_->find_offer(id)->role;
      if (role == info.role) continue;
      return fail(ErrorCode::invalid_argument, "task " + info.id + ": role " + info.role +
                                                   ", but offer " + to_string(id) +
                                                   " is for role " + role);
    }
  }
  return {};
}

/// What is still outstanding of its offers goes back, too.
LIBRM_DECL void MasterCore::reject(Framework& framework, const Part& part, TaskReason reason,
                                   const std::string& message) {
  const FrameworkId id = framework.record.framework;
  for (OfferId offer_id : part.offers) {
    const Offer* offer = allocator_->find_offer(offer_id);
    if (offer == nullptr || offer->framework != id) continue;
    (void)allocator_->rescind(offer_id);
    offer_owners_.erase(offer_id);
  }
  for (const TaskInfo& info : part.tasks) {
    if (framework.tasks.count(info.id) != 0) {
      // The id is in use: a terminal state here would end the task that really has it.
      reconcile(framework, {info.id, AgentId{}});
      continue;
    }
    const TaskState state =
        reason == TaskReason::invalid_task ? TaskState::error : TaskState::dropped;
    tell(framework, master_update(id, info.id, part.agent, state, reason, message));
  }
}

LIBRM_DECL void MasterCore::launch(Now now, Framework& framework, Part& part, MasterActions& out) {
  const FrameworkId id = framework.record.framework;
  Agent& agent = agents_.at(part.agent);
  for (OfferId offer : part.offers) offer_owners_.erase(offer);
  if (!part.operations.empty()) {
    persist(ReservationsRecord{part.agent, std::move(part.made)}, out);
  }
  for (std::size_t i = 0; i < part.tasks.size(); ++i) {
    const TaskInfo& info = part.tasks[i];
    Task task{
        id,   part.agent,
        info, master_update(id, info.id, part.agent, TaskState::staging, TaskReason::none, ""),
        true, part.uses[i].until};
    framework.tasks.emplace(info.id, std::move(task));
    agent.tasks.emplace(id, info.id);
  }
  if (part.tasks.empty()) return;
  touch(agent);
  in_pieces(
      part.tasks, [](const TaskInfo& info) { return piece_size(info); },
      [&](std::vector<TaskInfo> tasks) {
        send(*agent.connection,
             LaunchTasks{id, agent.record.incarnation, std::move(tasks), now.wall}, out);
      });
}

/// Makes room for earmarks that have waited too long: of the work that is in their way, the latest
/// starts first, and no more than what they lack.
LIBRM_DECL void MasterCore::preempt(Now now, MasterActions& out) {
  std::map<std::pair<EarmarkId, AgentId>, Request> lacking;
  for (const Allocator::Preemption& wanted : allocator_->preemptions(now.mono)) {
    Agent& agent = agents_.at(wanted.agent);
    if (!agent.connection) continue;
    Request& lacks =
        lacking.try_emplace({wanted.earmark, wanted.agent}, wanted.lacks).first->second;
    Framework& framework = frameworks_.at(wanted.framework);
    std::vector<Task*> tasks;
    for (const auto& [owner, id] : agent.tasks) {
      if (owner != wanted.framework) continue;
      Task& task = framework.tasks.at(id);
      const bool concerned = task.resources_held && task.info.role == wanted.role &&
                             wanted.resources.contains(task.info.resources);
      if (concerned) tasks.push_back(&task);
    }
    // What is on its way out counts first.
    std::stable_sort(tasks.begin(), tasks.end(), [](const Task* a, const Task* b) {
      if (a->preempted != b->preempted) return a->preempted;
      const WallTime staging{std::numeric_limits<std::int64_t>::max()};
      return a->latest.started.value_or(staging) > b->latest.started.value_or(staging);
    });
    for (Task* task : tasks) {
      if (!detail::covers_some(lacks, task->info.resources)) continue;
      detail::reduce(lacks, task->info.resources);
      if (task->preempted) continue;
      task->preempted = true;
      KillTask kill{wanted.framework, task->info.id, wanted.agent, {}, TaskReason::preempted};
      send(*agent.connection, std::move(kill), out);
      trace(to_string(wanted.earmark), "preempts task " + task->info.id);
    }
  }
}

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const DeclineOffers& message, MasterActions&) {
  const Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  for (OfferId id : message.offers) {
    const Offer* offer = allocator_->find_offer(id);
    // An offer that ended meanwhile needs no answer: its end is on the way.
    if (offer == nullptr || offer->framework != framework->record.framework) continue;
    (void)allocator_->decline(id, now.mono, message.refuse_for, message.reason);
    offer_owners_.erase(id);
  }
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const ReviveOffers& message,
                                       MasterActions&) {
  if (const Framework* framework = framework_on(connection)) {
    allocator_->revive(framework->record.framework, message.roles);
  }
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const SuppressOffers& message,
                                       MasterActions&) {
  if (const Framework* framework = framework_on(connection)) {
    allocator_->suppress(framework->record.framework, message.roles);
  }
}

LIBRM_DECL void MasterCore::on_message(Now, ConnectionId connection, const DeclareDemands& message,
                                       MasterActions& out) {
  const Framework* framework = framework_on(connection);
  if (framework == nullptr) return;
  const auto set = allocator_->set_demands(framework->record.framework, message.demands);
  if (!set) refuse(connection, set.error().code, set.error().message, false, out);
}

LIBRM_DECL void MasterCore::rescind_all(const std::vector<OfferId>& offers) {
  for (OfferId id : offers) {
    auto owner = offer_owners_.find(id);
    if (owner == offer_owners_.end()) continue;
    const Framework& framework = frameworks_.at(owner->second);
    if (framework.connection) outboxes_[*framework.connection].rescinds.push_back(id);
    offer_owners_.erase(owner);
  }
}

LIBRM_DECL void MasterCore::send_offers(Now now, std::vector<Offer> made, MasterActions& out) {
  std::map<FrameworkId, Offers> by_framework;
  for (Offer& offer : made) {
    const Agent& agent = agents_.at(offer.agent);
    OfferInfo info;
    info.id = offer.id;
    info.agent = offer.agent;
    info.incarnation = agent.record.incarnation;
    info.role = std::move(offer.role);
    info.hostname = agent.record.hostname;
    info.attributes = agent.record.attributes;
    info.resources = std::move(offer.resources);
    info.lease = offer.expires - now.mono;
    info.available_until = offer.available_until;
    if (offer.lent_until) {
      const WallTime back = now.wall + (*offer.lent_until - now.mono);
      info.available_until = std::min(info.available_until.value_or(back), back);
    }
    info.lent = offer.lent_until.has_value();
    info.earmark = offer.earmark;
    info.demand = offer.demand;
    info.together = offer.together;
    offer_owners_[offer.id] = offer.framework;
    by_framework[offer.framework].offers.push_back(std::move(info));
  }
  for (auto& [id, offers] : by_framework) {
    const ConnectionId connection = *frameworks_.at(id).connection;
    in_pieces(
        std::move(offers.offers), [](const OfferInfo&) { return offer_bytes; },
        [&](std::vector<OfferInfo> piece) { send(connection, Offers{std::move(piece)}, out); });
  }
}

LIBRM_DECL void MasterCore::flush(Now now, MasterActions& out) {
  std::vector<OfferId> expired;
  for (const Offer& offer : allocator_->expire(now.mono)) expired.push_back(offer.id);
  rescind_all(expired);
  maintain(now, out);
  std::vector<Offer> made;
  if (!recovering(now)) made = allocator_->run(now);
  rescind_all(allocator_->take_rescinded());
  preempt(now, out);
  std::map<ConnectionId, Outbox> outboxes = std::exchange(outboxes_, {});
  for (auto& [to, outbox] : outboxes) {
    const ConnectionId connection = to;  // clang 14 captures no structured binding
    if (!outbox.rescinds.empty()) {
      send(connection, RescindOffers{std::move(outbox.rescinds)}, out);
    }
    if (!outbox.inverse_rescinds.empty()) {
      send(connection, RescindInverseOffers{std::move(outbox.inverse_rescinds)}, out);
    }
    in_pieces(
        std::move(outbox.inverse_offers), [](const InverseOfferInfo&) { return offer_bytes; },
        [&](std::vector<InverseOfferInfo> offers) {
          send(connection, InverseOffers{std::move(offers)}, out);
        });
    in_pieces(
        std::move(outbox.updates), [](const StatusUpdate& update) { return piece_size(update); },
        [&](std::vector<StatusUpdate> updates) {
          send(connection, StatusUpdates{std::move(updates)}, out);
        });
    if (!outbox.acks.empty()) {
      send(connection, AcknowledgeUpdates{std::move(outbox.acks)}, out);
    }
  }
  send_offers(now, std::move(made), out);
}

}  // namespace librm
