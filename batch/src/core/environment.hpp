// The variables that every task of a job is given, whatever its own environment says.
#pragma once

#include <map>
#include <string>

#include "batch/job.hpp"

namespace batch {

/// RM_JOB_ID, RM_JOB_NAME, RM_RUN, RM_ATTEMPT, of a schedule's job RM_SCHEDULE, RM_SCHEDULE_RUN and
/// RM_SCHEDULE_TIME (RFC 3339, of the occurrence), and for jobs that come from Chronos its names.
void add_environment(const Job& job, std::optional<std::uint32_t> index, const Attempt& attempt,
                     std::map<std::string, std::string>& environment);

}  // namespace batch
