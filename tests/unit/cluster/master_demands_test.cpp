// What frameworks ask a master for beyond plain offers: gangs, preemption, wishes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "librm/alloc/allocator.hpp"
#include "librm/cluster/master.hpp"
#include "master_harness.hpp"

namespace librm::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr ConnectionId other_agent{11};
constexpr ConnectionId other_framework{21};

Demand gang(std::uint64_t id, std::uint32_t count, const std::string& shape = "cpus:4;mem:1000") {
  Demand demand;
  demand.id = {id};
  demand.role = any_role;
  demand.shape = parse_request(shape).value();
  demand.count_min = demand.count_max = count;
  return demand;
}

void decline_all(Master& master, ConnectionId from, FrameworkId framework, Duration refuse_for) {
  DeclineOffers decline;
  for (const Offer* offer : master.core.allocator().offers_of(framework)) {
    decline.offers.push_back(offer->id);
  }
  decline.refuse_for = refuse_for;
  master.receive(from, decline);
}

/// Two agents, and f-1 with a gang on both of them.
class OfferedGang : public ::testing::Test {
 protected:
  OfferedGang() {
    master.register_agent();
    master.register_agent({}, {}, other_agent);
    master.subscribe();
    decline_all(master, framework_connection, {1}, Duration{});
    master.receive(framework_connection, DeclareDemands{{gang(1, 2)}});
  }
  std::vector<const Offer*> offers() const { return master.core.allocator().offers_of({1}); }
  AcceptTogether accept() const {
    AcceptTogether accept;
    for (const Offer* offer : offers()) {
      const std::string id = "t" + std::to_string(accept.parts.size() + 1);
      accept.parts.push_back({{offer->id}, {task_info(id, "cpus:4;mem:1000")}});
    }
    return accept;
  }

  Master master;
};

TEST_F(OfferedGang, IsLaunchedTogether) {
  ASSERT_EQ(offers().size(), 2u);
  EXPECT_EQ(offers()[0]->demand, DemandId{1});
  EXPECT_EQ(offers()[0]->together, 2u);
  EXPECT_EQ(master.receive(framework_connection, accept()),
            "-> c-10 LaunchTasks boot-7 [t1]\n"
            "-> c-11 LaunchTasks boot-7 [t2]\n");
}

TEST_F(OfferedGang, IsNotLaunchedInPart) {
  EXPECT_THAT(master.launch({task_info("t1", "cpus:4")}), Not(HasSubstr("LaunchTasks")));
  ASSERT_EQ(offers().size(), 2u) << "made anew, since the demand is still there";
  AcceptTogether half = accept();
  half.parts.pop_back();
  EXPECT_THAT(master.receive(framework_connection, half),
              AllOf(Not(HasSubstr("LaunchTasks")), HasSubstr("t1 dropped (invalid_offers)")));
}

TEST_F(OfferedGang, OneBadTaskRefusesAllOfIt) {
  AcceptTogether bad = accept();
  bad.parts[1].tasks[0].resources = Resources::parse("cpus:5").value();
  EXPECT_THAT(master.receive(framework_connection, bad),
              AllOf(Not(HasSubstr("LaunchTasks")), HasSubstr("t1 dropped (invalid_offers)"),
                    HasSubstr("t2 dropped (invalid_offers)")));
  EXPECT_TRUE(master.core.frameworks().at({1}).tasks.empty());
}

TEST_F(OfferedGang, ATaskIdIsUsedOnceAcrossItsParts) {
  AcceptTogether bad = accept();
  bad.parts[1].tasks[0].id = "t1";
  EXPECT_THAT(master.receive(framework_connection, bad), Not(HasSubstr("LaunchTasks")));
}

TEST_F(OfferedGang, AnAgentIsInOnePart) {
  AcceptTogether bad = accept();
  bad.parts.push_back(bad.parts[0]);
  bad.parts.back().tasks[0].id = "t3";
  EXPECT_THAT(master.receive(framework_connection, bad), Not(HasSubstr("LaunchTasks")));
  EXPECT_TRUE(master.core.frameworks().at({1}).tasks.empty());
}

TEST_F(OfferedGang, AnAgentWithoutALeaseRefusesAllOfIt) {
  master.now.mono = master.now.mono + seconds(16);
  master.receive(agent_connection, AgentHeartbeat{2});
  EXPECT_THAT(master.receive(framework_connection, accept()),
              AllOf(Not(HasSubstr("LaunchTasks")), HasSubstr("t2 dropped (lease_expired)")));
}

TEST_F(OfferedGang, AFrameworkCannotAcceptWhatAnotherWasOffered) {
  master.subscribe({}, other_framework);
  AcceptTogether stolen = accept();
  for (AcceptPart& part : stolen.parts) part.tasks.clear();
  master.receive(other_framework, stolen);
  EXPECT_EQ(offers().size(), 2u);
}

TEST_F(OfferedGang, TheDemandEndsWithTheSession) {
  master.step(Closed{framework_connection});
  master.subscribe({1});
  for (const Offer* offer : offers()) EXPECT_FALSE(offer->earmark.has_value());
}

TEST(Demands, ABadPatternIsRefusedAndNamed) {
  Master master;
  master.subscribe();
  Demand demand = gang(1, 2);
  demand.constraints = parse_constraints("rack like r.*").value();
  EXPECT_THAT(master.receive(framework_connection, DeclareDemands{{demand}}),
              HasSubstr("FrameworkError framework f-1: demand d-1: rack like r.*: patterns are not "
                        "understood"));
}

// --- preemption ---

/// f-1 runs t1 and t2 on a-1 and t3 on a-2, all of it without an end; f-2 wants a gang on both.
class Impatient : public ::testing::Test {
 protected:
  Impatient() : master(options()) {
    master.register_agent();
    subscribe_as("work", framework_connection);
    master.launch({task("t1", "cpus:2"), task("t2", "cpus:2")});
    master.report(TaskState::running, 1, "t1");
    master.report(TaskState::running, 1, "t2");
    decline_all(master, framework_connection, {1}, seconds(1000));
    master.register_agent({}, {}, other_agent);
    master.launch({task("t3", "cpus:3")});
    subscribe_as("gangs", other_framework);
    decline_all(master, other_framework, {2}, Duration{});
    Demand demand = gang(1, 2, "cpus:2");
    demand.role = "gangs";
    master.receive(other_framework, DeclareDemands{{demand}});
  }
  static MasterOptions options() {
    MasterOptions options;
    options.allocator.earmark_max = seconds(10);
    return options;
  }
  static TaskInfo task(const TaskId& id, const char* resources) {
    TaskInfo info = task_info(id, resources);
    info.role = "work";
    return info;
  }
  void subscribe_as(const std::string& role, ConnectionId from) {
    Subscribe message;
    message.info.name = role;
    message.info.roles = {role};
    message.info.failover_timeout = seconds(100);
    master.receive(from, message);
  }

  Master master;
};

TEST_F(Impatient, HasNoMoreKilledThanItLacks) {
  ASSERT_EQ(master.core.allocator().earmarks().size(), 1u);
  EXPECT_THAT(master.tick_after(seconds(9)), Not(HasSubstr("KillTask")));
  EXPECT_EQ(master.core.next_deadline().mono, master.now.mono + seconds(1));
  EXPECT_THAT(
      master.tick_after(seconds(1)),
      AllOf(HasSubstr("-> c-10 KillTask t1 grace 0 (preempted)\n"),
            HasSubstr("-> c-11 KillTask t3 grace 0 (preempted)\n"), Not(HasSubstr("KillTask t2"))));
  EXPECT_THAT(master.tick_after(seconds(1)), Not(HasSubstr("KillTask"))) << "said once";
}

TEST_F(Impatient, StartsWhenWhatWasInItsWayHasEnded) {
  master.tick_after(seconds(10));
  master.report(TaskState::killed, 2, "t1");
  StatusUpdate update;
  update.framework = {1};
  update.task = "t3";
  update.state = TaskState::killed;
  update.sequence = 2;
  master.receive(other_agent, StatusUpdates{{update}});
  std::size_t offered = 0;
  for (const Offer* offer : master.core.allocator().offers_of({2})) {
    if (offer->demand == DemandId{1}) ++offered;
  }
  EXPECT_EQ(offered, 2u);
}

TEST_F(Impatient, TellsAnAgentAgainThatComesBack) {
  master.tick_after(seconds(10));
  master.step(Closed{other_agent});
  TaskReport report;
  report.framework = {1};
  report.info = task("t3", "cpus:3");
  report.latest.framework = {1};
  report.latest.task = "t3";
  report.latest.state = TaskState::running;
  report.latest.sequence = 1;
  master.register_agent({report}, {2}, other_agent);
  // The earmark went with the agent, and a new one waits its time.
  EXPECT_THAT(master.tick_after(seconds(10)), HasSubstr("-> c-11 KillTask t3 grace 0 (preempted)"));
}

// --- wishes ---

TEST(Wishes, ARoleThatIsNotAllowedIsRefusedForGood) {
  MasterOptions options;
  options.allocator.roles = {"eng"};
  Master master(options);
  EXPECT_EQ(master.subscribe(),
            "-> c-20 fatal FrameworkError framework f-1: role * is not allowed here\n"
            "close c-20: framework f-1: role * is not allowed here\n");
  EXPECT_TRUE(master.core.frameworks().empty());
}

TEST(Wishes, ReplaceThoseOfTheSessionBefore) {
  Master master;
  master.register_agent();
  master.subscribe();
  ASSERT_EQ(master.core.allocator().offers_of({1}).size(), 1u);
  master.step(Closed{framework_connection});
  Subscribe message;
  message.framework = {1};
  message.info.name = "test";
  message.info.roles = {"eng"};
  message.info.min_allocatable = {parse_request("cpus:5").value()};
  message.info.failover_timeout = seconds(100);
  master.receive(framework_connection, message);
  EXPECT_TRUE(master.core.allocator().offers_of({1}).empty()) << "the agent has 4 cpus";
  message.info.min_allocatable = {parse_request("cpus:5").value(),
                                  parse_request("mem:1000").value()};
  master.receive(framework_connection, message);
  ASSERT_EQ(master.core.allocator().offers_of({1}).size(), 1u);
  EXPECT_EQ(master.core.allocator().offers_of({1})[0]->role, "eng");
}

TEST(Wishes, RevocableResourcesGoToThoseWhoAskForThem) {
  Master master;
  RegisterAgent agent;
  agent.incarnation = {7};
  agent.hostname = "host";
  agent.total = Resources::parse("cpus:1;cpus{revocable}:3").value();
  master.receive(agent_connection, agent);
  master.receive(agent_connection, AgentHeartbeat{1});
  master.subscribe();
  const auto offered = [&] {
    Resources sum;
    for (const Offer* offer : master.core.allocator().offers_of({1})) sum += offer->resources;
    return to_string(sum);
  };
  EXPECT_EQ(offered(), "cpus:1");
  Subscribe message;
  message.framework = {1};
  message.info.revocable = true;
  message.info.failover_timeout = seconds(100);
  master.receive(framework_connection, message);
  EXPECT_EQ(offered(), "cpus:1;cpus{revocable}:3");
}

TEST(Wishes, TooManyLeastAmountsAreRefused) {
  Master master;
  Subscribe message;
  message.info.min_allocatable.resize(min_allocatable_max + 1);
  EXPECT_THAT(
      master.receive(framework_connection, message),
      HasSubstr("fatal FrameworkError framework: min_allocatable: 65 requests, at most 64"));
}

}  // namespace
}  // namespace librm::test
