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
#include "librm/alloc/impl/quota_book.hpp"
#include "librm/alloc/impl/scalars.hpp"
#include "librm/alloc/impl/slots.hpp"
#include "librm/alloc/impl/tree.hpp"
#include "librm/base/check.hpp"

namespace librm {

struct Allocator::State {
  using Agent = detail::Agent;
  using Claim = detail::Claim;
  using DemandEntry = detail::DemandEntry;
  using Earmark = detail::Earmark;
  using Framework = detail::Framework;
  using Holding = detail::Holding;
  using Member = detail::Member;
  using OfferEntry = detail::OfferEntry;
  using QuotaBook = detail::QuotaBook;
  using Role = detail::Role;
  using ScalarId = detail::ScalarId;
  using Offers = std::map<OfferId, OfferEntry>;

  explicit State(const AllocatorOptions& chosen)
      : options(chosen),
        next_offer(chosen.first_offer),
        scalars(chosen.unfair),
        tree(scalars, {chosen.role_sorter}),
        root("", {chosen.role_sorter}, {chosen.framework_sorter}),
        quotas(scalars, tree, root) {}
  /// The same again, with its own of everything.
  State(const State& other);
  State& operator=(const State&) = delete;

  AllocatorOptions options;
  OfferId next_offer;
  EarmarkId next_earmark{1};
  Instant clock;                       ///< the latest time of any call
  std::optional<Duration> wall_ahead;  ///< wall clock less `clock`, where it was said
  std::map<AgentId, Agent> agents;
  detail::Slots slots;  ///< which agents have anything free
  std::map<FrameworkId, Framework> frameworks;
  std::map<std::string, Role, std::less<>> roles;
  std::map<std::string, detail::Quantities, std::less<>> reserved;  ///< for each role, in all
  Offers offers;  ///< in id order, which is the order in which they expire
  std::map<EarmarkId, Earmark> earmarks;
  detail::ScalarTable scalars;
  detail::FairTree tree;
  Role root;
  detail::QuotaBook quotas;
  detail::FilterBook filters;
  std::vector<Agent*> dirty_agents;
  bool all_dirty = false;  ///< somebody may get offers who could not before
  std::vector<OfferId> rescinded;
  std::map<EarmarkId, detail::Gang> gangs;       ///< whose offers are outstanding
  std::set<std::string, std::less<>> demanding;  ///< roles with a demand without an earmark
  std::optional<Instant> demand_wake;            ///< a demand was refused until then
  bool impatient = false;  ///< a demand waits for what is free now, since its role has its share
  std::uint64_t plan_generation = 1;  ///< counts up when a demand may find agents that had not
  detail::ScalarAmounts scratch;
  std::uint64_t stamp = 0;  ///< of what roles remember that they could take

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
  Role* find_role(std::string_view name) {
    const auto found = roles.find(name);
    return found == roles.end() ? nullptr : &found->second;
  }
  const Role* find_role(std::string_view name) const {
    const auto found = roles.find(name);
    return found == roles.end() ? nullptr : &found->second;
  }
  /// With those above it.
  Role& make_role(std::string_view name) {
    if (Role* known = find_role(name)) return *known;
    const std::size_t slash = name.rfind('/');
    Role& above = slash == name.npos ? root : make_role(name.substr(0, slash));
    const detail::NodeOrder by_role{options.role_sorter};
    const detail::NodeOrder by_framework{options.framework_sorter};
    std::string key(name);
    Role& role = roles.try_emplace(key, key, by_role, by_framework).first->second;
    role.parent = &above;
    ++above.children;
    tree.enter(role);
    tree.enter(role.own);
    if (quotas.active() && !reserved.empty()) charge_new_role(role);
    return role;
  }
  Member& make_member(Framework& framework, std::string_view role_name) {
    const auto found = framework.members.find(role_name);
    if (found != framework.members.end()) return found->second;
    Role& role = make_role(role_name);
    Member& member = framework.members.try_emplace(role.name, framework, role).first->second;
    role.members.emplace(framework.id, &member);
    tree.enter(member);
    filters.enroll(member);
    return member;
  }

  /// Forgets the member, its framework and its role where nothing refers to them any more.
  void forget_if_unused(Member& member) {
    Framework& framework = *member.framework;
    Role& role = *member.role;
    // Offers need no look: only wanted members have them.
    if (member.wanted || member.holdings > 0) return;
    tree.forget(member);
    filters.expel(member);
    role.members.erase(framework.id);
    framework.members.erase(framework.members.find(role.name));
    if (framework.members.empty() && !framework.registered) frameworks.erase(framework.id);
    forget_if_unused(role);
  }
  void forget_if_unused(Role& role) {
    if (&role == &root || !role.members.empty() || role.weight_set || role.quota.quota ||
        role.children > 0) {
      return;
    }
    Role& above = *role.above();
    quotas.drop(role);
    tree.forget(role);
    tree.forget(role.own);
    demanding.erase(role.name);
    roles.erase(roles.find(role.name));
    --above.children;
    forget_if_unused(above);
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
      if (tree.enlist(member)) all_dirty = true;
    } else {
      tree.withdraw(member);
    }
    quotas.requeued(*member.role);
  }

  // --- what is free ---

  void take_free(Agent& agent, const Resources& taken) {
    agent.free -= taken;
    free_changed(agent, taken, -1);
  }
  void give_free(Agent& agent, const Resources& given) {
    agent.free += given;
    free_changed(agent, given, +1);
  }
  void free_changed(Agent& agent, const Resources& change, int sign) {
    slots.set(agent.slot, agent.active && !agent.free.empty());
    if (quotas.active() && agent.active) quotas.add_free(change, sign);
  }
  void set_active(Agent& agent, bool active) {
    if (agent.active == active) return;
    agent.active = active;
    slots.set(agent.slot, active && !agent.free.empty());
    if (quotas.active()) quotas.add_free(agent.free, active ? +1 : -1);
    if (active) touch(agent);
  }

  // --- holdings ---

  void book(Member& member, const Resources& resources, int sign) {
    scalars.collect(resources, scratch);
    tree.book(member, scratch, sign);
    if (quotas.active()) quotas.charge(*member.role, resources, sign);
  }

  static auto find_holding(Agent& agent, const Member& member) {
    return std::lower_bound(agent.holdings.begin(), agent.holdings.end(), member.number,
                            [](const Holding& holding, std::uint32_t number) {
                              return holding.member->number < number;
                            });
  }

  /// Precondition: the agent's free resources contain them.
  void hold(Agent& agent, Member& member, const Resources& resources,
            std::optional<Instant> until) {
    if (resources.empty()) return;
    take_free(agent, resources);
    book(member, resources, +1);
    // Others may use a shared volume at the same time.
    const Resources shared = detail::shared_part(resources);
    if (!shared.empty()) give_free(agent, shared);
    const auto at = find_holding(agent, member);
    if (at != agent.holdings.end() && at->member == &member) {
      at->resources += resources;
    } else {
      agent.holdings.insert(at, {&member, resources});
      ++member.holdings;
    }
    if (!until) return;
    // One sum for each end: of two parts, a release of the smaller one could take from the larger.
    const auto same = std::find_if(agent.ends.begin(), agent.ends.end(), [&](const auto& end) {
      return end.until == *until && end.member == &member;
    });
    if (same != agent.ends.end()) {
      same->resources += resources;
      return;
    }
    const auto later = std::find_if(agent.ends.begin(), agent.ends.end(),
                                    [&](const auto& end) { return end.until > *until; });
    agent.ends.insert(later, {*until, &member, resources});
  }

  void release(Agent& agent, Member& member, const Resources& resources,
               std::optional<Instant> until) {
    const auto at = find_holding(agent, member);
    LIBRM_CHECK(at != agent.holdings.end() && at->member == &member, "what is released was held");
    at->resources -= resources;
    if (until) forget_end(agent, member, resources, *until);
    const Resources shared = detail::shared_part(resources);
    give_free(agent, shared.empty() ? resources : resources - shared);
    book(member, resources, -1);
    touch(agent);
    if (!at->resources.empty()) return;
    agent.holdings.erase(at);
    --member.holdings;
    forget_if_unused(member);
  }
  static void forget_end(Agent& agent, const Member& member, const Resources& resources,
                         Instant until) {
    const auto end = std::find_if(agent.ends.begin(), agent.ends.end(), [&](const auto& known) {
      return known.until == until && known.member == &member && known.resources.contains(resources);
    });
    LIBRM_CHECK(end != agent.ends.end(), "what is released was held until then");
    end->resources -= resources;
    if (end->resources.empty()) agent.ends.erase(end);
  }

  // --- offers ---

  /// Ends the offer: its resources are free again.
  Offer withdraw(Offers::iterator at) {
    Agent& agent = *at->second.agent;
    Member& member = *at->second.member;
    Offer offer = std::move(at->second.offer);
    agent.offers.erase(std::lower_bound(agent.offers.begin(), agent.offers.end(), offer.id));
    member.framework->offers.erase(offer.id);
    give_free(agent, offer.resources);
    book(member, offer.resources, -1);
    touch(agent);
    offers.erase(at);
    if (offer.earmark) leave_gang(offer);
    return offer;
  }
  std::vector<OfferId> withdraw_all(const std::vector<OfferId>& ids) {
    for (const OfferId id : ids) {
      const auto at = offers.find(id);
      if (at != offers.end()) withdraw(at);  // else it ended with another one of its gang
    }
    return ids;
  }
  std::vector<OfferId> withdraw_all(const Framework& framework) {
    return withdraw_all(std::vector<OfferId>(framework.offers.begin(), framework.offers.end()));
  }

  /// What is free on the agent for the role was refused before: then a further refusal adds to
  /// it, else each of two offers that are declined one after the other would break the filter of
  /// the other one.
  bool all_refused(const Agent& agent, const Member& member) const {
    const detail::FilterEntry* filter = detail::FilterBook::find(agent, member, false);
    return filter != nullptr && filter->expires > clock &&
           detail::FilterBook::holds(agent, *filter, usable_by(agent.free, member));
  }

  /// With what its filter there says. Of what is guaranteed and of what everybody gets, or of what
  /// two earmarks lend, each may be more than the other in something, so that each refusal would
  /// break the other's filter.
  Resources refused_in_all(const Agent& agent, const Member& member, Resources refused,
                           bool lent) const {
    const detail::FilterEntry* filter = detail::FilterBook::find(agent, member, lent);
    if (filter == nullptr || filter->expires <= clock) return refused;
    return detail::join(std::move(refused), agent.refusals[filter->refusal].resources);
  }

  /// Filters the agent for the member; `refused` is free again already, `all_refused` is from
  /// before.
  void refuse(Agent& agent, Member& member, Resources refused, bool was_all_refused, bool lent,
              Duration refuse_for, std::string_view reason) {
    if (refuse_for.ns <= 0 || refused.empty()) return;
    if (was_all_refused) {
      refused = usable_by(agent.free, member);
    } else if (lent || quotas.active()) {
      refused = refused_in_all(agent, member, std::move(refused), lent);
    }
    const Instant end = clock + std::min(refuse_for, options.refuse_for_max);
    filters.refuse(agent, member, std::move(refused), end, reason, lent);
  }

  /// The agents where they were may be offered again.
  void clear_filters(Member& member) {
    for (const AgentId id : std::vector<AgentId>(member.filtered_on)) {
      Agent& agent = *find_agent(id);
      filters.clear(agent, member);
      touch(agent);
    }
  }

  /// What a member could be offered of these, quotas and earmarks aside.
  static Resources usable_by(const Resources& resources, const Member& member) {
    const bool revocable = member.framework->revocable;
    return resources.usable_by(member.role->name,
                               revocable ? Revocable::included : Revocable::excluded);
  }

  /// All that is in the offers, if they may be accepted together.
  Result<Resources> check_offers(std::span<const OfferId> ids) const;
  Result<Resources> check_part(const Part& part) const;
  static Result<void> check_operation(const Operation& operation, std::string_view role);
  Acceptance accept_part(const Part& part, Resources offered, Duration refuse_for);
  void change(Agent& agent, const Operation& operation);
  void keep_gang(OfferId offer, EarmarkId earmark);
  void refuse_demand(EarmarkId earmark, Duration refuse_for);

  // --- a second one (allocator_clone.ipp) ---

  void copy_roles(const State& other);
  void copy_frameworks(const State& other);
  template <class Map>
  void copy_queues(const State& other, Map node);

  // --- what is asked for ---

  Result<void> check_wishes(FrameworkId framework, const FrameworkWishes& wishes) const;
  void set_wishes(Framework& framework, FrameworkWishes wishes);
  Result<void> check_demands(const Framework& framework, const std::vector<Demand>& demands) const;
  Result<void> check_pattern(const Constraint& constraint) const;

  // --- allocation (allocator_run.ipp) ---

  std::vector<Offer> run();
  std::vector<Agent*> take_work();
  void serve(Agent& agent, std::vector<Offer>& out);
  void serve_held_back(std::vector<Offer>& out);

  /// What may be given away on one agent now: everything free, or less where it is kept for
  /// earmarks; `lent_until` where it must come back.
  struct Slice {
    Agent& agent;
    const Resources& open;
    std::optional<Instant> lent_until;
    bool plain = true;       ///< it is all that is free, and no quota or reservation divides it
    bool unreserved = true;  ///< some of it is
  };
  void distribute(Agent& agent, const Resources& open, std::optional<Instant> lent_until,
                  std::vector<Offer>& out);
  bool distribute_one(const Slice& slice, std::vector<Offer>& out);
  Member* pick(const Slice& slice, Resources& take);
  bool eligible(const Slice& slice, const Member& member, const Role* owed, Resources& take);
  const Resources& takeable(const Slice& slice, const Member& member, const Role* owed);
  bool has_refused(const Slice& slice, const Member& member, const Resources& part) const;
  bool allocatable(const Member& member, const Resources& take) const;
  Offer make_offer(Agent& agent, Member& member, Resources take, std::optional<Instant> lent_until,
                   std::optional<EarmarkId> earmark);

  // --- quotas (allocator_quota.ipp) ---

  bool keeps_all(const Slice& slice) const;
  Resources chop(const Resources& part, const Role& role, const Role* owed) const;
  bool is_forbidden(const Role& role, ScalarId id) const;
  void remember_kept(const Slice& slice);
  std::int64_t most_for(const Role& role, const Role* owed, detail::ScalarId id) const;
  Result<void> check_quota(std::string_view name, const Quota& quota, bool force) const;
  Result<void> check_children(std::string_view name, const Quota& quota) const;
  Result<void> check_room(std::string_view name, const Quota& quota) const;
  std::int64_t promised(std::string_view scalar, std::string_view name, std::int64_t milli) const;
  detail::Quantities consumed(std::string_view name) const;
  Role& nearest_role(std::string_view name);
  void charge_reserved(const Resources& total, int sign);
  void charge_new_role(Role& role);
  void recount();
  void rescind_for_quota(const Role& role);

  // --- earmarks (allocator_demands.ipp) ---

  struct Candidate;
  struct Kept;
  struct Search;
  void plan_earmarks();
  bool plan_for(Role& role);
  bool plan(Framework& framework, DemandEntry& entry, Role& role);
  void wake_at(Instant at);
  std::vector<Candidate> choose(const Search& search, std::size_t count);
  static std::vector<Candidate> take_first(const std::vector<Candidate>& sorted,
                                           const Search& search, std::size_t count);
  std::string mismatch(const Agent& agent, const Search& search) const;
  std::optional<Candidate> candidate(Agent& agent, const Search& search) const;
  bool can_place(const Search& search, const Agent& agent, const Resources& resources) const;
  Resources after_claims(const Agent& agent, Resources from, EarmarkId own) const;
  bool within_limits(const Role& role, const Demand& demand) const;
  bool within_surplus(const Role& role, const Demand& demand) const;
  bool within_fair_share(const Role& role, const Demand& demand) const;
  std::int64_t fair_amount(const Role& role, ScalarId id) const;
  void claim(Earmark& earmark, Agent& agent);
  void unclaim(Earmark& earmark, Agent& agent);
  void dissolve(Earmark& earmark);
  void lose_agent(Agent& agent);
  void refresh_claims(Agent& agent);
  Resources kept_of(const Agent& agent, const Earmark& earmark, const Resources& rest) const;
  std::vector<Kept> keep(const Agent& agent, Resources& rest) const;
  void start_ready(std::vector<Offer>& out);
  bool can_start(const Earmark& earmark) const;
  void start(Earmark& earmark, std::vector<Offer>& out);
  std::vector<Candidate> more_agents(const Earmark& earmark);
  void leave_gang(const Offer& offer);
  void demand_again(DemandEntry& entry);
  void review_demands(Framework& framework);
  DemandEntry* find_demand(const Earmark& earmark);
  void find_preemptible(const Earmark& earmark, const Agent& agent,
                        std::vector<Preemption>& wanted) const;
  Request lacking(const Earmark& earmark, const Agent& agent) const;
  const Placer& placer() const;

  // --- explanation (allocator_explain.ipp) ---

  struct Question;
  std::vector<Explanation> explain(const Question& question) const;
  Explanation explain_agent(const Agent& agent, const Question& question) const;
  std::string why_filtered(const Agent& agent, const Resources& available,
                           const Question& question) const;
  std::string why_not_wanted(const Question& question) const;
  std::string why_quota(const Agent& agent, const Question& question, bool is_free) const;
  std::string why_not_there(const Agent& agent, const Question& question) const;
  std::string why_kept(const Agent& agent, const Resources& own, const Question& question) const;

  // --- consistency (allocator_views.ipp) ---

  using Violations = std::vector<std::string>;
  void check_agent(const Agent& agent, Violations& violations) const;
  void check_offer(OfferId id, const OfferEntry& entry, Violations& violations) const;
  void check_member(const Member& member, const detail::Quantities& held,
                    Violations& violations) const;
  void check_role(const Role& role, Violations& violations) const;
  void check_quotas(Violations& violations) const;
  void check_earmarks(Violations& violations) const;
};

}  // namespace librm
