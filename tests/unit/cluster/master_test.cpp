// The master's rules, each as a transcript of events and the actions that they cause.
#include "librm/cluster/master.hpp"

#include <gtest/gtest.h>

#include "librm/alloc/allocator.hpp"
#include "master_harness.hpp"

namespace librm::test {
namespace {

TEST(Master, ATaskGoesFromOfferToAcknowledgedEnd) {
  Master m;
  EXPECT_EQ(m.register_agent(),
            "! Agent a-1 admitted\n"
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-10 HeartbeatAnswer 1\n");
  EXPECT_EQ(m.subscribe(),
            "! Framework f-1 active\n"
            "-> c-20 Subscribed f-1 epoch 1\n"
            "-> c-20 Offers [a-1 cpus:4;mem:1000]\n");
  EXPECT_EQ(m.launch({task_info("t1")}),
            "-> c-10 LaunchTasks boot-7 [t1]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(m.report(TaskState::running, 1), "-> c-20 StatusUpdates [t1 running #1]\n");
  EXPECT_EQ(m.acknowledge(1), "-> c-10 AcknowledgeUpdates [t1 #1]\n");
  EXPECT_EQ(m.report(TaskState::finished, 2),
            "-> c-20 StatusUpdates [t1 finished #2]\n"
            "-> c-20 Offers [a-1 cpus:1;mem:100]\n");
  EXPECT_EQ(m.acknowledge(2), "-> c-10 AcknowledgeUpdates [t1 #2]\n");
  EXPECT_TRUE(m.core.frameworks().at(FrameworkId{1}).tasks.empty());
}

TEST(Master, AnAcceptOfMoreThanWasOfferedIsRefusedAsAWhole) {
  Master m;
  m.register_agent();
  m.subscribe();
  EXPECT_EQ(m.launch({task_info("t1"), task_info("t2", "cpus:9;mem:1")}),
            "-> c-20 StatusUpdates [t1 dropped (invalid_offers), t2 dropped (invalid_offers)]\n"
            "-> c-20 Offers [a-1 cpus:4;mem:1000]\n");
}

TEST(Master, AnAcceptOfAnEndedOfferIsRefused) {
  Master m;
  m.register_agent();
  m.subscribe();
  AcceptOffers accept;
  accept.offers = {OfferId{99}};
  accept.tasks = {task_info("t1")};
  EXPECT_EQ(m.receive(framework_connection, accept),
            "-> c-20 StatusUpdates [t1 dropped (invalid_offers)]\n");
}

TEST_F(RunningMaster, AnIdThatIsInUseCannotBeLaunchedAgain) {
  EXPECT_EQ(master.launch({task_info("t1")}),
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST(Master, AnOfferExpiresAndIsMadeAgain) {
  Master m;
  m.register_agent();
  m.subscribe();
  m.now.mono = m.now.mono + seconds(29);
  m.receive(agent_connection, AgentHeartbeat{1});
  EXPECT_EQ(m.tick_after(seconds(1)),
            "-> c-20 RescindOffers 1\n"
            "-> c-20 Offers [a-1 cpus:4;mem:1000]\n");
}

TEST_F(RunningMaster, ABrokenConnectionIsNotADeadAgent) {
  EXPECT_EQ(master.step(Closed{agent_connection}), "-> c-20 RescindOffers 1\n");
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(RunningMaster, ASilentAgentIsUnreachableAndItsTasksMayReturn) {
  EXPECT_EQ(master.tick_after(seconds(31)),
            "close c-10: silent\n"
            "! Agent a-1 unreachable\n"
            "-> c-20 AgentLost a-1\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 StatusUpdates [t1 unreachable (agent_unreachable)]\n");
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "! Agent a-1 admitted\n"
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(RunningMaster, ALaunchThatTheReturningAgentDoesNotNameIsDropped) {
  master.launch({task_info("t2")});
  master.step(Closed{agent_connection});
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-20 StatusUpdates [t2 dropped (agent_restarted)]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(RunningMaster, ATaskOfAnEarlierBootThatNobodyNamesIsGone) {
  EXPECT_EQ(master.register_agent({}, AgentId{1}, ConnectionId{11}, Incarnation{8}),
            "! Agent a-1 admitted\n"
            "close c-10: the agent opened a new session\n"
            "-> c-11 AgentRegistered a-1 epoch 1\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 StatusUpdates [t1 gone (agent_restarted)]\n"
            "-> c-20 Offers [a-1 cpus:4;mem:1000]\n");
}

TEST_F(RunningMaster, AnOperatorCanSayThatAnAgentIsGoneForGood) {
  EXPECT_EQ(master.step(MarkAgentGone{1, AgentId{1}}),
            "-> c-10 AgentRefused marked gone by an operator\n"
            "close c-10: gone\n"
            "! Agent a-1 gone\n"
            "-> c-20 AgentLost a-1 gone\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 StatusUpdates [t1 gone_by_operator (agent_removed_by_operator)]\n");
  EXPECT_EQ(master.register_agent({}, AgentId{1}),
            "-> c-10 AgentRefused agent a-1 was marked gone by an operator\n"
            "close c-10: refused\n");
}

TEST_F(RunningMaster, AfterAMasterCrashEverythingComesBackByItself) {
  Master next;
  next.core = MasterCore{MasterOptions{}};
  for (const MasterRecord& record : master.journal) next.core.apply(record);
  EXPECT_EQ(next.resume(), "! Epoch 2\n");
  EXPECT_EQ(next.subscribe(FrameworkId{1}), "-> c-20 Subscribed f-1 epoch 2\n");
  const ReconcileTasks question{{{"t1", AgentId{1}}}};
  EXPECT_EQ(next.receive(framework_connection, question), "")
      << "the agent may still return and say";
  EXPECT_EQ(next.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 2\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(next.receive(framework_connection, question),
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n");
}

TEST(Master, ANewAgentIsOfferedOnceItHasShownThatItKnowsItsId) {
  Master m;
  m.subscribe();
  RegisterAgent message;
  message.hostname = "host";
  message.total = Resources::parse("cpus:4;mem:1000").value();
  EXPECT_EQ(m.receive(agent_connection, message),
            "! Agent a-1 admitted\n"
            "-> c-10 AgentRegistered a-1 epoch 1\n");
  // The answer was lost: the agent asks again, and nothing can have been launched with the first.
  m.step(Closed{agent_connection});
  EXPECT_EQ(m.receive(ConnectionId{11}, message),
            "! Agent a-2 admitted\n"
            "-> c-11 AgentRegistered a-2 epoch 1\n");
  EXPECT_EQ(m.receive(ConnectionId{11}, AgentHeartbeat{1}),
            "-> c-11 HeartbeatAnswer 1\n"
            "-> c-20 Offers [a-2 cpus:4;mem:1000]\n");
}

TEST(Master, AnAgentsTopologyIsKeptAndOneThatIsTooLongRefused) {
  Master m;
  RegisterAgent message;
  message.hostname = "host";
  message.total = Resources::parse("cpus:4;mem:1000").value();
  message.topology = "Package:1 Core:4 PU:1";
  m.receive(agent_connection, message);
  EXPECT_EQ(m.core.agents().at(AgentId{1}).record.topology, "Package:1 Core:4 PU:1");
  message.topology.assign(65'537, 'x');
  EXPECT_EQ(m.receive(ConnectionId{11}, message),
            "-> c-11 AgentRefused agent host: its topology takes 65537 bytes, at most 65536\n"
            "close c-11: refused\n");
  EXPECT_EQ(m.core.agents().size(), 1u);
}

TEST_F(RunningMaster, AnAgentMayReturnWithOtherResourcesThatCoverWhatItRuns) {
  RegisterAgent message;
  message.agent = AgentId{1};
  message.incarnation = {7};
  message.hostname = "host";
  message.tasks = {running_report()};
  message.total = Resources::parse("cpus:0.5;mem:1000").value();
  EXPECT_EQ(master.receive(ConnectionId{11}, message),
            "-> c-11 AgentRefused agent a-1 (host): has cpus:0.5;mem:1000, but 1 task that runs on "
            "there holds cpus:1;mem:100: cpus: need 1, free 0.5; start it with at least that, "
            "or when they have ended\n"
            "close c-11: refused\n");
  EXPECT_EQ(to_string(master.core.agents().at(AgentId{1}).record.total), "cpus:4;mem:1000");
  EXPECT_TRUE(master.core.agents().at(AgentId{1}).connection) << "the old session goes on";
  message.total = Resources::parse("cpus:1;mem:9000").value();
  message.attributes = parse_attributes("rack:r7").value();
  EXPECT_NE(master.receive(ConnectionId{12}, message).find("AgentRegistered a-1"),
            std::string::npos);
  EXPECT_EQ(to_string(master.core.agents().at(AgentId{1}).record.total), "cpus:1;mem:9000");
}

TEST_F(RunningMaster, ARegistrationThatWasHeldUpDoesNotReplaceANewerSession) {
  RegisterAgent message;
  message.agent = AgentId{1};
  message.incarnation = Incarnation{7};
  message.hostname = "host";
  message.total = Resources::parse("cpus:4;mem:1000").value();
  message.tasks = {running_report()};
  message.session = 2000;
  master.receive(ConnectionId{12}, message);
  message.session = 1000;
  message.tasks.clear();
  EXPECT_EQ(master.receive(ConnectionId{11}, message),
            "close c-11: the agent has opened a newer session\n");
  EXPECT_EQ(master.core.frameworks().at(FrameworkId{1}).tasks.size(), 1u);
}

TEST_F(RunningMaster, AReturningAgentsTasksAreToldOfEvenByANewMaster) {
  Master next;
  next.core = MasterCore{MasterOptions{}};
  for (const MasterRecord& record : master.journal) next.core.apply(record);
  next.resume();
  next.subscribe(FrameworkId{1});
  next.tick_after(seconds(61));
  EXPECT_EQ(next.receive(framework_connection, ReconcileTasks{{{"t1", AgentId{1}}}}),
            "-> c-20 StatusUpdates [t1 unreachable (agent_unreachable)]\n");
  EXPECT_EQ(next.register_agent({running_report()}, AgentId{1}),
            "! Agent a-1 admitted\n"
            "-> c-10 AgentRegistered a-1 epoch 2\n"
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST(Master, AnAgentOfAHigherEpochIsNotTaken) {
  Master m;
  RegisterAgent message;
  message.epoch_highest = 5;
  EXPECT_EQ(m.receive(agent_connection, message),
            "close c-10: this master's epoch is 1, the agent obeys 5\n");
}

TEST_F(RunningMaster, AskingForAnUnknownTaskOnARegisteredAgentSaysDropped) {
  EXPECT_EQ(master.receive(framework_connection, ReconcileTasks{{{"t9", AgentId{1}}}}),
            "-> c-20 StatusUpdates [t9 dropped (reconciliation)]\n");
  EXPECT_EQ(master.receive(framework_connection, ReconcileTasks{{{"t9", AgentId{}}}}),
            "-> c-20 StatusUpdates [t9 unknown (reconciliation)]\n");
}

TEST_F(RunningMaster, AnEmptyReconciliationNamesEveryTask) {
  EXPECT_EQ(master.receive(framework_connection, ReconcileTasks{}),
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n");
}

TEST_F(RunningMaster, AKillGoesToTheTasksAgent) {
  EXPECT_EQ(master.receive(framework_connection, KillTask{FrameworkId{1}, "t1", {}, {}}),
            "-> c-10 KillTask t1\n");
}

TEST_F(RunningMaster, AFrameworkThatStaysAwayForTooLongEndsWithItsTasks) {
  EXPECT_EQ(master.step(Closed{framework_connection}), "");
  for (int i = 0; i < 9; ++i) {
    master.now.mono = master.now.mono + seconds(10);
    EXPECT_EQ(master.receive(agent_connection, AgentHeartbeat{1}), "-> c-10 HeartbeatAnswer 1\n");
  }
  EXPECT_EQ(master.tick_after(seconds(10)),
            "! Framework f-1 completed\n"
            "-> c-10 ShutdownFramework f-1\n");
  EXPECT_EQ(master.report(TaskState::killed, 2), "-> c-10 AcknowledgeUpdates [t1 #2]\n");
  EXPECT_EQ(master.subscribe(FrameworkId{1}),
            "-> c-20 fatal FrameworkError framework f-1: has ended; subscribe without an id\n"
            "close c-20: framework f-1: has ended; subscribe without an id\n");
}

TEST_F(RunningMaster, ASecondSessionOfAFrameworkReplacesTheFirst) {
  EXPECT_EQ(master.subscribe(FrameworkId{1}, ConnectionId{21}),
            "-> c-20 fatal FrameworkError the framework opened a new session\n"
            "close c-20: the framework opened a new session\n"
            "-> c-21 Subscribed f-1 epoch 1\n"
            "-> c-21 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(RunningMaster, OneConnectionCannotBeTwoPeers) {
  EXPECT_EQ(master.register_agent({}, AgentId{2}),
            "close c-10: this connection has a session of another peer\n"
            "-> c-20 RescindOffers 1\n");
}

TEST_F(RunningMaster, ReplayOfTheJournalGivesTheSameDurableState) {
  MasterCore replayed{MasterOptions{}};
  for (const MasterRecord& record : master.journal) replayed.apply(record);
  EXPECT_EQ(replayed.snapshot(), master.core.snapshot());
  for (const MasterRecord& record : master.journal) replayed.apply(record);
  EXPECT_EQ(replayed.snapshot(), master.core.snapshot()) << "applying twice changes nothing";
}

}  // namespace
}  // namespace librm::test
