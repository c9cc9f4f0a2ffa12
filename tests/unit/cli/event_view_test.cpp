// How events are worded.
#include "cli/event_view.hpp"

#include <gtest/gtest.h>

namespace batch::cli {
namespace {

/// Without the time in front, which depends on the time zone.
std::string worded(const char* event, const char* data) {
  const std::string line = event_line(Terminal{}, event, Json::parse(data));
  return line.substr(line.find("  ") + 2);
}

TEST(EventLine, JobSaysItsStateWhyAndWhere) {
  EXPECT_EQ(worded("job", R"({"id": 42, "name": "count", "state": "failed", "exit_code": 3,
                              "ended": "2026-01-01T00:00:00.000Z", "reason": "",
                              "node": {"hostname": "node-1"}})"),
            "job 42  count  failed  exit 3  on node-1\n");
  EXPECT_EQ(worded("job", R"({"id": 1, "name": "a\u001b[31m", "state": "pending"})"),
            "job 1  a\\x1b[31m  pending\n");
}

TEST(EventLine, ScheduleSaysWhatChanged) {
  EXPECT_EQ(worded("schedule", R"({"name": "nightly", "change": "run_ended", "run": 7,
                                   "state": "finished", "reason": "", "jobs": [60, 61],
                                   "at": "2026-01-01T00:00:00.000Z"})"),
            "schedule nightly  run 7  finished  jobs 60,61\n");
  EXPECT_EQ(worded("schedule", R"({"name": "n", "change": "missed", "reason": "later than 60s",
                                   "jobs": []})"),
            "schedule n  missed  later than 60s\n");
}

TEST(ClockTime, HasTheDateUnlessItIsToday) {
  EXPECT_EQ(clock_time(1'000'000, 1'000'000).size(), 8u);
  EXPECT_EQ(clock_time(1'000'000, 1'000'000 + 86'400 * 3).size(), 19u);
  EXPECT_EQ(clock_time(std::nullopt, 0), "-");
}

}  // namespace
}  // namespace batch::cli
