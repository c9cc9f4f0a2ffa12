// The time zones of this machine: what its tzdata package says.
#pragma once

#include <string>
#include <vector>

#include "batch/schedule/time_zones.hpp"

namespace batch {

/// Read when a zone is first asked for, and not again: an update of tzdata is seen by the next
/// process. Without tzdata UTC alone is known. Years after the end of a zone's table, which is 2037
/// on Debian, follow the rule at the end of its file. Thread-safe.
const TimeZones& system_time_zones();

/// All that are known, sorted.
std::vector<std::string> system_time_zone_names();

}  // namespace batch
