// One allocation run: dirty agents in id order, each to who has the lowest share and wants it.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/impl/allocator_state.ipp"

namespace librm {

LIBRM_DECL std::vector<Offer> Allocator::State::run() {
  while (Agent* agent = filters.end_next(clock)) touch(*agent);
  std::vector<Agent*> work;
  work.swap(dirty_agents);
  if (std::exchange(all_dirty, false)) {
    for (Agent* agent : work) agent->dirty = false;
    work.clear();
    for (auto& [id, agent] : agents) work.push_back(&agent);
  } else {
    const auto by_id = [](const Agent* a, const Agent* b) { return a->id < b->id; };
    if (!std::is_sorted(work.begin(), work.end(), by_id)) {
      std::sort(work.begin(), work.end(), by_id);
    }
  }
  std::vector<Offer> made;
  if (work.empty()) return made;
  sorter.refresh();
  made.reserve(work.size());
  for (Agent* agent : work) {
    agent->dirty = false;
    serve(*agent, made);
  }
  return made;
}

LIBRM_DECL void Allocator::State::serve(Agent& agent, std::vector<Offer>& out) {
  if (!agent.active) return;
  while (!agent.free.empty()) {
    // Anew each time: with less free, filters may hold that did not before.
    filters.mark(agent);
    Member* member = pick(agent);
    if (member == nullptr) return;
    out.push_back(make_offer(agent, *member));
    sorter.refresh();
  }
}

LIBRM_DECL detail::Member* Allocator::State::pick(const Agent& agent) {
  bool unreserved = false;
  detail::Sorter::Order owners;  // of reserved resources
  for (const Resource& entry : agent.free.list()) {
    if (entry.revocable) continue;
    if (entry.reservations.empty()) {
      unreserved = true;
      continue;
    }
    // The role and those below it; `eng-x` sorts between `eng` and `eng/x`.
    for (auto role = roles.lower_bound(entry.role());
         role != roles.end() && role->first.starts_with(entry.role()); ++role) {
      if (role->second.queued && usable(entry, role->first)) owners.insert(&role->second);
    }
  }
  for (Role* role : unreserved ? sorter.order() : owners) {
    if (Member* member = first_unfiltered(*role)) return member;
  }
  return nullptr;
}

LIBRM_DECL detail::Member* Allocator::State::first_unfiltered(const Role& role) {
  for (Member* member : role.queue) {
    if (!filters.marked(*member)) return member;
  }
  return nullptr;
}

LIBRM_DECL Offer Allocator::State::make_offer(Agent& agent, Member& member) {
  const OfferId id = next_offer;
  ++next_offer.value;
  OfferEntry entry{.offer = {.id = id,
                             .framework = member.framework->id,
                             .role = member.role->name,
                             .agent = agent.id,
                             .resources = agent.free.take_usable(member.role->name),
                             .expires = clock + options.offer_timeout,
                             .available_until = agent.available_until,
                             .earmark = std::nullopt},
                   .agent = &agent,
                   .member = &member};
  book(member, entry.offer.resources, +1);
  agent.offers.push_back(id);
  member.framework->offers.insert(member.framework->offers.end(), id);
  return offers.emplace_hint(offers.end(), id, std::move(entry))->second.offer;
}

}  // namespace librm
