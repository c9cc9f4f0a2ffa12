// The HTTP server of the daemons: RESTinio's connections on the daemon's own event loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "http/exchange.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace asio {
class io_context;
}

namespace librm::http {

struct HttpServerOptions {
  std::string address = "127.0.0.1";  ///< IPv4 or IPv6, without brackets
  std::uint16_t port = 0;             ///< 0 picks a free one
  std::size_t body_bytes_max = 16 << 20;
  std::size_t target_bytes_max = 8 << 10;
  std::size_t header_bytes_max = 16 << 10;  ///< of one value
  std::size_t header_count_max = 100;
  std::size_t connections_max = 1024;
  std::size_t pipelined_max = 8;  ///< requests of one connection that are under way
  /// For a whole request to arrive, and for which an idle connection is kept.
  Duration read_timeout = seconds(30);
  Duration write_timeout = seconds(30);    ///< without the client taking what was sent last
  std::size_t stream_bytes_max = 4 << 20;  ///< kept for a slow reader of a stream
};

/// Serves one address. Requests that are malformed or too large get a problem document and their
/// connection is closed. On a loopback address it answers only requests whose Host is a loopback
/// name, and nowhere takes a change that a browser sends for another site. When all connections
/// are taken, the one that has been idle for longest makes room.
///
/// Lives on one thread: that of `io`, which its owner runs and which outlives it. The handler is
/// called there and must not block; an exception from it becomes status 500.
class HttpServer {
 public:
  HttpServer(asio::io_context& io, HttpServerOptions options, Handler handler);
  /// Closes everything at once.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Begins to accept connections. Fails with the system's reason.
  Result<void> listen();
  /// The bound port, once it listens.
  std::uint16_t port() const;
  /// `127.0.0.1:5050`, `[::1]:5050`, once it listens.
  std::string address() const;

  /// Accepts nothing more, ends streams and idle connections, and lets other requests finish for
  /// at most `grace`; then calls `done`, from the loop.
  void stop(Duration grace, std::function<void()> done);

  std::size_t connections() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm::http
