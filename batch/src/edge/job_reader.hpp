// A job's fields out of a JSON value, however that was made; all that is wrong is gathered.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "batch/edge/input.hpp"
#include "batch/job.hpp"

namespace batch {

/// Appends to `errors`; the result is of use only where nothing was appended. `partial` jobs, such
/// as defaults, need no command.
JobSpec read_job(const nlohmann::json& object, const std::string& path, bool partial,
                 std::vector<FieldError>& errors);

/// ` 'cpuz'; did you mean 'cpus'?`: for keys that are not in the list.
std::string unknown_field(std::string_view given, const std::vector<std::string_view>& known);

/// Documents say which version of the interface they are written for; there is one.
void check_api_version(const nlohmann::json& value, std::vector<FieldError>& errors);

inline constexpr std::size_t field_errors_max = 100;

}  // namespace batch
