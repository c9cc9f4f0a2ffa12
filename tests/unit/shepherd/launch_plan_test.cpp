// What a task's command becomes: programs, arguments, environment; and the command line.
#include "shepherd/launch_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shepherd/options.hpp"

namespace librm::shepherd {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TaskStart start_of(Command command) {
  return {{FrameworkId{3}, "42.1.1"}, std::move(command), "/sandbox", {}};
}

Command program(std::string name, std::vector<std::string> arguments = {}) {
  Command command;
  command.shell = false;
  command.value = std::move(name);
  command.arguments = std::move(arguments);
  return command;
}

Command shell(std::string text) {
  Command command;
  command.value = std::move(text);
  return command;
}

BaseEnvironment base() {
  const char* const own[] = {"PATH=/opt/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "USER=rita",
                             "HOME=/home/rita",    "SECRET=1",     nullptr};
  return base_environment(own, 0xab);
}

TEST(LaunchPlan, ShellRunsItsTextWithSh) {
  const auto plan = plan_launch(start_of(shell("echo $HOME")), base());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->programs, ElementsAre("/bin/sh"));
  EXPECT_THAT(plan->arguments, ElementsAre("/bin/sh", "-c", "echo $HOME"));
  EXPECT_EQ(plan->sandbox, "/sandbox");
  EXPECT_EQ(plan->working_directory, "");
}

TEST(LaunchPlan, NameIsLookedUpInThePathThatTheTaskGets) {
  Command command = program("wc", {"-l", "a b"});
  command.environment["PATH"] = "/x::/y";
  const auto plan = plan_launch(start_of(command), base());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->programs, ElementsAre("/x/wc", "./wc", "/y/wc"));
  EXPECT_THAT(plan->arguments, ElementsAre("wc", "-l", "a b"));
}

TEST(LaunchPlan, ProcessorsBecomeTheKernelsMask) {
  TaskStart start = start_of(shell("true"));
  EXPECT_TRUE(plan_launch(start, base())->cpu_mask.empty());
  start.cpus = {0, 3, 64};
  EXPECT_THAT(plan_launch(start, base())->cpu_mask, ElementsAre(9UL, 1UL));
  start.cpus = {65'536};
  const auto refused = plan_launch(start, base());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("processor 65536"));
}

TEST(LaunchPlan, PathIsTakenAsItIs) {
  const auto plan = plan_launch(start_of(program("bin/tool")), base());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->programs, ElementsAre("bin/tool"));
}

TEST(LaunchPlan, EnvironmentIsTheMinimalBaseThenTheCommandsThenOurs) {
  Command command = shell("true");
  command.environment = {{"LANG", "de_DE"}, {"X", "1"}, {"RM_TASK_ID", "forged"}};
  const auto plan = plan_launch(start_of(command), base());
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->environment,
              ElementsAre("HOME=/home/rita", "LANG=de_DE", "LOGNAME=rita", "MESOS_SANDBOX=/sandbox",
                          "PATH=/opt/bin:/bin", "RM_FRAMEWORK_ID=f-3", "RM_SANDBOX=/sandbox",
                          "RM_SHEPHERD_ID=00000000000000ab", "RM_TASK_ID=42.1.1", "TZ=UTC",
                          "USER=rita", "X=1"));
}

TEST(LaunchPlan, WithoutHomeTheSandboxIsHome) {
  const char* const own[] = {nullptr};
  const auto plan = plan_launch(start_of(shell("true")), base_environment(own, 1));
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->environment, Contains("HOME=/sandbox"));
  EXPECT_THAT(plan->environment, Contains("PATH=/usr/local/bin:/usr/bin:/bin"));
  EXPECT_THAT(plan->environment, Not(Contains(StartsWith("USER="))));
}

TEST(LaunchPlan, WhatCannotBeExecutedIsRefusedWithItsName) {
  Command bad_name = shell("true");
  bad_name.environment["A=B"] = "1";
  Command bad_value = shell("true");
  bad_value.environment["A"] = std::string("x\0y", 3);
  const std::pair<Command, const char*> cases[] = {
      {shell(""), "command: empty"},
      {shell(std::string("a\0b", 3)), "command: contains a NUL"},
      {program("x", {std::string("\0", 1)}), "argument: contains a NUL"},
      {bad_name, "'A=B' is not a variable's name"},
      {bad_value, "environment: A: contains a NUL"},
  };
  for (const auto& [command, message] : cases) {
    const auto plan = plan_launch(start_of(command), base());
    ASSERT_FALSE(plan);
    EXPECT_EQ(plan.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(plan.error().message, HasSubstr(message));
  }
}

TEST(LaunchPlan, FilesAreFetchedByAProgramInFront) {
  Command command = program("bin/tool", {"-x"});
  command.fetch = {{"http://rita:pw@h/bin.tgz", "", true, false}};
  command.working_directory = "bin";
  command.environment = {{"LD_PRELOAD", "x.so"}, {"RM_FETCH_PLAN", "forged"}};
  const auto plan = plan_launch(start_of(command), base(), {"/opt/rm-fetch", 1000});
  ASSERT_TRUE(plan);
  EXPECT_TRUE(plan->fetches);
  EXPECT_THAT(plan->programs, ElementsAre("/opt/rm-fetch"));
  EXPECT_THAT(plan->arguments, ElementsAre("rm-fetch", "--", "bin/tool", "-x"));
  EXPECT_EQ(plan->working_directory, "") << "it may be among what is fetched";
  EXPECT_THAT(plan->environment, Contains("RM_FETCH_KEPT_LD_PRELOAD=x.so"));
  EXPECT_THAT(plan->environment, Not(Contains(StartsWith("LD_PRELOAD="))));
  EXPECT_THAT(plan->environment, Contains("RM_FETCH_PLAN=bytes_max 1000\ndirectory bin\n"
                                          "file 1 0 - http://rita:pw@h/bin.tgz\n"));
}

TEST(LaunchPlan, WithoutFilesNothingIsInFront) {
  const auto plan = plan_launch(start_of(shell("true")), base(), {"/opt/rm-fetch", 1000});
  ASSERT_TRUE(plan);
  EXPECT_FALSE(plan->fetches);
  EXPECT_THAT(plan->environment, Not(Contains(StartsWith("RM_FETCH"))));
}

TEST(LaunchPlan, TooManyFilesAreRefused) {
  Command command = shell("true");
  const std::string name(1000, 'x');
  for (int i = 0; i < 200; ++i) command.fetch.push_back({"/data/" + name, "", true, false});
  const auto plan = plan_launch(start_of(command), base());
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("fetch: 200 files take"));
}

TEST(ShepherdOptions, TakeValuesInBothForms) {
  const auto options = parse_options({"--work-dir=/w", "--socket", "/s", "--log"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->work_dir, "/w");
  EXPECT_EQ(options->socket_path, "/s");
  EXPECT_TRUE(options->log);
  EXPECT_EQ(parse_options({"--work-dir", "/w"})->socket_path, "/w/shepherd.sock");
  EXPECT_THAT(parse_options({"--work-dir", "/w"})->fetcher, ::testing::EndsWith("/rm-fetch"));
  EXPECT_EQ(parse_options({"--work-dir=/w", "--fetch-bytes-max=7"})->fetch_bytes_max, 7u);
  EXPECT_EQ(parse_options({"--work-dir=/w"})->end_with, 0);
  EXPECT_EQ(parse_options({"--work-dir=/w", "--end-with=17"})->end_with, 17);
}

TEST(ShepherdOptions, NameTheArgumentThatIsWrong) {
  for (const auto& [arguments, message] :
       std::vector<std::pair<std::vector<std::string>, const char*>>{
           {{}, "--work-dir: is missing"},
           {{"--work-dir"}, "--work-dir: needs a value"},
           {{"--work-dir="}, "--work-dir: is empty"},
           {{"--work-dir=/w", "--fetch-bytes-max=7G"}, "'7G' is no number of bytes"},
           {{"--work-dir=/w", "--end-with=0"}, "'0' is no process"},
           {{"--work-dir=/w", "--end-with=me"}, "'me' is no process"},
           {{"--wrok-dir=/w"}, "--wrok-dir=/w: not an option"}}) {
    const auto options = parse_options(arguments);
    ASSERT_FALSE(options);
    EXPECT_THAT(options.error().message, HasSubstr(message));
  }
}

}  // namespace
}  // namespace librm::shepherd
