// The agent: runs what the master launches on its host, at most once, and reports until believed.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/amount.hpp"
#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/prng.hpp"
#include "librm/base/time.hpp"
#include "librm/base/trace.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/message.hpp"
#include "librm/cluster/record.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/cluster/task.hpp"

namespace librm {

// --- what can happen to an agent ---

/// Answers ConnectMaster: a connection to what may be the leader.
struct MasterConnected {
  ConnectionId connection;
};

/// Answers ConnectMaster: nobody to be reached now.
struct MasterUnavailable {
  std::string reason;
};

/// Another master leads, as who elects it says: the old one may be silent for long before it is
/// missed, so it is left, and a new connection is asked for soon. An answer to an earlier
/// ConnectMaster must not come after this.
struct MasterChanged {};

/// From the shepherd, which has one connection at a time.
struct FromShepherd {
  ShepherdMessage message;
};

/// The shepherd's process or socket is gone; a new one is being started.
struct ShepherdLost {};

/// A message on a connection that an executor opened.
struct FromExecutor {
  ConnectionId connection;
  Message message;
};

struct ExecutorClosed {
  ConnectionId connection;
};

using AgentEvent = std::variant<Tick, MasterConnected, MasterUnavailable, MasterChanged, Received,
                                Closed, FromShepherd, ShepherdLost, FromExecutor, ExecutorClosed>;

// --- what an agent wants done ---

/// Find the leader and connect; answered by MasterConnected or MasterUnavailable.
struct ConnectMaster {};

struct ToShepherd {
  ShepherdMessage message;
};

struct ToExecutor {
  ConnectionId connection;
  Message message;
};

/// The agent cannot go on (refused by the master); its owner ends the process. Tasks run on.
struct StopAgent {
  Error error;
};

using AgentOutput = std::variant<ConnectMaster, Send, Close, ToShepherd, ToExecutor, StopAgent>;
using AgentActions = ActionList<AgentCoreRecord, AgentOutput>;

/// What tasks were promised of each processor, by the operating system's number.
using CpuLoad = std::map<std::uint32_t, Amount>;

/// The processors that a task of so many cpus is bound to; empty: any. Pure.
using CpuPicker = std::function<std::vector<std::uint32_t>(const CpuLoad& load, Amount cpus)>;

struct AgentOptions {
  Incarnation incarnation;
  std::string hostname;
  std::string http_address;
  Resources total;
  Attributes attributes;
  std::string topology;  ///< of the host, in hwloc's synthetic form; empty: unknown
  CpuPicker pick_cpus;   ///< empty: tasks are not bound
  std::string work_dir;  ///< sandboxes are `<work_dir>/runs/<framework>/<task>`
  Duration reconnect_min = milliseconds(200);  ///< doubles up to the maximum, with jitter
  Duration reconnect_max = seconds(10);
  Duration update_retry_min = seconds(5);  ///< doubles up to the maximum
  Duration update_retry_max = seconds(300);
  Duration executor_registration_timeout = seconds(60);
  std::uint32_t ledger_max = 100'000;      ///< acknowledged task ids that are remembered
  std::size_t report_bytes_max = 8 << 20;  ///< of tasks that a registration must name
  std::uint64_t seed = 1;                  ///< of the jitter
};

/// The brain of `rm-agent`.
///
/// A launch is taken if it comes on the current session (so from the highest epoch seen), names
/// this incarnation, arrives under a valid lease and its id is not in the ledger. It is recorded,
/// then handed to the shepherd. What the shepherd says becomes a StatusUpdate, which is recorded
/// and sent until it is acknowledged. After a restart the ledger and the shepherd's state are
/// compared: what was recorded and not started is started now, what ended meanwhile is reported,
/// and what ran on an earlier incarnation is reported as gone.
///
/// Not thread-safe. Deterministic: the same events at the same times give the same actions.
class AgentCore {
 public:
  using Event = AgentEvent;
  using Record = AgentCoreRecord;
  using Output = AgentOutput;
  using Actions = AgentActions;

  explicit AgentCore(AgentOptions options, TraceSink* trace = nullptr);

  void step(Now now, const AgentEvent& event, AgentActions& out);
  /// After a batch of steps: starts go to the shepherd, updates to the master, one message each.
  void flush(Now now, AgentActions& out);
  Deadline next_deadline() const;
  void apply(const AgentCoreRecord& record);
  void resume(Now now, AgentActions& out);
  std::vector<AgentCoreRecord> snapshot() const;
  std::vector<std::string> check_invariants() const;

  // --- views, valid until the next call ---

  struct Task {
    TaskLedgerRecord record;
    std::uint64_t acknowledged_sequence = 0;
    bool start_sent = false;         ///< to the current shepherd
    std::optional<Instant> kill_at;  ///< SIGKILL then; set while a kill is under way
    bool kill_hard_sent = false;
    std::optional<Instant> time_limit_at;
    std::optional<Instant> resend_at;  ///< of the unacknowledged update
    Duration resend_after;
    TaskReason kill_reason = TaskReason::none;
  };

  AgentId id() const { return id_; }
  Epoch epoch_highest() const { return epoch_highest_; }
  bool registered() const { return registered_; }
  bool lease_valid(Instant now) const { return registered_ && now < lease_until_; }
  const std::map<TaskKey, Task>& tasks() const { return tasks_; }
  const CpuLoad& cpu_load() const { return cpu_load_; }
  /// Live, or its end is owed to its framework, or it is the process of a live executor: its files
  /// must stay. So must all files until the shepherd has said what it has.
  bool in_use(const TaskKey& key) const;
  /// Where the run's files are.
  std::string sandbox(const TaskKey& key) const;

 private:
  struct Executor;

  void on_master_connected(Now, ConnectionId, AgentActions&);
  void on_message(Now, const AgentRegistered&, AgentActions&);
  void on_message(Now, const AgentRefused&, AgentActions&);
  void on_message(Now, const HeartbeatAnswer&, AgentActions&);
  void on_message(Now, const LaunchTasks&, AgentActions&);
  void on_message(Now, const KillTask&, AgentActions&);
  void on_message(Now, const AcknowledgeUpdates&, AgentActions&);
  void on_message(Now, const ShutdownFramework&, AgentActions&);
  void on_message(Now, const ExecutorMessage&, AgentActions&);
  void on_shepherd(Now, const ShepherdState&, AgentActions&);
  void on_shepherd(Now, const TaskProgress&, AgentActions&);
  void on_task_started(Now, const TaskProcess&, AgentActions&);
  void on_task_ended(Now, const TaskEnd&, AgentActions&);
  void on_executor_subscribed(Now, ConnectionId, const SubscribeExecutor&, AgentActions&);
  void on_executor_updates(Now, ConnectionId, const StatusUpdates&, AgentActions&);
  void on_executor_message(Now, ConnectionId, const ExecutorMessage&, AgentActions&);
  void on_executor_closed(Now, ConnectionId, AgentActions&);
  void on_tick(Now, AgentActions&);

  void launch(Now now, const LaunchTasks& message, const TaskInfo& info, AgentActions& out);
  void reject(Now now, FrameworkId framework, const TaskInfo& info, TaskReason reason,
              std::string message, AgentActions& out);
  void start(Now now, const TaskKey& key, Task& task, AgentActions& out);
  void kill(Now now, const TaskKey& key, Task& task, std::optional<Duration> grace,
            TaskReason reason, AgentActions& out);
  void update(Now now, const TaskKey& key, Task& task, StatusUpdate next, AgentActions& out);
  std::vector<std::uint32_t> pick_cpus(const TaskInfo& info) const;
  static void hold_cpus(CpuLoad& load, const TaskLedgerRecord& record);
  void free_cpus(const TaskLedgerRecord& record);
  void forget(const TaskKey& key, AgentActions& out);
  void start_executor(Now now, const TaskKey& key, const TaskInfo& info);
  void end_executor(Now now, const TaskKey& process, const TaskEnd& end, AgentActions& out);
  void lose_session(Now now);
  void on_master_changed(Now now, AgentActions& out);
  void persist(AgentCoreRecord record, AgentActions& out);
  void trim_ledger();
  void arm(Instant at);
  void check_task_timers(Now now, AgentActions& out);
  void check_releases(Now now, AgentActions& out);
  void fence_tasks(AgentActions& out);
  void arm_release(const TaskLedgerRecord& record);
  void check_executors(Now now, AgentActions& out);
  const Executor* executor_on(ConnectionId connection) const;
  void shut_down_executor(Now now, Executor& executor, AgentActions& out);
  Result<void> admissible(Now now, const LaunchTasks& message, const TaskInfo& info,
                          TaskReason& reason) const;
  void trace(std::string_view subject, const std::string& fact) const;

  /// A custom executor's process and session, shared by the tasks of one framework.
  struct Executor {
    ExecutorInfo info;
    std::optional<ConnectionId> connection;
    std::optional<Instant> deadline;  ///< to subscribe
    TaskKey process;                  ///< what the shepherd knows it by
    std::set<TaskKey> tasks;          ///< not terminal
  };

  AgentOptions options_;
  TraceSink* trace_;
  Prng prng_;
  AgentId id_;
  Epoch epoch_highest_ = 0;
  std::map<TaskKey, Task> tasks_;            ///< live, or ended and not yet acknowledged
  std::map<TaskKey, std::uint64_t> ledger_;  ///< acknowledged ids, with their age
  std::map<std::uint64_t, TaskKey> ledger_by_age_;
  std::uint64_t ledger_age_last_ = 0;
  std::map<std::pair<FrameworkId, ExecutorId>, Executor> executors_;

  bool resumed_ = false;
  bool shepherd_ready_ = false;
  std::optional<ConnectionId> connection_;
  bool connecting_ = false;
  bool registered_ = false;
  Instant register_sent_;
  Instant lease_until_;
  Duration lease_;
  Duration heartbeat_interval_;
  Instant heartbeat_at_;
  std::map<std::uint64_t, Instant> heartbeats_sent_;
  std::uint64_t heartbeat_sequence_ = 0;
  std::optional<Instant> reconnect_at_;
  Duration reconnect_after_;

  Resources held_;                     ///< by tasks that are not terminal
  CpuLoad cpu_load_;                   ///< of the same; without what is 0
  std::size_t report_bytes_ = 0;       ///< of all tasks_, as a registration would name them
  std::optional<Instant> timer_at_;    ///< no task's timer is earlier
  bool leased_ = false;                ///< in this process
  bool fences_due_ = false;            ///< the shepherd knows earlier ones
  std::optional<Instant> release_at_;  ///< no task is to be told earlier that it has to let go
  std::vector<TaskStart> starts_;      ///< gathered for flush()
  std::vector<SignalTask> signals_;
  std::vector<TaskKey> forgets_;
  std::set<TaskKey> updated_;
  std::vector<StatusUpdate> refusals_;  ///< sent once: a report that lacks the task says the same
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/agent.ipp"
#endif
