// Asks the master where the task is, reads the file at its agent, and resumes where it broke off.
#include "log_stream.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "job_view.hpp"

namespace batch::cli {

using librm::Error;
using librm::Result;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds pause_min{20};
constexpr milliseconds pause_max{500};
/// An agent that is restarted is back by then; one that is not would keep us for ever.
constexpr std::chrono::seconds give_up_after{60};
/// Of a job that is over, of which nothing ever came.
constexpr std::chrono::seconds give_up_after_job{5};
constexpr milliseconds look_again{1'000};

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

Sink sink_to(int fd) {
  return [fd](std::string_view bytes) { return write_all(fd, bytes); };
}

Url beside_output(Url output, std::string_view route, const std::string& path) {
  const std::size_t query = output.target.find('?');
  std::string parameters = "?path=" + percent_encode(path);
  if (query != output.target.npos) parameters += '&' + output.target.substr(query + 1);
  const std::string task = output.target.substr(0, output.target.rfind("/files/", query));
  output.target = task + '/' + std::string(route) + parameters;
  return output;
}

LogStream::LogStream(Master& master, Source source, Sink sink)
    : master_(master), source_(std::move(source)), sink_(std::move(sink)) {
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
  const std::string stream = source_.path.empty() ? source_.stream : "stdout";
  url.target = job_path(source_.job) + "/logs?stream=" + stream +
               "&offset=" + std::to_string(source_.offset);
  if (source_.follow) url.target += "&follow=1";
  if (source_.attempt != 0) url.target += "&attempt=" + std::to_string(source_.attempt);
  ask(std::move(url));
}

void LogStream::retry_later(Error why) {
  exchange_.reset();
  const auto now = Clock::now();
  if (!failing_since_) failing_since_ = now;
  const auto limit = job_is_over_ && !anything_came_ ? give_up_after_job : give_up_after;
  if (!patient() || now - *failing_since_ > limit) {
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
    if (!url) return retry_later(url.error());
    if (!source_.path.empty()) url = beside_output(std::move(*url), "file", source_.path);
    return ask(std::move(*url));
  }
  if (status < 400) {
    answering_ = true;
    return;
  }
  if (!exchange_->done()) return;  // the problem document is still to come
  const Error problem = problem_of(exchange_->take_response(), master_.address());
  exchange_.reset();
  // It starts or stops; that is not for ever, or else it is gone.
  if (status == 503) return retry_later(problem);
  const bool not_yet = status == 404 || status == 409;
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
    anything_came_ = true;
    source_.offset += static_cast<std::int64_t>(bytes.size());
    if (!sink_(bytes)) {
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

Result<void> drain(Master& master, const std::string& job, LogStream& stream) {
  auto next_look = LogStream::Clock::now() + look_again;
  while (!stream.done()) {
    auto wake = next_look;
    if (const auto at = stream.wake()) wake = std::min(wake, *at);
    const auto left = std::chrono::ceil<milliseconds>(wake - LogStream::Clock::now());
    pollfd waiting{stream.fd(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    stream.advance();
    if (stream.done() || LogStream::Clock::now() < next_look || stream.fd() >= 0) continue;
    next_look = LogStream::Clock::now() + look_again;
    const auto seen = master.get(job_path(job));
    if (seen && is_over(*seen)) stream.job_is_over();
  }
  if (stream.error()) return tl::unexpected(*stream.error());
  return {};
}

}  // namespace batch::cli
