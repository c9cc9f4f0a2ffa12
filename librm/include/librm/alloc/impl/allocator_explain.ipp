// Why a request gets no offer on an agent, with the amounts.
#pragma once

#include <utility>

#include "librm/alloc/impl/allocator_demands.ipp"
#include "librm/alloc/impl/allocator_quota.ipp"
#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

namespace detail {

/// `4 s`, `250 ms`: rounded up, so that it is never over before it says so.
inline std::string span_text(Duration span) {
  if (span >= seconds(1)) return std::to_string((span.ns + 999'999'999) / 1'000'000'000) + " s";
  return std::to_string((span.ns + 999'999) / 1'000'000) + " ms";
}

}  // namespace detail

/// One question about all agents.
struct Allocator::State::Question {
  FrameworkId framework;
  std::string_view role;
  const Request& request;
  const Demand* demand;  ///< null where there is none
  Instant now;
};

LIBRM_DECL std::string Allocator::State::why_not_wanted(const Question& question) const {
  const auto framework = frameworks.find(question.framework);
  const std::string name = to_string(question.framework);
  const std::string role = "role " + std::string(question.role);
  if (framework == frameworks.end() || !framework->second.registered) {
    return name + " is not registered";
  }
  if (!framework->second.active) return name + " is not connected";
  const auto member = framework->second.members.find(question.role);
  if (member == framework->second.members.end() || !member->second.wanted) {
    return name + " is not registered in " + role;
  }
  if (member->second.suppressed) return "suppressed: " + name + " wants no offers in " + role;
  return {};
}

LIBRM_DECL std::string Allocator::State::why_filtered(const Agent& agent,
                                                      const Resources& available,
                                                      const Question& question) const {
  const auto framework = frameworks.find(question.framework);
  if (framework == frameworks.end()) return {};
  const auto member = framework->second.members.find(question.role);
  if (member == framework->second.members.end()) return {};
  const detail::FilterEntry* filter = detail::FilterBook::find(agent, member->second, false);
  if (filter == nullptr || filter->expires <= question.now) return {};
  if (!detail::FilterBook::holds(agent, *filter, usable_by(available, member->second))) return {};
  const std::string& reason = filters.reason(*filter);
  return "declined: " + (reason.empty() ? "no reason given" : '"' + reason + '"') + " for " +
         detail::span_text(filter->expires - question.now) + " more";
}

/// What stands in the way of a request that would fit there: its role's limit, or of one that fits
/// into what `is_free`, what others are guaranteed.
LIBRM_DECL std::string Allocator::State::why_quota(const Agent& agent, const Question& question,
                                                   bool is_free) const {
  const Role* role = find_role(question.role);
  if (!quotas.active() || role == nullptr) return {};
  for (const auto& [name, need] : question.request.amounts) {
    if (!scalars.knows(name)) continue;
    // What is reserved for the role is not what quotas keep.
    Amount own;
    for (const Resource& entry : agent.free.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (entry.name == name && amount != nullptr && !entry.reservations.empty() &&
          usable(entry, question.role)) {
        own += *amount;
      }
    }
    if (need <= own) continue;
    const Amount rest = need - own;
    const ScalarId id = scalars.id_of(name);
    for (const Role* at = role; at != &root; at = at->above()) {
      const auto room = QuotaBook::room(*at, id);
      if (!room || rest.milli <= *room) continue;
      const Amount limit = detail::amount_in(at->quota.quota->limits, name);
      return name + ": need " + to_string(rest) + ", role " + at->name + " has " +
             to_string(Amount{at->quota.charged[id]}) + " of at most " + to_string(limit);
    }
    std::int64_t most = std::max<std::int64_t>(0, quotas.surplus(id));
    for (const Role* at = role; at != &root; at = at->above()) {
      most = std::max(most, QuotaBook::unmet(*at, id));
    }
    if (rest.milli <= most || !is_free) continue;
    return name + ": need " + to_string(rest) + ", the cluster has " +
           to_string(Amount{quotas.free(id)}) + " free and keeps " +
           to_string(Amount{quotas.needed(id)}) + " for guarantees";
  }
  return {};
}

LIBRM_DECL Explanation Allocator::State::explain_agent(const Agent& agent,
                                                       const Question& question) const {
  const auto no = [&](std::string reason) {
    return Explanation{agent.id, agent.hostname, false, std::move(reason), std::nullopt};
  };
  const auto short_of = [&](const Shortage& lack, std::string reason) {
    return Explanation{agent.id, agent.hostname, false, std::move(reason), lack};
  };
  if (!agent.active) return no("agent is inactive");
  std::string reason = why_not_there(agent, question);
  if (!reason.empty()) return no(std::move(reason));
  if (const auto lack = fits(question.request, agent.total, question.role)) {
    return no(lack->name + ": need " + to_string(lack->need) + ", agent has " +
              to_string(lack->free) + " in total");
  }
  Resources own = agent.free;  // and in offers that it has
  Resources unheld = agent.free;
  const Offer* others = nullptr;
  for (const OfferId id : agent.offers) {
    const Offer& offer = offers.at(id).offer;
    unheld += offer.resources;
    const bool is_own = offer.framework == question.framework && offer.role == question.role;
    if (is_own) own += offer.resources;
    if (!is_own && others == nullptr) others = &offer;
  }
  if (const auto lack = fits(question.request, unheld, question.role)) {
    return short_of(*lack, to_string(*lack));
  }
  // Where it would have to come from others' offers, the filter is asked about these, too; where
  // an own offer has it, not at all.
  const bool fits_free = !fits(question.request, agent.free, question.role);
  const bool fits_own = !fits(question.request, own, question.role);
  if (fits_free || !fits_own) {
    reason = why_quota(agent, question, fits_free);
    if (reason.empty()) reason = why_filtered(agent, fits_free ? agent.free : unheld, question);
    if (!reason.empty()) return no(std::move(reason));
  }
  if (!fits_own && others != nullptr) {
    return no("offered to " + to_string(others->framework) + " for at most " +
              detail::span_text(std::max(others->expires - question.now, Duration{})) + " more");
  }
  reason = why_kept(agent, own, question);
  if (reason.empty()) reason = why_not_wanted(question);
  if (!reason.empty()) return no(std::move(reason));
  if (question.demand != nullptr) {
    const auto placed = placer().place(*question.demand, agent.id, own);
    if (!placed) return no(placed.error().message);
  }
  return {agent.id, agent.hostname, true, "fits", std::nullopt};
}

/// Constraints and the policy's filter.
LIBRM_DECL std::string Allocator::State::why_not_there(const Agent& agent,
                                                       const Question& question) const {
  const Role* role = find_role(question.role);
  const Demand plain;
  const Demand& demand = question.demand == nullptr ? plain : *question.demand;
  return mismatch(agent, {demand, role == nullptr ? root : *role, question.framework, {}, {}});
}

/// Another role's earmark that keeps what is free.
LIBRM_DECL std::string Allocator::State::why_kept(const Agent& agent, const Resources& own,
                                                  const Question& question) const {
  Resources rest = own;
  for (const Claim& claim : agent.claims) {
    const Earmark& earmark = earmarks.at(claim.earmark);
    if (earmark.framework->id == question.framework && earmark.role->name == question.role) {
      continue;
    }
    rest -= detail::select_up_to(earmark.demand.shape, rest, earmark.role->name);
    if (!fits(question.request, rest, question.role)) continue;
    std::string text = "kept for " + to_string(earmark.id) + " of " +
                       to_string(earmark.framework->id) + " in role " + earmark.role->name;
    if (!earmark.starts) return text + ", whose start is not known";
    return text + ", which starts within " +
           detail::span_text(std::max(*earmark.starts - question.now, Duration{}));
  }
  return {};
}

LIBRM_DECL std::vector<Explanation> Allocator::State::explain(const Question& question) const {
  std::vector<Explanation> explanations;
  explanations.reserve(agents.size());
  for (const auto& [id, agent] : agents) explanations.push_back(explain_agent(agent, question));
  return explanations;
}

LIBRM_DECL std::vector<Explanation> Allocator::explain(FrameworkId framework, std::string_view role,
                                                       const Request& request, Instant now) const {
  return state_->explain({framework, role, request, nullptr, now});
}

LIBRM_DECL Result<std::vector<Explanation>> Allocator::explain_demand(FrameworkId framework,
                                                                      DemandId demand,
                                                                      Instant now) const {
  const detail::Framework* entry = state_->find_registered(framework);
  if (entry != nullptr) {
    for (const detail::DemandEntry& known : entry->demands) {
      const Demand& found = known.demand;
      if (found.id != demand) continue;
      return state_->explain({framework, found.role, found.shape, &found, now});
    }
  }
  return fail(ErrorCode::not_found,
              "framework " + to_string(framework) + ": no demand " + to_string(demand));
}

LIBRM_DECL std::vector<std::string> Allocator::explain_role(std::string_view role) const {
  const detail::Role* entry = state_->find_role(role);
  const std::string name = "role " + std::string(role);
  if (entry == nullptr) return {name + ": nobody is in it"};
  std::vector<std::string> lines;
  const auto& scalars = state_->scalars;
  const auto& quota = entry->quota.quota;
  for (const auto& [scalar, use] : scalars.names()) {
    std::string line = name + ": " + scalar + ": has " + to_string(Amount{entry->held[use.id]}) +
                       ", its fair share is " +
                       to_string(Amount{state_->fair_amount(*entry, use.id)});
    if (quota && quota->guarantees.count(scalar) != 0) {
      line += ", guaranteed " + to_string(quota->guarantees.at(scalar));
      const std::int64_t unmet = detail::QuotaBook::unmet(*entry, use.id);
      if (unmet > 0) line += " (owed " + to_string(Amount{unmet}) + ")";
    }
    if (quota && quota->limits.count(scalar) != 0) {
      line += ", at most " + to_string(quota->limits.at(scalar));
    }
    lines.push_back(std::move(line));
  }
  if (entry->blocked) lines.push_back(name + ": is at its limit");
  if (entry->queue.empty()) lines.push_back(name + ": nobody waits for offers");
  if (entry->earmark) {
    const detail::Earmark& earmark = state_->earmarks.at(*entry->earmark);
    lines.push_back(name + ": " + to_string(earmark.id) + " for " + to_string(earmark.demand.id) +
                    " of " + to_string(earmark.framework->id) + ": " +
                    std::to_string(earmark.ready) + " of " + std::to_string(earmark.agents.size()) +
                    " agents are ready");
  }
  return lines;
}

}  // namespace librm
