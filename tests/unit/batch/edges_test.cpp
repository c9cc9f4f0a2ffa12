// Dependencies: what each kind waits for, what becomes of what can never be, and retention.
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::TaskState;
using Names = std::vector<std::string>;

const char* const plenty = "cpus:8;mem:8192";

/// Parent 1 runs; children 2.. wait for it.
Bench with_children(std::vector<JobSpec> children) {
  Bench bench = connected();
  children.insert(children.begin(), job("parent"));
  EXPECT_TRUE(bench.submit(std::move(children)).has_value());
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.1"});
  return bench;
}

std::vector<JobSpec> one_of_each_kind() {
  return {job("ok").after("parent"), job("any").after("parent", EdgeKind::any),
          job("notok").after("parent", EdgeKind::not_ok),
          job("start").after("parent", EdgeKind::start)};
}

TEST(Edges, ASuccessSatisfiesOkAndAny) {
  Bench bench = with_children(one_of_each_kind());
  bench.running("1.1.1");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"5.1.1"}) << "it runs: that is what 'start' waits for";
  bench.finished("1.1.1");
  EXPECT_EQ(bench.state(4), "cancelled: DependencyNeverSatisfied: job 1 (parent) finished");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), (Names{"2.1.1", "3.1.1"}));
}

TEST(Edges, AStartKnownOnlyFromTheEndSatisfiesStart) {
  JobSpec parent = job("parent");
  parent.retries = 1;
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({parent, job("start").after("parent", EdgeKind::start)}).has_value());
  bench.offer(1, plenty);
  librm::StatusUpdate end;
  end.framework = {1};
  end.task = "1.1.1";
  end.agent = {1};
  end.state = TaskState::failed;
  end.exit_code = 1;
  end.sequence = 2;
  end.started = bench.clock.wall;
  bench.message(librm::StatusUpdates{{end}});
  bench.flush();
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), (Names{"1.1.2", "2.1.1"})) << "the parent itself is to be retried";
}

TEST(Edges, AFailureSatisfiesAnyAndNotOk) {
  Bench bench = with_children(one_of_each_kind());
  bench.failed("1.1.1");
  EXPECT_EQ(bench.state(2), "cancelled: DependencyNeverSatisfied: job 1 (parent) failed");
  EXPECT_EQ(bench.state(5), "cancelled: DependencyNeverSatisfied: job 1 (parent) never started");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), (Names{"3.1.1", "4.1.1"}));
}

TEST(Edges, ACancelledParentIsNotOk) {
  Bench bench = connected();
  ASSERT_TRUE(bench
                  .submit({job("parent"), job("ok").after("parent"),
                           job("notok").after("parent", EdgeKind::not_ok)})
                  .has_value());
  EXPECT_EQ(bench.cancel(1), "ok");
  EXPECT_EQ(bench.state(2), "cancelled: DependencyNeverSatisfied: job 1 (parent) was cancelled");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"3.1.1"});
}

TEST(Edges, CancellationCascadesThroughAllDescendants) {
  Bench bench = connected();
  std::vector<JobSpec> chain{job("j0")};
  for (int i = 1; i < 2000; ++i) {
    chain.push_back(job("j" + std::to_string(i)).after("j" + std::to_string(i - 1)));
  }
  ASSERT_TRUE(bench.submit(chain).has_value());
  EXPECT_EQ(bench.cancel(1), "ok");
  EXPECT_EQ(bench.state(2000),
            "cancelled: DependencyNeverSatisfied: job 1999 (j1998) was cancelled");
}

TEST(Edges, HoldAndRunAreTheOtherPolicies) {
  Bench bench = with_children({job("hold").after("parent").on_failed(OnDependencyFailed::hold),
                               job("run").after("parent").on_failed(OnDependencyFailed::run)});
  bench.failed("1.1.1");
  EXPECT_EQ(bench.state(2), "held: DependencyNeverSatisfied: job 1 (parent) failed");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"3.1.1"});
}

TEST(Edges, ParentsThatHaveEndedAreResolvedAtOnceByIdOrName) {
  Bench bench = with_children({});
  bench.finished("1.1.1");
  ASSERT_TRUE(bench
                  .submit({job("by-id").after("1"), job("by-name").after("parent"),
                           job("never").after("parent", EdgeKind::not_ok)})
                  .has_value());
  EXPECT_EQ(bench.state(4), "cancelled: DependencyNeverSatisfied: job 1 (parent) finished");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), (Names{"2.1.1", "3.1.1"}));
}

TEST(Edges, ANameMeansTheSameSubmissionFirstThenTheLiveJob) {
  Bench bench = with_children({});
  bench.finished("1.1.1");
  ASSERT_TRUE(bench.submit({job("child").after("parent"), job("parent")}).has_value());
  EXPECT_EQ(bench.core->find(2)->edges.at(0).parent, 3u);
  ASSERT_TRUE(bench.submit({job("other").after("parent")}).has_value());
  EXPECT_EQ(bench.core->find(4)->edges.at(0).parent, 3u);
}

TEST(Edges, AChildWaitsForAllItsParents) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("b"), job("c").after("a").after("b")}).has_value());
  bench.offer(1, plenty);
  bench.finished("1.1.1");
  bench.offer(1, plenty);
  EXPECT_TRUE(bench.launched().empty());
  bench.finished("2.1.1");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"3.1.1"});
}

TEST(Edges, ARetryOfTheParentIsStillTheSameRun) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a").retries(1), job("b").after("a")}).has_value());
  bench.offer(1, plenty);
  bench.failed("1.1.1");
  EXPECT_EQ(bench.state(2), "pending");
  bench.offer(1, plenty);
  bench.finished("1.1.2");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"2.1.1"});
}

TEST(Retention, ForgetsTheOldestEndedJobsThatNobodyLiveDependsOn) {
  BatchOptions options;
  options.ended_jobs_max = 2;
  Bench bench = connected(options);
  ASSERT_TRUE(
      bench.submit({job("a"), job("b"), job("c"), job("d"), job("child").after("a").after("d")})
          .has_value());
  bench.offer(1, plenty);
  for (const char* task : {"1.1.1", "2.1.1", "3.1.1"}) {
    bench.finished(task);
    bench.pass(librm::seconds(1));
  }
  EXPECT_EQ(bench.state(1), "finished") << "the oldest, but a live child has an edge to it";
  EXPECT_EQ(bench.state(2), "none");
  EXPECT_EQ(bench.core->find("b"), nullptr);
  EXPECT_EQ(bench.state(3), "finished");
  EXPECT_EQ(bench.refusal({job("late").after("2")}),
            "invalid_argument: job late: after_ok: no job '2' is known");
}

TEST(Retention, IdsOfForgottenJobsAreNeverGivenAgain) {
  BatchOptions options;
  options.ended_jobs_max = 0;
  Bench bench = connected(options);
  ASSERT_TRUE(bench.submit({job("a")}).has_value());
  EXPECT_EQ(bench.cancel(1), "ok");
  EXPECT_TRUE(bench.core->jobs().empty());
  bench.records = bench.core->snapshot();
  bench.restart();
  bench.connect();
  EXPECT_EQ(bench.submit({job("b")}).value(), std::vector<JobId>{2});
}

}  // namespace
}  // namespace batch::test
