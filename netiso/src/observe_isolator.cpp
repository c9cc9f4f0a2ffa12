// Reads what there is of an isolator: links, addresses, routes and limits of two namespaces.
#include <arpa/inet.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/class.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/htb.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>

#include <memory>
#include <string>
#include <string_view>

#include "apply_traffic.hpp"
#include "netiso/isolator.hpp"
#include "netlink_namespace.hpp"
#include "observe_links.hpp"

namespace netiso {
namespace {

using librm::Result;

std::string name_of(const std::vector<LinkStatistics>& links, int index) {
  for (const LinkStatistics& link : links) {
    if (link.index == index) return link.name;
  }
  return "";
}

std::uint32_t host_order(nl_addr* address) {
  std::uint32_t wire = 0;
  if (nl_addr_get_len(address) == sizeof wire) {
    wire = *static_cast<const std::uint32_t*>(nl_addr_get_binary_addr(address));
  }
  return ntohl(wire);
}

Result<void> read_addresses(nl_sock* socket, const Space& space, ObservedSpace& found) {
  nl_cache* raw = nullptr;
  if (const int result = rtnl_addr_alloc_cache(socket, &raw); result < 0) {
    return fail_netlink("addresses", result);
  }
  const Cache cache(raw);
  for_each<rtnl_addr>(raw, [&](rtnl_addr* entry) {
    nl_addr* local = rtnl_addr_get_local(entry);
    if (local == nullptr || rtnl_addr_get_family(entry) != AF_INET) return;
    const Ipv4Prefix address{host_order(local),
                             static_cast<unsigned>(rtnl_addr_get_prefixlen(entry))};
    found.addresses.push_back(
        {name_of(found.links, rtnl_addr_get_ifindex(entry)), address, true, space});
  });
  return {};
}

Result<void> read_routes(nl_sock* socket, const Space& space, ObservedSpace& found) {
  nl_cache* raw = nullptr;
  if (const int result = rtnl_route_alloc_cache(socket, AF_INET, 0, &raw); result < 0) {
    return fail_netlink("routes", result);
  }
  const Cache cache(raw);
  for_each<rtnl_route>(raw, [&](rtnl_route* route) {
    nl_addr* target = rtnl_route_get_dst(route);
    if (target != nullptr && nl_addr_get_prefixlen(target) != 0) return;
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN || rtnl_route_get_nnexthops(route) == 0)
      return;
    rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0);
    nl_addr* gateway = rtnl_route_nh_get_gateway(hop);
    if (gateway == nullptr) return;
    found.default_routes.push_back(
        {name_of(found.links, rtnl_route_nh_get_ifindex(hop)), host_order(gateway), true, space});
  });
  return {};
}

/// Bytes a second of the class that all traffic goes to; 0 where that is not our htb.
std::uint64_t htb_rate(nl_sock* socket, int link) {
  nl_cache* raw = nullptr;
  if (rtnl_class_alloc_cache(socket, link, &raw) < 0) return 0;
  const Cache cache(raw);
  std::uint64_t rate = 0;
  for_each<rtnl_class>(raw, [&](rtnl_class* entry) {
    if (rtnl_tc_get_handle(TC_CAST(entry)) == leaf_class) rtnl_htb_get_rate64(entry, &rate);
  });
  return rate;
}

Result<void> read_limits(nl_sock* socket, const Space& space, ObservedSpace& found) {
  nl_cache* raw = nullptr;
  if (const int result = rtnl_qdisc_alloc_cache(socket, &raw); result < 0) {
    return fail_netlink("queues", result);
  }
  const Cache cache(raw);
  for_each<rtnl_qdisc>(raw, [&](rtnl_qdisc* queue) {
    rtnl_tc* common = TC_CAST(queue);
    const int link = rtnl_tc_get_ifindex(common);
    if (rtnl_tc_get_parent(common) != TC_H_ROOT) return;
    const std::string_view kind = rtnl_tc_get_kind(common);
    EgressLimit limit;
    if (kind == "htb") {
      limit.bits_per_second = 8 * htb_rate(socket, link);
      for_each<rtnl_qdisc>(raw, [&](rtnl_qdisc* leaf) {
        rtnl_tc* inner = TC_CAST(leaf);
        if (rtnl_tc_get_ifindex(inner) == link && rtnl_tc_get_parent(inner) == leaf_class &&
            std::string_view(rtnl_tc_get_kind(inner)) == "fq_codel") {
          limit.fair = true;
        }
      });
    } else if (kind == "tbf") {
      limit.shaper = Shaper::tbf;
      limit.bits_per_second = 8 * static_cast<std::uint64_t>(rtnl_qdisc_tbf_get_rate(queue));
    } else {
      return;
    }
    found.limits.push_back({name_of(found.links, link), limit, {}, space});
  });
  return {};
}

Result<ObservedSpace> observe_space(const Space& space) {
  ObservedSpace found;
  auto socket = open_netlink_in(space);
  if (!socket && socket.error().code == librm::ErrorCode::not_found) return found;
  if (!socket) return tl::unexpected(socket.error());
  found.exists = true;
  auto links = read_links(socket->get());
  if (!links) return tl::unexpected(links.error());
  found.links = std::move(*links);
  for (const auto& read : {read_addresses, read_routes, read_limits}) {
    if (auto ok = read(socket->get(), space, found); !ok) return tl::unexpected(ok.error());
  }
  return found;
}

}  // namespace

Result<ObservedIsolator> observe_isolator(const DesiredIsolator& desired) {
  auto host = observe_space("");
  if (!host) return tl::unexpected(host.error());
  auto task = observe_space(desired.space);
  if (!task) return tl::unexpected(task.error());
  return ObservedIsolator{std::move(*host), std::move(*task)};
}

Result<std::vector<LinkStatistics>> observe_links(const Space& space) {
  auto socket = open_netlink_in(space);
  if (!socket) return tl::unexpected(socket.error());
  return read_links(socket->get());
}

}  // namespace netiso
