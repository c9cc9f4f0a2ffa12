// Repeating intervals to values and back, in the strict profile of ISO 8601 that README.md has.
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "batch/detail/strict_reader.hpp"
#include "batch/schedule/expression.hpp"
#include "calendar.hpp"

namespace batch {

namespace {

using calendar::Wide;
using detail::StrictReader;
using librm::Duration;
using librm::Result;
using std::chrono::sys_days;

constexpr std::size_t digits_max = 9;

std::string two(std::int64_t number) {
  std::string text = std::to_string(number);
  if (text.size() < 2) text.insert(0, 1, '0');
  return text;
}

/// `.5`, without zeros at its end; nothing for 0.
std::string fraction_of(std::int64_t ns) {
  if (ns == 0) return {};
  std::string text = std::to_string(calendar::second_ns + ns);
  text[0] = '.';
  while (text.back() == '0') text.pop_back();
  return text;
}

/// A number of `count` digits from `low` to `high`.
int take_field(StrictReader& reader, std::size_t count, const char* name, int low, int high) {
  const std::size_t position = reader.position();
  const int value = static_cast<int>(reader.take_digits(count));
  if (reader.ok() && (value < low || value > high)) {
    const auto shown = [count](int number) {
      return count < 2 ? std::to_string(number) : two(number);
    };
    reader.wrong(position, std::string(name) + " is from " + shown(low) + " to " + shown(high));
  }
  return value;
}

sys_days take_week_date(StrictReader& reader, std::chrono::year year) {
  using namespace std::chrono;
  const std::size_t position = reader.position();
  const int week = take_field(reader, 2, "a week", 1, 53);
  reader.expect('-');
  const int day = take_field(reader, 1, "a day of the week", 1, 7);
  // The first week has the year's first Thursday; a year has 53 if it ends in its week 53.
  const auto first_monday = [](std::chrono::year of) {
    return sys_days((of / January / Thursday[1])) - days(3);
  };
  const sys_days monday = first_monday(year) + weeks(week - 1);
  if (reader.ok() && monday >= first_monday(year + years(1))) {
    reader.wrong(position, std::to_string(int(year)) + " has 52 weeks");
  }
  return monday + days(day - 1);
}

sys_days take_ordinal_date(StrictReader& reader, std::chrono::year year, std::size_t position,
                           int day) {
  const int last = year.is_leap() ? 366 : 365;
  if (reader.ok() && (day < 1 || day > last)) {
    reader.wrong(position,
                 std::to_string(int(year)) + " has the days 001 to " + std::to_string(last));
  }
  return sys_days(year / 1 / 1) + std::chrono::days(day - 1);
}

sys_days take_month_date(StrictReader& reader, std::chrono::year year, std::size_t position,
                         int month, bool extended) {
  if (reader.ok() && (month < 1 || month > 12)) reader.wrong(position, "a month is from 01 to 12");
  if (extended) reader.expect('-');
  const std::size_t day_position = reader.position();
  const int day = take_field(reader, 2, "a day", 1, 31);
  if (!reader.ok()) return {};
  const std::chrono::month in(static_cast<unsigned>(month));
  const auto last = static_cast<unsigned>((year / in / std::chrono::last).day());
  if (day > static_cast<int>(last)) {
    reader.wrong(day_position, std::to_string(int(year)) + "-" + two(month) + " has " +
                                   std::to_string(last) + " days");
  }
  return year / in / std::chrono::day(static_cast<unsigned>(day));
}

/// `2026-01-31`, `20260131`, `2026-031`, `2026-W05-6`.
sys_days take_date(StrictReader& reader) {
  const std::chrono::year year(
      take_field(reader, 4, "a year", calendar::year_min, calendar::year_max));
  const bool extended = reader.take('-');
  if (extended && reader.take('W')) return take_week_date(reader, year);
  const std::size_t position = reader.position();
  const int number = static_cast<int>(reader.take_digits(2));
  if (extended && reader.at_digit()) {
    const int digit = static_cast<int>(reader.take_digits(1));
    return take_ordinal_date(reader, year, position, number * 10 + digit);
  }
  return take_month_date(reader, year, position, number, extended);
}

/// After the point: up to nine digits, as billionths.
std::int64_t take_fraction(StrictReader& reader) {
  const std::size_t first = reader.position();
  auto billionths = static_cast<std::int64_t>(reader.take_number(digits_max));
  for (std::size_t i = reader.position() - first; i < digits_max; ++i) billionths *= 10;
  return reader.ok() ? billionths : 0;
}

bool take_point(StrictReader& reader) { return reader.take('.') || reader.take(','); }

/// What follows `T`, as the time since midnight; 24:00 is the next one.
std::int64_t take_time(StrictReader& reader) {
  const std::size_t position = reader.position();
  const int hour = take_field(reader, 2, "an hour", 0, 24);
  std::int64_t rest = 0;
  bool has_minute = false;
  bool has_fraction = false;
  const bool extended = reader.take(':');
  if (extended || reader.at_digit()) {
    has_minute = true;
    rest = take_field(reader, 2, "a minute", 0, 59) * calendar::minute_ns;
    if (extended ? reader.take(':') : reader.at_digit()) {
      rest += take_field(reader, 2, "a second", 0, 59) * calendar::second_ns;
      has_fraction = take_point(reader);
      if (has_fraction) rest += take_fraction(reader);
    }
  }
  if (hour == 24 && (!has_minute || has_fraction || rest != 0)) {
    reader.wrong(position, "the hour 24 is only for 24:00 or 24:00:00");
  }
  return hour * calendar::hour_ns + rest;
}

/// `Z`, `+01:00`, `+0100`, `+01`; empty where there is none.
std::optional<Duration> take_offset(StrictReader& reader) {
  if (reader.take('Z')) return Duration{0};
  const std::size_t position = reader.position();
  const bool west = reader.peek() == '-';
  if (!reader.take('+') && !reader.take('-')) return std::nullopt;
  std::int64_t ns = take_field(reader, 2, "an offset's hour", 0, 23) * calendar::hour_ns;
  if (reader.take(':') || reader.at_digit()) {
    ns += take_field(reader, 2, "an offset's minute", 0, 59) * calendar::minute_ns;
  }
  if (west && ns == 0) reader.wrong(position, "an offset of zero is Z or +00:00");
  return Duration{west ? -ns : ns};
}

struct Moment {
  LocalTime local;
  std::optional<Duration> offset;
};

Moment take_moment(StrictReader& reader) {
  const std::size_t position = reader.position();
  Moment moment;
  const sys_days day = take_date(reader);
  std::int64_t time_ns = 0;
  if (reader.take('T')) {
    time_ns = take_time(reader);
    moment.offset = take_offset(reader);
  }
  // The first and the last day of a year may be a week date's of another.
  const Wide ns = calendar::join(day, time_ns);
  if (reader.ok() && !calendar::in_range(ns)) {
    reader.wrong(position, "this is outside of the years 1678 to 2261");
  }
  if (reader.ok()) moment.local.ns = static_cast<std::int64_t>(ns);
  return moment;
}

/// A number with a unit, of a period.
struct Component {
  std::uint32_t whole = 0;
  std::int64_t billionths = 0;
  std::size_t rank = 0;  ///< the unit's place in the order
};

Component take_component(StrictReader& reader, std::string_view units, const char* expected) {
  Component part;
  part.whole = static_cast<std::uint32_t>(reader.take_number(digits_max));
  const std::size_t point = reader.position();
  const bool has_fraction = take_point(reader);
  if (has_fraction) part.billionths = take_fraction(reader);
  const std::size_t rank = units.find(reader.peek());
  if (!reader.ok()) return part;
  if (rank == std::string_view::npos) {
    reader.expected(expected);
    return part;
  }
  reader.take(reader.peek());
  part.rank = rank;
  if (has_fraction && units[0] != 'H') {
    reader.wrong(point, "only hours, minutes and seconds have fractions");
  }
  if (has_fraction && !reader.done()) {
    reader.wrong(reader.position(), "nothing comes after a fraction");
  }
  return part;
}

/// `H`, `M` and `S` of what follows `T`, in nanoseconds.
Wide take_exact(StrictReader& reader) {
  static constexpr std::array<std::int64_t, 3> lengths{calendar::hour_ns, calendar::minute_ns,
                                                       calendar::second_ns};
  Wide sum = 0;
  std::size_t rank_min = 0;
  do {
    const Component part = take_component(reader, "HMS", "H, M or S");
    if (reader.ok() && part.rank < rank_min) {
      reader.wrong(reader.position() - 1, "H, M and S come once, in this order");
    }
    rank_min = part.rank + 1;
    const std::int64_t length = lengths[part.rank];
    sum += static_cast<Wide>(part.whole) * length +
           length / calendar::second_ns * static_cast<Wide>(part.billionths);
  } while (reader.at_digit());
  return sum;
}

/// `Y`, `M`, `W` and `D`.
void take_calendar(StrictReader& reader, Period& period) {
  const std::array<std::uint32_t*, 4> fields{&period.years, &period.months, &period.weeks,
                                             &period.days};
  constexpr std::size_t week = 2;
  std::size_t rank_min = 0;
  bool first = true;
  bool has_weeks = false;
  do {
    const Component part = take_component(reader, "YMWD", "Y, M, W or D");
    if (!reader.ok()) return;
    has_weeks = has_weeks || part.rank == week;
    if (has_weeks && (!first || !reader.done())) {
      reader.wrong(first ? reader.position() : reader.position() - 1,
                   "weeks stand alone, as in P2W");
    } else if (part.rank < rank_min) {
      reader.wrong(reader.position() - 1, "Y, M and D come once, in this order");
    }
    *fields[part.rank] = part.whole;
    rank_min = part.rank + 1;
    first = false;
  } while (reader.at_digit());
}

/// At most this long, whatever the months are.
Wide length_of(const Period& period, Wide exact_ns) {
  const Wide days = static_cast<Wide>(period.years) * 366 + static_cast<Wide>(period.months) * 31 +
                    static_cast<Wide>(period.weeks) * 7 + static_cast<Wide>(period.days);
  return days * calendar::day_ns + exact_ns;
}

Period take_period(StrictReader& reader, bool may_be_zero) {
  const std::size_t position = reader.position();
  reader.expect('P');
  Period period;
  if (!reader.at_digit() && reader.peek() != 'T') reader.expected("a digit or 'T'");
  if (reader.at_digit()) take_calendar(reader, period);
  Wide exact_ns = 0;
  if (reader.take('T')) exact_ns = take_exact(reader);
  reader.expect_end();
  if (!reader.ok()) return period;
  const Wide length = length_of(period, exact_ns);
  if (length > calendar::period_ns_max) {
    reader.wrong(position, "a period is at most " + std::to_string(calendar::period_years_max) +
                               " years long");
    return period;
  }
  if (length == 0 && !may_be_zero) reader.wrong(position, "a period of zero is only for R1");
  period.exact.ns = static_cast<std::int64_t>(exact_ns);
  return period;
}

/// The span from the start to an end, which is read.
Duration take_end(StrictReader& reader, const ScheduleExpression& expression) {
  const std::size_t position = reader.position();
  const Moment end = take_moment(reader);
  reader.expect_end();
  if (!expression.start) {
    reader.wrong(position, "an end needs a start");
  } else if (end.offset && !expression.offset) {
    reader.wrong(position, "the end has an offset, but the start has none");
  }
  if (!reader.ok()) return {};
  // An end without an offset has that of the start.
  const Duration start_offset = expression.offset.value_or(Duration{});
  const Duration end_offset = end.offset.value_or(start_offset);
  const Wide span = static_cast<Wide>(end.local.ns) - end_offset.ns -
                    (static_cast<Wide>(expression.start->ns) - start_offset.ns);
  if (span <= 0) {
    reader.wrong(position, "the end is not after the start");
  } else if (span > calendar::period_ns_max) {
    reader.wrong(position, "the end is at most " + std::to_string(calendar::period_years_max) +
                               " years after the start");
  }
  return reader.ok() ? Duration{static_cast<std::int64_t>(span)} : Duration{};
}

std::string offset_text(Duration offset) {
  if (offset.ns == 0) return "Z";
  const std::int64_t minutes = (offset.ns < 0 ? -offset.ns : offset.ns) / calendar::minute_ns;
  return (offset.ns < 0 ? "-" : "+") + two(minutes / 60) + ':' + two(minutes % 60);
}

std::string period_text(const Period& period) {
  std::string text = "P";
  const auto put = [&text](std::uint64_t number, char unit) {
    if (number != 0) text += std::to_string(number) + unit;
  };
  const bool only_weeks =
      period.years == 0 && period.months == 0 && period.days == 0 && period.exact.ns == 0;
  put(period.years, 'Y');
  put(period.months, 'M');
  if (only_weeks) {
    put(period.weeks, 'W');
  } else {
    put(std::uint64_t{period.weeks} * 7 + period.days, 'D');
  }
  std::int64_t exact = period.exact.ns;
  if (exact != 0 || text == "P") text += 'T';
  put(static_cast<std::uint64_t>(exact / calendar::hour_ns), 'H');
  exact %= calendar::hour_ns;
  put(static_cast<std::uint64_t>(exact / calendar::minute_ns), 'M');
  exact %= calendar::minute_ns;
  if (exact != 0 || text == "PT") {
    text += std::to_string(exact / calendar::second_ns) + fraction_of(exact % calendar::second_ns) +
            'S';
  }
  return text;
}

}  // namespace

Result<ScheduleExpression> parse_schedule(std::string_view text) {
  StrictReader reader(text);
  ScheduleExpression expression;
  reader.expect('R');
  if (reader.at_digit()) {
    expression.repetitions = reader.take_number(digits_max);
  } else if (reader.peek() != '/') {
    reader.expected("a number or '/'");
  }
  reader.expect('/');
  if (reader.at_digit()) {
    const Moment start = take_moment(reader);
    expression.start = start.local;
    expression.offset = start.offset;
  } else if (reader.peek() == 'P') {
    reader.expected("a start, since a period comes last");
  } else if (reader.peek() != '/') {
    reader.expected("a start or '/'");
  }
  reader.expect('/');
  if (reader.at_digit()) {
    expression.period.exact = take_end(reader, expression);
  } else if (reader.peek() == 'P') {
    expression.period = take_period(reader, expression.repetitions == 1);
  } else {
    reader.expected("a period or an end");
  }
  if (!reader.ok()) return reader.error();
  return expression;
}

std::string to_string(const ScheduleExpression& expression) {
  std::string text = "R";
  if (expression.repetitions) text += std::to_string(*expression.repetitions);
  text += '/';
  if (expression.start) text += to_string(*expression.start);
  if (expression.start && expression.offset) text += offset_text(*expression.offset);
  return text + '/' + period_text(expression.period);
}

std::string to_string(LocalTime time) {
  const auto [day, time_ns] = calendar::split(time);
  const std::chrono::year_month_day date(day);
  const std::int64_t s = time_ns / calendar::second_ns;
  return std::to_string(int(date.year())) + '-' + two(unsigned(date.month())) + '-' +
         two(unsigned(date.day())) + 'T' + two(s / 3600) + ':' + two(s / 60 % 60) + ':' +
         two(s % 60) + fraction_of(time_ns % calendar::second_ns);
}

}  // namespace batch
