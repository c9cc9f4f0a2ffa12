// Arrays: one job, many elements, each with a state, attempts and an end of its own.
#include <gtest/gtest.h>

#include "harness.hpp"

namespace batch::test {
namespace {

/// The elements of `job` whose tasks were launched since actions were last cleared: `0,1,5-7`.
std::string launched_elements(const Bench& bench) {
  std::vector<librm::Range> indices;
  for (const std::string& task : bench.launched()) {
    const auto name = parse_task_id(task).value();
    indices.push_back({name.index.value(), name.index.value()});
  }
  return indices_text(librm::Ranges(std::move(indices)));
}

std::string task_of(JobId job, std::uint32_t index, std::uint32_t run = 1,
                    std::uint32_t attempt = 1) {
  return task_id({job, index, run, attempt});
}

TEST(Arrays, RunsEachElementAsATaskOfItsOwn) {
  Bench bench = connected();
  EXPECT_EQ(bench.submit({job("train").array("0-4:2")}).value(), std::vector<JobId>{1});
  EXPECT_EQ(bench.elements(1), "pending 0-4:2");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), (std::vector<std::string>{"1_0.1.1", "1_2.1.1", "1_4.1.1"}));
  const auto tasks = bench.sent<librm::AcceptOffers>().at(0).tasks;
  EXPECT_EQ(tasks[1].name, "train");
  const auto& environment = tasks[1].command.environment;
  EXPECT_EQ(environment.at("RM_ARRAY_INDEX"), "2");
  EXPECT_EQ(environment.at("RM_ARRAY_COUNT"), "3");
  EXPECT_EQ(environment.at("RM_ARRAY_MIN"), "0");
  EXPECT_EQ(environment.at("RM_ARRAY_MAX"), "4");
  EXPECT_EQ(bench.state(1), "running");
  for (const std::uint32_t index : {4u, 0u}) {
    bench.running(task_of(1, index));
    bench.finished(task_of(1, index));
  }
  EXPECT_EQ(bench.elements(1), "running 2; finished 0,4");
  bench.finished(task_of(1, 2));
  EXPECT_EQ(bench.state(1), "finished");
  EXPECT_EQ(bench.core->find(1)->exit_code, 0);
}

TEST(Arrays, StartAsOffersComeAndNoMoreThanMayAtATime) {
  Bench bench = connected();
  bench.submit({job("a").array("0-9%3")}).value();
  bench.offer(1, "cpus:2;mem:8192");
  EXPECT_EQ(launched_elements(bench), "0-1");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(launched_elements(bench), "2");
  EXPECT_EQ(bench.why(1), "pending 0ms · at most 3 elements run at the same time");
  bench.finished(task_of(1, 1));
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(launched_elements(bench), "3");
  EXPECT_EQ(bench.elements(1), "pending 4-9; running 0,2-3; finished 1");
}

TEST(Arrays, LeavesWhatIsLeftToTheNextJob) {
  Bench bench = connected();
  bench.submit({job("a").array("0-9%2"), job("b")}).value();
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), (std::vector<std::string>{"1_0.1.1", "1_1.1.1", "2.1.1"}));
}

TEST(Arrays, RetriesAnElementBeforeItStartsFreshOnes) {
  Bench bench = connected();
  bench.submit({job("a").array("0-5%2").retries(1)}).value();
  bench.offer(1, "cpus:8;mem:8192");
  bench.failed(task_of(1, 0), 3);
  EXPECT_EQ(bench.elements(1), "pending 0,2-5; running 1");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1_0.1.2"});
  bench.failed(task_of(1, 0, 1, 2), 4);
  EXPECT_EQ(element_of(*bench.core->find(1), 0)->reason, "exit code 4 (attempt 2)");
  EXPECT_EQ(bench.elements(1), "pending 2-5; running 1; failed 0");
}

TEST(Arrays, FailAsAWholeWhenAllAreOverAndOneHasFailed) {
  Bench bench = connected();
  bench.submit({job("a").array("1-4"), job("b").after("a"), job("c").after("a", EdgeKind::any)})
      .value();
  bench.offer(1, "cpus:8;mem:8192");
  bench.failed(task_of(1, 3), 7);
  bench.failed(task_of(1, 2), 5);
  EXPECT_EQ(bench.state(1), "running");
  bench.finished(task_of(1, 1));
  EXPECT_EQ(bench.state(3), "pending");
  bench.finished(task_of(1, 4));
  EXPECT_EQ(bench.state(1), "failed: 2 of 4 elements failed: 2-3");
  EXPECT_EQ(bench.core->find(1)->exit_code, 7);
  EXPECT_EQ(bench.state(2), "cancelled: DependencyNeverSatisfied: job 1 (a) failed");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"3.1.1"});
}

TEST(Arrays, CancelsSomeOrAll) {
  Bench bench = connected();
  bench.submit({job("a").array("0-9%2")}).value();
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.control(JobAction::cancel, 1, "1,8-9", "not these"), "ok");
  EXPECT_EQ(bench.sent<librm::KillTask>().at(0).task, task_of(1, 1));
  EXPECT_EQ(bench.elements(1), "pending 2-7; running 0-1; cancelled 8-9");
  bench.update(task_of(1, 1), librm::TaskState::killed, {}, librm::TaskReason::killed_by_framework);
  EXPECT_EQ(element_of(*bench.core->find(1), 1)->reason, "not these");
  EXPECT_EQ(bench.cancel(1, "enough"), "ok");
  EXPECT_EQ(bench.elements(1), "running 0; cancelled 1-9");
  EXPECT_EQ(bench.state(1), "running: enough");
  bench.update(task_of(1, 0), librm::TaskState::killed, {}, librm::TaskReason::killed_by_framework);
  EXPECT_EQ(bench.state(1), "cancelled: not these");
  EXPECT_EQ(bench.cancel(1), "ok");
}

TEST(Arrays, RetriesOnlyWhatDidNotFinish) {
  Bench bench = connected();
  bench.submit({job("a").array("0-3")}).value();
  bench.offer(1, "cpus:3;mem:8192");
  bench.failed(task_of(1, 0));
  bench.finished(task_of(1, 1));
  bench.finished(task_of(1, 2));
  bench.cancel(1);
  EXPECT_EQ(bench.state(1), "failed: 1 of 4 elements failed: 0; 1 cancelled");
  EXPECT_EQ(bench.control(JobAction::retry, 1, "1"),
            "job 1 (a): only what failed or was cancelled can be retried, element 1 is finished");
  EXPECT_EQ(bench.control(JobAction::retry, 1), "ok");
  EXPECT_EQ(bench.elements(1), "pending 0,3; finished 1-2");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), (std::vector<std::string>{"1_0.2.1", "1_3.1.1"}));
}

TEST(Arrays, HoldsReleasesAndRequeuesElements) {
  Bench bench = connected();
  bench.submit({job("a").array("0-3").hold()}).value();
  EXPECT_EQ(bench.state(1), "held: held by its submitter");
  EXPECT_EQ(bench.control(JobAction::release, 1, "0-1"), "ok");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(launched_elements(bench), "0-1");
  EXPECT_EQ(bench.control(JobAction::hold, 1, "0"),
            "job 1 (a): only what waits can be held, element 0 is running");
  EXPECT_EQ(bench.control(JobAction::requeue, 1), "ok");
  EXPECT_EQ(bench.sent<librm::KillTask>().size(), 2u);
  EXPECT_EQ(bench.control(JobAction::retry, 1, "0"),
            "job 1 (a): only what failed or was cancelled can be retried, element 0 is running");
  bench.update(task_of(1, 0), librm::TaskState::killed, {}, librm::TaskReason::killed_by_framework);
  bench.finished(task_of(1, 1));
  EXPECT_EQ(bench.elements(1), "pending 0; held 2-3; finished 1");
  EXPECT_EQ(bench.control(JobAction::release, 1), "ok");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), (std::vector<std::string>{"1_0.2.1", "1_2.1.1", "1_3.1.1"}));
}

TEST(Arrays, AnElementFollowsTheSameElementOfItsParent) {
  Bench bench = connected();
  bench
      .submit({job("in").array("0-3"), job("out").array("0-3").after("in", EdgeKind::corresponding),
               job("sum").after("out")})
      .value();
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched().size(), 4u);
  EXPECT_EQ(bench.why(2), "pending 0ms · waits for job 1 (in), running");
  bench.finished(task_of(1, 2));
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2_2.1.1"});
  bench.failed(task_of(1, 0));
  EXPECT_EQ(bench.elements(2), "pending 1,3; running 2; cancelled 0");
  EXPECT_EQ(element_of(*bench.core->find(2), 0)->reason,
            "DependencyNeverSatisfied: the same element of job 1 (in) did not finish");
  bench.finished(task_of(1, 1));
  bench.finished(task_of(1, 3));
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(launched_elements(bench), "1,3");
  for (const std::uint32_t index : {1u, 2u, 3u}) bench.finished(task_of(2, index));
  EXPECT_EQ(bench.state(3), "cancelled: DependencyNeverSatisfied: job 2 (out) was cancelled");
}

TEST(Arrays, AnElementFollowsTheSameElementAlsoWhenBothAreRetried) {
  Bench bench = connected();
  bench
      .submit(
          {job("in").array("0-1"), job("out").array("0-1").after("in", EdgeKind::corresponding)})
      .value();
  bench.offer(1, "cpus:8;mem:8192");
  bench.failed(task_of(1, 0));
  bench.finished(task_of(1, 1));
  bench.offer(1, "cpus:8;mem:8192");
  bench.finished(task_of(2, 1));
  EXPECT_EQ(bench.elements(2), "finished 1; cancelled 0");
  EXPECT_EQ(bench.control(JobAction::retry, 1), "ok");
  EXPECT_EQ(bench.control(JobAction::retry, 2), "ok");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1_0.2.1"});
  bench.finished(task_of(1, 0, 2));
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2_0.1.1"});
}

TEST(Arrays, AReleasedElementWaitsForNothingThatCanNeverBe) {
  Bench bench = connected();
  bench
      .submit({job("in").array("0-2"), job("out")
                                           .array("0-2")
                                           .after("in", EdgeKind::corresponding)
                                           .on_failed(OnDependencyFailed::hold)})
      .value();
  EXPECT_EQ(bench.control(JobAction::cancel, 1, "1"), "ok");
  EXPECT_EQ(bench.control(JobAction::hold, 2, "2"), "ok");
  EXPECT_EQ(bench.elements(2), "pending 0; held 1-2");
  EXPECT_EQ(bench.control(JobAction::release, 2, "1-2"), "ok");
  EXPECT_EQ(bench.elements(2), "pending 0-2");
  Bench later;
  later.records = bench.core->snapshot();
  later.restart();
  later.connect();
  for (Bench* one : {&bench, &later}) {
    one->offer(1, "cpus:8;mem:8192");
    EXPECT_EQ(one->launched(), (std::vector<std::string>{"1_0.1.1", "1_2.1.1", "2_1.1.1"}));
    EXPECT_EQ(one->elements(2), "pending 0,2; running 1");
  }
}

TEST(Arrays, AnElementThatWaitsForItsTurnWaitsForARetriedParentAgain) {
  Bench bench = connected();
  bench
      .submit({job("in").array("0-1"), job("out")
                                           .array("0-1%1")
                                           .after("in", EdgeKind::corresponding)
                                           .on_failed(OnDependencyFailed::run)})
      .value();
  EXPECT_EQ(bench.control(JobAction::cancel, 1), "ok");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2_0.1.1"});
  EXPECT_EQ(bench.control(JobAction::retry, 1, "1"), "ok");
  bench.running("2_0.1.1");
  bench.finished("2_0.1.1");
  bench.offer(2, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1_1.1.1"});
  bench.finished("1_1.1.1");
  bench.offer(3, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2_1.1.1"});
}

TEST(Arrays, FollowTheirParentsWhateverHappensToThese) {
  Bench bench = connected();
  bench
      .submit({job("in").array("0-2"),
               job("held")
                   .array("0-2")
                   .after("in", EdgeKind::corresponding)
                   .on_failed(OnDependencyFailed::hold),
               job("runs")
                   .array("0-2")
                   .after("in", EdgeKind::corresponding)
                   .on_failed(OnDependencyFailed::run)})
      .value();
  EXPECT_EQ(bench.control(JobAction::cancel, 1, "1"), "ok");
  EXPECT_EQ(bench.elements(2), "pending 0,2; held 1");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), (std::vector<std::string>{"1_0.1.1", "1_2.1.1", "3_1.1.1"}));
}

TEST(Arrays, ARefusedArraySaysWhatIsWrong) {
  BatchOptions options;
  options.jobs_max = 100;
  Bench bench = connected(options);
  EXPECT_EQ(bench.refusal({job("a").array("0-100")}),
            "resource_exhausted: jobs: 0 are live and 101 more are submitted, each element of an "
            "array counted, the limit is 100");
  JobSpec empty = job("a");
  empty.array.emplace();
  EXPECT_EQ(bench.refusal({empty}), "invalid_argument: job a: array: it has no indices");
  EXPECT_EQ(bench.refusal({job("a").array("0-3"), job("b").after("a", EdgeKind::corresponding)}),
            "invalid_argument: job b: after_corr: 'a': one of the two is an array and the other "
            "is not");
  EXPECT_EQ(bench.refusal(
                {job("a").array("0-3"), job("b").array("2-5").after("a", EdgeKind::corresponding)}),
            "invalid_argument: job b: after_corr: 'a': it has no element 4, its elements are 0-3");
  bench.submit({job("a").array("0-3")}).value();
  EXPECT_EQ(bench.control(JobAction::cancel, 1, "3-4"),
            "job 1 (a): it has no element 4, its elements are 0-3");
  bench.submit({job("b")}).value();
  EXPECT_EQ(bench.control(JobAction::cancel, 2, "0"),
            "job 2 (b): it is no array, it has no elements");
}

TEST(Arrays, CostNoMoreThanAJobWhileTheyWait) {
  BatchOptions options;
  options.jobs_max = 2'000'000;
  Bench bench = connected(options);
  bench.submit({job("a").array("0-999999")}).value();
  EXPECT_EQ(bench.records.size(), 2u);  // the framework's id, and the job
  EXPECT_EQ(bench.core->find(1)->elements->groups.size(), 1u);
  EXPECT_TRUE(bench.core->find(1)->elements->launched.empty());
  bench.cancel(1);
  EXPECT_EQ(bench.records.size(), 3u);
  EXPECT_EQ(bench.state(1), "cancelled: cancelled");
}

TEST(Arrays, AreForgottenByWhatTheyHold) {
  BatchOptions options;
  options.ended_jobs_max = 10;
  Bench bench = connected(options);
  for (const char* name : {"a", "b", "c"}) {
    const JobId id = bench.submit({job(name).array("0-5")}).value().front();
    bench.cancel(id);
    bench.pass(librm::seconds(1));
  }
  EXPECT_EQ(bench.core->find(1), nullptr);
  EXPECT_EQ(bench.elements(2), "cancelled 0-5") << "what is kept is not less than the limit";
  EXPECT_EQ(bench.elements(3), "cancelled 0-5");
}

/// At each moment a new process knows the same, and starts no element that was started.
TEST(Arrays, AnyPrefixOfTheJournalGoesOn) {
  const auto play = [](Bench& bench) {
    bench
        .submit({job("a").array("0-7%3").retries(1),
                 job("b").array("0-7").after("a", EdgeKind::corresponding)})
        .value();
    bench.control(JobAction::cancel, 1, "6");
    bench.offer(1, "cpus:8;mem:8192");
    bench.running(task_of(1, 0));
    bench.failed(task_of(1, 0));
    bench.finished(task_of(1, 1));
    bench.offer(1, "cpus:8;mem:8192");
    bench.control(JobAction::requeue, 1, "2");
    bench.control(JobAction::hold, 1, "5");
    bench.update(task_of(1, 2), librm::TaskState::killed);
    bench.finished(task_of(1, 0, 1, 2));
    bench.offer(1, "cpus:8;mem:8192");
  };
  Bench whole = connected();
  play(whole);
  const std::vector<BatchRecord> journal = whole.records;
  for (std::size_t count = 0; count <= journal.size(); ++count) {
    Bench bench;
    bench.records = journal;
    bench.restart(count);
    Bench snapshot;
    snapshot.records = bench.core->snapshot();
    snapshot.restart();
    EXPECT_EQ(snapshot.core->snapshot(), bench.core->snapshot()) << count;
    std::set<std::string> before;
    for (const auto& [id, one] : bench.core->jobs()) {
      for (const auto& [index, execution] : one.elements->launched) {
        for (const Attempt& attempt : execution.attempts) {
          before.insert(task_of(id, index, attempt.run, attempt.attempt));
        }
      }
    }
    bench.connect();
    bench.offer(1, "cpus:8;mem:8192");
    for (const std::string& task : bench.launched()) EXPECT_EQ(before.count(task), 0u) << task;
  }
}

}  // namespace
}  // namespace batch::test
