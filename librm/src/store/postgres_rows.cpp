// Creating, scanning and verifying the tables of the journal on PostgreSQL.
#include "postgres_rows.hpp"

#include <algorithm>
#include <utility>

namespace librm::store_detail {
namespace {

// Two who create at once would fail in the system's catalogues, so they queue for this lock.
constexpr char create_script[] = R"(
BEGIN;
SELECT pg_advisory_xact_lock(5930212475512226401);
CREATE TABLE IF NOT EXISTS librm_format(version bigint NOT NULL);
INSERT INTO librm_format SELECT 1 WHERE NOT EXISTS (SELECT FROM librm_format);
CREATE TABLE IF NOT EXISTS librm_cluster(
  cluster text PRIMARY KEY, epoch bigint NOT NULL DEFAULT 0, leader text NOT NULL DEFAULT '',
  token text NOT NULL DEFAULT '', since timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS librm_log(
  cluster text NOT NULL, first_lsn bigint NOT NULL, last_lsn bigint NOT NULL,
  commit_lsn bigint NOT NULL, stream bigint NOT NULL, epoch bigint NOT NULL,
  crc bigint NOT NULL, entries bytea NOT NULL, PRIMARY KEY(cluster, first_lsn));
CREATE TABLE IF NOT EXISTS librm_snapshot(
  cluster text NOT NULL, generation bigint NOT NULL, stream bigint NOT NULL,
  start_lsn bigint NOT NULL, finished boolean NOT NULL, epoch bigint NOT NULL,
  crc bigint NOT NULL, PRIMARY KEY(cluster, generation));
CREATE TABLE IF NOT EXISTS librm_slice(
  cluster text NOT NULL, generation bigint NOT NULL, number bigint NOT NULL,
  crc bigint NOT NULL, entries bytea NOT NULL, PRIMARY KEY(cluster, generation, number));
CREATE OR REPLACE FUNCTION librm_fence(name text, mine bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  present librm_cluster%ROWTYPE;
BEGIN
  SELECT * INTO present FROM librm_cluster WHERE cluster = name FOR SHARE;
  IF present.epoch IS DISTINCT FROM mine THEN
    RAISE EXCEPTION 'epoch % is over: epoch % leads since %, taken by %', mine, present.epoch,
      date_trunc('second', present.since), present.leader USING ERRCODE = 'RM001';
  END IF;
END $$;
COMMIT;
)";

constexpr char exists_sql[] = "SELECT (to_regclass('librm_format') IS NOT NULL)::int::bigint";

// Below the last commit's first record no row ends later; the table has no index by last_lsn.
constexpr char state_sql[] =
    "SELECT epoch, leader, (extract(epoch FROM since) * 1000000)::bigint, greatest("
    " (SELECT max(last_lsn) FROM librm_log WHERE cluster=$1 AND first_lsn >="
    "  (SELECT commit_lsn FROM librm_log WHERE cluster=$1 ORDER BY first_lsn DESC LIMIT 1)),"
    " (SELECT max(start_lsn) FROM librm_snapshot WHERE cluster=$1 AND finished), 0)"
    " FROM librm_cluster WHERE cluster=$1";

// From the first row of the commit that has `from`.
constexpr char rows_sql[] =
    "SELECT first_lsn, last_lsn, commit_lsn, stream, epoch, crc, entries FROM librm_log"
    " WHERE cluster=$1 AND first_lsn >= coalesce((SELECT commit_lsn FROM librm_log"
    "  WHERE cluster=$1 AND first_lsn<=$2 ORDER BY first_lsn DESC LIMIT 1), 0)"
    " ORDER BY first_lsn";

Result<std::int64_t> read_number(PgConnection& connection, const char* sql, SteadyTime deadline) {
  Result<PgRows> rows = connection.run(PgQuery(sql), deadline);
  if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
  return rows->count() == 0 ? 0 : rows->integer(0, 0);
}

Result<void> for_each_row(PgConnection& connection, const std::string& cluster, Lsn from,
                          Duration silence_max,
                          const std::function<Result<void>(const LogRow&)>& visit) {
  PgQuery query(rows_sql);
  query.with(cluster).with(from);
  LogRow row;
  return connection.stream(query, silence_max, [&](const PgRows& rows) -> Result<void> {
    row.first_lsn = static_cast<Lsn>(rows.integer(0, 0));
    row.last_lsn = static_cast<Lsn>(rows.integer(0, 1));
    row.commit_lsn = static_cast<Lsn>(rows.integer(0, 2));
    row.stream = static_cast<std::uint16_t>(rows.integer(0, 3));
    row.epoch = static_cast<Epoch>(rows.integer(0, 4));
    row.entries = rows.bytes(0, 6);
    if (checksum(row) != static_cast<std::uint32_t>(rows.integer(0, 5))) {
      return connection.error(ErrorCode::corrupt, "log row " + std::to_string(row.first_lsn) +
                                                      ": checksum does not match");
    }
    return visit(row);
  });
}

Result<void> for_each_slice_entry(PgConnection& connection, const std::string& cluster,
                                  const SnapshotRow& snapshot, Duration silence_max,
                                  const OnEntry& on_record) {
  PgQuery query(
      "SELECT number, crc, entries FROM librm_slice WHERE cluster=$1 AND generation=$2"
      " ORDER BY number");
  query.with(cluster).with(snapshot.generation);
  std::int64_t expected = 0;
  return connection.stream(query, silence_max, [&](const PgRows& rows) -> Result<void> {
    const std::string row_name = "slice " + std::to_string(rows.integer(0, 0)) + " of snapshot " +
                                 std::to_string(snapshot.generation);
    const std::string_view entries = rows.bytes(0, 2);
    if (rows.integer(0, 0) != ++expected) {
      return connection.error(ErrorCode::corrupt, row_name + ": the one before is missing");
    }
    if (slice_checksum(snapshot.generation, entries) !=
        static_cast<std::uint32_t>(rows.integer(0, 1))) {
      return connection.error(ErrorCode::corrupt, row_name + ": checksum does not match");
    }
    return for_each_entry(entries, snapshot.stream, connection.name() + ": " + row_name,
                          [&](std::uint32_t, const RecordEntry& entry) {
                            return on_record(snapshot.start_lsn, entry);
                          });
  });
}

/// All of it from one moment.
template <class Body>
Result<ClusterState> in_one_moment(PgConnection& connection, const std::string& cluster,
                                   Duration silence_max, const Body& body) {
  Result<void> begun =
      connection.script("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", after(silence_max));
  if (!begun) return tl::unexpected<Error>(std::move(begun.error()));
  Result<ClusterState> state = read_cluster(connection, cluster, after(silence_max));
  if (state) {
    Result<void> done = body(*state);
    if (!done) state = tl::unexpected<Error>(std::move(done.error()));
  }
  if (!connection.lost()) (void)connection.script("COMMIT", after(silence_max));
  return state;
}

std::string missing(Lsn from, Lsn last, std::uint64_t found) {
  return "log: records after " + std::to_string(from) + " up to " + std::to_string(last) +
         ": found only " + std::to_string(found);
}

}  // namespace

Result<void> prepare_postgres(PgConnection& connection, const std::string& cluster,
                              SteadyTime deadline) {
  Result<std::int64_t> exists = read_number(connection, exists_sql, deadline);
  if (!exists) return tl::unexpected<Error>(std::move(exists.error()));
  if (*exists == 0) {
    Result<void> created = connection.script(create_script, deadline);
    if (!created) {
      if (!connection.lost()) (void)connection.script("ROLLBACK", deadline);
      return created;
    }
  }
  Result<std::int64_t> version =
      read_number(connection, "SELECT coalesce(max(version), 0) FROM librm_format", deadline);
  if (!version) return tl::unexpected<Error>(std::move(version.error()));
  if (*version != postgres_format_version) {
    return connection.error(ErrorCode::unsupported, "format " + std::to_string(*version) +
                                                        ", this program knows " +
                                                        std::to_string(postgres_format_version));
  }
  Result<PgRows> made =
      connection.run(PgQuery("INSERT INTO librm_cluster(cluster) SELECT $1 WHERE NOT EXISTS"
                             " (SELECT FROM librm_cluster WHERE cluster=$1) ON CONFLICT DO NOTHING")
                         .with(cluster),
                     deadline);
  if (!made) return tl::unexpected<Error>(std::move(made.error()));
  return {};
}

Result<ClusterState> read_cluster(PgConnection& connection, const std::string& cluster,
                                  SteadyTime deadline) {
  Result<PgRows> rows = connection.run(PgQuery(state_sql).with(cluster), deadline);
  if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
  if (rows->count() != 1) {
    return connection.error(ErrorCode::corrupt, "the cluster's row in librm_cluster is gone");
  }
  ClusterState state;
  state.leader.epoch = static_cast<Epoch>(rows->integer(0, 0));
  state.leader.url = rows->bytes(0, 1);
  state.leader.since = WallTime{rows->integer(0, 2) * 1000};
  state.last_lsn = static_cast<Lsn>(rows->integer(0, 3));
  return state;
}

Result<Snapshots> read_snapshots(PgConnection& connection, const std::string& cluster,
                                 SteadyTime deadline) {
  PgQuery query(
      "SELECT generation, stream, start_lsn, finished::int::bigint, crc FROM librm_snapshot"
      " WHERE cluster=$1 ORDER BY generation");
  query.with(cluster);
  Result<PgRows> rows = connection.run(query, deadline);
  if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
  Snapshots snapshots;
  for (int i = 0; i < rows->count(); ++i) {
    SnapshotRow row;
    row.generation = static_cast<std::uint64_t>(rows->integer(i, 0));
    row.stream = static_cast<std::uint16_t>(rows->integer(i, 1));
    row.start_lsn = static_cast<Lsn>(rows->integer(i, 2));
    row.finished = rows->integer(i, 3) != 0;
    if (checksum(row) != static_cast<std::uint32_t>(rows->integer(i, 4))) {
      return connection.error(ErrorCode::corrupt, "snapshot " + std::to_string(row.generation) +
                                                      ": checksum does not match");
    }
    if (row.finished) snapshots[row.stream] = row;
  }
  return snapshots;
}

Result<ClusterState> replay(PgConnection& connection, const std::string& cluster,
                            Duration silence_max, const OnEntry& on_record) {
  const auto body = [&](const ClusterState& state) -> Result<void> {
    Result<Snapshots> snapshots = read_snapshots(connection, cluster, after(silence_max));
    if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
    Lsn compacted = 0;
    for (const auto& [stream, snapshot] : *snapshots) {
      compacted = std::max(compacted, snapshot.start_lsn);
      Result<void> read =
          for_each_slice_entry(connection, cluster, snapshot, silence_max, on_record);
      if (!read) return read;
    }
    std::uint64_t found = 0;
    const OnEntry count = [&](Lsn lsn, const RecordEntry& entry) {
      if (lsn > compacted) ++found;
      return on_record(lsn, entry);
    };
    Replayer replayer(*snapshots, count);
    Result<void> read = for_each_row(connection, cluster, 0, silence_max,
                                     [&](const LogRow& row) { return replayer.add(row); });
    if (read) read = replayer.flush();
    if (read && found != state.last_lsn - compacted) {
      return connection.error(ErrorCode::corrupt, missing(compacted, state.last_lsn, found));
    }
    return read;
  };
  return in_one_moment(connection, cluster, silence_max, body);
}

Result<ClusterState> tail(PgConnection& connection, const std::string& cluster, Lsn from,
                          Duration silence_max, const OnEntry& on_record) {
  const auto body = [&](const ClusterState& state) -> Result<void> {
    Lsn reached = from;
    const auto stale = [&] {
      return connection.error(ErrorCode::stale,
                              "records after " + std::to_string(reached) +
                                  " were replaced by a snapshot; replay from the start");
    };
    const OnEntry in_order = [&](Lsn lsn, const RecordEntry& entry) -> Result<void> {
      if (lsn <= reached) return {};
      if (lsn != reached + 1) return stale();
      reached = lsn;
      return on_record(lsn, entry);
    };
    const Snapshots none;
    Replayer replayer(none, in_order);
    Result<void> read = for_each_row(connection, cluster, from, silence_max,
                                     [&](const LogRow& row) { return replayer.add(row); });
    if (read) read = replayer.flush();
    if (!read) return read;
    if (reached < state.last_lsn) return stale();
    if (reached > state.last_lsn) {
      return connection.error(ErrorCode::corrupt, "the server has records up to " +
                                                      std::to_string(state.last_lsn) + ", not " +
                                                      std::to_string(reached));
    }
    return {};
  };
  return in_one_moment(connection, cluster, silence_max, body);
}

}  // namespace librm::store_detail
