// Topologies from descriptions, from XML, and of the machine that runs the tests.
#include "hwtopo/topology.hpp"

#include <gtest/gtest.h>
#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <set>
#include <string>

namespace hwtopo {
namespace {

std::string saved_xml(const char* description) {
  hwloc_topology_t tree = nullptr;
  hwloc_topology_init(&tree);
  hwloc_topology_set_synthetic(tree, description);
  hwloc_topology_load(tree);
  char* buffer = nullptr;
  int size = 0;
  hwloc_topology_export_xmlbuffer(tree, &buffer, &size, 0);
  std::string xml(buffer, static_cast<std::size_t>(size - 1));
  hwloc_free_xmlbuffer(tree, buffer);
  hwloc_topology_destroy(tree);
  return xml;
}

/// Every index points to where it is pointed back from.
void expect_consistent(const Topology& topology) {
  for (std::size_t i = 0; i < topology.pus.size(); ++i) {
    const Pu& pu = topology.pus[i];
    ASSERT_LT(pu.core, topology.cores.size());
    ASSERT_LT(pu.numa_node, topology.numa_nodes.size());
    ASSERT_LT(pu.package, topology.packages.size());
    const auto& siblings = topology.cores[pu.core].pus;
    EXPECT_EQ(std::count(siblings.begin(), siblings.end(), i), 1);
    EXPECT_EQ(topology.cores[pu.core].package, pu.package);
  }
  std::size_t cores = 0;
  for (const Package& package : topology.packages) cores += package.cores.size();
  EXPECT_EQ(cores, topology.cores.size());
}

TEST(Topology, SyntheticMachineHasWhatItsDescriptionSays) {
  const auto topology = from_synthetic("pack:2 core:4 pu:2");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->packages.size(), 2u);
  EXPECT_EQ(topology->cores.size(), 8u);
  EXPECT_EQ(topology->pus.size(), 16u);
  EXPECT_EQ(topology->packages[1].cores, (std::vector<std::size_t>{4, 5, 6, 7}));
  EXPECT_EQ(topology->cores[5].pus, (std::vector<std::size_t>{10, 11}));
  EXPECT_EQ(topology->pus[11], (Pu{11, 5, 0, 1}));
  expect_consistent(*topology);
}

TEST(Topology, MemoryAndCachesBelongToTheirThreads) {
  const auto topology = from_synthetic("pack:2 numa:1(memory=32GB) l3:1(size=32MiB) core:2 pu:1");
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->numa_nodes.size(), 2u);
  EXPECT_EQ(topology->numa_nodes[1].memory_bytes, 32'000'000'000u);
  EXPECT_EQ(topology->numa_nodes[1].pus, (std::vector<std::size_t>{2, 3}));
  EXPECT_EQ(topology->pus[3].numa_node, 1u);
  EXPECT_EQ(topology->memory_bytes(), 64'000'000'000u);
  ASSERT_EQ(topology->caches.size(), 2u);
  EXPECT_EQ(topology->caches[0].level, 3u);
  EXPECT_EQ(topology->caches[0].pus, (std::vector<std::size_t>{0, 1}));
  expect_consistent(*topology);
  EXPECT_EQ(to_string(*topology),
            "2 packages, 4 cores, 4 threads, 2 NUMA nodes, memory 59.6 GiB, L3 2 x 32.0 MiB");
}

TEST(Topology, DescriptionWithoutCoresHasACorePerThread) {
  const auto topology = from_synthetic("pu:3");
  ASSERT_TRUE(topology) << topology.error().message;
  EXPECT_EQ(topology->packages.size(), 1u);
  EXPECT_EQ(topology->cores.size(), 3u);
  expect_consistent(*topology);
}

TEST(Topology, SavedMachineIsTheSameMachine) {
  const char* description = "pack:2 numa:2(memory=8GB) l2:2 core:2 pu:2";
  const auto saved = from_xml(saved_xml(description));
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(*saved, *from_synthetic(description));
}

TEST(Topology, BadDescriptionsAreRefusedWithTheirText) {
  for (const char* text : {"", "pack:x", "pack:2 core:0", "banana", "pack:2 core:4000000000 pu:2",
                           "pack:1000 core:1000 pu:2"}) {
    const auto topology = from_synthetic(text);
    ASSERT_FALSE(topology) << text;
    EXPECT_EQ(topology.error().code, librm::ErrorCode::invalid_argument);
    EXPECT_NE(topology.error().message.find(text), std::string::npos) << topology.error().message;
  }
}

TEST(Topology, MalformedXmlIsCorruptWhereverItIsCut) {
  EXPECT_EQ(from_xml("").error().code, librm::ErrorCode::corrupt);
  EXPECT_EQ(from_xml("<topology>").error().code, librm::ErrorCode::corrupt);
  const std::string xml = saved_xml("pack:1 core:2 pu:1");
  for (std::size_t size = 0; size + 40 < xml.size(); size += 97) {
    const auto topology = from_xml(std::string_view(xml).substr(0, size));
    if (topology) {
      expect_consistent(*topology);
    } else {
      EXPECT_EQ(topology.error().code, librm::ErrorCode::corrupt);
    }
  }
  EXPECT_EQ(from_xml(std::string(17u << 20, ' ')).error().code, librm::ErrorCode::corrupt);
}

TEST(Topology, ThisMachineHasTheProcessorsThatThisProcessMayUse) {
  const auto topology = discover();
  ASSERT_TRUE(topology) << topology.error().message;
  cpu_set_t mask;
  ASSERT_EQ(::sched_getaffinity(0, sizeof mask, &mask), 0);
  EXPECT_EQ(topology->pus.size(), static_cast<std::size_t>(CPU_COUNT(&mask)));
  for (const Pu& pu : topology->pus) EXPECT_TRUE(CPU_ISSET(pu.os_index, &mask)) << pu.os_index;
  EXPECT_GT(topology->memory_bytes(), 64u << 20);
  expect_consistent(*topology);
  RecordProperty("summary", to_string(*topology));
}

TEST(Topology, ProcessorsOutsideOfTheBindingAreLeftOut) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  if (CPU_COUNT(&before) < 2) GTEST_SKIP() << "needs two processors";
  unsigned first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
  const auto topology = discover();
  ::sched_setaffinity(0, sizeof before, &before);
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_EQ(topology->pus.size(), 1u);
  EXPECT_EQ(topology->pus[0].os_index, first);
}

}  // namespace
}  // namespace hwtopo
