// The agent's rules, each as a transcript of events and the actions that they cause.
#include "librm/cluster/agent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "agent_harness.hpp"

namespace librm::test {
namespace {

TEST(AgentSession, RegistersAndRemembersItsIdentityBeforeAnythingElse) {
  Agent agent;
  EXPECT_EQ(agent.resumed, "connect\n");
  EXPECT_EQ(agent.step(MasterConnected{master_connection}), "-> c-10 RegisterAgent a-0 []\n");
  EXPECT_EQ(agent.receive(AgentRegistered{AgentId{1}, 1, seconds(15), seconds(5)}),
            "! Identity a-1 epoch 1\n");
}

TEST_F(ReadyAgent, ATaskGoesFromLaunchToForgotten) {
  EXPECT_EQ(agent.launch(task_info("t1")), "! Ledger t1 staging\nshepherd: start t1\n");
  EXPECT_EQ(agent.started("t1"),
            "! Ledger t1 running #1\n"
            "-> c-10 StatusUpdates [t1 running #1]\n");
  EXPECT_EQ(agent.acknowledge("t1", 1), "");
  EXPECT_EQ(agent.ended("t1", 0),
            "! Ledger t1 finished #2 exit 0\n"
            "-> c-10 StatusUpdates [t1 finished #2 exit 0]\n");
  EXPECT_EQ(agent.acknowledge("t1", 2), "! Ledger t1 acknowledged\nshepherd: forget t1\n");
  EXPECT_TRUE(agent.core.tasks().empty());
}

TEST_F(ReadyAgent, ATaskIdIsStartedAtMostOnce) {
  agent.launch(task_info("t1"));
  EXPECT_EQ(agent.launch(task_info("t1")), "") << "known, and nothing new to say";
  agent.ended("t1", 0);
  EXPECT_EQ(agent.launch(task_info("t1")), "-> c-10 StatusUpdates [t1 finished #1 exit 0]\n");
  agent.acknowledge("t1", 1);
  EXPECT_EQ(agent.launch(task_info("t1")), "-> c-10 StatusUpdates [t1 dropped (duplicate_task)]\n");
}

TEST_F(ReadyAgent, ALaunchWithoutAValidLeaseIsRefused) {
  agent.now.mono = agent.now.mono + seconds(16);
  EXPECT_EQ(agent.launch(task_info("t1")), "-> c-10 StatusUpdates [t1 dropped (lease_expired)]\n");
}

TEST_F(ReadyAgent, ALaunchForAnotherBootIsRefused) {
  EXPECT_EQ(agent.launch(task_info("t1"), Incarnation{6}),
            "-> c-10 StatusUpdates [t1 dropped (stale_incarnation)]\n");
}

TEST_F(ReadyAgent, ALaunchBeyondItsResourcesIsRefused) {
  agent.launch(task_info("t1", "cpus:3"));
  EXPECT_EQ(agent.launch(task_info("t2", "cpus:2")),
            "-> c-10 StatusUpdates [t2 dropped (resources_unavailable)]\n");
}

TEST_F(ReadyAgent, WhatWasReservedWhileItRunsIsOfItsResources) {
  EXPECT_THAT(agent.launch(task_info("t1", "cpus(+eng):3")), testing::HasSubstr("start t1"));
  EXPECT_EQ(agent.launch(task_info("t2", "cpus:2")),
            "-> c-10 StatusUpdates [t2 dropped (resources_unavailable)]\n");
}

TEST_F(ReadyAgent, TheLeaseCountsFromTheSendingOfTheHeartbeat) {
  agent.tick_after(seconds(5));
  const Instant sent = agent.now.mono;
  agent.now.mono = agent.now.mono + seconds(4);
  agent.receive(HeartbeatAnswer{1});
  EXPECT_TRUE(agent.core.lease_valid(sent + seconds(15) - nanoseconds(1)));
  EXPECT_FALSE(agent.core.lease_valid(sent + seconds(15)));
}

TEST_F(ReadyAgent, AMasterThatDoesNotAnswerIsLeftWhenTheLeaseEnds) {
  EXPECT_EQ(agent.tick_after(seconds(5)), "-> c-10 AgentHeartbeat 1\n");
  EXPECT_EQ(agent.tick_after(seconds(5)), "-> c-10 AgentHeartbeat 2\n");
  EXPECT_EQ(agent.tick_after(seconds(5)), "close c-10: the master does not answer\n");
  EXPECT_EQ(agent.tick_after(seconds(1)), "connect\n");
}

TEST_F(ReadyAgent, ALowerEpochIsNeverObeyed) {
  agent.step(Closed{master_connection});
  EXPECT_EQ(agent.register_with(3),
            "-> c-10 RegisterAgent a-1 []\n"
            "! Identity a-1 epoch 3\n");
  agent.step(Closed{master_connection});
  EXPECT_EQ(agent.register_with(2),
            "-> c-10 RegisterAgent a-1 []\n"
            "close c-10: epoch 2 is over; 3 was obeyed\n");
  EXPECT_EQ(agent.launch(task_info("t1")), "") << "no session, no launch";
}

TEST_F(ReadyAgent, UpdatesAreRepeatedUntilAcknowledged) {
  agent.launch(task_info("t1"));
  agent.ended("t1", 3);
  EXPECT_EQ(agent.tick_after(seconds(4)).find("StatusUpdates"), std::string::npos);
  EXPECT_NE(agent.tick_after(seconds(1)).find("StatusUpdates [t1 failed (command_failed) #1"),
            std::string::npos);
  EXPECT_EQ(agent.tick_after(seconds(5)).find("StatusUpdates"), std::string::npos)
      << "the second repetition waits twice as long";
  agent.acknowledge("t1", 1);
  EXPECT_EQ(agent.tick_after(seconds(60)).find("StatusUpdates"), std::string::npos);
}

TEST_F(ReadyAgent, WhatIsUnacknowledgedIsReportedOnEveryNewSession) {
  agent.launch(task_info("t1"));
  agent.step(Closed{master_connection});
  EXPECT_EQ(agent.ended("t1", 0), "! Ledger t1 finished #1 exit 0\n");
  EXPECT_EQ(agent.register_with(),
            "-> c-10 RegisterAgent a-1 [t1 finished #1 exit 0]\n"
            "-> c-10 StatusUpdates [t1 finished #1 exit 0]\n");
}

TEST_F(ReadyAgent, UnderANewIdTheFirstHeartbeatGoesAtOnce) {
  EXPECT_EQ(agent.step(Tick{}), "-> c-10 AgentHeartbeat 1\n");
}

TEST_F(ReadyAgent, AKillGivesGraceThenForce) {
  agent.step(Tick{});  // the first heartbeat
  agent.launch(task_info("t1"));
  agent.started("t1");
  EXPECT_EQ(agent.receive(KillTask{framework, "t1", {}, seconds(2)}), "shepherd: signal t1 15\n");
  EXPECT_EQ(agent.receive(KillTask{framework, "t1", {}, seconds(9)}), "") << "already under way";
  EXPECT_EQ(agent.tick_after(seconds(2)), "shepherd: signal t1 9\n");
  EXPECT_EQ(agent.ended_by_signal("t1", 9),
            "! Ledger t1 killed (killed_by_framework) #2\n"
            "-> c-10 StatusUpdates [t1 killed (killed_by_framework) #2]\n");
}

TEST_F(ReadyAgent, WhatADrainKillsSaysSo) {
  agent.launch(task_info("t1"));
  agent.started("t1");
  agent.receive(KillTask{framework, "t1", {}, seconds(2), TaskReason::agent_draining});
  EXPECT_THAT(agent.ended_by_signal("t1", 15), testing::HasSubstr("t1 killed (agent_draining)"));
}

TEST_F(ReadyAgent, AnAgentThatIsOutOfServiceAsksAgainAfterAWhileAndDoesNotEnd) {
  EXPECT_EQ(agent.receive(AgentRefused{ErrorCode::unavailable, "down for maintenance"}),
            "close c-10: refused for now: down for maintenance\n");
  EXPECT_EQ(agent.step(Closed{master_connection}), "");
  EXPECT_EQ(agent.tick_after(seconds(9)), "") << "not in a loop";
  EXPECT_EQ(agent.tick_after(seconds(6)), "connect\n");
}

TEST_F(ReadyAgent, ATimeLimitIsAFailureThatSaysSo) {
  TaskInfo info = task_info("t1");
  info.time_limit = seconds(3);
  agent.launch(info);
  agent.started("t1");
  EXPECT_NE(agent.tick_after(seconds(3)).find("shepherd: signal t1 15"), std::string::npos);
  EXPECT_EQ(agent.ended_by_signal("t1", 15),
            "! Ledger t1 failed (time_limit_reached) #2\n"
            "-> c-10 StatusUpdates [t1 failed (time_limit_reached) #2]\n");
}

TEST_F(ReadyAgent, ATaskHasLetGoByItsReleaseByWithItsGraceBefore) {
  agent.step(Tick{});  // the first heartbeat
  TaskInfo info = task_info("t1");
  info.release_by = agent.now.wall + seconds(4);
  info.kill_grace = seconds(2);
  agent.launch(info);
  agent.started("t1");
  EXPECT_EQ(agent.core.next_deadline().mono, agent.now.mono + seconds(2));
  EXPECT_EQ(agent.tick_after(milliseconds(1999)), "");
  EXPECT_EQ(agent.tick_after(milliseconds(1)), "shepherd: signal t1 15\n");
  EXPECT_EQ(agent.tick_after(milliseconds(1999)), "");
  EXPECT_EQ(agent.tick_after(milliseconds(1)), "shepherd: signal t1 9\n");
  EXPECT_EQ(agent.ended_by_signal("t1", 9),
            "! Ledger t1 killed (release_by_reached) #2\n"
            "-> c-10 StatusUpdates [t1 killed (release_by_reached) #2]\n");
}

TEST_F(ReadyAgent, AReleaseByIsOfTheMastersClockAndCountedOnItsOwn) {
  LaunchTasks message;
  message.framework = framework;
  message.incarnation = agent_options().incarnation;
  message.tasks = {task_info("t1")};
  message.sent = agent.now.wall - seconds(3600);
  message.tasks[0].release_by = message.sent + seconds(4);
  message.tasks[0].kill_grace = seconds(2);
  EXPECT_THAT(agent.receive(message), testing::HasSubstr("shepherd: start t1"));
  agent.started("t1");
  agent.now.wall = agent.now.wall + seconds(7200);  // somebody sets the clock
  EXPECT_THAT(agent.tick_after(milliseconds(1999)), testing::Not(testing::HasSubstr("signal")));
  EXPECT_THAT(agent.tick_after(milliseconds(1)), testing::HasSubstr("shepherd: signal t1 15\n"));
}

TEST_F(ReadyAgent, AReleaseByEndsALongerKillAndHoldsAfterARestart) {
  TaskInfo info = task_info("t1");
  info.release_by = agent.now.wall + seconds(4);
  agent.launch(info);
  agent.started("t1");
  Agent again(agent_options(), agent.journal);
  again.shepherd(ShepherdState{1, {{{framework, "t1"}, 100, again.now.wall}}, {}});
  agent.receive(KillTask{framework, "t1", {}, seconds(60)});
  agent.tick_after(seconds(3));
  EXPECT_THAT(agent.tick_after(seconds(1)), testing::HasSubstr("shepherd: signal t1 9\n"));
  EXPECT_THAT(again.tick_after(seconds(1)), testing::HasSubstr("shepherd: signal t1 15\n"));
}

TEST_F(ReadyAgent, TheShepherdIsToldWhenToKillInItsPlace) {
  agent.step(Tick{});  // the first heartbeat
  TaskInfo info = task_info("t1");
  info.fence_after = seconds(4);
  const auto fence = [&](Instant lease_from) {
    const Instant at = lease_from + seconds(15 + 4);
    return testing::HasSubstr("shepherd: fence t1 at " + std::to_string(at.ns / 1'000'000'000));
  };
  EXPECT_THAT(agent.launch(info), fence(agent.now.mono));
  agent.started("t1");
  agent.tick_after(seconds(5));
  EXPECT_THAT(agent.receive(HeartbeatAnswer{2}), fence(agent.now.mono));
  // One that begins anew knows of no lease, so it leaves the fence as it is.
  Agent again(agent_options(), agent.journal);
  EXPECT_THAT(again.shepherd(ShepherdState{1, {{{framework, "t1"}, 100, again.now.wall}}, {}}),
              testing::Not(testing::HasSubstr("fence")));
}

TEST_F(ReadyAgent, WhatTheShepherdFencedIsNoFailureOfTheTask) {
  TaskInfo info = task_info("t1");
  info.fence_after = seconds(4);
  agent.launch(info);
  agent.started("t1");
  TaskEnd end;
  end.key = {framework, "t1"};
  end.signal = 9;
  end.error = fenced_error;
  EXPECT_THAT(agent.step(FromShepherd{TaskProgress{{}, {end}}}),
              testing::HasSubstr("t1 killed (agent_unreachable)"));
}

TEST_F(ReadyAgent, ALaunchAfterItsReleaseByIsRefused) {
  TaskInfo info = task_info("t1");
  info.release_by = agent.now.wall;
  EXPECT_EQ(agent.launch(info), "-> c-10 StatusUpdates [t1 dropped (release_by_reached)]\n");
  info.release_by = WallTime{std::numeric_limits<std::int64_t>::min()};
  EXPECT_EQ(agent.launch(info), "-> c-10 StatusUpdates [t1 dropped (release_by_reached)]\n");
  info.release_by = WallTime{std::numeric_limits<std::int64_t>::max()};
  EXPECT_THAT(agent.launch(info), testing::HasSubstr("shepherd: start t1"));
}

TEST_F(ReadyAgent, ATaskThatCannotStartFailsWithTheReason) {
  agent.launch(task_info("t1"));
  TaskEnd end;
  end.key = {framework, "t1"};
  end.was_started = false;
  end.error = "exec /no/such: No such file or directory";
  agent.shepherd(TaskProgress{{}, {end}});
  EXPECT_EQ(agent.core.tasks().begin()->second.record.latest.message, end.error);
}

TEST_F(ReadyAgent, AFileThatCannotBeFetchedFailsTheTaskWithTheReason) {
  agent.launch(task_info("t1"));
  agent.started("t1");
  TaskEnd end;
  end.key = {framework, "t1"};
  end.error = "http://h/x: connection refused";
  agent.shepherd(TaskProgress{{}, {end}});
  const StatusUpdate& latest = agent.core.tasks().begin()->second.record.latest;
  EXPECT_EQ(latest.state, TaskState::failed);
  EXPECT_EQ(latest.reason, TaskReason::fetch_failed);
  EXPECT_EQ(latest.message, end.error);
}

TEST_F(ReadyAgent, AfterARestartWhatWasRecordedAndNotStartedIsStarted) {
  agent.launch(task_info("t1"));
  agent.launch(task_info("t2"));
  agent.started("t2");
  Agent next(agent_options(), agent.journal);
  EXPECT_EQ(next.resumed, "connect\n");
  EXPECT_EQ(next.shepherd(ShepherdState{1, {{{framework, "t2"}, 100, {}}}, {}}),
            "shepherd: start t1\n");
}

TEST_F(ReadyAgent, AfterARestartWhatEndedMeanwhileIsReported) {
  agent.launch(task_info("t1"));
  agent.started("t1");
  Agent next(agent_options(), agent.journal);
  TaskEnd end;
  end.key = {framework, "t1"};
  end.exit_code = 0;
  EXPECT_EQ(next.shepherd(ShepherdState{1, {}, {end}}), "! Ledger t1 finished #2 exit 0\n");
}

TEST_F(ReadyAgent, AFenceHoldsAfterARestartWithoutAnyMaster) {
  TaskInfo fenced = task_info("t1");
  fenced.fence_after = seconds(20);
  agent.launch(fenced);
  agent.started("t1");
  Agent again(agent_options(), agent.journal);
  again.shepherd(ShepherdState{1, {{{framework, "t1"}, 100, again.now.wall}}, {}});
  EXPECT_EQ(again.tick_after(seconds(19)), "");
  EXPECT_THAT(again.tick_after(seconds(1)), testing::HasSubstr("shepherd: signal t1 15\n"));
}

TEST_F(ReadyAgent, AfterARebootWhatRanIsGone) {
  agent.launch(task_info("t1"));
  agent.started("t1");
  Agent next(agent_options(Incarnation{8}), agent.journal);
  EXPECT_EQ(next.resumed, "! Ledger t1 gone (agent_restarted) #2\nconnect\n");
}

TEST_F(ReadyAgent, ALostShepherdMakesTheEndUnknownAndStartsNothingTwice) {
  agent.launch(task_info("t1"));
  agent.started("t1");
  agent.step(ShepherdLost{});
  EXPECT_EQ(agent.shepherd(ShepherdState{}),
            "! Ledger t1 lost (exit_status_unknown) #2\n"
            "-> c-10 StatusUpdates [t1 lost (exit_status_unknown) #2]\n");
}

TEST_F(ReadyAgent, AProcessThatNobodyAskedForIsKilled) {
  EXPECT_EQ(agent.shepherd(ShepherdState{1, {{{framework, "stray"}, 100, {}}}, {}}),
            "shepherd: signal stray 9\n");
}

TEST_F(ReadyAgent, TheSnapshotRebuildsTheSameState) {
  agent.launch(task_info("t1"));
  agent.launch(task_info("t2"));
  agent.ended("t1", 0);
  agent.acknowledge("t1", 1);
  AgentCore replayed(agent_options());
  for (const AgentCoreRecord& record : agent.journal) replayed.apply(record);
  AgentCore restored(agent_options());
  for (const AgentCoreRecord& record : replayed.snapshot()) restored.apply(record);
  EXPECT_EQ(restored.snapshot(), agent.core.snapshot());
}

}  // namespace
}  // namespace librm::test
