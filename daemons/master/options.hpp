// The flags of rm-master, and the configuration that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "librm/base/result.hpp"
#include "master/master_service.hpp"

namespace librm::daemon {

struct MasterOptionsRead {
  MasterConfig config;
  std::uint16_t http_port = 5050;  ///< on config.listen; 0 picks a free one
  std::string log_level = "info";
};

/// Fills `options` from flags, environment and file. Returns the exit code where the program
/// should end at once; what was wrong was printed.
std::optional<int> read_options(int argc, const char* const* argv, MasterOptionsRead& options);

/// Gives the master the batch front end, with this machine's time zones and regular expressions.
void use_batch_front_end(MasterConfig& config);

/// Reads `etl=2` or `etl=0.5`.
Result<std::pair<std::string, std::int64_t>> parse_role_weight(const std::string& text);

}  // namespace librm::daemon
