// The laws of adding, taking away and containing, on random resources.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "generate.hpp"
#include "librm/resource/resources.hpp"

namespace librm {
namespace {

using test::disjoint_from;
using test::random_part;
using test::random_ranges;
using test::random_resource;
using test::random_resources;

constexpr int rounds = 3000;

Resources resources(std::string_view text) { return Resources::parse(text).value(); }

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
    const Resources part = random_part(random, a);
    ASSERT_TRUE(a.contains(random_part(random, part))) << "transitive";
  }
}

TEST(ResourcesLaws, WhatWasAddedCanBeTakenAway) {
  Prng random(8);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources b = disjoint_from(a, random_resources(random));
    ASSERT_EQ((a + b) - b, a) << to_string(a) << " and " << to_string(b);
    ASSERT_EQ((a + b) - a, b);
  }
}

TEST(ResourcesLaws, AnyOrderOfAddingGivesTheSameText) {
  Prng random(9);
  for (int i = 0; i < rounds; ++i) {
    std::vector<Resource> entries;
    for (int n = 0; n < 6; ++n) entries.push_back(random_resource(random));
    Resources in_order;
    for (const Resource& entry : entries) in_order.add(entry);
    for (std::size_t n = entries.size(); n > 1; --n) {
      std::swap(entries[n - 1], entries[random.below(n)]);
    }
    Resources shuffled;
    for (const Resource& entry : entries)
      shuffled += [&] {
        Resources one;
        one.add(entry);
        return one;
      }();
    ASSERT_EQ(to_string(shuffled), to_string(in_order));
  }
}

TEST(ResourcesLaws, WhatIsReservedIsNoPartOfWhatIsNot) {
  Prng random(10);
  for (int i = 0; i < rounds; ++i) {
    const Resources plain = random_resources(random).unreserved();
    const Resources reserved = random_resources(random);
    for (const Resource& entry : reserved.list()) {
      Resources one;
      one.add(entry);
      ASSERT_TRUE(entry.reservations.empty() || !plain.contains(one)) << to_string(one);
    }
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
    ASSERT_EQ(taken, whole.usable_by("prod", Revocable::excluded));
    ASSERT_EQ(rest + taken, whole);
    for (const Resource& entry : taken.list()) ASSERT_FALSE(entry.revocable);
    const Resources all = rest.take_usable("prod", Revocable::included);
    ASSERT_EQ(taken + all, whole.usable_by("prod"));
    ASSERT_EQ(rest.usable_by("*"), Resources());
  }
}

TEST(ResourcesLaws, ContainsUsableLooksAtTheRolesPartOnly) {
  Prng random(7);
  for (int i = 0; i < rounds; ++i) {
    const Resources a = random_resources(random);
    const Resources b = random_resources(random);
    for (const char* role : {"*", "prod", "dev"}) {
      ASSERT_EQ(a.contains_usable(b, role), a.contains(b.usable_by(role, Revocable::excluded)));
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

TEST(Resources, NothingIsLostAtTheEdges) {
  const Resources most = resources("cpus:1000000000000;ports:[0-18446744073709551615]");
  Resources rest = most - resources("cpus:0.001;ports:[0-0,18446744073709551615]");
  EXPECT_EQ(to_string(rest), "cpus:999999999999.999;ports:[1-18446744073709551614]");
  rest += resources("cpus:0.001;ports:[0-0,18446744073709551615]");
  EXPECT_EQ(rest, most);
  EXPECT_EQ(to_string(resources("ports:[5-6]") + resources("ports:[3-4,7-7]")), "ports:[3-7]");
}

TEST(Resources, LabelsAndPrincipalsKeepEntriesApart) {
  const Resources both = resources("cpus(+eng@alice{tier=gold}):2") +
                         resources("cpus(+eng@bob{tier=gold}):2") +
                         resources("cpus(+eng@alice{tier=tin}):2") + resources("cpus(eng):2");
  EXPECT_EQ(both.list().size(), 4u);
  EXPECT_FALSE(both.contains(resources("cpus(+eng@alice{tier=gold}):3")));
  EXPECT_FALSE(both.contains(resources("cpus(+eng):1")));
  EXPECT_EQ((both + both).list().size(), 4u);
}

TEST(Resources, VolumesAreNeitherMergedNorSplit) {
  const Resources volume = resources("disk(eng)[db1]:10");
  const Resources disk = resources("disk(eng):5") + volume;
  EXPECT_EQ(to_string(disk), "disk(eng):5;disk(eng)[db1]:10");
  EXPECT_FALSE(disk.contains(resources("disk(eng)[db1]:9")));
  EXPECT_FALSE(disk.contains(resources("disk(eng):6")));
  EXPECT_EQ(to_string(volume + volume), "disk(eng)[db1]:10;disk(eng)[db1]:10");
  EXPECT_FALSE(volume.contains(volume + volume));
  EXPECT_EQ(disk - volume, resources("disk(eng):5"));
  EXPECT_EQ(disk.unreserved(), resources("disk:15"));
}

TEST(Usable, IsWhatTheRoleOrOneAboveItHas) {
  const Resource eng{.name = "cpus", .reservations = reserved_for("eng"), .value = Amount{1}};
  EXPECT_TRUE(usable(eng, "eng"));
  EXPECT_TRUE(usable(eng, "eng/backend"));
  EXPECT_FALSE(usable(eng, "engine"));
  EXPECT_FALSE(usable(eng, "*"));
  Resource refined = eng;
  refined.reservations.push_back({"eng/backend", true, "", {}});
  EXPECT_FALSE(usable(refined, "eng")) << "the innermost counts";
  EXPECT_TRUE(usable(refined, "eng/backend/db"));
  Resource spare{.name = "cpus", .revocable = true, .value = Amount{1}};
  EXPECT_FALSE(usable(spare, "eng"));
  EXPECT_TRUE(usable(spare, "eng", Revocable::included));
}

TEST(ResourcesDeathTest, SubtractingWhatIsNotThereEndsTheProcess) {
  Resources a = Resources::scalar("cpus", Amount::units(1));
  EXPECT_DEATH(a -= Resources::scalar("cpus", Amount::units(2)), "must be contained");
}

}  // namespace
}  // namespace librm
