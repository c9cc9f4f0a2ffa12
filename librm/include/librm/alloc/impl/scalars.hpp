// Scalar amounts as numbers by index, so that shares are kept without looking at names.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
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

/// So much of one scalar.
struct ScalarAmount {
  ScalarId id = 0;
  std::int64_t milli = 0;
};
using ScalarAmounts = std::vector<ScalarAmount>;

/// Thousandths by ScalarId; what was never added is zero.
class Quantities {
 public:
  std::int64_t operator[](ScalarId id) const { return id < milli_.size() ? milli_[id] : 0; }
  std::size_t size() const { return milli_.size(); }
  void add(ScalarId id, std::int64_t milli) {
    if (id >= milli_.size()) milli_.resize(id + 1);
    milli_[id] += milli;
  }
  void set(ScalarId id, std::int64_t milli) { add(id, milli - (*this)[id]); }
  void clear() { milli_.clear(); }
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

/// The names of the scalars that agents have or quotas name, and the pool's total of each. A name
/// lives as long as one of them uses it; its index is used again afterwards, when nobody can hold
/// any of it.
class ScalarTable {
 public:
  struct Name {
    ScalarId id = 0;
    std::uint64_t users = 0;  ///< entries of agents and of quotas
  };

  /// `unfair` are the names that do not count for shares.
  explicit ScalarTable(std::set<std::string, std::less<>> unfair = {})
      : unfair_names_(std::move(unfair)) {}

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
      if (amount != nullptr) totals_.add(use(entry.name), amount->milli);
    }
  }

  void remove(const Resources& less) {
    for (const Resource& entry : less.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (amount == nullptr) continue;
      totals_.add(id_of(entry.name), -amount->milli);
      unuse(entry.name);
    }
  }

  /// A name's index, from now on until unuse().
  ScalarId use(std::string_view name) {
    auto at = names_.find(name);
    if (at == names_.end()) {
      at = names_.emplace(std::string(name), Name{}).first;
      at->second.id = unused_id();
      unfair_.resize(std::max<std::size_t>(unfair_.size(), at->second.id + 1));
      unfair_[at->second.id] = unfair_names_.count(name) != 0;
    }
    ++at->second.users;
    return at->second.id;
  }
  void unuse(std::string_view name) {
    const auto at = names_.find(name);
    LIBRM_CHECK(at != names_.end(), "what is removed was added");
    if (--at->second.users > 0) return;
    unused_ids_.push_back(at->second.id);
    names_.erase(at);
  }

  const std::map<std::string, Name, std::less<>>& names() const { return names_; }
  bool knows(std::string_view name) const { return names_.count(name) != 0; }
  /// Precondition: some agent has it, or some quota names it.
  ScalarId id_of(std::string_view name) const {
    const auto at = names_.find(name);
    LIBRM_CHECK(at != names_.end(), "held resources belong to an agent");
    return at->second.id;
  }
  const std::string& name_of(ScalarId id) const {
    const auto at = std::find_if(names_.begin(), names_.end(),
                                 [id](const auto& entry) { return entry.second.id == id; });
    LIBRM_CHECK(at != names_.end(), "an index in use has a name");
    return at->first;
  }

  /// The scalars of `resources`, which some agent has, that `wanted(entry)` says.
  template <class Wanted>
  void collect(const Resources& resources, Wanted wanted, ScalarAmounts& amounts) const {
    amounts.clear();
    for (const Resource& entry : resources.list()) {
      const auto* amount = std::get_if<Amount>(&entry.value);
      if (amount == nullptr || !wanted(entry)) continue;
      const ScalarId id = id_of(entry.name);
      if (!amounts.empty() && amounts.back().id == id) {
        amounts.back().milli += amount->milli;
      } else {
        amounts.push_back({id, amount->milli});
      }
    }
  }
  void collect(const Resources& resources, ScalarAmounts& amounts) const {
    collect(
        resources, [](const Resource&) { return true; }, amounts);
  }

  /// The same as librm::dominant_share, over indices and without those that do not count.
  Share dominant_share(const Quantities& held, std::int64_t weight_milli) const {
    Share share{0, 1, weight_milli};
    for (ScalarId id = 0; id < held.size(); ++id) {
      if (held[id] <= 0 || unfair_[id]) continue;
      const Share candidate{held[id], totals_[id], weight_milli};
      if (candidate > share) share = candidate;
    }
    return share;
  }

  Resources to_resources(const Quantities& quantities) const {
    Resources resources;
    for (const auto& [name, entry] : names_) {
      Resource scalar;
      scalar.name = name;
      scalar.value = Amount{quantities[entry.id]};
      resources.add(std::move(scalar));
    }
    return resources;
  }

 private:
  ScalarId unused_id() {
    if (unused_ids_.empty()) return next_id_++;
    const ScalarId id = unused_ids_.back();
    unused_ids_.pop_back();
    return id;
  }

  std::set<std::string, std::less<>> unfair_names_;
  std::vector<bool> unfair_;  ///< by index
  std::map<std::string, Name, std::less<>> names_;
  std::vector<ScalarId> unused_ids_;
  ScalarId next_id_ = 0;
  Quantities totals_;
};

}  // namespace librm::detail
