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
#include "librm/alloc/offer.hpp"
#include "librm/alloc/placer.hpp"
#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

struct AllocatorOptions {
  Duration offer_timeout = seconds(30);  ///< a lease's length; expired offers are rescinded
  OfferId first_offer{1};                ///< ids count up from here; never reuse them
  Duration refuse_for_max = seconds(365 * 24 * 3600);
  const Placer* placer = nullptr;  ///< for demands; not owned; AnywherePlacer where null
};

/// What accepting offers gave: the framework now holds `used` on the agent.
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
/// Fairness: a free agent is offered, resource by resource usable by the role, to the role with
/// the lowest weighted dominant share, and within it to the framework with the lowest; ties go
/// by role name, then framework id. What is offered counts as held. One offer has all that is
/// free there and usable() by the role; what is reserved for other roles goes to them. Revocable
/// resources are not offered. Of shares role names are flat: `eng/backend` and `eng` are two roles.
class Allocator {
 public:
  explicit Allocator(AllocatorOptions options);
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // --- roles and frameworks ---

  /// Thousandths, 1..1'000'000'000; a role that was never named has 1000. Moves nothing that is
  /// already offered.
  Result<void> set_weight(std::string_view role, std::int64_t weight_milli);
  /// Roles are those it wants offers for; at least one. Fails where the id is registered already;
  /// what agents reported as held by it before counts from the start.
  Result<void> add_framework(FrameworkId framework, std::set<std::string> roles);
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
  /// Replaces the framework's demands. They are kept and explained; earmarks come from them.
  void set_demands(FrameworkId framework, std::vector<Demand> demands);

  // --- agents ---

  /// What a framework already holds there, as reported by a returning agent.
  struct Held {
    FrameworkId framework;
    std::string role;
    Resources resources;
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
  /// Planned unavailability, shown in offers made from now on as `available_until`.
  void set_available_until(AgentId agent, std::optional<WallTime> until);

  // --- offers ---

  /// Makes the offers that are due now. Cheap when nothing changed.
  std::vector<Offer> run(Instant now);
  /// Offers whose lease ended by `now`: they are withdrawn and their resources free again.
  std::vector<Offer> expire(Instant now);
  /// When expire() or a filter's end is next of interest.
  std::optional<Instant> next_deadline() const;

  /// All or nothing: every offer must be outstanding, unexpired and of the same agent, framework
  /// and role, and contain `used` together. On success the offers are gone, `used` is held, and
  /// the rest is free but filtered for this framework for `refuse_for` (0: not at all). On
  /// failure nothing changed and the error says which offer or which amount.
  Result<Acceptance> accept(std::span<const OfferId> offers, const Resources& used, Instant now,
                            Duration refuse_for);
  /// Ends the offer and filters its agent for this framework and role while what is free there is
  /// no more than what was refused, for at most `refuse_for` (0 or less: not at all). The reason
  /// (its first 255 bytes) is kept for explain. A later filter replaces an earlier one.
  Result<Offer> decline(OfferId offer, Instant now, Duration refuse_for, std::string reason);
  /// Takes an offer back; empty where it is not outstanding.
  std::optional<Offer> rescind(OfferId offer);
  const Offer* find_offer(OfferId offer) const;
  std::vector<const Offer*> offers_of(FrameworkId framework) const;

  // --- holdings ---

  /// Books resources that a framework is known to hold (a task reported late). They must be free;
  /// the framework need not be registered.
  Result<void> hold(FrameworkId framework, AgentId agent, std::string_view role,
                    const Resources& resources);
  /// Gives back what was held; precondition (checked): it was.
  void release(FrameworkId framework, AgentId agent, std::string_view role,
               const Resources& resources);

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
    Resources held;                       ///< scalars as in total(), including what is offered
    std::vector<FrameworkId> frameworks;  ///< registered in it, in id order
  };
  std::vector<RoleView> roles() const;

  struct FrameworkView {
    FrameworkId framework;
    bool registered;  ///< false: agents reported that it holds something
    bool active;
    std::vector<std::string> roles;
    std::vector<std::string> suppressed;  ///< of these roles
    Resources held;                       ///< scalars as in total(), including what is offered
    const std::vector<Demand>* demands;   ///< as they were set
  };
  /// In id order. Pointers in views are valid until the next call that changes something.
  std::vector<FrameworkView> frameworks() const;

  /// For every agent, in id order, the first reason why the request gets no offer there now, or
  /// that it fits (also into an offer that the framework has): the raw material of `why`. The
  /// order of reasons: agent inactive, too small at all, held by others, declined, offered to
  /// others, no offers wanted.
  struct Explanation {
    AgentId agent;
    std::string hostname;
    bool fits;
    /// `mem: need 65536, free 49152`; `declined: "..." for 4 s more`; `fits`
    std::string reason;
  };
  std::vector<Explanation> explain(FrameworkId framework, std::string_view role,
                                   const Request& request, Instant now) const;
  /// The same for one node of a demand, with its constraints on attributes (looked at first) and
  /// the placer's opinion (asked last). Fails with not_found.
  Result<std::vector<Explanation>> explain_demand(FrameworkId framework, DemandId demand,
                                                  Instant now) const;

  /// Per agent: held + offered + free = total; every offer's framework and agent exist; empty
  /// where all is well. Each text names the object and the amounts.
  std::vector<std::string> check_invariants() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/alloc/impl/allocator.ipp"
#endif
