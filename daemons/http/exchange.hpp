// One request and the ways to answer it: what handlers see, free of any server and its headers.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace librm::http {

/// A request, whole and checked: its path is decoded, HEAD arrives as GET.
struct HttpRequest {
  std::string method;                 ///< `GET`
  std::string target;                 ///< as sent: `/v1/jobs/a%20b?limit=5`
  std::vector<std::string> segments;  ///< `{"v1", "jobs", "a b"}`
  std::string raw_query;              ///< `limit=5`
  std::map<std::string, std::string, std::less<>> query;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool head = false;  ///< only the headers of the answer are sent

  /// The first value of a header, names compared without case; empty where it is absent.
  std::string_view header(std::string_view name) const;
  /// A query parameter; empty where it is absent.
  std::string_view parameter(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// An answer whose body is sent piece by piece. All calls and callbacks are on the loop's thread;
/// callbacks are not called from within write(). Dropping it without close() breaks the connection,
/// so that the client cannot take half an answer for a whole one.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  /// Queues bytes; false where the client is gone. A client for which more than the server's
  /// `stream_bytes_max` would have to be kept is cut off.
  virtual bool write(std::string bytes) = 0;
  /// Ends the answer properly once everything is sent. Callbacks are not called any more.
  virtual void close() = 0;
  virtual bool is_open() const = 0;
  /// Bytes that the kernel has not taken yet.
  virtual std::size_t buffered() const = 0;
  /// Called once, when the client is gone or was cut off; not after close().
  virtual void on_closed(std::function<void()> callback) = 0;
  /// Called whenever everything that was written has been taken by the kernel.
  virtual void on_drained(std::function<void()> callback) = 0;
};

/// The answering side of one request, as a server or a test implements it.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void reply(HttpResponse response) = 0;
  /// `head` gives status and headers.
  virtual std::shared_ptr<ResponseStream> stream(HttpResponse head) = 0;
};

/// Answers a request once, now or later, on the loop's thread; further answers are ignored. May
/// be copied. Where the last copy goes without an answer, the client gets status 500.
class Responder {
 public:
  explicit Responder(std::unique_ptr<Exchange> exchange);

  void reply(HttpResponse response);
  /// Begins a streamed answer. Never null; where it is not open the client is gone.
  std::shared_ptr<ResponseStream> stream(HttpResponse head);
  bool answered() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

using Handler = std::function<void(const HttpRequest&, Responder)>;

/// A stream to nobody: what stream() gives where no body may follow.
std::shared_ptr<ResponseStream> closed_stream();

}  // namespace librm::http
