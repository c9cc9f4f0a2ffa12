// Connecting, resuming and giving up.
#include "event_feed.hpp"

#include <poll.h>

#include <algorithm>
#include <utility>

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr auto master_back_within = std::chrono::seconds(60);
/// The server breaks its silence every 15 s.
constexpr auto silence_max = std::chrono::seconds(40);
constexpr int answer_timeout_ms = 10'000;
constexpr int retry_pause_ms = 200;

/// Whether `fd` can be read within the time; `other` ends the waiting, too. Negative ones are not
/// waited for.
bool wait_for_either(int fd, int other, int timeout_ms) {
  pollfd waiting[] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
  const int ready = ::poll(waiting, 2, timeout_ms);  // a signal ends it as the time does
  return ready > 0 && waiting[0].revents != 0;
}

}  // namespace

EventFeed::EventFeed(Master& master, std::string query, std::string resume_after)
    : master_(master), query_(std::move(query)), last_id_(std::move(resume_after)) {}

Result<void> EventFeed::connect() {
  Request request;
  request.target = "/v1/events" + query_;
  request.headers.emplace_back("Accept", "text/event-stream");
  if (!last_id_.empty()) request.headers.emplace_back("Last-Event-ID", last_id_);
  auto exchange = master_.start(request);
  if (!exchange) return tl::unexpected(exchange.error());
  if (auto head = (*exchange)->read_head(answer_timeout_ms); !head) return head;
  if ((*exchange)->status() >= 400) {
    if (auto rest = (*exchange)->read_all(answer_timeout_ms); !rest) return rest;
    return tl::unexpected(problem_of((*exchange)->take_response(), master_.address()));
  }
  exchange_ = std::move(*exchange);
  parser_ = SseParser();
  last_heard_ = Clock::now();
  return {};
}

Result<void> EventFeed::open() { return connect(); }

Result<std::vector<ServerEvent>> EventFeed::take() {
  const auto read = exchange_->read_some();
  parser_.feed(exchange_->take_body());
  std::vector<ServerEvent> events;
  while (auto event = parser_.next()) events.push_back(std::move(*event));
  if (!parser_.last_id().empty()) last_id_ = parser_.last_id();
  if (!read || exchange_->done()) exchange_.reset();
  return events;
}

Result<std::vector<ServerEvent>> EventFeed::lost(Error why, int timeout_ms, int other_fd) {
  exchange_.reset();
  if (!lost_since_) lost_since_ = Clock::now();
  const bool passing = why.code == ErrorCode::unavailable;
  if (!passing || Clock::now() - *lost_since_ > master_back_within) {
    return tl::unexpected(std::move(why));
  }
  wait_for_either(-1, other_fd, std::min(timeout_ms, retry_pause_ms));
  return std::vector<ServerEvent>();
}

Result<std::vector<ServerEvent>> EventFeed::next(int timeout_ms, int other_fd) {
  if (!exchange_) {
    if (auto connected = connect(); !connected) {
      return lost(connected.error(), timeout_ms, other_fd);
    }
    lost_since_.reset();
  }
  if (wait_for_either(exchange_->fd(), other_fd, timeout_ms)) {
    last_heard_ = Clock::now();
    return take();
  }
  if (Clock::now() - last_heard_ > silence_max) exchange_.reset();
  return std::vector<ServerEvent>();
}

Result<HeldEvents> held_events(Master& master, const std::string& query) {
  Request request;
  request.target = "/v1/events?held=1" + query;
  auto exchange = master.start(request);
  if (!exchange) return tl::unexpected(exchange.error());
  if (auto all = (*exchange)->read_all(answer_timeout_ms); !all) return tl::unexpected(all.error());
  const int status = (*exchange)->status();
  Response response = (*exchange)->take_response();
  if (status >= 400) return tl::unexpected(problem_of(response, master.address()));
  SseParser parser;
  parser.feed(response.body);
  HeldEvents held;
  while (auto event = parser.next()) held.events.push_back(std::move(*event));
  held.last_id = parser.last_id();
  return held;
}

}  // namespace batch::cli
