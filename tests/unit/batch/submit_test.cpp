// Submissions: what is refused, in which words, and that nothing of it is stored.
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;

TEST(Submission, GivesIdsInOrderAndNamesWhatHasNone) {
  Bench bench = connected();
  JobSpec unnamed = job("");
  const auto ids = bench.submit({job("a"), unnamed});
  ASSERT_TRUE(ids.has_value());
  EXPECT_EQ(*ids, (std::vector<JobId>{1, 2}));
  EXPECT_EQ(bench.core->find(2)->spec.name, "job-2");
  EXPECT_EQ(bench.core->find("a")->id, 1u);
  EXPECT_EQ(bench.core->find("nobody"), nullptr);
  EXPECT_EQ(bench.core->find(1)->spec.request.amounts.at("mem"), librm::Amount::units(128));
}

TEST(Submission, NamesGivenToJobsWithoutOneAreFree) {
  Bench bench = connected();
  JobSpec unnamed = job("");
  ASSERT_TRUE(bench.submit({job("job-2"), unnamed}).has_value());
  EXPECT_EQ(bench.core->find(2)->spec.name, "job-2-");
}

TEST(Submission, NamesTheJobTheFieldAndTheLimit) {
  Bench bench = connected();
  const std::string bad = "invalid_argument: ";
  EXPECT_EQ(bench.refusal({}), bad + "jobs: the list is empty");
  EXPECT_EQ(bench.refusal({job("a"), job("b c")}),
            bad + "job #2: name: 'b c' has other characters than [A-Za-z0-9._-]");
  EXPECT_EQ(bench.refusal({job("42")}),
            bad + "the job: name: '42' would be taken for a job's id, an element's or 'last'");
  EXPECT_EQ(bench.refusal({job("last-2")}),
            bad + "the job: name: 'last-2' would be taken for a job's id, an element's or 'last'");
  EXPECT_EQ(bench.refusal({job(std::string(129, 'x'))}),
            bad + "the job: name: 129 bytes, at most 128");
  EXPECT_EQ(bench.refusal({job("a").command(" \n")}), bad + "job a: command: is empty");
  EXPECT_EQ(bench.refusal({job("a").cpus(0)}), bad + "job a: cpus: must be more than 0, is 0");
  EXPECT_EQ(bench.refusal({job("a").cpus(-2)}), bad + "job a: cpus: must be more than 0, is -2");
  EXPECT_EQ(bench.refusal({job("a").mem(2'000'000'000)}),
            bad + "job a: mem: 2000000000 is more than the limit of 1000000000");
  EXPECT_EQ(bench.refusal({job("a").retries(1001)}), bad + "job a: retries: 1001, at most 1000");
  EXPECT_EQ(bench.refusal({job("a").priority(2'000'000)}),
            bad + "job a: priority: 2000000 is outside of -1000000 to 1000000");
  EXPECT_EQ(bench.refusal({job("a").time_limit(seconds(-1))}),
            bad + "job a: time: -1s is outside of 1ms to 3650d");
  EXPECT_EQ(bench.refusal({job("a"), job("a")}),
            bad + "job a: name: used twice in this submission");
  EXPECT_EQ(bench.refusal({job("a").after("nobody")}),
            bad + "job a: after_ok: no job 'nobody' is known");
  EXPECT_EQ(bench.refusal({job("a").after("17", EdgeKind::not_ok)}),
            bad + "job a: after_notok: no job '17' is known");
  JobSpec other_role = job("a");
  other_role.role = "physics";
  EXPECT_EQ(bench.refusal({other_role}),
            bad + "job a: role: no offers come in 'physics', only in *");
  JobSpec zero = job("a");
  zero.command.environment["A"] = std::string("x\0y", 3);
  EXPECT_EQ(bench.refusal({zero}), bad + "job a: env: A: has a zero byte");
}

TEST(Submission, PrintsTheCycle) {
  Bench bench = connected();
  EXPECT_EQ(bench.refusal({job("a").after("b"), job("b").after("a")}),
            "invalid_argument: dependency cycle: a -> b -> a");
  EXPECT_EQ(bench.refusal({job("x"), job("a").after("a")}),
            "invalid_argument: dependency cycle: a -> a");
  EXPECT_EQ(bench.refusal({job("d").after("a"), job("a").after("b"), job("b").after("c"),
                           job("c").after("a", EdgeKind::any)}),
            "invalid_argument: dependency cycle: a -> b -> c -> a");
}

TEST(Submission, RefusesWhatIsLargerThanAnyAgent) {
  Bench bench;
  bench.connect();
  EXPECT_TRUE(bench.submit({job("early").cpus(64)}).has_value()) << "no agent is known yet";
  bench.shape({node(1, "cpus:4;mem:65536"), node(2, "cpus:8;mem:1024")});
  EXPECT_EQ(bench.refusal({job("big").cpus(64)}),
            "resource_exhausted: job big: cpus: need 64, the largest agent (a-2, host-2) has 8");
  EXPECT_EQ(bench.refusal({job("big").cpus(8).mem(65536)}),
            "resource_exhausted: job big: no agent has cpus:8;mem:65536 together; for example "
            "a-1 (host-1): cpus: need 8, free 4");
  EXPECT_EQ(bench.refusal({job("gpu").amount("gpus", 1)}),
            "resource_exhausted: job gpu: gpus: need 1, the largest agent (a-1, host-1) has 0");
}

TEST(Submission, OneLiveJobOfAName) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a")}).has_value());
  EXPECT_EQ(bench.refusal({job("b"), job("a")}),
            "already_exists: job a: name: job 1 has it and is pending; cancel it or choose another "
            "name");
  EXPECT_EQ(bench.core->find("b"), nullptr);
  EXPECT_EQ(bench.cancel(1), "ok");
  EXPECT_EQ(bench.submit({job("a")}).value(), std::vector<JobId>{2});
  EXPECT_EQ(bench.core->find("a")->id, 2u);
}

TEST(Submission, ARepeatedKeyIsAnsweredAndNotRepeated) {
  Bench bench = connected();
  ASSERT_EQ(bench.submit({job("a"), job("b")}, "k").value(), (std::vector<JobId>{1, 2}));
  EXPECT_FALSE(bench.repeated);
  EXPECT_EQ(bench.submit({job("a"), job("b")}, "k").value(), (std::vector<JobId>{1, 2}));
  EXPECT_TRUE(bench.repeated);
  const auto other = bench.submit({job("c")}, "k");
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().message,
            "idempotency key 'k': it was used for another submission, of job 1");
  bench.restart();
  bench.connect();
  EXPECT_EQ(bench.submit({job("a"), job("b")}, "k").value(), (std::vector<JobId>{1, 2}));
  EXPECT_TRUE(bench.repeated);
}

TEST(Submission, ADryRunStoresNothing) {
  Bench bench = connected();
  bench.step(SubmitJobs{1, {job("a")}, "k", true});
  EXPECT_TRUE(bench.outputs<SubmitAnswer>().at(0).jobs.value().empty());
  EXPECT_TRUE(bench.core->jobs().empty());
  EXPECT_EQ(bench.submit({job("a")}, "k").value(), std::vector<JobId>{1});
}

TEST(Submission, FilesToFetchAreTheAgentsBusiness) {
  Bench bench = connected();
  JobSpec spec = job("a");
  spec.command.fetch = {{"http://host/words.txt", "words", false, false}};
  ASSERT_TRUE(bench.submit({spec}).has_value());
  bench.offer(1, "cpus:8;mem:8192");
  const auto accepted = bench.sent<librm::AcceptOffers>();
  ASSERT_EQ(accepted.size(), 1u);
  EXPECT_EQ(accepted[0].tasks.at(0).command.fetch, spec.command.fetch);
  bench.update("1.1.1", librm::TaskState::failed, {}, librm::TaskReason::fetch_failed);
  bench.step(ControlJob{8, JobAction::retry, 1, {}});
  EXPECT_TRUE(bench.outputs<ControlAnswer>().back().result.has_value());
}

TEST(Submission, IsRefusedWhileTheDiskIsNearlyFull) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("before")}).has_value());
  bench.step(librm::StorageLow{true});
  EXPECT_EQ(bench.refusal({job("a")}),
            "unavailable: no submissions are taken: the disk of the journal is nearly full");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_TRUE(bench.launched().empty());
  EXPECT_NE(bench.why(1).find("nothing is started: the disk"), std::string::npos);
  bench.step(librm::StorageLow{false});
  bench.flush();
  EXPECT_FALSE(bench.sent<librm::ReviveOffers>().empty());
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.1.1"});
}

TEST(Submission, BeyondTheLimitOfLiveJobsIsRefused) {
  BatchOptions options;
  options.jobs_max = 2;
  Bench bench = connected(options);
  ASSERT_TRUE(bench.submit({job("a")}).has_value());
  EXPECT_EQ(bench.refusal({job("b"), job("c")}),
            "resource_exhausted: jobs: 1 are live and 2 more are submitted, the limit is 2");
}

TEST(TaskName, IsPrintedAndRead) {
  EXPECT_EQ(task_id({42, std::nullopt, 1, 3}), "42.1.3");
  EXPECT_EQ(task_id({42, 7, 1, 1}), "42_7.1.1");
  EXPECT_EQ(parse_task_id("42_7.2.3"), (TaskName{42, 7, 2, 3}));
  for (const char* wrong : {"", "42", "42.1", "0.1.1", "042.1.1", "42.0.1", "42.1.1.", "-1.1.1",
                            "42_.1.1", "99999999999999999999.1.1", "a.1.1"}) {
    EXPECT_FALSE(parse_task_id(wrong).has_value()) << wrong;
  }
}

}  // namespace
}  // namespace batch::test
