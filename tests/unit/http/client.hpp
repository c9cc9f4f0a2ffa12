// A raw TCP client and a server on one event loop, so that tests need no threads.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "http/server.hpp"

namespace librm::http {

/// Runs the loop until the condition holds; false after ten seconds.
inline bool run_until(asio::io_context& io, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    io.restart();
    io.run_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A connection that reads only when it is asked to.
class RawClient {
 public:
  RawClient(asio::io_context& io, std::uint16_t port, int receive_buffer = 0) : io_(io) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { close(); }

  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  /// Sends all of it while the loop runs; stops where the peer closed.
  void send(std::string_view bytes) {
    run_until(io_, [&] {
      while (!bytes.empty()) {
        const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) return errno != EAGAIN;
        bytes.remove_prefix(static_cast<std::size_t>(sent));
      }
      return true;
    });
  }

  /// Takes what has arrived.
  void take() {
    char buffer[65536];
    for (;;) {
      const ssize_t size = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (size > 0) received.append(buffer, static_cast<std::size_t>(size));
      if (size == 0 || (size < 0 && errno != EAGAIN)) closed = true;
      if (size <= 0) return;
    }
  }

  bool wait_for(const std::string& text) {
    return run_until(io_, [&] {
      take();
      return received.find(text) != received.npos;
    });
  }
  bool wait_closed() {
    return run_until(io_, [&] {
      take();
      return closed;
    });
  }

  std::string received;
  bool closed = false;

 private:
  asio::io_context& io_;
  int fd_ = -1;
};

/// A server on a free port whose handler a test may replace.
class HttpServerTest : public testing::Test {
 protected:
  void listen(HttpServerOptions options = {}) {
    server = std::make_unique<HttpServer>(io, options,
                                          [this](const HttpRequest& request, Responder responder) {
                                            ++requests;
                                            last = request;
                                            handler(request, std::move(responder));
                                          });
    const auto listening = server->listen();
    ASSERT_TRUE(listening) << listening.error().message;
  }

  std::unique_ptr<RawClient> connect(int receive_buffer = 0) {
    return std::make_unique<RawClient>(io, server->port(), receive_buffer);
  }

  /// Sends it on a connection of its own and waits for the end of the connection.
  std::string exchange(const std::string& bytes) {
    const auto client = connect();
    client->send(bytes);
    EXPECT_TRUE(client->wait_closed()) << bytes.substr(0, 200);
    return client->received;
  }

  static std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n";
  }

  asio::io_context io{1};
  std::unique_ptr<HttpServer> server;
  int requests = 0;
  HttpRequest last;
  Handler handler = [](const HttpRequest& request, Responder responder) {
    responder.reply({200, "text/plain", {}, "target=" + request.target});
  };
};

}  // namespace librm::http
