// Dates, times of day and spans, one after the other.
#include "moment.hpp"

#include <cstdio>
#include <ctime>
#include <optional>

#include "batch/edge/units.hpp"
#include "text.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr double day_s = 86'400;

std::tm local_time(double seconds) {
  const auto at = static_cast<std::time_t>(seconds);
  std::tm local{};
  ::localtime_r(&at, &local);
  return local;
}

/// The beginning of the day that is `back` days before.
double day_begin(double now, int back) {
  std::tm day = local_time(now);
  day.tm_mday -= back;
  day.tm_hour = day.tm_min = day.tm_sec = 0;
  day.tm_isdst = -1;
  return static_cast<double>(::mktime(&day));
}

bool in_range(const std::tm& at) {
  return at.tm_mon >= 0 && at.tm_mon < 12 && at.tm_mday >= 1 && at.tm_mday <= 31 &&
         at.tm_hour >= 0 && at.tm_hour < 24 && at.tm_min >= 0 && at.tm_min < 60 && at.tm_sec >= 0 &&
         at.tm_sec < 61;
}

/// A date with or without time of day, or a time of today.
std::optional<double> parse_local(const std::string& text, double now) {
  std::tm at = local_time(now);
  at.tm_hour = at.tm_min = at.tm_sec = 0;
  at.tm_isdst = -1;
  int year = 0;
  int month = 0;
  int size = 0;
  int day = at.tm_mday;
  const char* rest = text.c_str();
  bool has_time = text.find(':') != text.npos;
  if (std::sscanf(rest, "%4d-%2d-%2d%n", &year, &month, &day, &size) == 3) {
    at.tm_year = year - 1900;
    at.tm_mon = month - 1;
    at.tm_mday = day;
    rest += size;
    if (*rest == 'T' || *rest == ' ') {
      ++rest;
      has_time = true;
    } else if (*rest != '\0') {
      return std::nullopt;
    }
  } else if (!has_time) {
    return std::nullopt;
  }
  if (has_time) {
    size = 0;
    if (std::sscanf(rest, "%2d:%2d%n", &at.tm_hour, &at.tm_min, &size) != 2) return std::nullopt;
    rest += size;
    size = 0;
    if (*rest == ':' && std::sscanf(rest, ":%2d%n", &at.tm_sec, &size) == 1) rest += size;
  }
  // A day that its month does not have would become one of the next.
  if (*rest != '\0' || !in_range(at)) return std::nullopt;
  const auto seconds = static_cast<double>(::mktime(&at));
  return at.tm_mday == day ? std::optional<double>(seconds) : std::nullopt;
}

/// `3d`, `1w`, and what is a span elsewhere.
std::optional<double> parse_ago(const std::string& text) {
  const char unit = text.empty() ? '\0' : text.back();
  if (unit == 'd' || unit == 'w') {
    const std::string number = text.substr(0, text.size() - 1);
    if (number.empty() || number.size() > 5 ||
        number.find_first_not_of("0123456789") != number.npos) {
      return std::nullopt;
    }
    return std::stod(number) * (unit == 'd' ? day_s : 7 * day_s);
  }
  if (text.find(':') != text.npos) return std::nullopt;  // a wrong time of day
  const auto span = parse_span(text);
  return span ? std::optional<double>(static_cast<double>(span->ns) / 1e9) : std::nullopt;
}

}  // namespace

Result<double> parse_moment(const char* option, const std::string& text, double now) {
  if (text == "now") return now;
  if (text == "today") return day_begin(now, 0);
  if (text == "yesterday") return day_begin(now, 1);
  if (const auto utc = parse_time(text)) return *utc;
  if (const auto local = parse_local(text, now)) return *local;
  if (const auto ago = parse_ago(text)) return now - *ago;
  return fail(ErrorCode::invalid_argument,
              std::string(option) + ": '" + escape(text) +
                  "' is no time; it looks like 2026-01-31, 2026-01-31T12:00, 12:00, today, "
                  "yesterday, or 2h, 3d, 1w for so long ago");
}

}  // namespace batch::cli
