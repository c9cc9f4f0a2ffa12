// Job files of Chronos: its words for schedules, in both directions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "batch/batch.hpp"
#include "batch/edge/input.hpp"
#include "batch/schedule/schedule.hpp"

namespace batch {

/// A job of Chronos becomes a schedule of one job with `Dialect::chronos`. What is late is caught
/// up once (`catch_up` is `last`), a failed run is tried again twice after a minute. Without
/// schedule and parents it runs once, now, as there. Counters that a client gives are ignored.
/// Unknown fields, and values that Chronos would silently misread, are refused.
InputResult<ScheduleSpec> chronos_job_from_json(std::string_view text);

/// All that a job of Chronos may have.
std::vector<std::string_view> chronos_field_names();

/// Where Chronos has the field of a schedule that the core blames: `/parents` for `/after_ok`.
std::string chronos_path(const std::string& path);

/// As Chronos shows a job, with its counters.
nlohmann::ordered_json chronos_job_to_json(const Schedule& schedule);

/// `success`, `failure`, `fresh`, and `idle`, `queued`, `2 running`: as in its summary.
std::string_view chronos_status(const Schedule& schedule);
std::string chronos_state(const Schedule& schedule, const BatchCore& core);

}  // namespace batch
