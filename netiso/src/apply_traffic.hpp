// Egress limits through libnl.
#pragma once

#include <optional>
#include <string>

#include "netiso/operation.hpp"
#include "netlink_socket.hpp"

namespace netiso {

/// Where the parts of our limit are: the root queue is 1:, all traffic goes to the class 1:10.
inline constexpr std::uint32_t root_handle = 0x0001'0000;
inline constexpr std::uint32_t parent_class = 0x0001'0001;
inline constexpr std::uint32_t leaf_class = 0x0001'0010;

/// A change of an htb limit's rate is made in place; any other removes what was before.
librm::Result<void> apply_limit(nl_sock* socket, int link, const SetEgressLimit& operation);

/// A queue at the root of a link, to find out whether the kernel has its kind; negative: libnl's
/// error.
int try_queue(nl_sock* socket, int link, const std::string& kind);

}  // namespace netiso
