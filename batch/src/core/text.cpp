// Words for people: bodies.
#include "text.hpp"

#include <algorithm>

namespace batch::text {

std::string span(librm::Duration duration) {
  if (duration.ns < 0) duration.ns = 0;
  const std::int64_t ms = librm::to_ms(duration);
  if (ms < 1000) return std::to_string(ms) + "ms";
  const std::int64_t s = ms / 1000;
  if (s < 60) return std::to_string(s) + "s";
  const auto two = [](std::int64_t big, const char* big_unit, std::int64_t small,
                      const char* small_unit) {
    std::string text = std::to_string(big) + big_unit;
    if (small > 0) text += std::to_string(small) + small_unit;
    return text;
  };
  if (s < 3600) return two(s / 60, "m", s % 60, "s");
  if (s < 86400) return two(s / 3600, "h", s % 3600 / 60, "m");
  return two(s / 86400, "d", s % 86400 / 3600, "h");
}

std::string job(const Job& job) {
  return "job " + std::to_string(job.id) + " (" + job.spec.name + ")";
}

std::string end_of(const librm::StatusUpdate& update) {
  using librm::TaskReason;
  std::string text;
  if (update.reason == TaskReason::time_limit_reached) {
    text = "time limit reached";
  } else if (update.reason == TaskReason::memory_limit) {
    text = "memory limit reached";
  } else if (update.reason == TaskReason::disk_limit) {
    text = "disk limit reached";
  } else if (update.reason == TaskReason::agent_draining) {
    text = "ended for the drain of its agent";
  } else if (update.reason == TaskReason::killed_by_operator) {
    text = "killed with the drain of its agent";
  } else if (update.state == librm::TaskState::lost) {
    text = "exit status unknown";
  } else if (update.exit_code) {
    text = "exit code " + std::to_string(*update.exit_code);
  } else if (update.signal) {
    text = "signal " + std::to_string(*update.signal);
  } else {
    text = librm::to_string(update.state);
    if (update.reason != TaskReason::none) {
      text += std::string(" (") + librm::to_string(update.reason) + ")";
    }
  }
  if (!update.message.empty()) text += ": " + update.message;
  return text;
}

std::string count(std::size_t n, std::string_view noun) {
  std::string text = std::to_string(n) + " " + std::string(noun);
  if (n != 1) text += 's';
  return text;
}

}  // namespace batch::text
