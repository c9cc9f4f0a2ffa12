// Indices of arrays and selectors of elements: what is read, printed and refused.
#include "batch/array_text.hpp"

#include <gtest/gtest.h>

#include "librm/base/prng.hpp"

namespace batch::test {
namespace {

using librm::Ranges;

std::string array(std::string_view text) {
  const auto parsed = parse_array(text);
  return parsed ? to_string(*parsed) : parsed.error().message;
}

std::string selector(std::string_view text) {
  const auto parsed = split_elements(text);
  return parsed ? to_string(*parsed) : parsed.error().message;
}

TEST(ArrayText, RangesStepsAndTheLimitOfThoseThatRun) {
  const ArraySpec parsed = parse_array("0-99%10").value();
  EXPECT_EQ(parsed.indices, Ranges({{0, 99}}));
  EXPECT_EQ(parsed.parallel_max, 10u);
  EXPECT_EQ(parse_array("1,3,5-9").value().indices, Ranges({{1, 1}, {3, 3}, {5, 9}}));
  EXPECT_EQ(parse_array("1,3,5-9").value().parallel_max, 0u);
  const ArraySpec stepped = parse_array("0-99:2%10").value();
  EXPECT_EQ(stepped.indices.count(), 50u);
  EXPECT_EQ(stepped.indices.list().back().end, 98u);
  EXPECT_EQ(parse_array("7").value().indices, Ranges({{7, 7}}));
  EXPECT_EQ(parse_array("4294967294").value().indices.count(), 1u);
  EXPECT_EQ(parse_array("4294967290-4294967294:4294967294").value().indices.count(), 1u);
}

TEST(ArrayText, IsPrintedShort) {
  EXPECT_EQ(array("9,5-8,1,3"), "1,3,5-9");
  EXPECT_EQ(array("0-99:2%10"), "0-98:2%10");
  EXPECT_EQ(array("0-9:3,20"), "0-9:3,20");
  EXPECT_EQ(array("1,3,8,10,12"), "1,3,8-12:2");
  EXPECT_EQ(array("0-7:7"), "0,7");
  EXPECT_EQ(array("3,3,3-3"), "3");
  EXPECT_EQ(array("0-9:1"), "0-9");
}

TEST(ArrayText, ARefusalSaysWhereAndWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "at 1: expected a digit, found the end"},
      {"a", "at 1: expected a digit, found 'a'"},
      {"-5", "at 1: expected a digit, found '-'"},
      {"1,", "at 3: expected a digit, found the end"},
      {"1,,2", "at 3: expected a digit, found ','"},
      {"1 ,2", "at 2: expected the end, found a space"},
      {"1-", "at 3: expected a digit, found the end"},
      {"0,9-3", "at 3: a range goes from the lower index to the higher"},
      {"5:2", "at 2: expected the end, found ':'"},
      {"0-9:0", "at 5: a step is from 1 to 4294967294"},
      {"0-9%", "at 5: expected a digit, found the end"},
      {"0-9%0", "at 5: the number at the same time is from 1 to 1000000"},
      {"0-9%5,11", "at 6: expected the end, found ','"},
      {"4294967295", "at 1: an index is from 0 to 4294967294"},
      {"0-99999999999", "at 13: a number has at most 10 digits"},
      {"0-1000000", "at 1: an array has at most 1000000 elements"},
      {"7,0-999999", "at 3: an array has at most 1000000 elements"},
      {"0-4294967294:2", "at 1: an array has at most 1000000 elements"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(array(text), error) << text;
  EXPECT_EQ(array("0-999999"), "0-999999");
}

TEST(ElementSelector, OneSomeOrAll) {
  EXPECT_EQ(split_elements("42").value(), (ElementSelector{"42", {}}));
  EXPECT_EQ(split_elements("42_7").value(), (ElementSelector{"42", Ranges({{7, 7}})}));
  EXPECT_EQ(split_elements("42[3,7-9]").value(), (ElementSelector{"42", Ranges({{3, 3}, {7, 9}})}));
  EXPECT_EQ(split_elements("last-2[0]").value(), (ElementSelector{"last-2", Ranges({{0, 0}})}));
  EXPECT_EQ(split_elements("train_7").value(), (ElementSelector{"train_7", {}}));
  EXPECT_EQ(split_elements("42_x").value(), (ElementSelector{"42_x", {}}));
  EXPECT_EQ(selector("42[7]"), "42_7");
  EXPECT_EQ(selector("train[7]"), "train[7]");
  EXPECT_EQ(selector("42[9,3,7-8]"), "42[3,7-9]");
  EXPECT_EQ(selector("42[0-9:3]"), "42[0-9:3]");
}

TEST(ElementSelector, ARefusalSaysWhereAndWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"42[]", "at 4: expected a digit, found ']'"},
      {"42[1", "at 5: expected ']', found the end"},
      {"42[1]x", "at 6: expected the end, found 'x'"},
      {"42[1%2]", "at 5: expected ']', found '%'"},
      {"42_4294967295", "at 4: an index is from 0 to 4294967294"},
      {"42_99999999999", "at 14: a number has at most 10 digits"},
  };
  for (const auto& [text, error] : cases) EXPECT_EQ(selector(text), error) << text;
}

TEST(ArrayText, WhatIsPrintedIsReadAsTheSame) {
  librm::Prng random(3);
  for (int i = 0; i < 2000; ++i) {
    std::vector<librm::Range> ranges;
    for (std::uint64_t n = 1 + random.below(12); n > 0; --n) {
      const std::uint64_t begin = random.below(40);
      ranges.push_back({begin, begin + (random.chance(1, 2) ? 0 : random.below(4))});
    }
    ArraySpec given{Ranges(std::move(ranges)), static_cast<std::uint32_t>(random.below(3))};
    ASSERT_EQ(parse_array(to_string(given)).value(), given) << to_string(given);
    const ElementSelector some{std::to_string(1 + random.below(100)), given.indices};
    ASSERT_EQ(split_elements(to_string(some)).value(), some) << to_string(some);
  }
}

}  // namespace
}  // namespace batch::test
