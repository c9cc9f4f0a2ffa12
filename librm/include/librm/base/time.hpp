// Two clocks that cannot be mixed up: boot time for timeouts and leases, wall time for schedules.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <limits>
#include <optional>

namespace librm {

/// A span in nanoseconds, positive or negative.
struct Duration {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const Duration&) const = default;
};

constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration microseconds(std::int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }
constexpr std::int64_t to_ms(Duration d) { return d.ns / 1'000'000; }

constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration a, std::int64_t k) { return {a.ns * k}; }
constexpr Duration operator/(Duration a, std::int64_t k) { return {a.ns / k}; }

/// Boot time (CLOCK_BOOTTIME): counts through suspend, never steps, means nothing on another host.
struct Instant {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const Instant&) const = default;
};

constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }

/// Nanoseconds since 1970-01-01T00:00:00Z; may step in either direction.
struct WallTime {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const WallTime&) const = default;
};

constexpr WallTime operator+(WallTime t, Duration d) { return {t.ns + d.ns}; }
constexpr WallTime operator-(WallTime t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(WallTime a, WallTime b) { return {a.ns - b.ns}; }

/// What a core is told about time; it has no clock of its own.
struct Now {
  Instant mono;
  WallTime wall;
};

/// When a core wants its next Tick, on either clock; neither means "when something happens".
struct Deadline {
  std::optional<Instant> mono;
  std::optional<WallTime> wall;

  void at_latest(Instant t) { mono = mono ? std::min(*mono, t) : t; }
  void at_latest(WallTime t) { wall = wall ? std::min(*wall, t) : t; }
  void merge(const Deadline& other) {
    if (other.mono) at_latest(*other.mono);
    if (other.wall) at_latest(*other.wall);
  }
};

}  // namespace librm
