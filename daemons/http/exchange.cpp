// The one answer that every request gets, and access to a request's parts.
#include "http/exchange.hpp"

#include "http/problem.hpp"
#include "http/text.hpp"

namespace librm::http {

std::string_view HttpRequest::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (equal_without_case(key, name)) return value;
  }
  return {};
}

std::string_view HttpRequest::parameter(std::string_view name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

struct Responder::State {
  std::unique_ptr<Exchange> exchange;  ///< empty once answered

  explicit State(std::unique_ptr<Exchange> e) : exchange(std::move(e)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (exchange) {
      exchange->reply(problem(Error{ErrorCode::io_error, "the request was given up"}));
    }
  }
};

Responder::Responder(std::unique_ptr<Exchange> exchange)
    : state_(std::make_shared<State>(std::move(exchange))) {}

void Responder::reply(HttpResponse response) {
  if (const auto exchange = std::move(state_->exchange)) exchange->reply(std::move(response));
}

std::shared_ptr<ResponseStream> Responder::stream(HttpResponse head) {
  if (const auto exchange = std::move(state_->exchange)) return exchange->stream(std::move(head));
  return closed_stream();
}

bool Responder::answered() const { return !state_->exchange; }

namespace {

class ClosedStream final : public ResponseStream {
 public:
  bool write(std::string) override { return false; }
  void close() override {}
  bool is_open() const override { return false; }
  std::size_t buffered() const override { return 0; }
  void on_closed(std::function<void()>) override {}
  void on_drained(std::function<void()>) override {}
};

}  // namespace

std::shared_ptr<ResponseStream> closed_stream() { return std::make_shared<ClosedStream>(); }

}  // namespace librm::http
