// Runs rm-journal, which lies beside rmctl and answers in JSON.
#pragma once

#include <string>
#include <vector>

#include "json_view.hpp"
#include "librm/base/result.hpp"

namespace batch::cli {

struct JournalAnswer {
  Json json;
  int code = 0;  ///< that it ended with
};

/// Fails with the error that it answers, or with why it could not be asked.
librm::Result<JournalAnswer> ask_journal_program(const std::vector<std::string>& arguments);

}  // namespace batch::cli
