// Why a request gets no offer on an agent, with the amounts.
#pragma once

#include <utility>

#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

namespace detail {

/// `4 s`, `250 ms`: rounded up, so that it is never over before it says so.
inline std::string span_text(Duration span) {
  if (span >= seconds(1)) return std::to_string((span.ns + 999'999'999) / 1'000'000'000) + " s";
  return std::to_string((span.ns + 999'999) / 1'000'000) + " ms";
}

inline std::string mismatch(const Attributes& wanted, const Attributes& attributes) {
  for (const auto& [name, value] : wanted) {
    const auto found = attributes.find(name);
    if (found == attributes.end()) return name + ": need " + value + ", agent has none";
    if (found->second != value) return name + ": need " + value + ", agent has " + found->second;
  }
  return {};
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
  const detail::Filter* filter = detail::FilterBook::find(agent, member->second);
  if (filter == nullptr || filter->expires <= question.now) return {};
  if (!detail::FilterBook::holds(agent, *filter, question.role, available)) return {};
  const std::string& reason = filters.reason(*filter);
  return "declined: " + (reason.empty() ? "no reason given" : '"' + reason + '"') + " for " +
         detail::span_text(filter->expires - question.now) + " more";
}

LIBRM_DECL Allocator::Explanation Allocator::State::explain_agent(const Agent& agent,
                                                                  const Question& question) const {
  const auto no = [&](std::string reason) {
    return Explanation{agent.id, agent.hostname, false, std::move(reason)};
  };
  if (!agent.active) return no("agent is inactive");
  if (question.demand != nullptr) {
    std::string reason = detail::mismatch(question.demand->constraints, agent.attributes);
    if (!reason.empty()) return no(std::move(reason));
  }
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
  if (const auto lack = fits(question.request, unheld, question.role)) return no(to_string(*lack));
  // Where it would have to come from others' offers, the filter is asked about these, too; where
  // an own offer has it, not at all.
  const bool fits_free = !fits(question.request, agent.free, question.role);
  const bool fits_own = !fits(question.request, own, question.role);
  if (fits_free || !fits_own) {
    std::string reason = why_filtered(agent, fits_free ? agent.free : unheld, question);
    if (!reason.empty()) return no(std::move(reason));
  }
  if (!fits_own && others != nullptr) {
    return no("offered to " + to_string(others->framework) + " for at most " +
              detail::span_text(std::max(others->expires - question.now, Duration{})) + " more");
  }
  std::string unwanted = why_not_wanted(question);
  if (!unwanted.empty()) return no(std::move(unwanted));
  if (question.demand != nullptr) {
    const AnywherePlacer anywhere;
    const Placer& placer = options.placer == nullptr ? anywhere : *options.placer;
    const auto placed = placer.place(*question.demand, agent.id, own);
    if (!placed) return no(placed.error().message);
  }
  return {agent.id, agent.hostname, true, "fits"};
}

LIBRM_DECL std::vector<Allocator::Explanation> Allocator::State::explain(
    const Question& question) const {
  std::vector<Explanation> explanations;
  explanations.reserve(agents.size());
  for (const auto& [id, agent] : agents) explanations.push_back(explain_agent(agent, question));
  return explanations;
}

LIBRM_DECL std::vector<Allocator::Explanation> Allocator::explain(FrameworkId framework,
                                                                  std::string_view role,
                                                                  const Request& request,
                                                                  Instant now) const {
  return state_->explain({framework, role, request, nullptr, now});
}

LIBRM_DECL Result<std::vector<Allocator::Explanation>> Allocator::explain_demand(
    FrameworkId framework, DemandId demand, Instant now) const {
  const detail::Framework* entry = state_->find_registered(framework);
  if (entry != nullptr) {
    for (const Demand& known : entry->demands) {
      if (known.id == demand) {
        return state_->explain({framework, known.role, known.shape, &known, now});
      }
    }
  }
  return fail(ErrorCode::not_found,
              "framework " + to_string(framework) + ": no demand " + to_string(demand));
}

}  // namespace librm
