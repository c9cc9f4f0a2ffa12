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
#include "librm/alloc/share.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/resources.hpp"

namespace librm::detail {

struct Framework;
struct Role;

/// One framework in one role: what holds resources, has filters and waits its turn. It exists as
/// long as it is wanted or holds anything.
struct Member {
  std::uint32_t number = 0;  ///< index in the FilterBook
  Framework* framework = nullptr;
  Role* role = nullptr;
  bool wanted = false;               ///< the framework registered with this role
  bool suppressed = false;           ///< and wants no offers at present
  bool queued = false;               ///< in role->queue
  bool stale = false;                ///< `share` is to be computed again
  std::uint64_t holdings = 0;        ///< agents on which it holds something
  Quantities held;                   ///< including what is offered
  Share share;                       ///< what the queue is ordered by
  std::vector<AgentId> filtered_on;  ///< sorted: the agents with a filter of it
};

/// Lowest share first, ties by framework id.
struct MemberOrder {
  bool operator()(const Member* a, const Member* b) const;
};

struct Role {
  std::string name;
  std::int64_t weight_milli = 1000;
  bool weight_set = false;  ///< remembered even when nobody is in the role
  bool queued = false;
  bool stale = false;
  Quantities held;  ///< the sum over its members
  Share share;
  std::map<FrameworkId, Member*> members;
  std::set<Member*, MemberOrder> queue;  ///< those who may get offers now
};

/// Lowest weighted share first, ties by name.
struct RoleOrder {
  bool operator()(const Role* a, const Role* b) const {
    if (const auto order = a->share <=> b->share; order != 0) return order < 0;
    return a->name < b->name;
  }
};

struct Framework {
  FrameworkId id;
  bool registered = false;  ///< false: only holds something, as agents reported
  bool active = false;
  std::map<std::string, Member, std::less<>> members;  ///< by role name
  std::vector<Demand> demands;
  std::set<OfferId> offers;
};

inline bool MemberOrder::operator()(const Member* a, const Member* b) const {
  if (const auto order = a->share <=> b->share; order != 0) return order < 0;
  return a->framework->id < b->framework->id;
}

/// 24 bytes, because there may be one for each framework on each agent.
struct Filter {
  std::uint32_t member = 0;   ///< Member::number
  std::uint32_t refusal = 0;  ///< index in Agent::refusals
  Instant expires;
  std::uint32_t reason = 0;  ///< index in the FilterBook
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

struct Agent {
  AgentId id;
  std::string hostname;
  Resources total;
  Attributes attributes;
  Resources free;  ///< total less what is held and what is offered
  bool active = true;
  bool dirty = false;  ///< to be looked at in the next run
  std::optional<WallTime> available_until;
  std::vector<Holding> holdings;      ///< sorted by member number
  std::vector<OfferId> offers;        ///< sorted
  std::vector<Filter> filters;        ///< sorted by member number
  std::vector<Refusal> refusals;      ///< places without users are used again
  std::optional<Instant> filter_end;  ///< the earliest of its filters
};

struct OfferEntry {
  Offer offer;
  Agent* agent = nullptr;
  Member* member = nullptr;
};

}  // namespace librm::detail
