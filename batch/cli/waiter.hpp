// Waits until jobs are over, by the master's event stream.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "job_view.hpp"
#include "sse.hpp"
#include "verb.hpp"

namespace batch::cli {

/// A span as options take it; `option` is named where it is wrong.
librm::Result<double> span_option(const char* option, const std::string& text);

class Waiter {
 public:
  /// `jobs` as fetched. A line of progress goes to stderr where that is a terminal.
  Waiter(Master& master, const Context& context, std::vector<Json> jobs);

  /// The highest exit code; `deadline_exceeded` where jobs remain after `timeout_s`. With `any` the
  /// code of the job that ended first.
  librm::Result<int> wait(std::optional<double> timeout_s, bool any = false);

  /// The one that ended first, null where none has.
  const Json* first_ended() const;

  /// As last seen.
  const std::map<ElementId, Json>& jobs() const { return jobs_; }

 private:
  using Clock = std::chrono::steady_clock;

  std::size_t count_unfinished() const;
  bool enough() const;
  librm::Result<void> subscribe();
  librm::Result<void> refresh();
  librm::Result<void> take_events();
  librm::Result<void> follow_until_lost();
  void show_progress(bool final);
  bool timed_out() const { return give_up_ && Clock::now() >= *give_up_; }

  Master& master_;
  const Context& context_;
  std::map<ElementId, Json> jobs_;
  std::unique_ptr<Exchange> events_;
  SseParser parser_;
  Clock::time_point started_ = Clock::now();
  std::optional<Clock::time_point> give_up_;
  bool any_ = false;
};

}  // namespace batch::cli
