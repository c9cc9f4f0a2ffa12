// Custom executors under an agent: what they may say, what they are told, and their end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent_harness.hpp"

namespace librm::test {
namespace {

/// A task for the custom executor `x`.
TaskInfo executor_task(const TaskId& id) {
  TaskInfo info = task_info(id);
  info.executor = ExecutorInfo{};
  info.executor->id = "x";
  return info;
}

TEST_F(ReadyAgent, AnExecutorSpeaksForItselfOnly) {
  agent.launch(executor_task("t1"));
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
  TaskInfo info = executor_task("t1");
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
  TaskInfo info = executor_task("t1");
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

}  // namespace
}  // namespace librm::test
