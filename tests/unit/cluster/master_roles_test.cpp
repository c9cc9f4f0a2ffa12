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

}  // namespace
}  // namespace librm::test
