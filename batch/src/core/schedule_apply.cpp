// Records about schedules into state.
#include <algorithm>

#include "batch/batch.hpp"

namespace batch {

namespace {

constexpr std::size_t runs_kept = 20;
constexpr std::size_t missed_kept = 100;

/// Whether a run that ended so lets the child of such an edge start.
bool lets_start(EdgeKind kind, JobState end, bool soft_error) {
  const bool good = end == JobState::finished || (soft_error && end == JobState::failed);
  if (kind == EdgeKind::any) return true;
  return (kind == EdgeKind::not_ok) != good;
}

}  // namespace

void BatchCore::index_schedule(const Schedule& schedule) {
  for (const ParentSpec& parent : schedule.spec.parents) {
    schedule_children_.insert({parent.schedule, schedule.spec.name});
  }
  if (const auto wake = wake_of(schedule)) schedule_wakes_.insert({*wake, schedule.spec.name});
}

/// Before it changes: what is indexed follows from what it is.
void BatchCore::unindex_schedule(const Schedule& schedule) {
  for (const ParentSpec& parent : schedule.spec.parents) {
    schedule_children_.erase({parent.schedule, schedule.spec.name});
  }
  if (const auto wake = wake_of(schedule)) schedule_wakes_.erase({*wake, schedule.spec.name});
}

/// Also what its end means for its children, so that no record of theirs can be lost.
void BatchCore::put_run(Schedule& schedule, const ScheduleRun& run) {
  auto at = std::lower_bound(
      schedule.runs.begin(), schedule.runs.end(), run.number,
      [](const ScheduleRun& one, std::uint32_t number) { return one.number < number; });
  if (at != schedule.runs.end() && at->number == run.number) {
    *at = run;
  } else {
    schedule.runs.insert(at, run);
  }
  schedule.run_last = std::max(schedule.run_last, run.number);
  while (schedule.runs.size() > runs_kept) {
    auto ended = std::find_if(schedule.runs.begin(), schedule.runs.end() - 1,
                              [](const ScheduleRun& one) { return is_terminal(one.state); });
    if (ended == schedule.runs.end() - 1) break;
    schedule.runs.erase(ended);
  }
  if (!is_terminal(run.state)) return;
  const std::string& name = schedule.spec.name;
  for (auto child = schedule_children_.lower_bound({name, ""});
       child != schedule_children_.end() && child->first == name; ++child) {
    Schedule& other = schedules_.at(child->second);
    if (other.spec.paused) continue;
    for (ScheduleEdge& edge : other.edges) {
      if (edge.parent != name || edge.run > run.number) continue;
      if (lets_start(edge.kind, run.state, schedule.spec.soft_error)) edge.run = run.number;
    }
  }
}

void BatchCore::apply_one(const ScheduleRecord& record) {
  const std::string& name = record.schedule.spec.name;
  auto found = schedules_.find(name);
  if (found != schedules_.end()) unindex_schedule(found->second);
  Schedule& stored = schedules_[name];
  stored = record.schedule;
  index_schedule(stored);
}

void BatchCore::apply_one(const ScheduleRunRecord& record) {
  for (const Job& job : record.jobs) put_job(job);
  auto found = schedules_.find(record.schedule);
  if (found == schedules_.end()) return;
  Schedule& schedule = found->second;
  unindex_schedule(schedule);
  schedule.due_first = record.due_first;
  schedule.next = record.next;
  schedule.edges = record.edges;
  schedule.counts = record.counts;
  put_run(schedule, record.run);
  index_schedule(schedule);
}

void BatchCore::apply_one(const ScheduleChangeRecord& record) {
  auto found = schedules_.find(record.schedule);
  if (found == schedules_.end()) return;
  Schedule& schedule = found->second;
  unindex_schedule(schedule);
  schedule.spec.paused = record.paused;
  schedule.due_first = record.due_first;
  schedule.next = record.next;
  schedule.edges = record.edges;
  schedule.counts = record.counts;
  if (record.run) put_run(schedule, *record.run);
  if (record.missed && std::find(schedule.missed.begin(), schedule.missed.end(), *record.missed) ==
                           schedule.missed.end()) {
    schedule.missed.push_back(*record.missed);
    if (schedule.missed.size() > missed_kept) schedule.missed.erase(schedule.missed.begin());
  }
  index_schedule(schedule);
}

void BatchCore::apply_one(const ScheduleRemovedRecord& record) {
  auto found = schedules_.find(record.schedule);
  if (found == schedules_.end()) return;
  unindex_schedule(found->second);
  schedules_.erase(found);
}

}  // namespace batch
