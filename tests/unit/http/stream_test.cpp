// Streamed answers: chunks as they are written, slow readers, clients that go away.
#include "http/server.hpp"

#include "unit/http/client.hpp"

namespace librm::http {
namespace {

class StreamTest : public HttpServerTest {
 protected:
  /// Begins a stream for a client of its own.
  void begin(HttpServerOptions options = {}, int receive_buffer = 0) {
    handler = [this](const HttpRequest&, Responder responder) {
      stream = responder.stream({200, "text/event-stream", {{"X-Kind", "events"}}, ""});
    };
    listen(options);
    client = connect(receive_buffer);
    client->send(get("/stream"));
    ASSERT_TRUE(run_until(io, [this] { return stream != nullptr; }));
  }

  std::shared_ptr<ResponseStream> stream;
  std::unique_ptr<RawClient> client;
};

TEST_F(StreamTest, HeadersComeBeforeAnythingIsWritten) {
  begin();
  ASSERT_TRUE(client->wait_for("\r\n\r\n"));
  EXPECT_NE(client->received.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_NE(client->received.find("X-Kind: events"), std::string::npos);
}

TEST_F(StreamTest, EachWriteIsAChunkAtOnceAndCloseEndsTheAnswer) {
  begin();
  EXPECT_TRUE(stream->write("hello"));
  ASSERT_TRUE(client->wait_for("5\r\nhello\r\n"));
  EXPECT_TRUE(stream->write("more"));
  stream->close();
  EXPECT_FALSE(stream->is_open());
  EXPECT_FALSE(stream->write("late"));
  ASSERT_TRUE(client->wait_for("0\r\n\r\n"));
  EXPECT_LT(client->received.find("more"), client->received.find("0\r\n\r\n"));
  stream.reset();
  client->received.clear();
  handler = [](const HttpRequest&, Responder responder) {
    responder.reply({200, "text/plain", {}, "again"});
  };
  client->send(get("/"));
  EXPECT_TRUE(client->wait_for("again")) << "the connection is kept";
}

TEST_F(StreamTest, DroppingItWithoutCloseBreaksTheConnection) {
  begin();
  stream->write("half");
  ASSERT_TRUE(client->wait_for("half"));
  stream.reset();
  ASSERT_TRUE(client->wait_closed());
  EXPECT_EQ(client->received.find("\r\n0\r\n"), std::string::npos);
}

TEST_F(StreamTest, ClientThatGoesAwayIsNoticedWithoutAWrite) {
  begin();
  bool gone = false;
  stream->on_closed([&] { gone = true; });
  client->close();
  EXPECT_TRUE(run_until(io, [&] { return gone; }));
  EXPECT_FALSE(stream->is_open());
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(StreamTest, SlowReaderIsCutOffAtTheBound) {
  HttpServerOptions options;
  options.stream_bytes_max = 256 << 10;
  begin(options, 4096);
  bool gone = false;
  stream->on_closed([&] { gone = true; });
  const std::string block(16 << 10, 'x');
  std::size_t written = 0;
  std::size_t buffered_most = 0;
  ASSERT_TRUE(run_until(io, [&] {
    if (!stream->write(block)) return true;
    written += block.size();
    buffered_most = std::max(buffered_most, stream->buffered());
    return false;
  }));
  EXPECT_LE(buffered_most, options.stream_bytes_max);
  EXPECT_FALSE(gone) << "callbacks come from the loop";
  EXPECT_TRUE(run_until(io, [&] { return gone; }));
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(StreamTest, DrainedIsCalledWhenTheKernelTookEverything) {
  begin();
  int drained = 0;
  stream->on_drained([&] {
    if (++drained < 3) stream->write("x");
  });
  stream->write("x");
  ASSERT_TRUE(run_until(io, [&] { return drained == 3; }));
  EXPECT_EQ(stream->buffered(), 0u);
}

TEST_F(StreamTest, WhatIsWrittenMeanwhileIsGatheredInOrder) {
  begin();
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string part = std::to_string(i) + ";";
    expected += part;
    stream->write(part);
  }
  stream->close();
  ASSERT_TRUE(client->wait_for("\r\n0\r\n\r\n"));
  // Undo the chunking.
  std::string body, rest = client->received.substr(client->received.find("\r\n\r\n") + 4);
  std::size_t chunks = 0;
  for (std::size_t size = 1; size > 0; ++chunks) {
    size = std::stoul(rest, nullptr, 16);
    rest.erase(0, rest.find("\r\n") + 2);
    body += rest.substr(0, size);
    rest.erase(0, size + 2);
  }
  EXPECT_EQ(body, expected);
  EXPECT_LT(chunks, 10u);
}

TEST_F(StreamTest, RequestBehindAStreamWaitsForItsEnd) {
  begin();
  handler = [](const HttpRequest&, Responder responder) {
    responder.reply({200, "text/plain", {}, "second answer"});
  };
  client->send(get("/second"));
  stream->write("stream part");
  ASSERT_TRUE(client->wait_for("stream part"));
  EXPECT_EQ(client->received.find("second answer"), std::string::npos);
  stream->close();
  ASSERT_TRUE(client->wait_for("second answer"));
}

TEST_F(StreamTest, HeadAndHttp10GetNoStream) {
  handler = [this](const HttpRequest&, Responder responder) {
    stream = responder.stream({200, "text/event-stream", {}, ""});
  };
  listen();
  EXPECT_TRUE(exchange("GET / HTTP/1.0\r\nHost: localhost\r\n\r\n").starts_with("HTTP/1.1 505 "));
  EXPECT_FALSE(stream->is_open());
  const std::string head =
      exchange("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace librm::http
