// Which jobs a list is to have: query parameters as one predicate.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "batch/job.hpp"
#include "http/exchange.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

/// All of it must be so; what is empty or absent asks for nothing. Patterns are those of
/// glob_match().
struct JobFilter {
  std::set<batch::JobState> states;
  std::string name;                           ///< pattern
  std::string owner;                          ///< pattern
  std::map<std::string, std::string> labels;  ///< key, pattern of its value
  std::optional<WallTime> ended_after;        ///< ended at this time or later
  std::optional<WallTime> ended_before;       ///< ended before this time
};

/// From the parameters `state` (`pending,running`), `name`, `owner`, `label` (`team=a*,kind=x`),
/// `ended_after` and `ended_before` (RFC 3339 in UTC). Fails with a sentence that names the wrong
/// one.
Result<JobFilter> read_job_filter(const HttpRequest& request);

bool matches(const JobFilter& filter, const batch::Job& job);

}  // namespace librm::http
