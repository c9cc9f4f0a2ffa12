// Regular expressions of users, by an engine whose time is linear and whose memory is bounded.
#pragma once

#include "batch/patterns.hpp"
#include "librm/resource/constraint.hpp"

namespace batch {

/// RE2's syntax on UTF-8. A pattern is at most 1000 bytes and 1 MiB when compiled. Thread-safe;
/// each thread keeps the last pattern that it matched.
const Patterns& re2_patterns();

/// The same engine with the same limits, for constraints in demands.
const librm::Matcher& re2_matcher();

}  // namespace batch
