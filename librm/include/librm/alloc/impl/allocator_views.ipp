// What the allocator shows: agents, roles, frameworks, and its own consistency.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/impl/allocator_explain.ipp"
#include "librm/alloc/impl/allocator_state.ipp"

namespace librm {

namespace detail {

inline Resources held_on(const Agent& agent) {
  Resources sum;
  for (const Holding& holding : agent.holdings) sum += holding.resources;
  return sum;
}

inline Resources offered_on(const Agent& agent, const std::map<OfferId, OfferEntry>& offers) {
  Resources sum;
  for (const OfferId id : agent.offers) sum += offers.at(id).offer.resources;
  return sum;
}

inline Allocator::AgentView view(const Agent& agent, const std::map<OfferId, OfferEntry>& offers) {
  return {agent.id,     &agent.hostname, &agent.attributes,         agent.active,
          &agent.total, held_on(agent),  offered_on(agent, offers), agent.free};
}

}  // namespace detail

LIBRM_DECL std::vector<Allocator::AgentView> Allocator::agents() const {
  std::vector<AgentView> views;
  views.reserve(state_->agents.size());
  for (const auto& [id, agent] : state_->agents) {
    views.push_back(detail::view(agent, state_->offers));
  }
  return views;
}

LIBRM_DECL std::optional<Allocator::AgentView> Allocator::agent(AgentId agent) const {
  const detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return std::nullopt;
  return detail::view(*entry, state_->offers);
}

LIBRM_DECL Resources Allocator::total() const {
  return state_->scalars.to_resources(state_->scalars.totals());
}

LIBRM_DECL std::vector<Allocator::RoleView> Allocator::roles() const {
  std::vector<RoleView> views;
  for (const auto& [name, role] : state_->roles) {
    RoleView& view = views.emplace_back();
    view.role = name;
    view.weight_milli = role.weight_milli;
    view.held = state_->scalars.to_resources(role.held);
    for (const auto& [framework, member] : role.members) {
      if (member->wanted) view.frameworks.push_back(framework);
    }
  }
  return views;
}

LIBRM_DECL std::vector<Allocator::FrameworkView> Allocator::frameworks() const {
  std::vector<FrameworkView> views;
  for (const auto& [id, framework] : state_->frameworks) {
    FrameworkView& view = views.emplace_back();
    view.framework = id;
    view.registered = framework.registered;
    view.active = framework.active;
    view.demands = &framework.demands;
    for (const auto& [role, member] : framework.members) {
      if (member.wanted) view.roles.push_back(role);
      if (member.wanted && member.suppressed) view.suppressed.push_back(role);
      view.held += state_->scalars.to_resources(member.held);
    }
  }
  return views;
}

LIBRM_DECL std::vector<std::string> Allocator::check_invariants() const {
  std::vector<std::string> violations;
  std::map<const detail::Member*, detail::Quantities> held;
  detail::Quantities all_held;
  for (const auto& [id, agent] : state_->agents) {
    state_->check_agent(agent, violations);
    for (const detail::Holding& holding : agent.holdings) {
      state_->scalars.book(holding.resources, +1, held[holding.member], all_held);
    }
  }
  for (const auto& [id, entry] : state_->offers) {
    state_->check_offer(id, entry, violations);
    state_->scalars.book(entry.offer.resources, +1, held[entry.member], all_held);
  }
  for (auto& [id, framework] : state_->frameworks) {
    for (auto& [role, member] : framework.members) {
      state_->check_member(member, held[&member], violations);
    }
  }
  for (const auto& [name, role] : state_->roles) state_->check_role(role, violations);
  return violations;
}

LIBRM_DECL void Allocator::State::check_agent(const Agent& agent, Violations& violations) const {
  const std::string name = "agent " + to_string(agent.id);
  Resources rest = agent.total;
  const auto take = [&](const Resources& part, const std::string& what) {
    if (rest.contains(part)) {
      rest -= part;
    } else {
      violations.push_back(name + ": " + what + " " + to_string(part) + " is not within " +
                           to_string(rest) + ", the rest of " + to_string(agent.total));
    }
  };
  take(agent.free, "free");
  for (const Holding& holding : agent.holdings) {
    take(holding.resources, "held by " + to_string(holding.member->framework->id));
  }
  for (const OfferId id : agent.offers) {
    const auto at = offers.find(id);
    if (at == offers.end() || at->second.agent != &agent) {
      violations.push_back(name + ": offer " + to_string(id) + " is not one of its own");
    } else {
      take(at->second.offer.resources, "offered in " + to_string(id));
    }
  }
  if (!rest.empty()) {
    violations.push_back(name + ": " + to_string(rest) + " is neither held, offered nor free");
  }
  std::vector<std::uint32_t> users(agent.refusals.size());
  for (const detail::Filter& filter : agent.filters) {
    ++users[filter.refusal];
    if (!agent.filter_end || *agent.filter_end > filter.expires) {
      violations.push_back(name + ": a filter ends before the first end that is waited for");
    }
  }
  for (std::size_t i = 0; i < users.size(); ++i) {
    if (users[i] != agent.refusals[i].users) violations.push_back(name + ": refusals miscounted");
  }
}

LIBRM_DECL void Allocator::State::check_offer(OfferId id, const OfferEntry& entry,
                                              Violations& violations) const {
  const std::string name = "offer " + to_string(id);
  const auto agent = agents.find(entry.offer.agent);
  if (agent == agents.end() || &agent->second != entry.agent) {
    violations.push_back(name + ": its agent " + to_string(entry.offer.agent) + " is unknown");
  } else if (!std::binary_search(agent->second.offers.begin(), agent->second.offers.end(), id)) {
    violations.push_back(name + ": its agent does not know it");
  } else if (!agent->second.active) {
    violations.push_back(name + ": its agent is inactive");
  }
  const auto framework = frameworks.find(entry.offer.framework);
  if (framework == frameworks.end() || !framework->second.active) {
    violations.push_back(name + ": its framework " + to_string(entry.offer.framework) +
                         " is unknown or inactive");
  } else if (!framework->second.offers.contains(id)) {
    violations.push_back(name + ": its framework does not know it");
  }
  if (entry.offer.resources.empty()) violations.push_back(name + ": it is empty");
}

LIBRM_DECL void Allocator::State::check_member(const Member& member, const detail::Quantities& held,
                                               Violations& violations) const {
  const std::string name = to_string(member.framework->id) + " in role " + member.role->name;
  if (!(member.held == held)) {
    violations.push_back(name + ": holds " + to_string(scalars.to_resources(held)) +
                         ", but is booked with " + to_string(scalars.to_resources(member.held)));
  }
  const bool wants = member.framework->active && member.wanted && !member.suppressed;
  const auto& queue = member.role->queue;
  const bool in_queue = std::find(queue.begin(), queue.end(), &member) != queue.end();
  if (member.queued != wants || in_queue != wants) {
    violations.push_back(name + (wants ? ": wants offers" : ": wants no offers") +
                         ", but its queue says otherwise");
  }
  for (const AgentId id : member.filtered_on) {
    const auto agent = agents.find(id);
    if (agent == agents.end() || detail::FilterBook::find(agent->second, member) == nullptr) {
      violations.push_back(name + ": has no filter on " + to_string(id));
    }
  }
}

LIBRM_DECL void Allocator::State::check_role(const Role& role, Violations& violations) const {
  detail::Quantities sum;
  for (const auto& [framework, member] : role.members) {
    for (detail::ScalarId id = 0; id < member->held.size(); ++id) sum.add(id, member->held[id]);
  }
  if (!(sum == role.held)) {
    violations.push_back("role " + role.name + ": its members hold " +
                         to_string(scalars.to_resources(sum)) + ", but it is booked with " +
                         to_string(scalars.to_resources(role.held)));
  }
  if (role.queued == role.queue.empty()) {
    violations.push_back("role " + role.name + ": its place in the order does not fit its queue");
  }
}

}  // namespace librm
