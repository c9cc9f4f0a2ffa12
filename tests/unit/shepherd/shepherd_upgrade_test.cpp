// A shepherd that goes on as another program, with real programs and real tasks.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "shepherd/processes.hpp"
#include "shepherd/upgrade.hpp"
#include "unit/shepherd/shepherd_fixture.hpp"

namespace librm::shepherd {
namespace {

namespace fs = std::filesystem;

/// The same program as another file, which stands for the next version.
std::string next_version(const ShepherdProcess& shepherd, const std::string& name) {
  const std::string path = shepherd.work_dir() + "/" + name;
  fs::copy_file(ShepherdProcess::program(), path);
  return path;
}

std::string runs_as(pid_t pid) {
  std::error_code ignored;
  return fs::read_symlink("/proc/" + std::to_string(pid) + "/exe", ignored);
}

TEST(ShepherdUpgrade, KeepsItsTasksAndTheirExitCodes) {
  ShepherdProcess shepherd;
  const std::string next = next_version(shepherd, "next");
  const std::string gate = shepherd.work_dir() + "/gate";
  FakeAgent before = shepherd.connect();
  const TaskStart waits = shepherd.task("while [ ! -e " + gate + " ]; do sleep 0.01; done; exit 7");
  const TaskStart killed = shepherd.task("exec sleep 1000");
  const TaskStart over = shepherd.task("exit 9");
  before.send(StartTasks{{waits, killed, over}});
  before.end_of(over.key);
  ASSERT_TRUE(before.until([&] { return before.running.size() == 2; }));

  before.send(UpgradeShepherd{next});
  EXPECT_TRUE(before.until_closed());
  FakeAgent after = shepherd.connect();
  EXPECT_EQ(runs_as(shepherd.pid()), next);
  ASSERT_TRUE(after.state);
  EXPECT_EQ(after.state->pid, shepherd.pid());
  EXPECT_EQ(after.running[waits.key], before.running[waits.key]);
  EXPECT_EQ(after.ended[over.key], before.ended[over.key]);

  std::ofstream(gate) << "open";
  EXPECT_EQ(after.end_of(waits.key).exit_code, 7);
  after.send(SignalTask{killed.key, SIGTERM});
  EXPECT_EQ(after.end_of(killed.key).signal, SIGTERM);
  // A new task gets what tasks always get, not what the shepherd has made of itself.
  const TaskStart limit = shepherd.task("ulimit -n; echo /proc/self/fd/*");
  const TaskStart first = shepherd.task("true");
  after.send(StartTasks{{limit, first}});
  EXPECT_EQ(after.end_of(limit.key).exit_code, 0);
  const std::string said = shepherd.output(limit.key);
  EXPECT_EQ(said.find("/proc/self/fd/4"), std::string::npos) << said;
}

TEST(ShepherdUpgrade, InTheMiddleOfABurstLosesNoExitCodeAndStartsNothingTwice) {
  ShepherdProcess shepherd;
  const std::string log = shepherd.work_dir() + "/starts";
  StartTasks starts;
  constexpr std::size_t count = 300;
  for (std::size_t i = 0; i < count; ++i) {
    starts.starts.push_back(
        shepherd.task("echo $RM_TASK_ID >> " + log + "; exit " + std::to_string(i % 100)));
  }
  for (int version = 1; version <= 5; ++version) {
    FakeAgent agent = shepherd.connect();
    agent.send(starts);  // of which only the first reading does anything
    ASSERT_TRUE(
        agent.until([&] { return agent.ended.size() >= 10u * static_cast<unsigned>(version); }));
    agent.send(UpgradeShepherd{next_version(shepherd, "v" + std::to_string(version))});
    ASSERT_TRUE(agent.until_closed());
  }
  FakeAgent agent = shepherd.connect();
  agent.send(starts);
  EXPECT_EQ(runs_as(shepherd.pid()), shepherd.work_dir() + "/v5");
  ASSERT_TRUE(agent.until([&] { return agent.ended.size() == count; }));
  EXPECT_EQ(agent.ended_twice, 0);
  for (std::size_t i = 0; i < count; ++i) {
    const TaskEnd& end = agent.ended[starts.starts[i].key];
    EXPECT_EQ(end.exit_code, static_cast<std::int32_t>(i % 100)) << i << " " << end.error;
  }
  std::ifstream file(log);
  std::map<std::string, int> lines;
  for (std::string line; std::getline(file, line);) ++lines[line];
  EXPECT_EQ(lines.size(), count);
  for (const auto& [task, times] : lines) EXPECT_EQ(times, 1) << task;
}

TEST(ShepherdUpgrade, IsNothingWhereItIsThatProgramAlready) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  agent.send(UpgradeShepherd{ShepherdProcess::program()});
  const TaskStart task = shepherd.task("true");
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 0);
  EXPECT_TRUE(agent.connected());
}

TEST(ShepherdUpgrade, IsRefusedWhereTheOtherProgramCannotGoOn) {
  ShepherdProcess shepherd;
  FakeAgent agent = shepherd.connect();
  const std::string no_program = shepherd.work_dir() + "/no-program";
  std::ofstream(no_program) << "not a program";
  for (const std::string& program : {std::string("/bin/false"), no_program,
                                     shepherd.work_dir() + "/missing", std::string("/bin/ls")}) {
    agent.send(UpgradeShepherd{program});
  }
  const TaskStart task = shepherd.task("exit 3");
  agent.send(StartTasks{{task}});
  EXPECT_EQ(agent.end_of(task.key).exit_code, 3);
  EXPECT_TRUE(agent.connected());
  EXPECT_EQ(runs_as(shepherd.pid()), fs::canonical(ShepherdProcess::program()));
}

TEST(ShepherdUpgrade, KeepsFencesAndWhatIsFetched) {
  ShepherdProcess shepherd;
  FakeAgent before = shepherd.connect();
  const TaskStart fenced = shepherd.task("exec sleep 1000");
  TaskStart fetches = shepherd.task("true");
  fetches.command.fetch.push_back({"file:///nowhere/at/all", "", false, false});
  before.send(StartTasks{{fenced, fetches}});
  ASSERT_TRUE(before.until([&] { return before.running.contains(fenced.key); }));
  before.send(FenceTasks{{{fenced.key, boot_now() + milliseconds(800)}}});
  before.send(UpgradeShepherd{next_version(shepherd, "next")});
  ASSERT_TRUE(before.until_closed());
  FakeAgent after = shepherd.connect();
  const TaskEnd end = after.end_of(fenced.key);
  EXPECT_EQ(end.signal, SIGKILL);
  EXPECT_EQ(end.error, fenced_error);
  EXPECT_NE(after.end_of(fetches.key).error.find("/nowhere/at/all"), std::string::npos)
      << after.ended[fetches.key].error;
}

TEST(ShepherdUpgrade, HangupMakesItGoOnAsTheFileThatIsAtItsPathNow) {
  ShepherdProcess shepherd;
  FakeAgent before = shepherd.connect();
  const TaskStart task = shepherd.task("exec sleep 1000");
  before.send(StartTasks{{task}});
  ASSERT_TRUE(before.until([&] { return before.running.contains(task.key); }));
  const std::string path = next_version(shepherd, "installed");
  before.send(UpgradeShepherd{path});
  ASSERT_TRUE(before.until_closed());
  FakeAgent between = shepherd.connect();
  fs::rename(next_version(shepherd, "newer"), path);
  const FileIdentity newer = identity_of(path);
  ::kill(shepherd.pid(), SIGHUP);
  ASSERT_TRUE(between.until_closed());
  FakeAgent after = shepherd.connect();
  EXPECT_EQ(identity_of("/proc/" + std::to_string(shepherd.pid()) + "/exe"), newer);
  after.send(SignalTask{task.key, SIGTERM});
  EXPECT_EQ(after.end_of(task.key).signal, SIGTERM);
}

TEST(ResumeState, OfAnotherFormatOrDamagedIsRefused) {
  ResumeState state;
  state.lock = 5;
  state.open_files = 1024;
  state.tasks.push_back({{FrameworkId{1}, "1.1.1"}, 7, true, false});
  const Result<Descriptor> file = write_resume_state(state);
  ASSERT_TRUE(file);
  const Result<ResumeState> read = read_resume_state(file->get());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->lock, 5);
  ASSERT_EQ(read->tasks.size(), 1u);
  EXPECT_EQ(read->tasks[0].report, 7);
  EXPECT_TRUE(read->tasks[0].signalled);
  ASSERT_EQ(::pwrite(file->get(), "\x09", 1, 0), 1);
  EXPECT_EQ(read_resume_state(file->get()).error().code, ErrorCode::unsupported);
  ASSERT_EQ(::pwrite(file->get(), "\x01", 1, 0), 1);
  ASSERT_EQ(::ftruncate(file->get(), 20), 0);
  EXPECT_EQ(read_resume_state(file->get()).error().code, ErrorCode::corrupt);
  ASSERT_EQ(::ftruncate(file->get(), 1), 0);
  EXPECT_EQ(read_resume_state(file->get()).error().code, ErrorCode::corrupt);
  EXPECT_FALSE(read_resume_state(-1));
}

}  // namespace
}  // namespace librm::shepherd
