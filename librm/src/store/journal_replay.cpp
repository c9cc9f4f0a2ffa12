// Replay: a snapshot's slices, then the later records of all streams in their common order.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "journal_rows.hpp"
#include "sqlite.hpp"

namespace librm::store_detail {
namespace {

/// Gives out the rows of one commit merged by LSN, without what snapshots cover.
class Replayer {
 public:
  Replayer(const std::map<std::uint16_t, SnapshotRow>& snapshots, const OnEntry& on_record)
      : snapshots_(snapshots), on_record_(on_record) {}

  Result<void> add(const LogRow& row) {
    if (row.commit_lsn != commit_lsn_) {
      Result<void> flushed = flush();
      if (!flushed) return flushed;
      commit_lsn_ = row.commit_lsn;
    }
    const auto snapshot = snapshots_.find(row.stream);
    const Lsn covered = snapshot == snapshots_.end() ? 0 : snapshot->second.start_lsn;
    return for_each_entry(row.entries, row.stream, "log row " + std::to_string(row.first_lsn),
                          [&](std::uint32_t offset, RecordEntry entry) {
                            const Lsn lsn = row.first_lsn + offset;
                            if (lsn > covered) entries_.emplace_back(lsn, std::move(entry));
                            return Result<void>();
                          });
  }

  Result<void> flush() {
    const auto earlier = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (!std::is_sorted(entries_.begin(), entries_.end(), earlier)) {
      std::sort(entries_.begin(), entries_.end(), earlier);
    }
    for (const auto& [lsn, entry] : entries_) {
      Result<void> taken = on_record_(lsn, entry);
      if (!taken) return taken;
    }
    entries_.clear();
    return {};
  }

 private:
  const std::map<std::uint16_t, SnapshotRow>& snapshots_;
  const OnEntry& on_record_;
  Lsn commit_lsn_ = 0;
  std::vector<std::pair<Lsn, RecordEntry>> entries_;
};

}  // namespace

Result<void> replay(Database& database, const OnEntry& on_record) {
  Result<void> begun = database.execute("BEGIN", "begin reading");  // all of it from one moment
  if (!begun) return begun;
  Result<std::map<std::uint16_t, SnapshotRow>> snapshots = read_snapshots(database);
  if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
  for (const auto& [stream, snapshot] : *snapshots) {
    const Lsn start = snapshot.start_lsn;
    Result<void> read = for_each_slice_entry(
        database, snapshot, [&](const RecordEntry& entry) { return on_record(start, entry); });
    if (!read) return read;
  }
  Replayer replayer(*snapshots, on_record);
  Result<void> read = for_each_row(database, [&](const LogRow& row) { return replayer.add(row); });
  return read ? replayer.flush() : read;
}

}  // namespace librm::store_detail
