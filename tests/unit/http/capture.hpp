// Answers caught without a server, so that routes can be tested as functions.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "http/exchange.hpp"
#include "http/text.hpp"

namespace librm::http {

/// A stream whose bytes are kept.
struct CapturedStream {
  std::string bytes;
  bool closed = false;  ///< ended properly
  bool broken = false;  ///< dropped without an end
  std::function<void()> gone;
  std::function<void()> drained;
};

struct Captured {
  std::optional<HttpResponse> response;
  std::optional<HttpResponse> stream_head;
  std::shared_ptr<CapturedStream> stream = std::make_shared<CapturedStream>();

  nlohmann::json json() const { return nlohmann::json::parse(response.value().body); }
  int status() const { return response ? response->status : 0; }
};

class CaptureStream final : public ResponseStream {
 public:
  explicit CaptureStream(std::shared_ptr<CapturedStream> to) : to_(std::move(to)) {}
  CaptureStream(const CaptureStream&) = delete;
  CaptureStream& operator=(const CaptureStream&) = delete;
  ~CaptureStream() override {
    to_->broken = !to_->closed;
    to_->gone = to_->drained = nullptr;
  }
  bool write(std::string bytes) override {
    if (!to_->closed) to_->bytes += bytes;
    return !to_->closed;
  }
  void close() override { to_->closed = true; }
  bool is_open() const override { return !to_->closed; }
  std::size_t buffered() const override { return 0; }
  void on_closed(std::function<void()> callback) override { to_->gone = std::move(callback); }
  void on_drained(std::function<void()> callback) override { to_->drained = std::move(callback); }

 private:
  std::shared_ptr<CapturedStream> to_;
};

class CaptureExchange final : public Exchange {
 public:
  explicit CaptureExchange(std::shared_ptr<Captured> to) : to_(std::move(to)) {}
  void reply(HttpResponse response) override { to_->response = std::move(response); }
  std::shared_ptr<ResponseStream> stream(HttpResponse head) override {
    to_->stream_head = std::move(head);
    return std::make_shared<CaptureStream>(to_->stream);
  }

 private:
  std::shared_ptr<Captured> to_;
};

/// Gives the request to anything that has handle(request, responder).
template <class Routes>
std::shared_ptr<Captured> ask(const Routes& routes, const std::string& method,
                              const std::string& target, const std::string& body = "",
                              std::vector<std::pair<std::string, std::string>> headers = {}) {
  auto captured = std::make_shared<Captured>();
  HttpRequest request;
  request.method = method;
  request.target = target;
  auto parsed = parse_target(target);
  request.segments = parsed.value().segments;
  request.raw_query = parsed->raw_query;
  request.query = parsed->query;
  request.headers = std::move(headers);
  request.body = body;
  routes.handle(request, Responder(std::make_unique<CaptureExchange>(captured)));
  return captured;
}

}  // namespace librm::http
