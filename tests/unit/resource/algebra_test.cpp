// The laws of adding, taking away and containing, on random resources.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "generate.hpp"
#include "librm/resource/resources.hpp"

namespace librm {
namespace {

using test::random_part;
using test::random_ranges;
using test::random_resources;

constexpr int rounds = 3000;

std::set<std::uint64_t> numbers(const Ranges& ranges) {
  std::set<std::uint64_t> all;
  for (const Range& range : ranges.list()) {
    for (std::uint64_t n = range.begin; n <= range.end; ++n) all.insert(n);
  }
  return all;
}

TEST(RangesLaws, AgreeWithSetsOfNumbers) {
  Prng random(11);
  for (int i = 0; i < rounds; ++i) {
    const Ranges a = random_ranges(random, 24);
    const Ranges b = random_ranges(random, 24);
    const auto in_a = numbers(a);
    const auto in_b = numbers(b);
    std::set<std::uint64_t> both = in_a;
    both.insert(in_b.begin(), in_b.end());
    std::set<std::uint64_t> rest = in_a;
    for (const std::uint64_t n : in_b) rest.erase(n);
    Ranges sum = a;
    sum += b;
    Ranges difference = a;
    difference -= b;
    ASSERT_EQ(numbers(sum), both);
    ASSERT_EQ(numbers(difference), rest);
    ASSERT_EQ(a.count(), in_a.size());
    ASSERT_EQ(a.contains(b), std::includes(in_a.begin(), in_a.end(), in_b.begin(), in_b.end()));
    for (std::size_t k = 1; k < sum.list().size(); ++k) {
      ASSERT_GT(sum.list()[k].begin, sum.list()[k - 1].end + 1) << "adjacent ranges are merged";
    }
  }
}

TEST(RangesLaws, LowestIsTheFirstNumbers) {
  const Ranges ranges({{10, 12}, {20, 29}});
  EXPECT_EQ(ranges.lowest(0), Ranges());
  EXPECT_EQ(ranges.lowest(3), Ranges({{10, 12}}));
  EXPECT_EQ(ranges.lowest(5), Ranges({{10, 12}, {20, 21}}));
  EXPECT_EQ(ranges.lowest(13), ranges);
}

TEST(RangesLaws, TheWholeLineDoesNotWrapAround) {
  constexpr std::uint64_t last = ~std::uint64_t{0};
  Ranges all({{0, last}});
  EXPECT_EQ(all.count(), last);
  all -= Ranges({{last, last}});
  EXPECT_EQ(all, Ranges({{0, last - 1}}));
  all += Ranges({{last, last}, {3, 2}});
  EXPECT_EQ(all, Ranges({{0, last}}));
  all -= Ranges(all);
  EXPECT_TRUE(all.empty());
}

TEST(ResourcesLaws, PrintedFormReadsBack) {
  Prng random(1);
  for (int i = 0; i < rounds; ++i) {
    const Resources resources = random_resources(random);
    const auto again = Resources::parse(to_string(resources));
    ASSERT_TRUE(again) << again.error().message;
    ASSERT_EQ(*again, resources);
  }
}

TEST(ResourcesLaws, AddingIsCommutativeAndAssociative) {
  Prng random(2);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources b = random_resources(random);
    const Resources c = random_resources(random);
    ASSERT_EQ(a + b, b + a);
    ASSERT_EQ((a + b) + c, a + (b + c));
    ASSERT_EQ(a + Resources(), a);
  }
}

TEST(ResourcesLaws, TakingAPartAwayAndGivingItBackChangesNothing) {
  Prng random(3);
  for (int i = 0; i < rounds; ++i) {
    const Resources whole = random_resources(random);
    const Resources part = random_part(random, whole);
    ASSERT_TRUE(whole.contains(part));
    const Resources rest = whole - part;
    ASSERT_TRUE(whole.contains(rest));
    ASSERT_EQ(rest + part, whole);
    ASSERT_EQ(rest.contains(whole), part.empty());
  }
}

TEST(ResourcesLaws, ContainingIsAPartialOrder) {
  Prng random(4);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources b = random_resources(random);
    ASSERT_TRUE(a.contains(a));
    ASSERT_TRUE((a + b).contains(a));
    ASSERT_EQ(a.contains(b) && b.contains(a), a == b);
    ASSERT_TRUE(a.contains(Resources()));
  }
}

TEST(ResourcesLaws, UnreservedKeepsTheAmounts) {
  Prng random(5);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources flat = a.unreserved();
    ASSERT_EQ(flat.amount("cpus"), a.amount("cpus"));
    for (const Resource& entry : flat.list()) ASSERT_EQ(entry.role(), any_role);
  }
}

TEST(ResourcesLaws, TakeUsableSplitsExactly) {
  Prng random(6);
  for (int i = 0; i < rounds; ++i) {
    const Resources whole = random_resources(random);
    Resources rest = whole;
    const Resources taken = rest.take_usable("prod");
    ASSERT_EQ(taken, whole.usable_by("prod"));  // nothing here is revocable
    ASSERT_EQ(rest + taken, whole);
    Resources others = whole;
    others.take_usable("dev");
    ASSERT_EQ(others.usable_by("*"), Resources());
  }
}

TEST(ResourcesLaws, ContainsUsableLooksAtTheRolesPartOnly) {
  Prng random(7);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources b = random_resources(random);
    for (const char* role : {"*", "prod", "dev"}) {
      ASSERT_EQ(a.contains_usable(b, role), a.contains(b.usable_by(role)));
    }
  }
}

TEST(Resources, SelfOperationsAreSafe) {
  Resources a = Resources::parse("cpus:2;disks:{a};ports:[1-3]").value();
  const Resources& same = a;
  a += same;
  EXPECT_EQ(to_string(a), "cpus:4;disks:{a};ports:[1-3]");
  a -= same;
  EXPECT_TRUE(a.empty());
}

TEST(Resources, SumsStayAtTheMaximum) {
  const Resources most = Resources::scalar("cpus", {Amount::milli_max});
  EXPECT_EQ((most + most).amount("cpus").milli, Amount::milli_max);
  Resources odd = Resources::scalar("cpus", {-5});
  EXPECT_TRUE(odd.empty());
  odd.add({.name = "cpus", .value = Amount{INT64_MAX}});
  EXPECT_EQ(odd.amount("cpus").milli, Amount::milli_max);
}

TEST(Resources, RevocableIsKeptApart) {
  Resources a = Resources::scalar("cpus", Amount::units(1));
  a.add({.name = "cpus", .revocable = true, .value = Amount::units(2)});
  EXPECT_EQ(to_string(a), "cpus:1;cpus{revocable}:2");
  EXPECT_EQ(a.amount("cpus"), Amount::units(3));
  EXPECT_FALSE(a.contains(Resources::scalar("cpus", Amount::units(2))));
}

TEST(ResourcesDeathTest, SubtractingWhatIsNotThereEndsTheProcess) {
  Resources a = Resources::scalar("cpus", Amount::units(1));
  EXPECT_DEATH(a -= Resources::scalar("cpus", Amount::units(2)), "must be contained");
}

}  // namespace
}  // namespace librm
