// The comparison: policy switches, runs that came or ended, occurrences that were missed.
#include "http/schedule_news.hpp"

#include <algorithm>

#include "batch/edge/units.hpp"

namespace librm::http {

using batch::Schedule;
using batch::ScheduleRun;

namespace {

Json news(const std::string& name, const char* change, WallTime at) {
  return {{"name", name},
          {"change", change},
          {"run", nullptr},
          {"state", nullptr},
          {"reason", ""},
          {"jobs", Json::array()},
          {"at", batch::to_rfc3339(at)}};
}

Json run_news(const std::string& name, const char* change, const ScheduleRun& run, WallTime at) {
  Json one = news(name, change, at);
  one["run"] = run.number;
  one["state"] = to_string(run.state);
  one["reason"] = run.reason;
  one["jobs"] = run.jobs;
  return one;
}

}  // namespace

ScheduleNews::Seen ScheduleNews::look(const Schedule& schedule) {
  Seen seen;
  seen.paused = schedule.spec.paused;
  seen.run_last = schedule.run_last;
  for (const ScheduleRun& run : schedule.runs) seen.runs[run.number] = run.state;
  if (!schedule.missed.empty()) seen.missed_next = schedule.missed.back().last + 1;
  return seen;
}

/// How it was when this process began, as far as its times tell.
ScheduleNews::Seen ScheduleNews::before_begun(const Schedule& schedule) const {
  Seen seen = look(schedule);
  for (const ScheduleRun& run : schedule.runs) {
    if (run.started >= begun_) {
      seen.run_last = std::min(seen.run_last, run.number - 1);
      seen.runs.erase(run.number);
    } else if (run.ended && *run.ended >= begun_) {
      seen.runs[run.number] = batch::JobState::running;
    }
  }
  return seen;
}

std::vector<Json> ScheduleNews::on_changed(const std::string& name, const Schedule* schedule,
                                           WallTime now) {
  if (schedule == nullptr) {
    seen_.erase(name);
    return {news(name, "removed", now)};
  }
  std::vector<Json> all;
  const auto known = seen_.find(name);
  Seen before;
  if (known != seen_.end()) {
    before = known->second;
  } else if (schedule->added >= begun_) {
    all.push_back(news(name, "added", schedule->added));
    before.paused = schedule->spec.paused;
  } else {
    before = before_begun(*schedule);
  }
  if (before.paused != schedule->spec.paused) {
    all.push_back(news(name, schedule->spec.paused ? "paused" : "resumed", now));
  }
  for (const auto& missed : schedule->missed) {
    if (missed.last < before.missed_next) continue;
    Json one = news(name, "missed", missed.last_at);
    one["reason"] = missed.reason;
    all.push_back(std::move(one));
  }
  for (const ScheduleRun& run : schedule->runs) {
    const auto old = before.runs.find(run.number);
    const bool is_new = old == before.runs.end() && run.number > before.run_last;
    if (is_new) all.push_back(run_news(name, "run_started", run, run.started));
    const bool was_running =
        is_new || (old != before.runs.end() && old->second == batch::JobState::running);
    if (run.ended && was_running) all.push_back(run_news(name, "run_ended", run, *run.ended));
  }
  if (all.empty()) all.push_back(news(name, "changed", now));
  seen_[name] = look(*schedule);
  return all;
}

}  // namespace librm::http
