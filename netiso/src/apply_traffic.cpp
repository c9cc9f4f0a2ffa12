// Queues and classes: htb with a parent and a leaf, or tbf.
#include "apply_traffic.hpp"

#include <linux/pkt_sched.h>
#include <netlink/route/class.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/qdisc/htb.h>
#include <netlink/route/qdisc/tbf.h>
#include <netlink/route/tc.h>

#include <algorithm>
#include <memory>

namespace netiso {
namespace {

using librm::Result;

struct PutQueue {
  void operator()(rtnl_qdisc* queue) const { rtnl_qdisc_put(queue); }
};
struct PutClass {
  void operator()(rtnl_class* value) const { rtnl_class_put(value); }
};
using Queue = std::unique_ptr<rtnl_qdisc, PutQueue>;
using Class = std::unique_ptr<rtnl_class, PutClass>;

constexpr int tbf_latency_us = 50'000;

Queue make_queue(int link, std::uint32_t parent, std::uint32_t handle, const char* kind) {
  Queue queue(rtnl_qdisc_alloc());
  if (!queue) return queue;
  rtnl_tc* common = TC_CAST(queue.get());
  rtnl_tc_set_ifindex(common, link);
  rtnl_tc_set_parent(common, parent);
  if (handle != 0) rtnl_tc_set_handle(common, handle);
  // An unknown kind is the kernel's to refuse.
  (void)rtnl_tc_set_kind(common, kind);
  return queue;
}

int add_class(nl_sock* socket, int link, std::uint32_t parent, std::uint32_t handle,
              std::uint64_t bytes_per_second) {
  const Class value(rtnl_class_alloc());
  if (!value) return -NLE_NOMEM;
  rtnl_tc* common = TC_CAST(value.get());
  rtnl_tc_set_ifindex(common, link);
  rtnl_tc_set_parent(common, parent);
  rtnl_tc_set_handle(common, handle);
  if (const int result = rtnl_tc_set_kind(common, "htb"); result < 0) return result;
  // What the default of a tenth of the rate is too small or too large for, the kernel complains of.
  const auto quantum = std::clamp<std::uint64_t>(bytes_per_second / 10, 1'600, 200'000);
  rtnl_htb_set_quantum(value.get(), static_cast<std::uint32_t>(quantum));
  if (const int result = rtnl_htb_set_rate64(value.get(), bytes_per_second); result < 0) {
    return result;
  }
  if (const int result = rtnl_htb_set_ceil64(value.get(), bytes_per_second); result < 0) {
    return result;
  }
  // Replaces a class that is there.
  return rtnl_class_add(socket, value.get(), NLM_F_CREATE);
}

int add_htb(nl_sock* socket, int link, const EgressLimit& limit, bool in_place) {
  const std::uint64_t bytes = limit.bits_per_second / 8;
  if (!in_place) {
    const Queue root = make_queue(link, TC_H_ROOT, root_handle, "htb");
    if (!root) return -NLE_NOMEM;
    rtnl_htb_set_defcls(root.get(), TC_H_MIN(leaf_class));
    if (const int result = rtnl_qdisc_add(socket, root.get(), NLM_F_CREATE | NLM_F_EXCL);
        result < 0) {
      return result;
    }
  }
  if (const int result = add_class(socket, link, root_handle, parent_class, bytes); result < 0) {
    return result;
  }
  if (const int result = add_class(socket, link, parent_class, leaf_class, bytes); result < 0) {
    return result;
  }
  if (!limit.fair || in_place) return 0;
  const Queue leaf = make_queue(link, leaf_class, 0, "fq_codel");
  if (!leaf) return -NLE_NOMEM;
  return rtnl_qdisc_add(socket, leaf.get(), NLM_F_CREATE | NLM_F_EXCL);
}

int add_tbf(nl_sock* socket, int link, const EgressLimit& limit) {
  const Queue root = make_queue(link, TC_H_ROOT, root_handle, "tbf");
  if (!root) return -NLE_NOMEM;
  const auto bytes = static_cast<int>(limit.bits_per_second / 8);
  // A timer tick's worth, and never less than one segment of the largest size.
  const int bucket = std::max(bytes / 100, 70'000);
  rtnl_qdisc_tbf_set_rate(root.get(), bytes, bucket, 0);
  if (const int result = rtnl_qdisc_tbf_set_limit_by_latency(root.get(), tbf_latency_us);
      result < 0) {
    return result;
  }
  return rtnl_qdisc_add(socket, root.get(), NLM_F_CREATE | NLM_F_EXCL);
}

int remove_root(nl_sock* socket, int link) {
  const Queue root(rtnl_qdisc_alloc());
  if (!root) return -NLE_NOMEM;
  rtnl_tc_set_ifindex(TC_CAST(root.get()), link);
  rtnl_tc_set_parent(TC_CAST(root.get()), TC_H_ROOT);
  return rtnl_qdisc_delete(socket, root.get());
}

int add_limit(nl_sock* socket, int link, const EgressLimit& limit) {
  if (limit.bits_per_second == 0) return 0;
  const int result = limit.shaper == Shaper::htb ? add_htb(socket, link, limit, false)
                                                 : add_tbf(socket, link, limit);
  if (result < 0) (void)remove_root(socket, link);  // half a limit is none
  return result;
}

int set_limit(nl_sock* socket, int link, const SetEgressLimit& operation) {
  const auto& before = operation.before;
  const auto& limit = operation.limit;
  const bool in_place = before && limit && before->bits_per_second != 0 &&
                        limit->bits_per_second != 0 && before->shaper == Shaper::htb &&
                        limit->shaper == Shaper::htb && before->fair == limit->fair;
  if (in_place) {
    const int result = add_htb(socket, link, *limit, true);
    if (result < 0) (void)add_htb(socket, link, *before, true);
    return result;
  }
  if (before) {
    if (const int result = remove_root(socket, link); result < 0) return result;
  }
  if (!limit) return 0;
  const int result = add_limit(socket, link, *limit);
  if (result < 0 && before) (void)add_limit(socket, link, *before);
  return result;
}

}  // namespace

Result<void> apply_limit(nl_sock* socket, int link, const SetEgressLimit& operation) {
  if (const int result = set_limit(socket, link, operation); result < 0) {
    return fail_netlink(to_string(Operation(operation)), result);
  }
  return {};
}

int try_queue(nl_sock* socket, int link, const std::string& kind) {
  if (kind == "tbf") return add_tbf(socket, link, {8'000'000, Shaper::tbf, false});
  if (kind == "htb") return add_htb(socket, link, {8'000'000, Shaper::htb, false}, false);
  const Queue root = make_queue(link, TC_H_ROOT, root_handle, kind.c_str());
  return root ? rtnl_qdisc_add(socket, root.get(), NLM_F_CREATE | NLM_F_EXCL) : -NLE_NOMEM;
}

}  // namespace netiso
