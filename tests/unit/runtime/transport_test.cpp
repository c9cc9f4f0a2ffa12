// Sessions over real sockets: order, channels, and how little a bad peer ends.
#include "librm/runtime/asio_transport.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/write.hpp>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loop.hpp"

namespace librm {
namespace {

using test::run_ready;
using test::run_until;

/// One transport and what it heard.
struct Node {
  explicit Node(asio::io_context& io, TransportOptions options = {})
      : transport(io, options,
                  {[this](ConnectionId id) { connected.push_back(id); },
                   [this](ConnectionId id, Message message) {
                     if (const auto* heartbeat = std::get_if<AgentHeartbeat>(&message)) {
                       received[id].push_back(heartbeat->sequence);
                     }
                     ++messages;
                   },
                   [this](ConnectionId id, const std::string& reason) { closed[id] = reason; },
                   [this](const std::string&, const std::string& reason) {
                     complaints.push_back(reason);
                   }}) {}

  void send(ConnectionId id, std::uint64_t sequence) {
    transport.send(id, AgentHeartbeat{sequence});
  }

  std::vector<ConnectionId> connected;
  std::map<ConnectionId, std::vector<std::uint64_t>> received;
  std::map<ConnectionId, std::string> closed;
  std::vector<std::string> complaints;
  std::size_t messages = 0;
  Transport transport;
};

struct TransportTest : testing::Test {
  void listen() {
    Result<std::uint16_t> bound = server.transport.frames().listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(bound.has_value()) << bound.error().message;
    port = *bound;
  }

  ConnectionId connect(Node& node) {
    std::optional<Result<ConnectionId>> opened;
    node.transport.frames().connect_tcp(
        "127.0.0.1", port, [&](Result<ConnectionId> result) { opened = std::move(result); });
    EXPECT_TRUE(run_until(io, [&] { return opened.has_value(); }));
    EXPECT_TRUE(opened->has_value());
    return **opened;
  }

  /// A peer that speaks bytes.
  asio::ip::tcp::socket raw_peer() {
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::make_address("127.0.0.1"), port});
    return socket;
  }

  static std::string heartbeat(std::uint64_t sequence, std::uint32_t request_id,
                               std::uint32_t channel = 0) {
    return encode_message(AgentHeartbeat{sequence}, channel, request_id, 0);
  }

  static void write(asio::ip::tcp::socket& socket, const std::string& bytes) {
    asio::write(socket, asio::buffer(bytes));
  }

  bool server_closed(asio::ip::tcp::socket& socket) {
    run_ready(io);
    char bytes[512];
    asio::error_code error;
    socket.non_blocking(true);
    while (!error) socket.read_some(asio::buffer(bytes), error);
    return error == asio::error::eof || error == asio::error::connection_reset;
  }

  asio::io_context io{1};
  Node server{io};
  std::uint16_t port = 0;
};

TEST_F(TransportTest, MessagesArriveInOrderBothWays) {
  listen();
  Node client(io);
  const ConnectionId id = connect(client);
  EXPECT_GE(id.value, 2u);
  for (std::uint64_t i = 0; i < 1000; ++i) client.send(id, i);
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 1000; }));
  ASSERT_EQ(server.connected.size(), 1u);
  const ConnectionId back = server.connected[0];
  EXPECT_GE(back.value, 2u);
  for (std::uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(server.received[back][i], i);
  server.send(back, 77);
  ASSERT_TRUE(run_until(io, [&] { return client.messages == 1; }));
  EXPECT_EQ(client.received[id], std::vector<std::uint64_t>{77});
}

TEST_F(TransportTest, ChannelsAreSessionsOfTheirOwnOnOneSocket) {
  listen();
  Node client(io);
  const ConnectionId first = connect(client);
  Result<ConnectionId> second = client.transport.frames().open_channel(first);
  ASSERT_TRUE(second);
  client.send(*second, 2);
  client.send(first, 1);
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 2; }));
  ASSERT_EQ(server.connected.size(), 2u);
  EXPECT_EQ(server.transport.frames().sockets(), 1u);
  EXPECT_EQ(server.received[server.connected[0]], std::vector<std::uint64_t>{2});
  EXPECT_EQ(server.received[server.connected[1]], std::vector<std::uint64_t>{1});
}

TEST_F(TransportTest, ClosedChannelLeavesItsNeighboursOpen) {
  listen();
  Node client(io);
  const ConnectionId first = connect(client);
  const ConnectionId second = *client.transport.frames().open_channel(first);
  client.send(first, 1);
  client.send(second, 1);
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 2; }));
  server.transport.frames().close(server.connected[1], "enough");
  client.send(second, 2);  // already on its way when the end arrives
  client.send(first, 2);
  ASSERT_TRUE(run_until(io, [&] { return client.closed.contains(second); }));
  EXPECT_EQ(client.closed[second], "closed by the peer: enough");
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 3; }));
  EXPECT_FALSE(client.closed.contains(first));
  EXPECT_TRUE(server.closed.empty());
  EXPECT_EQ(server.connected.size(), 2u);
}

TEST_F(TransportTest, LastSessionTakesItsSocketWithIt) {
  listen();
  Node client(io);
  const ConnectionId id = connect(client);
  client.send(id, 1);
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 1; }));
  server.send(server.connected[0], 9);
  server.transport.frames().close(server.connected[0], "done");
  ASSERT_TRUE(run_until(io, [&] { return client.closed.contains(id); }));
  EXPECT_EQ(client.closed[id], "closed by the peer: done");
  EXPECT_EQ(client.messages, 1u);  // what was sent before the close
  EXPECT_EQ(client.transport.frames().sockets(), 0u);
  EXPECT_EQ(server.transport.frames().sockets(), 0u);
  EXPECT_TRUE(server.closed.empty());
}

TEST_F(TransportTest, LostPeerClosesAllItsSessions) {
  listen();
  {
    Node client(io);
    const ConnectionId id = connect(client);
    client.send(id, 1);
    client.send(*client.transport.frames().open_channel(id), 1);
    ASSERT_TRUE(run_until(io, [&] { return server.messages == 2; }));
  }
  ASSERT_TRUE(run_until(io, [&] { return server.closed.size() == 2; }));
  EXPECT_EQ(server.transport.frames().sessions(), 0u);
}

TEST_F(TransportTest, ConnectionIdsAreNeverUsedAgain) {
  listen();
  for (int i = 0; i < 3; ++i) {
    auto peer = raw_peer();
    write(peer, heartbeat(1, 1));
    ASSERT_TRUE(run_until(io, [&] { return server.connected.size() == std::size_t(i) + 1; }));
  }
  EXPECT_LT(server.connected[0], server.connected[1]);
  EXPECT_LT(server.connected[1], server.connected[2]);
}

TEST_F(TransportTest, NobodyListeningIsUnavailable) {
  listen();
  server.transport.frames().stop_listening();
  Node client(io);
  std::optional<Error> error;
  client.transport.frames().connect_tcp(
      "127.0.0.1", port, [&](const Result<ConnectionId>& result) { error = result.error(); });
  ASSERT_TRUE(run_until(io, [&] { return error.has_value(); }));
  EXPECT_EQ(error->code, ErrorCode::unavailable);
}

TEST_F(TransportTest, TakenPortIsNamed) {
  listen();
  Node other(io);
  Result<std::uint16_t> bound = other.transport.frames().listen_tcp("127.0.0.1", port);
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::already_exists);
  EXPECT_NE(bound.error().message.find(std::to_string(port)), std::string::npos);
}

// --- bad peers; a good session on another socket never notices ---

struct BadPeerTest : TransportTest {
  void SetUp() override {
    listen();
    good = connect(client);
    client.send(good, 1);
    ASSERT_TRUE(run_until(io, [&] { return server.messages == 1; }));
  }

  void TearDown() override {
    const std::size_t before = server.messages;
    client.send(good, 2);
    EXPECT_TRUE(run_until(io, [&] { return server.messages == before + 1; }));
    EXPECT_TRUE(client.closed.empty());
  }

  void expect_refused(const std::string& bytes, const std::string& complaint) {
    auto peer = raw_peer();
    write(peer, bytes);
    ASSERT_TRUE(run_until(io, [&] { return !server.complaints.empty(); }));
    EXPECT_NE(server.complaints[0].find(complaint), std::string::npos) << server.complaints[0];
    EXPECT_TRUE(server_closed(peer));
  }

  Node client{io};
  ConnectionId good;
};

TEST_F(BadPeerTest, WrongMagic) {
  expect_refused("GET / HTTP/1.1\r\nHost: somewhere.example.org\r\n\r\n", "magic");
}

TEST_F(BadPeerTest, WrongHeaderVersion) {
  std::string bytes = heartbeat(1, 1);
  bytes[4] = 9;
  expect_refused(bytes, "version");
}

TEST_F(BadPeerTest, DamagedPayload) {
  std::string bytes = heartbeat(1, 1);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  expect_refused(bytes, "checksum");
}

TEST_F(BadPeerTest, OversizeFrameIsRefusedByItsHeader) {
  FrameHeader header;
  header.number = 2;
  header.request_id = 1;
  std::string bytes = encode_frame(header, "");
  const std::uint32_t size = frame_payload_max + 1;
  for (int i = 0; i < 4; ++i) bytes[std::size_t(12 + i)] = static_cast<char>(size >> (8 * i));
  expect_refused(bytes, "limit " + std::to_string(frame_payload_max));
}

TEST_F(BadPeerTest, TruncatedFrame) {
  auto peer = raw_peer();
  const std::string bytes = heartbeat(1, 1);
  write(peer, bytes.substr(0, bytes.size() - 1));
  peer.close();
  ASSERT_TRUE(run_until(io, [&] { return !server.complaints.empty(); }));
  EXPECT_NE(server.complaints[0].find("middle of a frame"), std::string::npos);
}

TEST_F(BadPeerTest, UnknownMessageNumberClosesItsSession) {
  FrameHeader header;
  header.number = 60'000;
  header.request_id = 1;
  expect_refused(encode_frame(header, "xyz"), "60000");
  EXPECT_EQ(server.closed.size(), 1u);
}

TEST_F(BadPeerTest, UnknownMessageVersionClosesItsSession) {
  FrameHeader header;
  header.number = 2;
  header.version = 99;
  header.oldest_reader = 98;
  header.request_id = 1;
  expect_refused(encode_frame(header, ""), "98");
}

TEST_F(BadPeerTest, BadMessageLeavesOtherChannelsOfItsSocketOpen) {
  auto peer = raw_peer();
  FrameHeader header;
  header.number = 60'000;
  header.request_id = 2;
  header.channel = 5;
  write(peer, heartbeat(1, 1, 0) + heartbeat(1, 1, 5) + encode_frame(header, ""));
  ASSERT_TRUE(run_until(io, [&] { return server.closed.size() == 1; }));
  write(peer, heartbeat(2, 2, 0));
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 4; }));
  EXPECT_EQ(server.closed.size(), 1u);
}

TEST_F(BadPeerTest, GapClosesTheSession) {
  expect_refused(heartbeat(1, 1) + heartbeat(3, 3), "frame 3 came after 1");
}

TEST_F(BadPeerTest, DuplicateIsDropped) {
  auto peer = raw_peer();
  write(peer, heartbeat(1, 1) + heartbeat(1, 1) + heartbeat(2, 2));
  ASSERT_TRUE(run_until(io, [&] { return server.messages == 3; }));
  run_ready(io);
  EXPECT_EQ(server.messages, 3u);
  EXPECT_TRUE(server.complaints.empty());
}

TEST_F(BadPeerTest, FirstFrameWithAnotherRequestIdIsRefused) {
  expect_refused(heartbeat(1, 7), "request id 7");
}

// --- bounds ---

TEST_F(TransportTest, SlowReaderIsClosedAtItsLimit) {
  listen();
  TransportOptions options;
  options.outgoing_bytes_max = 1u << 20;
  Node sender(io, options);
  Result<std::uint16_t> bound = sender.transport.frames().listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  port = *bound;
  auto peer = raw_peer();
  write(peer, heartbeat(1, 1));
  ASSERT_TRUE(run_until(io, [&] { return sender.connected.size() == 1; }));
  const ConnectionId id = sender.connected[0];
  const ExecutorMessage big{FrameworkId{1}, AgentId{1}, "e", std::string(64u << 10, 'x'), false};
  for (int i = 0; i < 2000 && sender.closed.empty(); ++i) {  // 128 MiB, were there no bound
    sender.transport.send(id, big);
    io.poll();
    io.restart();
  }
  ASSERT_TRUE(run_until(io, [&] { return sender.closed.contains(id); }));
  EXPECT_NE(sender.closed[id].find("does not read"), std::string::npos);
  EXPECT_EQ(sender.complaints.size(), 1u);
}

TEST_F(TransportTest, SilentSocketIsClosed) {
  TransportOptions options;
  options.first_message_timeout = milliseconds(20);
  Node strict(io, options);
  Result<std::uint16_t> bound = strict.transport.frames().listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  port = *bound;
  auto peer = raw_peer();
  ASSERT_TRUE(run_until(io, [&] { return strict.complaints.size() == 1; }));
  EXPECT_TRUE(server_closed(peer));
}

TEST_F(TransportTest, ChannelsOfOneSocketAreBounded) {
  TransportOptions options;
  options.channels_max = 2;
  Node strict(io, options);
  Result<std::uint16_t> bound = strict.transport.frames().listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  port = *bound;
  auto peer = raw_peer();
  write(peer, heartbeat(1, 1, 0) + heartbeat(1, 1, 1) + heartbeat(1, 1, 2));
  ASSERT_TRUE(run_until(io, [&] { return strict.closed.size() == 2; }));
  EXPECT_TRUE(server_closed(peer));
}

TEST_F(TransportTest, SocketsAreBoundedUntilOneEnds) {
  TransportOptions options;
  options.sockets_max = 1;
  Node strict(io, options);
  Result<std::uint16_t> bound = strict.transport.frames().listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(bound.has_value());
  port = *bound;
  auto first = raw_peer();
  write(first, heartbeat(1, 1));
  ASSERT_TRUE(run_until(io, [&] { return strict.messages == 1; }));
  auto second = raw_peer();
  write(second, heartbeat(1, 1));
  run_ready(io);
  EXPECT_EQ(strict.messages, 1u);
  first.close();
  EXPECT_TRUE(run_until(io, [&] { return strict.messages == 2; }));
}

// --- Unix sockets ---

struct UnixTest : TransportTest {
  void SetUp() override {
    char name[] = "/tmp/librm-transport-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory = name;
  }
  void TearDown() override {
    ::unlink(path.c_str());
    for (; directory.size() > 5; directory.resize(directory.rfind('/'))) {
      ::rmdir(directory.c_str());
    }
  }

  void exchange() {
    path = directory + "/test.sock";
    Result<void> listening = server.transport.frames().listen_unix(path);
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u);
    Node client(io);
    std::optional<ConnectionId> id;
    client.transport.frames().connect_unix(path, [&](const Result<ConnectionId>& result) {
      ASSERT_TRUE(result.has_value()) << result.error().message;
      id = *result;
    });
    ASSERT_TRUE(run_until(io, [&] { return id.has_value(); }));
    client.send(*id, 5);
    EXPECT_TRUE(run_until(io, [&] { return server.messages == 1; }));
  }

  std::string directory;
  std::string path;
};

TEST_F(UnixTest, CarryMessagesToo) { exchange(); }

TEST_F(UnixTest, PathsMayBeLongerThanTheKernels) {
  for (int i = 0; i < 3; ++i) {
    directory += "/" + std::string(60, 'd');
    ASSERT_EQ(::mkdir(directory.c_str(), 0700), 0);
  }
  exchange();
}

TEST_F(UnixTest, LeftoverSocketIsReplaced) {
  {
    Node earlier(io);
    ASSERT_TRUE(earlier.transport.frames().listen_unix(directory + "/test.sock"));
  }
  exchange();
}

TEST_F(UnixTest, ShepherdMessagesTravelToo) {
  path = directory + "/test.sock";
  std::vector<ShepherdMessage> heard;
  ShepherdTransport shepherd(
      io, {},
      {{}, [&](ConnectionId, ShepherdMessage m) { heard.push_back(std::move(m)); }, {}, {}});
  ASSERT_TRUE(shepherd.frames().listen_unix(path));
  ShepherdTransport agent(io, {}, {});
  const SignalTask signal{{FrameworkId{1}, "1.1.1"}, 9};
  agent.frames().connect_unix(path, [&](const Result<ConnectionId>& result) {
    ASSERT_TRUE(result.has_value());
    agent.send(*result, signal);
  });
  ASSERT_TRUE(run_until(io, [&] { return !heard.empty(); }));
  EXPECT_EQ(heard[0], ShepherdMessage(signal));
}

}  // namespace
}  // namespace librm
