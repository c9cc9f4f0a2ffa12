// Moments as people write them.
#pragma once

#include <string>

#include "librm/base/result.hpp"

namespace batch::cli {

/// Seconds since 1970 of `2026-01-31`, `2026-01-31T12:00`, `2026-01-31 12:00:30` and `12:00`
/// (today) in this computer's time zone, `2026-01-31T12:00:00Z`, `now`, `today` and `yesterday`
/// (their beginning), and of spans before `now`, such as `90s`, `15m`, `2h`, `3d` and `1w`. Fails
/// with invalid_argument; `option` is named then.
librm::Result<double> parse_moment(const char* option, const std::string& text, double now);

}  // namespace batch::cli
