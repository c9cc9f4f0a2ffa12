// Job files: what `rmctl submit` reads.
#pragma once

#include <string_view>
#include <vector>

#include "batch/edge/input.hpp"
#include "batch/job.hpp"

namespace batch {

/// TOML with a `[[job]]` table a job and an optional `[defaults]` table, or, where the name ends
/// in `.json`, `{"defaults": {...}, "jobs": [...]}` or one job. Fields are those of a submission;
/// a job's replace the defaults', and tables (env, labels, constraints) are merged. Messages begin
/// with the file's name and, for TOML, the line.
InputResult<std::vector<JobSpec>> job_file_parse(std::string_view text, std::string_view filename);

}  // namespace batch
