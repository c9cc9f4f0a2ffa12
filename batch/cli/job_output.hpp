// What one job writes: both outputs, attempt after attempt.
#pragma once

#include <poll.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "json_view.hpp"
#include "log_stream.hpp"

namespace batch::cli {

/// Driven by poll(), so that many can be followed at once: wait until one of its descriptors is
/// readable or wake() has come, then call advance().
class JobOutput {
 public:
  using Clock = LogStream::Clock;

  struct Options {
    bool follow = false;        ///< until the job is over
    std::uint32_t attempt = 0;  ///< only this one; 0: the last one and, with follow, those after it
  };
  /// Where one stream goes; nothing where it is not wanted.
  struct Target {
    std::string stream;  ///< stdout, stderr
    Sink sink;
    std::function<void()> attempt_over{};  ///< after the last byte of each attempt; may be empty
  };

  /// `job` as the master describes it, `selector` what names it.
  JobOutput(Master& master, std::string selector, Json job, Options options,
            std::vector<Target> targets);

  void add_descriptors(std::vector<pollfd>& waiting) const;
  Clock::time_point wake() const;
  void advance();

  bool done() const { return done_; }
  /// Why it ended early, if it did.
  const std::optional<librm::Error>& error() const { return error_; }
  /// Nobody reads its output any more.
  bool target_closed() const { return target_closed_; }

 private:
  void begin_attempt(std::uint32_t attempt);
  void end_attempt();
  void go_on();
  void look();

  Master& master_;
  std::string selector_;
  Json job_;
  Options options_;
  std::vector<Target> targets_;
  std::vector<std::unique_ptr<LogStream>> streams_;  ///< one for each target, of one attempt
  std::uint32_t attempt_ = 0;                        ///< that was begun last
  Clock::time_point next_look_;
  std::chrono::milliseconds pause_;
  bool done_ = false;
  bool target_closed_ = false;
  std::optional<librm::Error> error_;
};

}  // namespace batch::cli
