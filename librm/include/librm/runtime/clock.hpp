// The two clocks of this host, read together: what a daemon's ports tell its core.
#pragma once

#include "librm/base/time.hpp"

namespace librm {

/// CLOCK_BOOTTIME and CLOCK_REALTIME. Thread-safe.
Now read_clocks();

}  // namespace librm
