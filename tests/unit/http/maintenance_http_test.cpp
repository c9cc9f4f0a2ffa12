// Nodes out of service and planned windows over HTTP: what is taken, refused and shown.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "http/master_http.hpp"
#include "unit/http/bad_values.hpp"
#include "unit/http/capture.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

using Json = nlohmann::json;

class MaintenanceHttp : public testing::Test {
 protected:
  MaintenanceHttp() { master.add_agent("node-1", "127.0.0.1:5051"); }

  Json send(int status, const std::string& method, const std::string& target,
            const std::string& body = "") {
    const auto answer = ask(http, method, target, body);
    master.turn();
    EXPECT_EQ(answer->status(), status)
        << method << ' ' << target << ' ' << body.substr(0, 200) << '\n'
        << answer->response.value().body.substr(0, 400);
    return Json::parse(answer->response.value().body);
  }
  Json act(int status, const std::string& action, const std::string& body = "") {
    return send(status, "POST", "/v1/nodes/a-1/" + action, body);
  }
  /// Every universal value of a field is taken or blamed as its rule says.
  void check_field(const std::string& target, const std::string& method, const std::string& before,
                   const std::string& after, const std::string& pointer, const std::string& field,
                   const FieldRule& rule) {
    const auto body = [&](const std::string& value) {
      return before + "\"" + field + "\": " + value + after;
    };
    for (const auto& [name, value] : universal_values()) {
      const bool legal = rule.legal.count(name) != 0;
      const Json answer = send(legal ? 200 : 400, method, target, body(value));
      if (!legal && name != "deep" && name != "huge" && name != "enormous") {
        EXPECT_EQ(answer["errors"][0]["path"].get<std::string>().rfind(pointer + field, 0), 0u)
            << field << " " << name << " " << answer.dump();
      }
    }
    for (const std::string& value : rule.also_legal) send(200, method, target, body(value));
    for (const std::string& value : rule.also_wrong) send(400, method, target, body(value));
  }

  asio::io_context io{1};
  FakeMaster master;
  MasterHttp http{io, master};
};

TEST_F(MaintenanceHttp, ANodeSaysWhatAnOperatorMadeOfIt) {
  EXPECT_EQ(send(200, "GET", "/v1/nodes/a-1")["service"], "normal");
  const Json cordoned = act(200, "cordon", R"({"reason": "new disk"})");
  EXPECT_EQ(cordoned["service"], "cordoned");
  EXPECT_EQ(cordoned["service_reason"], "new disk");
  EXPECT_TRUE(cordoned["service_since"].is_string());
  EXPECT_EQ(act(200, "uncordon")["service"], "normal");
  EXPECT_EQ(
      act(200, "drain", R"({"mode": "wait", "grace": 5, "deadline": "2h"})")["drain"]["grace"], 5);
  EXPECT_EQ(send(200, "GET", "/v1/nodes/a-1")["service"], "drained");
  EXPECT_EQ(act(200, "down")["service"], "down");
  EXPECT_EQ(act(409, "undrain")["detail"], "agent a-1 is down; it has to be up first");
  EXPECT_EQ(act(200, "up")["service"], "normal");
  send(404, "POST", "/v1/nodes/a-9/cordon");
}

TEST_F(MaintenanceHttp, ADryRunOfADrainNamesWhatItWouldKillAndKillsNothing) {
  send(201, "POST", "/v1/jobs", R"({"command": "sleep 9", "kill_grace": 7})");
  master.report("1.1.1", TaskState::running);
  const Json waits = act(200, "drain?dry_run=1");
  EXPECT_EQ(waits["blockers"],
            Json::array({"task 1.1.1 of batch: no time limit; mode wait has no deadline"}));
  EXPECT_TRUE(waits["expected_end"].is_null());
  const Json kills = act(200, "drain?dry_run=1", R"({"mode": "kill", "grace": 2})");
  EXPECT_EQ(kills["kills"][0]["task"], "1.1.1");
  EXPECT_EQ(kills["kills"][0]["grace"], 2);
  EXPECT_EQ(kills["kills"][0]["reason"], "killed_by_operator");
  EXPECT_EQ(send(200, "GET", "/v1/nodes/a-1")["service"], "normal");
}

TEST_F(MaintenanceHttp, AJobThatWaitsBecauseOfADrainSaysSo) {
  act(200, "drain", R"({"reason": "new disk"})");
  send(201, "POST", "/v1/jobs", R"({"command": "true"})");
  EXPECT_EQ(send(200, "GET", "/v1/jobs/1/why")["nodes"][0]["reason"], "agent is drained: new disk");
}

TEST_F(MaintenanceHttp, TheScheduleIsReplacedAsAWholeAndByItsRevision) {
  const std::string windows =
      R"("windows": [{"name": "kernel", "start": "2100-01-01T00:00:00Z", "duration": "PT4H",
                      "nodes": ["a-1", "node-2"], "reason": "6.1"}])";
  const Json set = send(200, "PUT", "/v1/maintenance", "{" + windows + "}");
  EXPECT_EQ(set["revision"], 1);
  EXPECT_EQ(set["windows"][0]["duration"], 14400);
  EXPECT_EQ(set["windows"][0]["nodes"], Json::array({"a-1", "node-2"}));
  EXPECT_EQ(send(200, "GET", "/v1/nodes/a-1")["window"]["name"], "kernel");
  EXPECT_EQ(send(200, "PUT", "/v1/maintenance", "{\"revision\": 0, " + windows + "}")["revision"],
            1)
      << "a repetition";
  send(409, "PUT", "/v1/maintenance", R"({"revision": 0, "windows": []})");
  EXPECT_EQ(send(200, "PUT", "/v1/maintenance", R"({"revision": 1, "windows": []})")["revision"],
            2);
}

TEST_F(MaintenanceHttp, WhoIsAskedToLeaveIsShownWithTheAnswer) {
  send(201, "POST", "/v1/jobs", R"({"command": "sleep 9"})");
  master.report("1.1.1", TaskState::running);
  send(200, "PUT", "/v1/maintenance",
       R"({"windows": [{"name": "w", "start": "2100-01-01T00:00:00Z", "nodes": ["node-1"]}]})");
  const Json offers = send(200, "GET", "/v1/maintenance")["inverse_offers"];
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0]["answer"], "declined");
  EXPECT_EQ(offers[0]["reason"], "job 1 has no time limit");
}

TEST_F(MaintenanceHttp, EveryFieldIsReadStrictly) {
  const FieldRule text{{"empty", "word"}};
  const FieldRule span{{"zero", "one", "fraction", "tiny"}, {R"("90s")"}, {R"("2y")"}};
  const std::string drain = "/v1/nodes/a-1/drain?dry_run=1";
  const FieldRules drains{{"mode", {{}, {R"("kill")"}, {R"("Wait")"}}},
                          {"grace", span},
                          {"deadline", span},
                          {"reason", text}};
  for (const auto& [field, rule] : drains) check_field(drain, "POST", "{", "}", "/", field, rule);
  send(400, "POST", drain, R"({"mode": "kill", "deadline": 1})");
  act(400, "down", R"({"force": 1})");
  act(400, "up", R"({"force": true})");
  act(400, "undrain", "[]");
  act(400, "cordon", R"({"reason": "a", "reason": "b"})");

  // What is of the right form and wrong all the same is for the master to say.
  const std::string window = R"({"windows": [{"name": "w", "nodes": ["node-1"], )";
  const std::string start = R"("start": "2100-01-01T00:00:00Z", )";
  check_field(
      "/v1/maintenance", "PUT", window, "}]}", "/windows/0/", "start",
      {{}, {R"("2100-01-01T00:00:00Z")"}, {R"("2100-01-01")", R"("2000-13-01T00:00:00Z")"}});
  check_field("/v1/maintenance", "PUT", window + start, "}]}", "/windows/0/", "reason", text);
  for (const char* duration : {"null", "1", "0.5", R"("PT4H")"}) {
    send(200, "PUT", "/v1/maintenance", window + start + "\"duration\": " + duration + "}]}");
  }
  for (const char* duration : {"0", "-1", R"("P1M")", "true", "{}"}) {
    send(400, "PUT", "/v1/maintenance", window + start + "\"duration\": " + duration + "}]}");
  }
  for (const char* wrong : {"", "[]", R"({"windows": {}})", R"({"windows": [1]})", "{",
                            R"({"windows": [], "revision": -1})", R"({"windows": [], "x": 1})"}) {
    send(400, "PUT", "/v1/maintenance", wrong);
  }
}

}  // namespace
}  // namespace librm::http
