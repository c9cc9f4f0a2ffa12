// The master service in a process: requests are answered when durable, and outlive a restart.
#include "master/master_service.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/files.hpp"
#include "master/options.hpp"

namespace librm::daemon {
namespace {

struct MasterServiceTest : testing::Test {
  void SetUp() override {
    char name[] = "/tmp/librm-master-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory = name;
  }

  void TearDown() override {
    service.reset();
    std::filesystem::remove_all(directory);
  }

  MasterConfig config() const {
    MasterConfig made;
    made.cluster_port = 0;
    made.work_dir = directory + "/state";
    made.batch.framework.name = "batch";
    made.batch.framework.failover_timeout = seconds(3600);
    return made;
  }

  template <class Condition>
  bool run_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(50));
    }
    return condition();
  }

  void start(MasterConfig with) {
    ended.reset();
    service =
        std::make_unique<MasterService>(io, std::move(with), [this](int code) { ended = code; });
    Result<void> started = service->start("127.0.0.1:1", {});
    ASSERT_TRUE(started.has_value()) << started.error().message;
    ASSERT_TRUE(run_until([&] { return service->ready(); }));
  }

  void stop() {
    service->stop();
    ASSERT_TRUE(run_until([&] { return ended.has_value(); }));
    EXPECT_EQ(ended, 0);
    service.reset();
  }

  batch::SubmitAnswer submit(const std::string& name, const std::string& key, bool dry_run) {
    batch::JobSpec job;
    job.name = name;
    job.command.value = "true";
    std::optional<batch::SubmitAnswer> answer;
    service->submit({job}, key, dry_run,
                    [&](const batch::SubmitAnswer& given) { answer.emplace(given); });
    EXPECT_FALSE(answer.has_value()) << "never from within the request";
    EXPECT_TRUE(run_until([&] { return answer.has_value(); }));
    return *answer;
  }

  asio::io_context io{1};
  std::string directory;
  std::optional<int> ended;
  std::unique_ptr<MasterService> service;
};

TEST_F(MasterServiceTest, JobsAndEpochOutliveARestart) {
  start(config());
  EXPECT_EQ(service->core().master().epoch(), 1u);
  const batch::SubmitAnswer first = submit("count", "key-1", false);
  ASSERT_TRUE(first.jobs.has_value());
  stop();
  start(config());
  EXPECT_EQ(service->core().master().epoch(), 2u);
  ASSERT_NE(service->core().batch().find("count"), nullptr);
  const batch::SubmitAnswer again = submit("count", "key-1", false);
  ASSERT_TRUE(again.jobs.has_value());
  EXPECT_TRUE(again.repeated);
  EXPECT_EQ(*again.jobs, *first.jobs);
  stop();
}

TEST_F(MasterServiceTest, DryRunStoresNothing) {
  start(config());
  EXPECT_TRUE(submit("count", "", true).jobs.has_value());
  EXPECT_EQ(service->core().batch().find("count"), nullptr);
  stop();
}

TEST_F(MasterServiceTest, EndsAtOnceWhereWhatIsQueuedLeavesNothingToCommit) {
  start(config());
  batch::JobSpec job;
  job.command.value = "true";
  service->submit({job}, "", true, [](const batch::SubmitAnswer&) {});
  stop();
}

TEST_F(MasterServiceTest, CancelIsAnsweredAndTold) {
  start(config());
  std::vector<batch::JobState> states;
  service->subscribe([&](const batch::JobChanged& change) { states.push_back(change.state); });
  const batch::JobId job = submit("count", "", false).jobs->front();
  std::optional<bool> cancelled;
  service->control({0, batch::JobAction::cancel, job, "enough"},
                   [&](const Result<void>& result) { cancelled = result.has_value(); });
  ASSERT_TRUE(run_until([&] { return cancelled.has_value(); }));
  EXPECT_TRUE(*cancelled);
  ASSERT_FALSE(states.empty());
  EXPECT_EQ(states.back(), batch::JobState::cancelled);
  cancelled.reset();
  service->control({0, batch::JobAction::cancel, 4711, ""},
                   [&](const Result<void>& result) { cancelled = result.has_value(); });
  ASSERT_TRUE(run_until([&] { return cancelled.has_value(); }));
  EXPECT_FALSE(*cancelled);
  stop();
}

TEST_F(MasterServiceTest, SnapshotsShortenTheJournalAndLoseNothing) {
  MasterConfig often = config();
  often.snapshot_every = 3;
  start(often);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(submit("job-" + std::to_string(i), "", false).jobs.has_value());
  }
  stop();
  start(config());
  EXPECT_EQ(service->core().batch().jobs().size(), 20u);
  EXPECT_TRUE(service->core().check_invariants().empty());
  stop();
}

TEST_F(MasterServiceTest, SecondMasterOnTheDirectoryIsRefused) {
  start(config());
  MasterService second(io, config(), [](int) {});
  Result<void> started = second.start("127.0.0.1:2", {});
  ASSERT_FALSE(started.has_value());
  EXPECT_EQ(started.error().code, ErrorCode::already_exists);
  EXPECT_NE(started.error().message.find(directory), std::string::npos);
  stop();
}

TEST_F(MasterServiceTest, AddressFileIsThereWhileItRuns) {
  start(config());
  Result<MasterAddress> address = read_master_address(config().work_dir);
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->http, "127.0.0.1:1");
  EXPECT_EQ(address->cluster, service->cluster_address());
  stop();
  EXPECT_EQ(read_master_address(config().work_dir).error().code, ErrorCode::unavailable);
}

TEST(RoleWeight, IsARoleAndAPositiveAmount) {
  EXPECT_EQ(parse_role_weight("etl=2")->second, 2000);
  EXPECT_EQ(parse_role_weight("etl/daily=0.5")->first, "etl/daily");
  for (const char* text : {"etl", "etl=", "etl=0", "etl=-1", "=2", "a b=1"}) {
    EXPECT_FALSE(parse_role_weight(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace librm::daemon
