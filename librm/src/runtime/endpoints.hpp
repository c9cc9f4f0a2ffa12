// Addresses and sockets for the frame transport: listening, connecting, and their options.
#pragma once

#include <asio/basic_socket_acceptor.hpp>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::detail {

using StreamSocket = asio::generic::stream_protocol::socket;
using StreamAcceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using StreamEndpoint = asio::generic::stream_protocol::endpoint;

/// `127.0.0.1:5150`, `[::1]:5150`, or `unix` for a Unix socket, which has no address of its own.
std::string to_string(const StreamEndpoint& endpoint);
std::uint16_t port_of(const StreamEndpoint& endpoint);

/// A Unix address of any length: paths that the kernel's 107 bytes cannot hold are named through
/// a descriptor of their directory, which lives as long as this does.
class UnixPath {
 public:
  static Result<UnixPath> make(const std::string& path);
  UnixPath(UnixPath&& other) noexcept;
  UnixPath& operator=(UnixPath&&) = delete;
  ~UnixPath();
  const StreamEndpoint& endpoint() const { return endpoint_; }

 private:
  UnixPath() = default;
  int directory_ = -1;
  StreamEndpoint endpoint_;
};

Result<StreamEndpoint> tcp_endpoint(const std::string& address, std::uint16_t port);
Result<StreamAcceptor> listen(asio::io_context& io, const StreamEndpoint& endpoint,
                              const std::string& name);

/// No delay, keep-alive within a minute, close-on-exec. What a socket does not know is skipped.
void set_stream_options(StreamSocket& socket);

/// Tries the endpoints one after the other, all within `timeout`; answers once, unless `alive` is
/// gone by then.
void connect(asio::io_context& io, std::vector<StreamEndpoint> endpoints, std::string name,
             Duration timeout, std::weak_ptr<void> alive,
             std::function<void(Result<StreamSocket>)> answer);

}  // namespace librm::detail
