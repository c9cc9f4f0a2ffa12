// The waiting loop: subscribe first, then look, so that no change falls between.
#include "waiter.hpp"

#include <poll.h>

#include <algorithm>

#include "batch/edge/units.hpp"
#include "log_stream.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr int tick_ms = 500;
constexpr auto master_back_within = std::chrono::seconds(60);
/// The server breaks its silence every 15 s.
constexpr auto silence_max = std::chrono::seconds(40);
constexpr int answer_timeout_ms = 10'000;

}  // namespace

Result<double> span_option(const char* option, const std::string& text) {
  const auto span = parse_span(text);
  if (!span) return fail(span.error().code, std::string(option) + ": " + span.error().message);
  return static_cast<double>(span->ns) / 1e9;
}

Waiter::Waiter(Master& master, const Context& context, std::vector<Json> jobs)
    : master_(master), context_(context) {
  for (Json& job : jobs) {
    const ElementId id = element_id_of(job);
    jobs_[id] = std::move(job);
  }
}

std::size_t Waiter::count_unfinished() const {
  return static_cast<std::size_t>(std::count_if(
      jobs_.begin(), jobs_.end(), [](const auto& entry) { return !is_over(entry.second); }));
}

const Json* Waiter::first_ended() const {
  const Json* first = nullptr;
  for (const auto& [id, job] : jobs_) {
    if (!is_over(job)) continue;
    if (first == nullptr || time_of(job, "ended") < time_of(*first, "ended")) first = &job;
  }
  return first;
}

bool Waiter::enough() const {
  return count_unfinished() == 0 || (any_ && first_ended() != nullptr);
}

Result<void> Waiter::subscribe() {
  Request request;
  request.target = "/v1/events";
  if (jobs_.size() == 1) request.target += "?job=" + std::to_string(jobs_.begin()->first.job);
  request.headers.emplace_back("Accept", "text/event-stream");
  parser_ = SseParser();
  auto exchange = master_.start(request);
  if (!exchange) return tl::unexpected(exchange.error());
  events_ = std::move(*exchange);
  if (auto head = events_->read_head(answer_timeout_ms); !head) return head;
  if (events_->status() < 400) return {};
  if (auto rest = events_->read_all(answer_timeout_ms); !rest) return rest;
  return tl::unexpected(problem_of(events_->take_response(), master_.address()));
}

Result<void> Waiter::refresh() {
  for (auto& [id, job] : jobs_) {
    if (is_over(job)) continue;
    auto fresh = master_.get(job_path(to_string(id)));
    if (!fresh) return tl::unexpected(fresh.error());
    job = std::move(*fresh);
  }
  return {};
}

Result<void> Waiter::take_events() {
  const auto read = events_->read_some();
  parser_.feed(events_->take_body());
  while (const auto event = parser_.next()) {
    if (event->event != "job") continue;
    Json job = Json::parse(event->data, nullptr, false);
    const std::uint64_t id = id_of(job, "id");
    for (auto known = jobs_.lower_bound({id, std::nullopt});
         known != jobs_.end() && known->first.job == id; ++known) {
      // A late event must not bring an ended job back to life.
      if (is_over(known->second)) continue;
      if (!known->first.index) {
        known->second = job;
        continue;
      }
      // Its array has changed; how the element is has to be asked for.
      auto fresh = master_.get(job_path(to_string(known->first)));
      if (!fresh) return tl::unexpected(fresh.error());
      known->second = std::move(*fresh);
    }
  }
  if (!read) return read;
  if (events_->done()) return fail(ErrorCode::unavailable, "the event stream ended");
  return {};
}

/// Returns when all is over or it is too late; an error when the stream is lost.
Result<void> Waiter::follow_until_lost() {
  if (auto ready = subscribe(); !ready) return ready;
  if (auto ready = refresh(); !ready) return ready;
  auto last_heard = Clock::now();
  while (!enough() && !timed_out()) {
    show_progress(false);
    int timeout = tick_ms;
    if (give_up_) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*give_up_ - Clock::now());
      timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, tick_ms));
    }
    if (wait_readable(events_->fd(), timeout)) {
      last_heard = Clock::now();
      if (auto taken = take_events(); !taken) return taken;
    } else if (Clock::now() - last_heard > silence_max) {
      return fail(ErrorCode::unavailable, "the master is silent");
    }
  }
  return {};
}

void Waiter::show_progress(bool final) {
  if (!context_.err.is_tty) return;
  std::string line = "\r\x1b[K";
  if (!final) {
    std::map<std::string, int> counts;
    for (const auto& [id, job] : jobs_) ++counts[text_of(job, "state")];
    for (const char* state : {"finished", "failed", "cancelled", "running", "held", "pending"}) {
      if (counts[state] == 0) continue;
      line += std::to_string(counts[state]) + ' ' + paint_state(context_.err, state) + "  ";
    }
    line += human_span(std::chrono::duration<double>(Clock::now() - started_).count());
  }
  write_all(2, line);
}

Result<int> Waiter::wait(std::optional<double> timeout_s, bool any) {
  any_ = any;
  if (timeout_s) {
    const std::chrono::duration<double> span(std::min(*timeout_s, 1e8));
    give_up_ = started_ + std::chrono::duration_cast<Clock::duration>(span);
  }
  std::optional<Clock::time_point> lost_since;
  while (!enough() && !timed_out()) {
    const auto before = count_unfinished();
    const auto followed = follow_until_lost();
    if (followed) break;
    const auto now = Clock::now();
    if (!lost_since || count_unfinished() != before) {
      if (!lost_since) context_.note("lost the master; waiting for it to come back");
      lost_since = now;
    }
    const bool passing = followed.error().code == ErrorCode::unavailable;
    if (!passing || now - *lost_since > master_back_within) {
      show_progress(true);
      return tl::unexpected(followed.error());
    }
    ::poll(nullptr, 0, 200);
  }
  show_progress(true);
  if (any && first_ended() != nullptr) return job_exit_code(*first_ended());
  if (const std::size_t left = count_unfinished(); left > 0) {
    return fail(ErrorCode::deadline_exceeded,
                std::to_string(left) + (left == 1 ? " job is" : " jobs are") + " not over yet");
  }
  int highest = 0;
  for (const auto& [id, job] : jobs_) highest = std::max(highest, job_exit_code(job));
  return highest;
}

}  // namespace batch::cli
