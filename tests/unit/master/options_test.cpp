// Flags of rm-master that do not suit each other are refused with what would.
#include "master/options.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace librm::daemon {
namespace {

/// What read_options() says of these flags on stderr; empty where they are taken.
std::string refusal(std::vector<const char*> flags) {
  flags.insert(flags.begin(), "rm-master");
  MasterOptionsRead options;
  testing::internal::CaptureStderr();
  const std::optional<int> exit_code =
      read_options(static_cast<int>(flags.size()), flags.data(), options);
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit_code, said.empty() ? std::nullopt : std::optional(2));
  return said;
}

TEST(MasterOptionsRead, TimesHaveToSuitEachOther) {
  EXPECT_EQ(refusal({"--work-dir=w", "--agent-lease=15s", "--agent-return-timeout=15s"}), "");
  EXPECT_EQ(refusal({"--work-dir=w", "--agent-lease=15s", "--agent-return-timeout=14s"}),
            "rm-master: need agent-lease <= agent-return-timeout: an earlier leader may have given "
            "a lease just before\n");
  EXPECT_EQ(refusal({"--work-dir=w", "--agent-lease=30s"}),
            "rm-master: need heartbeat-interval < agent-lease < unreachable-after\n");
}

TEST(MasterOptionsRead, MastersThatElectALeaderShareTheirState) {
  EXPECT_EQ(refusal({"--work-dir=w", "--zk=zk://h:2181/p"}),
            "rm-master: zk: masters that elect a leader share their state: give --state, too\n");
}

}  // namespace
}  // namespace librm::daemon
