// What a journal's file holds and whether all of it can be read, for whoever doubts a disk.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "librm/store/journal.hpp"

namespace librm {

/// One thing that is wrong, and what is lost with it.
struct JournalDamage {
  std::string where;  ///< `log row 57`, `slice row 9`, `record 58`, `database`, `write-ahead log`
  std::string why;
  std::uint16_t stream = 0;  ///< 0: not of one stream
  Lsn first_lsn = 0;         ///< what of the log cannot be read; 0: nothing, or it is not known
  Lsn last_lsn = 0;
  bool operator==(const JournalDamage&) const = default;
};

/// What of one stream can be read.
struct JournalStream {
  std::uint64_t rows = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  Lsn first_lsn = 0;  ///< 0 where it has no records but a snapshot's
  Lsn last_lsn = 0;
  Epoch first_epoch = 0;
  Epoch last_epoch = 0;
};

struct JournalSnapshot {
  std::uint64_t generation = 0;
  std::uint16_t stream = 0;
  Lsn start_lsn = 0;
  bool finished = false;
  std::uint64_t entries = 0;
};

struct JournalReport {
  bool in_use = false;  ///< somebody has the journal open: this is one moment of it
  std::uint64_t file_bytes = 0;
  std::uint64_t wal_bytes = 0;
  int format = 0;
  Lsn last_lsn = 0;
  std::uint64_t replayed = 0;  ///< records and snapshot entries that were given to `on_record`
  std::map<std::uint16_t, JournalStream> streams;
  std::vector<JournalSnapshot> snapshots;
  std::vector<JournalDamage> damage;  ///< empty: all of it is well
  /// Commits in the write-ahead log that cannot be read because one before them is torn, though
  /// the last of them was begun after it was written. After a crash of the host that may happen to
  /// what was not synchronized (an agent's task ledger); to what was acknowledged by a master,
  /// only through damage. 0 where the log ends as it should.
  std::uint64_t wal_commits_cut = 0;
};

/// Reads a journal of SqliteJournal, or a copy of one, without changing it, also while its owner
/// runs: everything is read in one transaction, which holds up no commit. Goes on behind what is
/// damaged; where nothing is, replays it to `on_record`, whose error is damage, too.
///
/// Fails where it cannot say anything: not_found, io_error, `corrupt` for what is no database or
/// has lost its head, `unsupported` for what is no journal or of a later format.
Result<JournalReport> check_journal(const std::string& path, const Journal::OnRecord& on_record);

}  // namespace librm
