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
    view.quota = role.quota.quota;
    if (state_->quotas.active()) view.consumed = state_->scalars.to_resources(role.quota.charged);
    detail::Quantities fair;
    for (const auto& [scalar, use] : state_->scalars.names()) {
      fair.add(use.id, state_->fair_amount(role, use.id));
    }
    view.fair = state_->scalars.to_resources(fair);
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
    for (const auto& entry : framework.demands) view.demands.push_back(entry.demand);
    for (const auto& [role, member] : framework.members) {
      if (member.wanted) view.roles.push_back(role);
      if (member.wanted && member.suppressed) view.suppressed.push_back(role);
      view.held += state_->scalars.to_resources(member.held);
    }
  }
  return views;
}

LIBRM_DECL std::vector<Allocator::EarmarkView> Allocator::earmarks() const {
  std::vector<EarmarkView> views;
  for (const auto& [id, earmark] : state_->earmarks) {
    EarmarkView& view = views.emplace_back();
    view.earmark = id;
    view.framework = earmark.framework->id;
    view.demand = earmark.demand.id;
    view.role = earmark.role->name;
    view.created = earmark.created;
    view.starts = earmark.starts;
    for (const detail::Agent* agent : earmark.agents) view.agents.push_back(agent->id);
    view.ready = earmark.ready;
  }
  return views;
}

LIBRM_DECL std::vector<Allocator::Preemption> Allocator::preemptions(Instant now) const {
  std::vector<Preemption> wanted;
  for (const auto& [id, earmark] : state_->earmarks) {
    if (earmark.starts || now < earmark.created + state_->options.earmark_max) continue;
    for (const detail::Agent* agent : earmark.agents) {
      for (const detail::Claim& claim : agent->claims) {
        if (claim.earmark == id && !claim.ready) state_->find_preemptible(earmark, *agent, wanted);
      }
    }
  }
  return wanted;
}

/// Who has more than its fair share of what is lacking there, or holds it revocably.
LIBRM_DECL void Allocator::State::find_preemptible(const Earmark& earmark, const Agent& agent,
                                                   std::vector<Preemption>& wanted) const {
  const Request lacks = lacking(earmark, agent);
  const auto concerns = [&](const Resources& resources) {
    return std::any_of(lacks.amounts.begin(), lacks.amounts.end(),
                       [&](const auto& part) { return resources.amount(part.first).milli > 0; });
  };
  for (const Holding& holding : agent.holdings) {
    const Role& role = *holding.member->role;
    if (&role == earmark.role) continue;
    const bool above =
        std::any_of(lacks.amounts.begin(), lacks.amounts.end(), [&](const auto& part) {
          if (!scalars.knows(part.first)) return false;
          const ScalarId id = scalars.id_of(part.first);
          return role.held[id] > fair_amount(role, id);
        });
    Resources given = above ? holding.resources : detail::revocable_part(holding.resources);
    if (!concerns(given)) continue;
    wanted.push_back(
        {earmark.id, agent.id, holding.member->framework->id, role.name, std::move(given), lacks});
  }
}

/// What of one node the earmark would not get there now.
LIBRM_DECL Request Allocator::State::lacking(const Earmark& earmark, const Agent& agent) const {
  Resources rest = agent.free;
  for (const OfferId id : agent.offers) {
    const Offer& offer = offers.at(id).offer;
    if (offer.lent_until) rest += offer.resources;
  }
  for (const Claim& claim : agent.claims) {
    if (claim.earmark == earmark.id) break;
    rest -= kept_of(agent, earmarks.at(claim.earmark), rest);
  }
  const Resources usable = rest.usable_by(earmark.role->name);
  Request lacks;
  for (const auto& [name, amount] : earmark.demand.shape.amounts) {
    const Amount have = usable.amount(name);
    if (have < amount) lacks.amounts.emplace(name, amount - have);
  }
  // Enough of everything, but not where the placer needs it.
  return lacks.amounts.empty() ? earmark.demand.shape : lacks;
}

LIBRM_DECL std::vector<std::string> Allocator::check_invariants() const {
  std::vector<std::string> violations;
  std::map<const detail::Member*, detail::Quantities> held;
  const auto add = [&](const detail::Member* member, const Resources& resources) {
    detail::ScalarAmounts amounts;
    state_->scalars.collect(resources, amounts);
    for (const detail::ScalarAmount& amount : amounts) held[member].add(amount.id, amount.milli);
  };
  for (const auto& [id, agent] : state_->agents) {
    state_->check_agent(agent, violations);
    for (const detail::Holding& holding : agent.holdings) add(holding.member, holding.resources);
  }
  for (const auto& [id, entry] : state_->offers) {
    state_->check_offer(id, entry, violations);
    add(entry.member, entry.offer.resources);
  }
  for (auto& [id, framework] : state_->frameworks) {
    for (auto& [role, member] : framework.members) {
      state_->check_member(member, held[&member], violations);
    }
  }
  for (const auto& [name, role] : state_->roles) state_->check_role(role, violations);
  state_->check_role(state_->root, violations);
  state_->check_quotas(violations);
  state_->check_earmarks(violations);
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
    take(holding.resources - detail::shared_part(holding.resources),
         "held by " + to_string(holding.member->framework->id));
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
  if (slots.is_set(agent.slot) != (agent.active && !agent.free.empty())) {
    violations.push_back(name + ": its place in the index of what is free is wrong");
  }
  for (const detail::HeldUntil& end : agent.ends) {
    const auto held = std::find_if(agent.holdings.begin(), agent.holdings.end(),
                                   [&](const Holding& one) { return one.member == end.member; });
    if (held == agent.holdings.end() || !held->resources.contains(end.resources)) {
      violations.push_back(name + ": " + to_string(end.resources) + " ends and is not held");
    }
  }
  std::vector<std::uint32_t> users(agent.refusals.size());
  for (const detail::FilterEntry& filter : agent.filters) {
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
  const auto& queue = member.role->own.queue;
  const detail::Node* node = &member;
  const bool in_queue = std::find(queue.begin(), queue.end(), node) != queue.end();
  if (member.queued != wants || in_queue != wants) {
    violations.push_back(name + (wants ? ": wants offers" : ": wants no offers") +
                         ", but its queue says otherwise");
  }
  for (const AgentId id : member.filtered_on) {
    const auto agent = agents.find(id);
    const auto filtered = [&](bool lent) {
      return detail::FilterBook::find(agent->second, member, lent) != nullptr;
    };
    if (agent == agents.end() || !(filtered(false) || filtered(true))) {
      violations.push_back(name + ": has no filter on " + to_string(id));
    }
  }
}

LIBRM_DECL void Allocator::State::check_role(const Role& role, Violations& violations) const {
  const std::string name = "role " + role.name + ": ";
  detail::Quantities own;
  const auto add = [](detail::Quantities& sum, const detail::Quantities& part) {
    for (ScalarId id = 0; id < part.size(); ++id) sum.add(id, part[id]);
  };
  for (const auto& [framework, member] : role.members) add(own, member->held);
  detail::Quantities sum = own;
  std::uint32_t children = 0;
  for (const auto& [other, child] : roles) {
    if (child.parent != &role) continue;
    ++children;
    add(sum, child.held);
  }
  if (!(own == role.own.held) || !(sum == role.held)) {
    violations.push_back(name + "its members and the roles below hold " +
                         to_string(scalars.to_resources(sum)) + ", but it is booked with " +
                         to_string(scalars.to_resources(role.held)));
  }
  if (children != role.children) violations.push_back(name + "its children are miscounted");
  if (role.own.queued == role.own.queue.empty()) {
    violations.push_back(name + "its frameworks' place does not fit their queue");
  }
  const bool waits = &role != &root && !role.blocked && !role.queue.empty();
  if (role.queued != waits) {
    violations.push_back(name + "its place in the order does not fit its queue");
  }
}

/// Charges, needs and limits against a count of everything.
LIBRM_DECL void Allocator::State::check_quotas(Violations& violations) const {
  std::size_t with_quota = 0;
  for (const auto& [name, role] : roles) {
    const std::string text = "role " + name + ": ";
    if (role.quota.quota) ++with_quota;
    if (role.blocked != QuotaBook::is_full(role)) violations.push_back(text + "wrongly blocked");
    if (role.owed != (role.queued && QuotaBook::is_owed(role))) {
      violations.push_back(text + "wrong among those who are owed");
    }
    if (!role.quota.quota) continue;
    detail::Quantities charged = consumed(name);
    for (const auto& [id, entry] : offers) {
      if (!detail::is_within(entry.offer.role, name)) continue;
      detail::ScalarAmounts amounts;
      scalars.collect(entry.offer.resources, detail::is_common, amounts);
      for (const detail::ScalarAmount& amount : amounts) charged.add(amount.id, amount.milli);
    }
    if (!(charged == role.quota.charged)) {
      violations.push_back(text + "uses " + to_string(scalars.to_resources(charged)) +
                           " of its quota, but is charged " +
                           to_string(scalars.to_resources(role.quota.charged)));
    }
  }
  if (with_quota != quotas.roles()) violations.push_back("quotas are miscounted");
  if (!quotas.active()) return;
  detail::Quantities free;
  detail::ScalarAmounts amounts;
  for (const auto& [id, agent] : agents) {
    if (!agent.active) continue;
    scalars.collect(agent.free, detail::is_common, amounts);
    for (const detail::ScalarAmount& amount : amounts) free.add(amount.id, amount.milli);
  }
  for (const auto& [name, use] : scalars.names()) {
    if (free[use.id] != quotas.free(use.id)) {
      violations.push_back(name + ": " + to_string(Amount{free[use.id]}) + " is free, but " +
                           to_string(Amount{quotas.free(use.id)}) + " is counted");
    }
    std::int64_t needed = 0;
    for (const auto& [role_name, role] : roles) {
      if (role.parent == &root) needed += role.quota.needed[use.id];
    }
    if (needed != quotas.needed(use.id)) violations.push_back(name + ": needs are miscounted");
  }
}

/// One earmark a role, each claim known on both sides, and ready counted.
LIBRM_DECL void Allocator::State::check_earmarks(Violations& violations) const {
  std::map<EarmarkId, std::pair<std::size_t, std::uint32_t>> claims;  // and how many are ready
  for (const auto& [id, agent] : agents) {
    for (const Claim& claim : agent.claims) {
      ++claims[claim.earmark].first;
      if (claim.ready) ++claims[claim.earmark].second;
    }
  }
  for (const auto& [id, earmark] : earmarks) {
    const auto& [count, ready] = claims[id];
    if (count != earmark.agents.size() || ready != earmark.ready) {
      violations.push_back(to_string(id) + ": its claims are miscounted");
    }
    if (earmark.agents.size() < earmark.demand.count_min) {
      violations.push_back(to_string(id) + ": has " + std::to_string(earmark.agents.size()) +
                           " agents, its gang is of " + std::to_string(earmark.demand.count_min));
    }
    if (earmark.role->earmark != id) violations.push_back(to_string(id) + ": its role lost it");
  }
  if (claims.size() != earmarks.size()) violations.push_back("claims of earmarks that ended");
  for (const auto& [id, gang] : gangs) {
    if (gang.offers.empty() || gang.offers.size() < gang.need) {
      violations.push_back(to_string(id) + ": its gang was split");
    }
  }
}

}  // namespace librm
