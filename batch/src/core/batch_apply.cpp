// Records into state: the only mutator of what is durable, and its way back into a snapshot.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "elements.hpp"

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

bool has_live_attempt(const Execution& execution) {
  return std::any_of(execution.attempts.begin(), execution.attempts.end(),
                     [](const Attempt& a) { return !is_terminal(a.latest.state); });
}

/// Elements in one record of a snapshot.
constexpr std::size_t elements_per_record = 1000;

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
  if (stored.elements) count_elements(stored);
  index_job(stored);
  job_id_last_ = std::max(job_id_last_, job.id);
}

/// None where the job is forgotten, or the element was never launched.
std::optional<BatchCore::Element> BatchCore::find_element(const ElementId& id) {
  const auto found = jobs_.find(id.job);
  if (found == jobs_.end()) return std::nullopt;
  Job& job = found->second;
  if (id.index.has_value() != job.elements.has_value()) return std::nullopt;
  if (!id.index) return Element{job, job, std::nullopt};
  const auto element = job.elements->launched.find(*id.index);
  if (element == job.elements->launched.end()) return std::nullopt;
  return Element{job, element->second, id.index};
}

/// Changes a job that is there, or an element of it, by `change(Execution&)`.
template <class Change>
void BatchCore::alter(const ElementId& id, Change change) {
  Job& job = jobs_.at(id.job);
  unindex_job(job);
  Execution& execution = id.index ? launched_element(job, *id.index) : job;
  const JobState before = execution.state;
  change(execution);
  if (id.index) {
    note_change(job, before, execution);
    settle_whole(job);
    index_attempts(id, execution);
  }
  index_job(job);
}

void BatchCore::apply_one(const LaunchRecord& record) {
  for (const LaunchRecord::Launch& launch : record.launches) {
    if (jobs_.count(launch.job) == 0) continue;
    alter({launch.job, launch.index}, [&](Execution& execution) {
      put_attempt(execution.attempts, launch.attempt);
      execution.state = JobState::running;
      execution.reason.clear();
      execution.not_before.reset();
    });
  }
}

void BatchCore::apply_one(const JobChangeRecord& record) {
  const ElementId id{record.job, record.index};
  const auto element = find_element(id);
  if (!element) return;
  if (id.index && record.started) note_start(element->job, *record.started);
  alter(id, [&](Execution& execution) {
    execution.state = record.state;
    execution.reason = record.reason;
    execution.cancel_requested = record.cancel_requested;
    execution.run = record.run;
    execution.failures = record.failures;
    execution.started = record.started;
    execution.ended = record.ended;
    execution.not_before = record.not_before;
    execution.exit_code = record.exit_code;
    execution.signal = record.signal;
    if (record.attempt) put_attempt(execution.attempts, *record.attempt);
  });
  started_in_memory_.erase(id);
}

void BatchCore::apply_one(const ElementActionRecord& record) {
  const auto found = jobs_.find(record.job);
  if (found == jobs_.end() || !found->second.elements) return;
  Job& job = found->second;
  unindex_job(job);
  act_on_elements(job, record);
  settle_whole(job);
  index_job(job);
}

void BatchCore::apply_one(const ElementsFreedRecord& record) {
  const auto found = jobs_.find(record.job);
  if (found != jobs_.end() && found->second.elements) {
    found->second.elements->freed = record.indices;
  }
}

void BatchCore::apply_one(const ElementsRecord& record) {
  const auto found = jobs_.find(record.job);
  if (found == jobs_.end() || !found->second.elements) return;
  ArrayElements& elements = *found->second.elements;
  for (const auto& [index, execution] : record.launched) {
    elements.launched.insert_or_assign(index, execution);
    elements.counts.add(execution.state, 1);
    index_attempts({record.job, index}, execution);
  }
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
  const Job& job = found->second;
  unindex_job(job);
  names_.erase({job.spec.name, record.job});
  const auto gone = [&](const ElementId& id) {
    with_live_attempts_.erase(id);
    started_in_memory_.erase(id);
  };
  gone({job.id, std::nullopt});
  if (job.elements) {
    for (const auto& [index, execution] : job.elements->launched) gone({job.id, index});
  }
  retriable_.erase(record.job);
  eligible_.erase(record.job);
  jobs_.erase(found);
}

void BatchCore::apply_one(const SubmissionKeyRecord& record) {
  remember_key(record.key, record.jobs);
}

void BatchCore::apply_one(const JobIdRecord& record) {
  job_id_last_ = std::max(job_id_last_, record.last);
  attempts_before_ = std::max(attempts_before_, record.attempts_before);
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
  if (!job.elements) index_attempts({job.id, std::nullopt}, job);
  if (is_terminal(job.state)) {
    ended_.insert({job.ended.value_or(librm::WallTime{}), job.id});
    ended_size_ += size_of(job.spec);
  } else {
    for (const Edge& edge : job.edges) children_.insert({edge.parent, job.id});
    live_size_ += size_of(job.spec);
  }
}

void BatchCore::index_attempts(const ElementId& id, const Execution& execution) {
  if (has_live_attempt(execution)) {
    with_live_attempts_.insert(id);
  } else {
    with_live_attempts_.erase(id);
  }
}

/// Its name stays: a job is unindexed to change, and names never do.
void BatchCore::unindex_job(const Job& job) {
  if (is_terminal(job.state)) {
    ended_.erase({job.ended.value_or(librm::WallTime{}), job.id});
    ended_size_ -= size_of(job.spec);
  } else {
    for (const Edge& edge : job.edges) children_.erase({edge.parent, job.id});
    live_size_ -= size_of(job.spec);
  }
}

/// Without what is known from updates that no record tells of: the form that replay ends in.
Execution BatchCore::durable_form(const ElementId& id, Execution execution) const {
  for (Attempt& attempt : execution.attempts) {
    if (is_terminal(attempt.latest.state)) continue;
    attempt.latest = librm::StatusUpdate{};
    attempt.latest.task = task_id({id.job, id.index, attempt.run, attempt.attempt});
    attempt.latest.agent = attempt.agent;
    if (framework_) attempt.latest.framework = *framework_;
  }
  if (started_in_memory_.count(id) != 0) execution.started.reset();
  if (execution.state == JobState::running && !execution.cancel_requested) execution.reason.clear();
  return execution;
}

/// The job, and if it is an array, the elements that were launched after it.
void BatchCore::snapshot_job(const Job& job, std::vector<BatchRecord>& records) const {
  JobsRecord whole;
  Job& durable = whole.jobs.emplace_back();
  static_cast<Execution&>(durable) = durable_form({job.id, std::nullopt}, job);
  durable.id = job.id;
  durable.spec = job.spec;
  durable.edges = job.edges;
  durable.schedule = job.schedule;
  durable.submitted = job.submitted;
  if (job.elements) {
    durable.started = job.elements->started;
    durable.elements.emplace();
    durable.elements->groups = job.elements->groups;
    durable.elements->started = job.elements->started;
    durable.elements->ended = job.elements->ended;
    count_elements(durable);
  }
  records.emplace_back(std::move(whole));
  if (!job.elements) return;
  ElementsRecord part{job.id, {}};
  for (const auto& [index, execution] : job.elements->launched) {
    part.launched.emplace(index, durable_form({job.id, index}, execution));
    if (part.launched.size() < elements_per_record) continue;
    records.emplace_back(std::exchange(part, ElementsRecord{job.id, {}}));
  }
  if (!part.launched.empty()) records.emplace_back(std::move(part));
  if (!job.elements->freed.empty()) {
    records.emplace_back(ElementsFreedRecord{job.id, job.elements->freed});
  }
}

std::vector<BatchRecord> BatchCore::snapshot() const {
  std::vector<BatchRecord> records;
  if (framework_) records.emplace_back(FrameworkIdRecord{*framework_});
  records.emplace_back(JobIdRecord{job_id_last_, attempts_before_});
  for (const std::string& key : keys_by_age_) {
    records.emplace_back(SubmissionKeyRecord{key, keys_.at(key)});
  }
  for (const auto& [name, schedule] : schedules_) records.emplace_back(ScheduleRecord{schedule});
  for (const auto& [id, job] : jobs_) snapshot_job(job, records);
  return records;
}

}  // namespace batch
