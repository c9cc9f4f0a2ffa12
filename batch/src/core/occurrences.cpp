// When a schedule is due: anchor + k x period, and the searches that never count one by one.
#include <algorithm>
#include <limits>
#include <string>

#include "batch/schedule/expression.hpp"
#include "calendar.hpp"
#include "text.hpp"

namespace batch {

namespace {

using calendar::Wide;
using librm::ErrorCode;
using librm::fail;
using librm::Result;
using librm::WallTime;

constexpr std::uint64_t index_max = std::numeric_limits<std::uint64_t>::max();

/// More than a clock on the wall can differ from UTC, with a day that a zone left out.
constexpr std::int64_t zone_shift_ns_max = 3 * calendar::day_ns;

Wide months_of(const Period& period) {
  return static_cast<Wide>(period.years) * 12 + period.months;
}
Wide days_of(const Period& period) { return static_cast<Wide>(period.weeks) * 7 + period.days; }

/// The day cut to the month's last; empty past the years that count.
std::optional<std::chrono::sys_days> add_months(std::chrono::sys_days from, Wide count) {
  using namespace std::chrono;
  const year_month_day date(from);
  const Wide total = static_cast<Wide>(int(date.year())) * 12 + unsigned(date.month()) - 1 + count;
  if (total / 12 > calendar::year_max) return std::nullopt;
  const year_month in =
      year(static_cast<int>(total / 12)) / month(static_cast<unsigned>(total % 12) + 1);
  return sys_days(in / std::min(date.day(), (in / last).day()));
}

/// The k-th on the clock on the wall, before `exact` is added.
std::optional<LocalTime> local_of(LocalTime anchor, const Period& period, std::uint64_t index) {
  const auto [anchor_day, time_ns] = calendar::split(anchor);
  const auto day = add_months(anchor_day, months_of(period) * index);
  const Wide days = days_of(period) * index;
  if (!day || days > calendar::last_ns / calendar::day_ns * 2) return std::nullopt;
  const Wide ns = calendar::join(*day, time_ns) + days * calendar::day_ns;
  if (!calendar::in_range(ns)) return std::nullopt;
  return LocalTime{static_cast<std::int64_t>(ns)};
}

/// An index at which nothing is due any more.
std::uint64_t end_of(const ScheduleExpression& expression) {
  const std::uint64_t count = expression.repetitions.value_or(index_max);
  const Wide shortest = months_of(expression.period) * 28 * calendar::day_ns +
                        days_of(expression.period) * calendar::day_ns + expression.period.exact.ns;
  if (shortest == 0) return count;
  const Wide span = calendar::last_ns - expression.start->ns + zone_shift_ns_max;
  return static_cast<std::uint64_t>(std::min<Wide>(span / shortest + 1, count));
}

Result<void> check_zone(const std::string& zone, const TimeZones& zones) {
  if (zone.empty() || zones.knows(zone)) return {};
  return fail(ErrorCode::invalid_argument,
              "no time zone " + text::quoted(zone) + " is known; names are such as Europe/Paris");
}

Result<void> check_expression(const ScheduleExpression& expression) {
  const auto wrong = [](const char* what) {
    return fail(ErrorCode::invalid_argument, std::string("schedule: ") + what);
  };
  if (!expression.start) return wrong("it has no start");
  if (!calendar::in_range(expression.start->ns)) {
    return wrong("its start is outside of the years 1678 to 2261");
  }
  if (expression.offset &&
      (expression.offset->ns <= -calendar::day_ns || expression.offset->ns >= calendar::day_ns)) {
    return wrong("its offset is a day or longer");
  }
  const Period& period = expression.period;
  if (period.exact.ns < 0) return wrong("its period is negative");
  if (expression.repetitions != 1 && months_of(period) == 0 && days_of(period) == 0 &&
      period.exact.ns == 0) {
    return wrong("a period of zero is only for R1");
  }
  return {};
}

}  // namespace

Result<Occurrences> Occurrences::make(const ScheduleExpression& expression, const std::string& zone,
                                      const TimeZones& zones) {
  if (auto known = check_zone(zone, zones); !known) return tl::unexpected(known.error());
  if (auto sound = check_expression(expression); !sound) return tl::unexpected(sound.error());
  return Occurrences(expression, zone, zones);
}

WallTime Occurrences::instant_of(LocalTime local) const {
  if (!zone_.empty()) return zones_->to_instant(zone_, local);
  return WallTime{local.ns - expression_.offset.value_or(librm::Duration{}).ns};
}

std::optional<WallTime> Occurrences::at(std::uint64_t index) const {
  if (expression_.repetitions && index >= *expression_.repetitions) return std::nullopt;
  const auto local = local_of(*expression_.start, expression_.period, index);
  if (!local) return std::nullopt;
  const Wide ns = instant_of(*local).ns + static_cast<Wide>(expression_.period.exact.ns) * index;
  if (ns > calendar::last_ns && index > 0) return std::nullopt;
  return WallTime{static_cast<std::int64_t>(ns)};
}

std::optional<Occurrence> Occurrences::from(std::uint64_t index) const {
  const auto time = at(index);
  if (!time) return std::nullopt;
  if (index == 0 || *time > *at(index - 1)) return Occurrence{index, *time};
  return first_at_or_after(*time + librm::nanoseconds(1));
}

std::optional<Occurrence> Occurrences::first_at_or_after(WallTime time) const {
  // They never descend, so the indices before the one that is sought are a range from 0.
  std::uint64_t low = 0;
  std::uint64_t high = end_of(expression_);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    const auto due = at(middle);
    if (due && *due < time) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const auto due = at(low);
  if (!due || *due < time) return std::nullopt;
  return Occurrence{low, *due};
}

Result<ScheduleExpression> with_start(ScheduleExpression expression, WallTime now,
                                      const std::string& zone, const TimeZones& zones) {
  if (expression.start) return expression;
  if (auto known = check_zone(zone, zones); !known) return tl::unexpected(known.error());
  const auto seconds = [](std::int64_t ns) {
    return ns / calendar::second_ns - (ns % calendar::second_ns < 0 ? 1 : 0);
  };
  if (!calendar::in_range(now.ns)) {
    return fail(ErrorCode::invalid_argument, "now is outside of the years 1678 to 2261");
  }
  now.ns = seconds(now.ns) * calendar::second_ns;
  if (zone.empty()) {
    expression.start = LocalTime{now.ns};
    return expression;
  }
  const LocalTime shown = zones.to_local(zone, now);
  const auto instant_after = [&](std::int64_t s) {
    return zones.to_instant(zone, LocalTime{shown.ns + s * calendar::second_ns});
  };
  // The first second that is not in the past; 0 but for times that are shown again.
  std::int64_t low = 0;
  std::int64_t high = seconds(std::max<std::int64_t>(0, (now - instant_after(0)).ns));
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (instant_after(middle) < now) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  expression.start = LocalTime{shown.ns + low * calendar::second_ns};
  return expression;
}

}  // namespace batch
