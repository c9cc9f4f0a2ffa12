// How an embedder replaces the allocator's policy: order by Sorter, exclude by Filter, rank by
// Scorer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "librm/alloc/share.hpp"
#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

struct Demand;

// All of them are pure: the same arguments give the same answer. They are called on the thread
// that uses the Allocator, and live longer than it.

/// One of several that compete at one place of the tree of roles: a role among its siblings, the
/// frameworks of a role itself among its child roles (their name is `.`), or a framework among
/// those of its role (`f-3`).
struct Contender {
  std::string_view name;
  std::int64_t weight_milli = 1000;
  const Share* share = nullptr;  ///< dominant share of what is held there, with the weight
  std::uint64_t arrival = 0;     ///< counts up: who entered the allocator later has more
  std::uint64_t draw = 0;        ///< random, and grows with each change of what is held
};

/// Who is served first.
class Sorter {
 public:
  virtual ~Sorter() = default;
  /// A strict weak order; ties go by name (frameworks: by id). Asked anew about a contender when
  /// what it holds, its weight or the pool has changed, at no other time.
  virtual bool before(const Contender& a, const Contender& b) const = 0;
};

/// Lowest weighted dominant share first: the default.
class DrfSorter final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override { return *a.share < *b.share; }
};

/// Any order, another one after each allocation; in the long run everybody is first equally often.
/// Weights do not matter.
class RandomSorter final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override { return a.draw < b.draw; }
};

/// Who came first takes what there is.
class FirstComeSorter final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override {
    return a.arrival < b.arrival;
  }
};

/// An agent, as a Filter and a Scorer see it.
struct Candidate {
  AgentId agent;
  std::string_view hostname;
  const Attributes* attributes = nullptr;
  const Resources* total = nullptr;
};

/// Which agents may be offered to whom at all.
class Filter {
 public:
  virtual ~Filter() = default;
  virtual bool allows(const Candidate& agent, FrameworkId framework,
                      std::string_view role) const = 0;
  /// Why not, for explanations: `only frameworks that asked for GPUs`.
  virtual std::string reason(const Candidate& agent, FrameworkId framework,
                             std::string_view role) const = 0;
};

/// Where a demand is placed first, among agents on which it can start at the same time.
class Scorer {
 public:
  virtual ~Scorer() = default;
  /// Highest first; ties go by agent id. `free` is what is free there and usable by the role.
  virtual std::int64_t score(const Demand& demand, const Candidate& agent,
                             const Resources& free) const = 0;
};

}  // namespace librm
