// The real rm-shepherd: how tasks start, run and end, and what it says about them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "unit/shepherd/shepherd_fixture.hpp"

namespace librm::shepherd {
namespace {

using ::testing::HasSubstr;

TEST(Shepherd, FirstSaysAnEmptyState) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  ASSERT_TRUE(agent.until([&] { return agent.state.has_value(); }));
  EXPECT_EQ(agent.state->pid, shepherd.pid());
  EXPECT_TRUE(agent.state->running.empty());
  EXPECT_TRUE(agent.state->ended.empty());
}

TEST(Shepherd, ReportsExitCodesAndSignals) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart ok = shepherd.task("exit 0");
  const TaskStart seven = shepherd.task("exit 7");
  const TaskStart killed = shepherd.task("kill -TERM $$");
  agent.send(StartTasks{{ok, seven, killed}});
  EXPECT_EQ(agent.end_of(ok.key).exit_code, 0);
  EXPECT_EQ(agent.end_of(seven.key).exit_code, 7);
  EXPECT_EQ(agent.end_of(killed.key).signal, SIGTERM);
  EXPECT_FALSE(agent.end_of(killed.key).exit_code);
  const TaskEnd end = agent.end_of(ok.key);
  EXPECT_TRUE(end.was_started);
  ASSERT_TRUE(end.started);
  EXPECT_LE(*end.started, end.ended);
  EXPECT_GT(end.rss_max_bytes, 100'000);
}

TEST(Shepherd, CountsTheProcessorTimeOfATaskAndItsChildren) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = shepherd.task("sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'");
  agent.send(StartTasks{{task}});
  EXPECT_GT(agent.end_of(task.key).cpu_time, milliseconds(10));
}

Instant in(Duration time) {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant{static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec} + time;
}

TEST(Shepherd, KillsAtTheFenceWhileItsAgentIsAway) {
  ShepherdProcess shepherd;
  const TaskStart task = shepherd.task("sleep 60");
  {
    FakeAgent agent = shepherd.connect();
    agent.send(StartTasks{{task}});
    ASSERT_TRUE(agent.until([&] { return agent.running.contains(task.key); }));
    agent.send(FenceTasks{{{task.key, in(seconds(1))}}});
    // A connection that is closed takes along what was not read: this was read after it.
    const TaskStart later = shepherd.task("true");
    agent.send(StartTasks{{later}});
    EXPECT_EQ(agent.end_of(later.key).exit_code, 0);
  }
  FakeAgent again = shepherd.connect();
  EXPECT_EQ(again.end_of(task.key).signal, SIGKILL);
  EXPECT_EQ(again.end_of(task.key).error, fenced_error);
}

TEST(Shepherd, AFenceThatIsMovedIsKeptAtItsLaterTime) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = shepherd.task("sleep 0.6; exit 3");
  agent.send(StartTasks{{task}});
  agent.send(FenceTasks{{{task.key, in(milliseconds(200))}}});
  agent.send(FenceTasks{{{task.key, in(seconds(60))}, {{FrameworkId{9}, "stranger"}, in({})}}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 3);
}

TEST(Shepherd, AppendsBothOutputsInTheSandbox) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  TaskStart task = shepherd.task("echo out; echo err >&2; pwd; cat; echo end");
  std::ofstream(task.sandbox + "/stdout") << "before\n";
  agent.send(StartTasks{{task}});
  agent.end_of(task.key);
  const std::string sandbox = std::filesystem::canonical(task.sandbox);
  EXPECT_EQ(shepherd.output(task.key), "before\nout\n" + sandbox + "\nend\n");
  EXPECT_EQ(shepherd.output(task.key, "stderr"), "err\n");
}

TEST(Shepherd, GivesTasksACleanProcess) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  TaskStart task = shepherd.task(
      "ls /proc/self/fd | wc -l; ps -o pid=,pgid=,sid= -p $$ | awk '{print ($1==$2&&$2==$3)}';"
      "grep -E 'Sig(Blk|Ign)' /proc/self/status; env | sort");
  task.command.environment = {{"COLOUR", "red"}};
  agent.send(StartTasks{{task}});
  agent.end_of(task.key);
  const std::string text = shepherd.output(task.key);
  // stdin, stdout, stderr, and the directory that ls reads
  EXPECT_THAT(text, HasSubstr("4\n1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"));
  EXPECT_THAT(text, HasSubstr("COLOUR=red\n"));
  EXPECT_THAT(text, HasSubstr("RM_FRAMEWORK_ID=f-1\n"));
  EXPECT_THAT(text, HasSubstr("RM_TASK_ID=1.1.1\n"));
  EXPECT_THAT(text, HasSubstr("RM_SANDBOX=" + task.sandbox + "\n"));
}

TEST(Shepherd, RunsAProgramWithoutAShellInAnotherDirectory) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  TaskStart task = shepherd.task("printf");
  task.command.shell = false;
  task.command.arguments = {"%s|", "a b", "$HOME"};
  TaskStart pwd = shepherd.task("pwd");
  pwd.command.working_directory = "/usr";
  agent.send(StartTasks{{task, pwd}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 0);
  EXPECT_EQ(agent.end_of(pwd.key).exit_code, 0);
  EXPECT_EQ(shepherd.output(task.key), "a b|$HOME|");
  EXPECT_EQ(shepherd.output(pwd.key), "/usr\n");
}

/// Of the thread that calls it.
std::vector<std::uint32_t> usable_cpus() {
  cpu_set_t set;
  std::vector<std::uint32_t> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
  for (std::uint32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

TEST(Shepherd, BindsTasksThatNameProcessorsAndNoOthers) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const std::vector<std::uint32_t> usable = usable_cpus();
  const std::string show = "taskset -cp $$ | sed 's/.*: //'";
  TaskStart bound = shepherd.task(show);
  bound.cpus = {usable.back()};
  const TaskStart before = shepherd.task(show);
  const TaskStart after = shepherd.task(show);
  agent.send(StartTasks{{before, bound, after}});
  for (const TaskKey& key : {before.key, bound.key, after.key}) {
    EXPECT_EQ(agent.end_of(key).exit_code, 0);
  }
  EXPECT_EQ(shepherd.output(bound.key), std::to_string(usable.back()) + "\n");
  EXPECT_EQ(shepherd.output(before.key), shepherd.output(after.key));
  if (usable.size() > 1) {
    EXPECT_NE(shepherd.output(after.key), shepherd.output(bound.key));
  }
}

TEST(Shepherd, AProcessorThatIsNotThereIsSaid) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  TaskStart task = shepherd.task("true");
  task.cpus = {60'000, 60'001};
  agent.send(StartTasks{{task}});
  const TaskEnd end = agent.end_of(task.key);
  EXPECT_FALSE(end.was_started);
  EXPECT_EQ(end.error, "binding to processors 60000,60001: Invalid argument");
}

TEST(Shepherd, SaysWhichStepOfAStartFailedAndWhy) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  TaskStart program = shepherd.task("no-such-program");
  program.command.shell = false;
  TaskStart not_executable = shepherd.task("/etc/passwd");
  not_executable.command.shell = false;
  TaskStart directory = shepherd.task("true");
  directory.command.working_directory = "/no/such";
  TaskStart sandbox = shepherd.task("true");
  sandbox.sandbox = "/no/sandbox";
  TaskStart user = shepherd.task("true");
  user.command.user = "no-such-user";
  TaskStart empty = shepherd.task("");
  TaskStart huge = shepherd.task("true");
  huge.command.environment["HUGE"] = std::string(200'000, 'x');
  agent.send(StartTasks{{program, not_executable, directory, sandbox, user, empty, huge}});
  const std::pair<TaskKey, const char*> expected[] = {
      {program.key, "exec no-such-program: No such file or directory"},
      {not_executable.key, "exec /etc/passwd: Permission denied"},
      {directory.key, "working directory /no/such: No such file or directory"},
      {sandbox.key, "sandbox /no/sandbox: No such file or directory"},
      {user.key, "user no-such-user: no such user"},
      {empty.key, "command: empty"},
      {huge.key, "Argument list too long"},
  };
  for (const auto& [key, text] : expected) {
    const TaskEnd end = agent.end_of(key);
    EXPECT_FALSE(end.was_started);
    EXPECT_FALSE(end.exit_code || end.signal);
    EXPECT_THAT(end.error, HasSubstr(text));
  }
}

TEST(Shepherd, RunsATaskAsAnotherUserInASandboxThatIsHis) {
  if (::geteuid() != 0 || ::getpwnam("nobody") == nullptr) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "CI runs as root";
    GTEST_SKIP() << "only root may run tasks as somebody else";
  }
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  std::filesystem::permissions(shepherd.work_dir(), std::filesystem::perms(0755));
  TaskStart task = shepherd.task("id -un; id -u; echo $USER; touch mine && stat -c %U mine stdout");
  task.command.user = "nobody";
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 0) << shepherd.output(task.key, "stderr");
  const std::string uid = std::to_string(::getpwnam("nobody")->pw_uid);
  EXPECT_EQ(shepherd.output(task.key), "nobody\n" + uid + "\nnobody\nnobody\nnobody\n");
}

TEST(Shepherd, SignalReachesTheWholeGroup) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = shepherd.task("sh -c 'echo $$; exec sleep 1000' & wait");
  agent.send(StartTasks{{task}});
  ASSERT_TRUE(eventually([&] { return !shepherd.output(task.key).empty(); }));
  const pid_t grandchild = std::stoi(shepherd.output(task.key));
  agent.send(SignalTask{task.key, SIGTERM});
  EXPECT_EQ(agent.end_of(task.key).signal, SIGTERM);
  EXPECT_TRUE(eventually([&] { return !alive(grandchild); }));
}

TEST(Shepherd, SignalOvertakesNoStart) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  StartTasks starts;
  for (int i = 0; i < 100; ++i) starts.starts.push_back(shepherd.task("exec sleep 1000"));
  const TaskKey last = starts.starts.back().key;
  agent.send(starts);
  agent.send(SignalTask{last, SIGKILL});
  EXPECT_EQ(agent.end_of(last).signal, SIGKILL);
}

TEST(Shepherd, WhatALeaderLeavesInItsGroupIsKilled) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = shepherd.task("sleep 1000 & echo $!; exit 5");
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 5);
  const pid_t orphan = std::stoi(shepherd.output(task.key));
  EXPECT_TRUE(eventually([&] { return !alive(orphan); }));
}

/// A task that prints the pid of a process with a group of its own, as mpirun makes for its ranks,
/// and goes on with `rest`.
TaskStart task_with_group(ShepherdProcess& shepherd, const std::string& rest) {
  return shepherd.task("exec bash -c 'set -m; sleep 1000 & echo $!; " + rest + "'");
}

/// That process, once it is there; 0 where it has no group of its own.
pid_t group_of(const ShepherdProcess& shepherd, const TaskStart& task) {
  const auto printed = [&] { return shepherd.output(task.key).ends_with('\n'); };
  if (!eventually(printed)) return 0;
  const pid_t pid = std::stoi(shepherd.output(task.key));
  return ::getpgid(pid) == pid ? pid : 0;
}

TEST(Shepherd, KillReachesTheGroupsThatATaskHasMade) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = task_with_group(shepherd, "wait");
  agent.send(StartTasks{{task}});
  const pid_t member = group_of(shepherd, task);
  ASSERT_NE(member, 0);
  agent.send(SignalTask{task.key, SIGKILL});
  EXPECT_EQ(agent.end_of(task.key).signal, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !alive(member); }));
}

TEST(Shepherd, LeaderThatExitsWhenItIsAskedToTakesItsGroupsWithIt) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = task_with_group(shepherd, "trap \"exit 3\" TERM; echo ready; wait");
  agent.send(StartTasks{{task}});
  const pid_t member = group_of(shepherd, task);
  ASSERT_NE(member, 0);
  ASSERT_TRUE(eventually([&] { return shepherd.output(task.key).ends_with("ready\n"); }));
  agent.send(SignalTask{task.key, SIGTERM});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 3);
  EXPECT_TRUE(eventually([&] { return !alive(member); }));
}

TEST(Shepherd, LeaderThatIsKilledByOthersTakesItsGroupsWithIt) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const TaskStart task = task_with_group(shepherd, "wait");
  const TaskStart other = task_with_group(shepherd, "wait");
  agent.send(StartTasks{{task, other}});
  const pid_t member = group_of(shepherd, task);
  const pid_t bystander = group_of(shepherd, other);
  ASSERT_NE(member, 0);
  ASSERT_NE(bystander, 0);
  ASSERT_TRUE(agent.until([&] { return agent.running.contains(task.key); }));
  ::kill(static_cast<pid_t>(agent.running[task.key].pid), SIGKILL);
  EXPECT_EQ(agent.end_of(task.key).signal, SIGKILL);
  EXPECT_TRUE(eventually([&] { return !alive(member); }));
  EXPECT_TRUE(alive(bystander)) << "another task's session";
}

TEST(Shepherd, BurstOf500TasksEndsCompletely) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  StartTasks starts;
  for (int i = 0; i < 500; ++i) {
    TaskStart task = shepherd.task("/bin/true");
    task.command.shell = false;
    starts.starts.push_back(task);
  }
  agent.send(starts);
  ASSERT_TRUE(agent.until([&] { return agent.ended.size() == 500; }));
  for (const auto& [key, end] : agent.ended) EXPECT_EQ(end.exit_code, 0) << key.task;
  EXPECT_EQ(agent.ended_twice, 0);
  EXPECT_TRUE(agent.running.empty());
}

TEST(Shepherd, KeyIsStartedOnceHoweverOftenItIsAsked) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const std::string log = shepherd.work_dir() + "/starts";
  StartTasks starts;
  for (int i = 0; i < 50; ++i) starts.starts.push_back(shepherd.task("echo $RM_TASK_ID >> " + log));
  agent.send(starts);
  agent.send(starts);
  ASSERT_TRUE(agent.until([&] { return agent.ended.size() == 50; }));
  ForgetTasks forget;
  for (const TaskStart& start : starts.starts) forget.keys.push_back(start.key);
  agent.send(forget);
  agent.send(starts);
  const TaskStart last = shepherd.task("true");
  agent.send(StartTasks{{last}});
  agent.end_of(last.key);
  std::ifstream file(log);
  std::multiset<std::string> started;
  for (std::string line; std::getline(file, line);) started.insert(line);
  EXPECT_EQ(started.size(), 50u);
  EXPECT_EQ(std::set<std::string>(started.begin(), started.end()).size(), 50u);
}

TEST(Shepherd, BytesThatAreNoFrameCloseThatConnectionOnly) {
  ShepherdProcess shepherd;
  FakeAgent broken = shepherd.connect();
  broken.send_bytes(std::string(100, 'x'));
  EXPECT_TRUE(broken.until_closed());
  FakeAgent foreign = shepherd.connect();
  foreign.send(TaskProgress{});
  EXPECT_TRUE(foreign.until_closed());
  FakeAgent agent = shepherd.connect();
  const TaskStart task = shepherd.task("exit 3");
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 3);
}

TEST(Shepherd, NewConnectionReplacesTheOldAndGetsTheState) {
  ShepherdProcess shepherd;
  FakeAgent first = shepherd.connect();
  const TaskStart over = shepherd.task("exit 4");
  const TaskStart runs = shepherd.task("exec sleep 1000");
  first.send(StartTasks{{over, runs}});
  first.end_of(over.key);
  ASSERT_TRUE(first.until([&] { return first.running.contains(runs.key); }));
  FakeAgent second = shepherd.connect();
  ASSERT_TRUE(second.until([&] { return second.state.has_value(); }));
  EXPECT_TRUE(first.until_closed());
  ASSERT_EQ(second.state->running.size(), 1u);
  EXPECT_EQ(second.state->running[0], first.running[runs.key]);
  ASSERT_EQ(second.state->ended.size(), 1u);
  EXPECT_EQ(second.state->ended[0], first.ended[over.key]);
}

TEST(Shepherd, EndsWithoutAnAgentAreKeptUntilTheyAreForgotten) {
  ShepherdProcess shepherd;
  const TaskStart task =
      shepherd.task("echo ready; while [ ! -e go ]; do sleep 0.01; done; exit 6");
  {
    FakeAgent agent = shepherd.connect();
    agent.send(StartTasks{{task}});
    ASSERT_TRUE(agent.until([&] { return agent.running.contains(task.key); }));
  }
  std::ofstream(task.sandbox + "/go");
  FakeAgent second = shepherd.connect();
  EXPECT_EQ(second.end_of(task.key).exit_code, 6);
  FakeAgent third = shepherd.connect();
  EXPECT_EQ(third.end_of(task.key).exit_code, 6);
  third.send(ForgetTasks{{task.key}});
  const TaskStart next = shepherd.task("true");
  third.send(StartTasks{{next}});
  third.end_of(next.key);
  FakeAgent fourth = shepherd.connect();
  ASSERT_TRUE(fourth.until([&] { return fourth.state.has_value(); }));
  ASSERT_EQ(fourth.state->ended.size(), 1u);
  EXPECT_EQ(fourth.state->ended[0].key, next.key);
}

TEST(Shepherd, AgentThatReadsNothingDelaysNoTask) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const std::string log = shepherd.work_dir() + "/done";
  StartTasks starts;
  // Errors of a kilobyte each fill the socket soon.
  for (int i = 0; i < 600; ++i) {
    TaskStart bad = shepherd.task(std::string(900, 'x'));
    bad.command.shell = false;
    starts.starts.push_back(bad);
  }
  starts.starts.push_back(shepherd.task("touch " + log));
  agent.send(starts);
  EXPECT_TRUE(eventually([&] { return std::filesystem::exists(log); }));
  EXPECT_TRUE(agent.until([&] { return agent.ended.size() == starts.starts.size(); }));
  EXPECT_EQ(agent.ended_twice, 0);
}

TEST(Shepherd, ServesASocketWhosePathIsLongerThanAnAddress) {
  TemporaryDirectory directory;
  std::string deep = directory.path();
  for (int i = 0; i < 8; ++i) deep += "/a-directory-with-a-long-name";
  std::filesystem::create_directories(deep);
  ShepherdProcess shepherd(deep + "/shepherd.sock");
  FakeAgent agent = shepherd.connect();
  ASSERT_TRUE(agent.connected());
  const TaskStart task = shepherd.task("exit 2");
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 2);
  struct stat info {};
  ASSERT_EQ(::stat(shepherd.socket_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST(Shepherd, SecondOneForADirectoryIsRefused) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  EXPECT_EQ(ShepherdProcess::run({"--work-dir", shepherd.work_dir(), "--log"}), 1);
  EXPECT_THAT(read_text(shepherd.work_dir() + "/shepherd.log"),
              HasSubstr("shepherd " + std::to_string(shepherd.pid()) + " already serves it"));
  EXPECT_TRUE(alive(shepherd.pid()));
}

}  // namespace
}  // namespace librm::shepherd
