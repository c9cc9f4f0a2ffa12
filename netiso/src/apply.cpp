// Carries operations out through libnl, and takes them back when one fails.
#include <net/if.h>
#include <netlink/route/link.h>

#include <memory>
#include <utility>

#include "netiso/plan.hpp"
#include "netlink_socket.hpp"

namespace netiso {
namespace {

using librm::Result;

struct PutLink {
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using Link = std::unique_ptr<rtnl_link, PutLink>;

void set(rtnl_link* change, const SetLinkUp& operation) {
  if (operation.up) {
    rtnl_link_set_flags(change, IFF_UP);
  } else {
    rtnl_link_unset_flags(change, IFF_UP);
  }
}

void set(rtnl_link* change, const SetLinkMtu& operation) {
  rtnl_link_set_mtu(change, operation.mtu);
}

Result<void> apply_one(nl_sock* socket, const Operation& operation) {
  const std::string& name =
      std::visit([](const auto& body) -> const std::string& { return body.name; }, operation);
  rtnl_link* raw = nullptr;
  if (const int result = rtnl_link_get_kernel(socket, 0, name.c_str(), &raw); result < 0) {
    return fail_netlink(to_string(operation), result);
  }
  const Link link(raw);
  const Link change(rtnl_link_alloc());
  if (!change) return fail_netlink(to_string(operation), -NLE_NOMEM);
  std::visit([&](const auto& body) { set(change.get(), body); }, operation);
  if (const int result = rtnl_link_change(socket, link.get(), change.get(), 0); result < 0) {
    return fail_netlink(to_string(operation), result);
  }
  return {};
}

/// Undoes the first `count` operations, the last of them first; the first error, if any.
Result<void> revert_first(nl_sock* socket, const std::vector<Operation>& operations,
                          std::size_t count) {
  Result<void> outcome;
  while (count-- > 0) {
    Result<void> undone = apply_one(socket, undo(operations[count]));
    if (!undone && outcome) outcome = std::move(undone);
  }
  return outcome;
}

}  // namespace

Result<void> apply(const std::vector<Operation>& operations) {
  auto socket = open_netlink();
  if (!socket) return tl::unexpected(socket.error());
  for (std::size_t done = 0; done < operations.size(); ++done) {
    Result<void> applied = apply_one(socket->get(), operations[done]);
    if (applied) continue;
    librm::Error error = applied.error();
    if (auto undone = revert_first(socket->get(), operations, done); !undone) {
      error.message += "; not undone: " + undone.error().message;
    }
    return tl::unexpected(std::move(error));
  }
  return {};
}

Result<void> revert(const std::vector<Operation>& operations) {
  auto socket = open_netlink();
  if (!socket) return tl::unexpected(socket.error());
  return revert_first(socket->get(), operations, operations.size());
}

}  // namespace netiso
