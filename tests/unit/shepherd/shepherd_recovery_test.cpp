// What survives the shepherd: crash, SIGTERM and shutdown with the real program and real tasks.
#include <gtest/gtest.h>

#include <csignal>
#include <fstream>
#include <map>
#include <string>

#include "unit/shepherd/shepherd_fixture.hpp"

namespace librm::shepherd {
namespace {

std::map<std::string, int> count_lines(const std::string& path) {
  std::ifstream file(path);
  std::map<std::string, int> counts;
  for (std::string line; std::getline(file, line);) ++counts[line];
  return counts;
}

TEST(ShepherdRecovery, AfterACrashRunningTasksAreFoundAndTheirEndsAreUnknown) {
  ShepherdProcess shepherd;
  FakeAgent before = shepherd.connect();
  const TaskStart over = shepherd.task("exit 9");
  const TaskStart runs = shepherd.task("sleep 1000 & echo $!; exec sleep 1000");
  const TaskStart ends_meanwhile = shepherd.task("exec sleep 1000");
  before.send(StartTasks{{over, runs, ends_meanwhile}});
  before.end_of(over.key);
  ASSERT_TRUE(before.until([&] { return before.running.size() == 2; }));
  ASSERT_TRUE(eventually([&] { return !shepherd.output(runs.key).empty(); }));

  shepherd.stop(SIGKILL);
  ::kill(static_cast<pid_t>(before.running[ends_meanwhile.key].pid), SIGKILL);
  ASSERT_TRUE(eventually(
      [&] { return !alive(static_cast<pid_t>(before.running[ends_meanwhile.key].pid)); }));
  shepherd.start();

  FakeAgent after = shepherd.connect();
  ASSERT_TRUE(after.until([&] { return after.state.has_value(); }));
  EXPECT_EQ(after.ended[over.key], before.ended[over.key]);
  ASSERT_EQ(after.state->running.size(), 1u);
  EXPECT_EQ(after.state->running[0], before.running[runs.key]);
  const TaskEnd meanwhile = after.end_of(ends_meanwhile.key);
  EXPECT_TRUE(meanwhile.was_started);
  EXPECT_FALSE(meanwhile.exit_code || meanwhile.signal);

  // An adopted task can be signalled, and takes its group with it.
  const pid_t orphan = std::stoi(shepherd.output(runs.key));
  ::kill(static_cast<pid_t>(after.running[runs.key].pid), SIGTERM);
  const TaskEnd end = after.end_of(runs.key);
  EXPECT_TRUE(end.was_started);
  EXPECT_FALSE(end.exit_code || end.signal);
  EXPECT_EQ(end.started, before.running[runs.key].started);
  EXPECT_TRUE(eventually([&] { return !alive(orphan); }));
}

TEST(ShepherdRecovery, CrashesInTheMiddleOfABurstStartNothingTwiceAndLoseNothing) {
  ShepherdProcess shepherd;
  const std::string log = shepherd.work_dir() + "/starts";
  StartTasks starts;
  constexpr std::size_t count = 300;
  for (std::size_t i = 0; i < count; ++i) {
    starts.starts.push_back(shepherd.task("echo $RM_TASK_ID >> " + log));
  }
  // Each agent asks for everything again, as after a crash of its own.
  for (std::size_t crash = 1; crash <= 5; ++crash) {
    FakeAgent agent = shepherd.connect();
    agent.send(starts);
    ASSERT_TRUE(agent.until([&] { return agent.ended.size() >= crash * 40; }));
    shepherd.stop(SIGKILL);
    shepherd.start();
  }
  FakeAgent agent = shepherd.connect();
  agent.send(starts);
  ASSERT_TRUE(agent.until([&] { return agent.ended.size() == count; }));
  EXPECT_EQ(agent.ended_twice, 0);
  const std::map<std::string, int> started = count_lines(log);
  for (const auto& [task, times] : started) EXPECT_EQ(times, 1) << task;
  for (const auto& [key, end] : agent.ended) {
    EXPECT_TRUE(end.was_started) << end.error;
    // Who is known to have ended well has run.
    EXPECT_TRUE(end.exit_code != 0 || started.contains(key.task)) << key.task;
  }
}

TEST(ShepherdRecovery, SigtermLeavesTheTasksToTheNextShepherd) {
  ShepherdProcess shepherd;
  const TaskStart task = shepherd.task("exec sleep 1000");
  FakeAgent before = shepherd.connect();
  before.send(StartTasks{{task}});
  ASSERT_TRUE(before.until([&] { return before.running.contains(task.key); }));
  const auto pid = static_cast<pid_t>(before.running[task.key].pid);
  ::kill(shepherd.pid(), SIGTERM);
  EXPECT_EQ(shepherd.wait(), 0);
  EXPECT_TRUE(alive(pid));
  shepherd.start();
  FakeAgent after = shepherd.connect();
  ASSERT_TRUE(after.until([&] { return after.running.contains(task.key); }));
  after.send(SignalTask{task.key, SIGKILL});
  const TaskEnd end = after.end_of(task.key);
  EXPECT_FALSE(end.exit_code || end.signal);
  EXPECT_FALSE(alive(pid));
}

TEST(ShepherdRecovery, ShutdownKillsEverythingAndReportsNothing) {
  ShepherdProcess shepherd;
  const TaskStart task = shepherd.task("trap '' TERM; sleep 1000 & echo $!; wait; wait");
  FakeAgent agent = shepherd.connect();
  agent.send(StartTasks{{task}});
  ASSERT_TRUE(agent.until([&] { return agent.running.contains(task.key); }));
  ASSERT_TRUE(eventually([&] { return !shepherd.output(task.key).empty(); }));
  const auto leader = static_cast<pid_t>(agent.running[task.key].pid);
  const pid_t grandchild = std::stoi(shepherd.output(task.key));
  agent.send(ShutdownShepherd{});
  EXPECT_TRUE(agent.until_closed());
  EXPECT_TRUE(agent.ended.empty());
  EXPECT_EQ(shepherd.wait(), 0);
  EXPECT_FALSE(alive(leader));
  EXPECT_TRUE(eventually([&] { return !alive(grandchild); }));
  shepherd.start();
  FakeAgent next = shepherd.connect();
  EXPECT_EQ(next.end_of(task.key).signal, SIGKILL);
}

TEST(ShepherdRecovery, EndsAtOnceWithAProcessThatIsNotItsParentAnyMore) {
  const TemporaryDirectory directory;
  // The first process lives, but has not started it: its number could be anybody's by now.
  EXPECT_EQ(ShepherdProcess::run({"--work-dir", directory.path(), "--end-with", "1"}), 0);
}

TEST(ShepherdRecovery, NumberThatWasGivenToAnotherProcessIsNotTheTask) {
  ShepherdProcess shepherd;
  const TaskStart task = shepherd.task("exec sleep 1000");
  FakeAgent before = shepherd.connect();
  before.send(StartTasks{{task}});
  ASSERT_TRUE(before.until([&] { return before.running.contains(task.key); }));
  const auto pid = static_cast<pid_t>(before.running[task.key].pid);
  shepherd.stop(SIGKILL);
  ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return !alive(pid); }));
  // The kernel gives the next number after the last one: put that just below, and take it.
  std::ofstream(std::string("/proc/sys/kernel/ns_last_pid")) << pid - 1;
  shepherd.start();
  FakeAgent after = shepherd.connect();
  const TaskEnd end = after.end_of(task.key);
  EXPECT_FALSE(end.exit_code || end.signal);
  EXPECT_TRUE(after.running.empty());
  EXPECT_TRUE(alive(shepherd.pid()));
}

}  // namespace
}  // namespace librm::shepherd
