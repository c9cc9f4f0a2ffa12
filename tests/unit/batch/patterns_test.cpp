// Patterns of users: what matches, what is refused, and what would be too much.
#include "batch/edge/patterns.hpp"

#include <gtest/gtest.h>

namespace batch::test {
namespace {

TEST(Re2Patterns, MatchTheWholeText) {
  const Patterns& patterns = re2_patterns();
  EXPECT_TRUE(patterns.matches("train-.*", "train-7"));
  EXPECT_FALSE(patterns.matches("train", "train-7"));
  EXPECT_FALSE(patterns.matches("rain-7", "train-7"));
  EXPECT_TRUE(patterns.matches("a|ab", "ab")) << "the alternatives, too";
  EXPECT_TRUE(patterns.matches(".", "\xc5\xbe"));
}

TEST(Re2Patterns, ARefusalSaysWhatIsWrong) {
  const Patterns& patterns = re2_patterns();
  EXPECT_TRUE(patterns.check("[a-z]+"));
  const auto wrong = patterns.check("a(b");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, librm::ErrorCode::invalid_argument);
  EXPECT_EQ(wrong.error().message, "'a(b' is not a pattern: missing ): a(b");
  EXPECT_FALSE(patterns.matches("a(b", "a(b"));
  EXPECT_FALSE(patterns.check("(a)\\1")) << "no back references: their time is not linear";
  EXPECT_FALSE(patterns.check(std::string(1001, 'a')));
  EXPECT_FALSE(patterns.matches(std::string(1001, 'a'), std::string(1001, 'a')));
}

TEST(Re2Patterns, MemoryIsBounded) {
  EXPECT_FALSE(re2_patterns().check("((a{100}){100}){100}"));
  EXPECT_FALSE(re2_patterns().check("\\pL{1000}"));
  const std::string many(100'000, 'a');
  EXPECT_FALSE(re2_patterns().matches("(a*)*b", many));
}

TEST(NoPatterns, RefusesEveryPattern) {
  EXPECT_EQ(no_patterns().check("a").error().code, librm::ErrorCode::unsupported);
  EXPECT_FALSE(no_patterns().matches("a", "a"));
}

}  // namespace
}  // namespace batch::test
