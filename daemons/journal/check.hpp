// `rm-journal check`: the report on a journal as JSON.
#pragma once

#include <string>

#include "journal/state.hpp"
#include "librm/base/result.hpp"
#include "librm/store/journal_check.hpp"

namespace librm::journal {

/// Pure: what `report` and the state that was replayed say.
Json report_to_json(const std::string& path, const JournalReport& report, const State& state);

/// Fails where nothing can be said of the file.
Result<Json> check(const std::string& path);

}  // namespace librm::journal
