// Status lines and problems for requests that no handler sees.
#include "http/refusal.hpp"

#include <array>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <memory>

#include "http/problem.hpp"
#include "http/text.hpp"

namespace librm::http {

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 307:
      return "Temporary Redirect";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Answer";
  }
}

std::string raw_answer(const HttpResponse& response) {
  return "HTTP/1.1 " + std::to_string(response.status) + ' ' + reason_phrase(response.status) +
         "\r\nConnection: close\r\nContent-Type: " + response.content_type +
         "\r\nContent-Length: " + std::to_string(response.body.size()) + "\r\n\r\n" + response.body;
}

HttpResponse refusal_for(const std::string& logged) {
  const auto has = [&](const char* name) { return logged.find(name) != logged.npos; };
  const auto refuse = [](const char* what, int status) {
    return problem(Error{ErrorCode::invalid_argument, what}, {}, status);
  };
  if (has("HPE_CB_url")) return refuse("the request target is too long", 414);
  if (has("HPE_CB_header") && !has("HPE_CB_headers_complete")) {
    return refuse("too many header fields, or too long ones", 431);
  }
  if (has("HPE_HEADER_OVERFLOW")) return refuse("the headers are too long", 431);
  if (has("HPE_CB_headers_complete") || has("HPE_CB_body")) {
    return refuse("the body is too large", 413);
  }
  if (has("HPE_INVALID_METHOD")) return refuse("unknown method", 501);
  const std::size_t description = logged.rfind(": ");
  const std::string why = description == logged.npos ? "" : logged.substr(description);
  return problem(Error{ErrorCode::invalid_argument, "malformed HTTP request" + why});
}

std::string header_safe(std::string value) {
  for (char& c : value) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return value;
}

Result<void> check_site(const HttpRequest& request, bool loopback) {
  const std::string_view host = request.header("Host");
  if (loopback && !is_loopback_host(host)) {
    return fail(ErrorCode::permission_denied,
                "Host '" + std::string(host) + "': only loopback names are served here");
  }
  const std::string_view origin = request.header("Origin");
  if (origin.empty() || request.method == "GET") return {};
  const std::size_t name = origin.find("://");
  if (name == origin.npos || !equal_without_case(origin.substr(name + 3), host)) {
    return fail(ErrorCode::permission_denied,
                "Origin '" + std::string(origin) + "': changes are taken from no other site");
  }
  return {};
}

namespace {

constexpr std::size_t discarded_bytes_max = 32 << 20;
constexpr auto discard_time_max = std::chrono::seconds(2);

class Discard : public std::enable_shared_from_this<Discard> {
 public:
  explicit Discard(asio::ip::tcp::socket socket)
      : socket_(std::move(socket)), timer_(socket_.get_executor()) {}

  void start() {
    timer_.expires_after(discard_time_max);
    timer_.async_wait([self = shared_from_this()](const std::error_code& error) {
      std::error_code ignored;
      if (!error) self->socket_.close(ignored);
    });
    read();
  }

 private:
  void read() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](const std::error_code& error, std::size_t size) {
          self->seen_ += size;
          if (!error && self->seen_ < discarded_bytes_max) return self->read();
          self->timer_.cancel();
        });
  }

  asio::ip::tcp::socket socket_;
  asio::steady_timer timer_;
  std::array<char, 16 << 10> buffer_;
  std::size_t seen_ = 0;
};

}  // namespace

void discard(asio::ip::tcp::socket socket) {
  std::make_shared<Discard>(std::move(socket))->start();
}

}  // namespace librm::http
