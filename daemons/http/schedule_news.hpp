// What changed about a schedule, found by comparing it with how it was seen last.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "batch/schedule/schedule.hpp"
#include "http/json.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

/// The core says only that a schedule changed. Of one that was not seen before, what happened since
/// `begun` is news, so that a new master does not announce what an earlier one has announced.
class ScheduleNews {
 public:
  explicit ScheduleNews(WallTime begun) : begun_(begun) {}

  /// Never empty; null for a schedule that was removed. Each is an object `{"name": "nightly",
  /// "change": "added", "run": null, "state": null, "reason": "", "jobs": [], "at": "..."}`, where
  /// `change` is added, changed, removed, paused, resumed, run_started, run_ended or missed. `at`
  /// is the run's start or end, the last occurrence that was missed, and else `now`.
  std::vector<Json> on_changed(const std::string& name, const batch::Schedule* schedule,
                               WallTime now);

 private:
  struct Seen {
    bool paused = false;
    std::uint32_t run_last = 0;
    std::map<std::uint32_t, batch::JobState> runs;  ///< those still in view
    std::uint64_t missed_next = 0;                  ///< index after the last one missed
  };
  static Seen look(const batch::Schedule& schedule);
  Seen before_begun(const batch::Schedule& schedule) const;

  WallTime begun_;
  std::map<std::string, Seen> seen_;
};

}  // namespace librm::http
