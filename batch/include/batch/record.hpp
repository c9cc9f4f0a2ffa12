// What the batch front end remembers durably: submissions, launch intents, results, edges.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "batch/job.hpp"
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
  bool operator==(const JobIdRecord&) const = default;
};

// To add a record: a struct here, its place in BatchRecord, its number and fields in
// edge/record_codec.hpp, its golden bytes in tests/unit/batch, its apply() in BatchCore.
using BatchRecord = std::variant<FrameworkIdRecord, JobsRecord, LaunchRecord, JobChangeRecord,
                                 EdgeRecord, JobRemovedRecord, SubmissionKeyRecord, JobIdRecord>;

}  // namespace batch
