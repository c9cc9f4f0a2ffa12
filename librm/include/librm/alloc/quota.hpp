// What a role is sure to get, and what it gets at most.
#pragma once

#include <map>
#include <string>

#include "librm/base/amount.hpp"

namespace librm {

/// Scalars by name.
using Amounts = std::map<std::string, Amount, std::less<>>;

/// A scalar that is not named has no guarantee, or no limit; one with a limit of zero is never
/// given. Both count what the role and the roles below it hold or are offered of common resources
/// (unreserved, not revocable), and all that is reserved for them, used or not.
struct Quota {
  Amounts guarantees{};
  Amounts limits{};
  bool operator==(const Quota&) const = default;
};

}  // namespace librm
