// What the journal's SQLite file looks like: its tables, and reading them.
#pragma once

#include <cstdint>
#include <functional>

#include "journal_entry.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/wire/record_entry.hpp"
#include "sqlite.hpp"

namespace librm::store_detail {

inline constexpr int journal_application_id = 0x524d4a31;  // `RMJ1`
inline constexpr int journal_format_version = 1;

/// Creates the tables in a new file; refuses another application's or a later format's.
Result<void> prepare_tables(Database& database);

/// By stream; only finished ones, the latest generation.
Result<Snapshots> read_snapshots(Database& database);

/// Rows in order of first_lsn, each verified; `corrupt` names the row.
Result<void> for_each_row(Database& database,
                          const std::function<Result<void>(const LogRow&)>& visit);
/// The entries of a snapshot, each slice verified.
Result<void> for_each_slice_entry(Database& database, const SnapshotRow& snapshot,
                                  const std::function<Result<void>(const RecordEntry&)>& visit);

struct JournalTail {
  Lsn last_lsn = 0;
  std::uint64_t generation_last = 0;
};

/// Reads every row once. Beside checksums it verifies that no record is missing above the
/// snapshots, below which rows may be deleted.
Result<JournalTail> verify(Database& database);

/// What Journal::replay() promises, in one read transaction of this connection.
Result<void> replay(Database& database, const OnEntry& on_record);
/// The same in a transaction that was begun.
Result<void> replay_begun(Database& database, const OnEntry& on_record);

}  // namespace librm::store_detail
