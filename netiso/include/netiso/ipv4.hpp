// IPv4 addresses with the size of their network, as values and text: `10.77.0.2/30`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "librm/base/result.hpp"

namespace netiso {

struct Ipv4Prefix {
  std::uint32_t address = 0;  ///< of a host, the first byte highest
  unsigned bits = 32;         ///< of the network, 0..32
  bool operator==(const Ipv4Prefix&) const = default;

  std::uint32_t network() const {
    return bits == 0 ? 0 : address & (~std::uint32_t{0} << (32 - bits));
  }
};

/// `10.77.0.2/30`.
std::string to_string(const Ipv4Prefix& prefix);
/// `10.77.0.2`.
std::string address_text(std::uint32_t address);

/// Reads `10.77.0.2/30`; without a slash, all 32 bits. Fails with invalid_argument.
librm::Result<Ipv4Prefix> parse_ipv4(std::string_view text);

}  // namespace netiso
