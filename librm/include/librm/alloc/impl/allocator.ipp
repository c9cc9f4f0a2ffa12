// What changes the allocator's state: roles, frameworks, agents, offers and holdings.
#pragma once

#include <algorithm>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/impl/allocator_run.ipp"
#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/alloc/impl/allocator_views.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

LIBRM_DECL Allocator::Allocator(AllocatorOptions options)
    : state_(std::make_unique<State>(options)) {}

LIBRM_DECL Allocator::~Allocator() = default;

// --- roles and frameworks ---

LIBRM_DECL Result<void> Allocator::set_weight(std::string_view role, std::int64_t weight_milli) {
  constexpr std::int64_t weight_milli_max = 1'000'000'000;
  if (auto valid = check_role(role); !valid) return valid;
  if (weight_milli < 1 || weight_milli > weight_milli_max) {
    return fail(ErrorCode::invalid_argument, "role " + std::string(role) + ": weight " +
                                                 std::to_string(weight_milli) +
                                                 " is not within 1..1000000000 thousandths");
  }
  detail::Role& entry = state_->make_role(role);
  entry.weight_milli = weight_milli;
  entry.weight_set = true;
  state_->sorter.touch(entry);
  return {};
}

LIBRM_DECL Result<void> Allocator::add_framework(FrameworkId framework,
                                                 std::set<std::string> roles) {
  if (!framework || roles.empty()) {
    return fail(ErrorCode::invalid_argument,
                "framework " + to_string(framework) + ": needs an id and at least one role");
  }
  for (const std::string& role : roles) {
    if (auto valid = check_role(role); !valid) return valid;
  }
  if (state_->find_registered(framework) != nullptr) {
    return fail(ErrorCode::already_exists,
                "framework " + to_string(framework) + " is registered already");
  }
  detail::Framework& entry = state_->make_framework(framework);
  entry.registered = true;
  entry.active = true;
  for (const std::string& role : roles) {
    detail::Member& member = state_->make_member(entry, role);
    member.wanted = true;
    state_->requeue(member);
  }
  return {};
}

LIBRM_DECL std::vector<OfferId> Allocator::remove_framework(FrameworkId framework) {
  std::vector<OfferId> ended = deactivate_framework(framework);
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return ended;
  entry->registered = false;
  entry->demands.clear();
  std::vector<detail::Member*> members;
  for (auto& [role, member] : entry->members) {
    member.wanted = false;
    member.suppressed = false;
    members.push_back(&member);
  }
  // With the last of them the framework goes, too.
  for (detail::Member* member : members) state_->forget_if_unused(*member);
  return ended;
}

LIBRM_DECL std::vector<OfferId> Allocator::deactivate_framework(FrameworkId framework) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return {};
  entry->active = false;
  for (auto& [role, member] : entry->members) {
    state_->requeue(member);
    state_->clear_filters(member);
  }
  return state_->withdraw_all(*entry);
}

LIBRM_DECL void Allocator::activate_framework(FrameworkId framework) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  entry->active = true;
  for (auto& [role, member] : entry->members) state_->requeue(member);
}

LIBRM_DECL void Allocator::suppress(FrameworkId framework, const std::set<std::string>& roles) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  State::for_wanted(*entry, roles, [&](detail::Member& member) {
    member.suppressed = true;
    state_->requeue(member);
  });
}

LIBRM_DECL void Allocator::revive(FrameworkId framework, const std::set<std::string>& roles) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry == nullptr) return;
  State::for_wanted(*entry, roles, [&](detail::Member& member) {
    member.suppressed = false;
    state_->clear_filters(member);
    state_->requeue(member);
  });
}

LIBRM_DECL void Allocator::set_demands(FrameworkId framework, std::vector<Demand> demands) {
  detail::Framework* entry = state_->find_registered(framework);
  if (entry != nullptr) entry->demands = std::move(demands);
}

// --- agents ---

namespace detail {
inline Result<void> check_holder(FrameworkId framework, std::string_view role) {
  if (framework) return check_role(role);
  return fail(ErrorCode::invalid_argument, "held resources need a framework");
}
}  // namespace detail

LIBRM_DECL Result<void> Allocator::add_agent(AgentId agent, std::string hostname, Resources total,
                                             Attributes attributes, const std::vector<Held>& held) {
  const std::string name = "agent " + to_string(agent);
  if (!agent) return fail(ErrorCode::invalid_argument, name + ": needs an id");
  if (state_->agents.contains(agent)) return fail(ErrorCode::already_exists, name + " is known");
  if (auto room = state_->scalars.check_room(total); !room) {
    return fail(room.error().code, name + ": " + room.error().message);
  }
  Resources free = total;
  for (const Held& part : held) {
    if (auto valid = detail::check_holder(part.framework, part.role); !valid) return valid;
    if (const auto short_of = shortage(part.resources, free)) {
      return fail(ErrorCode::resource_exhausted,
                  name + ": held by " + to_string(part.framework) + ": " + to_string(*short_of));
    }
    free -= part.resources;
  }
  detail::Agent& entry = state_->agents[agent];
  entry.id = agent;
  entry.hostname = std::move(hostname);
  entry.free = total;
  entry.total = std::move(total);
  entry.attributes = std::move(attributes);
  state_->scalars.add(entry.total);
  state_->sorter.touch_pool();
  for (const Held& part : held) {
    if (part.resources.empty()) continue;
    detail::Framework& framework = state_->make_framework(part.framework);
    state_->hold(entry, state_->make_member(framework, part.role), part.resources);
  }
  state_->touch(entry);
  return {};
}

LIBRM_DECL std::vector<OfferId> Allocator::remove_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return {};
  std::vector<OfferId> ended = state_->withdraw_all(std::vector<OfferId>(entry->offers));
  state_->filters.clear(*entry);
  while (!entry->holdings.empty()) {
    const detail::Holding& last = entry->holdings.back();
    state_->release(*entry, *last.member, Resources(last.resources));
  }
  state_->scalars.remove(entry->total);
  state_->sorter.touch_pool();
  std::erase(state_->dirty_agents, entry);
  state_->agents.erase(agent);
  return ended;
}

LIBRM_DECL std::vector<OfferId> Allocator::deactivate_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return {};
  entry->active = false;
  return state_->withdraw_all(std::vector<OfferId>(entry->offers));
}

LIBRM_DECL void Allocator::activate_agent(AgentId agent) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return;
  entry->active = true;
  state_->touch(*entry);
}

LIBRM_DECL void Allocator::set_available_until(AgentId agent, std::optional<WallTime> until) {
  detail::Agent* entry = state_->find_agent(agent);
  if (entry != nullptr) entry->available_until = until;
}

// --- offers ---

LIBRM_DECL std::vector<Offer> Allocator::run(Instant now) {
  state_->advance(now);
  return state_->run();
}

LIBRM_DECL std::vector<Offer> Allocator::expire(Instant now) {
  state_->advance(now);
  std::vector<Offer> ended;
  auto& offers = state_->offers;
  while (!offers.empty() && offers.begin()->second.offer.expires <= state_->clock) {
    ended.push_back(state_->withdraw(offers.begin()));
  }
  return ended;
}

LIBRM_DECL std::optional<Instant> Allocator::next_deadline() const {
  Deadline deadline;
  if (const auto filter_end = state_->filters.next_end()) deadline.at_latest(*filter_end);
  if (!state_->offers.empty()) deadline.at_latest(state_->offers.begin()->second.offer.expires);
  return deadline.mono;
}

LIBRM_DECL Result<Acceptance> Allocator::accept(std::span<const OfferId> offers,
                                                const Resources& used, Instant now,
                                                Duration refuse_for) {
  state_->advance(now);
  auto checked = state_->check_offers(offers);
  if (!checked) return tl::unexpected<Error>(checked.error());
  detail::Agent& agent = *state_->offers.at(offers.front()).agent;
  detail::Member& member = *state_->offers.at(offers.front()).member;
  if (const auto short_of = shortage(used, *checked)) {
    return fail(ErrorCode::resource_exhausted,
                "agent " + to_string(agent.id) + ": " + short_of->name + ": need " +
                    to_string(short_of->need) + ", offered " + to_string(short_of->free));
  }
  const bool was_all_refused = State::all_refused(agent, member, state_->clock);
  for (const OfferId id : offers) state_->withdraw(state_->offers.find(id));
  state_->hold(agent, member, used);
  if (refuse_for.ns > 0) {
    state_->refuse(agent, member, *checked - used, was_all_refused, refuse_for, "");
  }
  return Acceptance{member.framework->id, agent.id, member.role->name, std::move(*checked)};
}

LIBRM_DECL Result<Offer> Allocator::decline(OfferId offer, Instant now, Duration refuse_for,
                                            std::string reason) {
  state_->advance(now);
  const auto at = state_->offers.find(offer);
  if (at == state_->offers.end()) {
    return fail(ErrorCode::stale, "offer " + to_string(offer) + " is not outstanding");
  }
  detail::Agent& agent = *at->second.agent;
  detail::Member& member = *at->second.member;
  const bool was_all_refused = State::all_refused(agent, member, state_->clock);
  Offer ended = state_->withdraw(at);
  state_->refuse(agent, member, ended.resources, was_all_refused, refuse_for, reason);
  return ended;
}

LIBRM_DECL std::optional<Offer> Allocator::rescind(OfferId offer) {
  const auto at = state_->offers.find(offer);
  if (at == state_->offers.end()) return std::nullopt;
  return state_->withdraw(at);
}

LIBRM_DECL const Offer* Allocator::find_offer(OfferId offer) const {
  const auto at = state_->offers.find(offer);
  return at == state_->offers.end() ? nullptr : &at->second.offer;
}

LIBRM_DECL std::vector<const Offer*> Allocator::offers_of(FrameworkId framework) const {
  std::vector<const Offer*> found;
  const detail::Framework* entry = state_->find_framework(framework);
  if (entry == nullptr) return found;
  for (const OfferId id : entry->offers) found.push_back(&state_->offers.at(id).offer);
  return found;
}

LIBRM_DECL Result<Resources> Allocator::State::check_offers(std::span<const OfferId> ids) {
  if (ids.empty()) return fail(ErrorCode::invalid_argument, "no offer is named");
  Resources sum;
  const OfferEntry* first = nullptr;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string name = "offer " + to_string(ids[i]);
    if (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(i), ids[i]) !=
        ids.begin() + static_cast<std::ptrdiff_t>(i)) {
      return fail(ErrorCode::invalid_argument, name + " is named twice");
    }
    const auto at = offers.find(ids[i]);
    if (at == offers.end()) return fail(ErrorCode::stale, name + " is not outstanding");
    const OfferEntry& entry = at->second;
    if (entry.offer.expires <= clock) return fail(ErrorCode::stale, name + " has expired");
    if (first == nullptr) first = &entry;
    if (entry.agent != first->agent || entry.member != first->member) {
      const auto place = [](const Offer& offer) {
        return to_string(offer.id) + " (" + to_string(offer.agent) + ", " +
               to_string(offer.framework) + ", role " + offer.role + ")";
      };
      return fail(ErrorCode::invalid_argument,
                  "offers of two agents, frameworks or roles cannot be accepted together: " +
                      place(first->offer) + " and " + place(entry.offer));
    }
    sum += entry.offer.resources;
  }
  return sum;
}

// --- holdings ---

LIBRM_DECL Result<void> Allocator::hold(FrameworkId framework, AgentId agent, std::string_view role,
                                        const Resources& resources) {
  if (auto valid = detail::check_holder(framework, role); !valid) return valid;
  const std::string name = "agent " + to_string(agent);
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return fail(ErrorCode::not_found, name + " is not known");
  if (const auto short_of = shortage(resources, entry->free)) {
    return fail(ErrorCode::resource_exhausted, name + ": " + to_string(*short_of));
  }
  if (resources.empty()) return {};
  detail::Member& member = state_->make_member(state_->make_framework(framework), role);
  state_->hold(*entry, member, resources);
  return {};
}

LIBRM_DECL void Allocator::release(FrameworkId framework, AgentId agent, std::string_view role,
                                   const Resources& resources) {
  if (resources.empty()) return;
  detail::Agent* entry = state_->find_agent(agent);
  detail::Framework* holder = state_->find_framework(framework);
  LIBRM_CHECK(entry != nullptr && holder != nullptr, "what is released was held");
  const auto member = holder->members.find(role);
  LIBRM_CHECK(member != holder->members.end(), "what is released was held");
  state_->release(*entry, member->second, resources);
}

}  // namespace librm
