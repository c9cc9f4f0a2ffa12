// Asks the master where the output is, reads it at the agent, and resumes where it broke off.
#include "log_stream.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "job_view.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds pause_min{20};
constexpr milliseconds pause_max{500};
/// An agent that is restarted is back by then; one that is not would keep us for ever.
constexpr std::chrono::seconds give_up_after{60};
constexpr std::chrono::seconds give_up_after_job{5};

}  // namespace

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (written < 0 && errno == EAGAIN) {
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (written == 0 || errno != EINTR) {
      return false;
    }
  }
  return true;
}

LogStream::LogStream(Master& master, Source source, int target_fd)
    : master_(master), source_(std::move(source)), target_fd_(target_fd) {
  wake_ = Clock::now();
}

void LogStream::ask(Url url) {
  answering_ = false;
  Request request;
  request.target = url.target;
  auto exchange = master_.http().start(url, request);
  if (!exchange) return retry_later(exchange.error());
  exchange_ = std::move(*exchange);
}

void LogStream::ask_master() {
  Url url = master_.url();
  url.target = job_path(source_.job) + "/logs?stream=" + source_.stream +
               "&offset=" + std::to_string(source_.offset);
  if (source_.follow) url.target += "&follow=1";
  if (source_.attempt != 0) url.target += "&attempt=" + std::to_string(source_.attempt);
  ask(std::move(url));
}

void LogStream::retry_later(Error why) {
  exchange_.reset();
  const auto now = Clock::now();
  if (!failing_since_) failing_since_ = now;
  const auto limit = job_is_over_ ? give_up_after_job : give_up_after;
  if (!source_.follow || now - *failing_since_ > limit) {
    error_ = std::move(why);
    return finish();
  }
  pause_ = std::clamp(pause_ * 2, pause_min, pause_max);
  wake_ = now + pause_;
}

void LogStream::on_answer() {
  const int status = exchange_->status();
  if (status == 307 || status == 308) {
    auto url = parse_url(exchange_->header("location"));
    return url ? ask(std::move(*url)) : retry_later(url.error());
  }
  if (status < 400) {
    answering_ = true;
    return;
  }
  if (!exchange_->done()) return;  // the problem document is still to come
  const Error problem = problem_of(exchange_->take_response(), master_.address());
  exchange_.reset();
  const bool not_yet = status == 404 || status == 409 || status == 503;
  if (!not_yet || !source_.follow || job_is_over_) {
    error_ = problem;
    return finish();
  }
  // Nothing is wrong: the attempt, or its file, is not there yet.
  pause_ = std::clamp(pause_ * 2, pause_min, pause_max);
  wake_ = Clock::now() + pause_;
}

void LogStream::take_output() {
  const std::string bytes = exchange_->take_body();
  if (!bytes.empty()) {
    failing_since_.reset();
    pause_ = milliseconds(0);
    source_.offset += static_cast<std::int64_t>(bytes.size());
    if (!write_all(target_fd_, bytes)) {
      target_closed_ = true;
      return finish();
    }
  }
  if (exchange_->done()) finish();
}

void LogStream::job_is_over() {
  job_is_over_ = true;
  if (wake_) wake_ = Clock::now();
}

void LogStream::finish() {
  done_ = true;
  exchange_.reset();
  wake_.reset();
}

void LogStream::advance() {
  if (wake_ && *wake_ <= Clock::now()) {
    wake_.reset();
    ask_master();
  }
  if (!exchange_ || done_) return;
  const auto read = exchange_->read_some();
  if (answering_) take_output();  // what came before it broke off counts
  if (done_) return;
  if (!read) return retry_later(read.error());
  if (!answering_ && exchange_ && exchange_->head_complete()) {
    on_answer();
    if (answering_) take_output();
  }
}

}  // namespace batch::cli
