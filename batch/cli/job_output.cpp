// One attempt's streams at a time; the job is looked at while nothing comes.
#include "job_output.hpp"

#include <algorithm>

#include "job_view.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds look_pause_min{50};
constexpr milliseconds look_pause_max{1'000};

std::uint32_t attempt_of(const Json& job) {
  return static_cast<std::uint32_t>(number_of(job, "attempt").value_or(0));
}

/// An attempt that never ran has no output, and that is no news.
bool says_that_nothing_is_there(const Error& error) {
  return error.code == ErrorCode::not_found || error.code == ErrorCode::failed_precondition;
}

}  // namespace

JobOutput::JobOutput(Master& master, std::string selector, Json job, Options options,
                     std::vector<Target> targets)
    : master_(master),
      selector_(std::move(selector)),
      job_(std::move(job)),
      options_(options),
      targets_(std::move(targets)),
      next_look_(Clock::now()),
      pause_(look_pause_min) {
  const std::uint32_t first = options_.attempt != 0 ? options_.attempt : attempt_of(job_);
  // Without an attempt there is nothing to show yet, and the master says so to who does not wait.
  if (first != 0 || !options_.follow || is_over(job_)) begin_attempt(first);
}

void JobOutput::begin_attempt(std::uint32_t attempt) {
  attempt_ = attempt;
  next_look_ = Clock::now() + look_pause_max;
  for (const Target& target : targets_) {
    LogStream::Source source{selector_, target.stream, attempt, options_.follow};
    source.resume = true;
    streams_.push_back(std::make_unique<LogStream>(master_, source, target.sink));
    const bool no_more = is_over(job_) || attempt_of(job_) > attempt;
    if (no_more) streams_.back()->job_is_over();
  }
}

void JobOutput::add_descriptors(std::vector<pollfd>& waiting) const {
  for (const auto& stream : streams_) {
    if (stream->fd() >= 0) waiting.push_back({stream->fd(), POLLIN, 0});
  }
}

JobOutput::Clock::time_point JobOutput::wake() const {
  auto at = next_look_;
  for (const auto& stream : streams_) {
    if (const auto wanted = stream->wake()) at = std::min(at, *wanted);
  }
  return at;
}

void JobOutput::advance() {
  bool all_done = true;
  for (const auto& stream : streams_) {
    stream->advance();
    all_done = all_done && stream->done();
    target_closed_ = target_closed_ || stream->target_closed();
  }
  if (target_closed_) done_ = true;
  if (done_) return;
  if (all_done && !streams_.empty()) end_attempt();
  if (!done_ && Clock::now() >= next_look_) look();
}

void JobOutput::end_attempt() {
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (targets_[i].attempt_over) targets_[i].attempt_over();
    const auto& problem = streams_[i]->error();
    const bool superseded = attempt_of(job_) > attempt_ && options_.attempt == 0;
    if (!problem || (superseded && says_that_nothing_is_there(*problem))) continue;
    if (!error_) error_ = problem;
  }
  streams_.clear();
  if (error_ || !options_.follow || options_.attempt != 0) {
    done_ = true;
    return;
  }
  pause_ = look_pause_min;
  next_look_ = Clock::now();
}

/// A job that is tried again goes on writing, elsewhere. No attempt is left out.
void JobOutput::go_on() {
  if (attempt_of(job_) > attempt_) {
    begin_attempt(attempt_ + 1);
  } else if (is_over(job_)) {
    // One that never had an attempt says why by the master's answer.
    if (attempt_ == 0) return begin_attempt(0);
    done_ = true;
  }
}

void JobOutput::look() {
  pause_ = std::min(pause_ * 2, look_pause_max);
  next_look_ = Clock::now() + pause_;
  const bool all_flow = std::all_of(streams_.begin(), streams_.end(), [](const auto& stream) {
    return stream->fd() >= 0 || stream->done();
  });
  if (!streams_.empty() && all_flow) return;
  auto job = master_.get(job_path(selector_));
  if (!job) {
    // A master that restarts is asked again; one that does not know the job will not.
    if (job.error().code == ErrorCode::unavailable) return;
    error_ = job.error();
    done_ = true;
    return;
  }
  job_ = std::move(*job);
  if (streams_.empty()) return go_on();
  if (!is_over(job_) && attempt_of(job_) <= attempt_) return;
  for (const auto& stream : streams_) stream->job_is_over();
}

}  // namespace batch::cli
