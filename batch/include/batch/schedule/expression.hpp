// ISO 8601 repeating intervals: `R5/2026-01-31T02:00:00Z/P1M` as a value, and its occurrences.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "batch/schedule/time_zones.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace batch {

/// Calendar units count on the wall clock of the zone, `exact` on the time line.
struct Period {
  std::uint32_t years = 0;
  std::uint32_t months = 0;
  std::uint32_t weeks = 0;
  std::uint32_t days = 0;
  librm::Duration exact = {};  ///< hours, minutes, seconds
  bool operator==(const Period&) const = default;
};

/// As written; what it means in time needs a zone. See Occurrences.
struct ScheduleExpression {
  std::optional<std::uint64_t> repetitions;  ///< runs in total; empty: without end
  std::optional<LocalTime> start;            ///< empty: the moment of submission
  /// Of the start, east of UTC; empty: none was written. 0 for `Z`.
  std::optional<librm::Duration> offset;
  Period period;
  bool operator==(const ScheduleExpression&) const = default;
};

/// `R[n]/start/period` or `R[n]/start/end`, in the strict profile of batch/README.md: ASCII, upper
/// case, exactly three parts. An end becomes the exact span from the start. Years are 1678 to 2261,
/// a period is at most 290 years. Fails with invalid_argument, positions are bytes, from 1:
/// `at 14: expected a digit, found 'x'`.
librm::Result<ScheduleExpression> parse_schedule(std::string_view text);

/// The same meaning in one normal form: parse_schedule(to_string(e)) == e for all that were parsed.
std::string to_string(const ScheduleExpression& expression);

/// One moment at which something is due.
struct Occurrence {
  std::uint64_t index = 0;  ///< k: the anchor's is 0
  librm::WallTime at;
  bool operator==(const Occurrence&) const = default;
};

/// The occurrences of an expression in a zone: the k-th is anchor + k x period, never iterated, so
/// 31 January + P1M gives 29 February, then 31 March. Calendar units are added on the zone's wall
/// clock, with the day cut to the month's last, then hours and shorter on the exact time line. A
/// local time in a gap is the later instant, one that comes twice is the earlier. Of occurrences
/// that coincide only the first counts. They never descend.
///
/// The zone overrides the expression's own offset: `13:00Z` with Europe/Paris is 13:00 in Paris.
/// Without either the start is UTC. A value; const, no I/O.
class Occurrences {
 public:
  /// `zone` is an IANA name or empty; `zones` must outlive this. Fails with invalid_argument for a
  /// zone that is not known, an expression without start (resolve it first, see with_start()), and
  /// one that parse_schedule() would not give: a period of zero, a start in the year 1500.
  static librm::Result<Occurrences> make(const ScheduleExpression& expression,
                                         const std::string& zone, const TimeZones& zones);

  /// Empty past the last one, and past the year 2261. Coincident ones are given, too.
  std::optional<librm::WallTime> at(std::uint64_t index) const;
  /// The first with an index of at least `index` that does not coincide with the one before it.
  std::optional<Occurrence> from(std::uint64_t index) const;
  /// The first at or after `time`, in O(log n) steps.
  std::optional<Occurrence> first_at_or_after(librm::WallTime time) const;
  std::optional<std::uint64_t> count() const { return expression_.repetitions; }

 private:
  Occurrences(ScheduleExpression expression, std::string zone, const TimeZones& zones)
      : expression_(std::move(expression)), zone_(std::move(zone)), zones_(&zones) {}
  librm::WallTime instant_of(LocalTime local) const;

  ScheduleExpression expression_;
  std::string zone_;
  const TimeZones* zones_;
};

/// The expression with `now`, cut to whole seconds, for an empty start: on the zone's clock. While
/// that shows times for the second time it is the first moment after them, since the earlier of the
/// two would be in the past. Fails with invalid_argument for a zone that is not known.
librm::Result<ScheduleExpression> with_start(ScheduleExpression expression, librm::WallTime now,
                                             const std::string& zone, const TimeZones& zones);

}  // namespace batch
