// How much of a flood is logged.
#include "common/bad_peers.hpp"

#include <gtest/gtest.h>

namespace librm::daemon {
namespace {

TEST(LogBudget, LetsSoManyThroughInAPeriodAndCountsTheRest) {
  LogBudget budget(3, seconds(10));
  Instant now{};
  now = now + seconds(100);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(budget.let_through(now), 0u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(budget.let_through(now + seconds(9)), std::nullopt);
  EXPECT_EQ(budget.let_through(now + seconds(10)), 1000u);
  EXPECT_EQ(budget.let_through(now + seconds(10)), 0u);
}

TEST(LogBudget, CountsAPeriodFromItsFirstLine) {
  LogBudget budget(1, seconds(10));
  const Instant start = Instant{} + seconds(5);
  EXPECT_EQ(budget.let_through(start), 0u);
  EXPECT_EQ(budget.let_through(start + seconds(9)), std::nullopt);
  EXPECT_EQ(budget.let_through(start + seconds(11)), 1u);
  EXPECT_EQ(budget.let_through(start + seconds(20)), std::nullopt);
  EXPECT_EQ(budget.let_through(start + seconds(21)), 1u);
}

}  // namespace
}  // namespace librm::daemon
