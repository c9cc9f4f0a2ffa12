// Words for people: spans, jobs by number and name, exits.
#pragma once

#include <string>
#include <string_view>

#include "batch/job.hpp"
#include "librm/base/time.hpp"

namespace batch::text {

/// `3m12s`, `2h`, `1d4h`, `250ms`: the two largest units.
std::string span(librm::Duration duration);

/// `job 41 (extract)`.
std::string job(const Job& job);

/// How an attempt ended: `exit code 3`, `signal 9`, `time limit reached`, with its message.
std::string end_of(const librm::StatusUpdate& update);

/// At most `size_max` bytes of what somebody wrote, for messages; control characters become `?`.
/// Inline, so that programs without jobs do not link them.
inline std::string quoted(std::string_view given, std::size_t size_max = 64) {
  std::string text = "'";
  for (char c : given.substr(0, size_max)) {
    text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  }
  text += given.size() > size_max ? "...'" : "'";
  return text;
}

/// `1 job`, `12 jobs`.
std::string count(std::size_t n, std::string_view noun);

}  // namespace batch::text
