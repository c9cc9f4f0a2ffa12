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

/// Empty where the request fits into what is usable() by the role in `free`. A volume is not room
/// for anything: who wants one names it.
LIBRM_DECL std::optional<Shortage> fits(const Request& request, const Resources& free,
                                        std::string_view role = any_role,
                                        Revocable revocable = Revocable::excluded);

/// Picks concrete resources for the request: reserved for the role before those of the roles above
/// it before unreserved, revocable ones last, lowest port numbers first, set members in order;
/// never a volume. Fails with resource_exhausted and the Shortage's text. The result is contained
/// in `free`.
LIBRM_DECL Result<Resources> select(const Request& request, const Resources& free,
                                    std::string_view role = any_role,
                                    Revocable revocable = Revocable::excluded);

/// Empty where free.contains(need); else the first entry that is missing. One is named
/// as key_of() does: `cpus(prod)`.
LIBRM_DECL std::optional<Shortage> shortage(const Resources& need, const Resources& free);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/fits.ipp"
#endif
