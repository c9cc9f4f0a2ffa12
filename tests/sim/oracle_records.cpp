// What the durable records of the batch front end may say, one after the other.
#include <algorithm>
#include <variant>

#include "librm/sim/host.hpp"
#include "oracle.hpp"

namespace rm_sim {

using namespace librm;

void Oracle::on_commit(const RecordEntry& entry) {
  if (entry.stream != batch_stream) return;
  Result<batch::BatchRecord> record = batch::decode_batch_record(entry);
  if (!record) return world_.violation("cannot read a record: " + record.error().message);
  std::visit([this](const auto& r) { apply(r); }, *record);
}

void Oracle::apply(const batch::FrameworkIdRecord& record) { framework_ = record.framework; }

void Oracle::apply(const batch::JobsRecord& record) {
  for (const batch::Job& job : record.jobs) {
    if (!jobs_.try_emplace(job.id, KnownJob{job, {}}).second) {
      world_.violation("job id " + std::to_string(job.id) + " was used twice");
    }
  }
}

/// Occurrences are decided in their order, each once.
void Oracle::apply(const batch::ScheduleRunRecord& record) {
  apply(batch::JobsRecord{record.jobs, {}});
  if (!record.run.occurrence) return;
  std::uint64_t& decided = occurrences_[record.schedule];
  if (*record.run.occurrence < decided) {
    world_.violation("schedule " + record.schedule + ": occurrence " +
                     std::to_string(*record.run.occurrence) + " is run after it was decided");
  }
  decided = *record.run.occurrence + 1;
}

void Oracle::apply(const batch::ScheduleChangeRecord& record) {
  if (!record.missed) return;
  std::uint64_t& decided = occurrences_[record.schedule];
  if (record.missed->first < decided || record.missed->reason.empty()) {
    world_.violation("schedule " + record.schedule + ": occurrence " +
                     std::to_string(record.missed->first) +
                     " is missed after it was decided, or without a reason");
  }
  decided = record.missed->last + 1;
}

void Oracle::apply(const batch::ScheduleRemovedRecord& record) {
  occurrences_.erase(record.schedule);
}

Oracle::KnownJob* Oracle::known(batch::JobId job, std::string_view what) {
  const auto found = jobs_.find(job);
  if (found != jobs_.end()) return &found->second;
  world_.violation("job " + std::to_string(job) + " was " + std::string(what) +
                   " before it was durable");
  return nullptr;
}

void Oracle::apply(const batch::LaunchRecord& record) {
  for (const auto& [job, attempt] : record.launches) {
    KnownJob* entry = known(job, "launched");
    if (entry == nullptr) continue;
    check_launch(*entry, attempt);
    entry->attempts[{attempt.run, attempt.attempt}] = attempt;
    entry->job.state = batch::JobState::running;
    mark("launch");
  }
}

/// Whether another attempt may begin, given what is known of the earlier ones.
void Oracle::check_launch(const KnownJob& entry, const batch::Attempt& attempt) {
  const std::string name =
      "attempt " + std::to_string(attempt.attempt) + " of job " + std::to_string(entry.job.id);
  if (is_terminal(entry.job.state)) world_.violation(name + " is launched after the job's end");
  for (const auto& [number, earlier] : entry.attempts) {
    if (number.first != attempt.run) continue;
    if (number.second >= attempt.attempt) {
      world_.violation(name + " is launched after attempt " + std::to_string(number.second));
    }
    if (is_terminal(earlier.latest.state) || entry.job.spec.lost == batch::LostPolicy::rerun) {
      continue;
    }
    world_.violation(name + " is launched while attempt " + std::to_string(number.second) +
                     " is not known to be over");
  }
}

void Oracle::apply(const batch::JobChangeRecord& record) {
  KnownJob* entry = known(record.job, "changed");
  if (entry == nullptr) return;
  batch::Job& job = entry->job;
  if (is_terminal(job.state) &&
      (record.state != job.state || record.exit_code != job.exit_code ||
       record.signal != job.signal || record.ended != job.ended || record.run != job.run)) {
    world_.violation("job " + std::to_string(record.job) + " was " + batch::to_string(job.state) +
                     " and becomes " + batch::to_string(record.state));
  }
  job.state = record.state;
  job.run = record.run;
  job.exit_code = record.exit_code;
  job.signal = record.signal;
  job.ended = record.ended;
  if (!record.attempt) return;
  batch::Attempt& attempt = entry->attempts[{record.attempt->run, record.attempt->attempt}];
  if (is_terminal(attempt.latest.state) && attempt.latest.state != record.attempt->latest.state) {
    world_.violation("attempt " + std::to_string(record.attempt->attempt) + " of job " +
                     std::to_string(record.job) + " was " + to_string(attempt.latest.state) +
                     " and becomes " + to_string(record.attempt->latest.state));
  }
  attempt = *record.attempt;
  check_attempt(*entry, attempt);
}

/// A result on record is what really happened.
void Oracle::check_attempt(const KnownJob& entry, const batch::Attempt& attempt) {
  const StatusUpdate& latest = attempt.latest;
  if (!is_terminal(latest.state)) return;
  mark(std::string("attempt ") + to_string(latest.state));
  const std::string task =
      batch::task_id({entry.job.id, std::nullopt, attempt.run, attempt.attempt});
  const std::string claim = "task " + task + " is recorded as " + to_string(latest.state);
  const sim::TaskTruth* truth = truth_of(task);
  if (latest.state == TaskState::dropped) {
    if (truth != nullptr && truth->host->incarnation() == truth->incarnation) {
      world_.violation(claim + ", and was started on " + truth->host->name());
    }
    return;
  }
  if (latest.state == TaskState::gone || latest.state == TaskState::gone_by_operator) {
    if (truth != nullptr && truth->alive) world_.violation(claim + ", and runs");
    return;
  }
  const bool has_status = latest.exit_code || latest.signal;
  if (!has_status && latest.state != TaskState::finished) return;
  if (truth == nullptr || truth->alive) {
    world_.violation(claim + ", and " + (truth == nullptr ? "never ran" : "still runs"));
  } else if (truth->exit_code != latest.exit_code || truth->signal != latest.signal) {
    world_.violation(claim + ", but ended otherwise");
  } else if (latest.state == TaskState::finished && truth->exit_code != 0) {
    world_.violation(claim + ", but failed");
  }
}

void Oracle::apply(const batch::EdgeRecord& record) {
  KnownJob* entry = known(record.child, "given an edge");
  if (entry == nullptr) return;
  for (batch::Edge& edge : entry->job.edges) {
    if (edge.parent != record.edge.parent || edge.kind != record.edge.kind) continue;
    if (edge.state != batch::EdgeState::pending && edge.state != record.edge.state) {
      world_.violation("an edge of job " + std::to_string(record.child) + " changed its mind");
    }
    edge = record.edge;
  }
  if (record.edge.state == batch::EdgeState::satisfied && !satisfied(record.edge)) {
    world_.violation("job " + std::to_string(record.child) + ": the edge to " +
                     std::to_string(record.edge.parent) + " is not satisfied");
  }
}

void Oracle::apply(const batch::JobRemovedRecord& record) {
  world_.violation("job " + std::to_string(record.job) + " was removed, with room for all");
}

}  // namespace rm_sim
