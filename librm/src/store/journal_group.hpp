// Group commit: the owner's side of a journal on a database, its queue and its thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "journal_entry.hpp"
#include "librm/store/journal.hpp"

namespace librm::store_detail {

struct Append {
  Lsn first = 0;
  Epoch epoch = 0;
  Sync sync = Sync::full;
  std::vector<RecordEntry> batch;
};
struct Begin {
  SnapshotRow row;
};
struct Slice {
  std::uint64_t generation = 0;
  std::uint32_t number = 0;  ///< from 1 within its generation
  std::vector<RecordEntry> entries;
};
struct Finish {
  SnapshotRow row;
};
struct Operation {
  std::variant<Append, Begin, Slice, Finish> what;
  std::size_t bytes = 0;
};

/// What one transaction makes durable.
using Group = std::vector<Operation>;

/// One row a stream and epoch, of all that the group appends.
std::vector<LogRow> log_rows(const Group& group);
std::string slice_entries(const Slice& slice);
/// The last LSN that the group appends; 0 where it appends nothing.
Lsn last_lsn(const Group& group);

/// Rows that a finished snapshot made superfluous, deleted a few at a time.
struct Compaction {
  SnapshotRow snapshot;
  Lsn cursor = 0;
};
inline constexpr int compaction_rows_max = 256;  // per step, so that a commit never waits long

/// The effects, called on the committer's thread only.
class GroupSink {
 public:
  virtual ~GroupSink() = default;
  /// In one transaction. An error ends the journal.
  virtual Result<void> commit(const Group& group) = 0;
  /// Nothing in it is needed for durability, so a failure only postpones it.
  virtual void housekeeping() = 0;
  /// There is something to do when nothing waits.
  virtual bool housekeeping_wanted() const = 0;
  /// It must be done even though something waits. Asked after each commit.
  virtual bool housekeeping_urgent() const = 0;
};

/// While one group is written, what is appended waits, and becomes the next. All but
/// backlog_bytes() and commits() is for the owner's thread; on_durable is called on the
/// committer's.
class GroupCommit {
 public:
  /// `name` opens every error: `journal PATH`.
  struct Limits {
    std::string name;
    std::size_t backlog_bytes_max = 0;
    std::size_t group_bytes_max = 0;
  };

  GroupCommit(GroupSink& sink, Limits limits) : sink_(sink), limits_(std::move(limits)) {}
  ~GroupCommit() { close(); }
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// Starts the thread; LSNs and generations go on after these.
  void start(Lsn last_lsn, std::uint64_t generation_last);
  /// close() was called: whoever waits for something gives up. Thread-safe.
  bool closing() const {
    std::lock_guard lock(mutex_);
    return stopping_;
  }
  bool running() const { return thread_.joinable(); }
  /// Commits what waits and joins the thread; true where it ran.
  bool close();

  void on_durable(Journal::OnDurable callback) { on_durable_ = std::move(callback); }
  Result<Lsn> append(std::vector<RecordEntry> batch, Epoch epoch, Sync sync);
  Lsn last_lsn() const { return last_lsn_; }
  Result<std::uint64_t> begin_snapshot(std::uint16_t stream);
  Result<void> append_slice(std::uint64_t generation, std::vector<RecordEntry> slice);
  Result<void> finish_snapshot(std::uint64_t generation);

  std::size_t backlog_bytes() const;
  std::uint64_t commits() const { return commits_; }

 private:
  struct OpenSnapshot {
    SnapshotRow row;
    std::uint32_t slices = 0;
  };

  Result<void> queue_operation(Operation operation);
  Result<OpenSnapshot*> find_open(std::uint64_t generation);
  void run();
  Group take_group();

  GroupSink& sink_;
  const Limits limits_;

  // Owner's thread only.
  Journal::OnDurable on_durable_;
  Lsn last_lsn_ = 0;
  std::uint64_t generation_last_ = 0;
  std::map<std::uint64_t, OpenSnapshot> open_snapshots_;
  std::thread thread_;

  // Shared, under the mutex.
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Operation> queue_;
  std::size_t backlog_bytes_ = 0;
  bool stopping_ = false;
  std::optional<Error> failed_;
  std::atomic<std::uint64_t> commits_{0};
};

/// Starts a thread that takes no signals, which are for the owner's threads.
std::thread start_thread(const char* name, std::function<void()> body);

}  // namespace librm::store_detail
