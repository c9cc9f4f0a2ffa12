// What rm-fetch is told: files to fetch, limits, and where the command runs; one text both read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/task.hpp"

namespace librm::shepherd {

/// The variable that carries the plan. Not an argument: those are shown to every user of the host,
/// and an URI may have a password.
inline constexpr std::string_view fetch_plan_variable = "RM_FETCH_PLAN";
/// In front of the names of the task's variables that rm-fetch itself must not heed.
inline constexpr std::string_view fetch_kept_prefix = "RM_FETCH_KEPT_";
/// One variable takes no more in Linux (MAX_ARG_STRLEN, with the name).
inline constexpr std::size_t fetch_plan_bytes_max = 120u << 10;
/// Where rm-fetch says why it failed: a file in memory that no command ever inherits. Not a low
/// number: the shepherd's lock has one, which its child must keep until it executes.
inline constexpr int fetch_report_descriptor = 20;
/// The first byte there says what failed, the rest is the message.
inline constexpr char fetch_report_fetch = 'F';
inline constexpr char fetch_report_exec = 'E';  ///< all was fetched, and the command not executed
/// What rm-fetch says there beyond this is not read.
inline constexpr std::size_t fetch_report_bytes_max = 2000;

struct FetchPlan {
  std::vector<Fetch> files;
  std::string working_directory;  ///< of the command; empty: the sandbox
  std::uint64_t bytes_max = 0;    ///< of all that is fetched, and of all that is unpacked
  bool operator==(const FetchPlan&) const = default;
};

/// Lines of words; what is not printable, spaces and `%` are percent-encoded.
std::string print_fetch_plan(const FetchPlan& plan);
/// Strict; fails with invalid_argument and the line.
Result<FetchPlan> parse_fetch_plan(std::string_view text);

/// Printable ASCII only, other bytes as `\x1b`: a report is shown in terminals and as JSON.
std::string printable(std::string_view text);

}  // namespace librm::shepherd
