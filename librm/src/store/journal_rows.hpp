// What the journal's file looks like: its tables, its rows' bytes and checksums, and reading them.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/wire/record_entry.hpp"
#include "sqlite.hpp"

// log        one row per commit and stream; first_lsn and last_lsn are of the row's own entries,
//            commit_lsn is the first of the whole commit, so that streams can be merged again
// snapshot   finished is 0 until all slices are there
// slice      parts of a snapshot, in order of id
//
// An entry is, little-endian: u32 LSN minus first_lsn, u16 number, u16 version, u16 oldest
// reader, u32 payload size, payload. Checksums cover the row's numbers and its entries.

namespace librm::store_detail {

inline constexpr int journal_application_id = 0x524d4a31;  // `RMJ1`
inline constexpr int journal_format_version = 1;

struct LogRow {
  Lsn first_lsn = 0;
  Lsn last_lsn = 0;
  Lsn commit_lsn = 0;
  std::uint16_t stream = 0;
  Epoch epoch = 0;
  std::string entries;
};

struct SnapshotRow {
  std::uint64_t generation = 0;
  std::uint16_t stream = 0;
  Lsn start_lsn = 0;
  bool finished = false;
};

void append_entry(std::string& entries, std::uint32_t lsn_offset, const RecordEntry& entry);
std::uint32_t checksum(const LogRow& row);
std::uint32_t checksum(const SnapshotRow& row);
std::uint32_t slice_checksum(std::uint64_t generation, std::string_view entries);

/// Calls `visit(lsn_offset, entry)` for each; false where the bytes are not whole entries.
using VisitEntry = std::function<Result<void>(std::uint32_t, RecordEntry)>;
Result<void> for_each_entry(std::string_view entries, std::uint16_t stream,
                            const std::string& row_name, const VisitEntry& visit);

/// Creates the tables in a new file; refuses another application's or a later format's.
Result<void> prepare_tables(Database& database);

/// By stream; only finished ones, the latest generation.
Result<std::map<std::uint16_t, SnapshotRow>> read_snapshots(Database& database);

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
using OnEntry = std::function<Result<void>(Lsn, const RecordEntry&)>;
Result<void> replay(Database& database, const OnEntry& on_record);

}  // namespace librm::store_detail
