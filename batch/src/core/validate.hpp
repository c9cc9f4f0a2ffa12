// What a job's specification must be, checked by itself: no look at other jobs or agents.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "batch/job.hpp"
#include "librm/base/result.hpp"

namespace batch {

/// What was not given gets its default: one CPU, 128 MiB, a fence of 60 s where one is wanted.
JobSpec with_defaults(JobSpec spec);

/// The error says which field, what was given and what is allowed; the caller names the job.
librm::Result<void> check_spec(const JobSpec& spec);

/// `/cpus` of `cpus: must be more than 0`: the field with which such a message begins, as a JSON
/// pointer; empty where it begins with none.
std::string field_path(std::string_view message);

/// The field that a pattern stands in.
const char* field_of(const PatternConstraint& pattern);

/// How messages name the job at `position` (from 0) of a submission: `job count`, `job #3`, or
/// `the job` where there is only one.
std::string label_of(const std::vector<JobSpec>& specs, std::size_t position);

/// Dependencies by name inside of one submission: `parents[i]` are positions. A cycle's positions
/// in order, the first one again at the end; empty where there is none.
std::vector<std::size_t> find_cycle(const std::vector<std::vector<std::size_t>>& parents);

}  // namespace batch
