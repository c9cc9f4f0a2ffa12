// What the batch front end remembers durably: submissions, launch intents, results, edges.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "batch/job.hpp"
#include "batch/schedule/schedule.hpp"
#include "librm/base/id.hpp"

namespace batch {

struct FrameworkIdRecord {
  librm::FrameworkId framework;
  bool operator==(const FrameworkIdRecord&) const = default;
};

/// All jobs of one accepted submission, whole: also the form that a snapshot uses. With the
/// client's idempotency key, so that a repeated request is answered and not repeated.
struct JobsRecord {
  std::vector<Job> jobs;
  std::string idempotency_key;
  bool operator==(const JobsRecord&) const = default;
};

/// Written before the launch leaves the process: from here on the task may be running.
struct LaunchRecord {
  struct Launch {
    JobId job = 0;
    Attempt attempt;
    std::optional<std::uint32_t> index = std::nullopt;  ///< of an array's element
    bool operator==(const Launch&) const = default;
  };
  std::vector<Launch> launches;
  bool operator==(const LaunchRecord&) const = default;
};

/// The end of an attempt and what follows for its job, or another change of a job's state. All
/// values are the resulting ones.
struct JobChangeRecord {
  JobId job = 0;
  JobState state = JobState::pending;
  std::string reason;
  bool cancel_requested = false;
  std::uint32_t run = 1;
  std::uint32_t failures = 0;
  std::optional<librm::WallTime> started;
  std::optional<librm::WallTime> ended;
  std::optional<librm::WallTime> not_before;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  std::optional<Attempt> attempt;  ///< replaces the attempt of the same run and number
  std::optional<std::uint32_t> index = std::nullopt;  ///< of an array's element
  bool operator==(const JobChangeRecord&) const = default;
};

struct EdgeRecord {
  JobId child = 0;
  Edge edge;  ///< replaces the one of the same parent and kind
  bool operator==(const EdgeRecord&) const = default;
};

/// Forgotten by retention.
struct JobRemovedRecord {
  JobId job = 0;
  bool operator==(const JobRemovedRecord&) const = default;
};

/// What an idempotency key was used for; a snapshot's form, because the jobs may be forgotten.
struct SubmissionKeyRecord {
  std::string key;
  std::vector<JobId> jobs;
  bool operator==(const SubmissionKeyRecord&) const = default;
};

/// No id up to `last` is given again, though no job has it any more; a snapshot's form.
struct JobIdRecord {
  JobId last = 0;
  /// New attempts get higher numbers. Written where a state is restored from a backup: attempts of
  /// which it does not know had lower ones, so no task id is used again.
  std::uint32_t attempts_before = 0;
  bool operator==(const JobIdRecord&) const = default;
};

/// A schedule, whole: new, with another specification, or in a snapshot.
struct ScheduleRecord {
  Schedule schedule;
  bool operator==(const ScheduleRecord&) const = default;
};

/// A run was started: its jobs, and what the schedule then is. A run that could not be started has
/// ended at once, with its reason and without jobs.
struct ScheduleRunRecord {
  std::string schedule;
  ScheduleRun run;
  std::vector<Job> jobs;
  std::uint64_t due_first = 0;
  std::optional<Occurrence> next;
  std::vector<ScheduleEdge> edges;
  ScheduleCounts counts;
  bool operator==(const ScheduleRunRecord&) const = default;
};

/// Anything else that happened to a schedule. All values are the resulting ones; of a run that
/// ended, the edges of the schedule's children follow.
struct ScheduleChangeRecord {
  std::string schedule;
  bool paused = false;
  std::uint64_t due_first = 0;
  std::optional<Occurrence> next;
  std::vector<ScheduleEdge> edges;
  ScheduleCounts counts;
  std::optional<ScheduleRun> run;           ///< replaces the run of that number
  std::optional<MissedOccurrences> missed;  ///< in addition, unless it is there
  bool operator==(const ScheduleChangeRecord&) const = default;
};

struct ScheduleRemovedRecord {
  std::string schedule;
  bool operator==(const ScheduleRemovedRecord&) const = default;
};

/// What was done with elements of an array, by a person or because of a dependency. What becomes
/// of each follows from its state.
struct ElementActionRecord {
  JobId job = 0;
  JobAction action = JobAction::cancel;
  librm::Ranges indices;  ///< those that the action does not suit stay as they are
  std::string reason;
  librm::WallTime at;
  bool operator==(const ElementActionRecord&) const = default;
};

/// Elements of an array that were launched, whole; a snapshot's form, in parts after the job.
struct ElementsRecord {
  JobId job = 0;
  std::map<std::uint32_t, Execution> launched;
  bool operator==(const ElementsRecord&) const = default;
};

/// The elements of an array that no longer wait for the same elements of its parents.
struct ElementsFreedRecord {
  JobId job = 0;
  librm::Ranges indices;  ///< all of them
  bool operator==(const ElementsFreedRecord&) const = default;
};

// To add a record: a struct here, its place in BatchRecord, its number and fields in
// edge/record_codec.hpp, its golden bytes in tests/unit/batch, its apply() in BatchCore.
using BatchRecord =
    std::variant<FrameworkIdRecord, JobsRecord, LaunchRecord, JobChangeRecord, EdgeRecord,
                 JobRemovedRecord, SubmissionKeyRecord, JobIdRecord, ScheduleRecord,
                 ScheduleRunRecord, ScheduleChangeRecord, ScheduleRemovedRecord,
                 ElementActionRecord, ElementsRecord, ElementsFreedRecord>;

}  // namespace batch
