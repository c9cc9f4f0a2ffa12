// Cpusets, and which hardware threads tasks get on machines that nobody here has.
#include "hwtopo/placement.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hwtopo {
namespace {

using librm::Amount;

// 2 packages of 2 NUMA nodes of 2 cores of 2 threads; sixteen in all, numbered in order.
const char* const numa_machine = "pack:2 numa:2 core:2 pu:2";
// 2 packages with two L3 caches of 3 cores each, without SMT; twelve.
const char* const cache_machine = "pack:2 numa:1 l3:2 core:3 pu:1";

Topology machine(const char* description) {
  auto topology = from_synthetic(description);
  EXPECT_TRUE(topology) << topology.error().message;
  return topology ? *topology : Topology{};
}

Amount amount(const char* text) { return *librm::parse_amount(text); }

/// What a task gets beside others that have all of theirs.
std::string pick(const char* description, std::vector<const char*> taken, const char* cpus) {
  std::vector<Cpuset> sets;
  for (const char* text : taken) sets.push_back(*parse_cpuset(text));
  const auto picked = pick_cpus(machine(description), sets, amount(cpus));
  return picked ? to_string(*picked) : picked.error().message;
}

/// Places tasks one after the other, each beside those before it; one line.
std::string place_all(const char* description, std::vector<const char*> tasks) {
  const Topology topology = machine(description);
  CpuLoad load;
  std::string text;
  for (const char* cpus : tasks) {
    const auto picked = pick_cpus(topology, load, amount(cpus));
    if (!picked) return picked.error().message;
    for (std::uint32_t cpu : picked->cpus()) load[cpu] += share_of(amount(cpus), picked->size());
    text += (text.empty() ? "" : " | ") + to_string(*picked);
  }
  return text;
}

TEST(CpusetText, RangesAreWrittenShortAndReadInAnyOrder) {
  EXPECT_EQ(to_string(Cpuset({8, 1, 0, 3, 2, 3})), "0-3,8");
  EXPECT_EQ(to_string(Cpuset({5})), "5");
  EXPECT_EQ(to_string(Cpuset()), "");
  EXPECT_EQ(parse_cpuset("8,0-3,2")->cpus(), (std::vector<std::uint32_t>{0, 1, 2, 3, 8}));
  EXPECT_EQ(*parse_cpuset(""), Cpuset());
  EXPECT_EQ(parse_cpuset("0-65535")->size(), 65'536u);
  EXPECT_TRUE(Cpuset({4, 6}).contains(6));
  EXPECT_FALSE(Cpuset({4, 6}).contains(5));
}

TEST(CpusetText, WhatIsNoSetIsRefused) {
  for (const char* text : {"a", "1-", "-1", "3-1", "1,", ",1", "1,,2", "1 2", "65536", "0-65536",
                           "99999999999999999999"}) {
    const auto set = parse_cpuset(text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code, librm::ErrorCode::invalid_argument);
    EXPECT_NE(set.error().message.find(text), std::string::npos) << set.error().message;
  }
}

TEST(PickCpus, WholeCoresComeFirst) {
  EXPECT_EQ(pick(numa_machine, {}, "2"), "0-1");
  EXPECT_EQ(pick(numa_machine, {"0"}, "2"), "2-3") << "not 1 and another core's thread";
  EXPECT_EQ(pick(numa_machine, {"0", "2"}, "2"), "4-5") << "not 1 and 3, which share a node";
  EXPECT_EQ(pick(numa_machine, {"0", "2"}, "1"), "1") << "a single thread breaks no whole core";
}

TEST(PickCpus, TheSmallestPartThatHasEnoughIsTaken) {
  EXPECT_EQ(pick(numa_machine, {}, "4"), "0-3") << "a NUMA node";
  EXPECT_EQ(pick(numa_machine, {"0-1"}, "4"), "4-7") << "the next node, not two halves";
  EXPECT_EQ(pick(numa_machine, {"0-1"}, "6"), "2-7") << "what one package has left";
  EXPECT_EQ(pick(numa_machine, {"0-1"}, "8"), "8-15");
  EXPECT_EQ(pick(numa_machine, {"0-1"}, "10"), "2-3,8-15") << "two packages, one of them whole";
  EXPECT_EQ(pick(cache_machine, {}, "3"), "0-2") << "one L3";
  EXPECT_EQ(pick(cache_machine, {"0"}, "3"), "3-5");
  EXPECT_EQ(pick(cache_machine, {"0"}, "4"), "1,3-5") << "an L3 and one beside it";
}

TEST(PickCpus, AmongEqualPartsTheFullestKeepsTheHolesOfOthersWhole) {
  EXPECT_EQ(pick(numa_machine, {"4-5"}, "2"), "6-7") << "the rest of the second node";
  EXPECT_EQ(pick(cache_machine, {"6-7"}, "1"), "8");
  EXPECT_EQ(pick(cache_machine, {"6"}, "2"), "7-8");
}

TEST(PickCpus, OddCountsBreakAtMostOneCore) {
  EXPECT_EQ(pick(numa_machine, {}, "3"), "0-2");
  EXPECT_EQ(pick(numa_machine, {"0"}, "3"), "1-3") << "the broken core is used up";
  EXPECT_EQ(pick(numa_machine, {}, "2.5"), "0-2") << "a fraction beside whole cpus is a thread";
}

TEST(PickCpus, TasksOneAfterTheOtherDoNotMeetUntilTheMachineIsFull) {
  EXPECT_EQ(place_all("pack:1 core:2 pu:1", {"1", "1"}), "0 | 1");
  EXPECT_EQ(place_all(numa_machine, {"2", "4", "1", "1", "8"}), "0-1 | 4-7 | 2 | 3 | 8-15");
}

TEST(PickCpus, MoreThanThereIsIsSharedByTheLeastUsed) {
  EXPECT_EQ(place_all("pack:1 core:2 pu:1", {"1", "1", "1", "1", "1"}), "0 | 1 | 0 | 1 | 0");
  EXPECT_EQ(place_all("pack:1 core:4 pu:1", {"3", "2", "2"}), "0-2 | 0,3 | 1-2");
  EXPECT_EQ(pick("pack:1 core:2 pu:1", {}, "16"), "0-1") << "all, where it wants more than all";
}

TEST(PickCpus, PartsOfACpuShareAThreadAsLongAsTheyFit) {
  EXPECT_EQ(place_all("pack:1 core:4 pu:1", {"0.5", "0.5", "3"}), "0 | 0 | 1-3");
  EXPECT_EQ(place_all("pack:1 core:4 pu:1", {"0.6", "0.6", "0.4", "2"}), "0 | 1 | 0 | 2-3");
  EXPECT_EQ(place_all("pack:1 core:2 pu:2", {"1", "0.1", "0.1", "2"}), "0 | 1 | 1 | 2-3")
      << "beside a busy thread, so that a core stays whole";
  EXPECT_EQ(place_all("pack:1 core:2 pu:1", {"1", "1", "0.5", "0.5"}), "0 | 1 | 0 | 1");
}

TEST(PickCpus, ThreadsKeepTheNumbersOfTheirHost) {
  // As many hosts count: first one thread of each core, then the second ones.
  EXPECT_EQ(pick("pack:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)", {}, "2"), "0,4");
  EXPECT_EQ(pick("pack:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)", {"0,4"}, "3"), "1-2,5");
}

TEST(PickCpus, NothingWantedIsNothingBound) {
  EXPECT_EQ(pick(numa_machine, {}, "0"), "");
  EXPECT_EQ(pick_cpus(Topology{}, CpuLoad{}, Amount::units(1)).error().code,
            librm::ErrorCode::invalid_argument);
}

TEST(ToSynthetic, EqualMachinesAreReadBackAsTheyWere) {
  for (const char* description :
       {"pu:1", "pu:3", "pack:2 core:4 pu:2", "pack:2 numa:2(memory=8GB) l2:2 core:2 pu:2",
        "pack:2 numa:1(memory=32GB) l3:2(size=32MiB) l2:4(size=1MiB) l1:1(size=48KiB) core:1 pu:2",
        "numa:2(memory=1000000007) pack:2 core:3 pu:1",
        "pack:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)", "pack:4 numa:2 l3:8 core:8 pu:2"}) {
    const Topology before = machine(description);
    const auto text = to_synthetic(before);
    ASSERT_TRUE(text) << text.error().message;
    const auto after = from_synthetic(*text);
    ASSERT_TRUE(after) << after.error().message;
    EXPECT_EQ(*after, before) << description << " became " << *text;
    const auto without_hwloc = read_synthetic(*text);
    ASSERT_TRUE(without_hwloc) << without_hwloc.error().message;
    EXPECT_EQ(*without_hwloc, before) << *text;
  }
}

TEST(ReadSynthetic, OtherDescriptionsAndDamagedOnesAreRefused) {
  for (const char* text :
       {"", "pack:2 core:4 pu:2", "Package:2", "PU", "PU:0", "PU:x", "PU:65537", "[", "PU:2 [x]",
        "Package:1000 Core:1000 PU:2", "Package:1 NUMANode:2 PU:1", "L9Cache:1(size=1) PU:1",
        "L3Cache:1 PU:1", "L3Cache:1(size=x) PU:1", "PU:2(indexes=0)", "PU:2(indexes=0,1,2)",
        "PU:2(indexes=0,1", "Core:1 Package:2 PU:1", "Package:1 [NUMANode(memory=)] PU:1"}) {
    const auto topology = read_synthetic(text);
    ASSERT_FALSE(topology) << text;
    EXPECT_EQ(topology.error().code, librm::ErrorCode::unsupported);
  }
  std::string whole =
      "Package:2 [NUMANode(memory=9)] L3Cache:1(size=7) Core:2 PU:1(indexes=3,2,1,0)";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    (void)read_synthetic(std::string_view(whole).substr(0, size));
  }
  EXPECT_TRUE(read_synthetic(whole));
}

TEST(ToSynthetic, TextIsStable) {
  EXPECT_EQ(*to_synthetic(machine("pack:2 numa:1(memory=32GB) l3:1(size=32MiB) core:2 pu:2")),
            "Package:2 [NUMANode(memory=32000000000)] L3Cache:1(size=33554432) Core:2 PU:2");
  EXPECT_EQ(*to_synthetic(machine("pack:1 core:2 pu:2(indexes=0,2,1,3)")),
            "Package:1 [NUMANode(memory=1073741824)] Core:2 PU:2(indexes=0,2,1,3)");
}

TEST(ToSynthetic, UnequalCoresKeepTheirThreadsAndNumbers) {
  Topology hybrid;  // a core with two threads and two with one
  hybrid.packages = {{{0, 1, 2}}};
  hybrid.cores = {{{0, 1}, 0}, {{2}, 0}, {{3}, 0}};
  hybrid.pus = {{0, 0, 0, 0}, {1, 0, 0, 0}, {4, 1, 0, 0}, {5, 2, 0, 0}};
  hybrid.numa_nodes = {{0, 1u << 30, {0, 1, 2, 3}}};
  const auto text = to_synthetic(hybrid);
  ASSERT_TRUE(text) << text.error().message;
  EXPECT_EQ(*text, "Package:1 [NUMANode(memory=1073741824)] PU:4(indexes=0,1,4,5)");
  const auto after = from_synthetic(*text);
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->pus[3].os_index, 5u);
}

TEST(ToSynthetic, ThisMachineIsReadBack) {
  const auto here = discover();
  ASSERT_TRUE(here) << here.error().message;
  const auto text = to_synthetic(*here);
  ASSERT_TRUE(text) << text.error().message;
  const auto after = from_synthetic(*text);
  ASSERT_TRUE(after) << after.error().message << ": " << *text;
  ASSERT_EQ(after->pus.size(), here->pus.size());
  for (std::size_t i = 0; i < here->pus.size(); ++i) {
    EXPECT_EQ(after->pus[i].os_index, here->pus[i].os_index);
  }
  RecordProperty("synthetic", *text);
}

TEST(ToSynthetic, WhatIsTooLongIsRefusedWithItsSize) {
  Topology large;
  large.packages.resize(1);
  for (unsigned i = 0; i < 16'384; ++i) large.pus.push_back({16'383 - i, i, 0, 0});
  const auto text = to_synthetic(large);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code, librm::ErrorCode::resource_exhausted);
  EXPECT_NE(text.error().message.find("at most 65536"), std::string::npos) << text.error().message;
}

}  // namespace
}  // namespace hwtopo
