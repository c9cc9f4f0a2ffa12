// Reads links and their counters from the kernel through libnl.
#include <net/if.h>
#include <netlink/route/link.h>

#include <algorithm>
#include <string_view>

#include "observe_links.hpp"

namespace netiso {
namespace {

LinkStatistics value_of(rtnl_link* link) {
  auto counter = [&](rtnl_link_stat_id_t id) { return rtnl_link_get_stat(link, id); };
  LinkStatistics value;
  const char* name = rtnl_link_get_name(link);
  value.name = name == nullptr ? "" : name;
  value.index = rtnl_link_get_ifindex(link);
  value.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
  value.mtu = rtnl_link_get_mtu(link);
  if (const char* kind = rtnl_link_get_type(link);
      kind != nullptr && std::string_view(kind) == "veth") {
    value.peer = rtnl_link_get_link(link);
  }
  value.rx_bytes = counter(RTNL_LINK_RX_BYTES);
  value.rx_packets = counter(RTNL_LINK_RX_PACKETS);
  value.rx_errors = counter(RTNL_LINK_RX_ERRORS);
  value.rx_dropped = counter(RTNL_LINK_RX_DROPPED);
  value.tx_bytes = counter(RTNL_LINK_TX_BYTES);
  value.tx_packets = counter(RTNL_LINK_TX_PACKETS);
  value.tx_errors = counter(RTNL_LINK_TX_ERRORS);
  value.tx_dropped = counter(RTNL_LINK_TX_DROPPED);
  return value;
}

}  // namespace

librm::Result<std::vector<LinkStatistics>> read_links(nl_sock* socket) {
  nl_cache* raw = nullptr;
  if (const int result = rtnl_link_alloc_cache(socket, AF_UNSPEC, &raw); result < 0) {
    return fail_netlink("links", result);
  }
  const Cache cache(raw);
  std::vector<LinkStatistics> links;
  for_each<rtnl_link>(raw, [&](rtnl_link* link) { links.push_back(value_of(link)); });
  std::sort(links.begin(), links.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return links;
}

librm::Result<std::vector<LinkStatistics>> observe_links() {
  auto socket = open_netlink();
  if (!socket) return tl::unexpected(socket.error());
  return read_links(socket->get());
}

}  // namespace netiso
