// The master's maintenance: windows, cordons, drains, and agents that are down.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/cluster/master.hpp"

namespace librm {

namespace detail {

inline std::string down_text(const MasterCore::Agent& agent) {
  const std::string id = to_string(agent.record.agent);
  return "agent " + id + " (" + agent.record.hostname + ") is down for maintenance" +
         (agent.service.reason.empty() ? "" : ": " + agent.service.reason) +
         "; it is taken in again after 'rmctl node up " + id + "'";
}

}  // namespace detail

// --- windows ---

LIBRM_DECL void MasterCore::on_set_maintenance(Now now, const SetMaintenance& event,
                                               MasterActions& out) {
  Result<void> set = set_windows(now, event, out);
  out.output(Reply{event.request, std::move(set)});
}

LIBRM_DECL Result<void> MasterCore::set_windows(Now now, const SetMaintenance& event,
                                                MasterActions& out) {
  // A repetition of what was done already, whose answer was lost.
  if (event.windows == maintenance_.windows) return {};
  if (event.revision && *event.revision != maintenance_.revision) {
    return fail(ErrorCode::stale, "maintenance: the schedule is at revision " +
                                      std::to_string(maintenance_.revision) +
                                      ", the change was made to revision " +
                                      std::to_string(*event.revision));
  }
  if (Result<void> valid = validate_windows(event.windows, now.wall); !valid) return valid;
  persist(MaintenanceRecord{maintenance_.revision + 1, event.windows}, out);
  refresh_windows(now);
  return {};
}

LIBRM_DECL std::optional<WallTime> MasterCore::window_start(const AgentRecord& agent,
                                                            WallTime now) const {
  const MaintenanceWindow* window =
      next_window(maintenance_.windows, agent.agent, agent.hostname, now);
  return window != nullptr ? std::optional(window->start) : std::nullopt;
}

/// Offers of agents whose next window changed are made anew. They leave the allocator for that, so
/// that refusals end, too: those were of an agent with another future.
LIBRM_DECL void MasterCore::refresh_windows(Now now) {
  for (auto& [id, agent] : agents_) {
    const std::optional<WallTime> until = window_start(agent.record, now.wall);
    if (until == agent.available_until) continue;
    agent.available_until = until;
    touched_.insert(id);
    if (!agent.in_allocator) continue;
    const Resources total = *allocator_->agent(id)->total;  // it goes with the entry there
    (void)enter_allocator(agent, total);
  }
  for (const MaintenanceWindow& window : maintenance_.windows) {
    if (window.duration) look_at(window.start + *window.duration);
  }
}

LIBRM_DECL void MasterCore::look_at(WallTime t) {
  maintenance_at_ = maintenance_at_ ? std::min(*maintenance_at_, t) : t;
}

/// Forgets windows that are over, and looks at every drain.
LIBRM_DECL void MasterCore::check_windows(Now now, MasterActions& out) {
  maintenance_at_.reset();
  MaintenanceRecord left{maintenance_.revision + 1, {}};
  for (const MaintenanceWindow& window : maintenance_.windows) {
    if (!is_over(window, now.wall)) left.windows.push_back(window);
  }
  if (left.windows.size() != maintenance_.windows.size()) persist(std::move(left), out);
  refresh_windows(now);
  for (const auto& [id, agent] : agents_) touch(agent);
}

// --- inverse offers ---

/// Brings the inverse offers of an agent in line with its next window and with who has tasks there.
LIBRM_DECL void MasterCore::ask_to_leave(Now now, const Agent& agent) {
  const AgentId id = agent.record.agent;
  const MaintenanceWindow* window =
      agent.connection ? next_window(maintenance_.windows, id, agent.record.hostname, now.wall)
                       : nullptr;
  std::set<FrameworkId> holders;
  for (const auto& [framework, task] : agent.tasks) {
    const Framework& owner = frameworks_.at(framework);
    if (owner.connection && !is_terminal(owner.tasks.at(task).latest.state)) {
      holders.insert(framework);
    }
  }
  for (auto at = inverse_offers_.lower_bound({id, FrameworkId{}});
       at != inverse_offers_.end() && at->first.first == id;) {
    InverseOffer& offer = at->second;
    const bool stands = window != nullptr && window->start == offer.info.start &&
                        window->duration == offer.info.duration &&
                        window->reason == offer.info.reason && holders.count(offer.framework) != 0;
    if (stands) {
      const bool again = offer.ask_again && now.mono >= *offer.ask_again;
      holders.erase(offer.framework);
      if (!again) {
        // Another one's time may have come, and this one's is to be waited for still.
        if (offer.ask_again)
          inverse_at_ = std::min(inverse_at_.value_or(*offer.ask_again), *offer.ask_again);
        ++at;
        continue;
      }
      holders.insert(offer.framework);
    }
    rescind(offer);
    at = inverse_offers_.erase(at);
  }
  if (window == nullptr) return;
  for (const FrameworkId framework : holders) {
    InverseOffer offer;
    offer.framework = framework;
    offer.info = {InverseOfferId{++inverse_offer_last_},
                  id,
                  agent.record.hostname,
                  window->start,
                  window->duration,
                  window->reason};
    outboxes_[*frameworks_.at(framework).connection].inverse_offers.push_back(offer.info);
    inverse_offers_.emplace(std::pair(id, framework), std::move(offer));
  }
}

LIBRM_DECL void MasterCore::rescind(const InverseOffer& offer) {
  const Framework& framework = frameworks_.at(offer.framework);
  if (framework.connection)
    outboxes_[*framework.connection].inverse_rescinds.push_back(offer.info.id);
}

/// Its session begins or ends: nothing is outstanding, and it is asked once it is there.
LIBRM_DECL void MasterCore::forget_inverse_offers(FrameworkId framework) {
  std::erase_if(inverse_offers_,
                [framework](const auto& entry) { return entry.first.second == framework; });
  for (const auto& [id, task] : frameworks_.at(framework).tasks) touch(agents_.at(task.agent));
}

LIBRM_DECL void MasterCore::answer_inverse(Now now, ConnectionId from,
                                           const std::vector<InverseOfferId>& offers,
                                           Duration refuse_for, InverseOffer::Answer answer,
                                           const std::string& reason) {
  const Framework* framework = framework_on(from);
  if (framework == nullptr) return;
  const std::set<InverseOfferId> answered(offers.begin(), offers.end());
  constexpr std::size_t reason_bytes_max = 255;
  constexpr Duration refuse_for_max = seconds(365 * 24 * 3600);
  const Duration wait =
      std::min(std::max(refuse_for, options_.inverse_offer_interval), refuse_for_max);
  for (auto& [key, offer] : inverse_offers_) {
    // One that was rescinded meanwhile needs no answer.
    if (offer.framework != framework->record.framework) continue;
    if (answered.count(offer.info.id) == 0) continue;
    offer.answer = answer;
    offer.reason = reason.substr(0, reason_bytes_max);
    offer.ask_again = now.mono + wait;
    inverse_at_ = std::min(inverse_at_.value_or(*offer.ask_again), *offer.ask_again);
  }
}

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const AcceptInverseOffers& message, MasterActions&) {
  answer_inverse(now, connection, message.offers, message.refuse_for,
                 InverseOffer::Answer::accepted, "");
}

LIBRM_DECL void MasterCore::on_message(Now now, ConnectionId connection,
                                       const DeclineInverseOffers& message, MasterActions&) {
  answer_inverse(now, connection, message.offers, message.refuse_for,
                 InverseOffer::Answer::declined, message.reason);
}

// --- agents out of service ---

LIBRM_DECL void MasterCore::on_control_agent(Now now, const ControlAgent& event,
                                             MasterActions& out) {
  Result<void> done = control_agent(now, event, out);
  out.output(Reply{event.request, std::move(done)});
}

/// What the agent becomes, or why it cannot.
LIBRM_DECL Result<AgentService> MasterCore::next_service(const Agent& agent,
                                                         const ControlAgent& event) const {
  const AgentService present = agent.service.service;
  const std::string name = "agent " + to_string(event.agent) + " is ";
  const auto refused = [&](const std::string& what) {
    return fail(ErrorCode::failed_precondition, name + to_string(present) + "; " + what);
  };
  const bool is_drained = present == AgentService::drained;
  const bool drains = present == AgentService::draining || is_drained;
  if (present == AgentService::down && event.action != AgentAction::down &&
      event.action != AgentAction::up) {
    return refused("it has to be up first");
  }
  switch (event.action) {
    case AgentAction::cordon:
      if (drains) return refused("undrain it first");
      return AgentService::cordoned;
    case AgentAction::uncordon:
      if (drains) return refused("undrain it");
      return AgentService::normal;
    case AgentAction::drain:
      return AgentService::draining;
    case AgentAction::undrain:
      if (present == AgentService::cordoned) return refused("uncordon it");
      return AgentService::normal;
    case AgentAction::down:
      if (is_drained || event.force || present == AgentService::down) return AgentService::down;
      return refused("only a drained agent can be taken down, unless that is forced");
    case AgentAction::up:
      if (present == AgentService::down) return AgentService::normal;
      if (present == AgentService::normal) return AgentService::normal;
      return refused("it is not down");
  }
  return refused("there is no such action");
}

LIBRM_DECL Result<void> MasterCore::control_agent(Now now, const ControlAgent& event,
                                                  MasterActions& out) {
  auto found = agents_.find(event.agent);
  const std::string name = "agent " + to_string(event.agent);
  if (found == agents_.end()) return fail(ErrorCode::not_found, name + ": no such agent");
  Agent& agent = found->second;
  if (agent.record.status == AgentStatus::gone) {
    return fail(ErrorCode::failed_precondition, name + " was marked gone by an operator");
  }
  if (event.reason.size() > maintenance_reason_bytes_max) {
    return fail(ErrorCode::invalid_argument,
                name + ": reason: at most " + std::to_string(maintenance_reason_bytes_max) +
                    " bytes, given " + std::to_string(event.reason.size()));
  }
  if (Result<void> valid = validate_drain(event.drain); !valid) return valid;
  const Result<AgentService> next = next_service(agent, event);
  if (!next) return tl::unexpected<Error>(next.error());
  const AgentService before = agent.service.service;
  AgentServiceRecord record{event.agent, *next, {}, {}, now.wall};
  if (*next == AgentService::draining) record.drain = event.drain;
  if (*next != AgentService::normal) record.reason = event.reason;
  if (*next == before) {
    // What is so already stays so; another reason or another drain is news.
    record.since = agent.service.since;
    if (record == agent.service) return {};
  }
  const bool same_drain =
      record.drain == agent.service.drain && record.reason == agent.service.reason;
  if (before == AgentService::drained && *next == AgentService::draining && same_drain) return {};
  if (before == AgentService::normal && *next == AgentService::normal) return {};
  persist(record, out);
  trace(to_string(event.agent), std::string("is ") + to_string(*next));
  if (*next == AgentService::down) {
    take_down(now, agent, out);
  } else if (agent.in_allocator) {
    if (*next != AgentService::normal) {
      rescind_all(allocator_->deactivate_agent(event.agent));
    } else if (agent.connection) {
      allocator_->activate_agent(event.agent);
    }
  }
  touch(agent);
  return {};
}

/// It is told to stop. What is left there cannot be asked about before the agent returns, and is
/// unreachable when its lease is over: fences count from there.
LIBRM_DECL void MasterCore::take_down(Now now, Agent& agent, MasterActions& out) {
  if (agent.connection) {
    send(*agent.connection, AgentRefused{ErrorCode::unavailable, detail::down_text(agent)}, out);
    disconnect(agent, "down for maintenance", out);
  }
  if (agent.record.status == AgentStatus::unreachable) return;
  const bool is_idle = agent.in_allocator && agent.tasks.empty();
  if (is_idle || now.mono >= agent.lease_until) {
    mark_unreachable(agent, "down for maintenance", out);
    return;
  }
  if (agent.in_allocator) rescind_all(allocator_->deactivate_agent(agent.record.agent));
  look_at(agent.lease_until);
}

// --- drains ---

/// What happens to an agent without maintenance costs nothing here.
LIBRM_DECL void MasterCore::touch(const Agent& agent) {
  if (agent.service.service != AgentService::normal || agent.available_until) {
    touched_.insert(agent.record.agent);
  }
}

LIBRM_DECL void MasterCore::maintain(Now now, MasterActions& out) {
  for (const AgentId id : std::exchange(touched_, {})) {
    Agent& agent = agents_.at(id);
    const AgentService service = agent.service.service;
    if (service == AgentService::draining || service == AgentService::drained) {
      drain(now, agent, out);
    }
    ask_to_leave(now, agent);
  }
}

/// Before the agent has reported nothing is known of it, so nothing is concluded.
LIBRM_DECL void MasterCore::drain(Now now, Agent& agent, MasterActions& out) {
  if (!agent.connection || !agent.in_allocator) return;
  const AgentService next = agent.tasks.empty() ? AgentService::drained : AgentService::draining;
  if (next != agent.service.service) {
    AgentServiceRecord record = agent.service;
    record.service = next;
    record.since = now.wall;
    persist(std::move(record), out);
    trace(to_string(agent.record.agent), std::string("is ") + to_string(next));
  }
  if (agent.tasks.empty()) return;
  const DrainPlan plan = librm::plan_drain(drain_snapshot(agent, agent.service.drain, now.wall));
  for (const DrainPlan::Kill& kill : plan.kills) {
    if (kill.at > now.wall) {
      look_at(kill.at);
      break;  // the others are later
    }
    if (!agent.drain_kills.insert({kill.framework, kill.task}).second) continue;
    send(*agent.connection,
         KillTask{kill.framework, kill.task, agent.record.agent, kill.grace, kill.reason}, out);
  }
}

LIBRM_DECL DrainSnapshot MasterCore::drain_snapshot(const Agent& agent, const Drain& drain,
                                                    WallTime now) const {
  DrainSnapshot snapshot;
  snapshot.now = now;
  const AgentRecord& record = agent.record;
  const MaintenanceWindow* window =
      next_window(maintenance_.windows, record.agent, record.hostname, now);
  if (window != nullptr) snapshot.windows.push_back(*window);
  DrainSnapshot::Agent one;
  one.agent = agent.record.agent;
  one.hostname = agent.record.hostname;
  one.there = agent.connection && agent.in_allocator;
  one.drain = drain;
  for (const auto& [framework, id] : agent.tasks) {
    const Framework& owner = frameworks_.at(framework);
    const Task& task = owner.tasks.at(id);
    const std::string& name = owner.record.info.name;
    one.tasks.push_back({framework, name.empty() ? to_string(framework) : name, id,
                         task.latest.state, task.latest.started, task.info.time_limit,
                         task.info.release_by, task.info.kill_grace});
  }
  snapshot.agents.push_back(std::move(one));
  return snapshot;
}

LIBRM_DECL Result<DrainPlan> MasterCore::plan_drain(AgentId agent, const Drain& drain,
                                                    WallTime now) const {
  auto found = agents_.find(agent);
  if (found == agents_.end() || found->second.record.status == AgentStatus::gone) {
    return fail(ErrorCode::not_found, "agent " + to_string(agent) + ": no such agent");
  }
  if (Result<void> valid = validate_drain(drain); !valid) {
    return tl::unexpected<Error>(valid.error());
  }
  return librm::plan_drain(drain_snapshot(found->second, drain, now));
}

}  // namespace librm
