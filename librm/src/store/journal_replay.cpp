// Replay: a snapshot's slices, then the later records of all streams in their common order.
#include "journal_rows.hpp"
#include "sqlite.hpp"

namespace librm::store_detail {

Result<void> replay(Database& database, const OnEntry& on_record) {
  Result<void> begun = database.execute("BEGIN", "begin reading");  // all of it from one moment
  return begun ? replay_begun(database, on_record) : begun;
}

Result<void> replay_begun(Database& database, const OnEntry& on_record) {
  Result<Snapshots> snapshots = read_snapshots(database);
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
