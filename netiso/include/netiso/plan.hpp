// Network changes as data: what is wanted against what is there gives operations to apply and undo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "netiso/link.hpp"
#include "netiso/operation.hpp"

namespace netiso {

/// What a link shall be; what is empty may stay as it is.
struct DesiredLink {
  std::string name;
  std::optional<bool> up;
  std::optional<std::uint32_t> mtu;  ///< bytes
};

/// What leads from observed to desired, in an order that works: sizes before links go up. Empty
/// where nothing is to be done, so that planning after applying is empty. Fails with not_found for
/// a link that is not there, and invalid_argument for one that is desired twice or an MTU outside
/// of 68..65536. Pure.
librm::Result<std::vector<Operation>> plan(const std::vector<DesiredLink>& desired,
                                           const std::vector<LinkStatistics>& observed);

/// Applies the operations in order, each in its network namespace; the calling thread stays in its
/// own. Then waits until links that went up take packets, for some milliseconds. If one fails,
/// those before it are undone in reverse order, and the error names the one that failed, and those
/// that could not be undone. Needs CAP_NET_ADMIN there, and CAP_SYS_ADMIN where other namespaces
/// are concerned. Fails with permission_denied, not_found, already_exists, unsupported or io_error.
librm::Result<void> apply(const std::vector<Operation>& operations);

/// Takes back operations that were applied, the last one first. Goes on after a failure and
/// reports the first.
librm::Result<void> revert(const std::vector<Operation>& operations);

}  // namespace netiso
