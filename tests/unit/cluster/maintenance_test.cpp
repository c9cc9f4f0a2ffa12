// Windows and the plan of a drain: each case is the transcript of what would be done.
#include "librm/cluster/maintenance.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace librm::test {
namespace {

constexpr WallTime now{seconds(1000).ns};

WallTime at(std::int64_t second) { return WallTime{seconds(second).ns}; }

/// A running task of `batch` that started at 900 s.
struct task {
  explicit task(TaskId id) {
    value.framework = FrameworkId{1};
    value.framework_name = "batch";
    value.id = std::move(id);
    value.started = at(900);
    value.kill_grace = seconds(3);
  }
  task& limit(std::int64_t s) { return value.time_limit = seconds(s), *this; }
  task& release_by(std::int64_t s) { return value.release_by = at(s), *this; }
  task& grace(std::int64_t s) { return value.kill_grace = seconds(s), *this; }
  task& staging() {
    value.started.reset();
    return value.state = TaskState::staging, *this;
  }
  task& ended() { return value.state = TaskState::finished, *this; }
  DrainSnapshot::Task value;
};

/// One agent a-1 on host n1.
DrainSnapshot snapshot(Drain drain, std::vector<task> tasks) {
  DrainSnapshot all;
  all.now = now;
  DrainSnapshot::Agent agent;
  agent.agent = AgentId{1};
  agent.hostname = "n1";
  agent.drain = drain;
  for (task& one : tasks) agent.tasks.push_back(std::move(one.value));
  all.agents.push_back(std::move(agent));
  return all;
}

MaintenanceWindow window(const std::string& name, std::int64_t start, std::int64_t duration = 0) {
  MaintenanceWindow result;
  result.name = name;
  result.start = at(start);
  if (duration != 0) result.duration = seconds(duration);
  result.hostnames = {"n1"};
  return result;
}

std::string second_of(WallTime t) { return std::to_string((t - WallTime{}).ns / 1'000'000'000); }

std::string transcript(const DrainPlan& plan) {
  std::string text;
  for (const DrainPlan::Kill& kill : plan.kills) {
    text += second_of(kill.at) + " kill " + to_string(kill.agent) + " " + kill.task + " grace " +
            std::to_string(to_ms(kill.grace) / 1000) + " " + to_string(kill.reason) + "\n";
  }
  for (const std::string& blocker : plan.blockers) text += "! " + blocker + "\n";
  return text + (plan.expected_end ? "done by " + second_of(*plan.expected_end) : "no known end");
}

std::string plan(Drain drain, std::vector<task> tasks) {
  return transcript(plan_drain(snapshot(drain, std::move(tasks))));
}

TEST(PlanDrain, AnEmptyAgentIsDrainedAtOnce) {
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {}), "done by 1000");
  EXPECT_EQ(plan({DrainMode::kill, {}, {}}, {}), "done by 1000");
}

TEST(PlanDrain, RequeueAndKillEndAllNowForDifferentReasons) {
  EXPECT_EQ(plan({DrainMode::requeue, {}, {}}, {task("1"), task("2").grace(9)}),
            "1000 kill a-1 1 grace 3 agent_draining\n"
            "1000 kill a-1 2 grace 9 agent_draining\n"
            "done by 1009");
  EXPECT_EQ(plan({DrainMode::kill, {}, {}}, {task("1")}),
            "1000 kill a-1 1 grace 3 killed_by_operator\n"
            "done by 1003");
}

TEST(PlanDrain, GraceIsACapAndNeverExtendsATasksOwn) {
  EXPECT_EQ(plan({DrainMode::kill, seconds(5), {}}, {task("1"), task("2").grace(60)}),
            "1000 kill a-1 1 grace 3 killed_by_operator\n"
            "1000 kill a-1 2 grace 5 killed_by_operator\n"
            "done by 1005");
}

TEST(PlanDrain, WaitKillsNothingAndNamesWhatHasNoEnd) {
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").limit(500)}), "done by 1403");
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").limit(500), task("42.1.1")}),
            "! task 42.1.1 of batch: no time limit; mode wait has no deadline\n"
            "no known end");
}

TEST(PlanDrain, WaitTakesTheEarlierOfTimeLimitAndReleaseBy) {
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").limit(500).release_by(1200)}),
            "done by 1203");
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").release_by(500)}), "done by 1003");
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").limit(500).staging()}), "done by 1503");
}

TEST(PlanDrain, ATimeLimitBeyondTheEndOfTimeIsNoAccident) {
  EXPECT_EQ(plan({DrainMode::wait, {}, {}}, {task("1").limit(9'223'372'000)}),
            "done by 9223372036");
}

TEST(PlanDrain, AtTheDeadlineOnlyWhatStillRunsIsKilled) {
  EXPECT_EQ(plan({DrainMode::wait, seconds(2), at(1300)},
                 {task("1").limit(200), task("2").limit(399), task("3")}),
            "1300 kill a-1 2 grace 2 agent_draining\n"
            "1300 kill a-1 3 grace 2 agent_draining\n"
            "done by 1302");
}

TEST(PlanDrain, ADeadlineThatHasPassedMeansNow) {
  EXPECT_EQ(plan({DrainMode::wait, {}, at(10)}, {task("1")}),
            "1000 kill a-1 1 grace 3 agent_draining\n"
            "done by 1003");
}

TEST(PlanDrain, AnEndThatIsNotAcknowledgedBlocksAndIsNotKilled) {
  EXPECT_EQ(plan({DrainMode::kill, {}, {}}, {task("1").ended()}),
            "! task 1 of batch: it has ended, and its framework has not acknowledged that\n"
            "no known end");
}

TEST(PlanDrain, OfAnAgentThatIsAwayNothingIsKnown) {
  DrainSnapshot all = snapshot({DrainMode::requeue, {}, {}}, {});
  all.agents[0].there = false;
  EXPECT_EQ(transcript(plan_drain(all)),
            "! agent a-1 (n1): it is away; the drain takes effect on its return\n"
            "no known end");
}

TEST(PlanDrain, ADrainThatOutlastsTheWindowSaysSo) {
  DrainSnapshot all = snapshot({DrainMode::wait, {}, {}}, {task("1").limit(500)});
  all.windows = {window("kernel", 1100, 60)};
  EXPECT_EQ(transcript(plan_drain(all)),
            "! agent a-1: window kernel begins in 100 s, the drain may take 403 s\n"
            "done by 1403");
  all.windows = {window("kernel", 1403, 60)};
  EXPECT_EQ(transcript(plan_drain(all)), "done by 1403");
}

TEST(PlanDrain, SeveralAgentsAreOnePlanInTheOrderOfTime) {
  DrainSnapshot all = snapshot({DrainMode::wait, {}, at(1100)}, {task("1")});
  DrainSnapshot more = snapshot({DrainMode::requeue, {}, {}}, {task("2")});
  more.agents[0].agent = AgentId{2};
  all.agents.push_back(more.agents[0]);
  EXPECT_EQ(transcript(plan_drain(all)),
            "1000 kill a-2 2 grace 3 agent_draining\n"
            "1100 kill a-1 1 grace 3 agent_draining\n"
            "done by 1103");
}

TEST(MaintenanceWindows, TheNextOneOfAnAgentIsThatWhichBeginsFirstAndIsNotOver) {
  std::vector<MaintenanceWindow> all{window("late", 3000), window("past", 100, 900),
                                     window("now", 500, 501), window("soon", 2000, 10)};
  all[3].hostnames = {"n2"};
  all[3].agents = {AgentId{7}};
  EXPECT_EQ(next_window(all, AgentId{1}, "n1", now)->name, "now");
  EXPECT_EQ(next_window(all, AgentId{1}, "n1", at(1001))->name, "late");
  EXPECT_EQ(next_window(all, AgentId{7}, "other", now)->name, "soon");
  EXPECT_EQ(next_window(all, AgentId{1}, "other", now), nullptr);
}

TEST(MaintenanceWindows, WhatIsWrongNamesTheWindowAndTheField) {
  const auto wrong = [](MaintenanceWindow w) {
    const Result<void> valid = validate_windows({std::move(w)}, now);
    return valid ? std::string("fine") : valid.error().message;
  };
  EXPECT_EQ(wrong(window("kernel", 1100)), "fine");
  MaintenanceWindow empty = window("kernel", 1100);
  empty.duration = Duration{};
  EXPECT_EQ(wrong(empty), "window kernel: duration: more than 0 s is needed, given 0 s");
  MaintenanceWindow nobody = window("kernel", 1100);
  nobody.hostnames.clear();
  EXPECT_EQ(wrong(nobody), "window kernel: agents: 1 to 100000 ids and host names, given 0");
  EXPECT_EQ(wrong(window("kernel", 100, 400)), "window kernel: it ended 500 s ago");
  EXPECT_EQ(wrong(window("a b", 1100)).substr(0, 13), "window: name:");
  const Result<void> twice = validate_windows({window("a", 1100), window("a", 1200)}, now);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message, "window a: it is given twice");
}

TEST(Drain, OnlyModeWaitHasADeadline) {
  EXPECT_TRUE(validate_drain({DrainMode::wait, seconds(0), at(1)}));
  EXPECT_EQ(validate_drain({DrainMode::kill, {}, at(1)}).error().message,
            "drain: deadline: mode kill kills at once; only mode wait has a deadline");
  EXPECT_EQ(validate_drain({DrainMode::wait, seconds(-1), {}}).error().message,
            "drain: grace: 0 s or more is needed, given -1 s");
  EXPECT_EQ(parse_drain_mode("requeue"), DrainMode::requeue);
  EXPECT_EQ(parse_drain_mode("Wait"), std::nullopt);
}

}  // namespace
}  // namespace librm::test
