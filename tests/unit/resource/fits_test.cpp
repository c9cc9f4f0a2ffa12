// Whether a request fits, which dimension is short, and what is selected.
#include "librm/resource/fits.hpp"

#include <gtest/gtest.h>

#include "generate.hpp"

namespace librm {
namespace {

Resources resources(std::string_view text) { return Resources::parse(text).value(); }
Request request(std::string_view text) { return parse_request(text).value(); }

std::string short_of(std::string_view need, std::string_view free, std::string_view role = "*") {
  const auto shortage = fits(request(need), resources(free), role);
  return shortage ? to_string(*shortage) : "fits";
}

std::string selected(std::string_view need, std::string_view free, std::string_view role = "*") {
  const auto picked = select(request(need), resources(free), role);
  if (picked) return to_string(*picked);
  EXPECT_EQ(picked.error().code, ErrorCode::resource_exhausted);
  return "error: " + picked.error().message;
}

std::string missing(std::string_view need, std::string_view free) {
  const auto found = shortage(resources(need), resources(free));
  return found ? to_string(*found) : "contained";
}

TEST(Fits, NamesTheFirstShortDimensionWithAmounts) {
  EXPECT_EQ(short_of("cpus:2;mem:512", "cpus:2;mem:512"), "fits");
  EXPECT_EQ(short_of("mem:65536", "cpus:8;mem:49152"), "mem: need 65536, free 49152");
  EXPECT_EQ(short_of("cpus:9;mem:65536", "cpus:8;mem:49152"), "cpus: need 9, free 8");
  EXPECT_EQ(short_of("gpus:1", "cpus:8"), "gpus: need 1, free 0");
  EXPECT_EQ(short_of("cpus:0.101", "cpus:0.1"), "cpus: need 0.101, free 0.1");
  EXPECT_EQ(short_of("", ""), "fits");
}

TEST(Fits, CountsMembersOfRangesAndSets) {
  EXPECT_EQ(short_of("ports:2", "ports:[1-1,5-5]"), "fits");
  EXPECT_EQ(short_of("ports:3", "ports:[1-1,5-5]"), "ports: need 3, free 2");
  EXPECT_EQ(short_of("gpus:3", "gpus:{g0,g1}"), "gpus: need 3, free 2");
  EXPECT_EQ(short_of("ports:1.5", "ports:[1-1]"), "ports: need 1.5, free 1");
}

TEST(Fits, ReservedResourcesCountForTheirRoleOnly) {
  EXPECT_EQ(short_of("cpus:3", "cpus:1;cpus(prod):2", "prod"), "fits");
  EXPECT_EQ(short_of("cpus:3", "cpus:1;cpus(prod):2", "dev"), "cpus: need 3, free 1");
  EXPECT_EQ(short_of("cpus:3", "cpus:1;cpus(prod):2"), "cpus: need 3, free 1");
  EXPECT_EQ(short_of("cpus:3", "cpus:1;cpus(eng):2", "eng/backend"), "fits");
}

TEST(Fits, RevocableResourcesDoNotCount) {
  Resources free = resources("cpus:1");
  free.add({.name = "cpus", .revocable = true, .value = Amount::units(4)});
  EXPECT_EQ(fits(request("cpus:2"), free), (Shortage{"cpus", Amount::units(2), Amount::units(1)}));
  EXPECT_FALSE(select(request("cpus:2"), free));
  const auto picked = select(request("cpus:2"), free, "*", Revocable::included);
  ASSERT_TRUE(picked);
  EXPECT_EQ(to_string(*picked), "cpus:1;cpus{revocable}:1") << "what may go is taken last";
}

TEST(Fits, AVolumeIsNoRoom) {
  EXPECT_EQ(short_of("disk:3", "disk(eng):2;disk(eng)[db1]:10", "eng"), "disk: need 3, free 2");
  EXPECT_EQ(selected("disk:2", "disk(eng):2;disk(eng)[db1]:10", "eng"), "disk(eng):2");
}

TEST(Fits, AmountsOfHandMadeRequestsMayBeAbsurd) {
  EXPECT_FALSE(fits(Request{{{"cpus", Amount{-5}}}}, Resources()));
  EXPECT_TRUE(fits(Request{{{"cpus", Amount{INT64_MAX}}}}, resources("cpus:1000000000000")));
}

TEST(Select, TakesReservedBeforeUnreserved) {
  EXPECT_EQ(selected("cpus:3", "cpus:4;cpus(prod):2", "prod"), "cpus:1;cpus(prod):2");
  EXPECT_EQ(selected("cpus:2", "cpus:4;cpus(prod):2", "prod"), "cpus(prod):2");
  EXPECT_EQ(selected("ports:2", "ports:[10-19];ports(prod):[50-50]", "prod"),
            "ports:[10-10];ports(prod):[50-50]");
}

TEST(Select, TakesWhatFewestOthersMayUseFirst) {
  EXPECT_EQ(selected("cpus:4", "cpus:9;cpus(eng):2;cpus(eng/db):1;cpus(eng/db/x):5", "eng/db"),
            "cpus:1;cpus(eng):2;cpus(eng/db):1");
  EXPECT_EQ(selected("cpus:2", "cpus(eng):2;cpus(+eng>+eng/db):1", "eng/db"),
            "cpus(eng):1;cpus(+eng>+eng/db):1");
}

TEST(Select, TakesLowestPortsAndFirstMembers) {
  EXPECT_EQ(selected("ports:3", "ports:[31000-31001,31010-31020]"),
            "ports:[31000-31001,31010-31010]");
  EXPECT_EQ(selected("gpus:2", "gpus:{g2,g0,g1}"), "gpus:{g0,g1}");
  EXPECT_EQ(selected("ports:1.5", "ports:[7-9]"), "ports:[7-8]");
}

TEST(Select, FailsWithTheShortage) {
  EXPECT_EQ(selected("mem:10", "mem:9.5"), "error: mem: need 10, free 9.5");
}

TEST(Select, SucceedsExactlyWhereItFitsAndStaysWithin) {
  Prng random(21);
  int fitting = 0;
  for (int i = 0; i < 5000; ++i) {
    const Resources free = test::random_resources(random);
    Request wanted;
    for (const char* name : {"cpus", "disks", "mem", "ports"}) {
      if (random.chance(1, 3)) wanted.amounts[name] = Amount{random.between(1, 8)};
      if (random.chance(1, 6)) wanted.amounts[name] = Amount{random.between(1, 3000)};
    }
    const char* role = random.chance(1, 2) ? "prod" : "*";
    const auto picked = select(wanted, free, role);
    ASSERT_EQ(picked.has_value(), !fits(wanted, free, role));
    if (!picked) continue;
    ++fitting;
    ASSERT_TRUE(free.contains(*picked));
    ASSERT_FALSE(fits(wanted, *picked, role));
    ASSERT_TRUE(free.usable_by(role, Revocable::excluded).contains(*picked));
  }
  EXPECT_GT(fitting, 500);
}

TEST(Shortage, AgreesWithContains) {
  Prng random(22);
  for (int i = 0; i < 5000; ++i) {
    const Resources need = test::random_resources(random);
    const Resources free = test::random_resources(random);
    const auto found = shortage(need, free);
    ASSERT_EQ(found.has_value(), !free.contains(need));
    ASSERT_TRUE(!found || found->free < found->need);
  }
}

TEST(Shortage, NamesRoleAndMembersThatAreMissing) {
  EXPECT_EQ(missing("cpus:1", "cpus:2"), "contained");
  EXPECT_EQ(missing("cpus(prod):1", "cpus:2"), "cpus(prod): need 1, free 0");
  EXPECT_EQ(missing("cpus(+eng@al):3", "cpus(+eng@al):2;cpus(+eng):9"),
            "cpus(+eng@al): need 3, free 2");
  EXPECT_EQ(missing("disk(eng)[a]:3", "disk(eng)[a]:2"), "disk(eng)[a]: need 3, free 0");
  EXPECT_EQ(missing("ports:[1-4]", "ports:[3-9]"), "ports: need 4, free 2");
  EXPECT_EQ(missing("gpus:{g0,g7}", "gpus:{g0,g1,g2}"), "gpus: need 2, free 1");
}

}  // namespace
}  // namespace librm
