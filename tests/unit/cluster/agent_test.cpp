// The agent's rules, each as a transcript of events and the actions that they cause.
#include "librm/cluster/agent.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "describe.hpp"

namespace librm::test {
namespace {

constexpr ConnectionId master_connection{10};
constexpr FrameworkId framework{1};

AgentOptions agent_options(Incarnation incarnation = Incarnation{7}) {
  AgentOptions options;
  options.incarnation = incarnation;
  options.hostname = "host";
  options.total = Resources::parse("cpus:4;mem:1000").value();
  options.work_dir = "/w";
  return options;
}

/// An agent with a clock; every call returns what it caused, as text.
class Agent {
 public:
  explicit Agent(AgentOptions options = agent_options(),
                 const std::vector<AgentCoreRecord>& records = {})
      : core(std::move(options)) {
    for (const AgentCoreRecord& record : records) core.apply(record);
    AgentActions actions;
    core.resume(now, actions);
    core.flush(now, actions);
    resumed = take(actions);
  }

  std::string step(const AgentEvent& event) {
    AgentActions actions;
    core.step(now, event, actions);
    core.flush(now, actions);
    EXPECT_EQ(core.check_invariants(), std::vector<std::string>{});
    return take(actions);
  }

  std::string receive(Message message) {
    return step(Received{master_connection, std::move(message)});
  }

  std::string shepherd(ShepherdMessage message) { return step(FromShepherd{std::move(message)}); }

  std::string tick_after(Duration time) {
    now.mono = now.mono + time;
    now.wall = now.wall + time;
    return step(Tick{});
  }

  std::string register_with(Epoch epoch = 1) {
    std::string text = step(MasterConnected{master_connection});
    return text + receive(AgentRegistered{AgentId{1}, epoch, seconds(15), seconds(5)});
  }

  std::string launch(const TaskInfo& info, Incarnation incarnation = Incarnation{7}) {
    return receive(LaunchTasks{framework, incarnation, {info}});
  }

  std::string started(const TaskId& id) {
    return shepherd(TaskProgress{{{{framework, id}, 100, now.wall}}, {}});
  }

  std::string ended(const TaskId& id, int exit_code) {
    TaskEnd end;
    end.key = {framework, id};
    end.exit_code = exit_code;
    return shepherd(TaskProgress{{}, {end}});
  }

  std::string ended_by_signal(const TaskId& id, int signal) {
    TaskEnd end;
    end.key = {framework, id};
    end.signal = signal;
    return shepherd(TaskProgress{{}, {end}});
  }

  std::string acknowledge(const TaskId& id, std::uint64_t sequence) {
    return receive(AcknowledgeUpdates{{{framework, id, AgentId{1}, sequence}}});
  }

  AgentCore core;
  Now now{{seconds(1000).ns}, {seconds(5000).ns}};
  std::vector<AgentCoreRecord> journal;
  std::string resumed;

 private:
  std::string take(const AgentActions& actions) {
    for (const auto& item : actions.items()) {
      if (item.index() == 0) journal.push_back(std::get<0>(item));
    }
    return describe_all(actions);
  }
};

/// A registered agent with its shepherd.
class ReadyAgent : public ::testing::Test {
 protected:
  ReadyAgent() {
    agent.shepherd(ShepherdState{});
    agent.register_with();
  }
  Agent agent;
};

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

TEST_F(ReadyAgent, AnExecutorSpeaksForItselfOnly) {
  TaskInfo own = task_info("t1");
  own.executor = ExecutorInfo{};
  own.executor->id = "x";
  agent.launch(own);
  agent.launch(task_info("t2"));
  const ConnectionId connection{50};
  agent.step(FromExecutor{connection, SubscribeExecutor{framework, "x", {}}});
  StatusUpdate forged;
  forged.framework = framework;
  forged.task = "t2";
  forged.state = TaskState::finished;
  forged.sequence = 1;
  EXPECT_EQ(agent.step(FromExecutor{connection, StatusUpdates{{forged}}}),
            "executor: AcknowledgeUpdates [t2 #1]\n");
  EXPECT_EQ(agent.step(FromExecutor{ConnectionId{51}, StatusUpdates{{forged}}}), "");
  AgentActions out;
  agent.core.step(agent.now,
                  FromExecutor{connection, ExecutorMessage{FrameworkId{9}, {}, "y", "hi", false}},
                  out);
  ASSERT_EQ(out.items().size(), 1u);
  const auto& send = std::get<Send>(std::get<AgentOutput>(out.items().front()));
  EXPECT_EQ(std::get<ExecutorMessage>(send.message),
            (ExecutorMessage{framework, AgentId{1}, "x", "hi", true}));
}

TEST_F(ReadyAgent, AnExecutorIsShutDownWithItsFrameworkAndKilledIfItStays) {
  TaskInfo info = task_info("t1");
  info.executor = ExecutorInfo{};
  info.executor->id = "x";
  agent.launch(info);
  const ConnectionId connection{50};
  agent.step(FromExecutor{connection, SubscribeExecutor{framework, "x", {}}});
  const TaskKey process{framework, ".executor.x:t1"};
  EXPECT_TRUE(agent.core.in_use(process));
  EXPECT_EQ(agent.receive(ShutdownFramework{framework}),
            "executor: other message\nexecutor: other message\n");
  EXPECT_THAT(agent.tick_after(seconds(4)), testing::HasSubstr("signal .executor.x:t1 9"));
  TaskEnd end;
  end.key = process;
  end.signal = 9;
  agent.shepherd(TaskProgress{{}, {end}});
  EXPECT_FALSE(agent.core.in_use(process));
  EXPECT_TRUE(agent.core.in_use({framework, "t1"})) << "until its end is acknowledged";
  agent.step(ShepherdLost{});
  EXPECT_TRUE(agent.core.in_use(process)) << "nobody knows now";
}

TEST_F(ReadyAgent, AnExecutorRunsSeveralTasksAndItsEndEndsThem) {
  TaskInfo info = task_info("t1");
  info.executor = ExecutorInfo{};
  info.executor->id = "x";
  EXPECT_EQ(agent.launch(info), "! Ledger t1 staging\nshepherd: start .executor.x:t1\n");
  constexpr ConnectionId connection{30};
  EXPECT_EQ(agent.step(FromExecutor{connection, SubscribeExecutor{framework, "x", {}}}),
            "executor: subscribed\nexecutor: launch t1\n");
  info.id = "t2";
  EXPECT_EQ(agent.launch(info), "! Ledger t2 staging\nexecutor: launch t2\n");
  StatusUpdate update;
  update.framework = framework;
  update.task = "t1";
  update.state = TaskState::finished;
  update.sequence = 1;
  EXPECT_EQ(agent.step(FromExecutor{connection, StatusUpdates{{update}}}),
            "! Ledger t1 finished #1\n"
            "executor: AcknowledgeUpdates [t1 #1]\n"
            "-> c-10 StatusUpdates [t1 finished #1]\n");
  TaskEnd end;
  end.key = {framework, ".executor.x:t1"};
  end.signal = 9;
  EXPECT_EQ(agent.shepherd(TaskProgress{{}, {end}}),
            "! Ledger t2 failed (executor_terminated) #1\n"
            "shepherd: forget .executor.x:t1\n"
            "-> c-10 StatusUpdates [t2 failed (executor_terminated) #1]\n");
}

// --- processors ---

/// Binds to the least used of four processors, of several the lowest.
AgentOptions binding_options(Incarnation incarnation = Incarnation{7}) {
  AgentOptions options = agent_options(incarnation);
  options.topology = "pu:4";
  options.pick_cpus = [](const CpuLoad& load, Amount cpus) {
    std::vector<std::uint32_t> picked;
    for (Amount level; picked.size() * 1000 < static_cast<std::size_t>(cpus.milli);
         level += Amount::units(1)) {
      for (std::uint32_t cpu = 0; cpu < 4; ++cpu) {
        const auto found = load.find(cpu);
        const Amount used = found == load.end() ? Amount{} : found->second;
        if (used == level && picked.size() * 1000 < static_cast<std::size_t>(cpus.milli)) {
          picked.push_back(cpu);
        }
      }
    }
    return picked;
  };
  return options;
}

TaskInfo cpus_task(const std::string& id, const char* cpus) {
  TaskInfo info = task_info(id);
  info.resources = Resources::scalar("cpus", *parse_amount(cpus));
  return info;
}

/// What the shepherd would be told of each task that is to be started.
using Bound = std::map<TaskId, std::vector<std::uint32_t>>;

Bound bound_of(const AgentCore& core) {
  Bound bound;
  for (const auto& [key, task] : core.tasks()) bound[key.task] = task.record.cpus;
  return bound;
}

TEST(AgentCpus, ATaskHoldsItsProcessorsUntilItsEnd) {
  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  agent.launch(cpus_task("t1", "1"));
  agent.launch(cpus_task("t2", "2"));
  EXPECT_EQ(bound_of(agent.core), (Bound{{"t1", {0}}, {"t2", {1, 2}}}));
  agent.ended("t1", 0);
  agent.launch(cpus_task("t3", "2"));
  EXPECT_EQ(bound_of(agent.core).at("t3"), (std::vector<std::uint32_t>{0, 3}));
  agent.ended("t2", 0);
  agent.ended("t3", 0);
  EXPECT_EQ(agent.core.cpu_load(), CpuLoad{});
}

TEST(AgentCpus, TheShepherdAndTheLedgerSayTheSame) {
  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  AgentActions actions;
  const TaskInfo info = cpus_task("t1", "2");
  agent.core.step(agent.now, Received{master_connection, LaunchTasks{framework, {7}, {info}}},
                  actions);
  agent.core.flush(agent.now, actions);
  ASSERT_EQ(actions.items().size(), 2u);
  const auto& record = std::get<TaskLedgerRecord>(std::get<0>(actions.items()[0]));
  EXPECT_EQ(record.cpus, (std::vector<std::uint32_t>{0, 1}));
  const auto& to_shepherd = std::get<ToShepherd>(std::get<1>(actions.items()[1]));
  const auto& starts = std::get<StartTasks>(to_shepherd.message).starts;
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].cpus, record.cpus);
}

TEST(AgentCpus, AfterARestartTheLedgerSaysWhatIsTaken) {
  Agent before(binding_options());
  before.shepherd(ShepherdState{});
  before.register_with();
  before.launch(cpus_task("t1", "0.5"));
  before.launch(cpus_task("t2", "1"));
  before.ended("t2", 0);
  Agent after(binding_options(), before.journal);
  EXPECT_EQ(after.core.cpu_load(), (CpuLoad{{0, {500}}}));
  after.shepherd(ShepherdState{1, {{{framework, "t1"}, 100, after.now.wall}}, {}});
  after.register_with();
  after.launch(cpus_task("t3", "1"));
  EXPECT_EQ(bound_of(after.core).at("t1"), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(bound_of(after.core).at("t3"), (std::vector<std::uint32_t>{1}));
  // Another boot: all of it has ended.
  Agent rebooted(binding_options(Incarnation{8}), after.journal);
  EXPECT_EQ(rebooted.core.cpu_load(), CpuLoad{});
}

TEST(AgentCpus, WithoutAChooserAndForExecutorsNothingIsBound) {
  Agent free;
  free.shepherd(ShepherdState{});
  free.register_with();
  free.launch(cpus_task("t1", "1"));
  EXPECT_EQ(bound_of(free.core), (Bound{{"t1", {}}}));

  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  TaskInfo info = cpus_task("t1", "1");
  info.executor = ExecutorInfo{};
  info.executor->id = "x";
  agent.launch(info);
  TaskInfo none = task_info("t2");
  none.resources = {};
  agent.launch(none);
  EXPECT_EQ(bound_of(agent.core), (Bound{{"t1", {}}, {"t2", {}}}));
}

TEST(AgentCpus, TheMasterIsToldTheTopology) {
  Agent agent(binding_options());
  AgentActions actions;
  agent.core.step(agent.now, MasterConnected{master_connection}, actions);
  const auto& send = std::get<Send>(std::get<1>(actions.items().at(0)));
  EXPECT_EQ(std::get<RegisterAgent>(send.message).topology, "pu:4");
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
