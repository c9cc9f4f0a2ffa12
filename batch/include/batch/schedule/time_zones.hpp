// Time zones as a table that is given to the core: it reads no files and knows no rules itself.
#pragma once

#include <cstdint>
#include <string>

#include "librm/base/time.hpp"

namespace batch {

/// What a clock on the wall shows, in nanoseconds since its 1970-01-01T00:00:00; of which zone is
/// said elsewhere.
struct LocalTime {
  std::int64_t ns = 0;
  constexpr auto operator<=>(const LocalTime&) const = default;
};

/// `2026-01-31T02:00:00`, with as many decimal places as it takes: none for whole seconds.
std::string to_string(LocalTime time);

/// Thread-safe for readers. Deterministic: the same answers for as long as the process runs.
class TimeZones {
 public:
  virtual ~TimeZones() = default;
  /// Names as in the IANA database, case-sensitive: `Europe/Prague`, `UTC`.
  virtual bool knows(const std::string& zone) const = 0;
  /// Of a known zone. A local time in a gap gives the instant that the clock would show had it not
  /// been put forward (the later one); one that comes twice gives the earlier.
  virtual librm::WallTime to_instant(const std::string& zone, LocalTime local) const = 0;
  virtual LocalTime to_local(const std::string& zone, librm::WallTime time) const = 0;
};

/// Knows UTC alone.
const TimeZones& utc_only();

}  // namespace batch
