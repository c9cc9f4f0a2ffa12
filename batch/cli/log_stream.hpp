// Output of one attempt of a job, followed wherever its agent is, across lost connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "master.hpp"

namespace batch::cli {

/// Writes all of it; false where nobody reads any more.
bool write_all(int fd, std::string_view bytes);

/// One stream (stdout or stderr). It is driven by poll(): wait until `fd()` is readable or
/// `wake()` has come, then call `advance()`.
class LogStream {
 public:
  using Clock = std::chrono::steady_clock;

  struct Source {
    std::string job;            ///< id or selector
    std::string stream;         ///< stdout, stderr
    std::uint32_t attempt = 0;  ///< 0: the last one
    bool follow = true;
    std::int64_t offset = 0;
  };

  /// Output goes to `target_fd`.
  LogStream(Master& master, Source source, int target_fd);

  /// -1 while there is nothing to read from.
  int fd() const { return exchange_ ? exchange_->fd() : -1; }
  std::optional<Clock::time_point> wake() const { return wake_; }
  /// Never blocks on the network, but for connecting.
  void advance();
  /// No further attempt will come: what is not there now is an error, and patience is short.
  void job_is_over();

  bool done() const { return done_; }
  /// Why it ended early, if it did.
  const std::optional<librm::Error>& error() const { return error_; }
  bool target_closed() const { return target_closed_; }
  std::uint32_t attempt() const { return source_.attempt; }

 private:
  void ask(Url url);
  void ask_master();
  void on_answer();
  void take_output();
  void retry_later(librm::Error why);
  void finish();

  Master& master_;
  Source source_;
  int target_fd_;
  std::unique_ptr<Exchange> exchange_;
  bool answering_ = false;  ///< the body that arrives is output
  std::optional<Clock::time_point> wake_;
  std::chrono::milliseconds pause_{0};
  std::optional<Clock::time_point> failing_since_;
  bool job_is_over_ = false;
  bool target_closed_ = false;
  bool done_ = false;
  std::optional<librm::Error> error_;
};

}  // namespace batch::cli
