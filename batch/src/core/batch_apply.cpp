// Records into state: the only mutator of what is durable, and its way back into a snapshot.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"

namespace batch {

namespace {

constexpr std::size_t attempts_kept = 20;
constexpr std::size_t keys_kept = 10'000;

bool older(const Attempt& a, const Attempt& b) {
  return std::pair(a.run, a.attempt) < std::pair(b.run, b.attempt);
}

/// Keeps all that is live and, of what has ended, the latest.
void put_attempt(std::vector<Attempt>& attempts, const Attempt& attempt) {
  auto at = std::lower_bound(attempts.begin(), attempts.end(), attempt, older);
  if (at != attempts.end() && !older(attempt, *at)) {
    *at = attempt;
  } else {
    attempts.insert(at, attempt);
  }
  while (attempts.size() > attempts_kept) {
    auto ended = std::find_if(attempts.begin(), attempts.end() - 1,
                              [](const Attempt& a) { return is_terminal(a.latest.state); });
    if (ended == attempts.end() - 1) break;
    attempts.erase(ended);
  }
}

bool has_live_attempt(const Job& job) {
  return std::any_of(job.attempts.begin(), job.attempts.end(),
                     [](const Attempt& a) { return !is_terminal(a.latest.state); });
}

}  // namespace

void BatchCore::apply(const BatchRecord& record) {
  std::visit([this](const auto& one) { apply_one(one); }, record);
}

void BatchCore::persist(BatchRecord record, BatchActions& out) {
  apply(record);
  out.record(std::move(record));
}

void BatchCore::apply_one(const FrameworkIdRecord& record) { framework_ = record.framework; }

void BatchCore::apply_one(const JobsRecord& record) {
  std::vector<JobId> ids;
  for (const Job& job : record.jobs) {
    put_job(job);
    ids.push_back(job.id);
  }
  if (!record.idempotency_key.empty()) remember_key(record.idempotency_key, std::move(ids));
}

void BatchCore::put_job(const Job& job) {
  auto found = jobs_.find(job.id);
  if (found != jobs_.end()) unindex_job(found->second);
  Job& stored = jobs_[job.id];
  stored = job;
  index_job(stored);
  job_id_last_ = std::max(job_id_last_, job.id);
}

void BatchCore::apply_one(const LaunchRecord& record) {
  for (const LaunchRecord::Launch& launch : record.launches) {
    auto found = jobs_.find(launch.job);
    if (found == jobs_.end()) continue;
    Job& job = found->second;
    unindex_job(job);
    put_attempt(job.attempts, launch.attempt);
    job.state = JobState::running;
    job.reason.clear();
    job.not_before.reset();
    index_job(job);
  }
}

void BatchCore::apply_one(const JobChangeRecord& record) {
  auto found = jobs_.find(record.job);
  if (found == jobs_.end()) return;
  Job& job = found->second;
  unindex_job(job);
  job.state = record.state;
  job.reason = record.reason;
  job.cancel_requested = record.cancel_requested;
  job.run = record.run;
  job.failures = record.failures;
  job.started = record.started;
  job.ended = record.ended;
  job.not_before = record.not_before;
  job.exit_code = record.exit_code;
  job.signal = record.signal;
  if (record.attempt) put_attempt(job.attempts, *record.attempt);
  started_in_memory_.erase(job.id);
  index_job(job);
}

void BatchCore::apply_one(const EdgeRecord& record) {
  auto found = jobs_.find(record.child);
  if (found == jobs_.end()) return;
  for (Edge& edge : found->second.edges) {
    if (edge.parent == record.edge.parent && edge.kind == record.edge.kind) edge = record.edge;
  }
}

void BatchCore::apply_one(const JobRemovedRecord& record) {
  auto found = jobs_.find(record.job);
  if (found == jobs_.end()) return;
  unindex_job(found->second);
  names_.erase({found->second.spec.name, record.job});
  started_in_memory_.erase(record.job);
  jobs_.erase(found);
}

void BatchCore::apply_one(const SubmissionKeyRecord& record) {
  remember_key(record.key, record.jobs);
}

void BatchCore::apply_one(const JobIdRecord& record) {
  job_id_last_ = std::max(job_id_last_, record.last);
}

void BatchCore::remember_key(const std::string& key, std::vector<JobId> jobs) {
  if (!keys_.emplace(key, std::move(jobs)).second) return;
  keys_by_age_.push_back(key);
  if (keys_by_age_.size() <= keys_kept) return;
  keys_.erase(keys_by_age_.front());
  keys_by_age_.pop_front();
}

void BatchCore::index_job(const Job& job) {
  names_.insert({job.spec.name, job.id});
  if (has_live_attempt(job)) with_live_attempts_.insert(job.id);
  if (is_terminal(job.state)) {
    ended_.insert({job.ended.value_or(librm::WallTime{}), job.id});
  } else {
    for (const Edge& edge : job.edges) children_.insert({edge.parent, job.id});
  }
}

/// Its name stays: a job is unindexed to change, and names never do.
void BatchCore::unindex_job(const Job& job) {
  with_live_attempts_.erase(job.id);
  if (is_terminal(job.state)) {
    ended_.erase({job.ended.value_or(librm::WallTime{}), job.id});
  } else {
    for (const Edge& edge : job.edges) children_.erase({edge.parent, job.id});
  }
}

/// Without what is known from updates that no record tells of: the form that replay ends in.
Job BatchCore::durable_form(const Job& job) const {
  Job durable = job;
  for (Attempt& attempt : durable.attempts) {
    if (is_terminal(attempt.latest.state)) continue;
    attempt.latest = librm::StatusUpdate{};
    attempt.latest.task = task_id({job.id, std::nullopt, attempt.run, attempt.attempt});
    attempt.latest.agent = attempt.agent;
    if (framework_) attempt.latest.framework = *framework_;
  }
  if (started_in_memory_.count(job.id) != 0) durable.started.reset();
  if (job.state == JobState::running && !job.cancel_requested) durable.reason.clear();
  return durable;
}

std::vector<BatchRecord> BatchCore::snapshot() const {
  std::vector<BatchRecord> records;
  if (framework_) records.emplace_back(FrameworkIdRecord{*framework_});
  records.emplace_back(JobIdRecord{job_id_last_});
  for (const std::string& key : keys_by_age_) {
    records.emplace_back(SubmissionKeyRecord{key, keys_.at(key)});
  }
  for (const auto& [name, schedule] : schedules_) records.emplace_back(ScheduleRecord{schedule});
  for (const auto& [id, job] : jobs_) records.emplace_back(JobsRecord{{durable_form(job)}, {}});
  return records;
}

}  // namespace batch
