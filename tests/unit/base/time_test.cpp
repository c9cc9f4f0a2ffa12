// Times, spans and deadlines on two clocks.
#include "librm/base/time.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace librm {
namespace {

static_assert(!std::is_convertible_v<Instant, WallTime>, "clocks cannot be mixed up");

TEST(Time, SpansAddUpExactly) {
  EXPECT_EQ(seconds(2) + milliseconds(500), milliseconds(2500));
  EXPECT_EQ(seconds(1) - microseconds(1), nanoseconds(999'999'000));
  EXPECT_EQ(to_ms(seconds(3) / 2), 1500);
  EXPECT_EQ(Instant{5} + seconds(1) - Instant{5}, seconds(1));
  EXPECT_LT(WallTime{} - seconds(1), WallTime{});
}

TEST(Deadline, NeitherClockMeansNone) {
  const Deadline deadline;
  EXPECT_FALSE(deadline.mono);
  EXPECT_FALSE(deadline.wall);
}

TEST(Deadline, KeepsTheEarliestOfEachClock) {
  Deadline deadline;
  deadline.at_latest(Instant{10});
  deadline.at_latest(Instant{30});
  deadline.at_latest(WallTime{7});
  EXPECT_EQ(deadline.mono, Instant{10});
  EXPECT_EQ(deadline.wall, WallTime{7});
  deadline.at_latest(Instant{5});
  EXPECT_EQ(deadline.mono, Instant{5});
}

TEST(Deadline, MergeIgnoresAnEmptyClock) {
  Deadline deadline;
  deadline.at_latest(Instant{10});
  Deadline other;
  other.at_latest(WallTime{3});
  deadline.merge(other);
  deadline.merge(Deadline{});
  EXPECT_EQ(deadline.mono, Instant{10});
  EXPECT_EQ(deadline.wall, WallTime{3});
}

}  // namespace
}  // namespace librm
