// Flags win over the environment, the environment over the file, the file over the defaults.
#include "common/config.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <vector>

namespace librm::daemon {
namespace {

struct ConfigTest : testing::Test {
  ConfigTest() {
    config.add("work-dir", directory, "state");
    config.add("port", port, "HTTP port");
    config.add("lease", lease, "of agents");
    config.add("role-weight", weights, "ROLE=WEIGHT");
    config.add_choice("log-level", level, {"info", "debug"}, "lines", "RM_TEST_LEVEL");
  }

  void SetUp() override {
    char name[] = "/tmp/librm-config-XXXXXX";
    const int handle = ::mkstemp(name);
    ASSERT_GE(handle, 0);
    ::close(handle);
    path = name;
  }

  void TearDown() override {
    ::unlink(path.c_str());
    for (const char* variable : {"RM_TEST_PORT", "RM_TEST_LEVEL", "RM_CONFIG"}) {
      ::unsetenv(variable);
    }
  }

  void write_file(const std::string& text) { std::ofstream(path) << text; }

  /// The exit code, or nothing; what was printed is in `printed`.
  std::optional<int> parse(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "rm-test");
    testing::internal::CaptureStderr();
    testing::internal::CaptureStdout();
    const auto code = config.parse(static_cast<int>(arguments.size()), arguments.data());
    printed = testing::internal::GetCapturedStderr() + testing::internal::GetCapturedStdout();
    return code;
  }

  bool said(const std::string& text) const { return printed.find(text) != std::string::npos; }

  std::string directory = "/var/lib/test";
  std::uint16_t port = 5050;
  Duration lease = seconds(15);
  std::vector<std::string> weights;
  std::string level = "info";
  std::string path;
  std::string printed;
  Config config{"rm-test", "A test.", "RM_TEST_"};
};

TEST_F(ConfigTest, DefaultsStandWhereNothingIsSaid) {
  EXPECT_EQ(parse({}), std::nullopt);
  EXPECT_EQ(port, 5050);
  EXPECT_EQ(lease, seconds(15));
}

TEST_F(ConfigTest, FlagBeatsEnvironmentBeatsFile) {
  write_file("port = 1\nlog-level = \"debug\"\nlease = \"3s\"\n");
  ::setenv("RM_TEST_PORT", "2", 1);
  ::setenv("RM_TEST_LEVEL", "info", 1);
  EXPECT_EQ(parse({"--config", path.c_str(), "--port", "3"}), std::nullopt) << printed;
  EXPECT_EQ(port, 3);
  EXPECT_EQ(level, "info");
  EXPECT_EQ(lease, seconds(3));
}

TEST_F(ConfigTest, EnvironmentNamesTheFile) {
  write_file("port = 77\nrole-weight = [\"a=1\", \"b=2\"]\nwork-dir = \"/x\"\n");
  ::setenv("RM_CONFIG", path.c_str(), 1);
  EXPECT_EQ(parse({}), std::nullopt) << printed;
  EXPECT_EQ(port, 77);
  EXPECT_EQ(weights, (std::vector<std::string>{"a=1", "b=2"}));
  EXPECT_EQ(directory, "/x");
}

TEST_F(ConfigTest, RepeatedFlagsAreAList) {
  EXPECT_EQ(parse({"--role-weight", "a=1", "--role-weight", "b=2"}), std::nullopt) << printed;
  EXPECT_EQ(weights, (std::vector<std::string>{"a=1", "b=2"}));
}

TEST_F(ConfigTest, UnknownKeyIsNamedWithTheNearest) {
  write_file("prot = 1\n");
  EXPECT_EQ(parse({"--config", path.c_str()}), 2);
  EXPECT_TRUE(said("unknown key 'prot'; did you mean 'port'?")) << printed;
}

TEST_F(ConfigTest, UnknownFlagIsNamedWithTheNearest) {
  EXPECT_EQ(parse({"--prot", "1"}), 2);
  EXPECT_TRUE(said("--prot")) << printed;
  EXPECT_TRUE(said("did you mean 'port'?")) << printed;
}

TEST_F(ConfigTest, WrongValuesAreRefusedWhereverTheyStand) {
  EXPECT_EQ(parse({"--port", "70000"}), 2);
  EXPECT_EQ(parse({"--lease", "5x"}), 2);
  EXPECT_TRUE(said("'5x' is not a span")) << printed;
  EXPECT_EQ(parse({"--log-level", "loud"}), 2);
}

TEST_F(ConfigTest, WrongValueInTheFileNamesTheFile) {
  write_file("lease = \"5x\"\n");
  EXPECT_EQ(parse({"--config", path.c_str()}), 2);
  EXPECT_TRUE(said(path)) << printed;
  EXPECT_TRUE(said("'5x' is not a span")) << printed;
}

TEST_F(ConfigTest, TableWhereAValueBelongsIsRefused) {
  write_file("[port]\nx = 1\n");
  EXPECT_EQ(parse({"--config", path.c_str()}), 2);
  EXPECT_TRUE(said("port: need one value")) << printed;
}

TEST_F(ConfigTest, BrokenFileSaysWhere) {
  write_file("port = = 1\n");
  EXPECT_EQ(parse({"--config", path.c_str()}), 2);
  EXPECT_TRUE(said("line 1")) << printed;
}

TEST_F(ConfigTest, MissingFileIsAnError) { EXPECT_EQ(parse({"--config", "/no/such/file"}), 2); }

TEST_F(ConfigTest, HelpHasDefaultsUnitsAndVariables) {
  EXPECT_EQ(parse({"--help"}), 0);
  EXPECT_TRUE(said("15s")) << printed;
  EXPECT_TRUE(said("RM_TEST_PORT")) << printed;
}

}  // namespace
}  // namespace librm::daemon
