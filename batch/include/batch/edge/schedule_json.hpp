// Schedules as JSON: what is added, and what is shown of one.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "batch/batch.hpp"
#include "batch/edge/input.hpp"
#include "batch/schedule/schedule.hpp"

namespace batch {

/// All that a schedule may have.
std::vector<std::string_view> schedule_field_names();

/// As daemons/http/README.md describes it, under the same limits as a submission. `name` fills in
/// for a missing one and must be the same as one that is given; empty: one must be given.
InputResult<ScheduleSpec> schedule_spec_from_json(std::string_view text, const std::string& name);

/// As daemons/http/README.md describes it; `core` says when it is next due.
nlohmann::ordered_json schedule_to_json(const Schedule& schedule, const BatchCore& core);

}  // namespace batch
