// Job files, and the units that people write in them.
#include <gtest/gtest.h>

#include "batch/edge/job_file.hpp"
#include "batch/edge/job_json.hpp"
#include "batch/edge/units.hpp"

namespace batch::test {
namespace {

std::string error_of(std::string_view text, std::string_view name = "jobs.toml") {
  const auto specs = job_file_parse(text, name);
  return specs ? "accepted" : specs.error().error.message;
}

TEST(JobFile, DefaultsAreReplacedAndTablesMerged) {
  const auto specs = job_file_parse(R"(
[defaults]
cpus = 2
mem = "1G"
command = "default"
env = { LANG = "C", A = "1" }

[[job]]
name = "extract"
argv = ["ls", "-l"]

[[job]]
name = "load"
cpus = 0.5
time = "15m"
after_ok = ["extract"]
env = { A = "2" }
)",
                                    "jobs.toml");
  ASSERT_TRUE(specs.has_value()) << specs.error().error.message;
  ASSERT_EQ(specs->size(), 2u);
  EXPECT_FALSE((*specs)[0].command.shell);
  EXPECT_EQ(to_string((*specs)[0].request), "cpus:2;mem:1024");
  EXPECT_EQ((*specs)[1].command.value, "default");
  EXPECT_EQ(to_string((*specs)[1].request), "cpus:0.5;mem:1024");
  EXPECT_EQ((*specs)[1].time_limit, librm::seconds(900));
  EXPECT_EQ((*specs)[1].command.environment.at("A"), "2");
  EXPECT_EQ((*specs)[1].command.environment.at("LANG"), "C");
  EXPECT_EQ((*specs)[1].dependencies.at(0).parent, "extract");
}

TEST(JobFile, TheLineIsTold) {
  EXPECT_EQ(error_of("[[job]]\ncommand = \"a\"\ncpuz = 1\n"),
            "jobs.toml:3: /job/0/cpuz: unknown field 'cpuz'; did you mean 'cpus'?");
  EXPECT_EQ(error_of("[[job]]\ncommand = \"a\"\n\n[[job]]\nname = \"b\"\n").substr(0, 20),
            "jobs.toml:4: /job/1:");
  EXPECT_EQ(error_of("[defaults]\ncpus = \"x\"\n[[job]]\ncommand = \"a\"\n"),
            "jobs.toml:2: /defaults/cpus: expected a number, got \"x\"");
  EXPECT_EQ(error_of("[[job]]\ncommand = \n").substr(0, 13), "jobs.toml:2: ");
  EXPECT_EQ(error_of("[[job]]\ncommand = \"a\"\ntime = 2026-01-01\n").substr(0, 44),
            "jobs.toml:3: /job/0/time: expected a number ");
  EXPECT_EQ(error_of("[jobs]\n"),
            "jobs.toml:1: /jobs: unknown field 'jobs'; did you mean 'job'? "
            "(and 1 more)");
  EXPECT_EQ(error_of(""), "jobs.toml:1: /job: there is no [[job]] table");
  EXPECT_EQ(error_of("[[job]]\ncpus = nan\ncommand = \"a\"\n").substr(0, 27),
            "jobs.toml:2: /job/0/cpus: n");
}

TEST(JobFile, HostileToml) {
  std::string deep = "[[job]]\ncommand = \"a\"\nenv = ";
  deep += std::string(100'000, '[');
  EXPECT_NE(error_of(deep), "accepted");
  EXPECT_NE(error_of("[[job]]\ncommand = \"\xff\"\n"), "accepted");
  std::string dotted = "[[job]]\ncommand = \"a\"\n[job.env";
  for (int i = 0; i < 20'000; ++i) dotted += ".a";
  EXPECT_NE(error_of(dotted + "]\nx = 1\n"), "accepted");
}

TEST(JobFile, JsonHasTheSameShape) {
  const auto specs = job_file_parse(
      R"({"defaults": {"retries": 2}, "jobs": [{"command": "a"}, {"command": "b", "retries": 0}]})",
      "jobs.json");
  ASSERT_TRUE(specs.has_value()) << specs.error().error.message;
  EXPECT_EQ((*specs)[0].retries, 2u);
  EXPECT_EQ((*specs)[1].retries, 0u);
  EXPECT_EQ(job_file_parse(R"({"command": "a"})", "one.json")->size(), 1u);
  EXPECT_EQ(error_of(R"({"command": 1})", "one.json"),
            "one.json: /command: expected a text, got 1");
  EXPECT_EQ(error_of("{", "one.json").substr(0, 19), "one.json: not JSON:");
}

TEST(Units, Spans) {
  const auto seconds_of = [](std::string_view text) -> double {
    const auto span = parse_span(text);
    return span ? static_cast<double>(span->ns) / 1e9 : -1;
  };
  EXPECT_EQ(seconds_of("90"), 90);
  EXPECT_EQ(seconds_of("0"), 0);
  EXPECT_EQ(seconds_of("1.5"), 1.5);
  EXPECT_EQ(seconds_of("90s"), 90);
  EXPECT_EQ(seconds_of("15m"), 900);
  EXPECT_EQ(seconds_of("2h"), 7200);
  EXPECT_EQ(seconds_of("1h30m"), 5400);
  EXPECT_EQ(seconds_of("1.5h"), 5400);
  EXPECT_EQ(seconds_of("250ms"), 0.25);
  EXPECT_EQ(seconds_of("2d"), 172'800);
  EXPECT_EQ(seconds_of("1w"), 604'800);
  EXPECT_EQ(seconds_of("1-12:00"), 129'600);
  EXPECT_EQ(seconds_of("1-0"), 86'400);
  EXPECT_EQ(seconds_of("2:30:00"), 9000);
  EXPECT_EQ(seconds_of("2:30"), 150);
  EXPECT_EQ(seconds_of("PT1H30M"), 5400);
  EXPECT_EQ(seconds_of("P1DT12H"), 129'600);
  EXPECT_EQ(seconds_of("P2W"), 1'209'600);
  EXPECT_EQ(seconds_of("PT0.5S"), 0.5);
  for (const char* wrong : {"",
                            "-5",
                            "5x",
                            "s",
                            "1h30",
                            "h1",
                            "1 h",
                            "1..5",
                            ".5",
                            "P",
                            "PT",
                            "P1M",
                            "P1Y",
                            "PT1D",
                            "P1H",
                            "PT1M1H",
                            "PT1.5H30M",
                            "1:2:3:4",
                            "1-2-3",
                            "1-",
                            "1:",
                            "101w1000000000d",
                            "99999999999999999999",
                            "1e3",
                            "nan",
                            "40000d",
                            "9999999999:0:0",
                            "P999999999W"}) {
    EXPECT_EQ(seconds_of(wrong), -1) << wrong;
  }
}

TEST(Units, Sizes) {
  const auto mib_of = [](std::string_view text) {
    const auto size = parse_size(text);
    return size ? to_string(*size) : "no";
  };
  EXPECT_EQ(mib_of("512"), "512");
  EXPECT_EQ(mib_of("512M"), "512");
  EXPECT_EQ(mib_of("2G"), "2048");
  EXPECT_EQ(mib_of("1.5GiB"), "1536");
  EXPECT_EQ(mib_of("2gb"), "2048");
  EXPECT_EQ(mib_of("1T"), "1048576");
  EXPECT_EQ(mib_of("2048K"), "2");
  EXPECT_EQ(mib_of("100k"), "0.098") << "rounded up";
  EXPECT_EQ(mib_of("1B"), "0.001");
  for (const char* wrong :
       {"", "M", "-1M", "1X", "1MM", "1 M", "1e3", "1Gibs", "1bb", "99999999999999G"}) {
    EXPECT_EQ(mib_of(wrong), "no") << wrong;
  }
}

TEST(Units, Times) {
  EXPECT_EQ(to_rfc3339({0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339({1'767'225'600'123'456'789}), "2026-01-01T00:00:00.123Z");
  EXPECT_EQ(to_rfc3339({951'782'400'000'000'000}), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(to_rfc3339({-1}), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339({std::numeric_limits<std::int64_t>::max()}), "2262-04-11T23:47:16.854Z");
  EXPECT_EQ(to_rfc3339({std::numeric_limits<std::int64_t>::min()}), "1677-09-21T00:12:43.145Z");
}

}  // namespace
}  // namespace batch::test
