// A small framework of its own for the simulated world: launches so many tasks, and counts ends.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "librm/alloc/demand.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/framework.hpp"
#include "librm/sim/core_node.hpp"

namespace librm::sim {

struct WorkloadOptions {
  FrameworkInfo info;
  std::uint32_t tasks = 10;  ///< that shall end in any way but dropped
  Resources task_resources;
  std::string task_prefix = "t";
  Duration refuse_for = seconds(60);
  /// Tasks name a release_by so long after their launch, or the end of the offer's loan where that
  /// is earlier; 0: none.
  Duration release_after;
  /// Reserves for its role what its first task of an offer takes, in one of so many; 0: never.
  std::uint32_t reserve_every = 0;
  /// Besides, one after the other, so many gangs of so many nodes, each until all of its tasks ran.
  std::uint32_t gangs = 0;
  Demand gang{};  ///< but for its id; a task takes the shape
  std::uint64_t seed = 1;
};

/// Resulting values: the framework's id where the task is empty, else one task.
struct WorkloadRecord {
  FrameworkId framework;
  TaskId task;
  AgentId agent;
  Incarnation incarnation;
  TaskState state = TaskState::staging;
  std::uint32_t gang = 0;  ///< it was launched with, counted from 1; 0: none
  bool operator==(const WorkloadRecord&) const = default;
};

/// How a scheduler is built on FrameworkCore: it remembers a launch before the launch leaves, and
/// an end before it is acknowledged. Of the shape of all cores, so the same Driver runs it.
class WorkloadCore {
 public:
  using Event = std::variant<Tick, FrameworkEvent>;
  using Record = WorkloadRecord;
  using Output = FrameworkOutput;
  using Actions = ActionList<Record, Output>;

  explicit WorkloadCore(WorkloadOptions options);

  void step(Now now, const Event& event, Actions& out);
  void flush(Now now, Actions& out);
  Deadline next_deadline() const { return session_.next_deadline(); }
  void apply(const Record& record);
  void resume(Now now, Actions& out);
  std::vector<Record> snapshot() const;
  std::vector<std::string> check_invariants() const;

  // --- views ---

  const std::map<TaskId, WorkloadRecord>& tasks() const { return tasks_; }
  const FrameworkCore& session() const { return session_; }
  std::uint32_t live() const { return live_; }
  std::uint32_t ended() const { return ended_; }
  /// The master ended it for good.
  bool void_id() const { return void_id_; }
  bool done() const { return void_id_ || (live_ == 0 && enough()); }
  std::uint32_t gangs_done() const { return gangs_done_; }

 private:
  void call(Now now, Message message, Actions& out);
  void take(Now now, FrameworkActions& actions, Actions& out);
  void on_update(Now now, const StatusUpdate& update, Actions& out);
  void persist(Record record, Actions& out);
  std::vector<TaskInfo> fill(Now now, const OfferReceived& offer,
                             std::vector<Operation>& operations, Actions& out);
  TaskInfo make_task(Now now, const OfferInfo& offer, TaskId id, Resources resources,
                     std::uint32_t gang, Actions& out);
  bool enough() const;
  /// Of the gang that is wanted now; empty where one runs, or all are done.
  std::optional<DemandId> wanted_gang() const;
  void declare(Now now, Actions& out);
  void answer_gang(Now now, EarmarkId earmark, Actions& out);
  void end_gang(std::uint32_t gang);

  WorkloadOptions options_;
  FrameworkCore session_;
  FrameworkId framework_;
  std::map<TaskId, WorkloadRecord> tasks_;
  std::map<OfferId, OfferReceived> offers_;
  std::uint32_t live_ = 0;
  std::uint32_t ended_ = 0;
  struct Gang {
    std::uint32_t live = 0;
    bool broken = false;  ///< a task of it never ran
  };
  std::map<std::uint32_t, Gang> gangs_;
  std::uint32_t gangs_done_ = 0;
  std::optional<DemandId> declared_;
  bool void_id_ = false;
  bool suppressed_ = false;
  bool clocks_differ_ = false;  ///< names no release_by any more
};

struct WorkloadCodec {
  static RecordEntry encode(const WorkloadRecord& record, Dialect);  ///< has one version only
  static Result<WorkloadRecord> decode(const RecordEntry& entry);
  static Sync sync(const WorkloadRecord&) { return Sync::full; }
};

/// The same as a process with a network.
class WorkloadNode final : public CoreNode<WorkloadCore, WorkloadCodec> {
 public:
  using FindMaster = std::function<Node*()>;

  WorkloadNode(World& world, Host& host, std::string name, Disk& disk, WorkloadOptions options,
               FindMaster find_master);

  void perform(FrameworkOutput output) override;
  void on_message(ConnectionId connection, Message message) override;
  void on_closed(ConnectionId connection) override;

 protected:
  std::unique_ptr<WorkloadCore> make_core() const override;

 private:
  WorkloadOptions options_;
  FindMaster find_master_;
};

}  // namespace librm::sim
