// A simulated shepherd and the task processes of its host, with a log of what really happened.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/prng.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/sim/node.hpp"

namespace librm::sim {

/// What really became of one task id, whoever believes what.
struct TaskTruth {
  TaskKey key;
  const Host* host = nullptr;
  Incarnation incarnation;
  std::uint32_t starts = 0;  ///< more than one is a bug of the cluster
  bool alive = false;
  Instant started;
  std::optional<Instant> ended;
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  bool host_died = false;  ///< neither code nor signal
};

/// The start log of all hosts together.
class TaskLog {
 public:
  using Callback = std::function<void(const TaskTruth&)>;

  void on_start(Callback callback) { on_start_ = std::move(callback); }
  void on_end(Callback callback) { on_end_ = std::move(callback); }
  const std::map<TaskKey, TaskTruth>& tasks() const { return tasks_; }
  const TaskTruth* find(const TaskKey& key) const;
  std::size_t alive() const { return alive_; }

  void start(World& world, const TaskKey& key, const Host& host);
  void end(World& world, const TaskKey& key, std::optional<std::int32_t> exit_code,
           std::optional<std::int32_t> signal);

 private:
  Callback on_start_;
  Callback on_end_;
  std::map<TaskKey, TaskTruth> tasks_;
  std::size_t alive_ = 0;
};

/// How a task behaves, drawn when it is started.
struct TaskBehaviour {
  Duration runs = seconds(1);
  std::int32_t exit_code = 0;
  std::optional<std::int32_t> signal;  ///< dies of it instead
  bool start_fails = false;
  bool ignores_term = false;
  Duration dies_after = milliseconds(20);  ///< from the signal that it obeys
};

/// The process survives its agent. When it crashes itself, tasks go on as orphans: a new one
/// finds them, but how they end stays unknown. Its ledger survives it, and goes with its host.
class Shepherd final : public Node {
 public:
  using Behave = std::function<TaskBehaviour(Prng&, const TaskStart&)>;
  using ToAgent = std::function<void(ShepherdMessage)>;

  Shepherd(World& world, Host& host, std::string name, TaskLog& log);

  void set_behaviour(Behave behave) { behave_ = std::move(behave); }
  /// In parts of a million: it crashes between writing its ledger and starting the process.
  void set_crash_in_spawn(std::uint32_t ppm) { crash_in_spawn_ppm_ = ppm; }

  /// The agent's process has connected: it is told all that is known, then the news. Replaces an
  /// earlier connection. `lost` is called where this process ends. Precondition: running().
  void attach(ToAgent to_agent, std::function<void()> lost);
  void detach();
  /// From the attached agent.
  void receive(const ShepherdMessage& message);

  std::size_t running_tasks() const { return processes_.size(); }
  std::size_t remembered() const { return ended_.size(); }

 protected:
  void on_start() override;
  void on_crash() override;

 private:
  struct Process {
    std::int64_t pid = 0;
    WallTime started;
    TaskBehaviour behaviour;
    bool orphan = false;
    bool fenced = false;
    std::uint64_t end_generation = 0;  // only the latest planned end counts
  };

  void on(const StartTasks& message);
  void on(const SignalTask& message);
  void on(const ForgetTasks& message);
  void on(const FenceTasks& message);
  void keep_fence(const TaskKey& key);
  void on(const UpgradeShepherd& message);
  void on(const ShutdownShepherd& message);
  void on(const ShepherdState&) {}
  void on(const TaskProgress&) {}

  void spawn(const TaskStart& start);
  void plan_end(const TaskKey& key, Duration delay, std::optional<std::int32_t> exit_code,
                std::optional<std::int32_t> signal);
  void end(const TaskKey& key, std::optional<std::int32_t> exit_code,
           std::optional<std::int32_t> signal);
  void report_end(TaskEnd end);
  void report_soon();
  void lose_everything();

  TaskLog& log_;
  Behave behave_;
  std::uint32_t crash_in_spawn_ppm_ = 0;
  ToAgent to_agent_;
  std::function<void()> lost_;
  std::uint64_t session_ = 0;
  std::int64_t last_pid_ = 100;
  std::map<TaskKey, Instant> fences_;  ///< on the host's clock

  // The host's: survive this process.
  std::map<TaskKey, Process> processes_;
  std::set<TaskKey> known_;  // the ledger: every key that was ever accepted
  std::map<TaskKey, TaskEnd> ended_;

  // Gathered for the agent.
  std::vector<TaskProcess> news_started_;
  std::vector<TaskEnd> news_ended_;
  bool report_planned_ = false;
};

}  // namespace librm::sim
