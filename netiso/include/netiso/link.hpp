// The host's network links as values, and what went over them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "librm/base/result.hpp"

namespace netiso {

/// One link at one moment; counters start at zero when the link is made.
struct LinkStatistics {
  std::string name;
  std::int32_t index = 0;  ///< the kernel's, from 1
  bool up = false;         ///< administratively: IFF_UP
  std::uint32_t mtu = 0;   ///< bytes
  /// Index of the other end where this is one of a pair (veth), in whichever namespace that is;
  /// 0 for any other link.
  std::int32_t peer = 0;
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t rx_dropped = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_errors = 0;
  std::uint64_t tx_dropped = 0;
  bool operator==(const LinkStatistics&) const = default;
};

/// All links of the calling thread's network namespace, by index. Needs no privilege. Fails with
/// io_error. Thread-safe.
librm::Result<std::vector<LinkStatistics>> observe_links();

}  // namespace netiso
