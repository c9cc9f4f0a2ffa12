// What every journal on a database stores: its rows, their bytes and checksums, and their merging.
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

// log        one row per commit and stream; first_lsn and last_lsn are of the row's own entries,
//            commit_lsn is the first of the whole commit, so that streams can be merged again
// snapshot   finished is 0 until all slices are there
// slice      parts of a snapshot, in order
//
// An entry is, little-endian: u32 LSN minus first_lsn, u16 number, u16 version, u16 oldest
// reader, u32 payload size, payload. Checksums cover the row's numbers and its entries.

namespace librm::store_detail {

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

/// The latest finished snapshot of each stream.
using Snapshots = std::map<std::uint16_t, SnapshotRow>;

void append_entry(std::string& entries, std::uint32_t lsn_offset, const RecordEntry& entry);
std::uint32_t checksum(const LogRow& row);
std::uint32_t checksum(const SnapshotRow& row);
std::uint32_t slice_checksum(std::uint64_t generation, std::string_view entries);

/// Calls `visit(lsn_offset, entry)` for each; `corrupt` where the bytes are not whole entries.
using VisitEntry = std::function<Result<void>(std::uint32_t, RecordEntry)>;
Result<void> for_each_entry(std::string_view entries, std::uint16_t stream,
                            const std::string& row_name, const VisitEntry& visit);

using OnEntry = std::function<Result<void>(Lsn, const RecordEntry&)>;

/// Gives out the rows of one commit merged by LSN, without what snapshots cover.
class Replayer {
 public:
  /// Both must outlive it.
  Replayer(const Snapshots& snapshots, const OnEntry& on_record)
      : snapshots_(snapshots), on_record_(on_record) {}

  /// Rows come in order of first_lsn.
  Result<void> add(const LogRow& row);
  /// After the last row.
  Result<void> flush();

 private:
  const Snapshots& snapshots_;
  const OnEntry& on_record_;
  Lsn commit_lsn_ = 0;
  std::vector<std::pair<Lsn, RecordEntry>> entries_;
};

}  // namespace librm::store_detail
