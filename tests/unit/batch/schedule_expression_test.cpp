// The text of repeating intervals: what is read, what is refused and where, and the normal form.
#include <gtest/gtest.h>

#include <chrono>

#include "batch/schedule/expression.hpp"
#include "librm/base/prng.hpp"

namespace batch::test {
namespace {

using librm::Duration;
using librm::seconds;

std::string error_of(std::string_view text) {
  const auto expression = parse_schedule(text);
  if (expression) return "accepted as " + to_string(*expression);
  EXPECT_EQ(expression.error().code, librm::ErrorCode::invalid_argument);
  return expression.error().message;
}

std::string normal(std::string_view text) {
  const auto expression = parse_schedule(text);
  return expression ? to_string(*expression) : expression.error().message;
}

/// The start alone, as it was understood.
std::string start_of(const std::string& text) {
  const auto expression = parse_schedule("R/" + text + "/P1D");
  return expression ? to_string(*expression->start) : expression.error().message;
}

Period period_of(const std::string& text) {
  const auto expression = parse_schedule("R/2020-01-01/" + text);
  EXPECT_TRUE(expression) << text << ": " << expression.error().message;
  return expression ? expression->period : Period{};
}

TEST(ScheduleExpression, HasThreeParts) {
  const auto expression = parse_schedule("R5/2008-03-01T13:00:00Z/P1Y2M10DT2H30M").value();
  EXPECT_EQ(expression.repetitions, 5u);
  EXPECT_EQ(to_string(expression.start.value()), "2008-03-01T13:00:00");
  EXPECT_EQ(expression.offset, Duration{0});
  EXPECT_EQ(expression.period,
            (Period{.years = 1, .months = 2, .days = 10, .exact = seconds(9000)}));
}

TEST(ScheduleExpression, WhatIsLeftAwayIsEmpty) {
  const auto expression = parse_schedule("R//PT1H").value();
  EXPECT_FALSE(expression.repetitions);
  EXPECT_FALSE(expression.start);
  EXPECT_FALSE(expression.offset);
  EXPECT_EQ(expression.period, Period{.exact = seconds(3600)});
  EXPECT_EQ(parse_schedule("R0//PT1H").value().repetitions, 0u);
  EXPECT_FALSE(parse_schedule("R/2020-01-01T00:00/PT1H").value().offset) << "none was written";
}

TEST(ScheduleExpression, DatesOfAllForms) {
  for (const char* text : {"2020-02-29", "20200229", "2020-060", "2020-W09-6"}) {
    EXPECT_EQ(start_of(text), "2020-02-29T00:00:00") << text;
  }
  EXPECT_EQ(start_of("2020-366"), "2020-12-31T00:00:00");
  EXPECT_EQ(start_of("2020-W53-7"), "2021-01-03T00:00:00");
  EXPECT_EQ(start_of("2019-W01-1"), "2018-12-31T00:00:00");
  EXPECT_EQ(start_of("2000-02-29"), "2000-02-29T00:00:00");
}

TEST(ScheduleExpression, WeekDatesAgreeWithTheCalendar) {
  // Every day of 60 years is named by its Thursday's year and that Thursday's number.
  using namespace std::chrono;
  for (sys_days day = year(1990) / 1 / 1; day < sys_days(year(2050) / 1 / 1); day += days(1)) {
    const unsigned weekday_number = weekday(day).iso_encoding();
    const sys_days thursday = day + days(4 - static_cast<int>(weekday_number));
    const year of = year_month_day(thursday).year();
    const auto week = (thursday - sys_days(of / 1 / 1)).count() / 7 + 1;
    std::string text = std::to_string(int(of)) + (week < 10 ? "-W0" : "-W");
    text += std::to_string(week) + "-" + std::to_string(weekday_number);
    const LocalTime expected{nanoseconds(day.time_since_epoch()).count()};
    ASSERT_EQ(start_of(text), to_string(expected)) << text;
  }
}

TEST(ScheduleExpression, TimesOfAllForms) {
  for (const char* text : {"T13", "T13:00", "T1300", "T13:00:00", "T130000", "T13:00:00.000",
                           "T13:00:00,0", "T130000.0"}) {
    EXPECT_EQ(start_of(std::string("2020-01-01") + text), "2020-01-01T13:00:00") << text;
  }
  EXPECT_EQ(start_of("2020-01-01T00:00:00.123456789"), "2020-01-01T00:00:00.123456789");
  EXPECT_EQ(start_of("1969-12-31T23:59:59.5"), "1969-12-31T23:59:59.5");
}

TEST(ScheduleExpression, HourTwentyFourIsTheNextMidnight) {
  EXPECT_EQ(start_of("2020-12-31T24:00"), "2021-01-01T00:00:00");
  EXPECT_EQ(start_of("20200228T240000"), "2020-02-29T00:00:00");
  const std::string only = "at 14: the hour 24 is only for 24:00 or 24:00:00";
  EXPECT_EQ(start_of("2020-01-01T24:01"), only);
  EXPECT_EQ(start_of("2020-01-01T24:00:01"), only);
  EXPECT_EQ(start_of("2020-01-01T24:00:00.0"), only);
  EXPECT_EQ(start_of("2020-01-01T24"), only);
}

TEST(ScheduleExpression, Offsets) {
  const auto offset = [](const std::string& text) {
    return parse_schedule("R/2020-01-01T00:00" + text + "/P1D").value().offset.value().ns / 60 /
           1'000'000'000;
  };
  EXPECT_EQ(offset("Z"), 0);
  EXPECT_EQ(offset("+00:00"), 0);
  EXPECT_EQ(offset("+01"), 60);
  EXPECT_EQ(offset("+0530"), 330);
  EXPECT_EQ(offset("-04:30"), -270);
  EXPECT_EQ(offset("-00:30"), -30);
  EXPECT_EQ(error_of("R/2020-01-01T00:00-00:00/P1D"), "at 19: an offset of zero is Z or +00:00");
  EXPECT_EQ(error_of("R/2020-01-01T00:00-00/P1D"), "at 19: an offset of zero is Z or +00:00");
  EXPECT_EQ(error_of("R/2020-01-01T00:00+24:00/P1D"), "at 20: an offset's hour is from 00 to 23");
  EXPECT_EQ(error_of("R/2020-01-01T00:00+01:60/P1D"), "at 23: an offset's minute is from 00 to 59");
  EXPECT_EQ(error_of("R/2020-01-01Z/P1D"), "at 13: expected '/', found 'Z'");
  EXPECT_EQ(error_of("R/2020-01-01T00:00z/P1D"), "at 19: expected '/', found 'z'");
}

TEST(ScheduleExpression, PeriodsOfAllForms) {
  EXPECT_EQ(period_of("P3W"), Period{.weeks = 3});
  EXPECT_EQ(period_of("P1Y6M"), (Period{.years = 1, .months = 6}));
  EXPECT_EQ(period_of("P1DT12H"), (Period{.days = 1, .exact = seconds(43'200)}));
  EXPECT_EQ(period_of("PT90M"), Period{.exact = seconds(5400)});
  EXPECT_EQ(period_of("PT0.5H"), Period{.exact = seconds(1800)});
  EXPECT_EQ(period_of("PT1H0,25M"), Period{.exact = seconds(3615)});
  EXPECT_EQ(period_of("PT0.000000001S"), Period{.exact = Duration{1}});
  EXPECT_EQ(period_of("PT0.000000001H"), Period{.exact = Duration{3600}});
  EXPECT_EQ(period_of("PT000000001S"), Period{.exact = seconds(1)});
  EXPECT_EQ(period_of("P0YT5S"), Period{.exact = seconds(5)});
}

TEST(ScheduleExpression, AnEndIsTheExactSpanFromTheStart) {
  EXPECT_EQ(normal("R3/2020-01-01T00:00:00Z/2020-01-01T06:00:00Z"), "R3/2020-01-01T00:00:00Z/PT6H");
  EXPECT_EQ(normal("R3/2020-01-01T00:00:00+01:00/2020-01-01T00:00:00Z"),
            "R3/2020-01-01T00:00:00+01:00/PT1H");
  EXPECT_EQ(normal("R3/2020-01-01T12:00:00+01:00/2020-01-01T13:30:00"),
            "R3/2020-01-01T12:00:00+01:00/PT1H30M")
      << "an end without an offset has that of the start";
  EXPECT_EQ(normal("R/20200101/2020-03-01"), "R/2020-01-01T00:00:00/PT1440H");
  EXPECT_EQ(error_of("R//2020-03-01"), "at 4: an end needs a start");
  EXPECT_EQ(error_of("R/2020-01-01/2020-03-01T00Z"),
            "at 14: the end has an offset, but the start has none");
  EXPECT_EQ(error_of("R3/2020-01-01T00Z/2020-01-01T00Z"), "at 19: the end is not after the start");
  EXPECT_EQ(error_of("R3/1700-01-01/2100-01-01"),
            "at 15: the end is at most 290 years after the start");
}

TEST(ScheduleExpression, ARefusalSaysWhereAndWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at 1: expected 'R', found the end"},
      {"FOO", "at 1: expected 'R', found 'F'"},
      {"r5/2020-01-01/P1D", "at 1: expected 'R', found 'r'"},
      {" R5/2020-01-01/P1D", "at 1: expected 'R', found a space"},
      {"R", "at 2: expected a number or '/', found the end"},
      {"R-1/2020-01-01T00:00:00Z/PT1H", "at 2: expected a number or '/', found '-'"},
      {"R3 /2020-01-01/P1D", "at 3: expected '/', found a space"},
      {"R3/2020-01-01/P1D/extra", "at 18: expected the end, found '/'"},
      {"R3/2020-01-01", "at 14: expected '/', found the end"},
      {"R3/1981-04-05/P1Dasdf", "at 18: expected the end, found 'a'"},
      {"R3/1981-04-05/P0003-06-04T12:30:05.5asdfasdf", "at 20: expected Y, M, W or D, found '-'"},
      {"R3/2020-01-01/", "at 15: expected a period or an end, found the end"},
      {"R3/2021-02-29/P1D", "at 12: 2021-02 has 28 days"},
      {"R3/1900-02-29/P1D", "at 12: 1900-02 has 28 days"},
      {"R3/2020-13-01/P1D", "at 9: a month is from 01 to 12"},
      {"R3/2020-00-01/P1D", "at 9: a month is from 01 to 12"},
      {"R3/2020-01-32/P1D", "at 12: a day is from 01 to 31"},
      {"R3/2021-366/P1D", "at 9: 2021 has the days 001 to 365"},
      {"R3/2021-000/P1D", "at 9: 2021 has the days 001 to 365"},
      {"R3/2021-W53-1/P1D", "at 10: 2021 has 52 weeks"},
      {"R3/2021-W00-1/P1D", "at 10: a week is from 01 to 53"},
      {"R3/2021-W10-8/P1D", "at 13: a day of the week is from 1 to 7"},
      {"R3/2021-W10/P1D", "at 12: expected '-', found '/'"},
      {"R3/2008-03/P1D", "at 11: expected '-', found '/'"},
      {"R3/20-01-01/P1D", "at 6: expected a digit, found '-'"},
      {"R3/+2020-01-01/P1D", "at 4: expected a start or '/', found '+'"},
      {"R3/1500-01-01/P1D", "at 4: a year is from 1678 to 2261"},
      {"R3/2262-01-01/P1D", "at 4: a year is from 1678 to 2261"},
      {"R3/2261-12-31T24:00/P1D", "at 4: this is outside of the years 1678 to 2261"},
      {"R3/2020-01-01T/P1D", "at 15: expected a digit, found '/'"},
      {"R3/2020-01-01T25/P1D", "at 15: an hour is from 00 to 24"},
      {"R3/2020-01-01T12:60/P1D", "at 18: a minute is from 00 to 59"},
      {"R3/2020-01-01T23:59:60Z/P1D", "at 21: a second is from 00 to 59"},
      {"R3/2020-01-01T12:00:00./P1D", "at 24: expected a digit, found '/'"},
      {"R3/2020-01-01T12:00.5/P1D", "at 20: expected '/', found '.'"},
      {"R3/2020-01-01t12:00/P1D", "at 14: expected '/', found 't'"},
      {"R3/2020-01-01/P", "at 16: expected a digit or 'T', found the end"},
      {"R3/2020-01-01/PT", "at 17: expected a digit, found the end"},
      {"R3/2020-01-01/P1DT", "at 19: expected a digit, found the end"},
      {"R3/2020-01-01/p1d", "at 15: expected a period or an end, found 'p'"},
      {"R3/2020-01-01/-P1D", "at 15: expected a period or an end, found '-'"},
      {"R3/2020-01-01/P-1D", "at 16: expected a digit or 'T', found '-'"},
      {"R3/2020-01-01/PT2H3.2M3S", "at 23: nothing comes after a fraction"},
      {"R3/2020-01-01/PT.1S", "at 17: expected a digit, found '.'"},
      {"R3/2020-01-01/PT2.H3M", "at 19: expected a digit, found 'H'"},
      {"R3/2020-01-01/P1.5D", "at 17: only hours, minutes and seconds have fractions"},
      {"R3/2020-01-01/P0.5Y", "at 17: only hours, minutes and seconds have fractions"},
      {"R3/2020-01-01/P1W2D", "at 18: weeks stand alone, as in P2W"},
      {"R3/2020-01-01/P2D1W", "at 19: weeks stand alone, as in P2W"},
      {"R3/2020-01-01/P1WT1H", "at 18: weeks stand alone, as in P2W"},
      {"R3/2020-01-01/P1D1M", "at 19: Y, M and D come once, in this order"},
      {"R3/2020-01-01/P1D1D", "at 19: Y, M and D come once, in this order"},
      {"R3/2020-01-01/PT1M1H", "at 20: H, M and S come once, in this order"},
      {"R3/2020-01-01/PT1D", "at 18: expected H, M or S, found 'D'"},
      {"R3/2020-01-01/P1H", "at 17: expected Y, M, W or D, found 'H'"},
      {"R3/2020-01-01/P1", "at 17: expected Y, M, W or D, found the end"},
      {"R3/2020-01-01/P1D ", "at 18: expected the end, found a space"},
      {"R3/2020-01-01/P\xd9\xa1"
       "D",
       "at 16: expected a digit or 'T', found byte 0xd9"},
      {"R/2020-01-01/PT0S", "at 14: a period of zero is only for R1"},
      {"R3/2020-01-01/P0D", "at 15: a period of zero is only for R1"},
      {"R3/2020-01-01T06:00:00Z/2020-01-01T00:00:00Z", "at 25: the end is not after the start"},
      {"R11/PT1H2M/1980-03-05T01:01:00",
       "at 5: expected a start, since a period comes last, found 'P'"},
      {"R99999999999999999999/2020-01-01/P1D", "at 11: a number has at most 9 digits"},
      {"R3/2020-01-01T00:00:00Z/PT1.1234567890S", "at 38: a number has at most 9 digits"},
      {"R3/2020-01-01/P0000000001D", "at 25: a number has at most 9 digits"},
      {"R3/2020-01-01/P291Y", "at 15: a period is at most 290 years long"},
      {"R3/2020-01-01/P999999999Y999999999M999999999DT999999999H999999999M999999999.999999999S",
       "at 15: a period is at most 290 years long"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(error_of(text), error) << text;
}

TEST(ScheduleExpression, ZeroIsAPeriodForOneRun) {
  EXPECT_EQ(normal("R1/2020-01-01/PT0S"), "R1/2020-01-01T00:00:00/PT0S");
}

TEST(ScheduleExpression, NormalForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"R005/20200101T000000Z/PT90M", "R5/2020-01-01T00:00:00Z/PT1H30M"},
      {"R/2020-001T24:00+0000/P0Y1D", "R/2020-01-02T00:00:00Z/P1D"},
      {"R0//P2W", "R0//P2W"},
      {"R/2020-01-01T00:00-0430/P1Y2M3DT4H5M6.070S",
       "R/2020-01-01T00:00:00-04:30/P1Y2M3DT4H5M6.07S"},
      {"R/2020-01-01T01:02:03,4500/PT0.5M", "R/2020-01-01T01:02:03.45/PT30S"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(normal(text), expected) << text;
}

TEST(ScheduleExpression, WhatIsPrintedIsReadAsTheSame) {
  librm::Prng random(7);
  for (int i = 0; i < 20'000; ++i) {
    ScheduleExpression expression;
    if (random.chance(1, 2)) expression.repetitions = 1 + random.below(999'999'999);
    if (random.chance(9, 10)) {
      expression.start = LocalTime{random.between(-9'200'000'000, 9'200'000'000) * 1'000'000'000};
      if (random.chance(1, 3)) expression.start->ns += random.between(0, 999'999'999);
      if (random.chance(1, 2)) expression.offset = seconds(random.between(-1439, 1439) * 60);
    }
    if (random.chance(1, 5)) {
      expression.period.weeks = static_cast<std::uint32_t>(1 + random.below(15'000));
    } else {
      expression.period.years = static_cast<std::uint32_t>(random.below(3) * random.below(50));
      expression.period.months = static_cast<std::uint32_t>(random.below(3) * random.below(20));
      expression.period.days = static_cast<std::uint32_t>(random.below(3) * random.below(500));
      expression.period.exact.ns = 1 + random.between(0, 400'000) * 1'000'000'000;
      if (random.chance(1, 2)) expression.period.exact.ns -= 1;
      if (expression.period == Period{}) continue;
    }
    const std::string text = to_string(expression);
    const auto again = parse_schedule(text);
    ASSERT_TRUE(again) << text << ": " << again.error().message;
    ASSERT_EQ(*again, expression) << text;
  }
}

}  // namespace
}  // namespace batch::test
