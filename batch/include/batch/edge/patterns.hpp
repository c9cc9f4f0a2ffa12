// Regular expressions of users, by an engine whose time is linear and whose memory is bounded.
#pragma once

#include "batch/patterns.hpp"

namespace batch {

/// RE2's syntax on UTF-8. A pattern is at most 1000 bytes and 1 MiB when compiled. Thread-safe;
/// each thread keeps the last pattern that it matched.
const Patterns& re2_patterns();

}  // namespace batch
