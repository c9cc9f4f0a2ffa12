// A second allocator in the same state: every entry is copied, and every pointer led to its copy.
#pragma once

#include <utility>

#include "librm/alloc/impl/allocator_state.ipp"

namespace librm {

namespace detail {

/// What a place is, apart from its neighbours.
inline void copy_place(const Node& from, Node& to) {
  to.blocked = from.blocked;
  to.weight_milli = from.weight_milli;
  to.arrival = from.arrival;
  to.draw = from.draw;
  to.held = from.held;
  to.share = from.share;
}

inline void copy_role(const Role& from, Role& to) {
  copy_place(from, to);
  copy_place(from.own, to.own);
  to.weight_set = from.weight_set;
  to.children = from.children;
  to.quota = from.quota;
  to.earmark = from.earmark;
  to.tried = from.tried;
}

}  // namespace detail

LIBRM_DECL Allocator::State::State(const State& other)
    : options(other.options),
      next_offer(other.next_offer),
      next_earmark(other.next_earmark),
      clock(other.clock),
      wall_ahead(other.wall_ahead),
      agents(other.agents),
      reserved(other.reserved),
      offers(other.offers),
      earmarks(other.earmarks),
      scalars(other.scalars),
      tree(scalars, {options.role_sorter}),
      root("", {options.role_sorter}, {options.framework_sorter}),
      quotas(scalars, tree, root),
      all_dirty(other.all_dirty),
      rescinded(other.rescinded),
      gangs(other.gangs),
      demanding(other.demanding),
      demand_wake(other.demand_wake),
      impatient(other.impatient),
      plan_generation(other.plan_generation) {
  copy_roles(other);
  copy_frameworks(other);
  const auto agent = [this](const Agent* of) { return &agents.at(of->id); };
  const auto role = [this](const Role* of) { return of->parent ? find_role(of->name) : &root; };
  const auto member = [this](const Member* of) {
    return of == nullptr ? nullptr
                         : &frameworks.at(of->framework->id).members.find(of->role->name)->second;
  };
  filters.adopt(other.filters, agent, member);
  for (auto& [id, entry] : agents) {
    for (Holding& holding : entry.holdings) holding.member = member(holding.member);
    for (detail::HeldUntil& end : entry.ends) end.member = member(end.member);
  }
  for (auto& [id, entry] : offers) {
    entry.agent = agent(entry.agent);
    entry.member = member(entry.member);
  }
  for (auto& [id, earmark] : earmarks) {
    earmark.framework = &frameworks.at(earmark.framework->id);
    earmark.role = role(earmark.role);
    for (Agent*& one : earmark.agents) one = agent(one);
  }
  for (auto& [id, gang] : gangs) gang.framework = &frameworks.at(gang.framework->id);
  slots.adopt(other.slots, agent);
  for (const Agent* dirty : other.dirty_agents) dirty_agents.push_back(agent(dirty));
  const auto node = [&](const detail::Node* of) -> detail::Node* {
    if (of->kind == detail::Node::Kind::member) return member(static_cast<const Member*>(of));
    if (of->kind == detail::Node::Kind::role) return role(static_cast<const Role*>(of));
    return &role(static_cast<const Role*>(of->parent))->own;
  };
  tree.adopt(other.tree, node);
  copy_queues(other, node);
  quotas.adopt(other.quotas, agent, role);
}

LIBRM_DECL void Allocator::State::copy_roles(const State& other) {
  detail::copy_role(other.root, root);
  // Those above come first, by their names.
  for (const auto& [name, from] : other.roles) detail::copy_role(from, make_role(name));
  for (const auto& [name, from] : other.roles) roles.at(name).children = from.children;
  root.children = other.root.children;
}

LIBRM_DECL void Allocator::State::copy_frameworks(const State& other) {
  for (const auto& [id, from] : other.frameworks) {
    Framework& to = make_framework(id);
    to.registered = from.registered;
    to.active = from.active;
    to.revocable = from.revocable;
    to.min_allocatable = from.min_allocatable;
    to.demands = from.demands;
    to.offers = from.offers;
    for (const auto& [name, member] : from.members) {
      Member& copy = make_member(to, name);
      detail::copy_place(member, copy);
      copy.number = member.number;
      copy.wanted = member.wanted;
      copy.suppressed = member.suppressed;
      copy.holdings = member.holdings;
      copy.filtered_on = member.filtered_on;
    }
  }
}

/// Every child that waits, in the copy of its parent's queue.
template <class Map>
void Allocator::State::copy_queues(const State& other, Map node) {
  const auto copy = [&](const detail::Node& from) {
    for (const detail::Node* child : from.queue) {
      detail::Node* to = node(child);
      to->queued = true;
      to->parent->queue.insert(to);
    }
  };
  copy(other.root);
  for (const auto& [name, role] : other.roles) {
    copy(role);
    copy(role.own);
  }
}

LIBRM_DECL std::unique_ptr<Allocator> Allocator::clone() const {
  return std::unique_ptr<Allocator>(new Allocator(Copied{}, std::make_unique<State>(*state_)));
}

}  // namespace librm
