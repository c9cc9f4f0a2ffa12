// What strangers send is logged a few times and then counted: a flood must not fill the disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "librm/base/time.hpp"

namespace librm::daemon {

/// So many lines in a period; the rest is counted. Not thread-safe.
class LogBudget {
 public:
  explicit LogBudget(std::uint32_t lines_max = 20, Duration period = seconds(10))
      : lines_max_(lines_max), period_(period) {}

  /// How many were kept back since the last line that was let through; empty: this one is, too.
  std::optional<std::uint64_t> let_through(Instant now) {
    if (now - begun_ >= period_ || lines_ == 0) {
      begun_ = now;
      lines_ = 0;
    }
    if (lines_ >= lines_max_) {
      ++kept_back_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(kept_back_, 0);
  }

 private:
  std::uint32_t lines_max_;
  Duration period_;
  Instant begun_;
  std::uint32_t lines_ = 0;
  std::uint64_t kept_back_ = 0;
};

/// Logs why peers were closed, within a budget. For the `on_bad_peer` of transports.
class BadPeers {
 public:
  void log_one(const std::string& peer, const std::string& reason);

 private:
  LogBudget budget_;
};

}  // namespace librm::daemon
