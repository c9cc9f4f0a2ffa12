// The version that daemons and tools print; the build's version in the top CMakeLists.txt.
#pragma once

#include <string_view>

namespace librm::daemon {

inline constexpr std::string_view version = "0.1.0";

}  // namespace librm::daemon
