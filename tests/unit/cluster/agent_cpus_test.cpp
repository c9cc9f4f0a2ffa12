// The processors that an agent binds its tasks to, and what the ledger knows of them.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent_harness.hpp"

namespace librm::test {
namespace {

/// Binds to the least used of four processors, of several the lowest.
AgentOptions binding_options(Incarnation incarnation = Incarnation{7}) {
  AgentOptions options = agent_options(incarnation);
  options.topology = "pu:4";
  options.pick_cpus = [](const CpuLoad& load, Amount cpus) {
    std::vector<std::uint32_t> picked;
    for (Amount level; picked.size() * 1000 < static_cast<std::size_t>(cpus.milli);
         level += Amount::units(1)) {
      for (std::uint32_t cpu = 0; cpu < 4; ++cpu) {
        const auto found = load.find(cpu);
        const Amount used = found == load.end() ? Amount{} : found->second;
        if (used == level && picked.size() * 1000 < static_cast<std::size_t>(cpus.milli)) {
          picked.push_back(cpu);
        }
      }
    }
    return picked;
  };
  return options;
}

TaskInfo cpus_task(const std::string& id, const char* cpus) {
  TaskInfo info = task_info(id);
  info.resources = Resources::scalar("cpus", *parse_amount(cpus));
  return info;
}

/// What the shepherd would be told of each task that is to be started.
using Bound = std::map<TaskId, std::vector<std::uint32_t>>;

Bound bound_of(const AgentCore& core) {
  Bound bound;
  for (const auto& [key, task] : core.tasks()) bound[key.task] = task.record.cpus;
  return bound;
}

TEST(AgentCpus, ATaskHoldsItsProcessorsUntilItsEnd) {
  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  agent.launch(cpus_task("t1", "1"));
  agent.launch(cpus_task("t2", "2"));
  EXPECT_EQ(bound_of(agent.core), (Bound{{"t1", {0}}, {"t2", {1, 2}}}));
  agent.ended("t1", 0);
  agent.launch(cpus_task("t3", "2"));
  EXPECT_EQ(bound_of(agent.core).at("t3"), (std::vector<std::uint32_t>{0, 3}));
  agent.ended("t2", 0);
  agent.ended("t3", 0);
  EXPECT_EQ(agent.core.cpu_load(), CpuLoad{});
}

TEST(AgentCpus, TheShepherdAndTheLedgerSayTheSame) {
  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  AgentActions actions;
  const TaskInfo info = cpus_task("t1", "2");
  agent.core.step(agent.now, Received{master_connection, LaunchTasks{framework, {7}, {info}}},
                  actions);
  agent.core.flush(agent.now, actions);
  ASSERT_EQ(actions.items().size(), 2u);
  const auto& record = std::get<TaskLedgerRecord>(std::get<0>(actions.items()[0]));
  EXPECT_EQ(record.cpus, (std::vector<std::uint32_t>{0, 1}));
  const auto& to_shepherd = std::get<ToShepherd>(std::get<1>(actions.items()[1]));
  const auto& starts = std::get<StartTasks>(to_shepherd.message).starts;
  ASSERT_EQ(starts.size(), 1u);
  EXPECT_EQ(starts[0].cpus, record.cpus);
}

TEST(AgentCpus, AfterARestartTheLedgerSaysWhatIsTaken) {
  Agent before(binding_options());
  before.shepherd(ShepherdState{});
  before.register_with();
  before.launch(cpus_task("t1", "0.5"));
  before.launch(cpus_task("t2", "1"));
  before.ended("t2", 0);
  Agent after(binding_options(), before.journal);
  EXPECT_EQ(after.core.cpu_load(), (CpuLoad{{0, {500}}}));
  after.shepherd(ShepherdState{1, {{{framework, "t1"}, 100, after.now.wall}}, {}});
  after.register_with();
  after.launch(cpus_task("t3", "1"));
  EXPECT_EQ(bound_of(after.core).at("t1"), (std::vector<std::uint32_t>{0}));
  EXPECT_EQ(bound_of(after.core).at("t3"), (std::vector<std::uint32_t>{1}));
  // Another boot: all of it has ended.
  Agent rebooted(binding_options(Incarnation{8}), after.journal);
  EXPECT_EQ(rebooted.core.cpu_load(), CpuLoad{});
}

TEST(AgentCpus, WithoutAChooserAndForExecutorsNothingIsBound) {
  Agent free;
  free.shepherd(ShepherdState{});
  free.register_with();
  free.launch(cpus_task("t1", "1"));
  EXPECT_EQ(bound_of(free.core), (Bound{{"t1", {}}}));

  Agent agent(binding_options());
  agent.shepherd(ShepherdState{});
  agent.register_with();
  TaskInfo info = cpus_task("t1", "1");
  info.executor = ExecutorInfo{};
  info.executor->id = "x";
  agent.launch(info);
  TaskInfo none = task_info("t2");
  none.resources = {};
  agent.launch(none);
  EXPECT_EQ(bound_of(agent.core), (Bound{{"t1", {}}, {"t2", {}}}));
}

TEST(AgentCpus, TheMasterIsToldTheTopology) {
  Agent agent(binding_options());
  AgentActions actions;
  agent.core.step(agent.now, MasterConnected{master_connection}, actions);
  const auto& send = std::get<Send>(std::get<1>(actions.items().at(0)));
  EXPECT_EQ(std::get<RegisterAgent>(send.message).topology, "pu:4");
}

}  // namespace
}  // namespace librm::test
