// A master with a clock, its agent and its framework, for tests that read as transcripts.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "describe.hpp"
#include "librm/alloc/allocator.hpp"

namespace librm::test {

inline constexpr ConnectionId agent_connection{10};
inline constexpr ConnectionId framework_connection{20};

/// A master with a clock; every call returns what it caused, as text.
class Master {
 public:
  explicit Master(MasterOptions options = {}) : core(std::move(options)) { resume(); }

  std::string resume() {
    MasterActions actions;
    core.resume(now, actions);
    core.flush(now, actions);
    return take(actions);
  }

  std::string step(const MasterEvent& event) {
    MasterActions actions;
    core.step(now, event, actions);
    core.flush(now, actions);
    EXPECT_EQ(core.check_invariants(), std::vector<std::string>{});
    return take(actions);
  }

  std::string receive(ConnectionId from, Message message) {
    return step(Received{from, std::move(message)});
  }

  std::string tick_after(Duration time) {
    now.mono = now.mono + time;
    return step(Tick{});
  }

  std::string register_agent(std::vector<TaskReport> tasks = {}, AgentId id = {},
                             ConnectionId connection = agent_connection,
                             Incarnation incarnation = Incarnation{7}) {
    RegisterAgent message;
    message.agent = id;
    message.incarnation = incarnation;
    message.hostname = "host";
    message.total = Resources::parse("cpus:4;mem:1000").value();
    message.tasks = std::move(tasks);
    std::string text = receive(connection, message);
    // So an agent shows that it remembers its new id.
    if (!id) text += receive(connection, AgentHeartbeat{1});
    return text;
  }

  std::string subscribe(FrameworkId id = {}, ConnectionId connection = framework_connection) {
    Subscribe message;
    message.framework = id;
    message.info.name = "test";
    message.info.failover_timeout = seconds(100);
    return receive(connection, message);
  }

  std::string launch(std::vector<TaskInfo> tasks) {
    AcceptOffers accept;
    for (const Offer* offer : core.allocator().offers_of(FrameworkId{1})) {
      accept.offers.push_back(offer->id);
    }
    accept.tasks = std::move(tasks);
    return receive(framework_connection, accept);
  }

  std::string report(TaskState state, std::uint64_t sequence, const TaskId& task = "t1") {
    StatusUpdate update;
    update.framework = FrameworkId{1};
    update.task = task;
    update.state = state;
    update.sequence = sequence;
    return receive(agent_connection, StatusUpdates{{update}});
  }

  std::string acknowledge(std::uint64_t sequence) {
    return receive(framework_connection,
                   AcknowledgeUpdates{{{FrameworkId{1}, "t1", AgentId{1}, sequence}}});
  }

  MasterCore core;
  Now now{{seconds(1000).ns}, {seconds(5000).ns}};
  std::vector<MasterRecord> journal;

 private:
  std::string take(const MasterActions& actions) {
    for (const auto& item : actions.items()) {
      if (item.index() == 0) journal.push_back(std::get<0>(item));
    }
    return describe_all(actions);
  }
};

/// A master with an agent and a framework that runs t1.
class RunningMaster : public ::testing::Test {
 protected:
  RunningMaster() {
    master.register_agent();
    master.subscribe();
    master.launch({task_info("t1")});
    master.report(TaskState::running, 1);
  }

  TaskReport running_report(std::uint64_t sequence = 1) const {
    TaskReport report;
    report.framework = FrameworkId{1};
    report.info = task_info("t1");
    report.latest.framework = FrameworkId{1};
    report.latest.task = "t1";
    report.latest.state = TaskState::running;
    report.latest.sequence = sequence;
    return report;
  }

  Master master;
};

}  // namespace librm::test
