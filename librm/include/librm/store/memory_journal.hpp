// A journal in memory, for tests and the simulator: durability happens when told to.
#pragma once

#include <cstddef>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/store/journal.hpp"

namespace librm {

/// Deterministic, without threads: on_durable is called by sync(), on its caller's thread. What
/// was appended waits until sync() commits it; crash() and host_crash() lose what a real journal
/// would, after which the object is what a new process finds when it opens the journal (callback
/// and epoch are forgotten, replay() may be called again).
class MemoryJournal final : public Journal {
 public:
  static constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();

  void on_durable(OnDurable callback) override { on_durable_ = std::move(callback); }
  Result<Lsn> append(std::vector<RecordEntry> batch, Sync sync) override;
  void set_epoch(Epoch epoch) override { epoch_ = epoch; }
  Result<void> replay(const OnRecord& on_record) override;
  Lsn last_lsn() const override { return last_lsn_; }
  Result<std::uint64_t> begin_snapshot(std::uint16_t stream) override;
  Result<void> append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) override;
  Result<void> finish_snapshot(std::uint64_t generation) override;

  /// Commits all that waits, as one group, and reports the highest durable LSN if it has grown.
  void sync();

  /// The process ends: of what waits, the latest batches are lost until at least `records_lost`
  /// records are (all by default); the rest got through to the disk just before.
  void crash(std::size_t records_lost = everything);
  /// The host ends: groups that were committed as `cached` only are lost, too.
  void host_crash();

  /// The next sync() fails with this error, as would a full disk.
  void fail_next(Error error) { failure_ = std::move(error); }

  /// Refuse appends beyond this many waiting records.
  void set_backlog_max(std::size_t records) { backlog_max_ = records; }

  std::size_t waiting() const { return waiting_records_; }  ///< records, slices included
  Lsn durable_lsn() const { return committed_.lsn; }        ///< highest that was reported
  std::size_t stored() const;                               ///< records and slice entries kept

 private:
  struct Row {
    Epoch epoch = 0;
    RecordEntry entry;
  };
  struct Snapshot {
    std::uint64_t generation = 0;
    std::uint16_t stream = 0;
    Lsn start = 0;
    std::vector<RecordEntry> slices;
  };
  struct Append {
    Lsn first = 0;
    Epoch epoch = 0;
    Sync sync = Sync::full;
    std::vector<RecordEntry> batch;
  };
  struct Begin {
    Snapshot snapshot;
  };
  struct Slice {
    std::uint64_t generation = 0;
    std::vector<RecordEntry> entries;
  };
  struct Finish {
    std::uint64_t generation = 0;
  };
  using Operation = std::variant<Append, Begin, Slice, Finish>;

  /// What a disk holds.
  struct State {
    Lsn lsn = 0;
    std::map<Lsn, Row> rows;
    std::map<std::uint64_t, Snapshot> unfinished;  // by generation
    std::map<std::uint16_t, Snapshot> snapshots;   // finished, by stream
  };

  static std::size_t records_of(const Operation& operation);
  static void perform(State& state, const Operation& operation);
  Result<void> queue(Operation operation);
  void commit();
  void reopen();

  OnDurable on_durable_;
  Epoch epoch_ = 0;
  Lsn last_lsn_ = 0;
  std::uint64_t generation_last_ = 0;
  std::set<std::uint64_t> open_snapshots_;
  std::size_t backlog_max_ = everything;
  std::size_t waiting_records_ = 0;
  std::deque<Operation> waiting_;
  State committed_;              // what a new process would find
  std::optional<State> synced_;  // what a new host would, where that is less
  std::optional<Error> failure_;
  std::optional<Error> failed_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/store/impl/memory_journal.ipp"
#endif
