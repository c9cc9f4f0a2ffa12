// Master and batch front end as one core in one process, joined by a connection that is a queue.
#pragma once

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "batch/batch.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/master.hpp"

namespace batch {

/// Of the same shape as every core, so the same Driver runs it. What passes between the two parts
/// is not held back; outputs that leave the process wait for the records of both, because there
/// is one list of actions and one journal, with a stream for each part. On replay each part sees
/// its own records only, and nothing relies on one part's record implying another's.
class ClusterCore {
 public:
  using Event = std::variant<librm::Tick, librm::MasterEvent, BatchEvent>;
  using Record = std::variant<librm::MasterRecord, BatchRecord>;
  using Output = std::variant<librm::MasterOutput, BatchOutput>;
  using Actions = librm::ActionList<Record, Output>;

  ClusterCore(librm::MasterOptions master, BatchOptions batch, librm::TraceSink* trace = nullptr);

  void step(librm::Now now, const Event& event, Actions& out);
  void flush(librm::Now now, Actions& out);
  librm::Deadline next_deadline() const;
  void apply(const Record& record);
  void resume(librm::Now now, Actions& out);
  std::vector<Record> snapshot() const;
  std::vector<std::string> check_invariants() const;

  const librm::MasterCore& master() const { return master_; }
  const BatchCore& batch() const { return batch_; }

  /// The in-process connection's id at the master; ports never use it.
  static constexpr librm::ConnectionId local_connection{1};

 private:
  void step_master(librm::Now now, const librm::MasterEvent& event, Actions& out);
  void step_batch(librm::Now now, const BatchEvent& event, Actions& out);
  void take(librm::MasterActions& actions, Actions& out);
  void take(BatchActions& actions, Actions& out);
  void settle(librm::Now now, Actions& out);
  bool shape_ages(librm::Now now) const;
  void tell_shape(librm::Now now);

  const librm::Duration agent_lease_;
  librm::MasterCore master_;
  BatchCore batch_;
  std::deque<librm::MasterEvent> to_master_;
  std::deque<BatchEvent> to_batch_;
  ClusterShape shape_;              ///< as the batch front end knows it
  bool shape_changed_ = false;      ///< perhaps
  librm::Instant look_at_silence_;  ///< again, while rescheduling is paused
};

}  // namespace batch
