// A small HTTP/1.1 client whose answers are read as they arrive, many at once with poll().
#pragma once

#include <http_parser.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "librm/base/result.hpp"

namespace batch::cli {

struct Url {
  std::string host;
  std::string port;
  std::string target = "/";  ///< path and query
};

/// Reads `http://host:port/path`, `host:port` and `http://[::1]:5050`; 80 where no port is given.
librm::Result<Url> parse_url(std::string_view text);
/// `127.0.0.1:5050`, as it stands in a URL.
std::string authority(const Url& url);
/// Escapes all that is not unreserved, so that any name can be one segment or one query value.
std::string percent_encode(std::string_view text);

struct Request {
  std::string method = "GET";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;
};

/// An open socket, closed with its owner.
class Connection {
 public:
  Connection() = default;
  Connection(Connection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Connection& operator=(Connection&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Connection();

  /// Fails with `unavailable` where nobody answers within the time.
  static librm::Result<Connection> open(const Url& url, int timeout_ms);
  int fd() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  explicit Connection(int fd) : fd_(fd) {}
  int fd_ = -1;
};

/// Whether `fd` has something to read within the time; -1 waits for ever.
bool wait_readable(int fd, int timeout_ms);

/// One request and its answer. Not movable, because the parser points into it.
class Exchange {
 public:
  /// Sends the request; nothing of the answer has been read.
  Exchange(Connection connection, const Url& url, const Request& request);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  int fd() const { return connection_.fd(); }
  /// Reads once what has arrived, never blocks. An answer that breaks off is `unavailable`.
  librm::Result<void> read_some();
  /// Waits until the status and headers are there.
  librm::Result<void> read_head(int timeout_ms);
  /// Waits until everything is there; the time is counted anew whenever something arrives.
  librm::Result<void> read_all(int timeout_ms);

  bool head_complete() const { return head_complete_; }
  bool done() const { return done_; }
  bool anything_arrived() const { return anything_arrived_; }
  int status() const { return response_.status; }
  /// Empty where there is none; `name` in lower case.
  std::string header(const std::string& name) const;
  /// What of the body has arrived since the last call.
  std::string take_body() { return std::exchange(response_.body, {}); }
  /// The answer, once done.
  Response take_response() { return std::move(response_); }
  /// The connection for another request, if the server keeps it open.
  Connection release();

 private:
  static const http_parser_settings& settings();
  static Exchange& self(http_parser* parser) { return *static_cast<Exchange*>(parser->data); }

  Connection connection_;
  std::string peer_;
  http_parser parser_;
  Response response_;
  std::string header_name_;
  std::string header_value_;
  bool in_value_ = false;
  bool head_complete_ = false;
  bool done_ = false;
  bool keep_alive_ = false;
  bool anything_arrived_ = false;
};

/// Makes requests one after the other and reuses connections.
class HttpClient {
 public:
  /// The whole answer, redirections followed. `contacted` is set once somebody accepted.
  librm::Result<Response> fetch(const Url& url, const Request& request, bool* contacted = nullptr);
  /// An exchange whose headers have not been read.
  librm::Result<std::unique_ptr<Exchange>> start(const Url& url, const Request& request);

 private:
  librm::Result<Response> fetch_once(const Url& url, const Request& request, bool* contacted);

  std::map<std::string, Connection> idle_;
};

}  // namespace batch::cli
