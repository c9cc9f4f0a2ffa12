// The text of IPv4 addresses.
#include "netiso/ipv4.hpp"

#include <charconv>
#include <optional>

namespace netiso {
namespace {

/// Decimal, without leading zeros, which some read as octal.
std::optional<unsigned> take_number(std::string_view& text, unsigned max) {
  unsigned number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(stop - text.data());
  if (error != std::errc() || number > max || (length > 1 && text.front() == '0')) return {};
  text.remove_prefix(length);
  return number;
}

std::optional<Ipv4Prefix> read(std::string_view text) {
  Ipv4Prefix prefix;
  for (int part = 0; part < 4; ++part) {
    if (part > 0) {
      if (text.empty() || text.front() != '.') return {};
      text.remove_prefix(1);
    }
    const auto number = take_number(text, 255);
    if (!number) return {};
    prefix.address = prefix.address << 8 | *number;
  }
  if (text.empty()) return prefix;
  if (text.front() != '/') return {};
  text.remove_prefix(1);
  const auto bits = take_number(text, 32);
  if (!bits || !text.empty()) return {};
  prefix.bits = *bits;
  return prefix;
}

}  // namespace

std::string address_text(std::uint32_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += (text.empty() ? "" : ".") + std::to_string(address >> shift & 0xff);
  }
  return text;
}

std::string to_string(const Ipv4Prefix& prefix) {
  return address_text(prefix.address) + "/" + std::to_string(prefix.bits);
}

librm::Result<Ipv4Prefix> parse_ipv4(std::string_view text) {
  if (const auto prefix = read(text)) return *prefix;
  return librm::fail(
      librm::ErrorCode::invalid_argument,
      "address: '" + std::string(text.substr(0, 64)) + "' is not like '10.77.0.2/30'");
}

}  // namespace netiso
