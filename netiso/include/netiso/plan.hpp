// Network changes as data: what is wanted against what is there gives operations to apply and undo.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/result.hpp"
#include "netiso/link.hpp"

namespace netiso {

/// What a link shall be; what is empty may stay as it is.
struct DesiredLink {
  std::string name;
  std::optional<bool> up;
  std::optional<std::uint32_t> mtu;  ///< bytes
};

/// The closed list of what may be done. Each knows what was there before, so each can be undone.
struct SetLinkUp {
  std::string name;
  bool up = false;
  bool up_before = false;
  bool operator==(const SetLinkUp&) const = default;
};

struct SetLinkMtu {
  std::string name;
  std::uint32_t mtu = 0;
  std::uint32_t mtu_before = 0;
  bool operator==(const SetLinkMtu&) const = default;
};

using Operation = std::variant<SetLinkUp, SetLinkMtu>;

/// What leads from observed to desired, in an order that works: sizes before links go up. Empty
/// where nothing is to be done, so that planning after applying is empty. Fails with not_found for
/// a link that is not there, and invalid_argument for one that is desired twice or an MTU outside
/// of 68..65536. Pure.
librm::Result<std::vector<Operation>> plan(const std::vector<DesiredLink>& desired,
                                           const std::vector<LinkStatistics>& observed);

/// The operation that takes this one back. Pure.
Operation undo(const Operation& operation);

/// `link lo: up (was down)`
std::string to_string(const Operation& operation);

/// Applies the operations in order, in the calling thread's network namespace. If one fails, those
/// before it are undone in reverse order, and the error names the one that failed, and those that
/// could not be undone. Needs CAP_NET_ADMIN there. Fails with permission_denied, not_found or
/// io_error.
librm::Result<void> apply(const std::vector<Operation>& operations);

/// Takes back operations that were applied, the last one first. Goes on after a failure and
/// reports the first.
librm::Result<void> revert(const std::vector<Operation>& operations);

}  // namespace netiso
