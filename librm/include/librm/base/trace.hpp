// Where a core's observations go: the owner decides whether that is a log, a metric or nothing.
#pragma once

#include <string_view>

namespace librm {

/// Receives short facts about decisions. Called on the thread that steps the core; must not call
/// back into it. Tracing never changes what a core does.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  /// `subject` is a printed id (`a-3`, `42.1.1`), `fact` one line without a newline.
  virtual void trace(std::string_view subject, std::string_view fact) = 0;
};

}  // namespace librm
