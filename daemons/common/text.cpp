// Parsing and printing of spans, addresses and names.
#include "common/text.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>
#include <utility>

namespace librm::daemon {
namespace {

constexpr std::int64_t span_ns_max = 3650LL * 86'400 * 1'000'000'000;

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::array<Unit, 5> units = {{{"d", 86'400'000'000'000},
                                        {"h", 3'600'000'000'000},
                                        {"m", 60'000'000'000},
                                        {"s", 1'000'000'000},
                                        {"ms", 1'000'000}}};

tl::unexpected<Error> bad_duration(std::string_view text) {
  return fail(ErrorCode::invalid_argument,
              "'" + std::string(text) + "' is not a span such as 500ms, 5s, 1.5s, 2m, 1h or 7d");
}

/// Insertions, deletions, replacements, and swaps of neighbours ("optimal string alignment").
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row.back();
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  std::string_view unit = text.substr(digits);
  if (unit.empty()) unit = "s";
  const auto found = std::find_if(units.begin(), units.end(),
                                  [unit](const Unit& candidate) { return candidate.name == unit; });
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (found == units.end() || error != std::errc() || stop != text.data() + digits) {
    return bad_duration(text);
  }
  const double ns = value * static_cast<double>(found->ns);
  if (!(ns >= 0 && ns <= static_cast<double>(span_ns_max))) return bad_duration(text);
  return nanoseconds(static_cast<std::int64_t>(ns + 0.5));
}

std::string print_duration(Duration duration) {
  if (duration.ns == 0) return "0s";
  for (const Unit& unit : units) {
    if (duration.ns % unit.ns == 0) {
      return std::to_string(duration.ns / unit.ns) + std::string(unit.name);
    }
  }
  return std::to_string(duration.ns / 1'000'000) + "ms";
}

Result<HostPort> parse_host_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const auto bad = [text] {
    return fail(ErrorCode::invalid_argument,
                "'" + std::string(text) + "' is not an address such as host:5150 or [::1]:5150");
  };
  if (colon == std::string_view::npos || colon == 0) return bad();
  HostPort result;
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) return bad();
  const std::string_view port = text.substr(colon + 1);
  const auto [stop, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
  if (error != std::errc() || stop != port.data() + port.size() || result.port == 0) return bad();
  result.host = host;
  return result;
}

std::string print_host_port(std::string_view host, std::uint16_t port) {
  std::string text(host);
  if (host.find(':') != std::string_view::npos) text = "[" + text + "]";
  return text + ":" + std::to_string(port);
}

std::string advertised_address(const std::string& listen, std::uint16_t port) {
  char name[256] = "localhost";
  const bool wildcard = listen == "0.0.0.0" || listen == "::";
  if (wildcard) ::gethostname(name, sizeof name - 1);
  return print_host_port(wildcard ? std::string_view(name) : std::string_view(listen), port);
}

std::optional<std::string> nearest(std::string_view word, const std::vector<std::string>& names) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(word, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

}  // namespace librm::daemon
