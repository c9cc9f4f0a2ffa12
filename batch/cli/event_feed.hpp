// The master's event stream, held together across lost connections.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "master.hpp"
#include "sse.hpp"

namespace batch::cli {

/// Nothing is lost: a connection that breaks is made anew and resumes after the last event. Where
/// the master does not hold that one any more, or was restarted, an event named `gap` says so, and
/// who keeps a picture has to look at everything again.
class EventFeed {
 public:
  using Clock = std::chrono::steady_clock;

  /// `query` is empty or such as `?job=42`. `resume_after` is an event's id, or empty for what
  /// comes from now on. The master outlives it.
  EventFeed(Master& master, std::string query, std::string resume_after = "");

  /// Connects; what happens after it returns is not missed. Fails as the master answers.
  librm::Result<void> open();
  /// What has arrived, waiting for at most `timeout_ms` or until `other_fd`, where it is not
  /// negative, can be read. Empty in the latter cases, and while the connection is being made
  /// anew; fails once that has not succeeded for a minute.
  librm::Result<std::vector<ServerEvent>> next(int timeout_ms, int other_fd = -1);

  bool connected() const { return exchange_ != nullptr; }

 private:
  librm::Result<void> connect();
  librm::Result<std::vector<ServerEvent>> lost(librm::Error why, int timeout_ms, int other_fd);
  librm::Result<std::vector<ServerEvent>> take();

  Master& master_;
  std::string query_;
  std::string last_id_;
  std::unique_ptr<Exchange> exchange_;
  SseParser parser_;
  Clock::time_point last_heard_;
  std::optional<Clock::time_point> lost_since_;
};

/// What the master still holds, oldest first, and the id to go on after.
struct HeldEvents {
  std::vector<ServerEvent> events;
  std::string last_id;
};
librm::Result<HeldEvents> held_events(Master& master, const std::string& query);

}  // namespace batch::cli
