// A state that is older than its cluster: what waits is held, and no number is used again.
#include "batch/restore.hpp"

#include "batch/edge/record_codec.hpp"
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;
using librm::TaskState;

const char* const plenty = "cpus:8;mem:8192";

/// The bench's records so far as a backup, restored under this number, and connected.
RestorePlan restore(Bench& bench, std::uint32_t number, bool hold = true) {
  RestorePlan plan = plan_restore(*bench.core, {number, hold});
  bench.records.insert(bench.records.end(), plan.records.begin(), plan.records.end());
  bench.restart();
  EXPECT_EQ(bench.core->check_invariants(), std::vector<std::string>{});
  bench.connect();
  return plan;
}

const Job& job_of(const Bench& bench, JobId id) { return *bench.core->find(id); }

TEST(Restore, HoldsWhatWaitedUnlessItMayRunTwice) {
  Bench bench;
  bench.connect();
  const auto ids = bench.submit({job("a"), job("b").lost(LostPolicy::rerun), job("c")}).value();
  const RestorePlan plan = restore(bench, 5000);
  EXPECT_EQ(plan.held, 2u);
  EXPECT_EQ(job_of(bench, ids[0]).state, JobState::held);
  EXPECT_NE(job_of(bench, ids[0]).reason.find("restored from a backup"), std::string::npos);
  EXPECT_EQ(job_of(bench, ids[1]).state, JobState::pending);
  EXPECT_EQ(bench.control(JobAction::release, ids[2]), "ok");
  EXPECT_EQ(job_of(bench, ids[2]).state, JobState::pending);
}

TEST(Restore, LeavesThemWaitingWhereAPersonKnows) {
  Bench bench;
  bench.connect();
  const auto ids = bench.submit({job("a")}).value();
  EXPECT_EQ(restore(bench, 5000, false).held, 0u);
  EXPECT_EQ(job_of(bench, ids[0]).state, JobState::pending);
}

TEST(Restore, GivesNoIdOfAJobOrTaskAgain) {
  Bench bench;
  bench.connect();
  const auto ids = bench.submit({job("a").lost(LostPolicy::rerun)}).value();
  const RestorePlan plan = restore(bench, 5000);
  EXPECT_EQ(bench.submit({job("b")}).value().front(), plan.next_job);
  EXPECT_GT(plan.next_job, ids[0] + 1000);
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(),
            (std::vector<std::string>{"1.1.5001", std::to_string(plan.next_job) + ".1.5001"}));
  bench.failed("1.1.5001");
  EXPECT_EQ(bench.control(JobAction::retry, ids[0]), "ok");
  bench.offer(2, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.2.5001"});
}

TEST(Restore, NumbersSurviveSnapshotsAndTheirEncoding) {
  Bench bench;
  bench.connect();
  (void)bench.submit({job("a").lost(LostPolicy::rerun)});
  restore(bench, 5000);
  std::vector<BatchRecord> records;
  for (const BatchRecord& record : bench.core->snapshot()) {
    const auto again = decode_batch_record(encode_batch_record(record));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, record);
    records.push_back(*again);
  }
  bench.records = records;
  bench.restart();
  bench.connect();
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.1.5001"});
}

TEST(Restore, WhatItsAgentHasForgottenIsLostAndNotLaunchedAnew) {
  Bench bench;
  bench.connect();
  const auto ids = bench.submit({job("once"), job("again").lost(LostPolicy::rerun)}).value();
  bench.offer(1, plenty);
  restore(bench, 5000);
  bench.update("1.1.1", TaskState::dropped, {}, librm::TaskReason::reconciliation);
  bench.update("2.1.1", TaskState::unknown, {}, librm::TaskReason::reconciliation);
  EXPECT_EQ(job_of(bench, ids[0]).state, JobState::failed);
  EXPECT_NE(job_of(bench, ids[0]).reason.find("restored from a backup"), std::string::npos);
  EXPECT_EQ(job_of(bench, ids[1]).state, JobState::pending);
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2.1.5001"});
  // One that was launched since never arrived, as ever.
  bench.update("2.1.5001", TaskState::unknown, {}, librm::TaskReason::reconciliation);
  EXPECT_EQ(job_of(bench, ids[1]).state, JobState::pending);
}

/// In how many of these steps it asks what its agents run.
int questions(Bench& bench, int steps, librm::Duration step) {
  bench.actions.clear();
  for (int i = 0; i < steps; ++i) bench.pass(step);
  return static_cast<int>(bench.sent<librm::ReconcileTasks>().size());
}

TEST(Restore, AsksItsAgentsForStraysOftenOnlyWhenOneComes) {
  Bench bench;
  bench.connect();
  (void)bench.submit({job("a")});
  EXPECT_EQ(questions(bench, 10, seconds(60)), 0) << "nothing was restored";
  restore(bench, 5000);
  EXPECT_EQ(questions(bench, 60, seconds(1)), 4) << "after 0, 5, 15, and 35 s";
  EXPECT_EQ(questions(bench, 3600, seconds(1)), 14) << "each 5 min in the end";
  bench.shape({node(1, plenty)});
  EXPECT_EQ(questions(bench, 4, seconds(1)), 1) << "at once";
  EXPECT_EQ(questions(bench, 12, seconds(1)), 2) << "after 5 and 15 s";
  ClusterShape::Node away = node(1, plenty);
  away.reachable = false;
  bench.shape({away});
  EXPECT_EQ(questions(bench, 10, seconds(1)), 0) << "who is away has no news";
  bench.shape({node(1, plenty)});
  EXPECT_EQ(questions(bench, 2, seconds(1)), 1);
}

TEST(Restore, WhatRunsOnGoesOn) {
  Bench bench;
  bench.connect();
  const auto ids = bench.submit({job("a")}).value();
  bench.offer(1, plenty);
  restore(bench, 5000);
  EXPECT_EQ(job_of(bench, ids[0]).state, JobState::running);
  bench.running("1.1.1");
  bench.finished("1.1.1");
  EXPECT_EQ(job_of(bench, ids[0]).state, JobState::finished);
}

TEST(Restore, ElementsOfArraysAreHeldToo) {
  Bench bench;
  bench.connect();
  JobSpec array = job("a");
  array.array = ArraySpec{librm::Ranges({{1, 3}}), 0};
  const auto ids = bench.submit({array}).value();
  EXPECT_EQ(restore(bench, 5000).held, 1u);
  EXPECT_EQ(job_of(bench, ids[0]).elements->counts[JobState::held], 3u);
  EXPECT_EQ(bench.control(JobAction::release, ids[0], "2"), "ok");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1_2.1.5001"});
}

}  // namespace
}  // namespace batch::test
