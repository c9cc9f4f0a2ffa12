// What becomes of attempts, by state and policy; and that each is acknowledged after its record.
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;
using librm::TaskReason;
using librm::TaskState;
using Names = std::vector<std::string>;

const char* const plenty = "cpus:8;mem:8192";

/// One job, launched on agent a-1.
Bench launched(JobSpec spec) {
  Bench bench = connected();
  EXPECT_TRUE(bench.submit({std::move(spec)}).has_value());
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.1"});
  return bench;
}

TEST(Updates, AJobRunsAndFinishes) {
  Bench bench = launched(job("a"));
  EXPECT_EQ(bench.state(1), "running");
  const std::size_t records = bench.records.size();
  bench.running("1.1.1");
  EXPECT_EQ(bench.records.size(), records) << "RUNNING is not durable";
  EXPECT_EQ(bench.sent<librm::AcknowledgeUpdates>().at(0).acks.at(0).sequence, 1u);
  EXPECT_EQ(bench.outputs<JobChanged>().at(0).task_state, TaskState::running);
  bench.finished("1.1.1");
  EXPECT_EQ(bench.state(1), "finished");
  EXPECT_EQ(bench.core->find(1)->exit_code, 0);
  EXPECT_TRUE(bench.core->find(1)->started.has_value());
}

TEST(Updates, WhatADrainRequeuesConsumesNoRetry) {
  Bench bench = launched(job("a"));
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::killed, {}, TaskReason::agent_draining);
  EXPECT_EQ(bench.state(1), "pending: ended for the drain of its agent; launched anew");
  EXPECT_EQ(bench.core->find(1)->failures, 0u);
}

TEST(Updates, WhatADrainKillsForGoodIsAFailure) {
  Bench bench = launched(job("a"));
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::killed, {}, TaskReason::killed_by_operator);
  EXPECT_EQ(bench.state(1), "failed: killed with the drain of its agent");
  Bench again = launched(job("a").retries(1));
  again.update("1.1.1", TaskState::killed, {}, TaskReason::killed_by_operator);
  EXPECT_EQ(again.core->find(1)->failures, 1u);
  EXPECT_EQ(again.core->find(1)->state, JobState::pending);
}

TEST(Maintenance, AnAgentIsLeftWhereEveryJobEndsByItsTimeLimitBeforeTheWindow) {
  Bench bench = launched(job("a").time_limit(seconds(100)));
  bench.running("1.1.1");
  const auto ask = [&](std::uint64_t id, librm::WallTime start) {
    bench.actions.clear();
    bench.message(librm::InverseOffers{{{{id}, {1}, "host-1", start, seconds(60), ""}}});
    bench.flush();
  };
  ask(1, bench.clock.wall + seconds(103));
  EXPECT_EQ(bench.sent<librm::AcceptInverseOffers>().at(0).offers.at(0).value, 1u);
  ask(2, bench.clock.wall + seconds(90));
  EXPECT_EQ(bench.sent<librm::DeclineInverseOffers>().at(0).reason,
            "job 1 may run for 13s after the window begins");
  Bench other = launched(job("b"));
  other.actions.clear();
  other.message(librm::InverseOffers{{{{3}, {1}, "host-1", other.clock.wall, {}, ""}}});
  other.flush();
  EXPECT_EQ(other.sent<librm::DeclineInverseOffers>().at(0).reason, "job 1 has no time limit");
}

TEST(Updates, TheAcknowledgementFollowsTheRecord) {
  Bench bench = launched(job("a"));
  bench.finished("1.1.1");
  std::string order;
  for (const auto& item : bench.actions.items()) {
    if (item.index() == 0) order += std::get<0>(item).index() == 3 ? "record " : "other ";
    const auto* output = std::get_if<1>(&item);
    const auto* session = output ? std::get_if<SessionOutput>(output) : nullptr;
    const auto* send = session ? std::get_if<librm::Send>(&session->output) : nullptr;
    if (send && std::holds_alternative<librm::AcknowledgeUpdates>(send->message)) order += "ack ";
  }
  EXPECT_EQ(order, "record ack ");
}

TEST(Updates, ARepetitionIsAcknowledgedAgainAndChangesNothing) {
  Bench bench = launched(job("a"));
  bench.finished("1.1.1");
  const std::size_t records = bench.records.size();
  bench.failed("1.1.1", 7);
  EXPECT_EQ(bench.state(1), "finished");
  EXPECT_EQ(bench.records.size(), records);
  EXPECT_EQ(bench.sent<librm::AcknowledgeUpdates>().size(), 1u);
}

TEST(Updates, OwnFailuresConsumeRetriesAfterTheirDelay) {
  Bench bench = launched(job("a").retries(1).retry_delay(seconds(5)));
  bench.failed("1.1.1", 3);
  EXPECT_EQ(bench.state(1), "pending: exit code 3; retry 1 of 1");
  bench.offer(1, plenty);
  EXPECT_TRUE(bench.launched().empty()) << "its delay is not over";
  EXPECT_EQ(bench.core->next_deadline().mono.value(), bench.clock.mono + seconds(5));
  bench.pass(seconds(5));
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.2"});
  bench.failed("1.1.2", 4);
  EXPECT_EQ(bench.state(1), "failed: exit code 4 (attempt 2)");
  EXPECT_EQ(bench.core->find(1)->exit_code, 4);
}

TEST(Updates, DroppedLaunchesConsumeNoRetryAndBackOff) {
  Bench bench = launched(job("a"));
  for (int i = 1; i <= 12; ++i) {
    bench.update("1.1." + std::to_string(i), TaskState::dropped);
    EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
    const auto wait = *bench.core->next_deadline().mono - bench.clock.mono;
    EXPECT_EQ(wait, std::min(librm::milliseconds(100) * (1 << (i - 1)), seconds(10)));
    bench.pass(wait);
    bench.offer(1, plenty);
    ASSERT_EQ(bench.launched(), Names{"1.1." + std::to_string(i + 1)});
  }
  EXPECT_EQ(bench.core->find(1)->failures, 0u);
  bench.finished("1.1.13");
  EXPECT_EQ(bench.state(1), "finished");
}

TEST(Updates, ATaskThatNobodyKnowsWasNeverLaunched) {
  Bench bench = launched(job("a"));
  bench.update("1.1.1", TaskState::unknown, {}, TaskReason::reconciliation);
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
  EXPECT_EQ(bench.core->find(1)->attempts.at(0).latest.state, TaskState::dropped);
  EXPECT_FALSE(bench.core->find(1)->attempts.at(0).counts);
}

TEST(Updates, AProvenDeadIncarnationOrAnOperatorsWordGivesANewAttempt) {
  for (const TaskState state : {TaskState::gone, TaskState::gone_by_operator}) {
    Bench bench = launched(job("a"));
    bench.update("1.1.1", state);
    EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
    bench.offer(1, plenty);
    EXPECT_EQ(bench.launched(), Names{"1.1.2"});
    EXPECT_EQ(bench.core->find(1)->failures, 0u);
  }
}

TEST(Updates, AnUnknownExitIsNotRerunUnlessThePolicySaysSo) {
  Bench wait = launched(job("a").retries(5));
  wait.update("1.1.1", TaskState::lost, {}, TaskReason::exit_status_unknown);
  EXPECT_EQ(wait.state(1), "failed: exit status unknown: exit_status_unknown");
  Bench rerun = launched(job("a").lost(LostPolicy::rerun));
  rerun.update("1.1.1", TaskState::lost, {}, TaskReason::exit_status_unknown);
  EXPECT_EQ(rerun.core->find(1)->state, JobState::pending);
}

TEST(Updates, ATimeLimitIsAFailureOfTheJob) {
  Bench bench = launched(job("a").time_limit(seconds(60)));
  bench.update("1.1.1", TaskState::killed, {}, TaskReason::time_limit_reached);
  EXPECT_EQ(bench.state(1), "failed: time limit reached");
}

TEST(Updates, KilledForTheClustersSakeIsLaunchedAnew) {
  Bench bench = launched(job("a"));
  bench.update("1.1.1", TaskState::killed, {}, TaskReason::preempted);
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.2"});
}

TEST(Unreachable, WaitNeverLaunchesASecondAttempt) {
  Bench bench = launched(job("a"));
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::unreachable);
  EXPECT_EQ(bench.state(1), "running: agent a-1 is unreachable");
  bench.pass(seconds(100'000));
  bench.offer(2, plenty);
  EXPECT_TRUE(bench.launched().empty());
  bench.running("1.1.1");
  EXPECT_EQ(bench.state(1), "running");
  bench.finished("1.1.1");
  EXPECT_EQ(bench.state(1), "finished");
}

TEST(Unreachable, RerunOverlapsAndTheFirstSuccessWins) {
  Bench bench = launched(job("a").lost(LostPolicy::rerun));
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::unreachable);
  bench.flush();
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
  bench.offer(2, plenty);
  ASSERT_EQ(bench.launched(), Names{"1.1.2"});
  bench.running("1.1.1");
  EXPECT_EQ(bench.core->find(1)->state, JobState::running);
  EXPECT_TRUE(bench.sent<librm::KillTask>().empty()) << "both go on";
  bench.finished("1.1.1");
  EXPECT_EQ(bench.state(1), "finished");
  ASSERT_EQ(bench.sent<librm::KillTask>().size(), 1u);
  EXPECT_EQ(bench.sent<librm::KillTask>().at(0).task, "1.1.2");
  bench.update("1.1.2", TaskState::killed, {}, TaskReason::killed_by_framework);
  EXPECT_EQ(bench.state(1), "finished");
  EXPECT_EQ(bench.core->find(1)->attempts.at(1).latest.state, TaskState::killed);
}

TEST(Unreachable, ALateFailureOfTheOldAttemptDecidesNothing) {
  Bench bench = launched(job("a").lost(LostPolicy::rerun));
  bench.update("1.1.1", TaskState::unreachable);
  bench.offer(2, plenty);
  bench.failed("1.1.1", 9);
  EXPECT_EQ(bench.core->find(1)->state, JobState::running);
  EXPECT_EQ(bench.core->find(1)->failures, 0u);
  bench.finished("1.1.2");
  EXPECT_EQ(bench.state(1), "finished");
}

TEST(Unreachable, ABackComingAttemptIsNotDoubledIfNothingWasLaunchedYet) {
  Bench bench = launched(job("a").lost(LostPolicy::rerun));
  bench.update("1.1.1", TaskState::unreachable);
  bench.running("1.1.1");
  EXPECT_EQ(bench.state(1), "running");
  bench.offer(2, plenty);
  EXPECT_TRUE(bench.launched().empty());
}

TEST(Unreachable, ABackComingAttemptLeavesWhatIsSaidOfALaterOne) {
  Bench bench = launched(job("a").lost(LostPolicy::rerun));
  bench.update("1.1.1", TaskState::unreachable);
  bench.offer(2, plenty);
  bench.update("1.1.2", TaskState::dropped, {}, TaskReason::lease_expired);
  const std::string reason = bench.core->find(1)->reason;
  EXPECT_FALSE(reason.empty());
  bench.running("1.1.1");
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
  EXPECT_EQ(bench.core->find(1)->reason, reason) << "it is durable";
}

TEST(Unreachable, AFenceGivesANewAttemptAfterItsBound) {
  Bench bench = launched(job("a").lost(LostPolicy::fence).fence_after(seconds(60)));
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::unreachable);
  bench.pass(seconds(60));
  EXPECT_EQ(bench.core->find(1)->state, JobState::running) << "drift, grace and margin are left";
  bench.pass(seconds(20));
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
  bench.offer(2, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.2"});
  bench.running("1.1.1");
  ASSERT_EQ(bench.sent<librm::KillTask>().size(), 1u) << "it should not be alive";
  EXPECT_EQ(bench.sent<librm::KillTask>().at(0).task, "1.1.1");
}

TEST(Unreachable, AFenceIsForgottenWhenTheAgentReturns) {
  Bench bench = launched(job("a").lost(LostPolicy::fence).fence_after(seconds(60)));
  bench.update("1.1.1", TaskState::unreachable);
  bench.running("1.1.1");
  bench.pass(seconds(1000));
  EXPECT_EQ(bench.state(1), "running");
}

TEST(Cancel, InEveryState) {
  Bench bench = connected();
  ASSERT_TRUE(
      bench.submit({job("pending"), job("held").hold(), job("running"), job("ended")}).has_value());
  EXPECT_EQ(bench.cancel(1, "cancelled by anna"), "ok");
  EXPECT_EQ(bench.state(1), "cancelled: cancelled by anna");
  EXPECT_EQ(bench.cancel(1), "ok") << "once is as good as twice";
  EXPECT_EQ(bench.cancel(2), "ok");
  EXPECT_EQ(bench.state(2), "cancelled: cancelled");
  EXPECT_EQ(bench.cancel(99), "job 99: no such job");
  bench.offer(1, plenty);
  ASSERT_EQ(bench.launched(), (Names{"3.1.1", "4.1.1"}));
  bench.finished("4.1.1");
  EXPECT_EQ(bench.cancel(4), "job 4 (ended): it has already finished");
  bench.actions.clear();
  EXPECT_EQ(bench.cancel(3, "no longer needed"), "ok");
  EXPECT_EQ(bench.sent<librm::KillTask>().at(0).task, "3.1.1");
  EXPECT_EQ(bench.state(3), "running: no longer needed") << "until it has ended";
  bench.update("3.1.1", TaskState::killed, {}, TaskReason::killed_by_framework);
  EXPECT_EQ(bench.state(3), "cancelled: no longer needed");
}

TEST(Cancel, SurvivesARestartAndIsRepeated) {
  Bench bench = launched(job("a"));
  EXPECT_EQ(bench.cancel(1), "ok");
  bench.restart();
  bench.connect();
  bench.pass(seconds(6));
  ASSERT_FALSE(bench.sent<librm::KillTask>().empty());
  EXPECT_EQ(bench.sent<librm::KillTask>().at(0).task, "1.1.1");
  bench.update("1.1.1", TaskState::dropped);
  EXPECT_EQ(bench.state(1), "cancelled: cancelled");
}

TEST(Cancel, WhatFinishedMeanwhileHasFinished) {
  Bench bench = launched(job("a"));
  EXPECT_EQ(bench.cancel(1), "ok");
  bench.finished("1.1.1");
  EXPECT_EQ(bench.state(1), "finished");
}

TEST(Updates, OnlyTheLastAttemptsAreKept) {
  Bench bench = launched(job("a").retries(100));
  for (int i = 1; i <= 60; ++i) {
    bench.failed("1.1." + std::to_string(i));
    bench.offer(1, plenty);
    ASSERT_EQ(bench.launched(), Names{"1.1." + std::to_string(i + 1)});
  }
  EXPECT_EQ(bench.core->find(1)->attempts.size(), 20u);
  EXPECT_EQ(bench.core->find(1)->failures, 60u);
}

TEST(Updates, ATaskOfAForgottenJobIsKilled) {
  Bench bench = connected();
  bench.running("77.1.1");
  ASSERT_EQ(bench.sent<librm::KillTask>().size(), 1u);
  bench.finished("77.1.1");
  EXPECT_TRUE(bench.sent<librm::KillTask>().empty());
  EXPECT_EQ(bench.sent<librm::AcknowledgeUpdates>().size(), 1u);
}

}  // namespace
}  // namespace batch::test
