// Changes of links, their addresses and routes.
#include "apply_link.hpp"

#include <arpa/inet.h>
#include <linux/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include "netlink_namespace.hpp"

namespace netiso {
namespace {

using librm::Result;

struct PutAddress {
  void operator()(nl_addr* address) const { nl_addr_put(address); }
};
struct PutLinkAddress {
  void operator()(rtnl_addr* address) const { rtnl_addr_put(address); }
};
struct PutRoute {
  void operator()(rtnl_route* route) const { rtnl_route_put(route); }
};
using Address = std::unique_ptr<nl_addr, PutAddress>;

Address make_address(std::uint32_t host_order, unsigned bits) {
  std::uint32_t wire = htonl(host_order);
  Address address(nl_addr_build(AF_INET, &wire, sizeof wire));
  if (address) nl_addr_set_prefixlen(address.get(), static_cast<int>(bits));
  return address;
}

template <class Operation_>
Result<void> outcome_of(const Operation_& operation, int result) {
  if (result < 0) return fail_netlink(to_string(Operation(operation)), result);
  return {};
}

/// `fill` says what shall be different.
template <class Operation_, class Fill>
Result<void> change(nl_sock* socket, const Operation_& operation, Fill fill) {
  auto link = find_link(socket, operation.name, to_string(Operation(operation)));
  if (!link) return tl::unexpected(link.error());
  const Link changes(rtnl_link_alloc());
  if (!changes) return outcome_of(operation, -NLE_NOMEM);
  fill(changes.get());
  return outcome_of(operation, rtnl_link_change(socket, link->get(), changes.get(), 0));
}

Link describe(const CreateLink& operation) {
  const bool pair = !operation.peer.empty();
  Link link(pair ? rtnl_link_veth_alloc() : rtnl_link_alloc());
  if (!link) return link;
  rtnl_link_set_name(link.get(), operation.name.c_str());
  if (pair) {
    const Link peer(rtnl_link_veth_get_peer(link.get()));
    rtnl_link_set_name(peer.get(), operation.peer.c_str());
  } else {
    rtnl_link_set_type(link.get(), "dummy");
  }
  return link;
}

}  // namespace

Result<Link> find_link(nl_sock* socket, const std::string& name, const std::string& subject) {
  rtnl_link* raw = nullptr;
  if (const int result = rtnl_link_get_kernel(socket, 0, name.c_str(), &raw); result < 0) {
    return fail_netlink(subject, result);
  }
  return Link(raw);
}

bool is_pending(nl_sock* socket, const std::string& name) {
  const auto link = find_link(socket, name, name);
  if (!link || rtnl_link_get_carrier(link->get()) == 0) return false;
  const std::uint8_t state = rtnl_link_get_operstate(link->get());
  return state == IF_OPER_DOWN || state == IF_OPER_LOWERLAYERDOWN;
}

Result<void> apply_one(nl_sock* socket, const SetLinkUp& operation) {
  return change(socket, operation, [&](rtnl_link* changes) {
    if (operation.up) {
      rtnl_link_set_flags(changes, IFF_UP);
    } else {
      rtnl_link_unset_flags(changes, IFF_UP);
    }
  });
}

Result<void> apply_one(nl_sock* socket, const SetLinkMtu& operation) {
  return change(socket, operation,
                [&](rtnl_link* changes) { rtnl_link_set_mtu(changes, operation.mtu); });
}

Result<void> apply_one(nl_sock* socket, const CreateLink& operation) {
  if (operation.create) {
    const Link link = describe(operation);
    if (!link) return outcome_of(operation, -NLE_NOMEM);
    return outcome_of(operation, rtnl_link_add(socket, link.get(), NLM_F_CREATE | NLM_F_EXCL));
  }
  auto link = find_link(socket, operation.name, to_string(Operation(operation)));
  if (!link) return tl::unexpected(link.error());
  return outcome_of(operation, rtnl_link_delete(socket, link->get()));
}

Result<void> apply_one(nl_sock* socket, const MoveLink& operation) {
  auto target = open_namespace(operation.target);
  if (!target) return tl::unexpected(target.error());
  return change(socket, operation, [&](rtnl_link* changes) {
    rtnl_link_set_name(changes, operation.target_name.c_str());
    rtnl_link_set_ns_fd(changes, target->get());
  });
}

Result<void> apply_one(nl_sock* socket, const AddAddress& operation) {
  auto link = find_link(socket, operation.link, to_string(Operation(operation)));
  if (!link) return tl::unexpected(link.error());
  const std::unique_ptr<rtnl_addr, PutLinkAddress> entry(rtnl_addr_alloc());
  const Address local = make_address(operation.address.address, operation.address.bits);
  if (!entry || !local) return outcome_of(operation, -NLE_NOMEM);
  rtnl_addr_set_ifindex(entry.get(), rtnl_link_get_ifindex(link->get()));
  rtnl_addr_set_local(entry.get(), local.get());
  return outcome_of(operation, operation.add ? rtnl_addr_add(socket, entry.get(), 0)
                                             : rtnl_addr_delete(socket, entry.get(), 0));
}

Result<void> apply_one(nl_sock* socket, const AddRoute& operation) {
  auto link = find_link(socket, operation.link, to_string(Operation(operation)));
  if (!link) return tl::unexpected(link.error());
  const std::unique_ptr<rtnl_route, PutRoute> route(rtnl_route_alloc());
  const Address everything = make_address(0, 0);
  const Address gateway = make_address(operation.gateway, 32);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (!route || !everything || !gateway || hop == nullptr) {
    if (hop != nullptr) rtnl_route_nh_free(hop);
    return outcome_of(operation, -NLE_NOMEM);
  }
  rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link->get()));
  if (operation.gateway != 0) rtnl_route_nh_set_gateway(hop, gateway.get());
  rtnl_route_add_nexthop(route.get(), hop);  // which owns it from now on
  rtnl_route_set_family(route.get(), AF_INET);
  rtnl_route_set_dst(route.get(), everything.get());
  return outcome_of(operation, operation.add ? rtnl_route_add(socket, route.get(), NLM_F_EXCL)
                                             : rtnl_route_delete(socket, route.get(), 0));
}

}  // namespace netiso
