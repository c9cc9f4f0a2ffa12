// Offers as leases: made, expired, accepted as a whole or not at all, declined, taken back.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/impl/allocator_explain.ipp"
#include "librm/alloc/impl/allocator_run.ipp"
#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

LIBRM_DECL std::vector<Offer> Allocator::run(Instant now) {
  state_->advance(now);
  return state_->run();
}

LIBRM_DECL std::vector<Offer> Allocator::run(Now now) {
  state_->wall_ahead = Duration{now.wall.ns - now.mono.ns};
  return run(now.mono);
}

LIBRM_DECL std::vector<OfferId> Allocator::take_rescinded() {
  return std::exchange(state_->rescinded, {});
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
  if (state_->demand_wake) deadline.at_latest(*state_->demand_wake);
  for (const auto& [id, earmark] : state_->earmarks) {
    const Instant impatient = earmark.created + state_->options.earmark_max;
    if (!earmark.starts && impatient > state_->clock) deadline.at_latest(impatient);
  }
  return deadline.mono;
}

LIBRM_DECL Result<Acceptance> Allocator::accept(std::span<const OfferId> offers,
                                                const Resources& used, Instant now,
                                                Duration refuse_for) {
  const Use use{used, std::nullopt};
  return accept(offers, std::span(&use, 1), now, refuse_for);
}

LIBRM_DECL Result<Acceptance> Allocator::accept(std::span<const OfferId> offers,
                                                std::span<const Use> uses, Instant now,
                                                Duration refuse_for) {
  Part part;
  part.offers.assign(offers.begin(), offers.end());
  part.uses.assign(uses.begin(), uses.end());
  return accept(part, now, refuse_for);
}

LIBRM_DECL Result<Acceptance> Allocator::accept(const Part& part, Instant now,
                                                Duration refuse_for) {
  state_->advance(now);
  const auto checked = state_->check_part(part);
  if (!checked) return tl::unexpected<Error>(checked.error());
  for (const OfferId id : part.offers) {
    const auto& earmark = state_->offers.at(id).offer.earmark;
    const auto gang = earmark ? state_->gangs.find(*earmark) : state_->gangs.end();
    if (gang == state_->gangs.end() || gang->second.need <= 1) continue;
    return fail(ErrorCode::failed_precondition,
                "offer " + to_string(id) + " is one of " +
                    std::to_string(gang->second.offers.size()) + " of " + to_string(*earmark) +
                    ", a gang of at least " + std::to_string(gang->second.need) +
                    ": accept them together");
  }
  return state_->accept_part(part, *checked, refuse_for);
}

LIBRM_DECL Result<std::vector<Acceptance>> Allocator::accept_together(std::span<const Part> parts,
                                                                      Instant now,
                                                                      Duration refuse_for) {
  state_->advance(now);
  std::vector<Resources> offered;
  std::map<EarmarkId, std::uint32_t> accepted;
  std::set<OfferId> seen;
  for (const Part& part : parts) {
    auto checked = state_->check_part(part);
    if (!checked) return tl::unexpected<Error>(checked.error());
    offered.push_back(std::move(*checked));
    for (const OfferId id : part.offers) {
      if (!seen.insert(id).second) {
        return fail(ErrorCode::invalid_argument, "offer " + to_string(id) + " is named twice");
      }
      const Offer& offer = state_->offers.at(id).offer;
      if (offer.framework != state_->offers.at(parts[0].offers[0]).offer.framework) {
        return fail(ErrorCode::invalid_argument,
                    "offers of two frameworks cannot be accepted together");
      }
      if (offer.earmark) ++accepted[*offer.earmark];
    }
  }
  for (const auto& [earmark, count] : accepted) {
    const auto gang = state_->gangs.find(earmark);
    if (gang == state_->gangs.end() || count >= gang->second.need) continue;
    return fail(ErrorCode::failed_precondition,
                to_string(earmark) + ": a gang of at least " + std::to_string(gang->second.need) +
                    ", " + std::to_string(count) + " of its offers are accepted");
  }
  std::vector<Acceptance> done;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    done.push_back(state_->accept_part(parts[i], offered[i], refuse_for));
  }
  return done;
}

/// All that is in the offers of one part, after its operations, if it may be accepted.
LIBRM_DECL Result<Resources> Allocator::State::check_part(const Part& part) const {
  auto offered = check_offers(part.offers);
  if (!offered) return offered;
  const OfferEntry& first = offers.at(part.offers.front());
  const std::string name = "agent " + to_string(first.agent->id) + ": ";
  Resources total = first.agent->total;
  for (const Operation& operation : part.operations) {
    if (auto allowed = check_operation(operation, first.member->role->name); !allowed) {
      return tl::unexpected<Error>(allowed.error());
    }
    auto within = apply(operation, *offered);
    if (!within) return fail(within.error().code, name + within.error().message);
    auto whole = apply(operation, total);
    if (!whole) return fail(whole.error().code, name + whole.error().message);
    offered = std::move(within);
    total = std::move(*whole);
  }
  Resources used;
  for (const Use& use : part.uses) used += use.resources;
  if (const auto short_of = shortage(used, *offered)) {
    return fail(ErrorCode::resource_exhausted, name + short_of->name + ": need " +
                                                   to_string(short_of->need) + ", offered " +
                                                   to_string(short_of->free));
  }
  for (const OfferId id : part.offers) {
    const Offer& offer = offers.at(id).offer;
    if (!offer.lent_until) continue;
    const std::string lent = "offer " + to_string(id) + " is lent for " +
                             detail::span_text(std::max(*offer.lent_until - clock, Duration{})) +
                             ": ";
    if (!part.operations.empty()) {
      return fail(ErrorCode::failed_precondition, lent + "it cannot be reserved");
    }
    for (const Use& use : part.uses) {
      if (use.resources.empty() || (use.until && *use.until <= *offer.lent_until)) continue;
      return fail(
          ErrorCode::failed_precondition,
          lent + "what is launched " +
              (use.until ? "ends " + detail::span_text(*use.until - *offer.lent_until) + " later"
                         : std::string("has no known end")));
    }
  }
  return offered;
}

/// A framework reserves for its own role and those below it, and unreserves what is theirs.
LIBRM_DECL Result<void> Allocator::State::check_operation(const Operation& operation,
                                                          std::string_view role) {
  const bool reserves =
      operation.kind == OperationKind::reserve || operation.kind == OperationKind::unreserve;
  if (!reserves || detail::is_within(operation.reservation.role, role)) return {};
  return fail(ErrorCode::permission_denied,
              to_string(operation) + ": it is offered to role " + std::string(role));
}

/// Precondition: check_part() allowed it; `offered` is what it gave.
LIBRM_DECL Acceptance Allocator::State::accept_part(const Part& part, Resources offered,
                                                    Duration refuse_for) {
  Agent& agent = *offers.at(part.offers.front()).agent;
  Member& member = *offers.at(part.offers.front()).member;
  const bool was_all_refused = all_refused(agent, member);
  bool lent = false;
  for (const OfferId id : part.offers) {
    const Offer& offer = offers.at(id).offer;
    lent = lent || offer.lent_until.has_value();
    if (offer.earmark) keep_gang(id, *offer.earmark);
    withdraw(offers.find(id));
  }
  for (const Operation& operation : part.operations) change(agent, operation);
  Resources rest = offered;
  for (const Use& use : part.uses) {
    hold(agent, member, use.resources, use.until);
    rest -= use.resources;
  }
  if (refuse_for.ns > 0) {
    refuse(agent, member, std::move(rest), was_all_refused, lent, refuse_for, "");
  }
  return Acceptance{member.framework->id, agent.id, member.role->name, std::move(offered)};
}

/// One of its offers is accepted, so the others stand on their own.
LIBRM_DECL void Allocator::State::keep_gang(OfferId offer, EarmarkId earmark) {
  const auto gang = gangs.find(earmark);
  if (gang == gangs.end()) return;
  gang->second.need = 0;
  gang->second.offers.erase(offer);
  if (gang->second.offers.empty()) gangs.erase(gang);
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
  const bool was_all_refused = state_->all_refused(agent, member);
  const std::optional<EarmarkId> earmark = at->second.offer.earmark;
  if (earmark) state_->refuse_demand(*earmark, refuse_for);
  Offer ended = state_->withdraw(at);
  state_->refuse(agent, member, ended.resources, was_all_refused, ended.lent_until.has_value(),
                 earmark ? Duration{} : refuse_for, reason);
  return ended;
}

/// The demand gets no other earmark for that time.
LIBRM_DECL void Allocator::State::refuse_demand(EarmarkId earmark, Duration refuse_for) {
  const auto gang = gangs.find(earmark);
  if (gang == gangs.end() || gang->second.need == 0) return;
  const Instant end = clock + std::clamp(refuse_for, Duration{}, options.refuse_for_max);
  for (DemandEntry& entry : gang->second.framework->demands) {
    if (entry.demand.id == gang->second.demand) entry.not_before = end;
  }
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

LIBRM_DECL Result<Resources> Allocator::State::check_offers(std::span<const OfferId> ids) const {
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

// --- operations ---

LIBRM_DECL Result<std::vector<OfferId>> Allocator::operate(AgentId agent,
                                                           const Operation& operation) {
  const std::string name = "agent " + to_string(agent);
  detail::Agent* entry = state_->find_agent(agent);
  if (entry == nullptr) return fail(ErrorCode::not_found, name + " is not known");
  const auto whole = apply(operation, entry->total);
  if (!whole) return fail(whole.error().code, name + ": " + whole.error().message);
  Resources unheld = entry->free;
  for (const OfferId id : entry->offers) unheld += state_->offers.at(id).offer.resources;
  const Resources consumed = convert(operation)->consumed;
  const Resources shared = detail::shared_part(consumed);
  for (const detail::Holding& holding : entry->holdings) {
    if (shared.empty() || !holding.resources.contains(shared)) continue;
    return fail(ErrorCode::failed_precondition,
                name + ": volume " + shared.list().front().volume->id + " is in use");
  }
  if (const auto lack = shortage(consumed, unheld)) {
    return fail(ErrorCode::failed_precondition, name + ": " + lack->name + ": need " +
                                                    to_string(lack->need) + ", " +
                                                    to_string(lack->free) + " are not in use");
  }
  std::vector<OfferId> taken = std::exchange(state_->rescinded, {});
  while (!entry->free.contains(consumed)) {
    const OfferId last = entry->offers.back();
    state_->rescinded.push_back(last);
    state_->withdraw(state_->offers.find(last));
  }
  state_->change(*entry, operation);
  taken.swap(state_->rescinded);
  return taken;
}

/// Precondition: what it consumes is free.
LIBRM_DECL void Allocator::State::change(Agent& agent, const Operation& operation) {
  const Conversion conversion = *convert(operation);
  charge_reserved(agent.total, -1);
  // The new ones first, so that no name is unused in between.
  const Resources before = std::exchange(agent.total, *apply(operation, agent.total));
  scalars.add(agent.total);
  scalars.remove(before);
  take_free(agent, conversion.consumed);
  give_free(agent, conversion.converted);
  charge_reserved(agent.total, +1);
  tree.touch_pool();
  ++plan_generation;
  touch(agent);
}

}  // namespace librm
