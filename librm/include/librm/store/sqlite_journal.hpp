// The journal on one SQLite file: one row a commit, written by a thread beside the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "librm/store/journal.hpp"

namespace librm {

struct SqliteJournalOptions {
  std::string path;  ///< created with mode 0600; `<path>.lock` beside it keeps others out
  /// Bytes of payload that may wait for a commit; one batch is taken even if larger.
  std::size_t backlog_bytes_max = 64u << 20;
  /// Bytes of payload after which a group is closed, so that one commit does not take seconds.
  std::size_t group_bytes_max = 8u << 20;
  /// Nothing is ever appended as Sync::cached. Then commits behind one that is torn are damage and
  /// no crash, and open() refuses the file instead of going on without them.
  bool always_synced = false;
};

/// Group commit: while one transaction is written, what is appended waits, and becomes the next.
/// A group holds one row per stream, each with its checksum, and is synchronized unless all of
/// it is Sync::cached. A full disk is waited out, every other failure ends the journal. on_durable
/// is called on the journal's thread. Calls come from one thread;
/// other processes may read the file with any SQLite tool meanwhile.
class SqliteJournal final : public Journal {
 public:
  /// Opens or creates, and verifies every row. Fails with already_exists where another journal
  /// has the file open, `corrupt` naming the row and what to do (see journal_check.hpp),
  /// `unsupported` for a later format, io_error.
  static Result<std::unique_ptr<SqliteJournal>> open(SqliteJournalOptions options);
  /// Calls close().
  ~SqliteJournal() override;

  SqliteJournal(const SqliteJournal&) = delete;
  SqliteJournal& operator=(const SqliteJournal&) = delete;

  /// Commits what waits, joins the thread, releases the file. Later appends fail with
  /// failed_precondition. Not from on_durable.
  void close();

  void on_durable(OnDurable callback) override;
  Result<Lsn> append(std::vector<RecordEntry> batch, Sync sync) override;
  void set_epoch(Epoch epoch) override;
  Result<void> replay(const OnRecord& on_record) override;
  Lsn last_lsn() const override;
  Result<std::uint64_t> begin_snapshot(std::uint16_t stream) override;
  Result<void> append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) override;
  Result<void> finish_snapshot(std::uint64_t generation) override;

  /// The disk is full: what waits is tried again until there is room, and nothing of it was
  /// acknowledged. Thread-safe.
  bool stalled() const;
  /// Bytes of payload that wait for a commit. Thread-safe.
  std::size_t backlog_bytes() const;
  /// Transactions so far. Thread-safe.
  std::uint64_t commits() const;

 private:
  struct Impl;
  explicit SqliteJournal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm
