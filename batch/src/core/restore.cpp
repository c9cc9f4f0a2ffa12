// A restored state is older than what its agents did since.
#include "batch/restore.hpp"

#include <string>
#include <utility>

#include "change.hpp"

namespace batch {
namespace {

/// More jobs than are submitted between two backups.
constexpr JobId ids_skipped = 1'000'000;

const std::string reason =
    "restored from a backup: it may have run since; release it if it has not";

bool waits(const Job& job) {
  if (!job.elements) return job.state == JobState::pending;
  return job.elements->counts[JobState::pending] > 0;
}

BatchRecord hold(const Job& job) {
  if (job.elements) {
    return ElementActionRecord{job.id, JobAction::hold, job.spec.array->indices, reason,
                               job.submitted};
  }
  JobChangeRecord record = change_record({job.id, std::nullopt}, job);
  record.state = JobState::held;
  record.reason = reason;
  record.not_before.reset();
  return record;
}

BatchRecord pause(const std::string& name, const Schedule& schedule) {
  ScheduleChangeRecord record;
  record.schedule = name;
  record.paused = true;
  record.due_first = schedule.due_first;
  record.next = schedule.next;
  record.edges = schedule.edges;
  record.counts = schedule.counts;
  return record;
}

}  // namespace

RestorePlan plan_restore(const BatchCore& state, const RestoreOptions& options) {
  RestorePlan plan;
  plan.next_job = state.last_job_id() + ids_skipped + 1;
  plan.records.emplace_back(JobIdRecord{plan.next_job - 1, options.number});
  if (!options.hold) return plan;
  for (const auto& [id, job] : state.jobs()) {
    if (job.spec.lost == LostPolicy::rerun || !waits(job)) continue;
    plan.records.push_back(hold(job));
    ++plan.held;
  }
  for (const auto& [name, schedule] : state.schedules()) {
    if (schedule.spec.paused) continue;
    plan.records.push_back(pause(name, schedule));
    ++plan.paused;
  }
  return plan;
}

}  // namespace batch
