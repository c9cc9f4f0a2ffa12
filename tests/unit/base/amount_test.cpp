// Amounts: what is read, what is refused, and how they are printed.
#include "librm/base/amount.hpp"

#include <gtest/gtest.h>

#include "librm/base/prng.hpp"

namespace librm {
namespace {

TEST(Amount, ReadsUpToThreeDecimals) {
  EXPECT_EQ(parse_amount("4")->milli, 4000);
  EXPECT_EQ(parse_amount("0.5")->milli, 500);
  EXPECT_EQ(parse_amount("2.125")->milli, 2125);
  EXPECT_EQ(parse_amount("007")->milli, 7000);
  EXPECT_EQ(parse_amount("0")->milli, 0);
}

TEST(Amount, RefusesWhatIsNoPlainNumber) {
  for (const char* text : {"", ".", ".5", "1.", "1.2345", "-1", "+1", "1e3", "1,5", " 1", "1 ",
                           "0x10", "1.5.5", "nan", "inf"}) {
    EXPECT_FALSE(parse_amount(text)) << text;
  }
}

TEST(Amount, RefusesMoreThanTenToTheTwelve) {
  EXPECT_EQ(parse_amount("1000000000000")->milli, Amount::milli_max);
  EXPECT_FALSE(parse_amount("1000000000000.001"));
  EXPECT_FALSE(parse_amount("1000000000001"));
  EXPECT_FALSE(parse_amount(std::string(70'000, '9')));
}

TEST(Amount, PrintsTheShortestForm) {
  EXPECT_EQ(to_string(Amount{4000}), "4");
  EXPECT_EQ(to_string(Amount{500}), "0.5");
  EXPECT_EQ(to_string(Amount{1}), "0.001");
  EXPECT_EQ(to_string(Amount{2120}), "2.12");
  EXPECT_EQ(to_string(Amount{-1500}), "-1.5");
  EXPECT_EQ(to_string(Amount{}), "0");
}

TEST(Amount, PrintedFormReadsBack) {
  Prng random(1);
  for (int i = 0; i < 10'000; ++i) {
    const Amount amount{random.between(0, Amount::milli_max)};
    EXPECT_EQ(parse_amount(to_string(amount)), amount);
  }
}

}  // namespace
}  // namespace librm
