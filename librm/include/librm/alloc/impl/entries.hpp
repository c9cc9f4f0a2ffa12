// What the allocator remembers of roles, frameworks and agents.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "librm/alloc/demand.hpp"
#include "librm/alloc/impl/scalars.hpp"
#include "librm/alloc/offer.hpp"
#include "librm/alloc/policy.hpp"
#include "librm/alloc/quota.hpp"
#include "librm/alloc/share.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/resources.hpp"

namespace librm::detail {

struct Agent;
struct Framework;
struct Member;
struct Node;
struct Role;

/// Who is served first among the children of one node.
struct NodeOrder {
  const Sorter* sorter = nullptr;  ///< null: by share
  bool operator()(const Node* a, const Node* b) const;
};

/// A place in the tree of roles: a role, the frameworks of a role itself, or one of these. The
/// root is the role without a name.
///
///     (root) ── eng ── .  ── f-1, f-2         `.` has the frameworks of `eng` itself
///            │      └─ eng/backend ── . ── f-3
///            └─ ops ── . ── f-1
struct Node {
  enum class Kind : std::uint8_t { own, role, member };  // in this order where shares are equal

  Node(Kind which, NodeOrder order) : kind(which), queue(order) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  Kind kind;
  bool queued = false;   ///< in parent->queue
  bool stale = false;    ///< `share` is to be computed again
  bool blocked = false;  ///< a role that is at its limit: not queued, whoever waits below
  bool owed = false;     ///< a role in FairTree::owed()
  Node* parent = nullptr;
  std::int64_t weight_milli = 1000;
  std::uint64_t arrival = 0;
  std::uint64_t draw = 0;
  Quantities held;                   ///< of it and of all below, including what is offered
  Share share;                       ///< what parent->queue is ordered by
  std::set<Node*, NodeOrder> queue;  ///< the children in which somebody may get offers now
};

/// What quotas say of a role. What is charged and needed is kept for every role as soon as any has
/// a quota.
struct RoleQuota {
  std::optional<Quota> quota;
  ScalarAmounts guarantees;
  ScalarAmounts limits;
  Quantities charged;       ///< see Quota: what counts
  Quantities needed;        ///< by guarantees, of it and of those below, beyond what is charged
  Quantities needed_below;  ///< the sum over its children
};

struct Role : Node {
  Role(std::string path, NodeOrder roles, NodeOrder frameworks)
      : Node(Kind::role, roles), name(std::move(path)), own(Kind::own, frameworks) {
    own.parent = this;
  }
  std::string name;
  bool weight_set = false;     ///< remembered even when nobody is in the role
  std::uint32_t children = 0;  ///< roles directly below
  Node own;                    ///< its frameworks, as one among its children
  std::map<FrameworkId, Member*> members;
  RoleQuota quota;
  std::optional<EarmarkId> earmark;  ///< at most one
  std::uint64_t tried = 0;           ///< State::plan_generation in which no demand found its agents
  struct {
    std::uint64_t stamp = 0;  ///< State::stamp when it was computed
    Resources resources;
  } takeable[2];  ///< without and with revocable resources
  Role* above() const { return static_cast<Role*>(parent); }
};

/// One framework in one role: what holds resources, has filters and waits its turn. It exists as
/// long as it is wanted or holds anything.
struct Member : Node {
  Member(Framework& of, Role& in) : Node(Kind::member, {}), framework(&of), role(&in) {
    parent = &in.own;
  }
  std::uint32_t number = 0;  ///< index in the FilterBook
  Framework* framework = nullptr;
  Role* role = nullptr;
  bool wanted = false;               ///< the framework registered with this role
  bool suppressed = false;           ///< and wants no offers at present
  std::uint64_t holdings = 0;        ///< agents on which it holds something
  std::vector<AgentId> filtered_on;  ///< sorted: the agents with a filter of it
};

/// A demand, and what became of it.
struct DemandEntry {
  Demand demand;
  std::optional<EarmarkId> earmark;
  bool done = false;                  ///< all of its nodes were offered
  std::optional<Instant> not_before;  ///< it was refused until then
};

/// The offers of an earmark that has started.
struct Gang {
  Framework* framework = nullptr;
  DemandId demand;
  std::uint32_t need = 1;  ///< with fewer of them the others are of no use
  std::set<OfferId> offers;
};

struct Framework {
  FrameworkId id;
  bool registered = false;  ///< false: only holds something, as agents reported
  bool active = false;
  bool revocable = false;                              ///< wants revocable resources, too
  std::vector<Request> min_allocatable;                ///< instead of the allocator's, unless empty
  std::map<std::string, Member, std::less<>> members;  ///< by role name
  std::vector<DemandEntry> demands;                    ///< by order, then id
  std::set<OfferId> offers;
};

inline std::string name_of(const Node& node) {
  switch (node.kind) {
    case Node::Kind::own:
      return ".";
    case Node::Kind::role:
      return static_cast<const Role&>(node).name;
    default:
      return to_string(static_cast<const Member&>(node).framework->id);
  }
}

inline bool NodeOrder::operator()(const Node* a, const Node* b) const {
  if (sorter == nullptr) {
    if (const auto order = a->share <=> b->share; order != 0) return order < 0;
  } else {
    const std::string a_name = name_of(*a);
    const std::string b_name = name_of(*b);
    const Contender first{a_name, a->weight_milli, &a->share, a->arrival, a->draw};
    const Contender second{b_name, b->weight_milli, &b->share, b->arrival, b->draw};
    if (sorter->before(first, second)) return true;
    if (sorter->before(second, first)) return false;
  }
  if (a->kind != b->kind) return a->kind < b->kind;
  if (a->kind == Node::Kind::member) {
    return static_cast<const Member*>(a)->framework->id <
           static_cast<const Member*>(b)->framework->id;
  }
  return a->kind == Node::Kind::role &&
         static_cast<const Role*>(a)->name < static_cast<const Role*>(b)->name;
}

/// 24 bytes, because there may be one for each framework on each agent.
struct FilterEntry {
  std::uint32_t member = 0;   ///< Member::number
  std::uint32_t refusal = 0;  ///< index in Agent::refusals
  Instant expires;
  std::uint32_t reason = 0;  ///< index in the FilterBook
  bool lent = false;         ///< only what is lent was refused
};

/// What was refused; filters of one agent share it.
struct Refusal {
  Resources resources;
  std::uint32_t users = 0;
};

struct Holding {
  Member* member = nullptr;
  Resources resources;  ///< never empty
};

/// A part of what is held whose end is known: it is released then at the latest.
struct HeldUntil {
  Instant until;
  Member* member = nullptr;
  Resources resources;
};

/// One node of an earmark on this agent.
struct Claim {
  EarmarkId earmark;
  bool ready = false;  ///< the shape fits into what is free, or lent, and not claimed before
};

/// Agents promised to a demand, on which nobody else starts what would delay it.
struct Earmark {
  EarmarkId id;
  Framework* framework = nullptr;
  Role* role = nullptr;
  Demand demand;
  Share share;  ///< the role's when it was made
  Instant created;
  std::optional<Instant> starts;  ///< at the latest; empty: something there has no known end
  std::vector<Agent*> agents;     ///< by id
  std::uint32_t ready = 0;        ///< of its claims
};

struct Agent {
  AgentId id;
  std::uint32_t slot = 0;  ///< in State::slots
  std::string hostname;
  Resources total;
  Attributes attributes;
  Resources free;  ///< total less what is held and what is offered
  bool active = true;
  bool dirty = false;                     ///< to be looked at in the next run
  bool held_back = false;                 ///< quotas kept something free there,
  std::optional<ScalarId> held_back_for;  ///< because of this scalar; empty: of a limit
  std::optional<WallTime> available_until;
  std::vector<Holding> holdings;      ///< sorted by member number
  std::vector<HeldUntil> ends;        ///< sorted by time
  std::vector<Claim> claims;          ///< sorted by earmark: who claimed first is served first
  std::vector<OfferId> offers;        ///< sorted
  std::vector<FilterEntry> filters;   ///< sorted by member number
  std::vector<Refusal> refusals;      ///< places without users are used again
  std::optional<Instant> filter_end;  ///< the earliest of its filters
};

/// Shared volumes: held by several at once, and free all the while.
inline Resources shared_part(const Resources& resources) {
  Resources shared;
  for (const Resource& entry : resources.list()) {
    if (entry.volume && entry.volume->shared) shared.add(entry);
  }
  return shared;
}

inline Resources revocable_part(const Resources& resources) {
  Resources revocable;
  for (const Resource& entry : resources.list()) {
    if (entry.revocable) revocable.add(entry);
  }
  return revocable;
}

struct OfferEntry {
  Offer offer;
  Agent* agent = nullptr;
  Member* member = nullptr;
};

}  // namespace librm::detail
