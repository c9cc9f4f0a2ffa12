// Schedules as people change them: added, replaced, paused, triggered, removed.
#include <algorithm>
#include <utility>

#include "batch/batch.hpp"
#include "text.hpp"
#include "validate.hpp"

namespace batch {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr std::size_t name_size_max = 100;
constexpr std::size_t job_name_size_max = 128;
constexpr std::size_t run_digits_max = 10;
constexpr std::size_t parents_max = 100;
constexpr std::size_t jobs_max = 1000;
constexpr librm::Duration epsilon_max = librm::seconds(366ll * 86'400);
constexpr std::uint32_t catch_up_limit = 10'000;

tl::unexpected<librm::Error> wrong(std::string what) {
  return fail(ErrorCode::invalid_argument, std::move(what));
}

}  // namespace

ScheduleChangeRecord BatchCore::change_of(const Schedule& schedule) const {
  ScheduleChangeRecord record;
  record.schedule = schedule.spec.name;
  record.paused = schedule.spec.paused;
  record.due_first = schedule.due_first;
  record.next = schedule.next;
  record.edges = schedule.edges;
  record.counts = schedule.counts;
  return record;
}

void BatchCore::changed(const std::string& schedule, BatchActions& out) const {
  out.output(ScheduleChanged{schedule});
}

/// Fills in what was left out, and says what is wrong; the error begins with the field.
Result<void> BatchCore::check_schedule(librm::Now now, ScheduleSpec& spec) const {
  if (spec.name.size() > name_size_max) {
    return wrong("name: " + std::to_string(spec.name.size()) + " bytes, at most " +
                 std::to_string(name_size_max));
  }
  if (spec.name.empty()) return wrong("name: is missing");
  JobSpec named;
  named.name = spec.name;
  named.description = spec.description;
  named.command.value = "true";
  if (auto ok = check_spec(named); !ok) return ok;
  if (spec.epsilon.ns < 0 || spec.epsilon > epsilon_max) {
    return wrong("epsilon: " + text::span(spec.epsilon) + " is outside of 0 to 366 days");
  }
  if (spec.catch_up_max < 1 || spec.catch_up_max > catch_up_limit) {
    return wrong("catch_up_max: " + std::to_string(spec.catch_up_max) +
                 " is outside of 1 to 10000");
  }
  if (!spec.expression) {
    if (spec.parents.empty()) return wrong("schedule: is missing, and there are no parents");
    return check_parents(spec);
  }
  if (!spec.parents.empty()) return wrong("schedule: there are parents, too; give one of them");
  if (!spec.zone.empty() && !options_.zones->knows(spec.zone)) {
    return wrong("schedule_timezone: no zone " + text::quoted(spec.zone) +
                 " is known; give a name such as Europe/Prague");
  }
  auto whole = with_start(*spec.expression, now.wall, spec.zone, *options_.zones);
  if (!whole) return wrong("schedule: " + whole.error().message);
  spec.expression = *whole;
  auto series = Occurrences::make(*spec.expression, spec.zone, *options_.zones);
  if (!series) return wrong("schedule: " + series.error().message);
  if (!series->at(0)) return wrong("schedule: it has no occurrence at all");
  if (spec.catch_up == CatchUp::skip && !series->first_at_or_after(now.wall - spec.epsilon)) {
    return wrong(
        "schedule: all of its occurrences are past; it would never run unless catch_up "
        "is 'last' or 'all'");
  }
  return {};
}

/// How many there are, and that the names are good ones, of all of their runs, too.
Checked<void> BatchCore::check_schedule_jobs(const ScheduleSpec& spec) {
  const auto refuse = [](std::string what, std::string path) {
    return tl::unexpected(Refusal{{ErrorCode::invalid_argument, std::move(what)}, std::move(path)});
  };
  if (spec.jobs.empty()) return refuse("jobs: the list is empty", "/jobs");
  if (spec.jobs.size() > jobs_max) {
    return refuse("jobs: " + std::to_string(spec.jobs.size()) + ", at most 1000", "/jobs");
  }
  for (std::size_t i = 0; i < spec.jobs.size(); ++i) {
    JobSpec named;
    named.name = spec.jobs[i].name;
    named.command.value = "true";
    if (auto ok = check_spec(named); !ok) {
      return refuse(label_of(spec.jobs, i) + ": " + ok.error().message,
                    "/jobs/" + std::to_string(i) + "/name");
    }
  }
  if (spec.jobs.size() == 1) return {};
  const std::size_t prefix_size_max = spec.name.size() + 2 + run_digits_max;
  for (std::size_t i = 0; i < spec.jobs.size(); ++i) {
    const std::string& name = spec.jobs[i].name;
    const std::string field = label_of(spec.jobs, i) + ": name: ";
    const std::string path = "/jobs/" + std::to_string(i) + "/name";
    if (name.empty()) return refuse(field + "is missing; each of several jobs needs one", path);
    if (prefix_size_max + name.size() <= job_name_size_max) continue;
    return refuse(field + std::to_string(name.size()) + " bytes, at most " +
                      std::to_string(job_name_size_max - prefix_size_max) +
                      ", as its runs are named SCHEDULE.RUN.JOB",
                  path);
  }
  return {};
}

Result<void> BatchCore::check_parents(const ScheduleSpec& spec) const {
  if (spec.parents.size() > parents_max) {
    return wrong(std::string("after_") + to_string(spec.parents[parents_max].kind) + ": " +
                 std::to_string(spec.parents.size()) + " parents together, at most 100");
  }
  std::set<std::string> seen;
  for (const ParentSpec& parent : spec.parents) {
    const std::string field = std::string("after_") + to_string(parent.kind);
    if (parent.kind == EdgeKind::start || parent.kind == EdgeKind::corresponding) {
      return wrong(field + ": a schedule waits for ends: after_ok, after_any or after_notok");
    }
    if (schedules_.count(parent.schedule) == 0 && parent.schedule != spec.name) {
      return wrong(field + ": no schedule " + text::quoted(parent.schedule) + " is known");
    }
    if (!seen.insert(parent.schedule).second) {
      return wrong(field + ": " + text::quoted(parent.schedule) + " is given twice");
    }
  }
  // Whoever is reached from the parents upwards must not be this one.
  std::set<std::string> visited;
  for (const ParentSpec& first : spec.parents) {
    std::vector<std::string> path{first.schedule};
    while (!path.empty()) {
      const std::string name = path.back();
      path.pop_back();
      if (name == spec.name) {
        return wrong(std::string("after_") + to_string(first.kind) +
                     ": it would wait for itself by way of " + text::quoted(first.schedule));
      }
      if (!visited.insert(name).second) continue;
      const auto found = schedules_.find(name);
      if (found == schedules_.end()) continue;
      for (const ParentSpec& parent : found->second.spec.parents) path.push_back(parent.schedule);
    }
  }
  return {};
}

Checked<void> BatchCore::add_schedule(librm::Now now, const AddSchedule& request,
                                      BatchActions& out) {
  Schedule schedule;
  schedule.spec = request.spec;
  ScheduleSpec& spec = schedule.spec;
  const std::string label = "schedule " + text::quoted(spec.name) + ": ";
  const auto blame = [&](const librm::Error& error, std::string path = "") {
    return tl::unexpected(Refusal{{error.code, label + error.message}, std::move(path)});
  };
  const bool begins_now = spec.expression && !spec.expression->start;
  for (JobSpec& job : spec.jobs) job = with_defaults(std::move(job));
  if (auto ok = check_schedule(now, spec); !ok) {
    return blame(ok.error(), field_path(ok.error().message));
  }
  if (auto ok = check_schedule_jobs(spec); !ok) return blame(ok.error(), ok.error().path);
  const auto known = schedules_.find(spec.name);
  if (known != schedules_.end() && !request.replace) {
    return blame({ErrorCode::already_exists, "there is one of that name already"}, "/name");
  }
  if (storage_low_) {
    return blame(
        {ErrorCode::unavailable, "nothing is taken: the disk of the journal is nearly full"});
  }
  if (known == schedules_.end() && schedules_.size() >= options_.schedules_max) {
    return blame({ErrorCode::resource_exhausted, "there are " + std::to_string(schedules_.size()) +
                                                     " schedules, which is the limit"});
  }
  schedule.added = now.wall;
  for (const ParentSpec& parent : spec.parents) {
    schedule.edges.push_back({parent.schedule, parent.kind, 0});
  }
  std::optional<Occurrences> series;
  if (spec.expression) {
    series = occurrences_of(schedule);
    schedule.next = series->from(0);
  }
  if (known != schedules_.end()) {
    const Schedule& old = known->second;
    schedule.added = old.added;
    schedule.run_last = old.run_last;
    schedule.runs = old.runs;
    schedule.missed = old.missed;
    schedule.counts = old.counts;
    for (ScheduleEdge& edge : schedule.edges) {
      for (const ScheduleEdge& before : old.edges) {
        if (before.parent == edge.parent && before.kind == edge.kind) edge.run = before.run;
      }
    }
    if (spec.expression && spec.expression == old.spec.expression && spec.zone == old.spec.zone) {
      schedule.due_first = old.due_first;
      schedule.next = old.next;
    } else if (series && !begins_now) {
      // What the new expression would have done before it was there is not made up for.
      schedule.next = series->first_at_or_after(now.wall);
      schedule.due_first = schedule.next ? schedule.next->index : series->count().value_or(0);
    }
  }
  // A run's jobs as they would be submitted: what is wrong is said now, not at night.
  SubmitJobs jobs;
  jobs.jobs = run_jobs(schedule, schedule.run_last + 1, "");
  if (auto ok = prepare(now, jobs); !ok) return blame(ok.error(), ok.error().path);
  if (request.dry_run) return {};
  const std::string name = spec.name;
  persist(ScheduleRecord{std::move(schedule)}, out);
  changed(name, out);
  run_due(now, name, out);
  start_after_parents(now, name, out);
  return {};
}

Checked<std::uint32_t> BatchCore::control_schedule(librm::Now now, const ControlSchedule& request,
                                                   BatchActions& out) {
  const std::string& name = request.schedule;
  const std::string label = "schedule " + text::quoted(name) + ": ";
  const auto refuse = [&](const librm::Error& error, std::string path = "") {
    return tl::unexpected(Refusal{{error.code, label + error.message}, std::move(path)});
  };
  const auto found = schedules_.find(name);
  if (found == schedules_.end()) return refuse({ErrorCode::not_found, "no such schedule"});
  const Schedule& schedule = found->second;
  ScheduleChangeRecord record = change_of(schedule);
  ScheduleRunRecord start;
  start.due_first = schedule.due_first;
  start.next = schedule.next;
  start.edges = schedule.edges;
  ScheduleRun run;
  run.cause = RunCause::trigger;
  run.nominal = now.wall;
  switch (request.action) {
    case ScheduleAction::pause:
      if (schedule.spec.paused) return 0u;
      record.paused = true;
      break;
    case ScheduleAction::resume: {
      if (!schedule.spec.paused) return 0u;
      record.paused = false;
      if (!schedule.spec.expression) break;
      const Occurrences series = occurrences_of(schedule);
      record.next = series.first_at_or_after(now.wall);
      const std::uint64_t end = record.next ? record.next->index : series.count().value_or(0);
      if (end > schedule.due_first) {
        record.missed =
            MissedOccurrences{schedule.due_first, end - 1, *series.at(schedule.due_first),
                              *series.at(end - 1), "the schedule was paused"};
        record.due_first = end;
      }
      break;
    }
    case ScheduleAction::trigger: {
      if (!request.arguments.empty() && schedule.spec.jobs.size() != 1) {
        return refuse({ErrorCode::invalid_argument,
                       "arguments: it has " + std::to_string(schedule.spec.jobs.size()) +
                           " jobs, and only a single one can take them"},
                      "/arguments");
      }
      // A run that cannot start is remembered when it is due, but not when somebody asks for it.
      SubmitJobs jobs;
      jobs.jobs = run_jobs(schedule, schedule.run_last + 1, request.arguments);
      if (auto ok = prepare(now, jobs); !ok) {
        const bool at_fault =
            !request.arguments.empty() && ok.error().code == ErrorCode::invalid_argument;
        return refuse(ok.error(), at_fault ? "/arguments" : "");
      }
      return start_run(now, name, std::move(run), request.arguments, std::move(start), out);
    }
    case ScheduleAction::succeed:
      run.number = schedule.run_last + 1;
      run.started = now.wall;
      run.ended = now.wall;
      run.state = JobState::finished;
      run.reason = "somebody said that it finished";
      start.schedule = name;
      start.counts = schedule.counts;
      ++start.counts.successes;
      start.counts.errors_since_success = 0;
      start.counts.last_success = now.wall;
      ending_runs_.push_back({name, run.number, run.nominal});
      start.run = std::move(run);
      persist(std::move(start), out);
      changed(name, out);
      return schedule.run_last;
    case ScheduleAction::remove:
      if (auto removed = remove_schedule(now, name, request.children, out); !removed) {
        return tl::unexpected(Refusal{removed.error(), ""});
      }
      return 0u;
  }
  persist(std::move(record), out);
  changed(name, out);
  run_due(now, name, out);
  return 0u;
}

Result<void> BatchCore::remove_schedule(librm::Now now, const std::string& name, OnRemove policy,
                                        BatchActions& out) {
  std::vector<std::string> children;
  for (auto child = schedule_children_.lower_bound({name, ""});
       child != schedule_children_.end() && child->first == name; ++child) {
    children.push_back(child->second);
  }
  if (policy == OnRemove::refuse && !children.empty()) {
    std::string list;
    for (const std::string& child : children) list += (list.empty() ? "" : ", ") + child;
    return fail(ErrorCode::failed_precondition,
                "schedule " + text::quoted(name) + ": others wait for it: " + list +
                    "; remove them first, or say what becomes of them");
  }
  const Schedule removed = schedules_.at(name);
  persist(ScheduleRemovedRecord{name}, out);
  changed(name, out);
  for (const std::string& child : children) {
    if (policy == OnRemove::inherit) {
      inherit(now, removed, child, out);
    } else if (schedules_.count(child) != 0) {
      static_cast<void>(remove_schedule(now, child, policy, out));
    }
  }
  return {};
}

/// A child of a scheduled one gets its expression, if it has no other parent; a child of a child
/// gets its parents.
void BatchCore::inherit(librm::Now now, const Schedule& removed, const std::string& child,
                        BatchActions& out) {
  Schedule schedule = schedules_.at(child);
  ScheduleSpec& spec = schedule.spec;
  const auto is_removed = [&](const auto& one) {
    if constexpr (requires { one.schedule; }) {
      return one.schedule == removed.spec.name;
    } else {
      return one.parent == removed.spec.name;
    }
  };
  spec.parents.erase(std::remove_if(spec.parents.begin(), spec.parents.end(), is_removed),
                     spec.parents.end());
  schedule.edges.erase(std::remove_if(schedule.edges.begin(), schedule.edges.end(), is_removed),
                       schedule.edges.end());
  for (const ParentSpec& parent : removed.spec.parents) {
    const bool there = std::any_of(spec.parents.begin(), spec.parents.end(), [&](const auto& own) {
      return own.schedule == parent.schedule;
    });
    if (there) continue;
    spec.parents.push_back(parent);
    schedule.edges.push_back({parent.schedule, parent.kind, 0});
  }
  if (spec.parents.empty()) {
    spec.expression = removed.spec.expression;
    spec.zone = removed.spec.zone;
    const Occurrences series = occurrences_of(schedule);
    schedule.next = series.first_at_or_after(now.wall);
    schedule.due_first = schedule.next ? schedule.next->index : series.count().value_or(0);
  }
  persist(ScheduleRecord{std::move(schedule)}, out);
  changed(child, out);
  start_after_parents(now, child, out);
}

}  // namespace batch
