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
  Ipv4Prefix task_address;         ///< of the same network, of 8..31 bits
  std::uint32_t mtu = 1500;        ///< bytes, of both ends
  std::optional<std::uint64_t> egress_bits_per_second;  ///< 8000..10^12; of what the task sends
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
  /// The name is there and no namespace behind it: whoever made it was stopped in between.
  bool remnant = false;
  std::vector<LinkStatistics> links;
  std::vector<AddAddress> addresses;     ///< that are there, in the kernel's order
  std::vector<AddRoute> default_routes;  ///< that are there; not observed on the host
  std::vector<SetEgressLimit> limits;    ///< that are there; not observed on the host
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
/// applying is empty, and what an agent that crashed had half made is completed. Addresses and
/// default routes that are not desired are removed. The limit is set before the link goes up. Fails
/// with invalid_argument for what can never be, unsupported where the kernel lacks a feature that
/// has no substitute, and failed_precondition where another link has one of the names. Pure.
librm::Result<IsolatorPlan> plan_isolator(const DesiredIsolator& desired,
                                          const ObservedIsolator& observed,
                                          const KernelFeatures& kernel);

/// What takes all of it away, however much of it was made; empty where nothing is left. A link of
/// the host that has the name but is no end of a pair stays. Processes in the namespace keep it
/// alive, without a link to the host. Pure.
std::vector<Operation> plan_removal(const DesiredIsolator& desired,
                                    const ObservedIsolator& observed);

/// Tries each feature in a network namespace of its own, in some milliseconds. Needs CAP_SYS_ADMIN;
/// fails with permission_denied. The answer holds until the next boot or loaded module.
librm::Result<KernelFeatures> probe_kernel();

/// What is there of the desired one. Needs CAP_SYS_ADMIN to look into the task's namespace.
librm::Result<ObservedIsolator> observe_isolator(const DesiredIsolator& desired);

/// Links and counters in another namespace. Fails with not_found where there is no such.
librm::Result<std::vector<LinkStatistics>> observe_links(const Space& space);

/// What a limit has done since it was set; a change of its rate alone does not begin anew.
struct EgressStatistics {
  EgressLimit limit;
  std::uint64_t sent_bytes = 0;  ///< with Ethernet headers
  std::uint64_t sent_packets = 0;
  std::uint64_t held_back = 0;        ///< how often something waited and nothing might be sent
  std::uint64_t dropped_packets = 0;  ///< because the queue was full
  std::uint64_t queued_bytes = 0;     ///< at this moment
  std::uint64_t queued_packets = 0;   ///< at this moment
  bool operator==(const EgressStatistics&) const = default;
};

/// Of what leaves through the link; nothing where it has no limit of ours. Fails with not_found
/// where there is no such namespace or link.
librm::Result<std::optional<EgressStatistics>> observe_egress(const Space& space,
                                                              const std::string& link);

/// Puts the calling thread there, for good: what it starts is in that namespace.
librm::Result<void> enter_namespace(const Space& space);

}  // namespace netiso
