// The calendar by which local times are counted: the Gregorian one, as far as WallTime reaches.
#pragma once

#include <chrono>
#include <cstdint>

#include "batch/schedule/time_zones.hpp"

namespace batch::calendar {

__extension__ using Wide = __int128;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t minute_ns = 60 * second_ns;
constexpr std::int64_t hour_ns = 60 * minute_ns;
constexpr std::int64_t day_ns = 24 * hour_ns;

/// Whole years, so that WallTime holds these local times in every zone.
constexpr int year_min = 1678;
constexpr int year_max = 2261;

/// Of a period, and of what lies between a start and an end: 64 bits of nanoseconds hold it.
constexpr std::int64_t period_years_max = 290;
constexpr Wide period_ns_max = static_cast<Wide>(period_years_max) * 366 * day_ns;

constexpr Wide first_ns =
    static_cast<Wide>(
        std::chrono::sys_days(std::chrono::year(year_min) / 1 / 1).time_since_epoch().count()) *
    day_ns;
constexpr Wide last_ns =
    static_cast<Wide>(
        std::chrono::sys_days(std::chrono::year(year_max + 1) / 1 / 1).time_since_epoch().count()) *
        day_ns -
    1;

constexpr bool in_range(Wide ns) { return ns >= first_ns && ns <= last_ns; }

/// The day that a local time is in, and the time since its midnight.
struct DayAndTime {
  std::chrono::sys_days day;
  std::int64_t time_ns = 0;
};
constexpr DayAndTime split(LocalTime time) {
  const std::int64_t days = time.ns / day_ns - (time.ns % day_ns < 0 ? 1 : 0);
  return {std::chrono::sys_days(std::chrono::days(days)), time.ns - days * day_ns};
}

constexpr Wide join(std::chrono::sys_days day, std::int64_t time_ns) {
  return static_cast<Wide>(day.time_since_epoch().count()) * day_ns + time_ns;
}

}  // namespace batch::calendar
