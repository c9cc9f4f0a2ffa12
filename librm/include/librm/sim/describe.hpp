// Messages as one line for traces.
#pragma once

#include <string>

#include "librm/cluster/message.hpp"
#include "librm/cluster/shepherd.hpp"

namespace librm::sim {

/// The message's name and what it is about, `LaunchTasks 3.1.1 4.1.1`.
std::string describe(const Message& message);
std::string describe(const ShepherdMessage& message);
std::string describe(const StatusUpdate& update);

}  // namespace librm::sim
