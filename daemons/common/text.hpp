// Small parsers and printers for what people type: spans of time, addresses, misspelt names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::daemon {

/// Reads `500ms`, `5s`, `1.5s`, `2m`, `1h`, `7d`, or a bare number of seconds; not negative, at
/// most 3650 days.
Result<Duration> parse_duration(std::string_view text);
/// The shortest of these forms that is exact.
std::string print_duration(Duration duration);

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

/// Reads `host:5150`, `10.0.0.1:5150`, `[::1]:5150`.
Result<HostPort> parse_host_port(std::string_view text);
/// The reverse; brackets around IPv6 addresses.
std::string print_host_port(std::string_view host, std::uint16_t port);

/// What others are told of a port here: the address, or this host's name where it is a wildcard.
std::string advertised_address(const std::string& listen, std::uint16_t port);

/// The name most like `word`, if it is like it at all: at most a third of its letters differ.
std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names);

}  // namespace librm::daemon
