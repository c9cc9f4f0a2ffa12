// Timers as values: one per key, the earliest first; whoever owns them compares with its time.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "librm/base/time.hpp"

namespace batch::detail {

template <class Key>
class TimerQueue {
 public:
  /// Replaces the key's earlier timer.
  void set(const Key& key, librm::Instant at) {
    clear(key);
    at_.emplace(key, at);
    order_.emplace(at, key);
  }

  void clear(const Key& key) {
    auto found = at_.find(key);
    if (found == at_.end()) return;
    order_.erase({found->second, key});
    at_.erase(found);
  }

  std::optional<librm::Instant> find(const Key& key) const {
    auto found = at_.find(key);
    if (found == at_.end()) return std::nullopt;
    return found->second;
  }

  std::optional<librm::Instant> first() const {
    if (order_.empty()) return std::nullopt;
    return order_.begin()->first;
  }

  /// Takes the earliest timer that is due; empty where none is.
  std::optional<Key> take_due(librm::Instant time) {
    if (order_.empty() || order_.begin()->first > time) return std::nullopt;
    const Key key = order_.begin()->second;
    clear(key);
    return key;
  }

 private:
  std::map<Key, librm::Instant> at_;
  std::set<std::pair<librm::Instant, Key>> order_;
};

}  // namespace batch::detail
