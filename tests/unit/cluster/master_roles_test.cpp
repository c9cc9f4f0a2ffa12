// The master's rules for who gets how much: loans, quotas, weights and reservations.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "librm/alloc/allocator.hpp"
#include "librm/cluster/master.hpp"
#include "master_harness.hpp"

namespace librm::test {
namespace {

using testing::HasSubstr;

constexpr ConnectionId other_agent{11};
constexpr ConnectionId other_framework{21};

TaskInfo until(TaskInfo info, WallTime release_by) {
  info.release_by = release_by;
  return info;
}

/// f-1 holds a-1 for 100 s more; f-2 waits for both agents, and a-2 is lent to f-1 meanwhile.
class Loan : public ::testing::Test {
 protected:
  Loan() {
    master.register_agent();
    master.subscribe();
    master.launch({until(task_info("t1", "cpus:4;mem:1000"), end)});
    master.register_agent({}, {}, other_agent);
    decline(framework_connection, FrameworkId{1}, Duration{});
    master.subscribe({}, other_framework);
    decline(other_framework, FrameworkId{2}, Duration{});
    Demand demand;
    demand.id = {1};
    demand.role = any_role;
    demand.shape = parse_request("cpus:4;mem:1000").value();
    demand.count_min = demand.count_max = 2;
    master.receive(other_framework, DeclareDemands{{demand}});
    decline(framework_connection, FrameworkId{1}, Duration{});
    decline(other_framework, FrameworkId{2}, seconds(50));
  }
  void decline(ConnectionId from, FrameworkId framework, Duration refuse_for) {
    DeclineOffers decline;
    for (const Offer* offer : master.core.allocator().offers_of(framework)) {
      decline.offers.push_back(offer->id);
    }
    decline.refuse_for = refuse_for;
    master.receive(from, decline);
  }
  const Offer* lent() const {
    const auto offers = master.core.allocator().offers_of(FrameworkId{1});
    return offers.size() == 1 && offers[0]->lent_until ? offers[0] : nullptr;
  }

  Master master;
  WallTime end = master.now.wall + seconds(100);
};

TEST_F(Loan, GoesToATaskThatEndsInTime) {
  ASSERT_NE(lent(), nullptr);
  EXPECT_EQ(lent()->lent_until, master.now.mono + seconds(100));
  EXPECT_THAT(master.launch({until(task_info("t2", "cpus:4"), end)}),
              HasSubstr("LaunchTasks boot-7 [t2]"));
}

TEST_F(Loan, IsRefusedToATaskWithoutAnEndOrWithALaterOne) {
  EXPECT_EQ(master.launch({task_info("t2", "cpus:4")}).substr(0, 52),
            "-> c-20 StatusUpdates [t2 dropped (invalid_offers)]\n");
  ASSERT_NE(lent(), nullptr);
  EXPECT_THAT(master.launch({until(task_info("t2", "cpus:4"), end + seconds(2))}),
              HasSubstr("t2 dropped (invalid_offers)"));
}

TEST_F(Loan, AClockThatWasAdjustedMeanwhileDoesNotEndIt) {
  EXPECT_THAT(master.launch({until(task_info("t2", "cpus:4"), end + milliseconds(5))}),
              HasSubstr("LaunchTasks boot-7 [t2]"));
}

TEST_F(Loan, WhatHasAnEndIsFreedAfterTheClockWasSet) {
  master.now.wall = master.now.wall + seconds(5000);
  EXPECT_THAT(master.report(TaskState::finished, 1), HasSubstr("t1 finished"));
  EXPECT_EQ(to_string(master.core.allocator().agent({1})->held), "");
}

TEST_F(Loan, AnAgentsReportSaysWhenItsTasksEnd) {
  TaskReport report;
  report.framework = FrameworkId{1};
  report.info = until(task_info("t1", "cpus:4;mem:1000"), end);
  report.latest.framework = FrameworkId{1};
  report.latest.task = "t1";
  report.latest.state = TaskState::running;
  report.latest.sequence = 1;
  master.register_agent({report}, AgentId{1}, ConnectionId{12});
  EXPECT_EQ(master.core.frameworks().at(FrameworkId{1}).tasks.at("t1").until,
            master.now.mono + seconds(100));
  ASSERT_EQ(master.core.allocator().earmarks().size(), 1u);
  EXPECT_EQ(master.core.allocator().earmarks()[0].starts, master.now.mono + seconds(100));
}

Quota quota(Amounts guarantees, Amounts limits = {}) {
  return {std::move(guarantees), std::move(limits)};
}
const Amounts two_cpus = {{"cpus", Amount::units(2)}};
const Amounts four_cpus = {{"cpus", Amount::units(4)}};

/// The next leader, after the records that this one wrote.
Master successor(const Master& master, MasterOptions options = {}) {
  Master next;
  next.core = MasterCore{options};
  next.now = master.now;
  next.journal.clear();
  for (const MasterRecord& record : master.journal) next.core.apply(record);
  next.resume();
  return next;
}

TEST(RoleQuota, IsDurableAndTakesBackOffersThatAreInItsWay) {
  Master m;
  m.register_agent();
  m.subscribe();
  EXPECT_EQ(m.step(SetQuota{1, "prod", quota(two_cpus)}),
            "! Quota prod\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 Offers [a-1 cpus:2;mem:1000]\n");
  EXPECT_EQ(m.step(SetQuota{2, "prod", quota(two_cpus)}), "reply ok\n") << "it is so already";
  EXPECT_EQ(m.step(SetQuota{3, "prod", std::nullopt}),
            "! Quota prod removed\n"
            "reply ok\n"
            "-> c-20 Offers [a-1 cpus:2]\n");
  EXPECT_EQ(m.step(SetQuota{4, "prod", std::nullopt}), "reply ok\n");
}

TEST_F(RunningMaster, AQuotaBelowWhatIsUsedIsRefusedUnlessForced) {
  const Quota none = quota({}, {{"cpus", Amount{500}}});
  Subscribe message;
  message.info.roles = {"dev"};
  master.receive(other_framework, message);
  TaskInfo info = task_info("t2");
  info.role = "dev";
  AcceptOffers accept;
  master.step(Closed{framework_connection});
  accept.offers = {master.core.allocator().offers_of(FrameworkId{2}).front()->id};
  accept.tasks = {info};
  ASSERT_THAT(master.receive(other_framework, accept), HasSubstr("LaunchTasks"));
  EXPECT_EQ(master.step(SetQuota{1, "dev", none}),
            "reply role dev: cpus: limit 0.5 is below the 1 in use\n");
  EXPECT_THAT(master.step(SetQuota{1, "dev", none, true}), HasSubstr("! Quota dev\nreply ok"));
  EXPECT_EQ(master.step(SetQuota{1, "*", none}),
            "reply role *: what everybody may use has no quota\n");
}

TEST(RoleQuota, ComesBackAfterAStartEvenWhereItIsBrokenOrAParentWasLowered) {
  Master m;
  m.register_agent();
  m.step(SetQuota{1, "eng/db", quota(four_cpus)});
  m.step(SetQuota{1, "eng", quota({}, two_cpus), true});
  ASSERT_EQ(m.core.quotas().size(), 2u);
  const Master next = successor(m);
  std::map<std::string, std::optional<Quota>> restored;
  for (const auto& role : next.core.allocator().roles()) restored[role.role] = role.quota;
  EXPECT_EQ(restored["eng/db"], quota(four_cpus));
  EXPECT_EQ(restored["eng"], quota({}, two_cpus));
  EXPECT_EQ(next.core.snapshot().size(), 4u) << "epoch, agent, two quotas";
}

TEST(RoleQuota, OffersWaitAfterAStartUntilMostKnownAgentsAreBack) {
  Master m;
  m.register_agent();
  m.register_agent({}, {}, other_agent);
  m.step(SetQuota{1, "prod", quota(two_cpus)});
  Master next = successor(m);
  next.subscribe();
  EXPECT_EQ(next.register_agent({}, AgentId{1}), "-> c-10 AgentRegistered a-1 epoch 2\n");
  ASSERT_TRUE(next.core.recovery());
  EXPECT_EQ(next.core.recovery()->back, 1u);
  EXPECT_EQ(next.core.recovery()->needed, 2u);
  EXPECT_THAT(next.register_agent({}, AgentId{2}, other_agent), HasSubstr("Offers [a-"));
  EXPECT_FALSE(next.core.recovery());
}

TEST(RoleQuota, OffersWaitNoLongerThanAgentsHaveToReturn) {
  Master m;
  m.register_agent();
  m.register_agent({}, {}, other_agent);
  m.step(SetQuota{1, "prod", quota(two_cpus)});
  Master next = successor(m);
  next.subscribe();
  next.register_agent({}, AgentId{1});
  EXPECT_EQ(next.core.recovery()->until, next.now.mono + MasterOptions{}.agent_return_timeout);
  next.now.mono = next.now.mono + seconds(50);
  next.receive(agent_connection, AgentHeartbeat{2});
  EXPECT_THAT(next.tick_after(seconds(10)), HasSubstr("Offers [a-1 cpus:2;mem:1000]"));
}

TEST(RoleQuota, WithoutAnyNothingWaitsAfterAStart) {
  Master m;
  m.register_agent();
  m.register_agent({}, {}, other_agent);
  Master next = successor(m);
  EXPECT_FALSE(next.core.recovery());
  next.subscribe();
  EXPECT_THAT(next.register_agent({}, AgentId{1}), HasSubstr("Offers [a-1"));
}

Operation reserve(std::string_view what, const std::string& role) {
  return {OperationKind::reserve, Resources::parse(what).value(), {role, true, "", {}}, {}};
}
Operation unreserve(std::string_view what, const std::string& role) {
  return {OperationKind::unreserve, Resources::parse(what).value(), {role, true, "", {}}, {}};
}
Operation volume(OperationKind kind, std::string_view what) {
  return {kind, Resources::parse(what).value(), {}, {"v", false, ""}};
}

std::string total_of(const Master& master, AgentId agent = AgentId{1}) {
  return to_string(*master.core.allocator().agent(agent)->total);
}

TEST(Reservations, AreDurableBeforeTheAnswerAndTakeOffersBack) {
  Master m;
  m.register_agent();
  m.subscribe();
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:3", "prod")}),
            "! Reservations a-1 cpus(+prod):3\n"
            "reply ok\n"
            "-> c-20 RescindOffers 1\n"
            "-> c-20 Offers [a-1 cpus:1;mem:1000]\n");
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:3", "prod")}),
            "reply agent a-1: reserve: cpus: need 3, free 1\n");
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{2}, reserve("cpus:3", "prod")}),
            "reply agent a-2: no such agent\n");
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{1}, unreserve("cpus(+prod):3", "prod")}),
            "! Reservations a-1 \n"
            "reply ok\n"
            "-> c-20 Offers [a-1 cpus:3]\n");
}

TEST_F(RunningMaster, WhatATaskHoldsIsNotReserved) {
  EXPECT_EQ(master.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:4", "prod")}),
            "reply agent a-1: cpus: need 4, 3 are not in use\n");
}

TEST(Reservations, ComeBackWithTheAgentAlsoToANewMaster) {
  Master m;
  m.register_agent();
  m.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:3", "prod")});
  m.register_agent({}, AgentId{1}, ConnectionId{12});
  EXPECT_EQ(total_of(m), "cpus:1;cpus(+prod):3;mem:1000");
  Master next = successor(m);
  EXPECT_EQ(next.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:1", "prod")}),
            "reply agent a-1 (host) is away; what is reserved there can be changed when it is "
            "back\n");
  next.register_agent({}, AgentId{1});
  EXPECT_EQ(total_of(next), "cpus:1;cpus(+prod):3;mem:1000");
  EXPECT_EQ(next.core.snapshot().size(), 3u) << "epoch, agent, reservations";
}

TEST(Reservations, ThatNoLongerFitAreKeptAsFarAsTheyDoAndTriedAgain) {
  Master m;
  m.register_agent();
  m.step(OperateOnAgent{1, AgentId{1}, reserve("cpus:3", "prod")});
  RegisterAgent smaller;
  smaller.agent = AgentId{1};
  smaller.incarnation = Incarnation{8};
  smaller.total = Resources::parse("cpus:2;mem:1000").value();
  m.receive(ConnectionId{12}, smaller);
  EXPECT_EQ(total_of(m), "cpus(+prod):2;mem:1000");
  EXPECT_EQ(to_string(m.core.agents().at(AgentId{1}).missing), "cpus(+prod):1");
  m.step(OperateOnAgent{1, AgentId{1}, reserve("mem:10", "prod")});
  m.register_agent({}, AgentId{1}, ConnectionId{13}, Incarnation{9});
  EXPECT_EQ(total_of(m), "cpus:1;cpus(+prod):3;mem:990;mem(+prod):10");
  m.receive(ConnectionId{14}, smaller);
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{1}, unreserve("cpus(+prod):1", "prod")}),
            "! Reservations a-1 cpus(+prod):2;mem(+prod):10\n"
            "reply ok\n")
      << "what is lost is given up";
  EXPECT_TRUE(m.core.agents().at(AgentId{1}).missing.empty());
}

TEST(Reservations, WhatTheAgentWasStartedWithIsNotUndone) {
  Master m;
  RegisterAgent message;
  message.hostname = "host";
  message.total = Resources::parse("cpus:4;disk(eng)[v]:5").value();
  m.receive(agent_connection, message);
  m.receive(agent_connection, AgentHeartbeat{1});
  EXPECT_EQ(m.step(OperateOnAgent{1, AgentId{1},
                                  volume(OperationKind::destroy_volume, "disk(eng)[v]:5")}),
            "reply agent a-1: disk(eng)[v]:5 is what it was started with, and changed only by "
            "another start\n");
}

TEST(Reservations, OfAFrameworkAreMadeWithItsLaunch) {
  Master m;
  m.register_agent();
  Subscribe message;
  message.info.roles = {"eng"};
  m.receive(framework_connection, message);
  TaskInfo info = task_info("t1", "cpus(+eng):1;mem:10");
  info.role = "eng";
  AcceptOffers accept;
  accept.offers = {m.core.allocator().offers_of(FrameworkId{1}).front()->id};
  accept.tasks = {info};
  accept.operations = {reserve("cpus:2", "eng")};
  EXPECT_EQ(m.receive(framework_connection, accept),
            "! Reservations a-1 cpus(+eng):2\n"
            "-> c-10 LaunchTasks boot-7 [t1]\n"
            "-> c-20 Offers [a-1 cpus:2;cpus(+eng):1;mem:990]\n");
  accept.offers = {m.core.allocator().offers_of(FrameworkId{1}).front()->id};
  accept.tasks.clear();
  accept.operations = {reserve("cpus:1", "prod")};
  EXPECT_THAT(m.receive(framework_connection, accept),
              HasSubstr("FrameworkError reserve cpus:1 for +prod: it is offered to role eng"));
}

TEST(RoleWeight, OfADefaultIsForgotten) {
  Master m;
  EXPECT_EQ(m.step(SetRoleWeight{1, "prod", 2000}), "! Role prod\nreply ok\n");
  EXPECT_EQ(m.core.snapshot().size(), 2u);
  m.step(SetRoleWeight{1, "prod", 1000});
  EXPECT_EQ(m.core.snapshot().size(), 1u) << "the epoch alone";
}

}  // namespace
}  // namespace librm::test
