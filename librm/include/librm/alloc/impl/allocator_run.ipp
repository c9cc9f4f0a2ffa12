// One allocation run: dirty agents in id order, each to who has the lowest share and wants it.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/impl/allocator_demands.ipp"
#include "librm/alloc/impl/allocator_quota.ipp"
#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

LIBRM_DECL std::vector<Offer> Allocator::State::run() {
  while (Agent* agent = filters.end_next(clock)) touch(*agent);
  std::vector<Offer> made;
  const OfferId first = next_offer;
  plan_earmarks();
  while (all_dirty || !dirty_agents.empty()) {
    const std::vector<Agent*> work = take_work();
    tree.refresh(root);
    made.reserve(made.size() + work.size());
    bool claimed = false;
    for (Agent* agent : work) {
      agent->dirty = false;
      if (agent->claims.empty()) continue;
      refresh_claims(*agent);
      claimed = true;
    }
    if (claimed) start_ready(made);
    for (Agent* agent : work) serve(*agent, made);
    // An earmark that started may have left something, and its role the next demand.
    plan_earmarks();
  }
  if (quotas.active()) serve_held_back(made);
  if (!rescinded.empty()) {
    // What was lent in this run and taken back in it, nobody has heard of.
    const auto ended = [&](OfferId id) { return id >= first && offers.count(id) == 0; };
    std::erase_if(made, [&](const Offer& offer) { return ended(offer.id); });
    std::erase_if(rescinded, ended);
  }
  return made;
}

/// The agents to look at, by id.
LIBRM_DECL std::vector<detail::Agent*> Allocator::State::take_work() {
  if (std::exchange(all_dirty, false)) {
    slots.each_free([this](Agent& agent) { touch(agent); });
  }
  std::vector<Agent*> work;
  work.swap(dirty_agents);
  const auto by_id = [](const Agent* a, const Agent* b) { return a->id < b->id; };
  if (!std::is_sorted(work.begin(), work.end(), by_id)) std::sort(work.begin(), work.end(), by_id);
  return work;
}

/// Where quotas kept something free that they need not keep any more.
LIBRM_DECL void Allocator::State::serve_held_back(std::vector<Offer>& out) {
  const Agent* last = nullptr;
  while (Agent* agent = quotas.next_of_use(last)) {
    last = agent;
    serve(*agent, out);
  }
  quotas.settled();
}

LIBRM_DECL void Allocator::State::serve(Agent& agent, std::vector<Offer>& out) {
  quotas.let_go(agent);
  if (!agent.active || agent.free.empty()) return;
  if (agent.claims.empty()) return distribute(agent, agent.free, std::nullopt, out);
  Resources rest = agent.free;
  const std::vector<Kept> kept = keep(agent, rest);
  distribute(agent, rest, std::nullopt, out);
  for (const Kept& part : kept) {
    if (part.lendable_until) distribute(agent, part.resources, part.lendable_until, out);
  }
}

/// Offers until nobody takes any more of it.
LIBRM_DECL void Allocator::State::distribute(Agent& agent, const Resources& open,
                                             std::optional<Instant> lent_until,
                                             std::vector<Offer>& out) {
  // What is free on the agent changes with each offer, a part that was cut out of it does not.
  const bool whole = &open == &agent.free;
  Resources rest = whole ? Resources() : open;
  while (true) {
    const Resources& left = whole ? agent.free : rest;
    if (left.empty()) return;
    Slice slice{agent, left, lent_until, !quotas.active(), false};
    for (const Resource& entry : left.list()) {
      if (entry.revocable || entry.reservations.empty()) slice.unreserved = true;
      if (entry.revocable || !entry.reservations.empty()) slice.plain = false;
    }
    if (!distribute_one(slice, out)) return remember_kept(slice);
    if (!whole) rest -= out.back().resources;
    tree.refresh(root);
  }
}

LIBRM_DECL bool Allocator::State::distribute_one(const Slice& slice, std::vector<Offer>& out) {
  ++stamp;
  // Anew each time: with less free, filters may hold that did not before.
  filters.mark(
      slice.agent, slice.lent_until.has_value(), slice.plain,
      [&](const Member& member) -> const Resources& { return takeable(slice, member, nullptr); });
  Resources take;
  Member* member = pick(slice, take);
  if (member == nullptr) return false;
  out.push_back(make_offer(slice.agent, *member, std::move(take), slice.lent_until, std::nullopt));
  return true;
}

/// First those who are owed a guarantee, then everybody, then the owners of what is reserved, who
/// may be at their limit.
LIBRM_DECL detail::Member* Allocator::State::pick(const Slice& slice, Resources& take) {
  const Role* owed = nullptr;
  const auto wanted = [&](Member& member) { return eligible(slice, member, owed, take); };
  if (slice.unreserved) {
    for (detail::Node* role : tree.owed()) {
      owed = static_cast<const Role*>(role);
      if (Member* member = detail::FairTree::first(*role, wanted)) return member;
    }
    owed = nullptr;
    if (!quotas.active() || !keeps_all(slice)) {
      if (Member* member = detail::FairTree::first(root, wanted)) return member;
    }
  }
  std::set<detail::Node*, detail::NodeOrder> owners({options.role_sorter});
  for (const Resource& entry : slice.open.list()) {
    if (entry.reservations.empty() || entry.revocable) continue;
    Role* role = find_role(entry.role());
    if (role != nullptr && !role->queue.empty()) owners.insert(role);
  }
  for (detail::Node* role : owners) {
    if (Member* member = detail::FairTree::first(*role, wanted)) return member;
  }
  return nullptr;
}

LIBRM_DECL bool Allocator::State::eligible(const Slice& slice, const Member& member,
                                           const Role* owed, Resources& take) {
  if (filters.marked(member)) return false;
  const Agent& agent = slice.agent;
  if (options.filter != nullptr) {
    const librm::Candidate seen{agent.id, agent.hostname, &agent.attributes, &agent.total};
    if (!options.filter->allows(seen, member.framework->id, member.role->name)) return false;
  }
  if (slice.plain) {
    if (!allocatable(member, slice.open)) return false;
    take = slice.open;
    return true;
  }
  const Resources& part = takeable(slice, member, owed);
  if (part.empty() || !allocatable(member, part)) return false;
  // Less than everybody's part may be what was refused.
  if (owed != nullptr && has_refused(slice, member, part)) return false;
  take = part;
  return true;
}

/// Whether the member's filter holds against just this.
LIBRM_DECL bool Allocator::State::has_refused(const Slice& slice, const Member& member,
                                              const Resources& part) const {
  const auto holds = [&](bool lent) {
    const detail::FilterEntry* filter = detail::FilterBook::find(slice.agent, member, lent);
    return filter != nullptr && detail::FilterBook::holds(slice.agent, *filter, part);
  };
  return holds(false) || (slice.lent_until && holds(true));
}

/// What the member would be offered of the slice; the same for all members of a role that want
/// revocable resources or not.
LIBRM_DECL const Resources& Allocator::State::takeable(const Slice& slice, const Member& member,
                                                       const Role* owed) {
  if (slice.plain) return slice.open;
  auto& known = member.role->takeable[member.framework->revocable ? 1 : 0];
  if (owed == nullptr && known.stamp == stamp) return known.resources;
  Resources part = usable_by(slice.open, member);
  if (quotas.active()) part = chop(part, *member.role, owed);
  // What the owed may take is asked once a role, and never what others compare with.
  known.stamp = owed == nullptr ? stamp : 0;
  known.resources = std::move(part);
  return known.resources;
}

LIBRM_DECL bool Allocator::State::allocatable(const Member& member, const Resources& take) const {
  const auto& own = member.framework->min_allocatable;
  const auto& minima = own.empty() ? options.min_allocatable : own;
  if (minima.empty()) return true;
  return std::any_of(minima.begin(), minima.end(), [&](const Request& least) {
    return std::all_of(least.amounts.begin(), least.amounts.end(), [&](const auto& amount) {
      return take.amount(amount.first) >= amount.second;
    });
  });
}

LIBRM_DECL Offer Allocator::State::make_offer(Agent& agent, Member& member, Resources take,
                                              std::optional<Instant> lent_until,
                                              std::optional<EarmarkId> earmark) {
  const OfferId id = next_offer;
  ++next_offer.value;
  take_free(agent, take);
  book(member, take, +1);
  OfferEntry entry{.offer = {.id = id,
                             .framework = member.framework->id,
                             .role = member.role->name,
                             .agent = agent.id,
                             .resources = std::move(take),
                             .expires = clock + options.offer_timeout,
                             .available_until = agent.available_until,
                             .earmark = earmark,
                             .demand = {},
                             .together = 0,
                             .lent_until = lent_until},
                   .agent = &agent,
                   .member = &member};
  agent.offers.push_back(id);
  member.framework->offers.insert(member.framework->offers.end(), id);
  return offers.emplace_hint(offers.end(), id, std::move(entry))->second.offer;
}

}  // namespace librm
