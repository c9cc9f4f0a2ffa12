// How users test a scheduler of their own: a master, agents and their framework in one world.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "librm/sim/agent_node.hpp"
#include "librm/sim/faults.hpp"
#include "librm/sim/master_node.hpp"
#include "librm/sim/workload.hpp"

namespace librm::sim {
namespace {

/// Two agents and a framework that wants ten tasks run.
struct Scene {
  explicit Scene(std::uint64_t seed) : world(seed) {
    for (int i = 1; i <= 2; ++i) add_agent(std::to_string(i));
    WorkloadOptions workload;
    workload.info.name = "mine";
    workload.info.failover_timeout = seconds(3600);
    workload.task_resources = Resources::scalar("cpus", Amount::units(1));
    framework = &world.add<WorkloadNode>(world.add_host("f"), "framework", framework_disk, workload,
                                         [this] { return &master; });
    log.on_start([this](const TaskTruth& truth) {
      if (truth.starts > 1) world.violation(truth.key.task + " was started twice");
    });
    master.start();
    framework->start();
    for (AgentNode* agent : agents) agent->start();
  }

  void add_agent(const std::string& name) {
    Host& host = world.add_host("h" + name);
    disks.push_back(std::make_unique<Disk>(world, "disk-" + name, DiskOptions{}));
    Shepherd& shepherd = world.add<Shepherd>(host, "shepherd-" + name, log);
    shepherd.set_behaviour([](Prng& random, const TaskStart&) {
      TaskBehaviour behaviour;
      behaviour.runs = milliseconds(random.between(1, 10'000));
      return behaviour;
    });
    AgentOptions options;
    options.hostname = host.name();
    options.total = Resources::scalar("cpus", Amount::units(2));
    agents.push_back(&world.add<AgentNode>(host, "agent-" + name, *disks.back(), shepherd, options,
                                           [this] { return &master; }));
  }

  World world;
  TaskLog log;
  Disk journal{world, "journal", {}};
  Disk framework_disk{world, "framework-disk", {}};
  std::vector<std::unique_ptr<Disk>> disks;
  MasterNode& master =
      world.add<MasterNode>(world.add_host("m"), "master", journal, MasterOptions{});
  std::vector<AgentNode*> agents;
  WorkloadNode* framework = nullptr;
};

TEST(SimulatedFramework, RunsItsTasksOnAWholeCluster) {
  Scene scene(1);
  EXPECT_TRUE(scene.world.run_until(scene.world.now() + seconds(120)));
  EXPECT_TRUE(scene.framework->core().done());
  EXPECT_EQ(scene.log.tasks().size(), 10u);
}

TEST(SimulatedFramework, RunsItsTasksThroughCrashes) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Scene scene(seed);
    FaultRates rates;
    rates.process_crash = seconds(3);
    rates.network.loss_ppm = 10'000;
    Faults faults(scene.world, rates);
    faults.add_process(scene.master);
    faults.add_process(*scene.framework);
    for (AgentNode* agent : scene.agents) faults.add_process(*agent);
    faults.start();
    scene.world.run_until(scene.world.now() + seconds(60));
    faults.stop();
    scene.world.run_until(scene.world.now() + seconds(600));
    EXPECT_EQ(scene.world.violations(), std::vector<std::string>{}) << "seed " << seed;
    EXPECT_TRUE(scene.framework->core().done()) << "seed " << seed;
  }
}

TEST(SimulatedFramework, TheSameSeedIsTheSameRun) {
  const auto hash_of = [](std::uint64_t seed) {
    Scene scene(seed);
    scene.world.run_until(scene.world.now() + seconds(60));
    return scene.world.trace_hash();
  };
  EXPECT_EQ(hash_of(7), hash_of(7));
  EXPECT_NE(hash_of(7), hash_of(8));
}

}  // namespace
}  // namespace librm::sim
