// Helper processes: how they are started, what they inherit, and how their end is told.
#include "librm/runtime/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "loop.hpp"

namespace librm {
namespace {

using test::run_until;

struct ProcessTest : testing::Test {
  void SetUp() override {
    char name[] = "/tmp/librm-process-XXXXXX";
    const int file = ::mkstemp(name);
    ASSERT_GE(file, 0);
    ::close(file);
    log = name;
  }
  void TearDown() override { ::unlink(log.c_str()); }

  ProcessSpec shell(const std::string& text) const {
    ProcessSpec spec;
    spec.program = "/bin/sh";
    spec.arguments = {"-c", text};
    spec.log_file = log;
    return spec;
  }

  ProcessExit run(const ProcessSpec& spec) {
    Result<pid_t> pid = start_process(spec);
    EXPECT_TRUE(pid.has_value());
    std::optional<ProcessExit> exit;
    ProcessWatch watch(io, *pid, [&](ProcessExit how) { exit = how; });
    EXPECT_TRUE(run_until(io, [&] { return exit.has_value(); }));
    return exit.value_or(ProcessExit{});
  }

  std::string output() const {
    std::ifstream file(log);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

  asio::io_context io{1};
  std::string log;
};

TEST_F(ProcessTest, ExitCodeIsTold) {
  const ProcessExit exit = run(shell("exit 7"));
  EXPECT_EQ(exit.exit_code, 7);
  EXPECT_EQ(exit.signal, 0);
}

TEST_F(ProcessTest, SignalIsTold) {
  const ProcessExit exit = run(shell("kill -9 $$"));
  EXPECT_FALSE(exit.exit_code.has_value());
  EXPECT_EQ(exit.signal, SIGKILL);
}

TEST_F(ProcessTest, WatchCanSignal) {
  Result<pid_t> pid = start_process(shell("exec sleep 600"));
  ASSERT_TRUE(pid);
  std::optional<ProcessExit> exit;
  ProcessWatch watch(io, *pid, [&](ProcessExit how) { exit = how; });
  watch.signal(SIGTERM);
  ASSERT_TRUE(run_until(io, [&] { return exit.has_value(); }));
  EXPECT_EQ(exit->signal, SIGTERM);
  watch.signal(SIGTERM);  // nothing, once it was reaped
}

TEST_F(ProcessTest, OutputAndEnvironmentArriveWhereAsked) {
  ProcessSpec spec = shell("echo \"$RM_TEST_WORD\"; echo err >&2");
  spec.environment = {{"RM_TEST_WORD", "hello"}};
  EXPECT_EQ(run(spec).exit_code, 0);
  EXPECT_EQ(output(), "hello\nerr\n");
}

TEST_F(ProcessTest, InheritsNoDescriptorOfOurs) {
  const int leaked = ::open("/dev/null", O_RDONLY);  // on purpose without close-on-exec
  ASSERT_GE(leaked, 3);
  EXPECT_EQ(run(shell("ls /proc/self/fd | tr '\\n' ' '")).exit_code, 0);
  ::close(leaked);
  EXPECT_EQ(output(), "0 1 2 3 ");  // 3 is the directory that ls reads
}

TEST_F(ProcessTest, OwnSessionWhereAsked) {
  ProcessSpec spec = shell("test \"$(ps -o sid= -p $$ | tr -d ' ')\" = $$");
  spec.own_session = true;
  EXPECT_EQ(run(spec).exit_code, 0);
  spec.own_session = false;
  EXPECT_EQ(run(spec).exit_code, 1);
}

TEST_F(ProcessTest, MissingProgramIsAnErrorThatNamesIt) {
  ProcessSpec spec;
  spec.program = "/no/such/program";
  Result<pid_t> pid = start_process(spec);
  ASSERT_FALSE(pid);
  EXPECT_EQ(pid.error().code, ErrorCode::not_found);
  EXPECT_NE(pid.error().message.find("/no/such/program"), std::string::npos);
}

TEST_F(ProcessTest, DestroyedWatchLeavesTheProcessAlone) {
  Result<pid_t> pid = start_process(shell("exec sleep 600"));
  ASSERT_TRUE(pid);
  {
    const ProcessWatch watch(io, *pid, [](ProcessExit) { FAIL(); });
  }
  EXPECT_EQ(::kill(*pid, 0), 0);
  ::kill(*pid, SIGKILL);
  ::waitpid(*pid, nullptr, 0);
}

}  // namespace
}  // namespace librm
