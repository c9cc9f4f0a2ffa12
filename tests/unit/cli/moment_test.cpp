// Moments as people write them, in a time zone that the test chooses.
#include "cli/moment.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "cli/text.hpp"

namespace batch::cli {
namespace {

class ParseMoment : public testing::Test {
 protected:
  ParseMoment() {
    ::setenv("TZ", "UTC-2", 1);  // two hours east
    ::tzset();
  }
  ~ParseMoment() override {
    ::unsetenv("TZ");
    ::tzset();
  }

  static double utc(const char* text) { return parse_time(text).value(); }
  double moment(const std::string& text) const {
    const auto parsed = parse_moment("--since", text, now);
    return parsed ? *parsed : -1;
  }

  const double now = utc("2026-03-05T10:00:00Z");
};

TEST_F(ParseMoment, DatesAndTimesAreLocal) {
  EXPECT_EQ(moment("2026-01-31"), utc("2026-01-30T22:00:00Z"));
  EXPECT_EQ(moment("2026-01-31T12:30"), utc("2026-01-31T10:30:00Z"));
  EXPECT_EQ(moment("2026-01-31 12:30:05"), utc("2026-01-31T10:30:05Z"));
  EXPECT_EQ(moment("11:15"), utc("2026-03-05T09:15:00Z"));
  EXPECT_EQ(moment("2026-01-31T12:30:05Z"), utc("2026-01-31T12:30:05Z"));
}

TEST_F(ParseMoment, WordsMeanTheBeginningOfDays) {
  EXPECT_EQ(moment("now"), now);
  EXPECT_EQ(moment("today"), utc("2026-03-04T22:00:00Z"));
  EXPECT_EQ(moment("yesterday"), utc("2026-03-03T22:00:00Z"));
}

TEST_F(ParseMoment, SpansAreBeforeNow) {
  EXPECT_EQ(moment("90s"), now - 90);
  EXPECT_EQ(moment("2h"), now - 7200);
  EXPECT_EQ(moment("3d"), now - 3 * 86'400);
  EXPECT_EQ(moment("1w"), now - 7 * 86'400);
}

TEST_F(ParseMoment, RefusesWhatIsNone) {
  for (const char* text : {"", "soon", "2026-02-30", "2026-13-01", "25:00", "12:61", "2026-01-31x",
                           "2026-01-31T", "d", "-3d"}) {
    EXPECT_EQ(moment(text), -1) << text;
  }
  EXPECT_EQ(parse_moment("--until", "soon", now).error().message.substr(0, 26),
            "--until: 'soon' is no time");
}

}  // namespace
}  // namespace batch::cli
