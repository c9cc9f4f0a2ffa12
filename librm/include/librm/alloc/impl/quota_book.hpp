// What quotas promise and allow: charges, unmet guarantees, headroom, and agents that were kept
// back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "librm/alloc/impl/entries.hpp"
#include "librm/alloc/impl/scalars.hpp"
#include "librm/alloc/impl/tree.hpp"

namespace librm::detail {

struct AgentById {
  bool operator()(const Agent* a, const Agent* b) const { return a->id < b->id; }
};

/// Unreserved and not revocable: what quotas are about.
inline bool is_common(const Resource& entry) {
  return entry.reservations.empty() && !entry.revocable;
}

/// Costs nothing while no role has a quota; the first one makes the allocator count everything
/// once (reset(), then charges). Sums are per scalar and over the tree: what a child is charged its
/// parents are charged, too, and a parent's guarantee includes those of its children.
class QuotaBook {
 public:
  using Agents = std::set<Agent*, AgentById>;

  QuotaBook(ScalarTable& scalars, FairTree& tree, Role& root)
      : scalars_(scalars), tree_(tree), root_(root) {}

  bool active() const { return roles_ > 0; }
  std::size_t roles() const { return roles_; }

  /// Replaces what the role is promised and allowed; empty: nothing and everything. Where this is
  /// the first quota, everything is to be counted afterwards.
  void set(Role& role, const std::optional<Quota>& quota) {
    const std::optional<Quota> before = std::exchange(role.quota.quota, quota);
    const ScalarAmounts promised = std::exchange(role.quota.guarantees, {});
    role.quota.limits.clear();
    if (before) --roles_;
    if (quota) {
      ++roles_;
      role.quota.guarantees = use(quota->guarantees);
      role.quota.limits = use(quota->limits);
    }
    for (const ScalarAmount& guarantee : promised) settle_need(role, guarantee.id);
    settle(role);
    loosened_ = true;
    if (!before) return;
    unuse(before->guarantees);
    unuse(before->limits);
  }

  /// Nothing is charged and nothing free; guarantees are unmet.
  void reset(Role& role) {
    role.quota.charged.clear();
    role.quota.needed.clear();
    role.quota.needed_below.clear();
  }
  void reset_free() { free_.clear(); }

  /// Of an active agent: `change` became free, or was taken.
  void add_free(const Resources& change, int sign) {
    scalars_.collect(change, is_common, scratch_);
    for (const ScalarAmount& amount : scratch_) free_.add(amount.id, sign * amount.milli);
    if (sign > 0 && !scratch_.empty()) loosened_ = true;
  }

  /// The role holds more, or less: what of it counts is charged to it and those above.
  void charge(Role& role, const Resources& resources, int sign) {
    scalars_.collect(resources, is_common, scratch_);
    charge(role, scratch_, sign);
  }
  /// An agent brings resources that are reserved for the role, or takes them away.
  void charge(Role& role, const ScalarAmounts& amounts, int sign) {
    for (Role* at = &role; at != &root_; at = at->above()) {
      for (const ScalarAmount& amount : amounts) {
        at->quota.charged.add(amount.id, sign * amount.milli);
        settle_need(*at, amount.id);
      }
      settle_limit(*at);
      settle_owed(*at);
    }
    loosened_ = true;
  }

  /// After a count: what the role needs, and whether it is at its limit.
  void settle(Role& role) {
    for (const ScalarAmount& guarantee : role.quota.guarantees) settle_need(role, guarantee.id);
    settle_limit(role);
    // With the role those above may have come to wait, or ceased to.
    for (Role* at = &role; at != &root_; at = at->above()) settle_owed(*at);
  }
  /// Somebody in the role began or ceased to wait.
  void requeued(Role& role) {
    if (!active()) return;
    for (Role* at = &role; at != &root_; at = at->above()) settle_owed(*at);
  }

  /// What is free and not needed for unmet guarantees; below zero where these cannot be met.
  std::int64_t surplus(ScalarId id) const { return free_[id] - root_.quota.needed_below[id]; }
  std::int64_t free(ScalarId id) const { return free_[id]; }
  std::int64_t needed(ScalarId id) const { return root_.quota.needed_below[id]; }

  static std::int64_t unmet(const Role& role, ScalarId id) {
    for (const ScalarAmount& guarantee : role.quota.guarantees) {
      if (guarantee.id != id) continue;
      return std::max<std::int64_t>(0, guarantee.milli - role.quota.charged[id]);
    }
    return 0;
  }
  static bool is_owed(const Role& role) {
    return std::any_of(role.quota.guarantees.begin(), role.quota.guarantees.end(),
                       [&](const auto& guarantee) { return unmet(role, guarantee.id) > 0; });
  }
  /// How much more of it the role may get; empty: no limit.
  static std::optional<std::int64_t> room(const Role& role, ScalarId id) {
    for (const ScalarAmount& limit : role.quota.limits) {
      if (limit.id == id) return std::max<std::int64_t>(0, limit.milli - role.quota.charged[id]);
    }
    return std::nullopt;
  }
  /// It used up one of its limits. A limit of zero forbids that resource only.
  static bool is_full(const Role& role) {
    return std::any_of(role.quota.limits.begin(), role.quota.limits.end(), [&](const auto& limit) {
      return limit.milli > 0 && role.quota.charged[limit.id] >= limit.milli;
    });
  }

  static bool is_over(const Role& role, ScalarId id) {
    return std::any_of(role.quota.limits.begin(), role.quota.limits.end(), [&](const auto& limit) {
      return limit.id == id && role.quota.charged[id] > limit.milli;
    });
  }
  /// It has no more of it than it is promised.
  static bool is_within_guarantee(const Role& role, ScalarId id) {
    const auto& promised = role.quota.guarantees;
    return std::any_of(promised.begin(), promised.end(), [&](const auto& guarantee) {
      return guarantee.id == id && role.quota.charged[id] <= guarantee.milli;
    });
  }

  // --- agents on which something is free that quotas keep ---

  /// `scalar` has no surplus, or (empty) a role is at its limit.
  void hold_back(Agent& agent, std::optional<ScalarId> scalar) {
    let_go(agent);
    agent.held_back = true;
    agent.held_back_for = scalar;
    (scalar ? by_scalar_[*scalar] : by_limit_).insert(&agent);
  }
  void let_go(Agent& agent) {
    if (!std::exchange(agent.held_back, false)) return;
    (agent.held_back_for ? by_scalar_[*agent.held_back_for] : by_limit_).erase(&agent);
  }
  /// The next of these after `last` (null: from the start) that may be of use now; null: none.
  Agent* next_of_use(const Agent* last) const {
    if (!loosened_) return nullptr;
    Agent* best = nullptr;
    const auto look = [&](const Agents& held) {
      const auto at = last == nullptr ? held.begin() : held.upper_bound(const_cast<Agent*>(last));
      if (at != held.end() && (best == nullptr || (*at)->id < best->id)) best = *at;
    };
    const bool owed = owed_grew_ && !tree_.owed().empty();
    for (const auto& [scalar, held] : by_scalar_) {
      if (owed || surplus(scalar) > 0) look(held);
    }
    const bool room = std::any_of(unblocked_.begin(), unblocked_.end(),
                                  [](const Role* role) { return !role->blocked; });
    if (room) look(by_limit_);
    return best;
  }
  /// All that was of use has been looked at.
  void settled() {
    loosened_ = false;
    owed_grew_ = false;
    unblocked_.clear();
  }
  bool anybody_blocked() const { return blocked_ > 0; }
  /// Before it is destroyed.
  void drop(Role& role) {
    std::erase(unblocked_, &role);
    if (role.blocked) --blocked_;
  }

  /// Those of another allocator, whose roles have been copied.
  template <class MapAgent, class MapRole>
  void adopt(const QuotaBook& other, MapAgent agent, MapRole role) {
    roles_ = other.roles_;
    blocked_ = other.blocked_;
    free_ = other.free_;
    loosened_ = other.loosened_;
    owed_grew_ = other.owed_grew_;
    for (const auto& [scalar, held] : other.by_scalar_) {
      for (const Agent* one : held) by_scalar_[scalar].insert(agent(one));
    }
    for (const Agent* one : other.by_limit_) by_limit_.insert(agent(one));
    for (const Role* one : other.unblocked_) unblocked_.push_back(role(one));
  }

 private:
  ScalarAmounts use(const Amounts& amounts) {
    ScalarAmounts used;
    for (const auto& [name, amount] : amounts) used.push_back({scalars_.use(name), amount.milli});
    return used;
  }
  void unuse(const Amounts& amounts) {
    for (const auto& [name, amount] : amounts) scalars_.unuse(name);
  }

  void settle_need(Role& role, ScalarId id) {
    const std::int64_t before = role.quota.needed[id];
    const std::int64_t now = std::max(unmet(role, id), role.quota.needed_below[id]);
    if (now == before) return;
    role.quota.needed.set(id, now);
    if (now > before) owed_grew_ = true;
    Role& above = *role.above();
    above.quota.needed_below.add(id, now - before);
    if (&above != &root_) settle_need(above, id);
  }
  void settle_limit(Role& role) {
    const bool full = is_full(role);
    if (full == role.blocked) return;
    if (full) {
      tree_.block(role);
      ++blocked_;
    } else {
      --blocked_;
      tree_.unblock(role);
      unblocked_.push_back(&role);
      loosened_ = true;
    }
  }
  void settle_owed(Role& role) { tree_.set_owed(role, role.queued && is_owed(role)); }

  ScalarTable& scalars_;
  FairTree& tree_;
  Role& root_;
  std::size_t roles_ = 0;
  std::size_t blocked_ = 0;
  Quantities free_;  ///< unreserved and not revocable, on active agents
  std::map<ScalarId, Agents> by_scalar_;
  Agents by_limit_;
  bool loosened_ = false;
  bool owed_grew_ = false;
  std::vector<Role*> unblocked_;
  ScalarAmounts scratch_;
};

}  // namespace librm::detail
