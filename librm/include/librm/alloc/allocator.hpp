// Who is offered what: dominant resource fairness over roles and frameworks, offers as leases.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "librm/alloc/demand.hpp"
#include "librm/alloc/explain.hpp"
#include "librm/alloc/offer.hpp"
#include "librm/alloc/options.hpp"
#include "librm/alloc/placer.hpp"
#include "librm/alloc/policy.hpp"
#include "librm/alloc/quota.hpp"
#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/operation.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// What a framework wants at its registration.
struct FrameworkWishes {
  std::set<std::string> roles;             ///< it wants offers for; at least one
  bool revocable = false;                  ///< revocable resources, too
  std::vector<Request> min_allocatable{};  ///< instead of the allocator's; empty: as that
};

/// A part of what is accepted, and when it will be free again at the latest; empty: unknown.
struct Use {
  Resources resources;
  std::optional<Instant> until{};
};

/// What accepting offers gave: the framework now holds what it used on the agent.
struct Acceptance {
  FrameworkId framework;
  AgentId agent;
  std::string role;
  Resources offered;  ///< all of the accepted offers together
};

/// The allocator of one cluster. No threads, no clock, no I/O; every call says what time it is
/// where time matters, and a time before an earlier call's counts as that one. Not thread-safe:
/// one thread at a time. Deterministic: the same calls give the same offers. Work is done for
/// agents whose free resources or filters changed, only.
///
///     Allocator allocator({});
///     allocator.add_framework(f1, {"*"});
///     allocator.add_agent(a1, "host-1", total, {}, {});
///     for (const Offer& offer : allocator.run(now)) ...
///     allocator.accept({{offer.id}}, used, now, refuse_for);   // or decline()
///     allocator.release(f1, a1, "*", used);                    // when the task ends
///
/// Fairness (Ghodsi et al., "Dominant Resource Fairness", NSDI 2011): roles form a tree by their
/// names, `eng/backend` is below `eng`. A free agent is offered, resource by resource usable by
/// the role, to the place with the lowest weighted dominant share among its siblings, from the
/// top of the tree down to a framework; the frameworks of `eng` itself are one place among the
/// roles below `eng`. Ties go by role name (its own frameworks first), then framework id. What is
/// offered counts as held. One offer has all that is free there and usable() by the role; what is
/// reserved for other roles goes to them. Revocable resources go to those who want them.
///
/// Quotas: roles with unmet guarantees come first, and get no more than these of one agent;
/// others get what is left over the sum of unmet guarantees, and no role more than its limit.
///
/// Demands: each role has at most one *earmark*, on agents chosen for its first demand, within
/// its fair share or guarantee. What an earmark waits for is offered to nobody else, or lent
/// until its planned start where that is known. It never moves later, except through the loss of
/// an agent; when the last of its agents is free, all are offered at once.
class Allocator {
 public:
  explicit Allocator(AllocatorOptions options);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  /// The same again, to try something out: both go on independently, and alike as long as the
  /// same is done with both. Policies are shared.
  std::unique_ptr<Allocator> clone() const;

  // --- roles and frameworks ---

  /// Thousandths, 1..1'000'000'000; a role that was never named has 1000. Moves nothing that is
  /// already offered.
  Result<void> set_weight(std::string_view role, std::int64_t weight_milli);
  /// Fails where the id is registered already, or a role is not allowed; what agents reported as
  /// held by it before counts from the start.
  Result<void> add_framework(FrameworkId framework, FrameworkWishes wishes);
  Result<void> add_framework(FrameworkId framework, std::set<std::string> roles);
  /// Replaces its wishes; returns the offers that end, those in roles that it left.
  Result<std::vector<OfferId>> update_framework(FrameworkId framework, FrameworkWishes wishes);
  /// Its offers end (returned, so that agents' resources are free again); what it holds stays
  /// held until release().
  std::vector<OfferId> remove_framework(FrameworkId framework);
  /// A disconnected framework keeps what it holds and gets no offers. Its filters are dropped,
  /// because it may come back with other wishes. Returns the offers ended.
  std::vector<OfferId> deactivate_framework(FrameworkId framework);
  void activate_framework(FrameworkId framework);
  /// No offers in these roles (all of its roles where empty) until revived; outstanding ones
  /// stay. Unknown frameworks and roles are ignored, here and in the calls around it.
  void suppress(FrameworkId framework, const std::set<std::string>& roles);
  /// Ends suppression and drops the framework's filters in these roles (all where empty).
  void revive(FrameworkId framework, const std::set<std::string>& roles);
  /// Replaces the framework's demands. Those that are named again keep their earmarks.
  Result<void> set_demands(FrameworkId framework, std::vector<Demand> demands);

  // --- quotas ---

  /// Replaces the role's quota. Refused where a guarantee is above its own limit; unless forced,
  /// also where a limit is below what the role uses (offers aside) or the guarantee of a role
  /// below, a guarantee above the limit of a role above, or all guarantees together above the pool.
  /// Returns the offers that are rescinded for it, the latest first.
  Result<std::vector<OfferId>> set_quota(std::string_view role, const Quota& quota,
                                         bool force = false);
  void remove_quota(std::string_view role);

  // --- agents ---

  /// What a framework already holds there, as reported by a returning agent.
  struct Held {
    FrameworkId framework;
    std::string role;
    Resources resources;
    std::optional<Instant> until{};  ///< free again by then; empty: unknown
  };
  /// Fails where the id is known, where `held` is not contained in `total`, naming the shortage,
  /// and where the cluster's total of a scalar would reach 10^12 units. The frameworks in `held`
  /// need not be registered (yet).
  Result<void> add_agent(AgentId agent, std::string hostname, Resources total,
                         Attributes attributes, const std::vector<Held>& held);
  /// What is held there ends with it: no release(). Returns the offers that end with it.
  std::vector<OfferId> remove_agent(AgentId agent);
  /// Not offered while inactive; holdings stay. Returns the offers that end.
  std::vector<OfferId> deactivate_agent(AgentId agent);
  void activate_agent(AgentId agent);
  /// Reserves, unreserves, creates or destroys a volume there, for an operator. Fails where its
  /// resources are not there or are held, with the amounts; offers that have them are rescinded
  /// and returned.
  Result<std::vector<OfferId>> operate(AgentId agent, const Operation& operation);
  /// Planned unavailability, shown in offers made from now on as `available_until`.
  void set_available_until(AgentId agent, std::optional<WallTime> until);

  // --- offers ---

  /// Makes the offers that are due now. Cheap when nothing changed. With both clocks, demands'
  /// `useful_until` and agents' `available_until` count for earmarks, too.
  std::vector<Offer> run(Instant now);
  std::vector<Offer> run(Now now);
  /// Offers that run() took back, for earmarks that start or were made; ask after each run.
  std::vector<OfferId> take_rescinded();
  /// Offers whose lease ended by `now`: they are withdrawn and their resources free again.
  std::vector<Offer> expire(Instant now);
  /// When expire(), a filter's end or an earmark is next of interest.
  std::optional<Instant> next_deadline() const;

  /// All or nothing: every offer must be outstanding, unexpired and of the same agent, framework
  /// and role, and contain what is used. What is lent must have an end by then. On success the
  /// offers are gone, `used` is held, and the rest is free but filtered for this framework for
  /// `refuse_for` (0: not at all). On failure nothing changed and the error says which offer or
  /// which amount.
  Result<Acceptance> accept(std::span<const OfferId> offers, const Resources& used, Instant now,
                            Duration refuse_for);
  Result<Acceptance> accept(std::span<const OfferId> offers, std::span<const Use> uses, Instant now,
                            Duration refuse_for);
  /// What is done with the offers of one agent: first operations on what is offered, then uses of
  /// what is there after them. Reservations are for the offers' role or one below it.
  struct Part {
    std::vector<OfferId> offers;
    std::vector<Use> uses;
    std::vector<Operation> operations{};
  };
  Result<Acceptance> accept(const Part& part, Instant now, Duration refuse_for);
  /// Several agents, all or nothing. The offers of an earmark for a gang are accepted in no other
  /// way, and at least as many of them as it needs.
  Result<std::vector<Acceptance>> accept_together(std::span<const Part> parts, Instant now,
                                                  Duration refuse_for);
  /// Ends the offer and filters its agent for this framework and role while what is free there is
  /// no more than what was refused, for at most `refuse_for` (0 or less: not at all). The reason
  /// (its first 255 bytes) is kept for explain. A later filter replaces an earlier one; of loans,
  /// and while there are quotas, it is of what both refused. An earmark's: the demand gets no other
  /// for that time.
  Result<Offer> decline(OfferId offer, Instant now, Duration refuse_for, std::string reason);
  /// Takes an offer back; empty where it is not outstanding.
  std::optional<Offer> rescind(OfferId offer);
  const Offer* find_offer(OfferId offer) const;
  std::vector<const Offer*> offers_of(FrameworkId framework) const;

  // --- holdings ---

  /// Books resources that a framework is known to hold (a task reported late). They must be free;
  /// the framework need not be registered.
  Result<void> hold(FrameworkId framework, AgentId agent, std::string_view role,
                    const Resources& resources, std::optional<Instant> until = {});
  /// Gives back what was held, with the end that was said; precondition (checked): it was.
  void release(FrameworkId framework, AgentId agent, std::string_view role,
               const Resources& resources, std::optional<Instant> until = {});

  // --- views ---

  struct AgentView {
    AgentId agent;
    const std::string* hostname;
    const Attributes* attributes;
    bool active;
    const Resources* total;
    Resources held;     ///< by all frameworks
    Resources offered;  ///< in outstanding offers
    Resources free;     ///< the rest
  };
  std::vector<AgentView> agents() const;
  std::optional<AgentView> agent(AgentId agent) const;
  /// The scalars of all agents, active or not, as if unreserved: the pool that shares are of.
  /// Ranges and sets are left out, since port 31000 of two agents is not one port.
  Resources total() const;

  struct RoleView {
    std::string role;
    std::int64_t weight_milli;
    Resources held;                       ///< as in total(), with what is offered and roles below
    std::vector<FrameworkId> frameworks;  ///< registered in it, in id order
    std::optional<Quota> quota;
    Resources consumed;  ///< what counts for quotas; empty where no role has one
    Resources fair;      ///< what it is owed if everybody who competes wants more
  };
  /// By name. A role that is only named by others below it is listed, too.
  std::vector<RoleView> roles() const;

  struct FrameworkView {
    FrameworkId framework;
    bool registered;  ///< false: agents reported that it holds something
    bool active;
    std::vector<std::string> roles;
    std::vector<std::string> suppressed;  ///< of these roles
    Resources held;                       ///< scalars as in total(), including what is offered
    std::vector<Demand> demands;          ///< by their order, then id
  };
  /// In id order. Pointers in views are valid until the next call that changes something.
  std::vector<FrameworkView> frameworks() const;

  struct EarmarkView {
    EarmarkId earmark;
    FrameworkId framework;
    DemandId demand;
    std::string role;
    Instant created;
    std::optional<Instant> starts;  ///< at the latest; empty: something there has no known end
    std::vector<AgentId> agents;
    std::uint32_t ready;  ///< of these agents
  };
  /// In the order in which they were made.
  std::vector<EarmarkView> earmarks() const;

  /// Work in the way of an earmark that has waited for earmark_max without a known start: of
  /// roles above their fair share, or on revocable resources.
  struct Preemption {
    EarmarkId earmark;
    AgentId agent;
    FrameworkId framework;
    std::string role;
    Resources resources;  ///< what it holds there; only what is revocable, unless above its share
    Request lacks;        ///< of a node's shape, what the earmark does not have there yet
  };
  std::vector<Preemption> preemptions(Instant now) const;

  /// For every agent, in id order, the first reason why the request gets no offer there now, or
  /// that it fits (also into an offer that the framework has): the raw material of `why`. The
  /// order of reasons: agent inactive, constraints, too small at all, held by others, quota,
  /// declined, offered to others, kept for an earmark, no offers wanted.
  std::vector<Explanation> explain(FrameworkId framework, std::string_view role,
                                   const Request& request, Instant now) const;
  /// The same for one node of a demand, with its constraints on attributes and the placer's
  /// opinion (asked last). Fails with not_found.
  Result<std::vector<Explanation>> explain_demand(FrameworkId framework, DemandId demand,
                                                  Instant now) const;
  /// What the role has, is owed and waits for, a line each.
  std::vector<std::string> explain_role(std::string_view role) const;

  /// Per agent: held + offered + free = total; every offer's framework and agent exist; no quota
  /// is exceeded by an offer; empty where all is well. Each text names the object and the amounts.
  std::vector<std::string> check_invariants() const;

 private:
  struct State;
  struct Copied {};
  Allocator(Copied, std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/alloc/impl/allocator.ipp"
#endif
