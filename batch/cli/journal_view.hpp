// What is in a journal's file, as people read it.
#pragma once

#include <string>

#include "json_view.hpp"
#include "terminal.hpp"

namespace batch::cli {

/// rm-journal's report: what the file holds, stream by stream, and what of it is damaged.
std::string describe_journal(const Terminal& terminal, const Json& report);

/// `96K`, `1.5G`, from bytes.
std::string human_bytes(double bytes);

/// `13 jobs (2 running, 11 finished), 2 nodes, 1 schedule`, of a master's state.
std::string describe_state(const Terminal& terminal, const Json& holds);

}  // namespace batch::cli
