// Schedules as values: what is started again and again, when, and what became of each occurrence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "batch/job.hpp"
#include "batch/schedule/expression.hpp"
#include "librm/base/time.hpp"

namespace batch {

/// What is done with occurrences that are later than epsilon.
enum class CatchUp : std::uint8_t {
  skip = 1,  ///< none of them is started
  last = 2,  ///< the newest is, if nothing newer is on time
  all = 3,   ///< all are, up to the cap, the oldest first
};
const char* to_string(CatchUp policy);

/// What is done where an occurrence is due while an earlier run goes on.
enum class Overlap : std::uint8_t {
  forbid = 1,   ///< it waits, until it is later than epsilon
  allow = 2,    ///< it is started beside the other
  replace = 3,  ///< the earlier run is cancelled
};
const char* to_string(Overlap policy);

/// Another schedule whose runs start this one.
struct ParentSpec {
  std::string schedule;
  EdgeKind kind = EdgeKind::ok;  ///< ok, any, not_ok
  bool operator==(const ParentSpec&) const = default;
};

/// Either an expression or parents. Names are 1..100 of `[A-Za-z0-9._-]`, as those of jobs.
struct ScheduleSpec {
  std::string name;
  std::string description;
  std::optional<ScheduleExpression> expression;
  std::string zone;  ///< IANA name; empty: UTC, or the offset in the expression
  std::vector<ParentSpec> parents;
  librm::Duration epsilon = librm::seconds(60);  ///< how late a run may start and be on time
  CatchUp catch_up = CatchUp::skip;
  std::uint32_t catch_up_max = 100;  ///< of occurrences that wait, by any policy; 1..10000
  Overlap overlap = Overlap::forbid;
  bool paused = false;      ///< starts nothing; what falls due meanwhile is missed
  bool soft_error = false;  ///< a run that failed counts as finished for its children
  /// Started together by each run; they may depend on each other by name, and on other jobs. A job
  /// alone may be without a name. A run's jobs are named SCHEDULE.RUN or SCHEDULE.RUN.JOB.
  std::vector<JobSpec> jobs;
  bool operator==(const ScheduleSpec&) const = default;
};

enum class RunCause : std::uint8_t { occurrence = 1, parents = 2, trigger = 3 };
const char* to_string(RunCause cause);

/// A run of a parent that a run was started by.
struct ParentRun {
  std::string schedule;
  std::uint32_t run = 0;
  bool operator==(const ParentRun&) const = default;
};

struct ScheduleRun {
  std::uint32_t number = 0;  ///< from 1
  RunCause cause = RunCause::occurrence;
  std::optional<std::uint64_t> occurrence;  ///< its index
  librm::WallTime nominal;                  ///< when it was due
  librm::WallTime started;
  std::optional<librm::WallTime> ended;
  /// running; then failed if a job failed, else cancelled if somebody cancelled one, else finished
  JobState state = JobState::running;
  std::string reason;  ///< why it could not be started, or who says that it finished
  std::vector<JobId> jobs;
  std::vector<ParentRun> parents;
  bool operator==(const ScheduleRun&) const = default;
};

/// Occurrences that were not started, and never will be.
struct MissedOccurrences {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  librm::WallTime first_at;
  librm::WallTime last_at;
  std::string reason;
  bool operator==(const MissedOccurrences&) const = default;
};

/// Which run of a parent would start the next run. A newer one replaces it.
struct ScheduleEdge {
  std::string parent;
  EdgeKind kind = EdgeKind::ok;
  std::uint32_t run = 0;  ///< 0: none since the last run of this schedule was started
  bool operator==(const ScheduleEdge&) const = default;
};

/// Kept by the server alone; no client writes them.
struct ScheduleCounts {
  std::uint64_t successes = 0;
  std::uint64_t errors = 0;
  std::uint64_t errors_since_success = 0;
  std::optional<librm::WallTime> last_success;
  std::optional<librm::WallTime> last_error;
  bool operator==(const ScheduleCounts&) const = default;
};

struct Schedule {
  ScheduleSpec spec;
  librm::WallTime added;
  /// Occurrences from here up to `next` are due and wait to be started.
  std::uint64_t due_first = 0;
  std::optional<Occurrence> next;  ///< not yet due; empty: there are no more
  std::uint32_t run_last = 0;
  std::vector<ScheduleEdge> edges;        ///< one a parent
  std::vector<ScheduleRun> runs;          ///< oldest first: those that run, and the latest others
  std::vector<MissedOccurrences> missed;  ///< the latest, oldest first
  ScheduleCounts counts;
  bool operator==(const Schedule&) const = default;
};

}  // namespace batch
