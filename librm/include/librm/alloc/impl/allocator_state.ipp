// The allocator's state and the few operations through which every change of it goes.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "librm/alloc/allocator.hpp"
#include "librm/alloc/impl/entries.hpp"
#include "librm/alloc/impl/filters.hpp"
#include "librm/alloc/impl/scalars.hpp"
#include "librm/alloc/impl/sorter.hpp"
#include "librm/base/check.hpp"

namespace librm {

struct Allocator::State {
  using Agent = detail::Agent;
  using Framework = detail::Framework;
  using Holding = detail::Holding;
  using Member = detail::Member;
  using OfferEntry = detail::OfferEntry;
  using Role = detail::Role;
  using Offers = std::map<OfferId, OfferEntry>;

  explicit State(const AllocatorOptions& chosen)
      : options(chosen), next_offer(chosen.first_offer), sorter(scalars, roles) {}

  AllocatorOptions options;
  OfferId next_offer;
  Instant clock;  ///< the latest time of any call
  std::map<AgentId, Agent> agents;
  std::map<FrameworkId, Framework> frameworks;
  detail::Sorter::Roles roles;
  Offers offers;  ///< in id order, which is the order in which they expire
  detail::ScalarTable scalars;
  detail::Sorter sorter;
  detail::FilterBook filters;
  std::vector<Agent*> dirty_agents;
  bool all_dirty = false;  ///< somebody may get offers who could not before

  Instant advance(Instant now) { return clock = std::max(clock, now); }

  void touch(Agent& agent) {
    if (!agent.dirty) dirty_agents.push_back(&agent);
    agent.dirty = true;
  }

  // --- finding and making ---

  Agent* find_agent(AgentId id) {
    const auto found = agents.find(id);
    return found == agents.end() ? nullptr : &found->second;
  }
  Framework* find_framework(FrameworkId id) {
    const auto found = frameworks.find(id);
    return found == frameworks.end() ? nullptr : &found->second;
  }
  Framework* find_registered(FrameworkId id) {
    Framework* framework = find_framework(id);
    return framework != nullptr && framework->registered ? framework : nullptr;
  }
  Framework& make_framework(FrameworkId id) {
    Framework& framework = frameworks[id];
    framework.id = id;
    return framework;
  }
  Role& make_role(std::string_view name) {
    auto found = roles.find(name);
    if (found == roles.end()) {
      found = roles.emplace(std::string(name), Role{}).first;
      found->second.name = found->first;
    }
    return found->second;
  }
  Member& make_member(Framework& framework, std::string_view role_name) {
    const auto found = framework.members.find(role_name);
    if (found != framework.members.end()) return found->second;
    Member& member = framework.members[std::string(role_name)];
    member.framework = &framework;
    member.role = &make_role(role_name);
    member.role->members.emplace(framework.id, &member);
    filters.enroll(member);
    return member;
  }

  /// Forgets the member, its framework and its role where nothing refers to them any more.
  void forget_if_unused(Member& member) {
    Framework& framework = *member.framework;
    Role& role = *member.role;
    // Offers need no look: only wanted members have them.
    if (member.wanted || member.holdings > 0) return;
    sorter.forget(member);
    filters.expel(member);
    role.members.erase(framework.id);
    framework.members.erase(framework.members.find(role.name));
    if (framework.members.empty() && !framework.registered) frameworks.erase(framework.id);
    forget_if_unused(role);
  }
  void forget_if_unused(Role& role) {
    if (!role.members.empty() || role.weight_set) return;
    sorter.forget(role);
    roles.erase(roles.find(role.name));
  }

  /// Calls `visit(member)` for the framework's wanted roles among `names`, all where empty.
  template <class Visit>
  static void for_wanted(Framework& framework, const std::set<std::string>& names, Visit visit) {
    for (auto& [name, member] : framework.members) {
      if (member.wanted && (names.empty() || names.contains(name))) visit(member);
    }
  }

  /// Into or out of the queue, as the flags say.
  void requeue(Member& member) {
    if (member.framework->active && member.wanted && !member.suppressed) {
      if (sorter.enlist(member)) all_dirty = true;
    } else {
      sorter.withdraw(member);
    }
  }

  // --- holdings ---

  void book(Member& member, const Resources& resources, int sign) {
    scalars.book(resources, sign, member.held, member.role->held);
    sorter.touch(member);
  }

  static auto find_holding(Agent& agent, const Member& member) {
    return std::lower_bound(agent.holdings.begin(), agent.holdings.end(), member.number,
                            [](const Holding& holding, std::uint32_t number) {
                              return holding.member->number < number;
                            });
  }

  /// Precondition: the agent's free resources contain them.
  void hold(Agent& agent, Member& member, const Resources& resources) {
    if (resources.empty()) return;
    agent.free -= resources;
    book(member, resources, +1);
    const auto at = find_holding(agent, member);
    if (at != agent.holdings.end() && at->member == &member) {
      at->resources += resources;
    } else {
      agent.holdings.insert(at, {&member, resources});
      ++member.holdings;
    }
  }

  void release(Agent& agent, Member& member, const Resources& resources) {
    const auto at = find_holding(agent, member);
    LIBRM_CHECK(at != agent.holdings.end() && at->member == &member, "what is released was held");
    at->resources -= resources;
    agent.free += resources;
    book(member, resources, -1);
    touch(agent);
    if (!at->resources.empty()) return;
    agent.holdings.erase(at);
    --member.holdings;
    forget_if_unused(member);
  }

  // --- offers ---

  /// Ends the offer: its resources are free again.
  Offer withdraw(Offers::iterator at) {
    Agent& agent = *at->second.agent;
    Member& member = *at->second.member;
    Offer offer = std::move(at->second.offer);
    agent.free += offer.resources;
    agent.offers.erase(std::lower_bound(agent.offers.begin(), agent.offers.end(), offer.id));
    member.framework->offers.erase(offer.id);
    book(member, offer.resources, -1);
    touch(agent);
    offers.erase(at);
    return offer;
  }
  std::vector<OfferId> withdraw_all(const std::vector<OfferId>& ids) {
    for (const OfferId id : ids) withdraw(offers.find(id));
    return ids;
  }
  std::vector<OfferId> withdraw_all(const Framework& framework) {
    return withdraw_all(std::vector<OfferId>(framework.offers.begin(), framework.offers.end()));
  }

  /// What is free on the agent for the role was refused before: then a further refusal adds to
  /// it, else each of two offers that are declined one after the other would break the filter of
  /// the other one.
  static bool all_refused(const Agent& agent, const Member& member, Instant now) {
    const detail::Filter* filter = detail::FilterBook::find(agent, member);
    return filter != nullptr && filter->expires > now &&
           detail::FilterBook::holds(agent, *filter, member.role->name, agent.free);
  }

  /// Filters the agent for the member; `refused` is free again already, `all_refused` is from
  /// before.
  void refuse(Agent& agent, Member& member, Resources refused, bool was_all_refused,
              Duration refuse_for, std::string_view reason) {
    if (refuse_for.ns <= 0 || refused.empty()) return;
    if (was_all_refused) {
      Resources free = agent.free;
      refused = free.take_usable(member.role->name);
    }
    const Instant end = clock + std::min(refuse_for, options.refuse_for_max);
    filters.refuse(agent, member, std::move(refused), end, reason);
  }

  /// The agents where they were may be offered again.
  void clear_filters(Member& member) {
    for (const AgentId id : std::vector<AgentId>(member.filtered_on)) {
      Agent& agent = *find_agent(id);
      filters.clear(agent, member);
      touch(agent);
    }
  }

  /// All that is in the offers, if they may be accepted together.
  Result<Resources> check_offers(std::span<const OfferId> ids);

  // --- allocation (allocator_run.ipp) ---

  std::vector<Offer> run();
  void serve(Agent& agent, std::vector<Offer>& out);
  Member* pick(const Agent& agent);
  Member* first_unfiltered(const Role& role);
  Offer make_offer(Agent& agent, Member& member);

  // --- explanation (allocator_explain.ipp) ---

  struct Question;
  std::vector<Explanation> explain(const Question& question) const;
  Explanation explain_agent(const Agent& agent, const Question& question) const;
  std::string why_filtered(const Agent& agent, const Resources& available,
                           const Question& question) const;
  std::string why_not_wanted(const Question& question) const;

  // --- consistency (allocator_views.ipp) ---

  using Violations = std::vector<std::string>;
  void check_agent(const Agent& agent, Violations& violations) const;
  void check_offer(OfferId id, const OfferEntry& entry, Violations& violations) const;
  void check_member(const Member& member, const detail::Quantities& held,
                    Violations& violations) const;
  void check_role(const Role& role, Violations& violations) const;
};

}  // namespace librm
