// The seeded generator: the published stream, copies, and bounds.
#include "librm/base/prng.hpp"

#include <gtest/gtest.h>

namespace librm {
namespace {

TEST(Prng, GivesThePublishedStream) {
  // splitmix64 with seed 1234567, as in the reference implementation's test vectors.
  Prng random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317u);
  EXPECT_EQ(random.next(), 3203168211198807973u);
  EXPECT_EQ(random.next(), 9817491932198370423u);
}

TEST(Prng, ACopyContinuesTheSameStream) {
  Prng random(7);
  random.next();
  Prng copy = random;
  for (int i = 0; i < 100; ++i) EXPECT_EQ(copy.next(), random.next());
}

TEST(Prng, StaysWithinBoundsAndReachesThem) {
  Prng random(3);
  bool low = false;
  bool high = false;
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t number = random.between(-2, 3);
    ASSERT_GE(number, -2);
    ASSERT_LE(number, 3);
    low = low || number == -2;
    high = high || number == 3;
  }
  EXPECT_TRUE(low && high);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Prng, ChanceIsNeverAndAlwaysAtItsEnds) {
  Prng random(5);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(random.chance(0, 10));
    EXPECT_TRUE(random.chance(10, 10));
  }
}

}  // namespace
}  // namespace librm
