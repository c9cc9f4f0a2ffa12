// Which sandboxes go: by their age, and sooner the fuller the disk is.
#include "agent/gc_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace librm::daemon {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr GcOptions week{seconds(7 * 86'400), 90};
constexpr WallTime now{1'700'000'000'000'000'000};

TEST(GcAge, IsAllOfItOnAnEmptyDiskAndNothingFromThePercentageOn) {
  EXPECT_EQ(gc_age({0, 100}, week), week.age_max);
  EXPECT_EQ(gc_age({45, 100}, week), seconds(7 * 43'200));
  EXPECT_EQ(gc_age({90, 100}, week), Duration{});
  EXPECT_EQ(gc_age({100, 100}, week), Duration{});
  EXPECT_GT(gc_age({89, 100}, week), Duration{});
}

TEST(GcAge, WithoutKnownDiskItIsAllOfIt) { EXPECT_EQ(gc_age({0, 0}, week), week.age_max); }

TEST(GcAge, LargestDisksAndAgesDoNotOverflow) {
  const std::uint64_t most = ~std::uint64_t{0};
  const GcOptions for_ever{Duration{INT64_MAX}, 100};
  EXPECT_EQ(gc_age({most, most}, for_ever), Duration{});
  EXPECT_EQ(gc_age({0, most}, for_ever), for_ever.age_max);
  EXPECT_EQ(gc_age({most, 1}, for_ever), Duration{}) << "more in use than there is";
}

TEST(GcPlan, TakesWhatIsOldEnoughOldestFirst) {
  const std::vector<AgedSandbox> sandboxes{{"f-1/young", now - week.age_max + nanoseconds(1)},
                                           {"f-1/old", now - week.age_max},
                                           {"f-1/older", now - week.age_max - seconds(1)},
                                           {"f-1/as-old", now - week.age_max}};
  EXPECT_THAT(plan_gc(sandboxes, {0, 100}, now, week),
              ElementsAre("f-1/older", "f-1/as-old", "f-1/old"));
}

TEST(GcPlan, AFullDiskKeepsNothing) {
  EXPECT_THAT(plan_gc({{"f-1/just-now", now}}, {95, 100}, now, week), ElementsAre("f-1/just-now"));
}

TEST(GcPlan, WhatEndsInTheFutureStays) {
  EXPECT_THAT(plan_gc({{"f-1/a", now + seconds(3'600)}}, {50, 100}, now, week), IsEmpty());
}

}  // namespace
}  // namespace librm::daemon
