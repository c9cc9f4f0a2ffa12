// Roles, quotas and reservations over HTTP: what is taken, refused and shown.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "http/master_http.hpp"
#include "unit/http/bad_values.hpp"
#include "unit/http/capture.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

using Json = nlohmann::json;

class RoleHttp : public testing::Test {
 protected:
  RoleHttp() { master.add_agent("node-1", "127.0.0.1:5051", "cpus:4;mem:4096;disk:100"); }

  Json send(int status, const std::string& method, const std::string& target,
            const std::string& body = "") {
    const auto answer = ask(http, method, target, body);
    master.turn();
    EXPECT_EQ(answer->status(), status)
        << method << ' ' << target << ' ' << body.substr(0, 200) << '\n'
        << answer->response.value().body.substr(0, 400);
    return Json::parse(answer->response.value().body);
  }
  Json operate(int status, const std::string& verb, const std::string& body) {
    return send(status, "POST", "/v1/nodes/a-1/" + verb, body);
  }

  asio::io_context io{1};
  FakeMaster master;
  MasterHttp http{io, master};
};

TEST_F(RoleHttp, AQuotaIsSetShownAndTakenAway) {
  const std::string quota = R"({"guarantees": {"cpus": 2}, "limits": {"cpus": 2.5, "gpus": 0}})";
  const Json set = send(200, "PUT", "/v1/roles/eng%2Fdb/quota", quota);
  EXPECT_EQ(set["role"], "eng/db");
  EXPECT_EQ(set["quota"], Json::parse(quota));
  EXPECT_FALSE(set["why"].empty());
  EXPECT_EQ(send(200, "GET", "/v1/roles/eng%2Fdb")["quota"], Json::parse(quota));
  EXPECT_EQ(send(200, "GET", "/v1/roles")["roles"].size(), 3u) << "*, eng and eng/db";
  send(200, "DELETE", "/v1/roles/eng%2Fdb/quota");
  send(404, "GET", "/v1/roles/eng%2Fdb");
  send(404, "DELETE", "/v1/roles/eng%2Fdb/quota");
}

TEST_F(RoleHttp, AQuotaAboveTheClusterIsRefusedUnlessForced) {
  const std::string quota = R"({"guarantees": {"cpus": 5}})";
  EXPECT_EQ(send(422, "PUT", "/v1/roles/eng/quota", quota)["detail"],
            "role eng: cpus: all guarantees together are 5, the cluster has 4");
  send(200, "PUT", "/v1/roles/eng/quota?force=1", quota);
  send(400, "PUT", "/v1/roles/*/quota", quota);
  send(400, "PUT", "/v1/roles/-x/quota", quota);
}

TEST_F(RoleHttp, AWeightIsSetAndTakenAway) {
  EXPECT_EQ(send(200, "PUT", "/v1/roles/eng/weight", R"({"weight": 2.5})")["weight"], 2.5);
  EXPECT_EQ(send(200, "DELETE", "/v1/roles/eng/weight")["weight"], 1);
}

TEST_F(RoleHttp, AJobThatAQuotaKeepsWaitingSaysSo) {
  send(200, "PUT", "/v1/roles/eng/quota", R"({"guarantees": {"cpus": 4}})");
  send(201, "POST", "/v1/jobs", R"({"command": "x", "name": "j"})");
  const Json why = send(200, "GET", "/v1/jobs/j/why");
  const std::string reason = "cpus: need 1, the cluster has 4 free and keeps 4 for guarantees";
  const std::string summary = why["summary"];
  EXPECT_TRUE(summary.ends_with("1 of 1 agent fits · gets no offer there: " + reason)) << summary;
  EXPECT_EQ(why["nodes"][0]["fits"], false);
  EXPECT_EQ(why["nodes"][0]["reason"], reason);
}

TEST_F(RoleHttp, AJobThatAnEarmarkKeepsWaitingSaysSo) {
  master.add_agent("node-2", "127.0.0.1:5051", "cpus:4;mem:4096;disk:100");
  send(201, "POST", "/v1/jobs", R"({"command": "x", "name": "a", "cpus": 3})");
  send(201, "POST", "/v1/jobs", R"({"command": "x", "name": "b", "cpus": 3})");
  EXPECT_EQ(send(200, "GET", "/v1/jobs/b")["state"], "running");
  master.add_demand("gangs", "cpus:2", 2);
  send(201, "POST", "/v1/jobs", R"({"command": "x", "name": "c", "cpus": 1})");
  const Json why = send(200, "GET", "/v1/jobs/c/why");
  const std::string reason = "kept for e-1 of f-2 in role *, whose start is not known";
  EXPECT_EQ(why["nodes"][0]["reason"], reason);
  const std::string summary = why["summary"];
  EXPECT_TRUE(summary.ends_with("2 of 2 agents fit · gets no offer there: " + reason)) << summary;
}

TEST_F(RoleHttp, WhatIsNotInUseIsReservedAndGivenBack) {
  const Json node = operate(200, "reserve", R"({"resources": "cpus:3", "role": "eng"})");
  EXPECT_EQ(node["reserved"], "cpus(+eng):3");
  EXPECT_EQ(node["reserved_missing"], "");
  EXPECT_EQ(operate(422, "reserve", R"({"resources": "cpus:3", "role": "eng"})")["detail"],
            "agent a-1: reserve: cpus: need 3, free 1");
  EXPECT_EQ(
      operate(200, "unreserve", R"({"resources": "cpus(+eng):3", "role": "eng"})")["reserved"], "");
  operate(400, "create-volume", R"({"resources": "mem:3", "volume": "v"})");
  send(404, "POST", "/v1/nodes/a-9/reserve", R"({"resources": "cpus:3", "role": "eng"})");
}

TEST_F(RoleHttp, WhatIsGivenBackNamesItsReservationOrVolume) {
  const std::string gold = R"({"role": "eng/db", "principal": "ann", "labels": {"tier": "gold"},
                               "resources": )";
  operate(200, "reserve", gold + R"("disk:10"})");
  const std::string disk = R"("disk(+eng/db@ann{tier=gold}))";
  operate(200, "create-volume", R"({"volume": "v 1", "resources": )" + disk + R"(:4"})");
  const Json node = operate(200, "reserve", R"({"resources": "cpus:1", "role": "eng"})");
  EXPECT_EQ(node["reserved"],
            "cpus(+eng):1;disk(+eng/db@ann{tier=gold}):6;disk(+eng/db@ann{tier=gold})[\"v 1\"]:4");
  EXPECT_EQ(send(200, "GET", "/v1/roles")["roles"].size(), 3u) << "nobody is in eng and eng/db";
  const Json eng = send(200, "GET", "/v1/roles/eng");
  EXPECT_EQ(eng["why"], Json::parse(R"(["role eng: nobody is in it"])"));
  EXPECT_EQ(eng["reserved"], Json::parse(R"({"cpus": 1, "disk": 10})")) << "with those below";
  EXPECT_EQ(send(200, "GET", "/v1/roles/eng%2Fdb")["reserved"], Json::parse(R"({"disk": 10})"));

  operate(400, "unreserve", R"({"resources": "cpus:1"})");
  operate(400, "destroy-volume", R"({"resources": "disk(+eng):1"})");
  operate(200, "destroy-volume", R"({"resources": )" + disk + R"([\"v 1\"]:4"})");
  operate(200, "unreserve", R"({"resources": )" + disk + R"(:10"})");
  EXPECT_EQ(operate(200, "unreserve", R"({"resources": "cpus(+eng):1"})")["reserved"], "");
}

TEST_F(RoleHttp, ARequestOfOneKeyIsDoneOnce) {
  const auto post = [this](const std::string& key, const std::string& resources) {
    return ask(http, "POST", "/v1/nodes/a-1/reserve",
               R"({"role": "eng", "resources": ")" + resources + "\"}", {{"Idempotency-Key", key}});
  };
  const auto reserved = [this] { return send(200, "GET", "/v1/nodes/a-1")["reserved"]; };
  const auto first = post("k1", "cpus:1");
  const auto meanwhile = post("k1", "cpus:1");
  EXPECT_FALSE(meanwhile->response) << "it waits for the first";
  master.turn();
  EXPECT_EQ(first->status(), 200);
  EXPECT_EQ(meanwhile->status(), 200);
  EXPECT_EQ(post("k1", "cpus:1")->status(), 200);
  EXPECT_EQ(post("k1", "cpus:2")->status(), 409);
  EXPECT_EQ(post(std::string(256, 'k'), "cpus:1")->status(), 400);
  EXPECT_EQ(reserved(), "cpus(+eng):1");

  const auto refused = post("k2", "cpus:100");
  master.turn();
  EXPECT_EQ(refused->status(), 422);
  const auto another = post("k2", "cpus:2");
  master.turn();
  EXPECT_EQ(another->status(), 200) << "what was refused may be asked again, in other words, too";
  post("", "cpus:1");
  master.turn();
  EXPECT_EQ(reserved(), "cpus(+eng):4");
}

TEST_F(RoleHttp, EveryFieldIsReadStrictly) {
  for (const auto& [name, value] : universal_values()) {
    const bool amount = name == "zero" || name == "one" || name == "fraction";
    const std::string limits = R"({"limits": {"x": )" + value + "}}";
    const auto answer = ask(http, "PUT", "/v1/roles/eng/quota", limits);
    master.turn();
    EXPECT_EQ(answer->status() == 200, amount) << name << ' ' << value;
    if (name != "member") {
      send(400, "PUT", "/v1/roles/eng/quota", R"({"limits": )" + value + "}");
    }
  }
  for (const char* wrong :
       {"", "[]", "{}", R"({"limit": {}})", R"({"limits": {"a b": 1}})", R"({"limits": {"": 1}})",
        R"({"limits": {"cpus": 0.0005}})", R"({"limits": {"cpus": 1e12}})",
        R"({"limits": {"cpus": 1, "cpus": 2}})", R"({"limits": {"cpus": -1}})"}) {
    send(400, "PUT", "/v1/roles/eng/quota", wrong);
  }
  for (const char* wrong : {"", R"({"weight": 0})", R"({"weight": "1"})", R"({"weight": 1e7})",
                            R"({"weight": 0.0001})", R"({"weight": 1, "x": 1})"}) {
    send(400, "PUT", "/v1/roles/eng/weight", wrong);
  }
  for (const char* wrong :
       {"", R"({"resources": "cpus:1"})", R"({"resources": "cpus", "role": "eng"})",
        R"({"resources": "", "role": "eng"})", R"({"resources": "cpus:1", "role": "*"})",
        R"({"resources": "cpus:1", "role": "eng", "labels": []})",
        R"({"resources": "cpus:1", "role": "eng", "labels": {"a": 1}})",
        R"({"resources": "cpus:1", "role": "eng", "volume": "v"})",
        R"({"resources": "cpus(prod):1", "role": "eng"})",
        R"({"resources": "cpus:1;cpus:1", "role": "eng"})",
        R"({"resources": "cpus:1", "role": "eng", "principal": "a\u0000b"})",
        R"({"resources": "cpus:1", "role": "eng", "labels": {"": "x"}})"}) {
    operate(400, "reserve", wrong);
  }
  const std::string longer = R"({"resources": "cpus:1", "role": "eng", "labels": {"a": ")";
  operate(400, "reserve", longer + std::string(256, 'x') + "\"}}");
  operate(400, "reserve", longer + std::string(100, '\x01') + "\"}}");
  operate(400, "create-volume", R"({"resources": "disk(eng):1"})");
  operate(400, "create-volume", R"({"resources": "disk(eng):1", "volume": "v", "role": "eng"})");
}

}  // namespace
}  // namespace librm::http
