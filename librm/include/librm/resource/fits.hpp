// The one answer to "does it fit": planner, verifier, refusals and tests all ask here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "librm/base/amount.hpp"
#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// The first dimension (in name order) that is exhausted, with the amounts.
struct Shortage {
  std::string name;  ///< `mem`
  Amount need;
  Amount free;
  bool operator==(const Shortage&) const = default;
};

/// `mem: need 65536, free 49152`.
LIBRM_DECL std::string to_string(const Shortage& shortage);

/// Empty where the request fits into what is usable() by the role of `free`. The role is one role
/// path
/// (`eng/backend` may use what is reserved for it, and `*`).
LIBRM_DECL std::optional<Shortage> fits(const Request& request, const Resources& free,
                                        std::string_view role = any_role);

/// Picks concrete resources for the request: reserved for the role before unreserved, lowest
/// port numbers first, set members in order; never revocable ones. Fails with resource_exhausted
/// and the Shortage's text. The result is contained in `free`.
LIBRM_DECL Result<Resources> select(const Request& request, const Resources& free,
                                    std::string_view role = any_role);

/// Empty where free.contains(need); else the first entry that is missing. A reserved one is named
/// with its role: `cpus(prod)`.
LIBRM_DECL std::optional<Shortage> shortage(const Resources& need, const Resources& free);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/fits.ipp"
#endif
