// Submissions as JSON: what is read, and every kind of wrong that is refused with its path.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "batch/edge/job_json.hpp"
#include "harness.hpp"

namespace batch::test {
namespace {

std::string first_error(std::string_view text, JobText kind = JobText::json) {
  const auto specs = job_specs_from_json(text, kind);
  if (specs) return "accepted";
  EXPECT_EQ(specs.error().error.code, librm::ErrorCode::invalid_argument);
  return specs.error().error.message;
}

/// The error of one field beside a good command.
std::string field_error(const std::string& field) {
  return first_error(R"({"jobs": [{"command": "true", )" + field + "}]}");
}

TEST(JobJson, ReadsEveryField) {
  const auto specs = job_specs_from_json(R"({
    "name": "count", "description": "d", "owner": "o", "role": "eng",
    "command": "wc -l *.txt", "cpus": 1.5, "mem": "2G", "disk": 100, "gpus": 0, "ports": 2,
    "env": {"LANG": "C"}, "workdir": "/data", "user": "u",
    "priority": -3, "retries": 2, "retry_delay": 0.5, "time": "2h", "kill_grace": 10,
    "after_ok": [41, "extract"], "after_any": "x", "after_notok": [], "after_start": ["y"],
    "on_dependency_failed": "hold", "lost": "fence", "fence_after": "1-12:00",
    "constraints": {"rack": "r1"}, "labels": {"a": "b"}, "hold": true})",
                                         JobText::json);
  ASSERT_TRUE(specs.has_value()) << specs.error().error.message;
  const JobSpec& job = specs->at(0);
  EXPECT_EQ(job.name, "count");
  EXPECT_EQ(job.role, "eng");
  EXPECT_TRUE(job.command.shell);
  EXPECT_EQ(job.command.environment.at("LANG"), "C");
  EXPECT_EQ(to_string(job.request), "cpus:1.5;disk:100;mem:2048;ports:2");
  EXPECT_EQ(job.priority, -3);
  EXPECT_EQ(job.retry_delay, librm::milliseconds(500));
  EXPECT_EQ(job.time_limit, librm::seconds(7200));
  EXPECT_EQ(job.fence_after, librm::seconds(36 * 3600));
  ASSERT_EQ(job.dependencies.size(), 4u);
  EXPECT_EQ(job.dependencies[0].parent, "x") << "in the order of the keys";
  EXPECT_EQ(job.on_dependency_failed, OnDependencyFailed::hold);
  EXPECT_EQ(job.lost, LostPolicy::fence);
  EXPECT_TRUE(job.hold);
}

TEST(JobJson, AProgramWithItsArguments) {
  const auto specs = job_specs_from_json(R"({"argv": ["wc", "-l", "a b"]})", JobText::json);
  ASSERT_TRUE(specs.has_value());
  const librm::Command& command = specs->at(0).command;
  EXPECT_FALSE(command.shell);
  EXPECT_EQ(command.value, "wc");
  EXPECT_EQ(command.arguments, (std::vector<std::string>{"-l", "a b"}));
}

TEST(JobJson, UnknownFieldsAreNamedWithTheNearestKnownOne) {
  EXPECT_EQ(field_error(R"("cpuz": 1)"),
            "/jobs/0/cpuz: unknown field 'cpuz'; did you mean 'cpus'?");
  EXPECT_EQ(field_error(R"("retires": 1)"),
            "/jobs/0/retires: unknown field 'retires'; did you mean 'retries'?");
  EXPECT_EQ(field_error(R"("quantum_flux": 1)"),
            "/jobs/0/quantum_flux: unknown field 'quantum_flux'");
  EXPECT_EQ(field_error(R"("a/b~c": 1)").substr(0, 18), "/jobs/0/a~1b~0c: u");
}

TEST(JobJson, WrongTypes) {
  EXPECT_EQ(field_error(R"("cpus": "lots")"), R"(/jobs/0/cpus: expected a number, got "lots")");
  EXPECT_EQ(field_error(R"("name": 7)"), "/jobs/0/name: expected a text, got 7");
  EXPECT_EQ(field_error(R"("hold": "yes")"), R"(/jobs/0/hold: expected true or false, got "yes")");
  EXPECT_EQ(field_error(R"("retries": 1.5)"), "/jobs/0/retries: expected a whole number, got 1.5");
  EXPECT_EQ(field_error(R"("env": ["A"])"),
            R"(/jobs/0/env: expected an object of texts, got ["A"])");
  EXPECT_EQ(field_error(R"("env": {"A": 1})"), "/jobs/0/env/A: expected a text, got 1");
  EXPECT_EQ(field_error(R"("after_ok": [true])"),
            "/jobs/0/after_ok/0: expected a job's name or id, got true");
  EXPECT_EQ(field_error(R"("after_ok": -4)"),
            "/jobs/0/after_ok: expected a job's name or id, got -4");
  EXPECT_EQ(field_error(R"("lost": "never")"),
            R"(/jobs/0/lost: expected one of 'wait', 'fence', 'rerun', got "never")");
  EXPECT_EQ(field_error(R"("mem": null)"),
            R"(/jobs/0/mem: expected a number of MiB or a size such as "2G", got null)");
  EXPECT_EQ(field_error(R"("time": [])"),
            R"(/jobs/0/time: expected a number of seconds or a span such as "90s", got [])");
  EXPECT_EQ(first_error("[]"), "expected a job object, got []");
  EXPECT_EQ(first_error(R"({"jobs": 3})"), "/jobs: expected a list of jobs, got 3");
  EXPECT_EQ(first_error(R"({"jobs": [3]})"), "/jobs/0: expected a job object, got 3");
  EXPECT_EQ(first_error(R"({"jobs": [], "job": 1})"), "/job: unknown field 'job' beside 'jobs'");
}

TEST(JobJson, NegativeAndAbsurdAmounts) {
  EXPECT_EQ(field_error(R"("cpus": -1)"), "/jobs/0/cpus: -1 is outside of 0 to 1000000000");
  EXPECT_EQ(field_error(R"("cpus": 0)"), "/jobs/0/cpus: must be more than 0, is 0");
  EXPECT_EQ(field_error(R"("cpus": 1e300)"), "/jobs/0/cpus: 1e+300 is outside of 0 to 1000000000");
  EXPECT_EQ(field_error(R"("cpus": 0.00001)"), "/jobs/0/cpus: 1e-05 has more than three decimals");
  EXPECT_EQ(field_error(R"("mem": "-2G")"),
            "/jobs/0/mem: '-2G' is not a size, such as 512M or 2G; a bare number is MiB");
  EXPECT_EQ(field_error(R"("mem": "2000T")"), R"(/jobs/0/mem: "2000T" is more than 1000000000)");
  EXPECT_EQ(field_error(R"("retries": -1)"), "/jobs/0/retries: -1 is outside of 0 to 1000");
  EXPECT_EQ(field_error(R"("retries": 18446744073709551615)"),
            "/jobs/0/retries: 18446744073709551615 is outside of 0 to 1000");
  EXPECT_EQ(field_error(R"("time": -5)"),
            "/jobs/0/time: -5 is not a number of seconds up to 100 years");
  EXPECT_EQ(field_error(R"("time": "soon")").substr(0, 37),
            "/jobs/0/time: 'soon' is not a span of");
}

TEST(JobJson, WhatIsMissingOrTooMuch) {
  EXPECT_EQ(first_error("{}"), R"(there is no command; give "command" or "argv")");
  EXPECT_EQ(first_error(R"({"jobs": [{"name": "a"}]})"),
            R"(/jobs/0: there is no command; give "command" or "argv")");
  EXPECT_EQ(
      field_error(R"("argv": ["x"])"),
      "/jobs/0/argv: give either command (for a shell) or argv (a program and its arguments)");
  EXPECT_EQ(first_error(R"({"argv": []})"), "/argv: an empty list: the first entry is the program");
}

TEST(JobJson, AllWrongFieldsAreTold) {
  const auto specs =
      job_specs_from_json(R"({"jobs": [{"cpuz": 1, "mem": []}, {"command": 3}]})", JobText::json);
  ASSERT_FALSE(specs.has_value());
  ASSERT_EQ(specs.error().fields.size(), 4u);
  EXPECT_EQ(specs.error().fields[0].path, "/jobs/0/cpuz");
  EXPECT_EQ(specs.error().fields[3].path, "/jobs/1/command");
  EXPECT_NE(specs.error().error.message.find("(and 3 more)"), std::string::npos);
}

TEST(JobJson, KeysThatComeTwice) {
  EXPECT_EQ(first_error(R"({"command": "a", "command": "b"})"), "/command: this key comes twice");
  EXPECT_EQ(
      first_error(R"({"jobs": [{"command": "a"}, {"command": "a", "env": {"A": "", "A": ""}}]})"),
      "/jobs/1/env/A: this key comes twice");
}

TEST(JobJson, MalformedText) {
  EXPECT_EQ(first_error("").substr(0, 9), "not JSON:");
  EXPECT_EQ(first_error("{").substr(0, 9), "not JSON:");
  EXPECT_EQ(first_error(R"({"command": "a",})").substr(0, 35),
            "not JSON: parse error at line 1, co");
  EXPECT_EQ(first_error(R"({"cpus": 1e999})").substr(0, 9), "not JSON:");
  EXPECT_EQ(first_error("{\"command\": \"\xff\"}"), "not UTF-8 at byte 14");
  EXPECT_EQ(first_error("{\"command\": \"\xc0\x80\"}"), "not UTF-8 at byte 14");
  EXPECT_EQ(first_error("{\"command\": \"\xed\xa0\x80\"}"), "not UTF-8 at byte 14");
  EXPECT_EQ(first_error("{\"command\": \"\xf4\x90\x80\x80\"}"), "not UTF-8 at byte 14");
  EXPECT_EQ(first_error("{\"command\": \"\xe2\x82"), "not UTF-8 at byte 14");
  EXPECT_EQ(first_error("{\"command\": \"\xe2\x82\xac \xf0\x9f\x98\x80\"}"), "accepted");
}

TEST(JobJson, NestingIsBoundedBeforeItIsBuilt) {
  const auto ends_well = [](const std::string& message) {
    return message.find("nested deeper than 64") != std::string::npos;
  };
  EXPECT_TRUE(ends_well(first_error(std::string(1'000'000, '['))));
  std::string objects;
  for (int i = 0; i < 65; ++i) objects += R"({"env":)";
  EXPECT_TRUE(ends_well(first_error(objects)));
  EXPECT_EQ(first_error(R"({"command": "[[[)" + std::string(100, '[') + "\"}"), "accepted");
}

TEST(JobJson, ALongListIsReadInLinearTime) {
  std::string text = R"({"jobs": [)";
  for (int i = 0; i < 100'000; ++i) text += R"({"command":"true"},)";
  text.back() = ']';
  EXPECT_EQ(job_specs_from_json(text + "}", JobText::json)->size(), 100'000u);
}

TEST(JobJson, AJobALine) {
  const auto specs =
      job_specs_from_json("{\"command\": \"a\"}\r\n\n{\"command\": \"b\"}", JobText::ndjson);
  ASSERT_TRUE(specs.has_value());
  EXPECT_EQ(specs->size(), 2u);
  EXPECT_EQ(first_error("{\"command\": \"a\"}\n\n{\"command\": 1}\n", JobText::ndjson),
            "/jobs/1/command: expected a text, got 1");
  EXPECT_EQ(first_error("{\"command\": \"a\"}\n{", JobText::ndjson).substr(0, 17),
            "line 2: not JSON:");
}

TEST(JobJson, WhatIsWrittenIsReadAgain) {
  JobSpec full =
      job("full").cpus(2).mem(512).amount("gpus", 1).after("x").after("7", EdgeKind::start);
  full.description = "d \"quoted\" \xe2\x82\xac";
  full.owner = "o";
  full.role = "eng";
  full.command.environment = {{"A", "1"}};
  full.command.working_directory = "/w";
  full.command.user = "u";
  full.priority = 4;
  full.retries = 3;
  full.retry_delay = librm::milliseconds(1500);
  full.time_limit = librm::seconds(60);
  full.kill_grace = librm::seconds(9);
  full.on_dependency_failed = OnDependencyFailed::run;
  full.lost = LostPolicy::rerun;
  full.fence_after = librm::seconds(30);
  full.constraints.emplace("rack", "r1");
  full.labels = {{"k", "v"}};
  full.hold = true;
  JobSpec program = job("");
  program.command.shell = false;
  program.command.value = "ls";
  program.command.arguments = {"-l", ""};
  const std::vector<JobSpec> specs{full, program};
  const auto again = job_specs_from_json(job_specs_to_json(specs), JobText::json);
  ASSERT_TRUE(again.has_value()) << again.error().error.message;
  EXPECT_EQ(*again, specs);
}

TEST(JobView, IsWhatTheHttpEdgeDescribes) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("extract"), job("count").after("extract")}).has_value());
  bench.offer(1, "cpus:8;mem:8192");
  bench.running("1.1.1");
  JobLookup lookup;
  lookup.job_name = [&](JobId id) { return bench.core->find(id)->spec.name; };
  lookup.http_address = [](librm::AgentId) { return std::string("127.0.0.1:5051"); };
  const auto running = job_to_json(*bench.core->find(1), true, lookup);
  EXPECT_EQ(running["state"], "running");
  EXPECT_EQ(running["task"], "1.1.1");
  EXPECT_EQ(running["node"].dump(), R"({"id":"a-1","hostname":"host-1"})");
  EXPECT_EQ(running["request"].dump(), R"({"cpus":1,"mem":128})");
  EXPECT_EQ(running["submitted"], "2023-11-14T22:13:20.000Z");
  EXPECT_TRUE(running["ended"].is_null());
  EXPECT_EQ(running["attempts"][0]["log_url"],
            "http://127.0.0.1:5051/v1/tasks/f-1/1.1.1/files/stdout");
  EXPECT_EQ(running["attempts"][0]["state"], "running");
  const auto waiting = job_to_json(*bench.core->find(2), false, lookup);
  EXPECT_EQ(waiting["dependencies"].dump(),
            R"([{"job":1,"name":"extract","kind":"ok","state":"pending"}])");
  EXPECT_TRUE(waiting["task"].is_null());
  EXPECT_FALSE(waiting.contains("attempts"));
  const auto why = why_to_json(bench.core->why(*bench.core->find(2), bench.clock));
  EXPECT_EQ(why["summary"], "pending 0ms · waits for job 1 (extract), running");
}

TEST(JobView, ResourcesAreNumbersAndTexts) {
  EXPECT_EQ(resources_to_json(resources("cpus:2.5;cpus(prod):1;disks:{a,b};ports:[1-3]")).dump(),
            R"({"cpus":3.5,"disks":"{a,b}","ports":"[1-3]"})");
}

}  // namespace
}  // namespace batch::test
