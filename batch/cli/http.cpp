// The HTTP client on sockets and http_parser: no library that does more starts as fast.
#include "http.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr int connect_timeout_ms = 5'000;
constexpr int answer_timeout_ms = 30'000;
constexpr int redirects_max = 3;

bool connect_within(int fd, const addrinfo& address, int timeout_ms) {
  if (::connect(fd, address.ai_addr, address.ai_addrlen) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{fd, POLLOUT, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) errno = ETIMEDOUT;
  if (ready <= 0) return false;
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  return error == 0;
}

std::string serialize(const Url& url, const Request& request) {
  std::string text = request.method + ' ' + request.target +
                     " HTTP/1.1\r\nHost: " + authority(url) + "\r\nUser-Agent: rmctl\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method != "GET") {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

/// A failed write is not reported: the peer may have answered before it closed, and reading tells.
void send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

std::string lower(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const std::string whole(text);
  const auto wrong = [&](const char* why) {
    return fail(ErrorCode::invalid_argument,
                "'" + whole + "': " + why + "; an address looks like http://127.0.0.1:5050");
  };
  if (text.starts_with("https://")) return wrong("https is not supported yet");
  if (text.starts_with("http://")) text.remove_prefix(7);
  if (text.find("://") != text.npos) return wrong("only http is spoken here");
  Url url;
  const std::size_t path = text.find_first_of("/?");
  if (path != text.npos) {
    url.target = std::string(text.substr(path));
    if (url.target.front() == '?') url.target.insert(0, "/");
    text = text.substr(0, path);
  }
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == text.npos) return wrong("']' is missing");
    url.host = std::string(text.substr(1, close - 1));
    text.remove_prefix(close + 1);
    if (text.starts_with(':')) port = text.substr(1);
  } else {
    const std::size_t colon = text.rfind(':');
    url.host = std::string(text.substr(0, colon));
    if (colon != text.npos) port = text.substr(colon + 1);
  }
  url.port = port.empty() ? "80" : std::string(port);
  if (url.host.empty()) return wrong("the host is missing");
  if (url.port.size() > 5 || url.port.find_first_not_of("0123456789") != url.port.npos) {
    return wrong("the port is not a number");
  }
  return url;
}

std::string authority(const Url& url) {
  const bool v6 = url.host.find(':') != url.host.npos;
  return (v6 ? '[' + url.host + ']' : url.host) + ':' + url.port;
}

std::string percent_encode(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += digits[byte >> 4];
      out += digits[byte & 15];
    }
  }
  return out;
}

Connection::~Connection() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Connection> Connection::open(const Url& url, int timeout_ms) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;  // spares the resolver its files
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found);
  if (error == EAI_NONAME) {
    hints.ai_flags = AI_NUMERICSERV;
    error = ::getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found);
  }
  if (error != 0) {
    return fail(ErrorCode::unavailable, url.host + ": " + ::gai_strerror(error));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int reason = ECONNREFUSED;
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int kind = address->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK;
    Connection connection(::socket(address->ai_family, kind, address->ai_protocol));
    if (connection && connect_within(connection.fd(), *address, timeout_ms)) {
      const int on = 1;
      ::setsockopt(connection.fd(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return connection;
    }
    reason = errno;
  }
  return fail(ErrorCode::unavailable, authority(url) + ": " + std::strerror(reason));
}

bool wait_readable(int fd, int timeout_ms) {
  pollfd waiting{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

const http_parser_settings& Exchange::settings() {
  static const http_parser_settings callbacks = [] {
    http_parser_settings s;
    http_parser_settings_init(&s);
    s.on_header_field = [](http_parser* p, const char* at, std::size_t size) {
      Exchange& x = self(p);
      if (x.in_value_) {
        x.response_.headers[lower(std::exchange(x.header_name_, {}))] =
            std::exchange(x.header_value_, {});
        x.in_value_ = false;
      }
      x.header_name_.append(at, size);
      return 0;
    };
    s.on_header_value = [](http_parser* p, const char* at, std::size_t size) {
      self(p).in_value_ = true;
      self(p).header_value_.append(at, size);
      return 0;
    };
    s.on_headers_complete = [](http_parser* p) {
      Exchange& x = self(p);
      if (x.in_value_) x.response_.headers[lower(x.header_name_)] = x.header_value_;
      x.response_.status = static_cast<int>(p->status_code);
      x.head_complete_ = true;
      return 0;
    };
    s.on_body = [](http_parser* p, const char* at, std::size_t size) {
      self(p).response_.body.append(at, size);
      return 0;
    };
    s.on_message_complete = [](http_parser* p) {
      self(p).done_ = true;
      self(p).keep_alive_ = http_should_keep_alive(p) != 0;
      return 0;
    };
    return s;
  }();
  return callbacks;
}

Exchange::Exchange(Connection connection, const Url& url, const Request& request)
    : connection_(std::move(connection)), peer_(authority(url)) {
  http_parser_init(&parser_, HTTP_RESPONSE);
  parser_.data = this;
  send_all(connection_.fd(), serialize(url, request));
}

Result<void> Exchange::read_some() {
  char buffer[65536];
  const ssize_t size = ::recv(connection_.fd(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (size < 0) {
    return fail(ErrorCode::unavailable, peer_ + ": connection lost: " + std::strerror(errno));
  }
  anything_arrived_ = anything_arrived_ || size > 0;
  http_parser_execute(&parser_, &settings(), buffer, static_cast<std::size_t>(size));
  if (HTTP_PARSER_ERRNO(&parser_) != HPE_OK && size > 0) {
    return fail(ErrorCode::corrupt, peer_ + ": this is no HTTP answer: " +
                                        http_errno_description(HTTP_PARSER_ERRNO(&parser_)));
  }
  if (size == 0 && !done_) return fail(ErrorCode::unavailable, peer_ + ": connection lost");
  return {};
}

Result<void> Exchange::read_head(int timeout_ms) {
  while (!head_complete_) {
    if (!wait_readable(fd(), timeout_ms)) {
      return fail(ErrorCode::unavailable,
                  peer_ + ": no answer for " + std::to_string(timeout_ms / 1000) + " s");
    }
    if (auto read = read_some(); !read) return read;
  }
  return {};
}

Result<void> Exchange::read_all(int timeout_ms) {
  if (auto head = read_head(timeout_ms); !head) return head;
  while (!done_) {
    if (!wait_readable(fd(), timeout_ms)) {
      return fail(ErrorCode::unavailable, peer_ + ": the answer broke off");
    }
    if (auto read = read_some(); !read) return read;
  }
  return {};
}

std::string Exchange::header(const std::string& name) const {
  const auto found = response_.headers.find(name);
  return found == response_.headers.end() ? std::string() : found->second;
}

Connection Exchange::release() {
  return done_ && keep_alive_ ? std::move(connection_) : Connection();
}

Result<std::unique_ptr<Exchange>> HttpClient::start(const Url& url, const Request& request) {
  auto connection = Connection::open(url, connect_timeout_ms);
  if (!connection) return tl::unexpected(connection.error());
  return std::make_unique<Exchange>(std::move(*connection), url, request);
}

Result<Response> HttpClient::fetch_once(const Url& url, const Request& request, bool* contacted) {
  const std::string key = authority(url);
  Connection connection = std::exchange(idle_[key], Connection());
  for (;;) {
    const bool reused = static_cast<bool>(connection);
    if (!reused) {
      auto fresh = Connection::open(url, connect_timeout_ms);
      if (!fresh) return tl::unexpected(fresh.error());
      connection = std::move(*fresh);
    }
    if (contacted != nullptr) *contacted = true;
    Exchange exchange(std::exchange(connection, Connection()), url, request);
    const auto read = exchange.read_all(answer_timeout_ms);
    // An idle connection may have been closed before the request reached the server.
    if (!read && reused && !exchange.anything_arrived()) continue;
    if (!read) return tl::unexpected(read.error());
    idle_[key] = exchange.release();
    return exchange.take_response();
  }
}

Result<Response> HttpClient::fetch(const Url& url, const Request& request, bool* contacted) {
  Url at = url;
  Request wanted = request;
  for (int redirects = 0; redirects <= redirects_max; ++redirects) {
    auto response = fetch_once(at, wanted, contacted);
    if (!response || (response->status != 307 && response->status != 308)) return response;
    auto next = parse_url(response->headers["location"]);
    if (!next) return tl::unexpected(next.error());
    at = *next;
    wanted.target = at.target;
  }
  return fail(ErrorCode::unavailable, authority(url) + ": redirected too often");
}

}  // namespace batch::cli
