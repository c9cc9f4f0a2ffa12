// When schedules are due: months that end early, clocks that are put forward and back, and searches
// against counting.
#include <gtest/gtest.h>

#include "batch/edge/time_zones.hpp"
#include "batch/schedule/expression.hpp"
#include "librm/base/prng.hpp"

namespace batch::test {
namespace {

using librm::WallTime;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t day_ns = 86'400 * second_ns;

WallTime utc(const std::string& text) {
  return WallTime{parse_schedule("R/" + text + "Z/P1D").value().start->ns};
}

std::string shown(WallTime time) { return to_string(LocalTime{time.ns}) + "Z"; }

Occurrences occurrences(const std::string& text, const std::string& zone = "",
                        const TimeZones& zones = system_time_zones()) {
  return Occurrences::make(parse_schedule(text).value(), zone, zones).value();
}

/// The first `count` that do not coincide, in UTC, as the reference writes them.
std::string due(const std::string& text, const std::string& zone = "", int count = 5) {
  const Occurrences all = occurrences(text, zone);
  std::string list;
  auto next = all.from(0);
  for (int i = 0; i < count && next; ++i) {
    list += (list.empty() ? "" : ", ") + shown(next->at);
    next = all.from(next->index + 1);
  }
  return list;
}

struct Row {
  const char* text;
  const char* zone;
  const char* expected;
};

/// Names the test: without it the name would be the bytes of pointers.
void PrintTo(const Row& row, std::ostream* out) { *out << row.text; }

class OccurrencesOf : public ::testing::TestWithParam<Row> {};

TEST_P(OccurrencesOf, AreAsTheReferenceSays) {
  EXPECT_EQ(due(GetParam().text, GetParam().zone), GetParam().expected);
}

constexpr Row reference[] = {
    {"R5/2008-03-01T13:00:00Z/P1D", "",
     "2008-03-01T13:00:00Z, 2008-03-02T13:00:00Z, 2008-03-03T13:00:00Z, 2008-03-04T13:00:00Z, "
     "2008-03-05T13:00:00Z"},
    {"R/2008-03-01T13:00:00Z/P1D", "",
     "2008-03-01T13:00:00Z, 2008-03-02T13:00:00Z, 2008-03-03T13:00:00Z, 2008-03-04T13:00:00Z, "
     "2008-03-05T13:00:00Z"},
    {"R2/2008-03-01T13:00:00Z/P1D", "Europe/Paris", "2008-03-01T12:00:00Z, 2008-03-02T12:00:00Z"},
    {"R2/2008-03-01T13:00:00-04:00/P1D", "America/Los_Angeles",
     "2008-03-01T21:00:00Z, 2008-03-02T21:00:00Z"},
    {"R2/2008-03-01/P1D", "America/Los_Angeles", "2008-03-01T08:00:00Z, 2008-03-02T08:00:00Z"},
    {"R5/2008-03-01T13:00:00Z/P1Y2M10DT2H30M", "",
     "2008-03-01T13:00:00Z, 2009-05-11T15:30:00Z, 2010-07-21T18:00:00Z, 2011-10-01T20:30:00Z, "
     "2012-12-11T23:00:00Z"},
    {"R1/2020-01-01T00:00:00Z/PT1H", "", "2020-01-01T00:00:00Z"},
    {"R3/20200101T000000Z/PT1H", "",
     "2020-01-01T00:00:00Z, 2020-01-01T01:00:00Z, 2020-01-01T02:00:00Z"},
    {"R3/2020-01-01T00:00:00Z/P1DT0.5M", "",
     "2020-01-01T00:00:00Z, 2020-01-02T00:00:30Z, 2020-01-03T00:01:00Z"},
    {"R2/2000-02-01/P1Y1M", "", "2000-02-01T00:00:00Z, 2001-03-01T00:00:00Z"},
    {"R2/2000-02-29/P1Y", "", "2000-02-29T00:00:00Z, 2001-02-28T00:00:00Z"},
    {"R2/1996-02-29/P4Y", "", "1996-02-29T00:00:00Z, 2000-02-29T00:00:00Z"},
    {"R2/2096-02-29/P4Y", "", "2096-02-29T00:00:00Z, 2100-02-28T00:00:00Z"},
    {"R2/2008-01-01T00:02:00Z/P1M", "", "2008-01-01T00:02:00Z, 2008-02-01T00:02:00Z"},
    {"R5/2023-10-31T09:00:00Z/P1M", "",
     "2023-10-31T09:00:00Z, 2023-11-30T09:00:00Z, 2023-12-31T09:00:00Z, 2024-01-31T09:00:00Z, "
     "2024-02-29T09:00:00Z"},
    {"R5/2024-02-29T00:00:00Z/P1Y", "",
     "2024-02-29T00:00:00Z, 2025-02-28T00:00:00Z, 2026-02-28T00:00:00Z, 2027-02-28T00:00:00Z, "
     "2028-02-29T00:00:00Z"},
    {"R4/2024-08-30T00:00:00Z/P6M", "",
     "2024-08-30T00:00:00Z, 2025-02-28T00:00:00Z, 2025-08-30T00:00:00Z, 2026-02-28T00:00:00Z"},
    {"R3/2024-10-26T02:30:00/P1D", "Europe/Paris",
     "2024-10-26T00:30:00Z, 2024-10-27T00:30:00Z, 2024-10-28T01:30:00Z"},
    {"R3/2011-12-29T10:00:00/P1D", "Pacific/Apia", "2011-12-29T20:00:00Z, 2011-12-30T20:00:00Z"},
    {"R3/2024-03-09T12:00:00/PT24H", "America/New_York",
     "2024-03-09T17:00:00Z, 2024-03-10T17:00:00Z, 2024-03-11T17:00:00Z"},
};
INSTANTIATE_TEST_SUITE_P(Reference, OccurrencesOf, ::testing::ValuesIn(reference));

TEST(Occurrences, AGapIsTheLaterInstant) {
  EXPECT_EQ(due("R3/2024-03-30T02:30/P1D", "Europe/Paris"),
            "2024-03-30T01:30:00Z, 2024-03-31T01:30:00Z, 2024-04-01T00:30:00Z");
  EXPECT_EQ(due("R3/2024-03-09T02:30/P1D", "America/New_York"),
            "2024-03-09T07:30:00Z, 2024-03-10T07:30:00Z, 2024-03-11T06:30:00Z");
  // Half an hour, in the southern spring.
  EXPECT_EQ(due("R3/2024-10-05T02:15/P1D", "Australia/Lord_Howe"),
            "2024-10-04T15:45:00Z, 2024-10-05T15:45:00Z, 2024-10-06T15:15:00Z");
}

TEST(Occurrences, AnOverlapRunsOnceAndEarlier) {
  EXPECT_EQ(due("R3/2024-11-02T01:30/P1D", "America/New_York"),
            "2024-11-02T05:30:00Z, 2024-11-03T05:30:00Z, 2024-11-04T06:30:00Z");
  EXPECT_EQ(due("R3/2024-04-06T01:45/P1D", "Australia/Lord_Howe"),
            "2024-04-05T14:45:00Z, 2024-04-06T14:45:00Z, 2024-04-07T15:15:00Z");
}

TEST(Occurrences, HoursGoOnThroughAChange) {
  EXPECT_EQ(due("R4/2024-03-31T00:30/PT1H", "Europe/Paris"),
            "2024-03-30T23:30:00Z, 2024-03-31T00:30:00Z, 2024-03-31T01:30:00Z, "
            "2024-03-31T02:30:00Z");
  EXPECT_EQ(due("R4/2024-10-27T01:30/PT1H", "Europe/Paris"),
            "2024-10-26T23:30:00Z, 2024-10-27T00:30:00Z, 2024-10-27T01:30:00Z, "
            "2024-10-27T02:30:00Z");
}

TEST(Occurrences, TheDayThatAZoneLeftOutComesOnce) {
  const Occurrences all = occurrences("R/2011-12-29T10:00:00/P1D", "Pacific/Apia");
  EXPECT_EQ(all.at(1), all.at(2));
  EXPECT_EQ(all.from(1)->index, 1u);
  EXPECT_EQ(all.from(2)->index, 3u) << "the first of those that coincide counts";
  EXPECT_EQ(all.first_at_or_after(all.at(2).value())->index, 1u);
  EXPECT_EQ(all.from(1)->at, utc("2011-12-30T20:00"));
}

TEST(Occurrences, NothingIsIteratedSoTheEndOfAMonthComesBack) {
  EXPECT_EQ(due("R4/2024-01-31T02:00Z/P1M", ""),
            "2024-01-31T02:00:00Z, 2024-02-29T02:00:00Z, 2024-03-31T02:00:00Z, "
            "2024-04-30T02:00:00Z");
  EXPECT_EQ(shown(occurrences("R/2024-01-31/P1M").at(13).value()), "2025-02-28T00:00:00Z");
}

TEST(Occurrences, TheOffsetCountsWithoutAZone) {
  EXPECT_EQ(due("R2/2008-03-01T13:00:00-04:00/P1D"), "2008-03-01T17:00:00Z, 2008-03-02T17:00:00Z");
  EXPECT_EQ(due("R2/2024-01-31T23:00:00-05:00/P1M"), "2024-02-01T04:00:00Z, 2024-03-01T04:00:00Z")
      << "the month is that of the clock on the wall";
}

TEST(Occurrences, YearsAfterTheTableFollowItsLastRule) {
  EXPECT_EQ(due("R2/2050-01-15T12:00/P6M", "Europe/Paris"),
            "2050-01-15T11:00:00Z, 2050-07-15T10:00:00Z");
  EXPECT_EQ(due("R2/2150-01-15T12:00/P6M", "Australia/Sydney"),
            "2150-01-15T01:00:00Z, 2150-07-15T02:00:00Z");
  EXPECT_EQ(due("R3/2040-03-24T02:30/P1D", "Europe/Paris"),
            "2040-03-24T01:30:00Z, 2040-03-25T01:30:00Z, 2040-03-26T00:30:00Z");
  EXPECT_EQ(due("R2/2050-10-30T02:30/P1D", "Europe/Paris"),
            "2050-10-30T00:30:00Z, 2050-10-31T01:30:00Z");
}

TEST(Occurrences, StopAfterTheYearsThatCount) {
  const Occurrences yearly = occurrences("R/2259-06-01/P1Y");
  EXPECT_EQ(shown(yearly.at(2).value()), "2261-06-01T00:00:00Z");
  EXPECT_FALSE(yearly.at(3));
  EXPECT_FALSE(yearly.from(3));
  EXPECT_FALSE(yearly.first_at_or_after(utc("2261-06-02T00:00")));
  for (const char* text : {"R/1678-01-01/PT0.000000001S", "R/1678-01-01/P290Y", "R/1678-01-01/P1D",
                           "R/2261-12-31/P1DT1S", "R999999999/1678-01-01/PT290S"}) {
    const Occurrences all = occurrences(text);
    EXPECT_EQ(all.at(0), all.first_at_or_after(WallTime{INT64_MIN})->at) << text;
    for (const std::uint64_t index : {UINT64_MAX, UINT64_MAX / 2 + 1, std::uint64_t{1} << 40}) {
      const auto time = all.at(index);
      if (!time) continue;
      EXPECT_EQ(all.first_at_or_after(*time), (Occurrence{index, *time})) << text;
    }
    EXPECT_FALSE(all.first_at_or_after(WallTime{INT64_MAX})) << text;
    EXPECT_FALSE(all.at(UINT64_MAX)) << text;
  }
}

TEST(Occurrences, RepetitionsAreRunsInTotal) {
  EXPECT_EQ(due("R0/2020-01-01/PT1H"), "");
  EXPECT_FALSE(occurrences("R0/2020-01-01/PT1H").first_at_or_after(WallTime{}));
  EXPECT_EQ(due("R1/2020-01-01/PT0S"), "2020-01-01T00:00:00Z");
  const Occurrences two = occurrences("R2/2020-01-01/PT1H");
  EXPECT_EQ(two.count(), 2u);
  EXPECT_EQ(two.first_at_or_after(utc("2020-01-01T01:00"))->index, 1u);
  EXPECT_FALSE(two.first_at_or_after(utc("2020-01-01T01:01")));
}

/// Counts how often it is asked.
class CountingZones : public TimeZones {
 public:
  bool knows(const std::string&) const override { return true; }
  WallTime to_instant(const std::string&, LocalTime local) const override {
    ++asked;
    return {local.ns};
  }
  LocalTime to_local(const std::string&, WallTime time) const override { return {time.ns}; }
  mutable int asked = 0;
};

TEST(Occurrences, BillionsAreSearchedInAFewSteps) {
  const CountingZones zones;
  const Occurrences all = occurrences("R/1700-01-01/PT1S", "any", zones);
  const auto found = all.first_at_or_after(utc("2250-01-01T00:00:00.5"));
  ASSERT_TRUE(found);
  EXPECT_EQ(shown(found->at), "2250-01-01T00:00:01Z");
  EXPECT_GT(found->index, 17'000'000'000u);
  EXPECT_LT(zones.asked, 50);
}

TEST(Occurrences, WhatCannotBeDueIsRefused) {
  const auto error = [](const ScheduleExpression& expression, const char* zone) {
    const auto made = Occurrences::make(expression, zone, system_time_zones());
    return made ? std::string("made") : made.error().message;
  };
  const ScheduleExpression daily = parse_schedule("R/2020-01-01/P1D").value();
  EXPECT_EQ(error(daily, "Europe/Pariss"),
            "no time zone 'Europe/Pariss' is known; names are such as Europe/Paris");
  EXPECT_EQ(error(parse_schedule("R//P1D").value(), ""), "schedule: it has no start");
  ScheduleExpression wrong = daily;
  wrong.period = {};
  EXPECT_EQ(error(wrong, ""), "schedule: a period of zero is only for R1");
  wrong.period.exact.ns = -1;
  EXPECT_EQ(error(wrong, ""), "schedule: its period is negative");
  wrong = daily;
  wrong.start->ns = INT64_MAX;
  EXPECT_EQ(error(wrong, ""), "schedule: its start is outside of the years 1678 to 2261");
  wrong = daily;
  wrong.offset = librm::seconds(86'400);
  EXPECT_EQ(error(wrong, ""), "schedule: its offset is a day or longer");
}

TEST(WithStart, IsNowOnTheZonesClock) {
  const auto started = [](const char* now, const char* zone) {
    const auto expression =
        with_start(parse_schedule("R2//PT1H").value(), utc(now), zone, system_time_zones());
    return to_string(*expression->start) + " " +
           shown(Occurrences::make(*expression, zone, system_time_zones())->at(0).value());
  };
  EXPECT_EQ(started("2024-07-01T12:00:00.999", ""), "2024-07-01T12:00:00 2024-07-01T12:00:00Z");
  EXPECT_EQ(started("2024-07-01T12:00:00", "Europe/Paris"),
            "2024-07-01T14:00:00 2024-07-01T12:00:00Z");
  EXPECT_EQ(started("1969-12-31T23:59:59.5", ""), "1969-12-31T23:59:59 1969-12-31T23:59:59Z");
  // The second 02:30 of that day would be read as the first.
  EXPECT_EQ(started("2024-10-27T00:30", "Europe/Paris"),
            "2024-10-27T02:30:00 2024-10-27T00:30:00Z");
  EXPECT_EQ(started("2024-10-27T01:30", "Europe/Paris"),
            "2024-10-27T03:00:00 2024-10-27T02:00:00Z");
  EXPECT_FALSE(with_start(parse_schedule("R//P1D").value(), {}, "Nowhere", system_time_zones()));
  const ScheduleExpression given = parse_schedule("R/2020-01-01/P1D").value();
  EXPECT_EQ(with_start(given, {}, "", utc_only()), given);
}

/// Around the changes of clocks, and month ends.
std::string random_expression(librm::Prng& random) {
  static const char* const starts[] = {
      "2024-03-30T02:30", "2024-10-26T02:30", "2011-12-28T10:00", "1999-12-31T23:59:59.5",
      "2024-01-31T00:00", "1993-08-20T12:00", "2037-10-01T01:30", "1844-12-29T06:00",
      "1900-01-01T00:00", "2023-03-11T02:15", "2024-02-29T02:00", "1969-09-29T01:00"};
  static const char* const periods[] = {"P1D",      "P1M",     "P1W",    "P1Y",     "PT1H",
                                        "P1DT1S",   "PT30M",   "P1MT1H", "P2D",     "P1M1D",
                                        "PT86399S", "P1DT23H", "P13M",   "P1Y1M1D", "PT0.75H"};
  std::string text = "R";
  if (random.chance(1, 2)) text += std::to_string(1 + random.below(400));
  text += '/';
  text += starts[random.below(std::size(starts))];
  text += '/';
  text += periods[random.below(std::size(periods))];
  return text;
}

constexpr const char* odd_zones[] = {
    "Europe/Paris",      "America/New_York", "Pacific/Apia",    "Australia/Lord_Howe",
    "Africa/Casablanca", "Europe/Dublin",    "Asia/Manila",     "Pacific/Kwajalein",
    "America/Sao_Paulo", "America/St_Johns", "Asia/Kathmandu",  "America/Scoresbysund",
    "Asia/Gaza",         "Antarctica/Troll", "Africa/Monrovia", "UTC"};

TEST(Occurrences, NeverDescendAndSearchesAgreeWithCounting) {
  librm::Prng random(11);
  for (int round = 0; round < 400; ++round) {
    const std::string text = random_expression(random);
    const std::string zone = odd_zones[random.below(std::size(odd_zones))];
    SCOPED_TRACE(text + " " + zone);
    const Occurrences all = occurrences(text, zone);
    constexpr std::uint64_t counted = 500;
    std::vector<WallTime> times;
    for (std::uint64_t k = 0; k < counted; ++k) {
      const auto time = all.at(k);
      if (!time) break;
      ASSERT_TRUE(k == 0 || *time >= times.back()) << k;
      times.push_back(*time);
    }
    ASSERT_TRUE(times.size() == std::min(all.count().value_or(counted), counted) ||
                times.back() > utc("2259-01-01T00:00"));
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t k = random.below(times.size());
      const WallTime time =
          times[k] + librm::Duration{random.between(-1, 1) * random.between(0, day_ns)};
      const auto counted_one = std::lower_bound(times.begin(), times.end(), time);
      if (counted_one == times.end()) continue;
      const auto index = static_cast<std::uint64_t>(counted_one - times.begin());
      ASSERT_EQ(all.first_at_or_after(time), (Occurrence{index, *counted_one})) << shown(time);
      std::uint64_t next = k;
      while (next > 0 && next < times.size() && times[next] == times[next - 1]) ++next;
      if (next == times.size()) continue;
      ASSERT_EQ(all.from(k), (Occurrence{next, times[next]})) << k;
    }
  }
}

}  // namespace
}  // namespace batch::test
