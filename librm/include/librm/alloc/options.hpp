// What an allocator is told once, at its start: limits, what is allowed, and its policy.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/resource/request.hpp"

namespace librm {

class Filter;
class Matcher;
class Placer;
class Scorer;
class Sorter;

struct AllocatorOptions {
  Duration offer_timeout = seconds(30);  ///< a lease's length; expired offers are rescinded
  OfferId first_offer{1};                ///< ids count up from here; never reuse them
  Duration refuse_for_max = seconds(365 * 24 * 3600);
  /// The only roles that frameworks may have, with all below them; empty: any.
  std::set<std::string, std::less<>> roles{};
  /// Scalars that do not count for shares: `gpus`.
  std::set<std::string, std::less<>> unfair{};
  /// An offer contains one of these at least; empty: anything. Frameworks may have their own.
  std::vector<Request> min_allocatable{};
  /// How long an earmark whose start is not known waits before it asks for preemptions.
  Duration earmark_max = seconds(3600);
  // Policy, not owned; null: the default.
  const Sorter* role_sorter = nullptr;       ///< null: dominant resource fairness
  const Sorter* framework_sorter = nullptr;  ///< the same
  const Filter* filter = nullptr;            ///< null: everything may be offered to everybody
  const Scorer* scorer = nullptr;            ///< for demands; null: lowest agent id first
  const Placer* placer = nullptr;            ///< for demands; null: AnywherePlacer
  const Matcher* matcher = nullptr;          ///< for constraints; null: like, unlike are refused
};

}  // namespace librm
