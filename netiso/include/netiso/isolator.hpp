// A network namespace for one task: a link pair, addresses, a default route, an egress limit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "netiso/ipv4.hpp"
#include "netiso/link.hpp"
#include "netiso/operation.hpp"
#include "netiso/plan.hpp"

namespace netiso {

/// What shall be there. The host's side is the network namespace of the calling thread.
struct DesiredIsolator {
  Space space;                     ///< 1..64 bytes of [A-Za-z0-9._-], not beginning with . or -
  std::string host_link;           ///< the host's end of the pair, at most 14 bytes
  std::string task_link = "eth0";  ///< the task's end, at most 15 bytes
  Ipv4Prefix host_address;         ///< also the task's gateway
  Ipv4Prefix task_address;         ///< of the same network
  std::uint32_t mtu = 1500;        ///< bytes, of both ends
  std::optional<std::uint64_t> egress_bits_per_second;  ///< from 8000; of what the task sends
  /// False: no way out. The task has its link and address nevertheless, where the kernel has dummy
  /// links; host_link, host_address and the limit are not used.
  bool connected = true;
};

/// What this kernel was built with.
struct KernelFeatures {
  bool veth = false;
  bool dummy = false;
  bool htb = false;
  bool tbf = false;
  bool fq_codel = false;
  bool operator==(const KernelFeatures&) const = default;
};

/// One network namespace as far as an isolator cares.
struct ObservedSpace {
  bool exists = false;
  std::vector<LinkStatistics> links;
  std::vector<AddAddress> addresses;     ///< that are there
  std::vector<AddRoute> default_routes;  ///< that are there
  std::vector<SetEgressLimit> limits;    ///< that are there, of the kinds that we set
};

struct ObservedIsolator {
  ObservedSpace host;
  ObservedSpace task;
};

struct IsolatorPlan {
  std::vector<Operation> operations;
  /// What is done in another way than usual, or not at all, and which feature the kernel lacks.
  std::vector<std::string> notes;
};

/// What leads from observed to desired. Empty where nothing is to be done, so that planning after
/// applying is empty, and what an agent that crashed had half made is completed. The limit is set
/// before the link goes up. Fails with invalid_argument for what can never be, unsupported where
/// the kernel lacks a feature that has no substitute, and failed_precondition for a host link of
/// that name whose other end is not ours. Pure.
librm::Result<IsolatorPlan> plan_isolator(const DesiredIsolator& desired,
                                          const ObservedIsolator& observed,
                                          const KernelFeatures& kernel);

/// What takes all of it away, without knowing what was there before. Pure.
std::vector<Operation> plan_removal(const DesiredIsolator& desired,
                                    const ObservedIsolator& observed);

/// Tries each feature in a network namespace of its own, in some milliseconds. Needs CAP_SYS_ADMIN;
/// fails with permission_denied. The answer holds until the next boot or loaded module.
librm::Result<KernelFeatures> probe_kernel();

/// What is there of the desired one. Needs CAP_SYS_ADMIN to look into the task's namespace.
librm::Result<ObservedIsolator> observe_isolator(const DesiredIsolator& desired);

/// Links and counters in another namespace. Fails with not_found where there is no such.
librm::Result<std::vector<LinkStatistics>> observe_links(const Space& space);

/// Puts the calling thread there, for good: what it starts is in that namespace.
librm::Result<void> enter_namespace(const Space& space);

}  // namespace netiso
