// What HTTP's texts mean: request targets, percent-encoding, host names, numbers, globs.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

bool equal_without_case(std::string_view a, std::string_view b);

/// Decodes `%41`; with `plus_is_space` (in a query) also `+`. Empty where a `%` is not followed by
/// two hexadecimal digits.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);
/// Encodes everything but letters, digits and `-._~`.
std::string percent_encode(std::string_view text);

struct Target {
  std::vector<std::string> segments;
  std::string raw_query;
  std::map<std::string, std::string, std::less<>> query;
};

/// Reads the target of a request line, `/path?query` or `http://host/path?query`. Segments are
/// decoded after they were cut, so `%2f` separates nothing. The error says what is malformed.
Result<Target> parse_target(std::string_view target);

/// Whether a Host header names this machine's loopback: `localhost`, `127.0.0.1`, `[::1]`, with or
/// without a port. A page that resolves its own name to 127.0.0.1 cannot send any of these.
bool is_loopback_host(std::string_view host);

/// A whole number without sign; empty where the text is anything else or does not fit.
std::optional<std::uint64_t> parse_number(std::string_view text);
/// The same with an optional leading minus.
std::optional<std::int64_t> parse_signed_number(std::string_view text);

/// `2026-01-01T00:00:00Z`, with or without a fraction, in UTC; empty where it is anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

/// Whether the text matches a pattern of `*`, `?` and literal characters. Linear in practice, at
/// worst the product of both lengths.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace librm::http
