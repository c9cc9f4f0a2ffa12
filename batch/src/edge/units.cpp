// Spans, sizes and times as people write them: bodies.
#include "batch/edge/units.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <optional>

namespace batch {

namespace {

using librm::Duration;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t span_max = second * 86'400 * 366 * 100;
constexpr std::size_t text_size_max = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// digits[.digits], as a whole number and billionths.
struct Decimal {
  std::int64_t whole = 0;
  std::int64_t billionths = 0;
  bool has_fraction = false;
};

std::optional<Decimal> take_decimal(std::string_view& text) {
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  Decimal number;
  while (!text.empty() && is_digit(text[0])) {
    number.whole = number.whole * 10 + (text[0] - '0');
    if (number.whole > 1'000'000'000'000) return std::nullopt;
    text.remove_prefix(1);
  }
  if (text.empty() || text[0] != '.') return number;
  text.remove_prefix(1);
  if (text.empty() || !is_digit(text[0])) return std::nullopt;
  number.has_fraction = true;
  for (std::int64_t place = second / 10; !text.empty() && is_digit(text[0]); place /= 10) {
    number.billionths += place * (text[0] - '0');
    text.remove_prefix(1);
  }
  return number;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && ((text[size] | 0x20) >= 'a' && (text[size] | 0x20) <= 'z')) ++size;
  const std::string_view letters = text.substr(0, size);
  text.remove_prefix(size);
  return letters;
}

__extension__ using Wide = __int128;

std::optional<std::int64_t> times(const Decimal& number, std::int64_t unit) {
  const Wide product =
      static_cast<Wide>(number.whole) * unit + static_cast<Wide>(number.billionths) * unit / second;
  if (product > span_max) return std::nullopt;
  return static_cast<std::int64_t>(product);
}

std::optional<std::int64_t> unit_of(std::string_view name) {
  static constexpr std::pair<std::string_view, std::int64_t> units[] = {
      {"ms", second / 1000},  {"s", second},
      {"sec", second},        {"m", 60 * second},
      {"min", 60 * second},   {"h", 3600 * second},
      {"d", 86'400 * second}, {"w", 7 * 86'400 * second}};
  for (const auto& [unit, length] : units) {
    if (unit == name) return length;
  }
  return std::nullopt;
}

/// `1h30m`, `90s`, or a bare number of seconds.
std::optional<std::int64_t> read_units(std::string_view text) {
  std::int64_t sum = 0;
  while (!text.empty()) {
    const auto number = take_decimal(text);
    if (!number) return std::nullopt;
    const std::string_view name = take_letters(text);
    if (name.empty() && (!text.empty() || sum != 0)) return std::nullopt;
    const auto unit = name.empty() ? second : unit_of(name);
    if (!unit) return std::nullopt;
    const auto part = times(*number, *unit);
    if (!part || *part > span_max - sum) return std::nullopt;
    sum += *part;
    if (name.empty()) break;
  }
  return sum;
}

/// `PT1H30M`, `P1DT12H`, `P2W`; the order of units as in ISO 8601.
std::optional<std::int64_t> read_iso(std::string_view text) {
  static constexpr std::string_view order = "WDHMS";
  static constexpr std::int64_t lengths[] = {7 * 86'400 * second, 86'400 * second, 3600 * second,
                                             60 * second, second};
  text.remove_prefix(1);  // P
  std::int64_t sum = 0;
  std::size_t next = 0;
  bool time = false;
  bool any = false;
  while (!text.empty()) {
    if (text[0] == 'T') {
      if (time) return std::nullopt;
      time = true;
      any = false;
      next = std::max<std::size_t>(next, 2);
      text.remove_prefix(1);
      continue;
    }
    const auto number = take_decimal(text);
    if (!number || text.empty()) return std::nullopt;
    const std::size_t unit = order.find(text[0], next);
    text.remove_prefix(1);
    if (unit == std::string_view::npos || (unit >= 2) != time) return std::nullopt;
    if (number->has_fraction && !text.empty()) return std::nullopt;
    const auto part = times(*number, lengths[unit]);
    if (!part || *part > span_max - sum) return std::nullopt;
    sum += *part;
    next = unit + 1;
    any = true;
  }
  return any ? std::optional(sum) : std::nullopt;
}

/// `d-h[:m[:s]]`, `h:m:s`, `m:s`, as Slurm reads them.
std::optional<std::int64_t> read_clock(std::string_view text) {
  std::array<std::int64_t, 3> parts{};
  std::size_t count = 0;
  std::int64_t days = 0;
  bool has_days = false;
  while (true) {
    const auto number = take_decimal(text);
    if (!number || number->has_fraction || number->whole > 1'000'000'000) return std::nullopt;
    if (!text.empty() && text[0] == '-') {
      if (has_days || count > 0) return std::nullopt;
      days = number->whole;
      has_days = true;
      text.remove_prefix(1);
      continue;
    }
    if (count == parts.size()) return std::nullopt;
    parts[count++] = number->whole;
    if (text.empty()) break;
    if (text[0] != ':') return std::nullopt;
    text.remove_prefix(1);
  }
  if (!has_days && count == 2) parts = {0, parts[0], parts[1]};
  const Wide seconds = static_cast<Wide>(days) * 86'400 + static_cast<Wide>(parts[0]) * 3600 +
                       static_cast<Wide>(parts[1]) * 60 + parts[2];
  if (seconds > span_max / second) return std::nullopt;
  return static_cast<std::int64_t>(seconds) * second;
}

std::string shown(std::string_view text) {
  return "'" + std::string(text.substr(0, text_size_max)) + "'";
}

}  // namespace

Result<Duration> parse_span(std::string_view text) {
  std::optional<std::int64_t> ns;
  if (!text.empty() && text.size() <= text_size_max) {
    if (text[0] == 'P') {
      ns = read_iso(text);
    } else if (text.find_first_of(":-") != std::string_view::npos) {
      ns = read_clock(text);
    } else {
      ns = read_units(text);
    }
  }
  if (ns) return Duration{*ns};
  return fail(ErrorCode::invalid_argument,
              shown(text) + " is not a span of at most 100 years, such as 90s, 15m, 2h, 1-12:00 " +
                  "or PT1H30M");
}

Result<librm::Amount> parse_size(std::string_view text) {
  const std::string_view given = text;
  const auto wrong = [&] {
    return fail(ErrorCode::invalid_argument,
                shown(given) + " is not a size, such as 512M or 2G; a bare number is MiB");
  };
  if (text.size() > text_size_max) return wrong();
  const auto number = take_decimal(text);
  if (!number) return wrong();
  std::string unit(take_letters(text));
  if (!text.empty()) return wrong();
  std::transform(unit.begin(), unit.end(), unit.begin(),
                 [](char c) { return static_cast<char>(c | 0x20); });
  // Of `G`, `GB`, `Gi` and `GiB` the first letter counts.
  const std::string_view tail = unit.empty() ? "" : std::string_view(unit).substr(1);
  const std::size_t power = unit.empty() ? 2 : std::string_view("bkmgt").find(unit[0]);
  if (power == std::string_view::npos ||
      !(tail.empty() || tail == "b" || tail == "i" || tail == "ib") ||
      (power == 0 && !tail.empty())) {
    return wrong();
  }
  // Exact until the end, so that small units are rounded once.
  Wide bytes = static_cast<Wide>(number->whole) * second + number->billionths;
  for (std::size_t i = 0; i < power; ++i) bytes *= 1024;
  const Wide mib = static_cast<Wide>(1024) * 1024;
  const Wide milli = (bytes * 1000 + mib * second - 1) / (mib * second);
  if (milli > librm::Amount::milli_max) return wrong();
  return librm::Amount{static_cast<std::int64_t>(milli)};
}

std::string to_rfc3339(librm::WallTime time) {
  std::int64_t ms = time.ns / 1'000'000 - (time.ns % 1'000'000 < 0 ? 1 : 0);
  const std::int64_t day_ms = 86'400'000;
  const std::int64_t days = ms / day_ms - (ms % day_ms < 0 ? 1 : 0);
  ms -= days * day_ms;
  // Days to a date: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const std::int64_t day_of_era = shifted - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_shifted = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * month_shifted + 2) / 5 + 1);
  const int month = static_cast<int>(month_shifted < 10 ? month_shifted + 3 : month_shifted - 9);
  const int year = static_cast<int>(year_of_era + era * 400 + (month <= 2 ? 1 : 0));
  const int rest = static_cast<int>(ms);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", year, month, day,
                rest / 3'600'000, rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
  return text;
}

}  // namespace batch
