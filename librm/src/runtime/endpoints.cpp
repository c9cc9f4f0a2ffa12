// Listening and connecting on TCP and Unix addresses.
#include "endpoints.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

namespace librm::detail {
namespace {

// Leaves room for the terminating zero in sockaddr_un's 108 bytes.
constexpr std::size_t unix_path_max = 107;

std::optional<asio::ip::tcp::endpoint> as_tcp(const StreamEndpoint& endpoint) {
  asio::ip::tcp::endpoint tcp;
  const int family = endpoint.protocol().family();
  if (family != AF_INET && family != AF_INET6) return std::nullopt;
  if (endpoint.size() > tcp.capacity()) return std::nullopt;
  std::memcpy(tcp.data(), endpoint.data(), endpoint.size());
  tcp.resize(endpoint.size());
  return tcp;
}

void set_close_on_exec(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

Error listen_error(const asio::error_code& error, const std::string& name) {
  if (error == asio::error::address_in_use) {
    return {ErrorCode::already_exists, "cannot listen on " + name + ": another process does"};
  }
  return {ErrorCode::io_error, "cannot listen on " + name + ": " + error.message()};
}

/// The state of one connect().
struct Attempt : std::enable_shared_from_this<Attempt> {
  Attempt(asio::io_context& context, std::vector<StreamEndpoint> to)
      : socket(context), timer(context), endpoints(std::move(to)) {}

  void next(const std::string& last_error) {
    if (index == endpoints.size()) {
      return finish(fail(ErrorCode::unavailable, "cannot connect to " + name + ": " + last_error));
    }
    const StreamEndpoint& endpoint = endpoints[index++];
    asio::error_code error;
    socket.close(error);
    socket.open(endpoint.protocol(), error);
    if (error) return next(error.message());
    set_close_on_exec(socket.native_handle());
    socket.async_connect(endpoint, [self = shared_from_this()](const asio::error_code& failed) {
      if (self->done) return;
      if (failed) return self->next(failed.message());
      self->finish(std::move(self->socket));
    });
  }

  void expire_after(Duration timeout) {
    timer.expires_after(std::chrono::nanoseconds(timeout.ns));
    timer.async_wait([self = shared_from_this(), timeout](const asio::error_code& cancelled) {
      if (cancelled || self->done) return;
      self->finish(fail(ErrorCode::deadline_exceeded, "cannot connect to " + self->name +
                                                          ": no answer within " +
                                                          std::to_string(to_ms(timeout)) + " ms"));
    });
  }

  void finish(Result<StreamSocket> result) {
    if (std::exchange(done, true)) return;
    timer.cancel();
    if (result) set_stream_options(*result);
    asio::error_code ignored;
    socket.close(ignored);
    if (!alive.expired()) answer(std::move(result));
    answer = nullptr;
  }

  StreamSocket socket;
  asio::steady_timer timer;
  std::vector<StreamEndpoint> endpoints;
  std::size_t index = 0;
  std::string name;
  std::weak_ptr<void> alive;
  std::function<void(Result<StreamSocket>)> answer;
  bool done = false;
};

}  // namespace

std::string to_string(const StreamEndpoint& endpoint) {
  const std::optional<asio::ip::tcp::endpoint> tcp = as_tcp(endpoint);
  if (!tcp) return "unix";
  const std::string address = tcp->address().to_string();
  const std::string port = std::to_string(tcp->port());
  return tcp->address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

std::uint16_t port_of(const StreamEndpoint& endpoint) {
  const std::optional<asio::ip::tcp::endpoint> tcp = as_tcp(endpoint);
  return tcp ? tcp->port() : std::uint16_t{0};
}

Result<UnixPath> UnixPath::make(const std::string& path) {
  UnixPath result;
  std::string name = path;
  if (name.empty()) return fail(ErrorCode::invalid_argument, "a socket's path is empty");
  if (name.size() > unix_path_max) {
    const std::size_t slash = name.rfind('/');
    if (slash == std::string::npos || slash == 0) {
      return fail(ErrorCode::invalid_argument, "socket " + path + ": the name is too long");
    }
    const std::string directory = name.substr(0, slash);
    result.directory_ = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (result.directory_ < 0) {
      return fail(ErrorCode::unavailable, directory + ": " + std::strerror(errno));
    }
    name = "/proc/self/fd/" + std::to_string(result.directory_) + name.substr(slash);
    if (name.size() > unix_path_max) {
      return fail(ErrorCode::invalid_argument, "socket " + path + ": the name is too long");
    }
  }
  result.endpoint_ = asio::local::stream_protocol::endpoint(name);
  return result;
}

UnixPath::UnixPath(UnixPath&& other) noexcept
    : directory_(std::exchange(other.directory_, -1)), endpoint_(other.endpoint_) {}

UnixPath::~UnixPath() {
  if (directory_ >= 0) ::close(directory_);
}

Result<StreamEndpoint> tcp_endpoint(const std::string& address, std::uint16_t port) {
  asio::error_code error;
  const asio::ip::address parsed = asio::ip::make_address(address, error);
  if (error) {
    return fail(ErrorCode::invalid_argument,
                "'" + address + "' is not a numeric address such as 127.0.0.1 or 0.0.0.0");
  }
  return StreamEndpoint(asio::ip::tcp::endpoint(parsed, port));
}

Result<StreamAcceptor> listen(asio::io_context& io, const StreamEndpoint& endpoint,
                              const std::string& name) {
  StreamAcceptor acceptor(io);
  asio::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return tl::unexpected<Error>(listen_error(error, name));
  set_close_on_exec(acceptor.native_handle());
  if (as_tcp(endpoint)) acceptor.set_option(StreamAcceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(StreamAcceptor::max_listen_connections, error);
  if (error) return tl::unexpected<Error>(listen_error(error, name));
  return acceptor;
}

void set_stream_options(StreamSocket& socket) {
  asio::error_code ignored;
  const int descriptor = socket.native_handle();
  set_close_on_exec(descriptor);
  if (socket.local_endpoint(ignored).protocol().family() == AF_UNIX) return;
  const auto set = [descriptor](int level, int option, int value) {
    ::setsockopt(descriptor, level, option, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  // The kernel sends no keepalives while data waits, and would try to deliver that for 15 minutes.
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

void connect(asio::io_context& io, std::vector<StreamEndpoint> endpoints, std::string name,
             Duration timeout, std::weak_ptr<void> alive,
             std::function<void(Result<StreamSocket>)> answer) {
  auto attempt = std::make_shared<Attempt>(io, std::move(endpoints));
  attempt->name = std::move(name);
  attempt->alive = std::move(alive);
  attempt->answer = std::move(answer);
  attempt->expire_after(timeout);
  attempt->next("the name has no address");
}

}  // namespace librm::detail
