// Creating, scanning and verifying the tables of the journal on SQLite.
#include "journal_rows.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace librm::store_detail {
namespace {

tl::unexpected<Error> corrupt(const Database& database, const std::string& row_name,
                              const char* why) {
  return fail(ErrorCode::corrupt, "journal " + database.path() + ": " + row_name + ": " + why);
}

Result<std::int64_t> read_integer(Database& database, const char* sql) {
  Result<Statement> statement = Statement::prepare(database, sql);
  if (!statement) return tl::unexpected<Error>(std::move(statement.error()));
  if (statement->step() != SQLITE_ROW) return tl::unexpected<Error>(database.error("read"));
  return statement->integer(0);
}

}  // namespace

Result<void> prepare_tables(Database& database) {
  Result<std::int64_t> application = read_integer(database, "PRAGMA application_id");
  if (!application) return tl::unexpected<Error>(std::move(application.error()));
  if (*application == journal_application_id) {
    Result<std::int64_t> version = read_integer(database, "PRAGMA user_version");
    if (!version) return tl::unexpected<Error>(std::move(version.error()));
    if (*version == journal_format_version) return {};
    return fail(ErrorCode::unsupported, "journal " + database.path() + ": format " +
                                            std::to_string(*version) + ", this program knows " +
                                            std::to_string(journal_format_version));
  }
  Result<std::int64_t> tables = read_integer(database, "SELECT count(*) FROM sqlite_master");
  if (!tables) return tl::unexpected<Error>(std::move(tables.error()));
  if (*tables != 0 || *application != 0) {
    return fail(ErrorCode::unsupported, "journal " + database.path() + ": not a journal");
  }
  return database.execute(
      "BEGIN IMMEDIATE;"
      "CREATE TABLE log(first_lsn INTEGER PRIMARY KEY, last_lsn INTEGER NOT NULL,"
      " commit_lsn INTEGER NOT NULL, stream INTEGER NOT NULL, epoch INTEGER NOT NULL,"
      " crc INTEGER NOT NULL, entries BLOB NOT NULL);"
      "CREATE TABLE snapshot(generation INTEGER PRIMARY KEY, stream INTEGER NOT NULL,"
      " start_lsn INTEGER NOT NULL, finished INTEGER NOT NULL, crc INTEGER NOT NULL);"
      "CREATE TABLE slice(id INTEGER PRIMARY KEY, generation INTEGER NOT NULL,"
      " crc INTEGER NOT NULL, entries BLOB NOT NULL);"
      "PRAGMA application_id=1380796977; PRAGMA user_version=1; COMMIT;",
      "create tables");
}

Result<Snapshots> read_snapshots(Database& database) {
  Result<Statement> select = Statement::prepare(
      database,
      "SELECT generation, stream, start_lsn, finished, crc FROM snapshot ORDER BY generation");
  if (!select) return tl::unexpected<Error>(std::move(select.error()));
  Snapshots snapshots;
  int code = 0;
  while ((code = select->step()) == SQLITE_ROW) {
    SnapshotRow row;
    row.generation = static_cast<std::uint64_t>(select->integer(0));
    row.stream = static_cast<std::uint16_t>(select->integer(1));
    row.start_lsn = static_cast<Lsn>(select->integer(2));
    row.finished = select->integer(3) != 0;
    if (checksum(row) != static_cast<std::uint32_t>(select->integer(4))) {
      return corrupt(database, "snapshot " + std::to_string(row.generation),
                     "checksum does not match");
    }
    if (row.finished) snapshots[row.stream] = row;
  }
  if (code != SQLITE_DONE) return tl::unexpected<Error>(database.error("read snapshots"));
  return snapshots;
}

Result<void> for_each_row(Database& database,
                          const std::function<Result<void>(const LogRow&)>& visit) {
  Result<Statement> select = Statement::prepare(
      database,
      "SELECT first_lsn, last_lsn, commit_lsn, stream, epoch, crc, entries FROM log"
      " ORDER BY first_lsn");
  if (!select) return tl::unexpected<Error>(std::move(select.error()));
  LogRow row;
  int code = 0;
  while ((code = select->step()) == SQLITE_ROW) {
    row.first_lsn = static_cast<Lsn>(select->integer(0));
    row.last_lsn = static_cast<Lsn>(select->integer(1));
    row.commit_lsn = static_cast<Lsn>(select->integer(2));
    row.stream = static_cast<std::uint16_t>(select->integer(3));
    row.epoch = static_cast<Epoch>(select->integer(4));
    row.entries = select->blob(6);
    if (checksum(row) != static_cast<std::uint32_t>(select->integer(5))) {
      return corrupt(database, "log row " + std::to_string(row.first_lsn),
                     "checksum does not match");
    }
    Result<void> visited = visit(row);
    if (!visited) return visited;
  }
  if (code != SQLITE_DONE) {
    return tl::unexpected<Error>(
        database.error("read log after row " + std::to_string(row.first_lsn)));
  }
  return {};
}

Result<void> for_each_slice_entry(Database& database, const SnapshotRow& snapshot,
                                  const std::function<Result<void>(const RecordEntry&)>& visit) {
  Result<Statement> select = Statement::prepare(
      database, "SELECT id, crc, entries FROM slice WHERE generation=? ORDER BY id");
  if (!select) return tl::unexpected<Error>(std::move(select.error()));
  select->bind(snapshot.generation);
  int code = 0;
  while ((code = select->step()) == SQLITE_ROW) {
    const std::string name = "slice row " + std::to_string(select->integer(0));
    const std::string_view entries = select->blob(2);
    if (slice_checksum(snapshot.generation, entries) !=
        static_cast<std::uint32_t>(select->integer(1))) {
      return corrupt(database, name, "checksum does not match");
    }
    Result<void> visited =
        for_each_entry(entries, snapshot.stream, name,
                       [&](std::uint32_t, const RecordEntry& entry) { return visit(entry); });
    if (!visited) return visited;
  }
  if (code != SQLITE_DONE) return tl::unexpected<Error>(database.error("read slices"));
  return {};
}

Result<JournalTail> verify(Database& database) {
  Result<Snapshots> snapshots = read_snapshots(database);
  if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
  JournalTail tail;
  Lsn compacted = 0;
  for (const auto& [stream, snapshot] : *snapshots) {
    compacted = std::max(compacted, snapshot.start_lsn);
    Result<void> read =
        for_each_slice_entry(database, snapshot, [](const RecordEntry&) { return Result<void>(); });
    if (!read) return tl::unexpected<Error>(std::move(read.error()));
  }
  tail.last_lsn = compacted;
  std::uint64_t records_after = 0;
  Result<void> read = for_each_row(database, [&](const LogRow& row) {
    tail.last_lsn = std::max(tail.last_lsn, row.last_lsn);
    return for_each_entry(row.entries, row.stream, "log row " + std::to_string(row.first_lsn),
                          [&](std::uint32_t offset, const RecordEntry&) {
                            if (row.first_lsn + offset > compacted) ++records_after;
                            return Result<void>();
                          });
  });
  if (!read) return tl::unexpected<Error>(std::move(read.error()));
  if (records_after != tail.last_lsn - compacted) {
    return corrupt(database, "log",
                   ("records after " + std::to_string(compacted) + " up to " +
                    std::to_string(tail.last_lsn) + ": found only " + std::to_string(records_after))
                       .c_str());
  }
  Result<std::int64_t> generation =
      read_integer(database, "SELECT coalesce(max(generation), 0) FROM snapshot");
  if (!generation) return tl::unexpected<Error>(std::move(generation.error()));
  tail.generation_last = static_cast<std::uint64_t>(*generation);
  return tail;
}

}  // namespace librm::store_detail
