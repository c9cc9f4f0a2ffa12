// Counts, rates and bars: what is drawn for how far a set of jobs is.
#include "cli/progress.hpp"

#include <gtest/gtest.h>

namespace batch::cli {
namespace {

Terminal terminal(std::size_t width) {
  Terminal made;
  made.is_tty = true;
  made.utf8 = true;
  made.width = width;
  return made;
}

TEST(JobCounts, EveryStateIsCounted) {
  JobCounts counts;
  for (const char* state : {"pending", "held", "running", "finished", "failed", "cancelled"}) {
    counts.add(Json{{"state", state}});
  }
  counts.add(Json{{"state", 7}});
  EXPECT_EQ(counts.total(), 7u);
  EXPECT_EQ(counts.over(), 3u);
  EXPECT_EQ(counts.pending, 2u);
}

TEST(ProgressRate, WhatWasOverBeforeDoesNotCount) {
  Progress progress{{10, 0, 0, 30, 0, 0}, 10, 10};
  EXPECT_DOUBLE_EQ(rate_of(progress), 2);
  progress.over_before = 30;
  EXPECT_EQ(rate_of(progress), 0);
  progress = {{0, 0, 0, 1, 0, 0}, 0, 0};
  EXPECT_EQ(rate_of(progress), 0) << "no time has passed";
}

TEST(ProgressRate, IsWordedInAUnitThatIsNotSmall) {
  EXPECT_EQ(rate_text(123.4), "123/s");
  EXPECT_EQ(rate_text(1.25), "1.3/s");
  EXPECT_EQ(rate_text(0.125), "7.5/min");
  EXPECT_EQ(rate_text(0.002), "7.2/h");
}

TEST(ProgressBar, PartsAreInProportionAndNoneVanishes) {
  EXPECT_EQ(progress_bar(terminal(80), {1, 0, 1, 2, 0, 0}, 8), "████▒▒░░");
  EXPECT_EQ(progress_bar(terminal(80), {0, 0, 0, 9'999, 1, 0}, 5), "████▚");
  EXPECT_EQ(progress_bar(terminal(80), {1'000'000, 0, 0, 0, 0, 0}, 3), "░░░");
  EXPECT_EQ(progress_bar(terminal(80), {}, 5), "");
  Terminal ascii = terminal(80);
  ascii.utf8 = false;
  EXPECT_EQ(progress_bar(ascii, {1, 0, 1, 2, 0, 0}, 8), "####==..");
}

TEST(ProgressBar, IsAsWideAsAskedForWhateverTheCounts) {
  for (std::size_t a = 0; a < 12; ++a) {
    for (std::size_t b = 0; b < 12; ++b) {
      const JobCounts counts{a, 0, b, 7, 1, b};
      EXPECT_EQ(display_width(progress_bar(terminal(80), counts, 17)), 17u) << a << ' ' << b;
    }
  }
}

TEST(ProgressLine, SaysCountsRateAndWhatIsLeft) {
  const Progress progress{{54, 0, 4, 40, 2, 0}, 0, 21};
  EXPECT_EQ(progress_line(Terminal{}, progress),
            "42/100  40 finished, 2 failed, 4 running, 54 pending  2/s  ETA 29s");
  const std::string drawn = progress_line(terminal(100), progress);
  EXPECT_EQ(display_width(drawn), 100u);
  EXPECT_TRUE(drawn.starts_with("███")) << drawn;
}

TEST(ProgressLine, IsCutWhereTheTerminalIsNarrow) {
  const Progress progress{{54, 0, 4, 40, 2, 0}, 0, 21};
  EXPECT_EQ(display_width(progress_line(terminal(40), progress)), 40u);
}

TEST(ShortenPainted, ColoursTakeNoRoomAndEnd) {
  EXPECT_EQ(shorten_painted("\x1b[32mabcdef\x1b[0m", 6), "\x1b[32mabcdef\x1b[0m");
  EXPECT_EQ(shorten_painted("\x1b[32mabcdef\x1b[0m", 4), "\x1b[32mabc…\x1b[0m");
  EXPECT_EQ(shorten_painted("abcdef", 4), "abc…");
  EXPECT_EQ(shorten_painted("abcdef", 0), "abcdef");
}

}  // namespace
}  // namespace batch::cli
