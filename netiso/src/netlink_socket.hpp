// A route netlink connection with an owner, and libnl's errors as ours.
#pragma once

#include <netlink/errno.h>
#include <netlink/netlink.h>

#include <memory>
#include <string>

#include "librm/base/result.hpp"

namespace netiso {

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using NetlinkSocket = std::unique_ptr<nl_sock, FreeSocket>;

/// `number` is libnl's, negative.
inline tl::unexpected<librm::Error> fail_netlink(const std::string& subject, int number) {
  librm::ErrorCode code = librm::ErrorCode::io_error;
  if (number == -NLE_PERM || number == -NLE_NOACCESS) code = librm::ErrorCode::permission_denied;
  if (number == -NLE_EXIST) code = librm::ErrorCode::already_exists;
  if (number == -NLE_OPNOTSUPP) code = librm::ErrorCode::unsupported;
  if (number == -NLE_NODEV || number == -NLE_OBJ_NOTFOUND) code = librm::ErrorCode::not_found;
  return librm::fail(code, subject + ": " + nl_geterror(number));
}

/// Bound to the network namespace in which the calling thread is now.
inline librm::Result<NetlinkSocket> open_netlink() {
  NetlinkSocket socket(nl_socket_alloc());
  if (!socket) return librm::fail(librm::ErrorCode::io_error, "netlink: out of memory");
  if (const int result = nl_connect(socket.get(), NETLINK_ROUTE); result < 0) {
    return fail_netlink("netlink", result);
  }
  return socket;
}

}  // namespace netiso
