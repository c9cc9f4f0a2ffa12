// The small decisions beside ZooKeeper's client: which log lines are let through, how long to wait.
#include <gtest/gtest.h>

#include "../../../librm/src/runtime/zookeeper_client.hpp"

namespace librm::runtime_detail {
namespace {

TEST(LogLimiter, LetsFewThroughAndCountsTheRest) {
  LogLimiter limiter;
  Instant now{1'000'000'000};
  int written = 0;
  for (int i = 0; i < 1000; ++i) written += limiter.line(now, "x").has_value() ? 1 : 0;
  EXPECT_EQ(written, 5);
  EXPECT_EQ(limiter.line(now + seconds(10), "y"), "y (995 lines left out)");
  EXPECT_EQ(limiter.line(now + seconds(10), "z"), std::nullopt);
  now = now + seconds(3600);
  for (int i = 0; i < 1000; ++i) written += limiter.line(now, "x").has_value() ? 1 : 0;
  EXPECT_EQ(written, 10) << "what was not used is not saved up";
}

TEST(ClientLog, KeepsTheWordsOfWarningsAndErrors) {
  EXPECT_EQ(
      client_log_line("2026-01-01 10:00:00,123:7(0x7f):ZOO_ERROR@handle@99: Socket closed: x"),
      "Socket closed: x");
  EXPECT_EQ(client_log_line("2026-01-01 10:00:00,123:7(0x7f):ZOO_WARN@f@9: slow"), "slow");
  EXPECT_EQ(client_log_line("2026-01-01 10:00:00,123:7(0x7f):ZOO_INFO@f@9: hello"), std::nullopt);
  EXPECT_EQ(client_log_line("odd"), "odd");
}

TEST(ReconnectPause, DoublesUpToATenthOfTheSession) {
  EXPECT_EQ(reconnect_pause(1, seconds(1)), milliseconds(10));
  EXPECT_EQ(reconnect_pause(3, seconds(1)), milliseconds(40));
  EXPECT_EQ(reconnect_pause(1000, seconds(1)), milliseconds(100));
  EXPECT_EQ(reconnect_pause(1000, milliseconds(100)), milliseconds(50));
  EXPECT_EQ(reconnect_pause(1000, seconds(60)), milliseconds(500));
}

}  // namespace
}  // namespace librm::runtime_detail
