// Tries what this kernel has, in a network namespace that nobody else sees.
#include <sched.h>

#include <cerrno>

#include "apply_link.hpp"
#include "apply_traffic.hpp"
#include "netiso/isolator.hpp"
#include "netlink_namespace.hpp"

namespace netiso {
namespace {

using librm::Result;

bool has_queue(nl_sock* socket, int link, const char* kind) {
  if (try_queue(socket, link, kind) < 0) return false;
  const EgressLimit any{8, Shaper::tbf, false};
  (void)apply_limit(socket, link, {"lo", {}, any});
  return true;
}

Result<void> probe(KernelFeatures& features) {
  auto socket = open_netlink();
  if (!socket) return tl::unexpected(socket.error());
  auto loopback = find_link(socket->get(), "lo", "lo");
  if (!loopback) return tl::unexpected(loopback.error());
  const int link = rtnl_link_get_ifindex(loopback->get());
  features.veth = apply_one(socket->get(), CreateLink{"probe0", "probe1"}).has_value();
  features.dummy = apply_one(socket->get(), CreateLink{"probe2", ""}).has_value();
  features.htb = has_queue(socket->get(), link, "htb");
  features.tbf = has_queue(socket->get(), link, "tbf");
  features.fq_codel = has_queue(socket->get(), link, "fq_codel");
  return {};
}

}  // namespace

Result<KernelFeatures> probe_kernel() {
  KernelFeatures features;
  auto probed = on_other_thread(
      []() -> Result<void> {
        if (::unshare(CLONE_NEWNET) == 0) return {};
        return fail_system("network namespace", errno);
      },
      [&] { return probe(features); });
  if (!probed) return tl::unexpected(probed.error());
  return features;
}

}  // namespace netiso
