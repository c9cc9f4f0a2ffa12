// How far a set of jobs is: counts, rate, the time that is left, and a bar.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "json_view.hpp"
#include "terminal.hpp"

namespace batch::cli {

struct JobCounts {
  std::size_t pending = 0;
  std::size_t held = 0;
  std::size_t running = 0;
  std::size_t finished = 0;
  std::size_t failed = 0;
  std::size_t cancelled = 0;

  /// Counts a job, or all elements of an array; a state that is not known counts as pending.
  void add(const Json& job);
  void add(std::string_view state, std::size_t n);
  std::size_t over() const { return finished + failed + cancelled; }
  std::size_t total() const { return over() + pending + held + running; }
};

struct Progress {
  JobCounts counts;
  std::size_t over_before = 0;  ///< that were over when the watching began: no part of the rate
  double elapsed_s = 0;         ///< since then
};

/// Jobs that end in a second; 0 where none has ended yet.
double rate_of(const Progress& progress);
/// `12/s`, `7.5/min`, `2/h`.
std::string rate_text(double per_second);
/// `40 finished, 2 failed, 4 running, 54 pending`, without what there is none of; painted.
std::string counts_text(const Terminal& terminal, const JobCounts& counts);
/// A bar of `width` columns: finished, failed and cancelled, running, the rest. Its parts differ by
/// shape where there is no colour. What there is any of has a column, if there are enough.
std::string progress_bar(const Terminal& terminal, const JobCounts& counts, std::size_t width);
/// Bar, counts, rate and the time that is left, in one line as wide as the terminal, without
/// newline. Without a terminal there is no bar.
std::string progress_line(const Terminal& terminal, const Progress& progress);

}  // namespace batch::cli
