// When daylight saving begins and ends in years that a zone's table does not reach.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace batch {

/// `Mm.w.d/time` of the POSIX variable TZ: day `weekday` (0 is Sunday) of week `week` (5 is the
/// last) of a month.
struct PosixChange {
  unsigned month = 1;
  unsigned week = 1;
  unsigned weekday = 0;
  std::int64_t time_s = 7200;  ///< on the clock that is changed; may be negative or over a day
};

/// `CET-1CEST,M3.5.0,M10.5.0/3`, as it stands at the end of a file of RFC 8536. All in seconds
/// since 1970; offsets are east of UTC.
class PosixRule {
 public:
  /// Empty for what is malformed, and for a zone without daylight saving.
  static std::optional<PosixRule> parse(std::string_view text);

  std::int64_t offset_s(std::int64_t instant_s) const;
  /// The later instant in a gap, the earlier of two.
  std::int64_t instant_s(std::int64_t local_s) const;

 private:
  std::int64_t standard_s_ = 0;
  std::int64_t daylight_s_ = 0;
  PosixChange begin_;
  PosixChange end_;
};

}  // namespace batch
