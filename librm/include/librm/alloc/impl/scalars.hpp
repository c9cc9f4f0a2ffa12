// Scalar amounts as numbers by index, so that shares are kept without looking at names.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "librm/alloc/share.hpp"
#include "librm/base/amount.hpp"
#include "librm/base/check.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace librm::detail {

/// Index of a scalar's name in the ScalarTable.
using ScalarId = std::uint32_t;

/// Thousandths by ScalarId; what was never added is zero.
class Quantities {
 public:
  std::int64_t operator[](ScalarId id) const { return id < milli_.size() ? milli_[id] : 0; }
  std::size_t size() const { return milli_.size(); }
  void add(ScalarId id, std::int64_t milli) {
    if (id >= milli_.size()) milli_.resize(id + 1);
    milli_[id] += milli;
  }
  bool is_zero() const {
    return std::all_of(milli_.begin(), milli_.end(), [](std::int64_t milli) { return milli == 0; });
  }
  bool operator==(const Quantities& other) const {
    for (ScalarId id = 0; id < std::max(milli_.size(), other.milli_.size()); ++id) {
      if ((*this)[id] != other[id]) return false;
    }
    return true;
  }

 private:
  std::vector<std::int64_t> milli_;
};

/// The names of the scalars that agents have, and the pool's total of each. A name lives as long
/// as an agent has it; its index is used again afterwards, when nobody can hold any of it.
class ScalarTable {
 public:
  const Quantities& totals() const { return totals_; }

  /// Fails where the pool would grow past what an Amount can hold.
  Result<void> check_room(const Resources& more) const {
    for (const Resource& entry : more.list()) {
      const auto found = names_.find(entry.name);
      const std::int64_t now = found == names_.end() ? 0 : totals_[found->second.id];
      if (std::holds_alternative<Amount>(entry.value) &&
          more.amount(entry.name).milli >= Amount::milli_max - now) {
        return fail(ErrorCode::resource_exhausted,
                    entry.name + ": the cluster's total would reach 1000000000000");
      }
    }
    return {};
  }

  void add(const Resources& more) {
    for (const Resource& entry : more.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (amount == nullptr) continue;
      const auto [at, is_new] = names_.try_emplace(entry.name);
      if (is_new) at->second.id = unused_id();
      ++at->second.users;
      totals_.add(at->second.id, amount->milli);
    }
  }

  void remove(const Resources& less) {
    for (const Resource& entry : less.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (amount == nullptr) continue;
      const auto at = names_.find(entry.name);
      LIBRM_CHECK(at != names_.end(), "what is removed was added");
      totals_.add(at->second.id, -amount->milli);
      if (--at->second.users > 0) continue;
      unused_ids_.push_back(at->second.id);
      names_.erase(at);
    }
  }

  /// Adds `sign` times the scalars of `resources`, which some agent has, to each of the two.
  void book(const Resources& resources, int sign, Quantities& one, Quantities& two) const {
    for (const Resource& entry : resources.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (amount == nullptr) continue;
      const auto at = names_.find(entry.name);
      LIBRM_CHECK(at != names_.end(), "held resources belong to an agent");
      one.add(at->second.id, sign * amount->milli);
      two.add(at->second.id, sign * amount->milli);
    }
  }

  /// The same as librm::dominant_share, over indices.
  Share dominant_share(const Quantities& held, std::int64_t weight_milli) const {
    Share share{0, 1, weight_milli};
    for (ScalarId id = 0; id < held.size(); ++id) {
      const Share candidate{held[id], totals_[id], weight_milli};
      if (held[id] > 0 && candidate > share) share = candidate;
    }
    return share;
  }

  Resources to_resources(const Quantities& quantities) const {
    Resources resources;
    for (const auto& [name, entry] : names_) {
      resources.add({.name = name, .value = Amount{quantities[entry.id]}});
    }
    return resources;
  }

 private:
  struct Name {
    ScalarId id = 0;
    std::uint64_t users = 0;  ///< entries of agents
  };

  ScalarId unused_id() {
    if (unused_ids_.empty()) return next_id_++;
    const ScalarId id = unused_ids_.back();
    unused_ids_.pop_back();
    return id;
  }

  std::map<std::string, Name, std::less<>> names_;
  std::vector<ScalarId> unused_ids_;
  ScalarId next_id_ = 0;
  Quantities totals_;
};

}  // namespace librm::detail
