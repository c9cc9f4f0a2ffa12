// Which agents have anything free: one bit each, so that a full cluster is passed over quickly.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "librm/alloc/impl/entries.hpp"

namespace librm::detail {

/// A place for each agent; a place that was left is used again.
class Slots {
 public:
  void enter(Agent& agent) {
    if (unused_.empty()) {
      unused_.push_back(static_cast<std::uint32_t>(agents_.size()));
      agents_.push_back(nullptr);
      if (agents_.size() > bits_.size() * 64) bits_.push_back(0);
    }
    agent.slot = unused_.back();
    unused_.pop_back();
    agents_[agent.slot] = &agent;
  }
  void leave(const Agent& agent) {
    set(agent.slot, false);
    agents_[agent.slot] = nullptr;
    unused_.push_back(agent.slot);
  }
  void set(std::uint32_t slot, bool free) {
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if (free) {
      bits_[slot / 64] |= bit;
    } else {
      bits_[slot / 64] &= ~bit;
    }
  }
  bool is_set(std::uint32_t slot) const { return (bits_[slot / 64] >> (slot % 64) & 1) != 0; }

  /// Calls `visit(agent)` for each that is set, by slot.
  template <class Visit>
  void each_free(Visit visit) const {
    for (std::size_t word = 0; word < bits_.size(); ++word) {
      for (std::uint64_t bits = bits_[word]; bits != 0; bits &= bits - 1) {
        visit(*agents_[word * 64 + static_cast<std::size_t>(std::countr_zero(bits))]);
      }
    }
  }

  /// Those of another allocator, each agent's copy by `agent(of)`.
  template <class Map>
  void adopt(const Slots& other, Map agent) {
    *this = other;
    for (Agent*& one : agents_) {
      if (one != nullptr) one = agent(one);
    }
  }

 private:
  std::vector<Agent*> agents_;
  std::vector<std::uint64_t> bits_;
  std::vector<std::uint32_t> unused_;
};

}  // namespace librm::detail
