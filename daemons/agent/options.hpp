// The flags of rm-agent, and the configuration that they make.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/agent_service.hpp"

namespace librm::daemon {

struct AgentOptionsRead {
  AgentConfig config;
  std::string listen = "127.0.0.1";                  ///< numeric address of the HTTP port
  std::uint16_t http_port = 5051;                    ///< 0 picks a free one
  std::string resources;                             ///< override what is detected, name by name
  std::string default_role = std::string(any_role);  ///< of what names no role
  std::string topology;                              ///< of an emulated node; empty: discovered
  std::string bind = "cores";                        ///< or none
  std::string log_level = "info";
};

/// Fills `options` from flags, environment and file. Returns the exit code where the program
/// should end at once; what was wrong was printed.
std::optional<int> read_options(int argc, const char* const* argv, AgentOptionsRead& options);

/// Makes the work directory and fills in what the host is asked for: resources, incarnation,
/// host name, seed. The log is started already.
Result<void> detect_host(AgentOptionsRead& options);

}  // namespace librm::daemon
