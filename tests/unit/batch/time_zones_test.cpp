// Time zones of the machine, and the rules for years that their tables do not reach.
#include "batch/edge/time_zones.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "batch/schedule/expression.hpp"
#include "src/edge/posix_rule.hpp"

namespace batch::test {
namespace {

using librm::WallTime;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t hour_ns = 3600 * second_ns;

LocalTime local(const std::string& text) { return *parse_schedule("R/" + text + "/P1D")->start; }

std::string instant(const std::string& zone, const std::string& text) {
  return to_string(LocalTime{system_time_zones().to_instant(zone, local(text)).ns});
}

TEST(SystemTimeZones, KnowNamesAsTheDatabaseWritesThem) {
  const TimeZones& zones = system_time_zones();
  for (const char* name : {"UTC", "Etc/UTC", "Europe/Prague", "America/Argentina/Buenos_Aires",
                           "GMT", "EST5EDT", "Asia/Calcutta"}) {
    EXPECT_TRUE(zones.knows(name)) << name;
  }
  for (const char* name : {"", "Europe/prague", "Europe", "Europe/", "/etc/passwd",
                           "../zoneinfo/UTC", "localtime", "posixrules", "posix/Europe/Prague",
                           "right/UTC", "tzdata.zi", "zone.tab", "Europe/Prague\n"}) {
    EXPECT_FALSE(zones.knows(name)) << name;
  }
}

TEST(SystemTimeZones, NamesAreSortedAndKnown) {
  const auto names = system_time_zone_names();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const std::string& name : names) EXPECT_TRUE(system_time_zones().knows(name)) << name;
}

TEST(SystemTimeZones, GapsAndOverlaps) {
  EXPECT_EQ(instant("Europe/Prague", "2024-03-31T01:59:59"), "2024-03-31T00:59:59");
  EXPECT_EQ(instant("Europe/Prague", "2024-03-31T02:00:00"), "2024-03-31T01:00:00");
  EXPECT_EQ(instant("Europe/Prague", "2024-03-31T02:59:59.25"), "2024-03-31T01:59:59.25");
  EXPECT_EQ(instant("Europe/Prague", "2024-03-31T03:00:00"), "2024-03-31T01:00:00");
  EXPECT_EQ(instant("Europe/Prague", "2024-10-27T02:00:00"), "2024-10-27T00:00:00");
  EXPECT_EQ(instant("Europe/Prague", "2024-10-27T02:59:59"), "2024-10-27T00:59:59");
  EXPECT_EQ(instant("Europe/Prague", "2024-10-27T03:00:00"), "2024-10-27T02:00:00");
}

TEST(SystemTimeZones, BothWaysAgreeEveryHourOfTwoCenturies) {
  const TimeZones& zones = system_time_zones();
  for (const char* zone : {"Europe/Paris", "Australia/Lord_Howe", "America/Nuuk", "Asia/Gaza"}) {
    for (WallTime time{local("1950-01-01").ns}; time.ns < local("2150-01-01").ns;
         time.ns += 7 * hour_ns + 1) {
      const WallTime again = zones.to_instant(zone, zones.to_local(zone, time));
      // The second of two is given as the first.
      ASSERT_TRUE(again == time || (again < time && time.ns - again.ns <= hour_ns))
          << zone << " " << to_string(LocalTime{time.ns});
    }
  }
}

TEST(SystemTimeZones, TheEndsOfTimeAreAnswered) {
  const TimeZones& zones = system_time_zones();
  for (const std::int64_t ns : {INT64_MIN, INT64_MIN + 1, INT64_MAX, std::int64_t{-1}}) {
    for (const char* zone : {"UTC", "Asia/Tokyo", "America/New_York"}) {
      const LocalTime shown = zones.to_local(zone, WallTime{ns});
      EXPECT_LE(std::max(shown.ns, ns) / 2 - std::min(shown.ns, ns) / 2, 12 * hour_ns);
    }
  }
  EXPECT_EQ(zones.to_local("UTC", WallTime{-1}), LocalTime{-1});
}

TEST(PosixRule, AgreesWithTheTable) {
  const std::pair<const char*, const char*> cases[] = {
      {"Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3"},
      {"America/New_York", "EST5EDT,M3.2.0,M11.1.0"},
      {"Australia/Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3"},
      {"Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"},
      {"Europe/Dublin", "IST-1GMT0,M10.5.0,M3.5.0/1"},
      {"America/Nuuk", "<-02>2<-01>,M3.5.0/-1,M10.5.0/0"},
      {"Antarctica/Troll", "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3"},
  };
  for (const auto& [zone, text] : cases) {
    const auto rule = PosixRule::parse(text);
    ASSERT_TRUE(rule) << text;
    const TimeZones& zones = system_time_zones();
    for (std::int64_t s = local("2028-01-01").ns / second_ns;
         s < local("2037-01-01").ns / second_ns; s += 900) {
      ASSERT_EQ(rule->offset_s(s), zones.to_local(zone, WallTime{s * second_ns}).ns / second_ns - s)
          << zone << " " << s;
      ASSERT_EQ(rule->instant_s(s), zones.to_instant(zone, LocalTime{s * second_ns}).ns / second_ns)
          << zone << " " << s;
    }
  }
}

TEST(PosixRule, RefusesWhatIsMalformedOrConstant) {
  for (const char* text :
       {"", "CET", "CET-1", "CET-1CEST", "CET-1CEST,M3.5.0", "<+01>-1", "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x",
        "CET-1CEST,J60,J300", "<+01-1CEST,M3.5.0,M10.5.0"}) {
    EXPECT_FALSE(PosixRule::parse(text)) << text;
  }
}

TEST(UtcOnly, KnowsNothingElse) {
  EXPECT_TRUE(utc_only().knows("UTC"));
  EXPECT_FALSE(utc_only().knows("Europe/Prague"));
  EXPECT_EQ(utc_only().to_instant("UTC", LocalTime{5}).ns, 5);
}

}  // namespace
}  // namespace batch::test
