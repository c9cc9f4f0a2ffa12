// The sessions of frameworks and executors: reconnecting, deduplication, kills, reconciliation.
#include <gtest/gtest.h>

#include "describe.hpp"

namespace librm::test {
namespace {

struct DescribeSession : Describe {
  using Describe::operator();
  std::string operator()(const SessionOpened& o) const {
    return "opened " + to_string(o.framework) + " epoch " + std::to_string(o.epoch);
  }
  std::string operator()(const SessionLost&) const { return "lost"; }
  std::string operator()(const OfferReceived& o) const { return "offer " + to_string(o.offer.id); }
  std::string operator()(const OfferEnded& o) const { return "offer ended " + to_string(o.offer); }
  std::string operator()(const UpdateReceived& o) const { return describe(o.update); }
  std::string operator()(const AgentNews&) const { return "agent news"; }
  std::string operator()(const CallRefused& o) const { return "refused: " + o.error.message; }
  std::string operator()(const MessageReceived& o) const { return "message " + o.message.data; }
  std::string operator()(const ConnectAgent&) const { return "connect"; }
  std::string operator()(const RunTask& o) const { return "run " + o.task.id; }
  std::string operator()(const StopTask& o) const { return "stop " + o.task; }
  std::string operator()(const FrameworkData& o) const { return "data " + o.data; }
  std::string operator()(const StopExecutor& o) const { return "end: " + o.reason; }
};

template <class Outputs>
std::string describe_outputs(const Outputs& outputs) {
  std::string text;
  for (const auto& output : outputs) text += std::visit(DescribeSession{}, output) + '\n';
  return text;
}

class FrameworkSession : public ::testing::Test {
 protected:
  FrameworkSession() : core(options()) {
    FrameworkActions out;
    core.start(now, out);
    EXPECT_EQ(describe_outputs(out), "connect\n");
  }

  static FrameworkOptions options() {
    FrameworkOptions options;
    options.info.name = "test";
    return options;
  }

  std::string step(const FrameworkEvent& event) {
    FrameworkActions out;
    core.step(now, event, out);
    return describe_outputs(out);
  }
  std::string receive(Message message) { return step(Received{connection, std::move(message)}); }
  std::string tick_after(Duration time) {
    now.mono = now.mono + time;
    return step(Tick{});
  }
  std::string open() {
    std::string text = step(MasterConnected{connection});
    return text + receive(Subscribed{FrameworkId{1}, 1, seconds(5)});
  }
  std::string offer(std::uint64_t id) {
    OfferInfo info;
    info.id = OfferId{id};
    info.agent = AgentId{1};
    info.lease = seconds(30);
    return receive(Offers{{info}});
  }
  std::string launch(std::uint64_t offer) {
    AcceptOffers accept;
    accept.offers = {OfferId{offer}};
    accept.tasks = {task_info("t1")};
    return step(Call{accept});
  }
  static StatusUpdate update(TaskState state, std::uint64_t sequence) {
    StatusUpdate update;
    update.framework = FrameworkId{1};
    update.task = "t1";
    update.agent = AgentId{1};
    update.state = state;
    update.sequence = sequence;
    return update;
  }
  std::string hear(TaskState state, std::uint64_t sequence) {
    return receive(StatusUpdates{{update(state, sequence)}});
  }
  std::string acknowledge(std::uint64_t sequence) {
    return step(Call{AcknowledgeUpdates{{{FrameworkId{1}, "t1", AgentId{1}, sequence}}}});
  }

  FrameworkCore core;
  Now now{{seconds(1000).ns}, {seconds(5000).ns}};
  ConnectionId connection{10};
};

Demand demand(std::uint64_t id) {
  Demand demand;
  demand.id = {id};
  demand.role = any_role;
  demand.shape = parse_request("cpus:4").value();
  demand.count_min = demand.count_max = 2;
  return demand;
}

TEST_F(FrameworkSession, DeclaresItsDemandsAgainInEverySession) {
  open();
  EXPECT_EQ(step(Call{DeclareDemands{{demand(1)}}}), "-> c-10 DeclareDemands [d-1]\n");
  step(Closed{connection});
  tick_after(seconds(10));
  EXPECT_EQ(open().find("-> c-10 DeclareDemands [d-1]\n") != std::string::npos, true);
  step(Call{DeclareDemands{}});
  step(Closed{connection});
  tick_after(seconds(10));
  EXPECT_EQ(open().find("DeclareDemands"), std::string::npos);
}

TEST_F(FrameworkSession, AGangIsThereWhenItsLastOfferIs) {
  open();
  OfferInfo info;
  info.lease = seconds(30);
  info.earmark = EarmarkId{7};
  info.demand = {1};
  info.together = 2;
  info.id = {1};
  info.agent = {1};
  receive(Offers{{info}});
  EXPECT_TRUE(core.offers_of({7}).empty());
  info.id = {2};
  info.agent = {2};
  receive(Offers{{info}});
  EXPECT_EQ(core.offers_of({7}).size(), 2u);
  EXPECT_TRUE(core.offers_of({8}).empty());
  AcceptTogether accept;
  accept.parts = {{{{1}}, {task_info("t1")}}, {{{2}}, {task_info("t2")}}};
  EXPECT_EQ(step(Call{accept}), "-> c-10 other message\n");
  EXPECT_TRUE(core.offers_of({7}).empty());
  EXPECT_EQ(core.tasks().at("t2").agent, AgentId{2});
}

TEST_F(FrameworkSession, AGangLaunchedWithoutASessionIsDroppedAsAWhole) {
  AcceptTogether accept;
  accept.parts = {{{{1}}, {task_info("t1")}}, {{{2}}, {task_info("t2")}}};
  EXPECT_EQ(step(Call{accept}), "t1 dropped (invalid_offers)\nt2 dropped (invalid_offers)\n");
}

TEST_F(FrameworkSession, WhatNoMessageCarriesIsAnError) {
  open();
  AcceptOffers accept;
  accept.tasks = {task_info("t1"), task_info("t2")};
  accept.tasks[0].data = std::string(launch_bytes_max, 'x');
  EXPECT_EQ(step(Call{accept}), "t1 error (invalid_task)\nt2 error (invalid_task)\n");
  EXPECT_TRUE(core.tasks().empty());
}

TEST_F(FrameworkSession, AsksAboutManyTasksInPieces) {
  for (int i = 0; i < 100'000; ++i) {
    core.remember({"t" + std::to_string(i) + std::string(60, 'x'), AgentId{1}, Incarnation{1}});
  }
  const std::string text = open();
  std::size_t pieces = 0;
  for (std::size_t at = 0; (at = text.find("ReconcileTasks", at)) != std::string::npos; ++at) {
    ++pieces;
  }
  EXPECT_EQ(pieces, 4u);
}

TEST_F(FrameworkSession, SubscribesAndKeepsItsId) {
  EXPECT_EQ(open(), "-> c-10 Subscribe f-0\nopened f-1 epoch 1\n");
  EXPECT_EQ(step(Closed{connection}), "lost\n");
  EXPECT_EQ(tick_after(seconds(1)), "connect\n");
  connection = ConnectionId{11};
  EXPECT_EQ(open(), "-> c-11 Subscribe f-1\nopened f-1 epoch 1\n");
}

TEST_F(FrameworkSession, ConnectingBacksOff) {
  EXPECT_EQ(step(MasterUnavailable{"no"}), "");
  EXPECT_EQ(tick_after(milliseconds(199)), "");
  EXPECT_EQ(tick_after(milliseconds(200)), "connect\n");
  step(MasterUnavailable{"no"});
  EXPECT_EQ(tick_after(milliseconds(399)), "");
  EXPECT_EQ(tick_after(milliseconds(400)), "connect\n");
}

TEST_F(FrameworkSession, AnUpdateIsPassedOnOnceAndAcknowledgedAgainWhenRepeated) {
  open();
  offer(5);
  launch(5);
  EXPECT_EQ(hear(TaskState::running, 1), "t1 running #1\n");
  EXPECT_EQ(hear(TaskState::running, 1), "") << "being remembered";
  EXPECT_EQ(acknowledge(1), "-> c-10 AcknowledgeUpdates [t1 #1]\n");
  EXPECT_EQ(hear(TaskState::running, 1), "-> c-10 AcknowledgeUpdates [t1 #1]\n");
  EXPECT_EQ(hear(TaskState::finished, 2), "t1 finished #2\n");
  acknowledge(2);
  EXPECT_TRUE(core.tasks().empty());
}

TEST_F(FrameworkSession, AnEndIsPassedOnEvenWhereItsHostLostCount) {
  open();
  offer(5);
  launch(5);
  hear(TaskState::running, 1);
  acknowledge(1);
  EXPECT_EQ(hear(TaskState::gone, 1), "t1 gone #1\n");
  EXPECT_EQ(acknowledge(1), "-> c-10 AcknowledgeUpdates [t1 #1]\n");
  EXPECT_TRUE(core.tasks().empty());
}

TEST_F(FrameworkSession, AnUnreachableTaskIsAskedAboutAgain) {
  open();
  offer(5);
  launch(5);
  step(Closed{connection});
  tick_after(seconds(1));
  open();
  hear(TaskState::unreachable, 0);
  EXPECT_EQ(tick_after(seconds(1)), "-> c-10 ReconcileTasks [t1]\n");
}

TEST_F(FrameworkSession, WhatWasNotAcknowledgedIsPassedOnAgainAfterAReconnect) {
  open();
  offer(5);
  launch(5);
  hear(TaskState::finished, 1);
  step(Closed{connection});
  open();
  EXPECT_EQ(hear(TaskState::finished, 1), "t1 finished #1\n");
}

TEST_F(FrameworkSession, OffersEndWithTheirLeaseAndWithTheSession) {
  open();
  EXPECT_EQ(offer(5), "offer o-5\n");
  now.mono = now.mono + seconds(30);
  EXPECT_NE(step(Tick{}).find("offer ended o-5\n"), std::string::npos);
  step(Closed{connection});
  open();
  offer(6);
  EXPECT_EQ(step(Closed{connection}), "offer ended o-6\nlost\n");
}

TEST_F(FrameworkSession, ALaunchWithoutASessionIsDroppedAtOnce) {
  open();
  offer(5);
  step(Closed{connection});
  EXPECT_EQ(launch(5), "t1 dropped (invalid_offers)\n");
}

TEST_F(FrameworkSession, AfterAReconnectLiveTasksAreAskedAboutUntilHeardOf) {
  open();
  offer(5);
  launch(5);
  step(Closed{connection});
  EXPECT_EQ(open(), "-> c-10 Subscribe f-1\nopened f-1 epoch 1\n-> c-10 ReconcileTasks [t1]\n");
  EXPECT_EQ(tick_after(seconds(1)), "-> c-10 ReconcileTasks [t1]\n");
  hear(TaskState::running, 0);
  EXPECT_EQ(tick_after(seconds(2)), "");
}

TEST_F(FrameworkSession, AKillIsRepeatedUntilTheTaskHasEnded) {
  open();
  offer(5);
  launch(5);
  EXPECT_EQ(step(Call{KillTask{FrameworkId{1}, "t1", AgentId{1}, {}}}), "-> c-10 KillTask t1\n");
  EXPECT_NE(tick_after(seconds(5)).find("KillTask t1"), std::string::npos);
  hear(TaskState::killed, 1);
  EXPECT_EQ(tick_after(seconds(5)).find("KillTask"), std::string::npos);
}

TEST_F(FrameworkSession, ASilentMasterIsLeft) {
  open();
  EXPECT_EQ(tick_after(seconds(5)), "-> c-10 other message\n") << "a heartbeat";
  EXPECT_EQ(tick_after(seconds(11)), "close c-10: the master is silent\nlost\n");
}

class ExecutorSession : public ::testing::Test {
 protected:
  ExecutorSession() : core(ExecutorOptions{FrameworkId{1}, "x", milliseconds(500), seconds(900)}) {
    ExecutorActions out;
    core.start(now, out);
    EXPECT_EQ(describe_outputs(out), "connect\n");
  }
  std::string step(const ExecutorEvent& event) {
    ExecutorActions out;
    core.step(now, event, out);
    return describe_outputs(out);
  }
  std::string receive(Message message) { return step(Received{connection, std::move(message)}); }
  void open() {
    step(AgentConnected{connection});
    receive(ExecutorSubscribed{AgentId{1}});
  }

  ExecutorCore core;
  Now now{{seconds(1000).ns}, {seconds(5000).ns}};
  ConnectionId connection{10};
};

TEST_F(ExecutorSession, RunsATaskOnceHoweverOftenItIsLaunched) {
  open();
  EXPECT_EQ(receive(ExecutorLaunch{task_info("t1")}), "run t1\n");
  EXPECT_EQ(receive(ExecutorLaunch{task_info("t1")}), "");
}

TEST_F(ExecutorSession, KeepsUpdatesUntilTheAgentHasThem) {
  open();
  receive(ExecutorLaunch{task_info("t1")});
  EXPECT_EQ(step(ReportTask{"t1", TaskState::finished, "", "", {}}),
            "-> c-10 StatusUpdates [t1 finished #1]\n");
  step(Closed{connection});
  EXPECT_EQ(core.unacknowledged(), 1u);
  open();
  receive(AcknowledgeUpdates{{{FrameworkId{1}, "t1", AgentId{1}, 1}}});
  EXPECT_EQ(core.unacknowledged(), 0u);
}

TEST_F(ExecutorSession, EndsItselfWhenTheAgentStaysAway) {
  open();
  step(Closed{connection});
  now.mono = now.mono + milliseconds(500);
  EXPECT_EQ(step(Tick{}), "connect\n");
  now.mono = now.mono + seconds(900);
  EXPECT_EQ(step(Tick{}), "end: the agent stayed away for longer than recovery_timeout\n");
}

TEST_F(ExecutorSession, AShutdownStopsItsTasks) {
  open();
  receive(ExecutorLaunch{task_info("t1")});
  EXPECT_EQ(receive(ExecutorShutdown{seconds(3)}), "stop t1\nend: shut down by the agent\n");
}

}  // namespace
}  // namespace librm::test
