// The shepherd's loop: starts what the agent asks for, reaps what ends, and remembers both.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/shepherd.hpp"
#include "shepherd/agent_link.hpp"
#include "shepherd/descriptor.hpp"
#include "shepherd/launch_plan.hpp"
#include "shepherd/ledger.hpp"
#include "shepherd/options.hpp"
#include "shepherd/processes.hpp"
#include "shepherd/spawn_pool.hpp"
#include "shepherd/spawner.hpp"
#include "shepherd/upgrade.hpp"

namespace librm::shepherd {

/// One turn of the loop: read the agent and the ends, append ends to the ledger in one write,
/// report, start a few more. Nothing in it waits for the agent: what is not reported yet is in
/// the ledger's state, and goes out when the socket takes it.
///
/// Not thread-safe: one thread runs it, and only the making of processes is shared with helpers.
class Shepherd {
 public:
  /// Takes the lock, reads the ledger, finds what an earlier shepherd started, and listens. With
  /// options.resume it goes on from what the program before it left.
  static Result<Shepherd> start(const Options& options);

  /// Until SIGTERM or SIGINT, which leave the tasks running, or ShutdownShepherd, which does not.
  Result<void> run();

 private:
  /// A running task. Adopted ones are not our children: how they end cannot be known.
  struct Watch {
    TaskKey key;
    pid_t pid = 0;  ///< and process group and session
    Descriptor process;
    bool child = true;
    Descriptor report{};     ///< where it fetches files first
    bool signalled = false;  ///< by us, for the agent
    bool fenced = false;     ///< by us, because the agent was away
  };
  struct QueuedStart {
    TaskStart start;
    std::int32_t signal = 0;  ///< asked for before it was started
  };

  /// Makes the end of options_.end_with an event.
  Result<void> watch_owner();

  Shepherd(Options options, Descriptor lock, Ledger ledger, std::unique_ptr<SpawnPool> spawners,
           Descriptor epoll, Descriptor signals, AgentLink link, BaseEnvironment base,
           rlimit task_open_files);

  void resume(ResumeState state);
  ResumeState resume_state() const;
  /// Goes on as upgrade_to_, and returns only where that is refused.
  void upgrade();
  Result<void> become(const std::string& program);

  void recover();
  bool adopt(const TaskKey& key, const LedgerTask& task);
  bool adopt_unrecorded(const TaskKey& key, const std::vector<TaskMember>& members);
  void kill_leftovers(const std::vector<TaskMember>& members);
  bool watch(Watch next);

  Result<void> wait_for_events();
  int wait_ms() const;
  bool may_start() const;
  bool may_report() const;
  void on_signal();
  void on_owner_gone();
  void on_messages();
  void on_message(StartTasks& message);
  void on_message(SignalTask& message);
  void on_message(ForgetTasks& message);
  void on_message(FenceTasks& message);
  void on_message(UpgradeShepherd& message);
  void on_message(ShutdownShepherd& message);
  void on_message(ShepherdState& message);  // only shepherds send these two
  void on_message(TaskProgress& message);

  /// Kills what is past its fence; returns when the next one is due, in ms, -1 for none.
  int keep_fences();
  void finish_ended();
  /// Returns whether its end was not of its own will.
  bool record_end(const Watch& watch);
  void start_some();
  /// Called by helpers at the same time.
  Result<Spawned> launch(const TaskStart& start, Spawner& spawner) const;
  void on_launched(const QueuedStart& queued, Spawned process);
  void end_unstarted(const TaskKey& key, const std::string& reason);
  void end_unknown(const TaskKey& key);
  void save();
  void report();
  ShepherdState whole_state() const;
  void kill_all();

  Options options_;
  Descriptor lock_;
  Ledger ledger_;
  std::unique_ptr<SpawnPool> spawners_;
  Descriptor epoll_;
  Descriptor signals_;
  Descriptor owner_;  // the process of options_.end_with
  AgentLink link_;
  BaseEnvironment base_;
  FetchSetup fetch_;

  std::map<TaskKey, Watch> watches_;  // epoll has pointers to the values
  std::vector<Watch*> ready_;         // whose process has ended
  std::deque<QueuedStart> queue_;
  std::map<TaskKey, Instant> fences_;  // of what runs or is queued, on boot time
  std::set<TaskKey> changed_;          // and not yet reported on this connection
  bool state_due_ = false;             // the connection is new
  rlimit task_open_files_;
  FileIdentity program_;    // which it was last told to go on as
  std::string upgrade_to_;  // at the end of this turn
  bool stopping_ = false;
  bool shutting_down_ = false;
  bool save_failed_ = false;
};

}  // namespace librm::shepherd
