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
#include <optional>
#include <string>
#include <string_view>

#include "apply_link.hpp"
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
    if (rtnl_route_get_table(route) != RT_TABLE_MAIN) return;
    if (rtnl_route_get_nnexthops(route) == 0) return;
    rtnl_nexthop* hop = rtnl_route_nexthop_n(route, 0);
    nl_addr* gateway = rtnl_route_nh_get_gateway(hop);
    found.default_routes.push_back({name_of(found.links, rtnl_route_nh_get_ifindex(hop)),
                                    gateway == nullptr ? 0 : host_order(gateway), true, space});
  });
  return {};
}

/// Bytes a second of the class that all traffic goes to; 0 where that is not our htb, or half made.
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

bool has_fair_leaf(nl_cache* queues, int link) {
  bool fair = false;
  for_each<rtnl_qdisc>(queues, [&](rtnl_qdisc* queue) {
    rtnl_tc* common = TC_CAST(queue);
    if (rtnl_tc_get_ifindex(common) == link && rtnl_tc_get_parent(common) == leaf_class) {
      fair = fair || std::string_view(rtnl_tc_get_kind(common)) == "fq_codel";
    }
  });
  return fair;
}

/// What the queue is at the root of its link; nothing where that is no limit of ours.
std::optional<EgressLimit> limit_of(nl_sock* socket, nl_cache* queues, rtnl_qdisc* queue) {
  rtnl_tc* common = TC_CAST(queue);
  if (rtnl_tc_get_parent(common) != TC_H_ROOT) return {};
  const std::string_view kind = rtnl_tc_get_kind(common);
  const int link = rtnl_tc_get_ifindex(common);
  if (kind == "htb") {
    return EgressLimit{8 * htb_rate(socket, link), Shaper::htb, has_fair_leaf(queues, link)};
  }
  if (kind == "tbf") {
    return EgressLimit{8 * static_cast<std::uint64_t>(rtnl_qdisc_tbf_get_rate(queue)), Shaper::tbf,
                       false};
  }
  return {};
}

Result<Cache> read_queues(nl_sock* socket) {
  nl_cache* raw = nullptr;
  if (const int result = rtnl_qdisc_alloc_cache(socket, &raw); result < 0) {
    return fail_netlink("queues", result);
  }
  return Cache(raw);
}

Result<void> read_limits(nl_sock* socket, const Space& space, ObservedSpace& found) {
  auto queues = read_queues(socket);
  if (!queues) return tl::unexpected(queues.error());
  for_each<rtnl_qdisc>(queues->get(), [&](rtnl_qdisc* queue) {
    const auto limit = limit_of(socket, queues->get(), queue);
    if (!limit) return;
    const int link = rtnl_tc_get_ifindex(TC_CAST(queue));
    found.limits.push_back({name_of(found.links, link), limit, {}, space});
  });
  return {};
}

EgressStatistics statistics_of(rtnl_qdisc* queue, const EgressLimit& limit) {
  auto counter = [&](rtnl_tc_stat id) { return rtnl_tc_get_stat(TC_CAST(queue), id); };
  EgressStatistics value;
  value.limit = limit;
  value.sent_bytes = counter(RTNL_TC_BYTES);
  value.sent_packets = counter(RTNL_TC_PACKETS);
  value.held_back = counter(RTNL_TC_OVERLIMITS);
  value.dropped_packets = counter(RTNL_TC_DROPS);
  value.queued_bytes = counter(RTNL_TC_BACKLOG);
  value.queued_packets = counter(RTNL_TC_QLEN);
  return value;
}

Result<ObservedSpace> observe_links_of(nl_sock* socket, const Space& space) {
  ObservedSpace found;
  found.exists = true;
  auto links = read_links(socket);
  if (!links) return tl::unexpected(links.error());
  found.links = std::move(*links);
  if (auto ok = read_addresses(socket, space, found); !ok) return tl::unexpected(ok.error());
  return found;
}

/// Without routes and limits, of which a host may have thousands and an isolator has none.
Result<ObservedSpace> observe_host() {
  auto socket = open_netlink();
  if (!socket) return tl::unexpected(socket.error());
  return observe_links_of(socket->get(), "");
}

Result<ObservedSpace> observe_task(const Space& space) {
  auto socket = open_netlink_in(space);
  if (!socket && socket.error().code == librm::ErrorCode::not_found) {
    ObservedSpace nothing;
    nothing.remnant = is_remnant(space);
    return nothing;
  }
  if (!socket) return tl::unexpected(socket.error());
  auto found = observe_links_of(socket->get(), space);
  if (!found) return found;
  for (const auto& read : {read_routes, read_limits}) {
    if (auto ok = read(socket->get(), space, *found); !ok) return tl::unexpected(ok.error());
  }
  return found;
}

}  // namespace

Result<ObservedIsolator> observe_isolator(const DesiredIsolator& desired) {
  auto host = observe_host();
  if (!host) return tl::unexpected(host.error());
  auto task = observe_task(desired.space);
  if (!task) return tl::unexpected(task.error());
  return ObservedIsolator{std::move(*host), std::move(*task)};
}

Result<std::vector<LinkStatistics>> observe_links(const Space& space) {
  auto socket = open_netlink_in(space);
  if (!socket) return tl::unexpected(socket.error());
  return read_links(socket->get());
}

Result<std::optional<EgressStatistics>> observe_egress(const Space& space,
                                                       const std::string& link) {
  auto socket = open_netlink_in(space);
  if (!socket) return tl::unexpected(socket.error());
  auto found =
      find_link(socket->get(), link, "link " + link + (space.empty() ? "" : " in " + space));
  if (!found) return tl::unexpected(found.error());
  auto queues = read_queues(socket->get());
  if (!queues) return tl::unexpected(queues.error());
  std::optional<EgressStatistics> statistics;
  for_each<rtnl_qdisc>(queues->get(), [&](rtnl_qdisc* queue) {
    if (rtnl_tc_get_ifindex(TC_CAST(queue)) != rtnl_link_get_ifindex(found->get())) return;
    const auto limit = limit_of(socket->get(), queues->get(), queue);
    if (limit) statistics = statistics_of(queue, *limit);
  });
  return statistics;
}

}  // namespace netiso
