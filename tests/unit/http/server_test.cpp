// The HTTP server against raw sockets: what is malformed, too large, too slow or too much.
#include "http/server.hpp"

#include <sys/resource.h>

#include "unit/http/client.hpp"

namespace librm::http {
namespace {

const std::string close_header = "Connection: close\r\n";

TEST_F(HttpServerTest, AnswersAndKeepsTheConnection) {
  listen();
  const auto client = connect();
  client->send(get("/one"));
  ASSERT_TRUE(client->wait_for("target=/one"));
  client->send(get("/two"));
  ASSERT_TRUE(client->wait_for("target=/two"));
  EXPECT_EQ(server->connections(), 1u);
  EXPECT_FALSE(client->closed);
}

TEST_F(HttpServerTest, GivesHandlersDecodedSegmentsQueryHeadersAndBody) {
  listen();
  exchange(
      "POST /v1/jobs/a%20b%2Fc/?x=1%262&y=a+b&z HTTP/1.1\r\nHost: localhost:1\r\n"
      "Content-Length: 4\r\nX-Thing: t\r\n" +
      close_header + "\r\nbody");
  EXPECT_EQ(last.method, "POST");
  EXPECT_EQ(last.segments, (std::vector<std::string>{"v1", "jobs", "a b/c"}));
  EXPECT_EQ(last.parameter("x"), "1&2");
  EXPECT_EQ(last.parameter("y"), "a b");
  EXPECT_TRUE(last.query.contains("z"));
  EXPECT_EQ(last.raw_query, "x=1%262&y=a+b&z");
  EXPECT_EQ(last.header("x-tHING"), "t");
  EXPECT_EQ(last.body, "body");
}

TEST_F(HttpServerTest, HeadGetsTheHeadersOfGetAlone) {
  listen();
  const std::string answer =
      exchange("HEAD /abc HTTP/1.1\r\nHost: localhost\r\n" + close_header + "\r\n");
  EXPECT_TRUE(last.head);
  EXPECT_EQ(last.method, "GET");
  EXPECT_NE(answer.find("Content-Length: 11\r\n"), answer.npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
}

TEST_F(HttpServerTest, PipelinedAnswersComeInTheOrderOfTheRequests) {
  listen();
  std::vector<Responder> waiting;
  handler = [&](const HttpRequest&, Responder responder) { waiting.push_back(responder); };
  const auto client = connect();
  client->send(get("/1") + get("/2") + get("/3"));
  ASSERT_TRUE(run_until(io, [&] { return waiting.size() == 3; }));
  waiting[2].reply({200, "text/plain", {}, "third"});
  waiting[0].reply({200, "text/plain", {}, "first"});
  waiting[1].reply({200, "text/plain", {}, "second"});
  ASSERT_TRUE(client->wait_for("third"));
  const std::string& all = client->received;
  EXPECT_LT(all.find("first"), all.find("second"));
  EXPECT_LT(all.find("second"), all.find("third"));
}

TEST_F(HttpServerTest, MorePipelinedRequestsThanAllowedWaitTheirTurn) {
  HttpServerOptions options;
  options.pipelined_max = 2;
  listen(options);
  const auto client = connect();
  std::string all;
  for (int i = 0; i < 50; ++i) all += get("/" + std::to_string(i));
  client->send(all);
  ASSERT_TRUE(client->wait_for("target=/49"));
  EXPECT_EQ(requests, 50);
}

struct Malformed {
  std::string request;
  int status;
};

TEST_F(HttpServerTest, MalformedRequestsGetAProblemAndHarmNothing) {
  listen();
  const std::string host = "Host: localhost\r\n";
  const std::vector<Malformed> all = {
      {"\x01\x02\x03\r\n\r\n", 501},
      {"GET  HTTP/1.1\r\n\r\n", 400},
      {"GET\r\n\r\n", 501},
      {"BREW /pot HTTP/1.1\r\n" + host + "\r\n", 501},
      {"GET /% HTTP/1.1\r\n" + host + close_header + "\r\n", 400},
      {"GET /%zz HTTP/1.1\r\n" + host + close_header + "\r\n", 400},
      {"GET /a?b=%4 HTTP/1.1\r\n" + host + close_header + "\r\n", 400},
      {"OPTIONS * HTTP/1.1\r\n" + host + close_header + "\r\n", 400},
      {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
      {"GET / HTTP/9.9\r\n" + host + close_header + "\r\n", 505},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400},
      {"POST / HTTP/1.1\r\n" + host +
           "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       400},
      {"POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\n" + host + "Content-Length: 16777217\r\n\r\n", 413},
      {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {"GET / HTTP/1.1\r\n" + host + "X: " + std::string(17000, 'a') + "\r\n\r\n", 431},
      {"GET / HTTP/1.1\r\n" + host + std::string(300, 'n') + ": a\r\n\r\n", 431},
  };
  for (const Malformed& one : all) {
    const std::string answer = exchange(one.request);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(one.status) + ' '))
        << one.request.substr(0, 100) << " -> " << answer;
    EXPECT_NE(answer.find("application/problem+json"), answer.npos) << answer;
  }
  EXPECT_EQ(requests, 0);
  EXPECT_NE(exchange(get("/fine", close_header)).find("target=/fine"), std::string::npos);
}

TEST_F(HttpServerTest, TooManyHeadersAreRefused) {
  listen();
  std::string headers;
  for (int i = 0; i < 200; ++i) headers += "X-" + std::to_string(i) + ": 1\r\n";
  EXPECT_TRUE(exchange(get("/", headers)).starts_with("HTTP/1.1 431 "));
}

TEST_F(HttpServerTest, BodyBeyondTheLimitIsRefusedWhileItIsStillBeingSent) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  listen(options);
  const std::string body(5'000'000, 'x');
  EXPECT_TRUE(
      exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\n" + body)
          .starts_with("HTTP/1.1 413 "));
  std::string chunked = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 1001; ++i) chunked += "1\r\nx\r\n";
  EXPECT_TRUE(exchange(chunked + "0\r\n\r\n").starts_with("HTTP/1.1 413 "));
  EXPECT_EQ(requests, 0);
}

TEST_F(HttpServerTest, ChunkedBodyWithTrailersIsRead) {
  listen();
  exchange("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n" + close_header +
           "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\nEmpty:\r\n\r\n");
  EXPECT_EQ(last.body, "abcde");
}

TEST_F(HttpServerTest, MalformedRequestBehindAnUnansweredOneGetsNoAnswerThatLooksLikeIts) {
  listen();
  std::vector<Responder> waiting;
  handler = [&](const HttpRequest&, Responder responder) { waiting.push_back(responder); };
  EXPECT_EQ(exchange(get("/slow") + "\x01garbage\r\n\r\n"), "");
  ASSERT_EQ(waiting.size(), 1u);
  waiting[0].reply({200, "text/plain", {}, "late"});
}

TEST_F(HttpServerTest, ClientThatWaitsForContinueIsToldToGoOn) {
  listen();
  const auto client = connect();
  client->send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  ASSERT_TRUE(client->wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
  client->send("body");
  ASSERT_TRUE(client->wait_for("target=/"));
  EXPECT_EQ(last.body, "body");
}

TEST_F(HttpServerTest, OfferToChangeTheProtocolIsIgnored) {
  listen();
  const auto client = connect();
  client->send(
      get("/up", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n"));
  ASSERT_TRUE(client->wait_for("target=/up"));
  client->send(get("/next"));
  ASSERT_TRUE(client->wait_for("target=/next"));
}

TEST_F(HttpServerTest, OnlyLoopbackNamesAreServedOnLoopback) {
  listen();
  const auto with_host = [&](const std::string& host) {
    return exchange("GET / HTTP/1.1\r\nHost: " + host + "\r\n" + close_header + "\r\n");
  };
  for (const char* good : {"localhost", "LOCALHOST:80", "127.0.0.1:5050", "[::1]:1", "127.0.0.1"}) {
    EXPECT_TRUE(with_host(good).starts_with("HTTP/1.1 200 ")) << good;
  }
  for (const char* bad : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example:80",
                          "localhost:80:80", "localhost:", "", "127.0.0.1:99999"}) {
    EXPECT_TRUE(with_host(bad).starts_with("HTTP/1.1 403 ")) << bad;
  }
  EXPECT_TRUE(exchange("GET / HTTP/1.1\r\n" + close_header + "\r\n").starts_with("HTTP/1.1 403 "));
}

TEST_F(HttpServerTest, ChangesThatABrowserSendsForAnotherSiteAreRefused) {
  listen();
  const auto post = [&](const std::string& origin) {
    return exchange("POST / HTTP/1.1\r\nHost: localhost:1\r\nOrigin: " + origin +
                    "\r\nContent-Length: 0\r\n" + close_header + "\r\n");
  };
  EXPECT_TRUE(post("http://localhost:1").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(post("http://evil.example").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(post("null").starts_with("HTTP/1.1 403 "));
}

TEST_F(HttpServerTest, RequestThatDripsIsCutOff) {
  HttpServerOptions options;
  options.read_timeout = milliseconds(100);
  listen(options);
  const auto dripping = connect();
  dripping->send("GET / HTTP/1.1\r\nHost: local");
  const auto idle = connect();
  EXPECT_TRUE(dripping->wait_closed());
  EXPECT_TRUE(idle->wait_closed());
  EXPECT_EQ(requests, 0);
  ASSERT_TRUE(run_until(io, [&] { return server->connections() == 0; }));
}

TEST_F(HttpServerTest, LateAnswerIsNotCutOffByTheReadTimeout) {
  HttpServerOptions options;
  options.read_timeout = milliseconds(50);
  listen(options);
  std::vector<Responder> waiting;
  handler = [&](const HttpRequest&, Responder responder) { waiting.push_back(responder); };
  const auto client = connect();
  client->send(get("/"));
  ASSERT_TRUE(run_until(io, [&] { return waiting.size() == 1; }));
  io.restart();
  io.run_for(std::chrono::milliseconds(200));
  waiting[0].reply({200, "text/plain", {}, "late"});
  EXPECT_TRUE(client->wait_for("late"));
}

TEST_F(HttpServerTest, IdlestConnectionMakesRoomForANewOne) {
  HttpServerOptions options;
  options.connections_max = 2;
  listen(options);
  const auto first = connect();
  ASSERT_TRUE(run_until(io, [&] { return server->connections() == 1; }));
  const auto second = connect();
  ASSERT_TRUE(run_until(io, [&] { return server->connections() == 2; }));
  first->send(get("/"));  // now the second is the one that has been idle for longest
  ASSERT_TRUE(first->wait_for("target=/"));
  const auto third = connect();
  third->send(get("/third"));
  EXPECT_TRUE(third->wait_for("target=/third"));
  EXPECT_TRUE(second->wait_closed());
  EXPECT_FALSE(first->closed);
}

TEST_F(HttpServerTest, OneConnectionTooManyIsToldSoWhereAllAreBusy) {
  HttpServerOptions options;
  options.connections_max = 1;
  listen(options);
  std::vector<Responder> waiting;
  handler = [&](const HttpRequest&, Responder responder) { waiting.push_back(responder); };
  const auto busy = connect();
  busy->send(get("/"));
  ASSERT_TRUE(run_until(io, [&] { return waiting.size() == 1; }));
  const auto extra = connect();
  ASSERT_TRUE(extra->wait_closed());
  EXPECT_TRUE(extra->received.starts_with("HTTP/1.1 503 ")) << extra->received;
}

TEST_F(HttpServerTest, AcceptingGoesOnAfterDescriptorsRanOut) {
  listen();
  const auto client = connect();  // takes its descriptor while there are some
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(lowest_free);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  client->send(get("/late"));
  io.restart();
  io.run_for(std::chrono::milliseconds(20));
  EXPECT_EQ(server->connections(), 0u);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(client->wait_for("target=/late"));
}

TEST_F(HttpServerTest, HandlerThatThrowsOrForgetsGivesStatus500) {
  listen();
  handler = [](const HttpRequest& request, Responder) {
    if (request.target == "/throw") throw std::runtime_error("broken \"thing\"");
  };
  EXPECT_TRUE(exchange(get("/throw", close_header)).starts_with("HTTP/1.1 500 "));
  EXPECT_TRUE(exchange(get("/forget", close_header)).starts_with("HTTP/1.1 500 "));
}

TEST_F(HttpServerTest, OnlyTheFirstAnswerCounts) {
  listen();
  handler = [](const HttpRequest&, Responder responder) {
    responder.reply({200, "text/plain", {}, "first"});
    responder.reply({200, "text/plain", {}, "second"});
    EXPECT_FALSE(responder.stream({})->is_open());
  };
  const std::string answer = exchange(get("/", close_header));
  EXPECT_NE(answer.find("first"), answer.npos);
  EXPECT_EQ(answer.find("second"), answer.npos);
}

TEST_F(HttpServerTest, HeaderValuesCannotEndTheHeader) {
  listen();
  handler = [](const HttpRequest&, Responder responder) {
    responder.reply({200, "text/plain", {{"Location", "/a\r\nX-Evil: 1"}}, ""});
  };
  EXPECT_EQ(exchange(get("/", close_header)).find("\r\nX-Evil"), std::string::npos);
}

TEST_F(HttpServerTest, StopLetsRequestsFinishAndEndsTheRest) {
  listen();
  std::vector<Responder> waiting;
  std::shared_ptr<ResponseStream> stream;
  handler = [&](const HttpRequest& request, Responder responder) {
    if (request.target == "/stream") {
      stream = responder.stream({200, "text/plain", {}, ""});
    } else {
      waiting.push_back(responder);
    }
  };
  const auto idle = connect();
  const auto streaming = connect();
  streaming->send(get("/stream"));
  const auto busy = connect();
  busy->send(get("/busy"));
  ASSERT_TRUE(run_until(io, [&] { return stream && !waiting.empty(); }));
  bool stopped = false;
  server->stop(seconds(5), [&] { stopped = true; });
  EXPECT_TRUE(idle->wait_closed());
  EXPECT_TRUE(streaming->wait_closed());
  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(stopped);
  waiting[0].reply({200, "text/plain", {}, "done"});
  EXPECT_TRUE(busy->wait_closed());
  EXPECT_NE(busy->received.find("done"), std::string::npos);
  EXPECT_NE(busy->received.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(run_until(io, [&] { return stopped; }));
}

TEST_F(HttpServerTest, StopGivesUpOnRequestsAfterTheGrace) {
  listen();
  std::vector<Responder> waiting;
  handler = [&](const HttpRequest&, Responder responder) { waiting.push_back(responder); };
  const auto busy = connect();
  busy->send(get("/"));
  ASSERT_TRUE(run_until(io, [&] { return !waiting.empty(); }));
  bool stopped = false;
  server->stop(milliseconds(20), [&] { stopped = true; });
  EXPECT_TRUE(busy->wait_closed());
  EXPECT_TRUE(run_until(io, [&] { return stopped; }));
  waiting[0].reply({});
}

TEST_F(HttpServerTest, PortThatIsTakenIsAnError) {
  listen();
  HttpServerOptions options;
  options.port = server->port();
  HttpServer second(io, options, handler);
  const auto listening = second.listen();
  ASSERT_FALSE(listening);
  EXPECT_EQ(listening.error().code, ErrorCode::io_error);
  EXPECT_NE(listening.error().message.find(server->address()), std::string::npos);
}

TEST_F(HttpServerTest, AnswersMayOutliveTheServer) {
  listen();
  std::vector<Responder> waiting;
  std::shared_ptr<ResponseStream> stream;
  handler = [&](const HttpRequest& request, Responder responder) {
    if (request.target == "/stream") {
      stream = responder.stream({200, "text/plain", {}, ""});
    } else {
      waiting.push_back(responder);
    }
  };
  const auto one = connect();
  one->send(get("/"));
  const auto two = connect();
  two->send(get("/stream"));
  ASSERT_TRUE(run_until(io, [&] { return stream && !waiting.empty(); }));
  server.reset();
  EXPECT_FALSE(stream->write("x"));
  waiting[0].reply({});
  EXPECT_TRUE(one->wait_closed());
  EXPECT_TRUE(two->wait_closed());
}

}  // namespace
}  // namespace librm::http
