// Regular expressions of users, as a service that is given to the core: it has no engine itself.
#pragma once

#include <string>

#include "librm/base/result.hpp"

namespace batch {

/// Thread-safe for readers.
class Patterns {
 public:
  virtual ~Patterns() = default;
  /// Fails with invalid_argument, and with `unsupported` where there is no engine.
  virtual librm::Result<void> check(const std::string& pattern) const = 0;
  /// Whether all of `text` matches; false for a pattern that check() refuses.
  virtual bool matches(const std::string& pattern, const std::string& text) const = 0;
};

/// Refuses every pattern.
const Patterns& no_patterns();

}  // namespace batch
