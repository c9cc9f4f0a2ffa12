// A file of one attempt of a job, such as its output, followed wherever its agent is, across lost
// connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "master.hpp"

namespace batch::cli {

/// Writes all of it; false where nobody reads any more.
bool write_all(int fd, std::string_view bytes);

/// Takes bytes in order; false where nobody reads any more.
using Sink = std::function<bool(std::string_view)>;
/// Writes to a descriptor, which outlives it.
Sink sink_to(int fd);

/// Where the agent has the same task's files: `output` is where it has its stdout. `route` is
/// `file` or `files`, `path` is below the sandbox.
Url beside_output(Url output, std::string_view route, const std::string& path);

/// One stream (stdout or stderr) or another file. It is driven by poll(): wait until `fd()` is
/// readable or `wake()` has come, then call `advance()`.
class LogStream {
 public:
  using Clock = std::chrono::steady_clock;

  struct Source {
    std::string job;            ///< id or selector
    std::string stream;         ///< stdout, stderr
    std::uint32_t attempt = 0;  ///< 0: the last one
    bool follow = true;
    std::int64_t offset = 0;
    std::string path{};   ///< below the sandbox; a file to read instead of the stream
    bool resume = false;  ///< a lost connection is taken up again although it is not followed
  };

  LogStream(Master& master, Source source, Sink sink);

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
  /// Where in the file the next byte will come from.
  std::int64_t offset() const { return source_.offset; }

 private:
  bool patient() const { return source_.follow || source_.resume; }
  void ask(Url url);
  void ask_master();
  void on_answer();
  void take_output();
  void retry_later(librm::Error why);
  void finish();

  Master& master_;
  Source source_;
  Sink sink_;
  std::unique_ptr<Exchange> exchange_;
  bool answering_ = false;  ///< the body that arrives is output
  std::optional<Clock::time_point> wake_;
  std::chrono::milliseconds pause_{0};
  std::optional<Clock::time_point> failing_since_;
  bool anything_came_ = false;
  bool job_is_over_ = false;
  bool target_closed_ = false;
  bool done_ = false;
  std::optional<librm::Error> error_;
};

/// Drives it to its end, and returns why that came early, if it did. Who follows asks from time to
/// time whether the job is over, since the file of an attempt that never started does not come.
librm::Result<void> drain(Master& master, const std::string& job, LogStream& stream);

}  // namespace batch::cli
