// Always-on checks for what a correct program cannot meet; a failed one ends the process.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace librm::detail {

/// Prints to stderr and aborts: going on with broken state would write it to the journal.
[[noreturn]] inline void check_failed(const char* condition, const char* message, const char* file,
                                      int line) {
  std::fprintf(stderr, "librm: check failed: %s (%s) at %s:%d\n", condition, message, file, line);
  std::abort();
}

}  // namespace librm::detail

/// `LIBRM_CHECK(free >= need, "an accept was checked before");` stays on in release builds.
#define LIBRM_CHECK(condition, message) \
  ((condition) ? void(0) : ::librm::detail::check_failed(#condition, message, __FILE__, __LINE__))
