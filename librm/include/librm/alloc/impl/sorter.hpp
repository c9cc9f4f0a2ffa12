// Keeps roles, and the members of each, in the order in which they get offers.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "librm/alloc/impl/entries.hpp"
#include "librm/alloc/impl/scalars.hpp"

namespace librm::detail {

/// Dominant resource fairness on two levels. Changes of holdings are noted at once and sorted in
/// by the next refresh(), so that a series of them costs one move; a share is never changed while
/// its owner sits in a queue.
class Sorter {
 public:
  using Roles = std::map<std::string, Role, std::less<>>;
  using Order = std::set<Role*, RoleOrder>;

  Sorter(const ScalarTable& scalars, Roles& roles) : scalars_(scalars), roles_(roles) {}

  /// The roles with somebody in their queue.
  const Order& order() const { return order_; }

  /// The member may get offers from now on. True where it could not before.
  bool enlist(Member& member) {
    if (member.queued) return false;
    member.share = scalars_.dominant_share(member.held, 1000);
    member.role->queue.insert(&member);
    member.queued = true;
    if (member.role->queued) return true;
    member.role->share = scalars_.dominant_share(member.role->held, member.role->weight_milli);
    order_.insert(member.role);
    member.role->queued = true;
    return true;
  }

  void withdraw(Member& member) {
    if (!member.queued) return;
    member.role->queue.erase(&member);
    member.queued = false;
    if (!member.role->queue.empty()) return;
    order_.erase(member.role);
    member.role->queued = false;
  }

  /// The member's holdings changed.
  void touch(Member& member) {
    if (!member.stale) stale_members_.push_back(&member);
    member.stale = true;
    touch(*member.role);
  }
  void touch(Role& role) {
    if (!role.stale) stale_roles_.push_back(&role);
    role.stale = true;
  }
  /// With the pool changes the share of everybody who holds something.
  void touch_pool() { pool_stale_ = true; }

  void refresh() {
    if (std::exchange(pool_stale_, false)) touch_holders();
    for (Member* member : stale_members_) update(*member);
    for (Role* role : stale_roles_) update(*role);
    stale_members_.clear();
    stale_roles_.clear();
  }

  /// Before they are destroyed.
  void forget(Member& member) {
    withdraw(member);
    if (member.stale) std::erase(stale_members_, &member);
  }
  void forget(Role& role) {
    if (role.stale) std::erase(stale_roles_, &role);
  }

 private:
  void touch_holders() {
    for (auto& [name, role] : roles_) {
      if (role.held.is_zero()) continue;
      touch(role);
      for (auto& [framework, member] : role.members) {
        if (member->queued && !member->held.is_zero()) touch(*member);
      }
    }
  }
  void update(Member& member) {
    member.stale = false;
    if (!member.queued) return;  // enlist() computes it
    auto node = member.role->queue.extract(&member);
    member.share = scalars_.dominant_share(member.held, 1000);
    member.role->queue.insert(std::move(node));
  }
  void update(Role& role) {
    role.stale = false;
    if (!role.queued) return;
    auto node = order_.extract(&role);
    role.share = scalars_.dominant_share(role.held, role.weight_milli);
    order_.insert(std::move(node));
  }

  const ScalarTable& scalars_;
  Roles& roles_;
  Order order_;
  bool pool_stale_ = false;
  std::vector<Member*> stale_members_;
  std::vector<Role*> stale_roles_;
};

}  // namespace librm::detail
