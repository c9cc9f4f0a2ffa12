// What people read: escapes, widths, spans, amounts, times, and the nearest word.
#include "cli/text.hpp"

#include <gtest/gtest.h>

namespace batch::cli {
namespace {

TEST(Escape, LeavesOrdinaryTextAlone) { EXPECT_EQ(escape("žluťoučký 馬 42"), "žluťoučký 馬 42"); }

TEST(Escape, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(escape("\x1b[31m"), "\\x1b[31m");
  EXPECT_EQ(escape("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(escape("\xc2\x9b"), "\\xc2\\x9b");           // CSI as one control character
  EXPECT_EQ(escape("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // turns the text around
}

TEST(Escape, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(escape("\xff"), "\\xff");
  EXPECT_EQ(escape("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // a surrogate
  EXPECT_EQ(escape("\xe2\x82"), "\\xe2\\x82");           // cut off
}

TEST(DisplayWidth, CountsColumnsNotBytes) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("čř"), 2U);
  EXPECT_EQ(display_width("馬"), 2U);
  EXPECT_EQ(display_width("e\xcc\x81"), 1U);
}

TEST(Shorten, CutsAtTheWidthAndSaysSo) {
  EXPECT_EQ(shorten("abcdef", 6), "abcdef");
  EXPECT_EQ(shorten("abcdef", 4), "abc…");
  EXPECT_EQ(shorten("馬馬馬", 4), "馬…");
  EXPECT_EQ(shorten("abc", 0), "");
}

TEST(HumanSpan, KeepsTwoUnits) {
  EXPECT_EQ(human_span(-1), "0s");
  EXPECT_EQ(human_span(0.42), "0.4s");
  EXPECT_EQ(human_span(12), "12s");
  EXPECT_EQ(human_span(192), "3m12s");
  EXPECT_EQ(human_span(7'500), "2h05m");
  EXPECT_EQ(human_span(273'600), "3d04h");
}

TEST(HumanMib, TakesTheLargestUnit) {
  EXPECT_EQ(human_mib(0), "0");
  EXPECT_EQ(human_mib(512), "512M");
  EXPECT_EQ(human_mib(1'536), "1.5G");
  EXPECT_EQ(human_mib(104'857'600), "100T");
}

TEST(ParseTime, ReadsUtcWithFractions) {
  EXPECT_DOUBLE_EQ(parse_time("1970-01-02T00:00:00Z").value(), 86'400);
  EXPECT_DOUBLE_EQ(parse_time("1970-01-01T00:00:01.5Z").value(), 1.5);
  EXPECT_FALSE(parse_time("1970-01-01T00:00:00+01:00"));
  EXPECT_FALSE(parse_time(""));
}

TEST(Nearest, ForgivesOneSlip) {
  const std::vector<std::string> verbs{"submit", "show", "run", "jobs"};
  EXPECT_EQ(nearest("sumbit", verbs), "submit");
  EXPECT_EQ(nearest("job", verbs), "jobs");
  EXPECT_EQ(nearest("frobnicate", verbs), std::nullopt);
}

TEST(Split, DropsEmptyParts) {
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(split("", ',').empty());
}

}  // namespace
}  // namespace batch::cli
