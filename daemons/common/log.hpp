// The daemons' log: one line of `key=value` pairs on stderr for each fact.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "librm/base/trace.hpp"

namespace librm::daemon {

enum class LogLevel { debug, info, warn, error };

using LogField = std::pair<std::string_view, std::string>;

/// Once, at the start. `level` is debug, info, warn or error. The default before is info.
void start_log(const std::string& level);
bool log_enabled(LogLevel level);

/// `time=2026-01-01T00:00:00.123Z level=info msg="agent registered" agent=a-1`. Values with
/// anything but printable ASCII, or with spaces, quotes or `=`, are quoted and escaped, so that a
/// line stays one line. Thread-safe.
void log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

/// What cores say about their decisions, at level debug.
class LogTrace final : public TraceSink {
 public:
  void trace(std::string_view subject, std::string_view fact) override;
};

/// Null where debug lines are not wanted, so that cores need not make them.
TraceSink* log_trace();

}  // namespace librm::daemon
