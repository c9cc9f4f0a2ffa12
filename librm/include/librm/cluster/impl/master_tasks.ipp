// The master's tasks and offers: launched, reported, acknowledged, reconciled, and freed.
#pragma once

#include <algorithm>
#include <limits>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/cluster/master.hpp"

namespace librm {

/// What an offer takes in a message, roughly: ports and attributes vary, the limit is far.
inline constexpr std::size_t offer_bytes = 4096;

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

// --- offers ---

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

// --- tasks ---

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
