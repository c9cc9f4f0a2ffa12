// Links, addresses and routes through libnl.
#pragma once

#include <netlink/route/link.h>

#include <memory>
#include <string>

#include "netiso/operation.hpp"
#include "netlink_socket.hpp"

namespace netiso {

struct PutLink {
  void operator()(rtnl_link* link) const { rtnl_link_put(link); }
};
using Link = std::unique_ptr<rtnl_link, PutLink>;

/// The link of this name; `subject` begins the error.
librm::Result<Link> find_link(nl_sock* socket, const std::string& name, const std::string& subject);

/// Whether the link has a carrier that the kernel has not acted upon yet.
bool is_pending(nl_sock* socket, const std::string& name);

librm::Result<void> apply_one(nl_sock* socket, const SetLinkUp& operation);
librm::Result<void> apply_one(nl_sock* socket, const SetLinkMtu& operation);
librm::Result<void> apply_one(nl_sock* socket, const CreateLink& operation);
/// The socket is in the source's namespace.
librm::Result<void> apply_one(nl_sock* socket, const MoveLink& operation);
librm::Result<void> apply_one(nl_sock* socket, const AddAddress& operation);
librm::Result<void> apply_one(nl_sock* socket, const AddRoute& operation);

}  // namespace netiso
