// What schedules do as time passes: occurrences fall due, runs start, end, and start others.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "elements.hpp"
#include "librm/base/check.hpp"
#include "text.hpp"

namespace batch {

using librm::Result;

namespace {

bool has_live_run(const Schedule& schedule) {
  return std::any_of(schedule.runs.begin(), schedule.runs.end(),
                     [](const ScheduleRun& run) { return run.state == JobState::running; });
}

/// And not because what it depends on can never come true, as a branch for failures that was not
/// needed.
bool cancelled_by_somebody(const Job& job) {
  return job.state == JobState::cancelled &&
         std::none_of(job.edges.begin(), job.edges.end(),
                      [](const Edge& edge) { return edge.state == EdgeState::unsatisfiable; });
}

/// Past the last one that is due.
std::uint64_t due_end(const Schedule& schedule, const Occurrences& series) {
  if (schedule.next) return schedule.next->index;
  return series.count().value_or(schedule.due_first);
}

std::string lateness(librm::WallTime at, librm::Now now, const Schedule& schedule) {
  return "late by " + text::span(now.wall - at) + ", epsilon is " +
         text::span(schedule.spec.epsilon);
}

}  // namespace

Occurrences BatchCore::occurrences_of(const Schedule& schedule) const {
  auto series = Occurrences::make(*schedule.spec.expression, schedule.spec.zone, *options_.zones);
  LIBRM_CHECK(series.has_value(), "the expression was found good when it was added");
  return *series;
}

std::vector<librm::WallTime> BatchCore::upcoming(const Schedule& schedule,
                                                 std::size_t count) const {
  std::vector<librm::WallTime> times;
  if (!schedule.spec.expression || !schedule.next) return times;
  const Occurrences series = occurrences_of(schedule);
  for (auto next = schedule.next; next && times.size() < count;
       next = series.from(next->index + 1)) {
    times.push_back(next->at);
  }
  return times;
}

/// When time alone changes something for it.
std::optional<librm::WallTime> BatchCore::wake_of(const Schedule& schedule) const {
  if (schedule.spec.paused || !schedule.spec.expression) return std::nullopt;
  std::optional<librm::WallTime> wake;
  if (schedule.next) wake = schedule.next->at;
  const Occurrences series = occurrences_of(schedule);
  if (schedule.due_first >= due_end(schedule, series)) return wake;
  if (!has_live_run(schedule)) return librm::WallTime{};  // what is due waits for a look
  if (schedule.spec.catch_up == CatchUp::skip) {
    const librm::WallTime expiry =
        *series.at(schedule.due_first) + schedule.spec.epsilon + librm::nanoseconds(1);
    wake = wake ? std::min(*wake, expiry) : expiry;
  }
  return wake;
}

void BatchCore::resume_schedules(librm::Now now, BatchActions& out) {
  std::vector<std::string> names;
  for (const auto& [name, schedule] : schedules_) {
    names.push_back(name);
    for (const ScheduleRun& run : schedule.runs) {
      if (run.state == JobState::running) ending_runs_.push_back({name, run.number, run.nominal});
    }
  }
  settle_runs(now, out);
  for (const std::string& name : names) {
    run_due(now, name, out);
    start_after_parents(now, name, out);
  }
  settle_edges(now, out);
  settle_runs(now, out);
}

void BatchCore::on_schedules(librm::Now now, BatchActions& out) {
  if (storage_low_) return;
  while (!schedule_wakes_.empty() && schedule_wakes_.begin()->first <= now.wall) {
    const auto [wake, name] = *schedule_wakes_.begin();
    run_due(now, name, out);
    const auto still = schedules_.find(name);
    if (still != schedules_.end() && wake_of(still->second) == wake) break;  // made no progress
  }
}

/// Occurrences become due, those that are too late are given up, and what may start does.
void BatchCore::run_due(librm::Now now, const std::string& name, BatchActions& out) {
  const auto found = schedules_.find(name);
  if (found == schedules_.end() || storage_low_) return;
  const Schedule& schedule = found->second;
  if (schedule.spec.paused || !schedule.spec.expression) return;
  const Occurrences series = occurrences_of(schedule);
  ScheduleChangeRecord record = change_of(schedule);
  bool news = false;
  if (schedule.next && schedule.next->at <= now.wall) {
    record.next = series.first_at_or_after(now.wall + librm::nanoseconds(1));
    news = true;
  }
  const std::uint64_t end =
      record.next
          ? record.next->index
          : series.count().value_or(schedule.next ? schedule.next->index + 1 : schedule.due_first);
  if (schedule.due_first < end && miss_late(now, schedule, series, record)) news = true;
  if (news) {
    persist(std::move(record), out);
    changed(name, out);
  }
  start_due(now, name, series, out);
}

/// By policy; true where some are given up.
bool BatchCore::miss_late(librm::Now now, const Schedule& schedule, const Occurrences& series,
                          ScheduleChangeRecord& record) const {
  const ScheduleSpec& spec = schedule.spec;
  const std::uint64_t end =
      record.next ? record.next->index
                  : series.count().value_or(schedule.next ? schedule.next->index + 1 : 0);
  const auto on_time = series.first_at_or_after(now.wall - spec.epsilon);
  const std::uint64_t first_on_time = on_time ? std::min(on_time->index, end) : end;
  std::uint64_t keep = record.due_first;
  std::string reason;
  if (spec.catch_up == CatchUp::skip) {
    keep = std::max(keep, first_on_time);
  } else if (spec.catch_up == CatchUp::last) {
    // Of several that coincide the first stands for all.
    keep =
        std::max(keep, first_on_time < end ? first_on_time
                                           : series.first_at_or_after(*series.at(end - 1))->index);
  }
  if (keep > record.due_first) {
    reason = lateness(*series.at(record.due_first), now, schedule) + ", catch-up policy '" +
             to_string(spec.catch_up) + "'";
    if (has_live_run(schedule)) {
      reason += "; run " + std::to_string(schedule.run_last) + " went on meanwhile";
    }
  }
  if (end - keep > spec.catch_up_max) {
    keep = end - spec.catch_up_max;
    reason = "more than " + std::to_string(spec.catch_up_max) + " occurrences waited";
  }
  if (keep == record.due_first) return false;
  record.missed = MissedOccurrences{record.due_first, keep - 1, *series.at(record.due_first),
                                    *series.at(keep - 1), std::move(reason)};
  record.due_first = keep;
  trace(spec.name, "missed occurrences " + std::to_string(record.missed->first) + " to " +
                       std::to_string(record.missed->last) + ": " + record.missed->reason);
  return true;
}

/// What the overlap policy says now; `replace` sees to it that it may soon.
bool BatchCore::may_start(librm::Now now, const Schedule& schedule, BatchActions& out) {
  if (schedule.spec.overlap == Overlap::allow || !has_live_run(schedule)) return true;
  if (schedule.spec.overlap == Overlap::forbid) return false;
  std::vector<JobId> live;
  for (const ScheduleRun& run : schedule.runs) {
    if (run.state == JobState::running) live.insert(live.end(), run.jobs.begin(), run.jobs.end());
  }
  for (const JobId id : live) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end() || !suits(JobAction::cancel, found->second)) continue;
    act(now, found->second, JobAction::cancel, "replaced by the next run of its schedule", out);
  }
  return false;
}

void BatchCore::start_due(librm::Now now, const std::string& name, const Occurrences& series,
                          BatchActions& out) {
  while (true) {
    const Schedule& schedule = schedules_.at(name);
    const std::uint64_t end = due_end(schedule, series);
    if (schedule.due_first >= end) return;
    auto occurrence = series.from(schedule.due_first);
    const bool none = !occurrence || occurrence->index >= end;
    if (!none && !may_start(now, schedule, out)) return;
    const auto newest = series.first_at_or_after(*series.at(end - 1));
    ScheduleChangeRecord change = change_of(schedule);
    if (none) {
      change.due_first = end;  // all that is left coincides with what was started
      persist(std::move(change), out);
      return;
    }
    if (schedule.spec.overlap == Overlap::replace && newest->index > occurrence->index) {
      change.missed =
          MissedOccurrences{schedule.due_first, newest->index - 1, *series.at(schedule.due_first),
                            *series.at(newest->index - 1), "replaced by a later one"};
      change.due_first = newest->index;
      persist(std::move(change), out);
      occurrence = newest;
    }
    ScheduleRun run;
    run.cause = RunCause::occurrence;
    run.occurrence = occurrence->index;
    run.nominal = occurrence->at;
    ScheduleRunRecord record;
    record.due_first = std::min(occurrence->index + 1, end);
    record.next = schedule.next;
    record.edges = schedule.edges;
    // A run that cannot be started is recorded as one that failed.
    static_cast<void>(start_run(now, name, std::move(run), "", std::move(record), out));
  }
}

void BatchCore::start_after_parents(librm::Now now, const std::string& name, BatchActions& out) {
  const auto found = schedules_.find(name);
  if (found == schedules_.end() || found->second.spec.paused || storage_low_) return;
  const Schedule& schedule = found->second;
  if (schedule.edges.empty() ||
      std::any_of(schedule.edges.begin(), schedule.edges.end(),
                  [](const ScheduleEdge& edge) { return edge.run == 0; })) {
    return;
  }
  if (!may_start(now, schedule, out)) return;
  ScheduleRun run;
  run.cause = RunCause::parents;
  run.nominal = now.wall;
  ScheduleRunRecord record;
  record.due_first = schedule.due_first;
  record.next = schedule.next;
  record.edges = schedule.edges;
  for (ScheduleEdge& edge : record.edges) {
    run.parents.push_back({edge.parent, edge.run});
    edge.run = 0;
  }
  static_cast<void>(start_run(now, name, std::move(run), "", std::move(record), out));
}

/// Its jobs with their names of this run, by which they know each other, too.
std::vector<JobSpec> BatchCore::run_jobs(const Schedule& schedule, std::uint32_t run,
                                         const std::string& arguments) const {
  const std::string prefix = schedule.spec.name + "." + std::to_string(run);
  const std::vector<JobSpec>& templates = schedule.spec.jobs;
  const bool alone = templates.size() == 1;
  std::map<std::string_view, std::string> names;
  for (const JobSpec& spec : templates) {
    if (!spec.name.empty()) names.emplace(spec.name, alone ? prefix : prefix + "." + spec.name);
  }
  std::vector<JobSpec> jobs;
  for (const JobSpec& spec : templates) {
    JobSpec& job = jobs.emplace_back(spec);
    const auto named = names.find(spec.name);
    job.name = named == names.end() ? prefix : named->second;
    for (DependencySpec& dependency : job.dependencies) {
      const auto sibling = names.find(dependency.parent);
      if (sibling != names.end()) dependency.parent = sibling->second;
    }
    if (arguments.empty()) continue;
    if (job.command.shell) {
      job.command.value += " " + arguments;
    } else {
      job.command.arguments.push_back(arguments);
    }
  }
  return jobs;
}

/// `record` has what the schedule is afterwards, but for the run. The error is the run's, too.
Checked<std::uint32_t> BatchCore::start_run(librm::Now now, const std::string& name,
                                            ScheduleRun run, const std::string& arguments,
                                            ScheduleRunRecord record, BatchActions& out) {
  const Schedule& schedule = schedules_.at(name);
  run.number = schedule.run_last + 1;
  run.started = now.wall;
  record.schedule = name;
  record.counts = schedule.counts;
  SubmitJobs request;
  request.jobs = run_jobs(schedule, run.number, arguments);
  auto jobs = prepare(now, request);
  Checked<std::uint32_t> answer = run.number;
  if (jobs) {
    record.jobs = std::move(*jobs);
    for (Job& job : record.jobs) {
      job.schedule = ScheduleRef{name, run.number, run.nominal};
      run.jobs.push_back(job.id);
    }
  } else {
    run.state = JobState::failed;
    run.ended = now.wall;
    run.reason = jobs.error().message;
    ++record.counts.errors;
    ++record.counts.errors_since_success;
    record.counts.last_error = now.wall;
    answer = tl::unexpected(jobs.error());
  }
  trace(name, "run " + std::to_string(run.number) + " " +
                  (jobs ? "starts" : "cannot start: " + run.reason));
  const std::vector<JobId> ids = run.jobs;
  const ScheduleRef ref{name, run.number, run.nominal};
  record.run = std::move(run);
  persist(std::move(record), out);
  welcome(now, ids, out);
  changed(name, out);
  // The children of a run that has ended at once are looked at as those of any other.
  if (ids.empty()) ending_runs_.push_back(ref);
  return answer;
}

/// Runs whose jobs are all over, and what they let start: a list of work, not recursion.
void BatchCore::settle_runs(librm::Now now, BatchActions& out) {
  while (!ending_runs_.empty()) {
    const ScheduleRef ref = ending_runs_.front();
    ending_runs_.pop_front();
    settle_run(now, ref, out);
    settle_edges(now, out);
  }
}

void BatchCore::settle_run(librm::Now now, const ScheduleRef& ref, BatchActions& out) {
  const auto found = schedules_.find(ref.schedule);
  if (found == schedules_.end()) return;
  const Schedule& schedule = found->second;
  const auto at = std::find_if(schedule.runs.begin(), schedule.runs.end(),
                               [&](const ScheduleRun& run) { return run.number == ref.run; });
  if (at == schedule.runs.end()) return;
  if (at->state == JobState::running) {
    ScheduleRun run = *at;
    run.state = JobState::finished;
    run.ended = run.started;
    for (const JobId id : run.jobs) {
      const Job* job = find(id);
      if (job == nullptr) continue;
      if (!is_terminal(job->state)) return;
      run.ended = std::max(*run.ended, job->ended.value_or(now.wall));
      if (job->state == JobState::failed) run.state = JobState::failed;
      if (cancelled_by_somebody(*job) && run.state != JobState::failed) {
        run.state = JobState::cancelled;
      }
    }
    ScheduleChangeRecord record = change_of(schedule);
    if (run.state == JobState::finished) {
      ++record.counts.successes;
      record.counts.errors_since_success = 0;
      record.counts.last_success = run.ended;
    } else if (run.state == JobState::failed) {
      ++record.counts.errors;
      ++record.counts.errors_since_success;
      record.counts.last_error = run.ended;
    }
    trace(ref.schedule, "run " + std::to_string(run.number) + " " + to_string(run.state));
    record.run = std::move(run);
    persist(std::move(record), out);
    changed(ref.schedule, out);
  }
  // What waited for its end: its own next run, and its children's.
  run_due(now, ref.schedule, out);
  start_after_parents(now, ref.schedule, out);
  std::vector<std::string> children;
  for (auto child = schedule_children_.lower_bound({ref.schedule, ""});
       child != schedule_children_.end() && child->first == ref.schedule; ++child) {
    children.push_back(child->second);
  }
  for (const std::string& child : children) start_after_parents(now, child, out);
}

}  // namespace batch
