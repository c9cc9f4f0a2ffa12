// The journal: where a core's records become durable, beside the loop, in groups.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm {

enum class Sync : std::uint8_t {
  full,    ///< survives a crash of the host
  cached,  ///< survives the process (page cache), not the host
};

/// One log with tagged streams. Every record gets the next LSN, counted from 1.
///
/// A batch is atomic: after a crash either all of its records are there, or none, and what is
/// there is a prefix of what was appended. Nothing may rely on that across streams.
///
/// Snapshots are taken in slices while the owner runs: between begin and finish it appends slices
/// of its state, each after the records that made that state. Since records state resulting
/// values, the slices and then the stream's records after the snapshot's start give the state.
///
/// Calls come from one thread, the owner's. The first failed commit is reported once through
/// on_durable, and every later call fails: what is in memory is then ahead of the disk for good,
/// so the owner ends the process.
class Journal {
 public:
  /// The highest durable LSN, each time it has grown, or the error that ends the journal. Which
  /// thread calls it is said by the implementation. Must not call back into the journal.
  using OnDurable = std::function<void(Result<Lsn>)>;
  using OnRecord = std::function<Result<void>(Lsn, const RecordEntry&)>;

  virtual ~Journal() = default;

  /// Set once, before the first append.
  virtual void on_durable(OnDurable callback) = 0;

  /// Queues the batch and returns at once with the LSN of its last record (for an empty batch:
  /// of the last record before). Fails with resource_exhausted where the backlog is full; nothing
  /// is queued then. Precondition: every payload is under 2^32 bytes.
  virtual Result<Lsn> append(std::vector<RecordEntry> batch, Sync sync) = 0;

  /// The leader that writes from now on; kept with what it writes. 0 at first.
  virtual void set_epoch(Epoch epoch) = 0;

  /// Calls `on_record` for all that is committed, before the first append: for each stream that
  /// has a finished snapshot its slices (with the LSN at the snapshot's start), then every later
  /// record in LSN order. An error of on_record ends it and is returned. `corrupt` names the row.
  virtual Result<void> replay(const OnRecord& on_record) = 0;

  /// The LSN of the last record that was appended, or found at open; 0 where there is none.
  virtual Lsn last_lsn() const = 0;

  /// Starts a snapshot of the stream and returns its generation. It starts after the last
  /// appended record. A snapshot that is not finished before the journal closes never was.
  virtual Result<std::uint64_t> begin_snapshot(std::uint16_t stream) = 0;
  /// Entries that restore a part of the stream's state. Fails as append() does.
  virtual Result<void> append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) = 0;
  /// Once durable, the stream's records up to the snapshot's start and its earlier snapshots are
  /// deleted, a few at a time.
  virtual Result<void> finish_snapshot(std::uint64_t generation) = 0;
};

}  // namespace librm
