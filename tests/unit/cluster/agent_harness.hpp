// An agent with a clock, its master and its shepherd, for tests that read as transcripts.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "describe.hpp"
#include "librm/cluster/agent.hpp"

namespace librm::test {

inline constexpr ConnectionId master_connection{10};
inline constexpr FrameworkId framework{1};

inline AgentOptions agent_options(Incarnation incarnation = Incarnation{7}) {
  AgentOptions options;
  options.incarnation = incarnation;
  options.hostname = "host";
  options.total = Resources::parse("cpus:4;mem:1000").value();
  options.work_dir = "/w";
  return options;
}

/// An agent with a clock; every call returns what it caused, as text.
class Agent {
 public:
  explicit Agent(AgentOptions options = agent_options(),
                 const std::vector<AgentCoreRecord>& records = {})
      : core(std::move(options)) {
    for (const AgentCoreRecord& record : records) core.apply(record);
    AgentActions actions;
    core.resume(now, actions);
    core.flush(now, actions);
    resumed = take(actions);
  }

  std::string step(const AgentEvent& event) {
    AgentActions actions;
    core.step(now, event, actions);
    core.flush(now, actions);
    EXPECT_EQ(core.check_invariants(), std::vector<std::string>{});
    return take(actions);
  }

  std::string receive(Message message) {
    return step(Received{master_connection, std::move(message)});
  }

  std::string shepherd(ShepherdMessage message) { return step(FromShepherd{std::move(message)}); }

  std::string tick_after(Duration time) {
    now.mono = now.mono + time;
    now.wall = now.wall + time;
    return step(Tick{});
  }

  std::string register_with(Epoch epoch = 1) {
    std::string text = step(MasterConnected{master_connection});
    return text + receive(AgentRegistered{AgentId{1}, epoch, seconds(15), seconds(5)});
  }

  std::string launch(const TaskInfo& info, Incarnation incarnation = Incarnation{7}) {
    return receive(LaunchTasks{framework, incarnation, {info}});
  }

  std::string started(const TaskId& id) {
    return shepherd(TaskProgress{{{{framework, id}, 100, now.wall}}, {}});
  }

  std::string ended(const TaskId& id, int exit_code) {
    TaskEnd end;
    end.key = {framework, id};
    end.exit_code = exit_code;
    return shepherd(TaskProgress{{}, {end}});
  }

  std::string ended_by_signal(const TaskId& id, int signal) {
    TaskEnd end;
    end.key = {framework, id};
    end.signal = signal;
    return shepherd(TaskProgress{{}, {end}});
  }

  std::string acknowledge(const TaskId& id, std::uint64_t sequence) {
    return receive(AcknowledgeUpdates{{{framework, id, AgentId{1}, sequence}}});
  }

  AgentCore core;
  Now now{{seconds(1000).ns}, {seconds(5000).ns}};
  std::vector<AgentCoreRecord> journal;
  std::string resumed;

 private:
  std::string take(const AgentActions& actions) {
    for (const auto& item : actions.items()) {
      if (item.index() == 0) journal.push_back(std::get<0>(item));
    }
    return describe_all(actions);
  }
};

/// A registered agent with its shepherd.
class ReadyAgent : public ::testing::Test {
 protected:
  ReadyAgent() {
    agent.shepherd(ShepherdState{});
    agent.register_with();
  }
  Agent agent;
};

}  // namespace librm::test
