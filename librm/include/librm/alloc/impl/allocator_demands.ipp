// Demands and earmarks: agents are chosen, kept free, lent, and offered together.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "librm/alloc/impl/allocator_state.ipp"
#include "librm/resource/fits.hpp"

namespace librm {

namespace detail {

/// As much of the request as there is, concretely.
inline Resources select_up_to(const Request& request, const Resources& from,
                              std::string_view role) {
  Request part;
  const Resources mine = from.usable_by(role);
  for (const auto& [name, amount] : request.amounts) {
    Amount least = std::min(amount, mine.amount(name));
    if (least.milli > 0) part.amounts.emplace(name, least);
  }
  auto selected = select(part, from, role);
  return selected ? std::move(*selected) : Resources{};
}

inline AgentFacts facts_of(const Agent& agent) { return {agent.hostname, agent.attributes}; }

/// Whether constraints look at more than one node.
inline bool spreads(const Demand& demand) {
  return std::any_of(demand.constraints.begin(), demand.constraints.end(),
                     [](const Constraint& constraint) {
                       return constraint.kind == ConstraintKind::unique ||
                              constraint.kind == ConstraintKind::group_by ||
                              constraint.kind == ConstraintKind::max_per;
                     });
}

}  // namespace detail

/// Agents are looked for.
struct Allocator::State::Search {
  const Demand& demand;
  const Role& role;
  FrameworkId framework;
  EarmarkId own{};                     ///< whose claims do not stand in the way
  const std::vector<Agent*>& fixed{};  ///< chosen already
};

/// An agent on which one node of a demand can sit, and from when on.
struct Allocator::State::Candidate {
  Agent* agent = nullptr;
  std::optional<Instant> from;  ///< empty: what is held there has no known end
  std::int64_t score = 0;

  bool operator<(const Candidate& other) const {
    if (from.has_value() != other.from.has_value()) return from.has_value();
    if (from != other.from) return from < other.from;
    if (score != other.score) return score > other.score;
    return agent->id < other.agent->id;
  }
};

/// What one earmark keeps of what is free on an agent.
struct Allocator::State::Kept {
  Resources resources;
  std::optional<Instant> lendable_until;
};

LIBRM_DECL const Placer& Allocator::State::placer() const {
  static const AnywherePlacer anywhere;
  return options.placer == nullptr ? anywhere : *options.placer;
}

LIBRM_DECL detail::DemandEntry* Allocator::State::find_demand(const Earmark& earmark) {
  for (DemandEntry& entry : earmark.framework->demands) {
    if (entry.earmark == earmark.id) return &entry;
  }
  return nullptr;
}

// --- planning ---

/// Each role without an earmark gets one for its first demand that can be placed; the role with
/// the lowest share first.
LIBRM_DECL void Allocator::State::plan_earmarks() {
  if (demanding.empty()) return;
  const bool woken = demand_wake && *demand_wake <= clock;
  if (woken) demand_wake.reset();
  if (woken || (impatient && (all_dirty || !dirty_agents.empty()))) ++plan_generation;
  tree.refresh(root);
  std::set<detail::Node*, detail::NodeOrder> order({options.role_sorter});
  for (const std::string& name : demanding) {
    Role& role = roles.at(name);
    if (!role.earmark && role.tried != plan_generation) order.insert(&role);
  }
  if (order.empty()) return;
  impatient = false;
  for (detail::Node* node : order) {
    Role& role = static_cast<Role&>(*node);
    role.tried = plan_generation;
    if (plan_for(role)) demanding.erase(role.name);
  }
  if (demanding.empty()) demand_wake.reset();
}

/// True where nothing is left to plan for in the role: it has an earmark now, or no demand.
LIBRM_DECL bool Allocator::State::plan_for(Role& role) {
  bool any = false;
  for (const detail::Node* node : role.own.queue) {
    Framework& framework = *static_cast<const Member*>(node)->framework;
    for (DemandEntry& entry : framework.demands) {
      if (entry.demand.role != role.name || entry.done) continue;
      any = true;
      if (entry.not_before && *entry.not_before > clock) {
        wake_at(*entry.not_before);
      } else if (plan(framework, entry, role)) {
        return true;
      }
    }
  }
  return !any;
}

LIBRM_DECL void Allocator::State::wake_at(Instant at) {
  demand_wake = demand_wake ? std::min(*demand_wake, at) : at;
}

/// Makes an earmark for the demand, if agents for all of its nodes are found.
LIBRM_DECL bool Allocator::State::plan(Framework& framework, DemandEntry& entry, Role& role) {
  const Demand& demand = entry.demand;
  if (!within_limits(role, demand)) return false;
  const Search search{demand, role, framework.id, {}, {}};
  const std::vector<Candidate> chosen = choose(search, demand.count_min);
  if (chosen.size() < demand.count_min) return false;
  std::optional<Instant> starts = clock;
  for (const Candidate& one : chosen) {
    starts = starts && one.from ? std::optional(std::max(*starts, *one.from)) : std::nullopt;
  }
  // What is more than its part a role gets only where it need not be kept for it.
  if (starts != clock && !within_fair_share(role, demand)) {
    impatient = true;
    return false;
  }
  if (starts && wall_ahead && demand.useful_until &&
      starts->ns + wall_ahead->ns > demand.useful_until->ns) {
    return false;
  }
  const EarmarkId id = next_earmark;
  ++next_earmark.value;
  Earmark& earmark = earmarks[id];
  earmark.id = id;
  earmark.framework = &framework;
  earmark.role = &role;
  earmark.demand = demand;
  earmark.share = role.share;
  earmark.created = clock;
  earmark.starts = starts;
  entry.earmark = id;
  role.earmark = id;
  for (const Candidate& one : chosen) claim(earmark, *one.agent);
  return true;
}

/// `count` more agents, the soonest first; fewer where there are not so many.
LIBRM_DECL std::vector<Allocator::State::Candidate> Allocator::State::choose(const Search& search,
                                                                             std::size_t count) {
  const Demand& demand = search.demand;
  std::vector<Candidate> found;
  for (auto& [id, agent] : agents) {
    const auto& fixed = search.fixed;
    if (std::find(fixed.begin(), fixed.end(), &agent) != fixed.end()) continue;
    if (auto fitting = candidate(agent, search)) found.push_back(*fitting);
  }
  // Many agents, few nodes: only as many need to be in order.
  const bool plain = demand.same.empty() && !detail::spreads(demand);
  const std::size_t sorted = plain ? std::min(count, found.size()) : found.size();
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(sorted),
                    found.end());
  if (plain) found.erase(found.begin() + static_cast<std::ptrdiff_t>(sorted), found.end());
  if (demand.same.empty()) return take_first(found, search, count);
  const auto value_of = [&](const Agent& agent) {
    return std::string(*find_attribute(detail::facts_of(agent), demand.same));
  };
  std::map<std::string, std::vector<Candidate>> groups;
  for (const Candidate& one : found) {
    const std::string value = value_of(*one.agent);
    const bool other = !search.fixed.empty() && value_of(*search.fixed.front()) != value;
    if (!other) groups[value].push_back(one);
  }
  std::vector<Candidate> best;
  for (const auto& [value, members] : groups) {
    std::vector<Candidate> chosen = take_first(members, search, count);
    if (chosen.size() < count) continue;
    if (best.empty() || chosen.back() < best.back()) best = std::move(chosen);
  }
  return best;
}

/// The first of them that the demand's constraints on their spread allow together.
LIBRM_DECL std::vector<Allocator::State::Candidate> Allocator::State::take_first(
    const std::vector<Candidate>& sorted, const Search& search, std::size_t count) {
  Spread spread(search.demand.constraints);
  for (const Candidate& one : sorted) spread.know(detail::facts_of(*one.agent));
  for (const Agent* agent : search.fixed) spread.add(detail::facts_of(*agent));
  std::vector<Candidate> chosen;
  std::vector<bool> taken(sorted.size());
  // An even spread may take on a later round what it left out in an earlier one.
  for (bool more = true; more && chosen.size() < count;) {
    more = false;
    for (std::size_t i = 0; i < sorted.size() && chosen.size() < count; ++i) {
      if (taken[i] || spread.mismatch(detail::facts_of(*sorted[i].agent))) continue;
      spread.add(detail::facts_of(*sorted[i].agent));
      chosen.push_back(sorted[i]);
      taken[i] = true;
      more = true;
    }
  }
  return chosen;
}

/// What of an agent speaks against the demand for good; empty: nothing.
LIBRM_DECL std::string Allocator::State::mismatch(const Agent& agent, const Search& search) const {
  const AgentFacts facts = detail::facts_of(agent);
  for (const Constraint& constraint : search.demand.constraints) {
    if (auto reason = librm::mismatch(constraint, facts, options.matcher)) return *reason;
  }
  if (!search.demand.same.empty() && !find_attribute(facts, search.demand.same)) {
    return search.demand.same + ": agent has no " + search.demand.same;
  }
  if (options.filter != nullptr) {
    const librm::Candidate seen{agent.id, agent.hostname, &agent.attributes, &agent.total};
    if (!options.filter->allows(seen, search.framework, search.role.name)) {
      return options.filter->reason(seen, search.framework, search.role.name);
    }
  }
  return {};
}

/// From when on one node fits there; empty: never. Offers that others have can be taken back.
LIBRM_DECL std::optional<Allocator::State::Candidate> Allocator::State::candidate(
    Agent& agent, const Search& search) const {
  const Demand& demand = search.demand;
  if (!agent.active || fits(demand.shape, agent.total, search.role.name)) return std::nullopt;
  if (!mismatch(agent, search).empty()) return std::nullopt;
  const auto fits_in = [&](const Resources& resources) {
    if (agent.claims.empty()) return can_place(search, agent, resources);
    return can_place(search, agent, after_claims(agent, resources, search.own));
  };
  Candidate found;
  found.agent = &agent;
  if (fits_in(agent.free)) {
    found.from = clock;
  } else {
    if (!fits_in(agent.total)) return std::nullopt;
    Resources free = agent.free;
    for (const OfferId id : agent.offers) {
      const Offer& offer = offers.at(id).offer;
      if (!offer.earmark) free += offer.resources;
    }
    if (fits_in(free)) found.from = clock;
    for (const detail::HeldUntil& end : agent.ends) {
      if (found.from) break;
      free += end.resources;
      if (fits_in(free)) found.from = std::max(end.until, clock);
    }
  }
  if (wall_ahead && agent.available_until) {
    // What has no known length, or would not be over, does not go where a window comes.
    if (!found.from || !demand.duration) return std::nullopt;
    const std::int64_t over = found.from->ns + wall_ahead->ns + demand.duration->ns;
    if (over > agent.available_until->ns) return std::nullopt;
  }
  if (options.scorer != nullptr) {
    const librm::Candidate seen{agent.id, agent.hostname, &agent.attributes, &agent.total};
    found.score = options.scorer->score(demand, seen, agent.free.usable_by(search.role.name));
  }
  return found;
}

LIBRM_DECL bool Allocator::State::can_place(const Search& search, const Agent& agent,
                                            const Resources& resources) const {
  if (fits(search.demand.shape, resources, search.role.name)) return false;
  return options.placer == nullptr ||
         options.placer->place(search.demand, agent.id, resources).has_value();
}

/// Less what claims of other earmarks take there.
LIBRM_DECL Resources Allocator::State::after_claims(const Agent& agent, Resources from,
                                                    EarmarkId own) const {
  for (const Claim& claim : agent.claims) {
    if (claim.earmark == own) continue;
    from -= kept_of(agent, earmarks.at(claim.earmark), from);
  }
  return from;
}

/// Whether all nodes are within the limits of the role and of those above.
LIBRM_DECL bool Allocator::State::within_limits(const Role& role, const Demand& demand) const {
  for (const auto& [name, amount] : demand.shape.amounts) {
    if (!quotas.active() || !scalars.knows(name)) continue;
    for (const Role* at = &role; at != &root; at = at->above()) {
      const auto room = QuotaBook::room(*at, scalars.id_of(name));
      if (room && amount.milli > *room / demand.count_min) return false;
    }
  }
  return true;
}

/// Whether they leave to others what these are guaranteed.
LIBRM_DECL bool Allocator::State::within_surplus(const Role& role, const Demand& demand) const {
  for (const auto& [name, amount] : demand.shape.amounts) {
    if (!quotas.active() || !scalars.knows(name)) continue;
    const ScalarId id = scalars.id_of(name);
    std::int64_t most = std::max<std::int64_t>(0, quotas.surplus(id));
    for (const Role* at = &role; at != &root; at = at->above()) {
      most = std::max(most, quotas.surplus(id) + QuotaBook::unmet(*at, id));
    }
    if (amount.milli > most / demand.count_min) return false;
  }
  return true;
}

/// Whether the demand is within what the role gets when everybody who competes wants more, or
/// within its guarantee.
LIBRM_DECL bool Allocator::State::within_fair_share(const Role& role, const Demand& demand) const {
  for (const auto& [name, amount] : demand.shape.amounts) {
    if (!scalars.knows(name)) continue;
    const ScalarId id = scalars.id_of(name);
    std::int64_t most = fair_amount(role, id);
    for (const detail::ScalarAmount& guarantee : role.quota.guarantees) {
      if (guarantee.id == id) most = std::max(most, guarantee.milli);
    }
    if (amount.milli > most / demand.count_min) return false;
  }
  return true;
}

/// Its part of the pool by weights, among those who compete at each level.
LIBRM_DECL std::int64_t Allocator::State::fair_amount(const Role& role, ScalarId id) const {
  if (&role == &root) return scalars.totals()[id];
  const Role& above = *role.above();
  std::int64_t weights = 0;
  for (const auto& [name, other] : roles) {
    if (other.parent != &above) continue;
    const bool competes = other.queued || other.blocked || !other.held.is_zero();
    if (&other == &role || competes) weights += other.weight_milli;
  }
  if (above.own.queued || !above.own.held.is_zero()) weights += above.own.weight_milli;
  __extension__ using Wide = __int128;
  const Wide part = static_cast<Wide>(fair_amount(above, id)) * role.weight_milli / weights;
  return static_cast<std::int64_t>(part);
}

// --- claims ---

LIBRM_DECL void Allocator::State::claim(Earmark& earmark, Agent& agent) {
  agent.claims.push_back({earmark.id, false});
  const auto by_id = [](const Agent* a, const Agent* b) { return a->id < b->id; };
  earmark.agents.insert(
      std::upper_bound(earmark.agents.begin(), earmark.agents.end(), &agent, by_id), &agent);
  // Leases are short, but what is accepted on one may run for long.
  for (const OfferId id : std::vector<OfferId>(agent.offers)) {
    if (offers.at(id).offer.earmark) continue;
    rescinded.push_back(id);
    withdraw(offers.find(id));
  }
  touch(agent);
}

LIBRM_DECL void Allocator::State::unclaim(Earmark& earmark, Agent& agent) {
  for (const Claim& claim : agent.claims) {
    if (claim.earmark == earmark.id && claim.ready) --earmark.ready;
  }
  std::erase_if(agent.claims, [&](const Claim& claim) { return claim.earmark == earmark.id; });
  std::erase(earmark.agents, &agent);
  touch(agent);
}

/// The demand waits anew, if it is still there.
LIBRM_DECL void Allocator::State::dissolve(Earmark& earmark) {
  for (Agent* agent : std::vector<Agent*>(earmark.agents)) unclaim(earmark, *agent);
  if (DemandEntry* entry = find_demand(earmark)) {
    entry->earmark.reset();
    demand_again(*entry);
  }
  earmark.role->earmark.reset();
  ++plan_generation;
  earmarks.erase(EarmarkId(earmark.id));
}

/// Another agent takes its place in each earmark, as soon as any can; this may delay them.
LIBRM_DECL void Allocator::State::lose_agent(Agent& agent) {
  const std::vector<Claim> claims = agent.claims;
  for (const Claim& claim : claims) {
    Earmark& earmark = earmarks.at(claim.earmark);
    unclaim(earmark, agent);
    const Search search{earmark.demand, *earmark.role, earmark.framework->id, earmark.id,
                        earmark.agents};
    const std::vector<Candidate> others = choose(search, 1);
    if (others.empty()) {
      dissolve(earmark);
      continue;
    }
    const Candidate& other = others.front();
    if (!other.from) earmark.starts.reset();
    if (earmark.starts) earmark.starts = std::max(*earmark.starts, *other.from);
    this->claim(earmark, *other.agent);
  }
}

/// Which claims have what they wait for; what is lent can be had at once.
LIBRM_DECL void Allocator::State::refresh_claims(Agent& agent) {
  Resources rest = agent.free;
  for (const OfferId id : agent.offers) {
    const Offer& offer = offers.at(id).offer;
    if (offer.lent_until) rest += offer.resources;
  }
  for (Claim& claim : agent.claims) {
    Earmark& earmark = earmarks.at(claim.earmark);
    const bool ready = placer().place(earmark.demand, agent.id, rest).has_value();
    if (claim.ready != ready) earmark.ready += ready ? 1u : ~0u;
    claim.ready = ready;
    rest -= kept_of(agent, earmark, rest);
  }
}

/// What the earmark keeps of `rest` there: a node, or as much of one as there is.
LIBRM_DECL Resources Allocator::State::kept_of(const Agent& agent, const Earmark& earmark,
                                               const Resources& rest) const {
  auto placed = placer().place(earmark.demand, agent.id, rest);
  if (placed) return std::move(*placed);
  return detail::select_up_to(earmark.demand.shape, rest, earmark.role->name);
}

/// Takes out of `rest` what earmarks keep, in their order.
LIBRM_DECL std::vector<Allocator::State::Kept> Allocator::State::keep(const Agent& agent,
                                                                      Resources& rest) const {
  // Lent until the first of them starts: what is lent is nobody's in particular.
  std::optional<Instant> first;
  for (const Claim& claim : agent.claims) {
    const auto& starts = earmarks.at(claim.earmark).starts;
    if (starts) first = std::min(first.value_or(*starts), *starts);
  }
  std::vector<Kept> all;
  for (const Claim& claim : agent.claims) {
    const Earmark& earmark = earmarks.at(claim.earmark);
    Kept kept;
    kept.resources = kept_of(agent, earmark, rest);
    if (earmark.starts && *first > clock) kept.lendable_until = first;
    rest -= kept.resources;
    if (!kept.resources.empty()) all.push_back(std::move(kept));
  }
  return all;
}

// --- the start ---

LIBRM_DECL void Allocator::State::start_ready(std::vector<Offer>& out) {
  std::vector<EarmarkId> ready;
  for (const auto& [id, earmark] : earmarks) {
    if (earmark.ready == earmark.agents.size()) ready.push_back(id);
  }
  for (const EarmarkId id : ready) {
    // One that starts may use up what quotas leave to the next.
    if (can_start(earmarks.at(id))) start(earmarks.at(id), out);
  }
}

LIBRM_DECL bool Allocator::State::can_start(const Earmark& earmark) const {
  return within_limits(*earmark.role, earmark.demand) &&
         within_surplus(*earmark.role, earmark.demand);
}

/// All of its agents at once, and as many more as are free now.
LIBRM_DECL void Allocator::State::start(Earmark& earmark, std::vector<Offer>& out) {
  Member& member = earmark.framework->members.find(earmark.role->name)->second;
  const Demand demand = earmark.demand;
  const EarmarkId id = earmark.id;
  detail::Gang& gang = gangs[id];
  gang = {earmark.framework, demand.id, demand.count_min, {}};
  for (const Candidate& one : more_agents(earmark)) claim(earmark, *one.agent);
  const std::vector<Agent*> chosen = earmark.agents;
  for (Agent* agent : chosen) {
    for (const OfferId lent : std::vector<OfferId>(agent->offers)) {
      if (!offers.at(lent).offer.lent_until) continue;
      rescinded.push_back(lent);
      withdraw(offers.find(lent));
    }
    // Claims that are older come first on the agent, and keep theirs.
    Resources rest = agent->free;
    for (const Claim& claim : agent->claims) {
      if (claim.earmark == id) break;
      rest -= kept_of(*agent, earmarks.at(claim.earmark), rest);
    }
    auto placed = placer().place(demand, agent->id, rest);
    LIBRM_CHECK(placed.has_value(), "what is ready has its place");
    unclaim(earmark, *agent);
    const OfferId made = make_offer(*agent, member, std::move(*placed), std::nullopt, id).id;
    Offer& offer = offers.at(made).offer;
    offer.demand = demand.id;
    offer.together = static_cast<std::uint32_t>(chosen.size());
    out.push_back(offer);
    gang.offers.insert(made);
  }
  if (DemandEntry* entry = find_demand(earmark)) {
    entry->done = true;
    entry->earmark.reset();
  }
  Role& role = *earmark.role;
  role.earmark.reset();
  earmarks.erase(id);
  demanding.insert(role.name);
  ++plan_generation;
  tree.refresh(root);
}

/// Up to count_max - count_min, where a node is free now and quotas allow it.
LIBRM_DECL std::vector<Allocator::State::Candidate> Allocator::State::more_agents(
    const Earmark& earmark) {
  const Demand& demand = earmark.demand;
  Demand larger = demand;
  while (larger.count_min < demand.count_max) {
    ++larger.count_min;
    if (within_limits(*earmark.role, larger) && within_surplus(*earmark.role, larger)) continue;
    --larger.count_min;
    break;
  }
  if (larger.count_min == demand.count_min) return {};
  const Search search{demand, *earmark.role, earmark.framework->id, earmark.id, earmark.agents};
  std::vector<Candidate> more = choose(search, larger.count_min - demand.count_min);
  std::erase_if(more, [&](const Candidate& one) {
    return !can_place(search, *one.agent, after_claims(*one.agent, one.agent->free, earmark.id));
  });
  return more;
}

/// One of a gang's offers ended without being accepted: the others are of no use without it.
LIBRM_DECL void Allocator::State::leave_gang(const Offer& offer) {
  const auto at = gangs.find(*offer.earmark);
  if (at == gangs.end()) return;
  detail::Gang& gang = at->second;
  gang.offers.erase(offer.id);
  if (gang.offers.size() >= gang.need) {
    if (gang.offers.empty()) gangs.erase(at);
    return;
  }
  const detail::Gang broken = std::move(gang);
  gangs.erase(at);
  for (const OfferId id : broken.offers) {
    rescinded.push_back(id);
    withdraw(offers.find(id));
  }
  for (DemandEntry& entry : broken.framework->demands) {
    if (entry.demand.id != broken.demand) continue;
    entry.done = false;
    if (broken.framework->members.count(entry.demand.role) != 0) demand_again(entry);
  }
}

LIBRM_DECL void Allocator::State::demand_again(DemandEntry& entry) {
  demanding.insert(entry.demand.role);
  roles.at(entry.demand.role).tried = 0;
}

/// After its members came to wait or ceased to: earmarks are for those who wait.
LIBRM_DECL void Allocator::State::review_demands(Framework& framework) {
  for (DemandEntry& entry : framework.demands) {
    const auto member = framework.members.find(entry.demand.role);
    const bool waits = member != framework.members.end() && member->second.queued;
    if (!waits && entry.earmark) dissolve(earmarks.at(*entry.earmark));
    if (waits && !entry.done && !entry.earmark) demand_again(entry);
  }
}

}  // namespace librm
