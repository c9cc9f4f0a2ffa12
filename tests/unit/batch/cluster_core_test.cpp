// Master and batch front end as one core, with agents that are a few lines: chains complete, and
// no crash at any step starts a task twice.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "batch/cluster_core.hpp"

namespace batch::test {
namespace {

using librm::ConnectionId;
using librm::TaskState;

/// Starts what it is told to, ends it with code 0 (or 1 where the command says `false`, or never
/// where it says `stay`), and reports until it is believed.
struct FakeAgent {
  struct Task {
    librm::TaskInfo info;
    librm::StatusUpdate latest;
  };
  std::string hostname;
  librm::AgentId id;
  ConnectionId connection;
  bool away = false;                  ///< says and hears nothing
  std::map<std::string, Task> tasks;  ///< until acknowledged at their end
  std::map<std::string, int> starts;  ///< of all time
};

class World {
 public:
  explicit World(std::size_t agents) {
    for (std::size_t i = 0; i < agents; ++i) {
      agents_.emplace_back();
      agents_.back().hostname = "host-" + std::to_string(i + 1);
    }
    clock.mono = {1'000'000'000'000};
    clock.wall = {1'700'000'000'000'000'000};
    boot();
  }

  /// A new process on the journal. All agents lose their connection and register again.
  void boot() {
    core = std::make_unique<ClusterCore>(librm::MasterOptions{}, options());
    for (const auto& record : journal) core->apply(record);
    inbox.clear();
    ClusterCore::Actions actions;
    core->resume(clock, actions);
    core->flush(clock, actions);
    perform(actions);
    for (FakeAgent& agent : agents_) {
      agent.connection = ConnectionId{++connection_last_};
      librm::RegisterAgent message;
      message.agent = agent.id;
      message.incarnation = {7};
      message.hostname = agent.hostname;
      message.total = librm::Resources::parse("cpus:2;mem:1024").value();
      message.epoch_highest = epoch_;
      for (const auto& [id, task] : agent.tasks) {
        message.tasks.push_back({framework_, task.info, task.latest});
      }
      post(librm::MasterEvent(librm::Received{agent.connection, message}));
    }
  }

  void post(ClusterCore::Event event) { inbox.push_back(std::move(event)); }

  /// One turn of a driver whose journal commits at once. With `crash`, the process ends after its
  /// records are durable (2), or before (1), and none of this turn's outputs leaves.
  void turn(int crash = 0) {
    ClusterCore::Actions actions;
    while (!inbox.empty()) {
      const ClusterCore::Event event = std::move(inbox.front());
      inbox.pop_front();
      core->step(clock, event, actions);
    }
    core->flush(clock, actions);
    EXPECT_EQ(core->check_invariants(), std::vector<std::string>{});
    if (crash == 0) return perform(actions);
    if (crash == 2) keep_records(actions);
    boot();
  }

  /// The agents have registered and given their first sign of life.
  void settle() {
    turn();
    pass();
    turn();
  }

  /// Until nothing is to be done but to wait; then time passes.
  bool run_until(const std::function<bool()>& done, int turns_max = 2000) {
    for (int i = 0; i < turns_max && !done(); ++i) {
      if (inbox.empty()) pass();
      turn();
    }
    return done();
  }

  void pass() {
    clock.mono = clock.mono + librm::seconds(1);
    clock.wall = clock.wall + librm::seconds(1);
    for (FakeAgent& agent : agents_) {
      if (agent.away) continue;
      post(librm::MasterEvent(librm::Received{agent.connection, librm::AgentHeartbeat{++beats_}}));
      resend(agent);
    }
    post(librm::Tick{});
  }

  bool all_over(std::size_t jobs) const {
    const auto& known = core->batch().jobs();
    return known.size() == jobs && std::all_of(known.begin(), known.end(), [](const auto& entry) {
             return is_terminal(entry.second.state);
           });
  }
  int starts_max() const {
    int most = 0;
    for (const FakeAgent& agent : agents_) {
      for (const auto& [task, count] : agent.starts) most = std::max(most, count);
    }
    return most;
  }

  librm::Now clock;
  std::unique_ptr<ClusterCore> core;
  std::vector<ClusterCore::Record> journal;
  std::deque<ClusterCore::Event> inbox;
  std::vector<SubmitAnswer> answers;
  std::vector<FakeAgent> agents_;

 private:
  static BatchOptions options() {
    BatchOptions options;
    options.framework.name = "batch";
    options.framework.failover_timeout = librm::seconds(1'000'000);
    return options;
  }

  void keep_records(ClusterCore::Actions& actions) {
    for (auto& item : actions.items()) {
      if (auto* record = std::get_if<0>(&item)) journal.push_back(*record);
    }
  }

  void perform(ClusterCore::Actions& actions) {
    keep_records(actions);
    for (auto& item : actions.items()) {
      auto* output = std::get_if<1>(&item);
      if (output == nullptr) continue;
      if (auto* master = std::get_if<librm::MasterOutput>(output)) {
        if (auto* send = std::get_if<librm::Send>(master)) deliver(*send);
      } else if (auto* answer = std::get_if<SubmitAnswer>(&std::get<BatchOutput>(*output))) {
        answers.push_back(*answer);
      }
    }
  }

  void deliver(const librm::Send& send) {
    EXPECT_NE(send.connection, ClusterCore::local_connection) << "never leaves the process";
    for (FakeAgent& agent : agents_) {
      if (agent.connection != send.connection || agent.away) continue;
      if (const auto* registered = std::get_if<librm::AgentRegistered>(&send.message)) {
        agent.id = registered->agent;
        epoch_ = registered->epoch;
        resend(agent);
      } else if (const auto* launch = std::get_if<librm::LaunchTasks>(&send.message)) {
        framework_ = launch->framework;
        for (const librm::TaskInfo& info : launch->tasks) start(agent, info);
      } else if (const auto* acks = std::get_if<librm::AcknowledgeUpdates>(&send.message)) {
        for (const librm::UpdateAck& ack : acks->acks) {
          auto task = agent.tasks.find(ack.task);
          if (task == agent.tasks.end() || task->second.latest.sequence != ack.sequence) continue;
          if (is_terminal(task->second.latest.state)) agent.tasks.erase(task);
        }
      }
    }
  }

  void start(FakeAgent& agent, const librm::TaskInfo& info) {
    ++agent.starts[info.id];
    FakeAgent::Task& task = agent.tasks[info.id];
    task.info = info;
    task.latest.framework = framework_;
    task.latest.task = info.id;
    task.latest.agent = agent.id;
    task.latest.state = TaskState::running;
    task.latest.sequence = 1;
    report(agent, task);
    if (info.command.value == "stay") return;
    const bool bad = info.command.value == "false";
    task.latest.state = bad ? TaskState::failed : TaskState::finished;
    task.latest.exit_code = bad ? 1 : 0;
    task.latest.sequence = 2;
    report(agent, task);
  }

  void report(const FakeAgent& agent, const FakeAgent::Task& task) {
    post(
        librm::MasterEvent(librm::Received{agent.connection, librm::StatusUpdates{{task.latest}}}));
  }
  void resend(const FakeAgent& agent) {
    for (const auto& [id, task] : agent.tasks) report(agent, task);
  }

  std::uint64_t connection_last_ = 100;
  std::uint64_t beats_ = 0;
  librm::Epoch epoch_ = 0;
  librm::FrameworkId framework_;
};

JobSpec plain(std::string name, std::vector<std::string> parents = {},
              std::string command = "true") {
  JobSpec spec;
  spec.name = std::move(name);
  spec.command.value = std::move(command);
  for (std::string& parent : parents) spec.dependencies.push_back({std::move(parent)});
  return spec;
}

std::vector<JobSpec> pipeline() {
  return {plain("extract"),         plain("t1", {"extract"}),          plain("t2", {"extract"}),
          plain("t3", {"extract"}), plain("load", {"t1", "t2", "t3"}), plain("bad", {}, "false"),
          plain("never", {"bad"})};
}

TEST(ClusterCore, AChainOfJobsCompletes) {
  World world(2);
  world.turn();
  world.post(BatchEvent(SubmitJobs{1, pipeline(), "", false}));
  ASSERT_TRUE(world.run_until([&] { return world.all_over(7); }));
  const auto& jobs = world.core->batch().jobs();
  for (JobId id : {1u, 2u, 3u, 4u, 5u}) EXPECT_EQ(jobs.at(id).state, JobState::finished) << id;
  EXPECT_EQ(jobs.at(6).state, JobState::failed);
  EXPECT_EQ(jobs.at(7).state, JobState::cancelled);
  EXPECT_EQ(world.starts_max(), 1);
  EXPECT_EQ(world.answers.at(0).jobs.value().size(), 7u);
}

TEST(ClusterCore, ASubmissionIsLaunchedInTheSameTurn) {
  World world(1);
  world.settle();
  world.post(BatchEvent(SubmitJobs{1, {plain("a")}, "", false}));
  world.turn();
  EXPECT_EQ(world.agents_[0].starts.count("1.1.1"), 1u);
}

TEST(ClusterCore, AHopInAChainTakesOneTurn) {
  World world(1);
  world.settle();
  world.post(BatchEvent(SubmitJobs{1, {plain("a"), plain("b", {"a"})}, "", false}));
  world.turn();
  world.turn();
  EXPECT_EQ(world.agents_[0].starts.count("2.1.1"), 1u);
}

TEST(ClusterCore, AnAgentsSizeIsKnownToSubmissions) {
  World world(1);
  world.settle();
  JobSpec big = plain("big");
  big.request.amounts["cpus"] = librm::Amount::units(64);
  world.post(BatchEvent(SubmitJobs{1, {big}, "", false}));
  world.turn();
  ASSERT_FALSE(world.answers.at(0).jobs.has_value());
  EXPECT_EQ(world.answers[0].jobs.error().message,
            "job big: cpus: need 64, the largest agent (a-1, host-1) has 2");
}

/// The submission is repeated with its key until it is answered, as a client does.
void submit_until_answered(World& world) {
  for (int i = 0; i < 20 && world.answers.empty(); ++i) {
    world.post(BatchEvent(SubmitJobs{1, pipeline(), "key", false}));
    world.turn();
  }
}

TEST(ClusterCore, WhileMostAgentsAreSilentNothingOutOfReachIsStartedAnew) {
  World world(5);
  world.settle();
  std::vector<JobSpec> jobs;
  for (int i = 0; i < 5; ++i) {
    jobs.push_back(plain("job" + std::to_string(i), {}, "stay"));
    jobs.back().lost = LostPolicy::rerun;
    jobs.back().request = librm::parse_request("cpus:2").value();
  }
  world.post(BatchEvent(SubmitJobs{1, jobs, "", false}));
  ASSERT_TRUE(world.run_until([&] {
    return std::all_of(world.agents_.begin(), world.agents_.end(),
                       [](const FakeAgent& agent) { return agent.tasks.size() == 1; });
  }));
  const JobId first = parse_task_id(world.agents_[0].tasks.begin()->first)->job;
  const auto pass = [&](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      world.pass();
      while (!world.inbox.empty()) world.turn();
    }
  };
  // Their last signs of life are seconds apart, so one is given up before the others.
  for (std::size_t i = 0; i < 3; ++i) {
    world.agents_[i].away = true;
    pass(4);
  }
  pass(20);
  ASSERT_EQ(world.core->master().agents().at(world.agents_[0].id).record.status,
            librm::AgentStatus::unreachable);
  ASSERT_EQ(world.core->master().agents().at(world.agents_[1].id).record.status,
            librm::AgentStatus::admitted);
  EXPECT_EQ(world.core->batch().rescheduling_pause(),
            "rescheduling is paused: 3 of 5 agents are unreachable, limit 50 %");
  EXPECT_EQ(world.core->batch().find(first)->state, JobState::running);
  // The others are heard again, which no record tells.
  world.agents_[1].away = world.agents_[2].away = false;
  pass(3);
  EXPECT_EQ(world.core->batch().rescheduling_pause(), std::nullopt);
  EXPECT_EQ(world.core->batch().find(first)->state, JobState::pending);
  EXPECT_EQ(world.core->batch().find(first)->reason,
            "agent " + to_string(world.agents_[0].id) +
                " is unreachable; launched anew by policy 'rerun'");
}

TEST(ClusterCore, ACrashAtAnyTurnLosesNothingAndStartsNothingTwice) {
  for (const int kind : {1, 2}) {
    for (int crash_at = 0; crash_at < 25; ++crash_at) {
      SCOPED_TRACE(std::to_string(crash_at) + ", kind " + std::to_string(kind));
      World world(2);
      int turn = 0;
      world.post(BatchEvent(SubmitJobs{1, pipeline(), "key", false}));
      for (; turn < 25; ++turn) {
        if (world.inbox.empty()) world.pass();
        world.turn(turn == crash_at ? kind : 0);
        if (turn == crash_at) submit_until_answered(world);
      }
      ASSERT_TRUE(world.run_until([&] { return world.all_over(7); }));
      EXPECT_EQ(world.core->batch().find(5)->state, JobState::finished);
      EXPECT_EQ(world.starts_max(), 1);
      EXPECT_EQ(world.core->batch().find(1)->failures, 0u);
    }
  }
}

TEST(ClusterCore, ManyCrashesInARow) {
  World world(3);
  world.post(BatchEvent(SubmitJobs{1, pipeline(), "key", false}));
  for (int turn = 0; turn < 60; ++turn) {
    if (world.inbox.empty()) world.pass();
    world.turn(turn % 3 == 2 ? 1 + turn / 3 % 2 : 0);
    if (world.core->batch().jobs().empty()) submit_until_answered(world);
  }
  ASSERT_TRUE(world.run_until([&] { return world.all_over(7); }));
  EXPECT_EQ(world.starts_max(), 1);
}

TEST(ClusterCore, ASnapshotRebuildsBothParts) {
  World world(1);
  world.turn();
  world.post(BatchEvent(SubmitJobs{1, pipeline(), "", false}));
  ASSERT_TRUE(world.run_until([&] { return world.all_over(7); }));
  ClusterCore again(librm::MasterOptions{}, BatchOptions{});
  for (const auto& record : world.core->snapshot()) again.apply(record);
  EXPECT_EQ(again.snapshot(), world.core->snapshot());
}

}  // namespace
}  // namespace batch::test
