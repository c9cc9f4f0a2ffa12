// A simulated journal: records as bytes, durable after a while, with the losses of a real one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/store/journal.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm::sim {

class World;

struct DiskOptions {
  Duration sync_min = microseconds(200);
  Duration sync_max = milliseconds(30);
  Duration cached_max = microseconds(200);  ///< a write into the page cache
};

/// One journal. It may be shared by the processes of several masters: whoever opens it last owns
/// it, and what an earlier owner appends from then on fails, as behind a fenced database. What was
/// on its way is decided at that moment: a prefix of the batches is kept, the rest never was.
class Disk {
 public:
  using OnDurable = std::function<void(Result<Lsn>)>;
  using OnCommit = std::function<void(Lsn, const RecordEntry&)>;

  Disk(World& world, std::string name, DiskOptions options);

  /// Fences every earlier owner; the number names the new one.
  std::uint64_t open(OnDurable on_durable);
  bool owned_by(std::uint64_t owner) const { return owner == owner_; }
  Result<Lsn> append(std::uint64_t owner, std::vector<RecordEntry> batch, Sync sync);
  /// Replaces everything before by these entries, once durable.
  void write_snapshot(std::uint64_t owner, std::vector<RecordEntry> entries);
  /// The next sync fails with this, as on a full disk.
  void fail_next(Error error) { failure_ = std::move(error); }
  void repair() { failure_.reset(); }

  /// The owner's process ends: of what waits, a random prefix of the batches got through.
  void process_crash(std::uint64_t owner);
  /// Rows that are only cached are lost, too (of those, too, a prefix may survive).
  void host_crash();
  /// A new, empty disk in the same place.
  void wipe();

  Lsn last_lsn() const { return next_lsn_ - 1; }
  /// What a process would find on opening, in order, and what its owner appended beyond.
  std::vector<RecordEntry> contents(bool with_waiting) const;

  /// Called for each record when it is durable: for checkers.
  void on_commit(OnCommit callback) { on_commit_ = std::move(callback); }

 private:
  struct Row {
    Lsn lsn = 0;
    RecordEntry entry;
  };
  struct Batch {
    std::vector<Row> rows;
    bool snapshot = false;  // rows replace all before
    Sync sync = Sync::full;
  };

  void start_sync();
  void finish_sync(std::size_t batches);
  void commit(Batch batch);
  void settle();

  World& world_;
  std::string name_;
  DiskOptions options_;
  std::uint64_t owner_ = 0;
  OnDurable on_durable_;
  OnCommit on_commit_;
  std::deque<Batch> waiting_;
  bool syncing_ = false;
  std::uint64_t sync_generation_ = 0;
  std::vector<Row> rows_;
  std::size_t synced_ = 0;  // rows_[0, synced_) survive a host crash
  Lsn durable_ = 0;
  Lsn next_lsn_ = 1;
  std::optional<Error> failure_;
};

}  // namespace librm::sim
