// Jobs as JSON, in and out: the one place where their fields are mapped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "batch/batch.hpp"
#include "batch/edge/input.hpp"
#include "batch/job.hpp"

namespace batch {

enum class JobText {
  json,    ///< one job object, or `{"jobs": [...]}`
  ndjson,  ///< a job object a line
};

inline constexpr std::size_t json_depth_max = 64;
inline constexpr std::size_t json_size_max = 64u << 20;     ///< of JSON, and of a line of NDJSON
inline constexpr std::size_t ndjson_size_max = 512u << 20;  ///< of all lines

/// Strict: what is too long, too deep, not UTF-8 or not JSON, a key that comes twice, a field that
/// is unknown (the nearest known one is named), of a wrong type or out of range is refused. At most
/// 100 fields are blamed. What needs a look at other jobs is left to BatchCore.
InputResult<std::vector<JobSpec>> job_specs_from_json(std::string_view text, JobText kind);

/// All that a job object may have.
std::vector<std::string_view> job_field_names();

/// The text of the only field that a small body may have, such as `{"reason": "..."}`; empty where
/// the body or the field is.
InputResult<std::string> text_field_from_json(std::string_view body, const std::string& name);

/// `{"jobs": [...]}`, readable by job_specs_from_json(); what has its default is left out.
std::string job_specs_to_json(const std::vector<JobSpec>& specs);

/// One of them.
nlohmann::ordered_json job_spec_to_json(const JobSpec& spec);

/// What a job's JSON says of things outside of the job; may be empty functions.
struct JobLookup {
  std::function<std::string(JobId)> job_name;               ///< empty: unknown
  std::function<std::string(librm::AgentId)> http_address;  ///< `127.0.0.1:5051`; empty: unknown
};

/// As daemons/http/README.md describes it. Text that is not UTF-8 (a task's message) is kept;
/// dump with a replacing error handler.
nlohmann::ordered_json job_to_json(const Job& job, bool with_attempts, const JobLookup& lookup);
/// The same of one element of an array, with its attempts; precondition: there is one.
nlohmann::ordered_json element_to_json(const Job& job, std::uint32_t index,
                                       const JobLookup& lookup);
/// What sets it apart from the others of its array.
nlohmann::ordered_json element_summary_to_json(const Job& job, std::uint32_t index,
                                               const Execution& execution);

nlohmann::ordered_json why_to_json(const Why& why);

/// `{"cpus": 8, "ports": "[31000-32000]"}`: amounts as numbers over all roles, the rest as text.
nlohmann::ordered_json resources_to_json(const librm::Resources& resources);
nlohmann::ordered_json amount_to_json(librm::Amount amount);

}  // namespace batch
