// What an agent offers where nobody says otherwise, and what replaces it.
#include "agent/detect.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "agent/sandbox.hpp"

namespace librm::daemon {
namespace {

TEST(Detect, ThisHostHasSomethingOfEach) {
  const auto topology = detect_topology("");
  ASSERT_TRUE(topology) << topology.error().message;
  const Resources found = detect_resources("/tmp", *topology ? &**topology : nullptr);
  EXPECT_GE(found.amount("cpus"), Amount::units(1));
  EXPECT_GE(found.amount("mem"), Amount::units(1));
  EXPECT_GE(found.amount("disk"), Amount::units(1));
  EXPECT_EQ(found.amount("ports"), Amount::units(1001));
}

TEST(Detect, AnEmulatedMachineHasWhatItsDescriptionSays) {
  const auto topology = detect_topology("pack:2 numa:1(memory=64GiB) core:8 pu:2");
  ASSERT_TRUE(topology) << topology.error().message;
  ASSERT_TRUE(topology->has_value());
  const Resources found = detect_resources("/tmp", &**topology);
  EXPECT_EQ(found.amount("cpus"), Amount::units(32));
  EXPECT_EQ(found.amount("mem"), Amount::units(127 * 1024));
  EXPECT_EQ(detect_topology("pack:two").error().code, ErrorCode::invalid_argument);
}

TEST(Detect, TasksGetProcessorsBesideEachOther) {
  const auto topology = detect_topology("pack:1 core:2 pu:2");
  ASSERT_TRUE(topology) << topology.error().message;
  const CpuPicker pick = cpu_picker(**topology);
  EXPECT_EQ(pick({}, Amount::units(2)), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_EQ(pick({{0, Amount::units(1)}}, Amount::units(2)), (std::vector<std::uint32_t>{2, 3}));
}

TEST(Detect, WhatIsGivenReplacesByName) {
  const Resources detected = *Resources::parse("cpus:8;mem:16384;ports:[31000-32000]");
  const Resources given = *Resources::parse("cpus:2;gpus:1;ports(web):[80-80]");
  EXPECT_EQ(override_resources(detected, given, "*"),
            *Resources::parse("cpus:2;gpus:1;mem:16384;ports(web):[80-80]"));
  EXPECT_EQ(override_resources(detected, Resources(), "*"), detected);
}

TEST(Detect, WhatNamesNoRoleIsKeptForTheDefaultOne) {
  const Resources detected = *Resources::parse("cpus:8;mem:16384");
  const auto given = read_given_resources("cpus:2;disk(*):5;gpus(dev):1", "eng");
  ASSERT_TRUE(given) << given.error().message;
  EXPECT_EQ(override_resources(detected, *given, "eng"),
            *Resources::parse("cpus(eng):2;disk:5;gpus(dev):1;mem(eng):16384"));
}

TEST(Detect, AnAgentStartsWithStaticReservations) {
  EXPECT_EQ(read_given_resources("cpus(+eng):2", "*").error().message,
            "cpus(+eng): an agent starts with static reservations, such as cpus(eng):4");
  EXPECT_FALSE(read_given_resources("disk(eng)[db1]:2", "*"));
  EXPECT_FALSE(read_given_resources("cpus(eng>+eng/a):2", "*"));
}

TEST(Detect, IncarnationIsTheSameWithinOneBoot) {
  Result<Incarnation> first = read_incarnation();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(static_cast<bool>(*first));
  EXPECT_EQ(*first, *read_incarnation());
}

TEST(Detect, ProgramsAreLookedForBesideOurOwn) {
  const std::string path = beside_own_program("rm-shepherd");
  EXPECT_EQ(path.front(), '/');
  EXPECT_EQ(path.substr(path.rfind('/')), "/rm-shepherd");
}

TEST(SandboxMaker, IsPrivateAndItsParentsAreNot) {
  char name[] = "/tmp/librm-sandbox-XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  TaskStart start;
  start.sandbox = std::string(name) + "/runs/f-1/42.1.1";
  SandboxMaker maker;
  EXPECT_TRUE(maker.make(start).has_value());
  EXPECT_TRUE(maker.make(start).has_value()) << "an existing one is left as it is";
  struct stat status {};
  ASSERT_EQ(::stat(start.sandbox.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((std::string(name) + "/runs/f-1").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755u);
  start.sandbox = "/proc/no/such/f-1/42.1.1";
  EXPECT_FALSE(maker.make(start).has_value());
  std::filesystem::remove_all(name);
}

}  // namespace
}  // namespace librm::daemon
