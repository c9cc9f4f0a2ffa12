// What an operator does to agents and windows, and what the master makes of it.
#include <gtest/gtest.h>

#include "master_harness.hpp"

namespace librm::test {
namespace {

constexpr ConnectionId more_connection{11};

ControlAgent control(AgentAction action, Drain drain = {}, bool force = false) {
  return {1, AgentId{1}, action, drain, "", force};
}

constexpr Drain requeue{DrainMode::requeue, {}, {}};

/// The agent a-1 runs t1 of `test`.
class Maintenance : public RunningMaster {
 protected:
  std::string act(AgentAction action, Drain drain = {}, bool force = false) {
    return master.step(control(action, drain, force));
  }
  AgentService service() const { return master.core.agents().at(AgentId{1}).service.service; }

  MaintenanceWindow window(std::int64_t start, std::int64_t duration) const {
    MaintenanceWindow result;
    result.name = "kernel";
    result.start = WallTime{seconds(start).ns};
    result.duration = seconds(duration);
    result.hostnames = {"host"};
    return result;
  }
  std::string set_windows(std::vector<MaintenanceWindow> windows,
                          std::optional<std::uint64_t> revision = {}) {
    return master.step(SetMaintenance{1, revision, std::move(windows)});
  }
  std::optional<WallTime> offered_until() const {
    const auto offers = master.core.allocator().offers_of(FrameworkId{1});
    return offers.empty() ? std::nullopt : offers.front()->available_until;
  }
  std::string wall_tick_after(Duration time) {
    master.now.wall = master.now.wall + time;
    return master.step(Tick{});
  }

  /// The next leader, after the records that this one wrote.
  Master next() const {
    Master other;
    other.core = MasterCore{MasterOptions{}};
    other.now = master.now;
    other.journal.clear();
    for (const MasterRecord& record : master.journal) other.core.apply(record);
    other.resume();
    other.subscribe(FrameworkId{1});
    return other;
  }
};

TEST_F(Maintenance, ACordonedAgentIsNotOfferedAndItsTasksRunOn) {
  EXPECT_EQ(act(AgentAction::cordon),
            "! Service a-1 cordoned\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n");
  EXPECT_EQ(act(AgentAction::cordon), "reply ok\n") << "it is so already";
  EXPECT_EQ(act(AgentAction::uncordon),
            "! Service a-1 normal\n"
            "reply ok\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(Maintenance, AnAcceptThatWasUnderWayWhenTheAgentWasCordonedStartsNothing) {
  AcceptOffers accept;
  accept.offers = {master.core.allocator().offers_of(FrameworkId{1}).front()->id};
  accept.tasks = {task_info("t2")};
  act(AgentAction::cordon);
  EXPECT_EQ(master.receive(framework_connection, accept),
            "-> c-20 StatusUpdates [t2 dropped (invalid_offers)]\n");
}

TEST_F(Maintenance, ACordonOutlivesTheMasterAndTheAgentsSession) {
  act(AgentAction::cordon);
  Master other = next();
  EXPECT_EQ(other.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 2\n");
  EXPECT_EQ(other.register_agent({running_report()}, AgentId{1}, more_connection),
            "close c-10: the agent opened a new session\n"
            "-> c-11 AgentRegistered a-1 epoch 2\n");
}

TEST_F(Maintenance, ADrainByRequeueKillsAndIsDoneWhenTheEndIsAcknowledged) {
  EXPECT_EQ(act(AgentAction::drain, {DrainMode::requeue, seconds(1), {}}),
            "! Service a-1 draining\n"
            "reply ok\n"
            "-> c-10 KillTask t1 grace 1 (agent_draining)\n"
            "-> c-20 RescindOffers 1\n");
  EXPECT_EQ(act(AgentAction::drain, {DrainMode::requeue, seconds(1), {}}), "reply ok\n");
  EXPECT_EQ(master.report(TaskState::killed, 2), "-> c-20 StatusUpdates [t1 killed #2]\n");
  EXPECT_EQ(service(), AgentService::draining) << "the framework does not yet know";
  EXPECT_EQ(master.acknowledge(2),
            "! Service a-1 drained\n"
            "-> c-10 AcknowledgeUpdates [t1 #2]\n");
  EXPECT_EQ(act(AgentAction::undrain),
            "! Service a-1 normal\n"
            "reply ok\n"
            "-> c-20 Offers [a-1 cpus:4;mem:1000]\n");
}

TEST_F(Maintenance, ADrainInModeKillSaysThatItIsNotToBeStartedElsewhere) {
  EXPECT_EQ(act(AgentAction::drain, {DrainMode::kill, {}, {}}),
            "! Service a-1 draining\n"
            "reply ok\n"
            "-> c-10 KillTask t1 grace 3 (killed_by_operator)\n"
            "-> c-20 RescindOffers 1\n");
}

TEST_F(Maintenance, ADrainByWaitingKillsAtItsDeadlineOnly) {
  wall_tick_after(Duration{});  // the look that follows every start
  const WallTime deadline = master.now.wall + seconds(60);
  EXPECT_EQ(act(AgentAction::drain, {DrainMode::wait, {}, deadline}),
            "! Service a-1 draining\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n");
  EXPECT_EQ(master.core.next_deadline().wall, deadline);
  EXPECT_EQ(wall_tick_after(seconds(59)), "");
  EXPECT_EQ(wall_tick_after(seconds(1)), "-> c-10 KillTask t1 grace 3 (agent_draining)\n");
  EXPECT_EQ(wall_tick_after(seconds(1)), "") << "told once";
}

TEST_F(Maintenance, WhatWasToldInAnEarlierSessionIsToldAgain) {
  act(AgentAction::drain, requeue);
  master.step(Closed{agent_connection});
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-10 KillTask t1 grace 3 (agent_draining)\n");
}

TEST_F(Maintenance, ADrainGoesOnAfterARestartOfTheMaster) {
  act(AgentAction::drain, requeue);
  Master other = next();
  EXPECT_EQ(other.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 2\n"
            "-> c-10 KillTask t1 grace 3 (agent_draining)\n");
}

TEST_F(Maintenance, ADrainOfAnAgentThatIsAwayTakesEffectOnItsReturn) {
  master.step(Closed{agent_connection});
  EXPECT_EQ(act(AgentAction::drain, requeue),
            "! Service a-1 draining\n"
            "reply ok\n");
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-10 KillTask t1 grace 3 (agent_draining)\n");
}

TEST_F(Maintenance, AnAgentOfWhichNothingIsKnownIsNotDrained) {
  act(AgentAction::drain, requeue);
  Master other = next();
  EXPECT_EQ(other.core.agents().at(AgentId{1}).tasks.size(), 0u);
  EXPECT_EQ(other.step(Tick{}), "");
  EXPECT_EQ(other.core.agents().at(AgentId{1}).service.service, AgentService::draining);
}

TEST_F(Maintenance, ADrainCanBecomeAnotherOne) {
  act(AgentAction::drain, {DrainMode::wait, {}, {}});
  EXPECT_EQ(act(AgentAction::drain, requeue),
            "! Service a-1 draining\n"
            "reply ok\n"
            "-> c-10 KillTask t1 grace 3 (agent_draining)\n");
}

TEST_F(Maintenance, OnlyADrainedAgentGoesDownUnlessForced) {
  EXPECT_EQ(act(AgentAction::down),
            "reply agent a-1 is normal; only a drained agent can be taken down, unless that is "
            "forced\n");
  EXPECT_EQ(act(AgentAction::down, {}, true),
            "! Service a-1 down\n"
            "-> c-10 AgentRefused agent a-1 (host) is down for maintenance; it is taken in again "
            "after 'rmctl node up a-1'\n"
            "close c-10: down for maintenance\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n");
  // It may still be in its lease, from which its fences count.
  EXPECT_EQ(master.tick_after(seconds(14)), "");
  EXPECT_EQ(master.tick_after(seconds(1)),
            "! Agent a-1 unreachable\n"
            "-> c-20 AgentLost a-1\n"
            "-> c-20 StatusUpdates [t1 unreachable (agent_unreachable)]\n");
}

TEST_F(Maintenance, ALeaseThatAnEarlierLeaderGaveHoldsWhereAnAgentGoesDown) {
  Master other = next();  // does not know what runs there
  EXPECT_EQ(other.step(control(AgentAction::down, {}, true)),
            "! Service a-1 down\n"
            "reply ok\n");
  EXPECT_EQ(other.tick_after(seconds(14)), "");
  EXPECT_EQ(other.tick_after(seconds(1)), "! Agent a-1 unreachable\n");
}

TEST_F(Maintenance, AnAgentThatIsDownIsRefusedUntilItIsUp) {
  act(AgentAction::down, {}, true);
  master.tick_after(seconds(15));
  const std::string refused =
      "-> c-11 AgentRefused agent a-1 (host) is down for maintenance; it is taken in again after "
      "'rmctl node up a-1'\n"
      "close c-11: refused\n";
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}, more_connection), refused);
  Master other = next();
  EXPECT_EQ(other.register_agent({running_report()}, AgentId{1}, more_connection), refused);
  EXPECT_EQ(act(AgentAction::undrain), "reply agent a-1 is down; it has to be up first\n");
  EXPECT_EQ(act(AgentAction::up),
            "! Service a-1 normal\n"
            "reply ok\n");
  EXPECT_EQ(master.register_agent({running_report()}, AgentId{1}),
            "! Agent a-1 admitted\n"
            "-> c-10 AgentRegistered a-1 epoch 1\n"
            "-> c-20 StatusUpdates [t1 running (reconciliation)]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(Maintenance, WhatDoesNotSuitTheStateIsRefusedWithTheWordThatDoes) {
  EXPECT_EQ(master.step(ControlAgent{1, AgentId{9}, AgentAction::cordon, {}, "", false}),
            "reply agent a-9: no such agent\n");
  act(AgentAction::cordon);
  EXPECT_EQ(act(AgentAction::undrain), "reply agent a-1 is cordoned; uncordon it\n");
  EXPECT_EQ(act(AgentAction::up), "reply agent a-1 is cordoned; it is not down\n");
  act(AgentAction::drain, {DrainMode::wait, {}, {}});
  EXPECT_EQ(act(AgentAction::cordon), "reply agent a-1 is draining; undrain it first\n");
  EXPECT_EQ(act(AgentAction::uncordon), "reply agent a-1 is draining; undrain it\n");
  EXPECT_EQ(act(AgentAction::drain, {DrainMode::kill, {}, WallTime{1}}),
            "reply drain: deadline: mode kill kills at once; only mode wait has a deadline\n");
}

TEST_F(Maintenance, OffersSayWhenTheNextWindowBegins) {
  EXPECT_EQ(set_windows({window(6000, 60)}),
            "! Maintenance 1 [kernel]\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 InverseOffers [a-1 at 6000]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(offered_until(), WallTime{seconds(6000).ns});
  EXPECT_EQ(set_windows({}),
            "! Maintenance 2 []\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(offered_until(), std::nullopt);
}

TEST_F(Maintenance, AWindowThatIsOverIsForgotten) {
  set_windows({window(6000, 60)});
  EXPECT_EQ(wall_tick_after(seconds(1059)), "") << "it has begun, and is still the next";
  EXPECT_EQ(offered_until(), WallTime{seconds(6000).ns});
  EXPECT_EQ(wall_tick_after(seconds(1)),
            "! Maintenance 2 []\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(offered_until(), std::nullopt);
}

TEST_F(Maintenance, WindowsOutliveTheMaster) {
  set_windows({window(6000, 60)});
  Master other = next();
  other.register_agent({running_report()}, AgentId{1});
  const auto offers = other.core.allocator().offers_of(FrameworkId{1});
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers.front()->available_until, WallTime{seconds(6000).ns});
}

TEST_F(Maintenance, ARefusalEndsWithTheWindowForWhichItWasMeant) {
  set_windows({window(6000, 60)});
  const OfferId offer = master.core.allocator().offers_of(FrameworkId{1}).front()->id;
  EXPECT_EQ(master.receive(framework_connection, DeclineOffers{{offer}, seconds(3600), ""}), "");
  EXPECT_EQ(set_windows({}),
            "! Maintenance 2 []\n"
            "reply ok\n"
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(Maintenance, AChangeOfAnOutdatedScheduleIsRefusedAndARepetitionIsNot) {
  set_windows({window(6000, 60)});
  EXPECT_EQ(set_windows({window(6000, 60)}, 0), "reply ok\n") << "that is what there is";
  EXPECT_EQ(set_windows({window(7000, 60)}, 0),
            "reply maintenance: the schedule is at revision 1, the change was made to revision "
            "0\n");
  EXPECT_EQ(set_windows({window(10, 60)}, 1), "reply window kernel: it ended 4930 s ago\n");
}

TEST_F(Maintenance, WhoHasTasksThereIsAskedOnceToLeaveBeforeTheWindow) {
  EXPECT_EQ(set_windows({window(6000, 60)}),
            "! Maintenance 1 [kernel]\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 InverseOffers [a-1 at 6000]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(master.report(TaskState::running, 2), "-> c-20 StatusUpdates [t1 running #2]\n");
  EXPECT_EQ(set_windows({window(6500, 60)}),
            "! Maintenance 2 [kernel]\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 InverseOffers [a-1 at 6500]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
  EXPECT_EQ(master.report(TaskState::finished, 3),
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 StatusUpdates [t1 finished #3]\n"
            "-> c-20 Offers [a-1 cpus:1;mem:100]\n");
  EXPECT_TRUE(master.core.inverse_offers().empty());
}

TEST_F(Maintenance, AnAnswerIsKeptForOperatorsAndAskedForAgainAfterItsTime) {
  set_windows({window(9000, 60)});
  const InverseOfferId first = master.core.inverse_offers().begin()->second.info.id;
  master.receive(framework_connection, DeclineInverseOffers{{first}, seconds(20), "busy"});
  const auto& offers = master.core.inverse_offers();
  EXPECT_EQ(offers.begin()->second.answer, MasterCore::InverseOffer::Answer::declined);
  EXPECT_EQ(offers.begin()->second.reason, "busy");
  EXPECT_EQ(master.tick_after(seconds(19)), "");
  EXPECT_EQ(master.tick_after(seconds(1)),
            "-> c-20 RescindInverseOffers 1\n"
            "-> c-20 InverseOffers [a-1 at 9000]\n");
  const InverseOfferId second = master.core.inverse_offers().begin()->second.info.id;
  EXPECT_NE(first, second);
  master.receive(framework_connection, AcceptInverseOffers{{first}, Duration{}});
  EXPECT_EQ(offers.begin()->second.answer, MasterCore::InverseOffer::Answer::none)
      << "an answer to what was rescinded";
  master.receive(framework_connection, AcceptInverseOffers{{second}, Duration{}});
  EXPECT_EQ(offers.begin()->second.answer, MasterCore::InverseOffer::Answer::accepted);
  EXPECT_EQ(master.step(Tick{}), "") << "not in a loop, whatever it says";
}

TEST_F(Maintenance, ANewSessionIsAskedAnew) {
  set_windows({window(9000, 60)});
  master.step(Closed{framework_connection});
  EXPECT_TRUE(master.core.inverse_offers().empty());
  EXPECT_EQ(master.subscribe(FrameworkId{1}),
            "-> c-20 Subscribed f-1 epoch 1\n"
            "-> c-20 InverseOffers [a-1 at 9000]\n"
            "-> c-20 Offers [a-1 cpus:3;mem:900]\n");
}

TEST_F(Maintenance, WindowsAndDrainsAreInTheSnapshot) {
  set_windows({window(6000, 60)});
  act(AgentAction::drain, requeue);
  MasterCore other{MasterOptions{}};
  for (const MasterRecord& record : master.core.snapshot()) other.apply(record);
  EXPECT_EQ(other.maintenance(), master.core.maintenance());
  EXPECT_EQ(other.agents().at(AgentId{1}).service, master.core.agents().at(AgentId{1}).service);
}

TEST_F(Maintenance, ThePlanIsWhatTheDrainThenDoes) {
  const auto plan = master.core.plan_drain(AgentId{1}, requeue, master.now.wall);
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->kills.size(), 1u);
  EXPECT_EQ(plan->kills[0].task, "t1");
  const auto waits = master.core.plan_drain(AgentId{1}, {}, master.now.wall);
  EXPECT_EQ(waits->blockers,
            std::vector<std::string>{"task t1 of test: no time limit; mode wait has no deadline"});
  EXPECT_EQ(service(), AgentService::normal) << "to plan changes nothing";
}

}  // namespace
}  // namespace librm::test
