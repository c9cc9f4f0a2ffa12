// The master's routes over the real core: shapes, selectors, pages, events, redirects, refusals.
#include "http/master_http.hpp"

#include <gtest/gtest.h>

#include <asio/io_context.hpp>

#include "unit/http/capture.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

using Json = nlohmann::json;

class MasterHttpTest : public testing::Test {
 protected:
  std::shared_ptr<Captured> get(const std::string& target) { return ask(http, "GET", target); }
  std::shared_ptr<Captured> post(const std::string& target, const std::string& body,
                                 std::vector<std::pair<std::string, std::string>> headers = {}) {
    auto captured = ask(http, "POST", target, body, std::move(headers));
    master.turn();
    return captured;
  }
  /// Submits one job per name.
  void submit(const std::vector<std::string>& names) {
    for (const auto& name : names) {
      const auto answer = post("/v1/jobs", R"({"command": "true", "name": ")" + name + "\"}");
      ASSERT_EQ(answer->status(), 201) << answer->response->body;
    }
  }
  static std::vector<std::string> names_of(const Json& page) {
    std::vector<std::string> names;
    for (const Json& job : page["jobs"]) names.push_back(job["name"]);
    return names;
  }
  /// The names of the events in a stream's bytes.
  static std::vector<std::string> events_of(const std::string& bytes) {
    std::vector<std::string> events;
    for (std::size_t at = 0; (at = bytes.find("event: ", at)) != bytes.npos; at += 7) {
      events.push_back(bytes.substr(at + 7, bytes.find('\n', at) - at - 7));
    }
    return events;
  }

  asio::io_context io{1};
  FakeMaster master;
  MasterHttp http{io, master};
};

using Names = std::vector<std::string>;

TEST_F(MasterHttpTest, SubmissionIsAnsweredWithIdsAndNames) {
  const auto answer = post("/v1/jobs", R"({"jobs": [{"name": "a", "command": "x"},
                                                    {"command": "y", "after_ok": ["a"]}]})");
  EXPECT_EQ(answer->status(), 201);
  EXPECT_EQ(answer->json(), Json::parse(R"({"apiVersion": "librm/v1", "jobs": [
    {"id": 1, "name": "a"}, {"id": 2, "name": "job-2"}]})"));
}

TEST_F(MasterHttpTest, NdjsonIsAJobALine) {
  const auto answer = post("/v1/jobs", "{\"command\": \"x\"}\n{\"command\": \"y\"}\n",
                           {{"Content-Type", "application/x-ndjson; charset=utf-8"}});
  EXPECT_EQ(answer->status(), 201);
  EXPECT_EQ(answer->json()["jobs"].size(), 2u);
}

TEST_F(MasterHttpTest, DryRunStoresNothing) {
  const auto answer = post("/v1/jobs?dry_run=1", R"({"command": "x", "name": "n"})");
  EXPECT_EQ(answer->status(), 200);
  EXPECT_EQ(answer->json()["jobs"][0]["name"], "n");
  EXPECT_TRUE(get("/v1/jobs")->json()["jobs"].empty());
}

TEST_F(MasterHttpTest, SameIdempotencyKeyGivesTheSameAnswer) {
  const Json first = post("/v1/jobs", R"({"command": "x"})", {{"Idempotency-Key", "k"}})->json();
  const Json second = post("/v1/jobs", R"({"command": "x"})", {{"Idempotency-Key", "k"}})->json();
  EXPECT_EQ(first, second);
  EXPECT_EQ(get("/v1/jobs")->json()["jobs"].size(), 1u);
  EXPECT_EQ(post("/v1/jobs", R"({"command": "x"})", {{"idempotency-key", std::string(300, 'k')}})
                ->status(),
            400);
}

TEST_F(MasterHttpTest, WrongSubmissionsNameTheFieldAndStoreNothing) {
  const auto unknown = post("/v1/jobs", R"({"jobs": [{"command": "x", "cpuz": 1}]})");
  EXPECT_EQ(unknown->status(), 400);
  EXPECT_EQ(unknown->json()["errors"][0]["path"], "/jobs/0/cpuz");
  for (const char* body : {"", "{", "[]", "nonsense", R"({"command": 1})", R"({"jobs": []})"}) {
    EXPECT_EQ(post("/v1/jobs", body)->status(), 400) << body;
  }
  EXPECT_EQ(post("/v1/jobs", std::string(1'000'000, '['))->status(), 400);
  EXPECT_EQ(post("/v1/jobs?drii_run=1", R"({"command": "x"})")->status(), 400);
  EXPECT_EQ(post("/v1/jobs", R"({"command": "x", "after_ok": ["nobody"]})")->status() / 100, 4);
  EXPECT_TRUE(get("/v1/jobs")->json()["jobs"].empty());
}

TEST_F(MasterHttpTest, SecondLiveJobOfANameIsAConflict) {
  submit({"n"});
  EXPECT_EQ(post("/v1/jobs", R"({"command": "x", "name": "n"})")->status(), 409);
}

TEST_F(MasterHttpTest, ListIsNewestFirstInPages) {
  submit({"a", "b", "c", "d", "e"});
  const Json first = get("/v1/jobs?limit=2")->json();
  EXPECT_EQ(names_of(first), (Names{"e", "d"}));
  const Json second =
      get("/v1/jobs?limit=2&cursor=" + first["next_cursor"].get<std::string>())->json();
  EXPECT_EQ(names_of(second), (Names{"c", "b"}));
  const Json third =
      get("/v1/jobs?limit=2&cursor=" + second["next_cursor"].get<std::string>())->json();
  EXPECT_EQ(names_of(third), (Names{"a"}));
  EXPECT_TRUE(third["next_cursor"].is_null());
  EXPECT_TRUE(get("/v1/jobs?limit=5")->json()["next_cursor"].is_null());
}

TEST_F(MasterHttpTest, ListIsFilteredByStateAndName) {
  submit({"load-1", "load-2", "count"});
  post("/v1/jobs/load-1/cancel", "");
  EXPECT_EQ(names_of(get("/v1/jobs?name=load-*")->json()), (Names{"load-2", "load-1"}));
  EXPECT_EQ(names_of(get("/v1/jobs?state=pending")->json()), (Names{"count", "load-2"}));
  EXPECT_EQ(names_of(get("/v1/jobs?state=cancelled,running")->json()), (Names{"load-1"}));
  for (const char* bad : {"?state=pendin", "?limit=0", "?limit=1001", "?limit=x", "?cursor=x",
                          "?cursor=0", "?stat=pending"}) {
    EXPECT_EQ(get(std::string("/v1/jobs") + bad)->status(), 400) << bad;
  }
}

TEST_F(MasterHttpTest, ListIsFilteredByOwnerLabelsAndTheTimeOfTheEnd) {
  post("/v1/jobs", R"({"command": "x", "name": "a", "owner": "ann", "labels": {"team": "red"}})");
  post("/v1/jobs", R"({"command": "x", "name": "b", "owner": "bob",
                       "labels": {"team": "blue", "kind": "big one"}})");
  submit({"c"});
  EXPECT_EQ(names_of(get("/v1/jobs?owner=a*")->json()), (Names{"a"}));
  EXPECT_EQ(names_of(get("/v1/jobs?label=team%3D*")->json()), (Names{"b", "a"}));
  EXPECT_EQ(names_of(get("/v1/jobs?label=team=blue,kind=big?one")->json()), (Names{"b"}));
  EXPECT_TRUE(names_of(get("/v1/jobs?label=team=blue,kind=small")->json()).empty());
  EXPECT_TRUE(names_of(get("/v1/jobs?ended_after=2000-01-01T00:00:00Z")->json()).empty());

  post("/v1/jobs/a/cancel", "");
  const std::string ended = get("/v1/jobs/a")->json()["ended"];
  EXPECT_EQ(names_of(get("/v1/jobs?ended_after=" + ended)->json()), (Names{"a"}));
  EXPECT_TRUE(names_of(get("/v1/jobs?ended_before=" + ended)->json()).empty());
  EXPECT_EQ(names_of(get("/v1/jobs?ended_before=2200-01-01T00:00:00Z")->json()), (Names{"a"}));
  EXPECT_FALSE(get("/v1/jobs?limit=1")->json()["jobs"][0].contains("attempts"));
  EXPECT_TRUE(get("/v1/jobs?attempts=1&limit=1")->json()["jobs"][0].contains("attempts"));
  for (const char* bad : {"?label=team", "?label==x", "?ended_after=yesterday", "?attempts=2"}) {
    EXPECT_EQ(get(std::string("/v1/jobs") + bad)->status(), 400) << bad;
  }
}

TEST_F(MasterHttpTest, LongScanIsCutAndGoesOnAtTheCursor) {
  MasterHttpOptions options;
  options.scan_max = 2;
  submit({"x", "b", "c"});
  const MasterHttp bounded(io, master, options);
  const Json first = ask(bounded, "GET", "/v1/jobs?name=x")->json();
  EXPECT_TRUE(first["jobs"].empty());
  const Json second =
      ask(bounded, "GET", "/v1/jobs?name=x&cursor=" + first["next_cursor"].get<std::string>())
          ->json();
  EXPECT_EQ(names_of(second), (Names{"x"}));
  EXPECT_TRUE(second["next_cursor"].is_null());
}

TEST_F(MasterHttpTest, JobIsFoundByIdNameAndFromTheEnd) {
  submit({"a", "b", "c"});
  for (const char* selector : {"2", "b", "last-1"}) {
    EXPECT_EQ(get(std::string("/v1/jobs/") + selector)->json()["id"], 2) << selector;
  }
  EXPECT_EQ(get("/v1/jobs/last")->json()["id"], 3);
  EXPECT_EQ(get("/v1/jobs/c")->json()["apiVersion"], "librm/v1");
  EXPECT_TRUE(get("/v1/jobs/1")->json()["attempts"].is_array());
  for (const char* missing :
       {"4", "0", "d", "last-3", "last-x", "last-", "last-99999999999999999999", "%00"}) {
    EXPECT_EQ(get(std::string("/v1/jobs/") + missing)->status(), 404) << missing;
  }
  EXPECT_EQ(get("/v1/jobs/42")->json()["detail"], "job 42: no such job");
}

TEST_F(MasterHttpTest, WhyExplains) {
  submit({"a"});
  const Json why = get("/v1/jobs/a/why")->json();
  EXPECT_EQ(why["job"], 1);
  EXPECT_EQ(why["state"], "pending");
  EXPECT_FALSE(why["summary"].get<std::string>().empty());
}

TEST_F(MasterHttpTest, CancelTakesAReasonAndAnswersWithTheJob) {
  submit({"a", "b"});
  const auto answer = post("/v1/jobs/a/cancel", R"({"reason": "no longer wanted"})");
  EXPECT_EQ(answer->status(), 202);
  EXPECT_EQ(answer->json()["state"], "cancelled");
  EXPECT_NE(answer->json()["reason"].get<std::string>().find("no longer wanted"),
            std::string::npos);
  EXPECT_EQ(post("/v1/jobs/b/cancel", R"({"raeson": "x"})")->json()["errors"][0]["path"],
            "/raeson");
  for (const char* bad : {"[]", "{", R"({"reason": 1})", R"({"reason": {"a": [[[]]]}})"}) {
    EXPECT_EQ(post("/v1/jobs/b/cancel", bad)->status(), 400) << bad;
  }
  EXPECT_EQ(post("/v1/jobs/nobody/cancel", "")->status(), 404);
  EXPECT_EQ(get("/v1/jobs/b")->json()["state"], "pending");
}

TEST_F(MasterHttpTest, LogsAreRedirectedToTheAgentWithTheirQuery) {
  submit({"a"});
  EXPECT_EQ(get("/v1/jobs/a/logs")->status(), 409);
  master.add_agent("h", "127.0.0.1:5051");
  ASSERT_EQ(get("/v1/jobs/a")->json()["state"], "running");
  const auto location = [&](const std::string& query) {
    const auto answer = get("/v1/jobs/a/logs" + query);
    EXPECT_EQ(answer->status(), 307);
    return answer->response->headers.at(0).second;
  };
  const std::string base = "http://127.0.0.1:5051/v1/tasks/f-1/1.1.1/files/";
  EXPECT_EQ(location(""), base + "stdout");
  EXPECT_EQ(location("?stream=stderr&follow=1&offset=-5&attempt=1"),
            base + "stderr?offset=-5&follow=1");
  EXPECT_EQ(get("/v1/jobs/a/logs?offset=1%26x%0d%0a")->status(), 400);
  EXPECT_EQ(get("/v1/jobs/a/logs?attempt=2")->status(), 409) << "it may still come";
  EXPECT_EQ(get("/v1/jobs/a/logs?stream=passwd")->status(), 400);
  EXPECT_EQ(get("/v1/jobs/a/logs?attempt=0")->status(), 400);
}

TEST_F(MasterHttpTest, FollowedSubmissionStreamsToItsEnd) {
  master.add_agent("h", "127.0.0.1:5051");
  const auto answer = post("/v1/jobs?follow=1", R"({"command": "x", "name": "n"})");
  ASSERT_TRUE(answer->stream_head);
  EXPECT_EQ(answer->stream_head->content_type, "text/event-stream");
  const std::string& bytes = answer->stream->bytes;
  EXPECT_TRUE(bytes.starts_with("event: submitted\nid: 1-")) << bytes;
  EXPECT_NE(bytes.find("data: {\"jobs\":[{\"id\":1,\"name\":\"n\"}]}\n\n"), bytes.npos);
  master.report("1.1.1", TaskState::running);
  EXPECT_FALSE(answer->stream->closed);
  master.report("1.1.1", TaskState::failed, 3);
  EXPECT_TRUE(answer->stream->closed);
  const auto events = events_of(bytes);
  EXPECT_EQ(events.front(), "submitted");
  EXPECT_EQ(events.back(), "end");
  for (std::size_t i = 1; i + 1 < events.size(); ++i) EXPECT_EQ(events[i], "job");
  EXPECT_TRUE(bytes.ends_with("data: {\"exit_code\":3}\n\n")) << bytes;
  EXPECT_NE(bytes.find("\"state\":\"failed\""), bytes.npos);
}

TEST_F(MasterHttpTest, RepeatedFollowTellsWhatHasHappenedSince) {
  master.add_agent("h", "127.0.0.1:5051");
  post("/v1/jobs?follow=1", R"({"command": "x"})", {{"Idempotency-Key", "k"}});
  master.report("1.1.1", TaskState::finished, 0);
  const auto again = post("/v1/jobs?follow=1", R"({"command": "x"})", {{"Idempotency-Key", "k"}});
  EXPECT_EQ(events_of(again->stream->bytes), (Names{"submitted", "job", "end"}));
  EXPECT_TRUE(again->stream->closed);
  EXPECT_TRUE(again->stream->bytes.ends_with("data: {\"exit_code\":0}\n\n"));
}

TEST_F(MasterHttpTest, FollowOfARefusedSubmissionIsAProblem) {
  const auto answer = post("/v1/jobs?follow=1", R"({"command": "x", "after_ok": ["nobody"]})");
  EXPECT_FALSE(answer->stream_head);
  EXPECT_EQ(answer->status() / 100, 4);
}

TEST_F(MasterHttpTest, EventsOfOneJobBeginWithItsPresentState) {
  submit({"a", "b"});
  const auto watching = get("/v1/events?job=a");
  EXPECT_EQ(events_of(watching->stream->bytes), (Names{"job"}));
  post("/v1/jobs/b/cancel", "");
  EXPECT_EQ(events_of(watching->stream->bytes), (Names{"job"}));
  post("/v1/jobs/a/cancel", "");
  EXPECT_NE(watching->stream->bytes.find("\"state\":\"cancelled\""), std::string::npos);
  EXPECT_FALSE(watching->stream->closed);
  EXPECT_EQ(get("/v1/events?job=nobody")->status(), 404);
}

TEST_F(MasterHttpTest, EventsResumeAfterTheLastSeen) {
  submit({"a", "b"});
  const auto first = get("/v1/events");
  EXPECT_TRUE(events_of(first->stream->bytes).empty());
  first->stream->bytes.clear();
  post("/v1/jobs/a/cancel", "");
  const std::string& bytes = first->stream->bytes;
  const std::string id = bytes.substr(
      bytes.find("id: ") + 4, bytes.find('\n', bytes.find("id: ")) - bytes.find("id: ") - 4);
  post("/v1/jobs/b/cancel", "");
  const auto resume = [&](const std::string& last) {
    return ask(http, "GET", "/v1/events", "", {{"Last-Event-ID", last}});
  };
  const auto resumed = resume(id);
  EXPECT_NE(resumed->stream->bytes.find("\"name\":\"b\""), std::string::npos);
  EXPECT_EQ(resumed->stream->bytes.find("\"name\":\"a\""), std::string::npos);
  for (const char* lost : {"nonsense", "0-1", "1-999999", "99-1", "-", "1-"}) {
    EXPECT_EQ(events_of(resume(lost)->stream->bytes), (Names{"gap"})) << lost;
  }
}

TEST_F(MasterHttpTest, WhoHasSeenNothingYetCanResume) {
  const std::string& bytes = get("/v1/events")->stream->bytes;
  ASSERT_EQ(bytes, "id: 1-0\n\n");
  submit({"a"});
  const auto resumed = ask(http, "GET", "/v1/events", "", {{"Last-Event-ID", "1-0"}});
  EXPECT_EQ(events_of(resumed->stream->bytes), (Names{"job"}));
}

TEST_F(MasterHttpTest, WhatIsHeldIsSentAndTheStreamEnds) {
  submit({"a", "b"});
  const auto all = get("/v1/events?held=1");
  EXPECT_EQ(events_of(all->stream->bytes), (Names{"job", "job"}));
  EXPECT_TRUE(all->stream->closed);
  const auto one = get("/v1/events?held=1&job=b");
  EXPECT_EQ(events_of(one->stream->bytes), (Names{"job"}));
  EXPECT_NE(one->stream->bytes.find("\"name\":\"b\""), std::string::npos);
}

TEST_F(MasterHttpTest, SchedulesSayWhatChanged) {
  const auto watching = get("/v1/events");
  const auto changes = [&] {
    Names found;
    const std::string& bytes = watching->stream->bytes;
    for (std::size_t at = 0; (at = bytes.find("\"change\":\"", at)) != bytes.npos; at += 10) {
      found.push_back(bytes.substr(at + 10, bytes.find('"', at + 10) - at - 10));
    }
    return found;
  };
  post("/v1/schedules", R"({"name": "n", "schedule": "R/2100-01-01/P1D",
                            "job": {"command": "true"}})");
  EXPECT_EQ(changes(), (Names{"added"}));
  post("/v1/schedules/n/pause", "");
  post("/v1/schedules/n/resume", "");
  post("/v1/schedules/n/trigger", "");
  EXPECT_EQ(changes(), (Names{"added", "paused", "resumed", "run_started"}));
  post("/v1/jobs/n.1/cancel", "");
  ask(http, "DELETE", "/v1/schedules/n");
  master.turn();
  const Names all{"added", "paused", "resumed", "run_started", "run_ended", "removed"};
  EXPECT_EQ(changes(), all);
  EXPECT_NE(watching->stream->bytes.find("event: schedule\nid: 1-1\ndata: {\"name\":\"n\""),
            std::string::npos);
  watching->stream->bytes = get("/v1/events?held=1")->stream->bytes;
  EXPECT_EQ(changes(), all);
}

TEST_F(MasterHttpTest, GraphOfAScheduleHasThoseThatWaitForOneAnother) {
  for (const char* one :
       {R"({"name": "load", "schedule": "R/2100-01-01/P1D", "job": {"command": "true"}})",
        R"({"name": "sum", "after_ok": ["load"], "job": {"command": "true"}})",
        R"({"name": "other", "schedule": "R/2100-01-01/P1D", "job": {"command": "true"}})"}) {
    ASSERT_EQ(post("/v1/schedules", one)->status(), 201);
  }
  submit({"job"});
  const auto nodes = [&](const std::string& query) {
    Names ids;
    const Json answer = get("/v1/graph" + query)->json();
    for (const Json& node : answer["nodes"]) ids.push_back(node["id"]);
    return ids;
  };
  EXPECT_EQ(nodes("?schedule=sum"), (Names{"schedule:load", "schedule:sum"}));
  EXPECT_EQ(nodes("?schedule=other"), (Names{"schedule:other"}));
  EXPECT_EQ(nodes("?job=job"), (Names{"1"}));
  EXPECT_EQ(nodes("").size(), 4u);
  EXPECT_EQ(get("/v1/graph?schedule=none")->status(), 404);
  EXPECT_EQ(get("/v1/graph?schedule=sum&job=job")->status(), 400);
}

TEST_F(MasterHttpTest, EventsThatAreNotHeldAnyMoreAreAGap) {
  MasterHttpOptions options;
  options.events.held_max = 2;
  const MasterHttp small(io, master, options);
  submit({"a", "b", "c", "d"});
  for (const char* name : {"a", "b", "c", "d"})
    post(std::string("/v1/jobs/") + name + "/cancel", "");
  const auto answer = ask(small, "GET", "/v1/events", "", {{"Last-Event-ID", "1-0"}});
  EXPECT_EQ(events_of(answer->stream->bytes), (Names{"gap"}));
}

TEST_F(MasterHttpTest, SilenceIsBrokenByComments) {
  MasterHttpOptions options;
  options.events.comment_after = milliseconds(3);
  const MasterHttp quick(io, master, options);
  const auto watching = ask(quick, "GET", "/v1/events");
  watching->stream->bytes.clear();
  while (watching->stream->bytes.empty()) io.run_one();
  EXPECT_EQ(watching->stream->bytes, ": still here\n\n");
}

TEST_F(MasterHttpTest, ListenerThatIsGoneIsForgotten) {
  submit({"a"});
  const auto watching = get("/v1/events");
  watching->stream->bytes.clear();
  watching->stream->gone();
  EXPECT_TRUE(watching->stream->broken);
  post("/v1/jobs/a/cancel", "");
  EXPECT_EQ(watching->stream->bytes, "");
}

TEST_F(MasterHttpTest, NodesSayWhatIsTotalHeldAndFree) {
  master.add_agent("host-1", "127.0.0.1:5051");
  submit({"a"});
  const Json node = get("/v1/nodes")->json()["nodes"][0];
  EXPECT_EQ(node["id"], "a-1");
  EXPECT_EQ(node["status"], "admitted");
  EXPECT_EQ(node["connected"], true);
  EXPECT_EQ(node["total"]["cpus"], 4);
  EXPECT_EQ(node["total"]["ports"], "[31000-31010]");
  EXPECT_EQ(node["held"]["cpus"], 1);
  EXPECT_EQ(node["tasks"], 1);
  EXPECT_FALSE(node.contains("topology")) << "only where one node is asked for";
  EXPECT_EQ(get("/v1/nodes/a-1")->json()["hostname"], "host-1");
  EXPECT_EQ(get("/v1/nodes/a-1")->json()["topology"], "Package:1 Core:4 PU:1");
  EXPECT_EQ(get("/v1/nodes/a-2")->status(), 404);
  EXPECT_EQ(get("/v1/nodes/..")->status(), 404);
}

TEST_F(MasterHttpTest, StateCountsAndSums) {
  master.add_agent("host-1", "127.0.0.1:5051");
  submit({"a", "b"});
  const Json state = get("/v1/state")->json();
  EXPECT_EQ(state["jobs"]["running"], 2);
  EXPECT_EQ(state["jobs"]["pending"], 0);
  EXPECT_EQ(state["nodes"]["connected"], 1);
  EXPECT_EQ(state["tasks"]["staging"], 2);
  EXPECT_EQ(state["tasks"]["live"], 2);
  EXPECT_EQ(state["resources"]["held"]["cpus"], 2);
  EXPECT_EQ(state["epoch"], 1);
  EXPECT_EQ(state["leader"], "127.0.0.1:5050");
  const Json framework = get("/v1/frameworks")->json()["frameworks"][0];
  EXPECT_EQ(framework["name"], "batch");
  EXPECT_EQ(framework["held"]["cpus"], 2);
}

TEST_F(MasterHttpTest, MasterThatIsNotReadySaysSoButLives) {
  master.is_ready = false;
  EXPECT_EQ(get("/livez")->status(), 200);
  EXPECT_EQ(get("/readyz")->status(), 503);
  EXPECT_EQ(get("/v1/jobs")->status(), 503);
  EXPECT_EQ(ask(http, "POST", "/v1/jobs", R"({"command": "x"})")->status(), 503);
  master.is_ready = true;
  EXPECT_EQ(get("/readyz")->response->body, "ok\n");
  master.step(MasterEvent(StorageLow{true}));
  EXPECT_NE(get("/readyz")->response->body.find("storage is low"), std::string::npos);
}

}  // namespace
}  // namespace librm::http
