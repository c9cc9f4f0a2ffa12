// Keeps the tree of roles in the order in which its places get offers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <utility>
#include <vector>

#include "librm/alloc/impl/entries.hpp"
#include "librm/alloc/impl/scalars.hpp"
#include "librm/base/prng.hpp"

namespace librm::detail {

/// Dominant resource fairness over a tree: each node is ordered among its siblings by what it and
/// all below it hold. Changes of holdings are noted at once and sorted in by the next refresh(),
/// so that a series of them costs one move; a share is never changed while its owner sits in a
/// queue.
class FairTree {
 public:
  FairTree(const ScalarTable& scalars, NodeOrder roles) : scalars_(scalars), owed_(roles) {}

  /// A new place: `arrival` and `draw` for sorters that look at them.
  void enter(Node& node) {
    node.arrival = ++arrivals_;
    node.draw = draw_base_ + random_.below(draw_step);
  }

  /// The member may get offers from now on. True where it could not before.
  bool enlist(Member& member) {
    if (member.queued) return false;
    for (Node* node = &member; node->parent != nullptr && !node->queued; node = node->parent) {
      if (node->blocked) break;
      insert(*node);
    }
    return true;
  }

  void withdraw(Member& member) { remove_upwards(member); }

  /// A role at its limit is left out, with all below it.
  void block(Node& role) {
    role.blocked = true;
    remove_upwards(role);
  }
  /// True where somebody waited.
  bool unblock(Node& role) {
    role.blocked = false;
    if (role.queue.empty() || role.queued) return false;
    for (Node* node = &role; node->parent != nullptr && !node->queued; node = node->parent) {
      if (node->blocked) break;
      insert(*node);
    }
    return true;
  }

  /// The roles with unmet guarantees in which somebody waits, in order.
  const std::set<Node*, NodeOrder>& owed() const { return owed_; }
  void set_owed(Node& role, bool owed) {
    if (role.owed == owed) return;
    role.owed = owed;
    if (owed) {
      owed_.insert(&role);
    } else {
      owed_.erase(&role);
    }
  }

  /// Adds `sign` times the amounts to the member's holdings and those of all places above.
  void book(Member& member, const ScalarAmounts& amounts, int sign) {
    for (Node* node = &member; node != nullptr; node = node->parent) {
      for (const ScalarAmount& amount : amounts) node->held.add(amount.id, sign * amount.milli);
      touch(*node);
    }
  }

  void touch(Node& node) {
    if (!node.stale) stale_.push_back(&node);
    node.stale = true;
  }
  /// A Sorter may look at weights, so the node is moved at once, not at the next refresh().
  void set_weight(Node& node, std::int64_t weight_milli) {
    const bool owed = node.owed;
    set_owed(node, false);
    if (!node.queued) {
      node.weight_milli = weight_milli;
    } else {
      auto handle = node.parent->queue.extract(&node);
      node.weight_milli = weight_milli;
      node.share = scalars_.dominant_share(node.held, weight_milli);
      node.parent->queue.insert(std::move(handle));
    }
    set_owed(node, owed);
  }
  /// With the pool changes the share of everybody who holds something.
  void touch_pool() { pool_stale_ = true; }

  void refresh(Node& root) {
    if (std::exchange(pool_stale_, false)) touch_below(root);
    for (Node* node : stale_) update(*node);
    stale_.clear();
  }

  /// Before they are destroyed.
  void forget(Node& node) {
    remove_upwards(node);
    if (node.stale) std::erase(stale_, &node);
  }

  /// The first member in order that `wanted(member)`; null: none is.
  template <class Wanted>
  static Member* first(const Node& node, Wanted& wanted) {
    for (Node* child : node.queue) {
      if (child->kind == Node::Kind::member) {
        auto& member = static_cast<Member&>(*child);
        if (wanted(member)) return &member;
      } else if (Member* member = first(*child, wanted)) {
        return member;
      }
    }
    return nullptr;
  }

  /// The state of another allocator's tree, whose places have been copied; `node(of)` is the copy.
  template <class Map>
  void adopt(const FairTree& other, Map node) {
    pool_stale_ = other.pool_stale_;
    arrivals_ = other.arrivals_;
    draw_base_ = other.draw_base_;
    random_ = other.random_;
    for (const Node* stale : other.stale_) {
      stale_.push_back(node(stale));
      stale_.back()->stale = true;
    }
    for (const Node* owed : other.owed_) set_owed(*node(owed), true);
  }

 private:
  void insert(Node& node) {
    node.share = scalars_.dominant_share(node.held, node.weight_milli);
    node.parent->queue.insert(&node);
    node.queued = true;
  }
  void remove_upwards(Node& from) {
    for (Node* node = &from; node->queued; node = node->parent) {
      set_owed(*node, false);
      node->parent->queue.erase(node);
      node->queued = false;
      if (!node->parent->queue.empty()) return;
    }
  }
  void touch_below(Node& node) {
    for (Node* child : node.queue) {
      if (child->held.is_zero()) continue;
      touch(*child);
      touch_below(*child);
    }
  }
  void update(Node& node) {
    node.stale = false;
    if (!node.queued) return;  // insert() computes it
    auto& queue = node.parent->queue;
    const auto renew = [&] {
      node.share = scalars_.dominant_share(node.held, node.weight_milli);
      // Higher than before, so that in the long run everybody is first equally often.
      draw_base_ = std::max(draw_base_, node.draw);
      node.draw += 1 + random_.below(draw_step);
    };
    const bool owed = node.owed;
    set_owed(node, false);
    if (queue.size() == 1) {
      renew();
    } else {
      auto handle = queue.extract(&node);
      renew();
      queue.insert(std::move(handle));
    }
    set_owed(node, owed);
  }

  static constexpr std::uint64_t draw_step = std::uint64_t{1} << 32;

  const ScalarTable& scalars_;
  bool pool_stale_ = false;
  std::vector<Node*> stale_;
  std::set<Node*, NodeOrder> owed_;
  std::uint64_t arrivals_ = 0;
  std::uint64_t draw_base_ = 0;  ///< the highest draw of anybody who was served
  Prng random_{0};
};

}  // namespace librm::detail
