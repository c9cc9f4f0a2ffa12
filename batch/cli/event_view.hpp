// Events as lines for people.
#pragma once

#include <optional>
#include <string>

#include "json_view.hpp"
#include "terminal.hpp"

namespace batch::cli {

/// `16:01:12  job 42 (count)  ✔ finished  exit 0  on node-1`, with its newline. `event` is `job` or
/// `schedule`, `data` what came with it. Cut to the terminal's width.
std::string event_line(const Terminal& terminal, const std::string& event, const Json& data);

/// `16:01:12`, or with the date where that is not today's, in this computer's time zone; `-` for
/// nothing.
std::string clock_time(std::optional<double> seconds, double now);
/// Seconds since 1970.
double wall_now();

}  // namespace batch::cli
