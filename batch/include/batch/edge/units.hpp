// Spans, sizes and times as people write them.
#pragma once

#include <string>
#include <string_view>

#include "librm/base/amount.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace batch {

/// Reads `90s`, `15m`, `2h`, `1h30m`, `1.5h`, `1-12:00` (days-hours:minutes), `2:30:00`, `2:30`
/// (minutes:seconds), `PT1H30M`, and a bare number of seconds. At most 100 years; months and years
/// are refused, because they have no length.
librm::Result<librm::Duration> parse_span(std::string_view text);

/// Reads `512M`, `2G`, `1.5GiB`, `2048K`, and a bare number of MiB. Units are powers of 1024; the
/// result is in MiB, rounded up to a thousandth.
librm::Result<librm::Amount> parse_size(std::string_view text);

/// `2026-01-01T00:00:00.123Z`: UTC, whole milliseconds, rounded down.
std::string to_rfc3339(librm::WallTime time);

}  // namespace batch
