// Commits of the leader: one pipeline a group, and what follows when its answer does not come.
#include "postgres_writer.hpp"

#include <algorithm>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

namespace librm::store_detail {
namespace {

constexpr std::chrono::milliseconds pause_min{20};
constexpr std::chrono::milliseconds pause_max{500};
constexpr std::uint64_t commits_per_busy_step = 64;  // housekeeping under constant load
constexpr Duration housekeeping_max = seconds(5);

std::chrono::milliseconds next_pause(std::chrono::milliseconds pause) {
  return std::min(pause * 2, pause_max);
}

PgQuery fence(const std::string& cluster, Epoch epoch) {
  PgQuery query("SELECT librm_fence($1, $2)");
  query.with(cluster).with(epoch);
  return query;
}

PgQuery insert_row(const std::string& cluster, LogRow row) {
  PgQuery query("INSERT INTO librm_log VALUES($1,$2,$3,$4,$5,$6,$7,$8)");
  query.with(cluster).with(row.first_lsn).with(row.last_lsn).with(row.commit_lsn);
  query.with(row.stream).with(row.epoch).with(checksum(row)).with_bytes(std::move(row.entries));
  return query;
}

/// What makes the operation durable; appends are written together, as rows.
struct Write {
  const std::string& cluster;
  Epoch epoch;
  std::vector<PgQuery>& queries;

  void operator()(const Append&) const {}
  void operator()(const Begin& begin) const {
    PgQuery& query =
        queries.emplace_back("INSERT INTO librm_snapshot VALUES($1,$2,$3,$4,false,$5,$6)");
    query.with(cluster).with(begin.row.generation).with(begin.row.stream);
    query.with(begin.row.start_lsn).with(epoch).with(checksum(begin.row));
  }
  void operator()(const Slice& slice) const {
    std::string entries = slice_entries(slice);
    PgQuery& query = queries.emplace_back("INSERT INTO librm_slice VALUES($1,$2,$3,$4,$5)");
    query.with(cluster).with(slice.generation).with(slice.number);
    query.with(slice_checksum(slice.generation, entries)).with_bytes(std::move(entries));
  }
  void operator()(const Finish& finish) const {
    PgQuery& query = queries.emplace_back(
        "UPDATE librm_snapshot SET finished=true, crc=$3 WHERE cluster=$1 AND generation=$2");
    query.with(cluster).with(finish.row.generation).with(checksum(finish.row));
  }
};

/// Counts what the operation has left, if it was committed by this epoch.
struct Find {
  const std::string& cluster;
  Epoch epoch;

  PgQuery operator()(const Append& append) const {
    PgQuery query("SELECT count(*) FROM librm_log WHERE cluster=$1 AND epoch=$2 AND first_lsn=$3");
    query.with(cluster).with(epoch).with(append.first);
    return query;
  }
  PgQuery operator()(const Begin& begin) const {
    PgQuery query(
        "SELECT count(*) FROM librm_snapshot WHERE cluster=$1 AND epoch=$2 AND generation=$3");
    query.with(cluster).with(epoch).with(begin.row.generation);
    return query;
  }
  PgQuery operator()(const Slice& slice) const {
    PgQuery query(
        "SELECT count(*) FROM librm_slice JOIN librm_snapshot USING(cluster, generation)"
        " WHERE cluster=$1 AND epoch=$2 AND generation=$3 AND number=$4");
    query.with(cluster).with(epoch).with(slice.generation).with(slice.number);
    return query;
  }
  PgQuery operator()(const Finish& finish) const {
    PgQuery query(
        "SELECT count(*) FROM librm_snapshot"
        " WHERE cluster=$1 AND epoch=$2 AND generation=$3 AND finished");
    query.with(cluster).with(epoch).with(finish.row.generation);
    return query;
  }
};

}  // namespace

void PostgresWriter::lead(PgConnection connection, Epoch epoch, Lsn durable,
                          const Snapshots& snapshots) {
  connection_ = std::move(connection);
  epoch_ = epoch;
  durable_ = durable;
  for (const auto& [stream, row] : snapshots) compactions_.push_back(Compaction{row, 0});
}

// --- committing ---

Result<void> PostgresWriter::commit(const Group& group) {
  const SteadyTime deadline = after(options_.outage_max);
  std::chrono::milliseconds pause = pause_min;
  Outcome outcome = Outcome::absent;
  for (bool looked_up_duplicate = false;;) {
    Result<void> done = connection_ ? Result<void>() : connect();
    // Silence must leave time to ask again on another connection.
    const SteadyTime patience = std::min(deadline, after(options_.outage_max / 3));
    if (done && outcome == Outcome::unknown) {
      Result<bool> found = look_up(group, patience);
      if (found) outcome = *found ? Outcome::committed : Outcome::absent;
      if (!found) done = tl::unexpected<Error>(std::move(found.error()));
    }
    if (done && outcome == Outcome::absent) {
      done = attempt(group, patience);
      if (done) outcome = Outcome::committed;
      // A refusal says that it was not committed, a silence says nothing.
      if (!done && connection_->lost()) outcome = Outcome::unknown;
    }
    if (outcome == Outcome::committed) {
      committed(group);
      return {};
    }
    if (connection_ && !connection_->lost()) {
      // An earlier attempt of ours may have arrived after all.
      const bool duplicate = connection_->sqlstate() == sqlstate_unique && !looked_up_duplicate;
      if (duplicate) {
        looked_up_duplicate = true;
        outcome = Outcome::unknown;
        continue;
      }
      if (connection_->sqlstate() == sqlstate_fenced) {
        return fail(ErrorCode::failed_precondition, done.error().message);
      }
      if (!may_try_again()) return done;
    } else {
      connection_.reset();
      if (done.error().code == ErrorCode::corrupt) return done;
    }
    if (steady_now() + pause >= deadline) {
      return tl::unexpected<Error>(too_late(group, done.error()));
    }
    std::this_thread::sleep_for(pause);
    pause = next_pause(pause);
  }
}

void PostgresWriter::committed(const Group& group) {
  ++commits_;
  durable_ = std::max(durable_, last_lsn(group));
  for (const Operation& operation : group) {
    const auto* finish = std::get_if<Finish>(&operation.what);
    if (finish != nullptr) compactions_.push_back(Compaction{finish->row, 0});
  }
}

Result<void> PostgresWriter::connect() {
  Result<PgConnection> opened = PgConnection::open(options_.url, name_, options_.outage_max);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  connection_ = std::move(*opened);
  Result<void> verified = verify_durable(after(seconds(5)));
  if (!verified) connection_.reset();
  return verified;
}

/// A server that comes back with less would make a gap that nobody notices until recovery.
Result<void> PostgresWriter::verify_durable(SteadyTime deadline) {
  Result<ClusterState> state = read_cluster(*connection_, options_.cluster, deadline);
  if (!state) return tl::unexpected<Error>(std::move(state.error()));
  if (state->last_lsn >= durable_) return {};
  return connection_->error(ErrorCode::corrupt,
                            "the server has records up to " + std::to_string(state->last_lsn) +
                                ", but had committed " + std::to_string(durable_));
}

Result<void> PostgresWriter::attempt(const Group& group, SteadyTime deadline) {
  std::vector<PgQuery> queries;
  queries.emplace_back("BEGIN");
  queries.push_back(fence(options_.cluster, epoch_));
  std::vector<LogRow> rows = log_rows(group);
  for (LogRow& row : rows) queries.push_back(insert_row(options_.cluster, std::move(row)));
  const Write write{options_.cluster, epoch_, queries};
  for (const Operation& operation : group) std::visit(write, operation.what);
  queries.emplace_back("COMMIT");
  Result<std::vector<PgRows>> answers = connection_->pipeline(queries, deadline);
  if (!answers) return tl::unexpected<Error>(std::move(answers.error()));
  return {};
}

Result<bool> PostgresWriter::look_up(const Group& group, SteadyTime deadline) {
  // Waits until the session that may still be committing has let go of the row.
  std::vector<PgQuery> queries;
  queries.emplace_back("SELECT epoch FROM librm_cluster WHERE cluster=$1 FOR UPDATE");
  queries.back().with(options_.cluster);
  Result<std::vector<PgRows>> held = connection_->pipeline(queries, deadline);
  if (!held) return tl::unexpected<Error>(std::move(held.error()));
  const PgQuery query = std::visit(Find{options_.cluster, epoch_}, group.front().what);
  Result<PgRows> rows = connection_->run(query, deadline);
  if (!rows) return tl::unexpected<Error>(std::move(rows.error()));
  return rows->count() == 1 && rows->integer(0, 0) > 0;
}

/// What another transaction, or a server that is on its way out, has undone.
bool PostgresWriter::may_try_again() const {
  const std::string& state = connection_->sqlstate();
  return state.starts_with("40") || state == "25006" || state == "55P03" || state == "57014";
}

Error PostgresWriter::too_late(const Group& group, const Error& last) const {
  const Lsn lsn = last_lsn(group);
  const std::string what = lsn == 0 ? "snapshot" : "records up to " + std::to_string(lsn);
  std::string why = last.message;
  if (why.starts_with(name_ + ": ")) why.erase(0, name_.size() + 2);
  return Error{ErrorCode::deadline_exceeded,
               name_ + ": " + what + " not known to be durable after " +
                   std::to_string(to_ms(options_.outage_max)) + " ms: " + why};
}

// --- housekeeping ---

bool PostgresWriter::housekeeping_wanted() const {
  return !compactions_.empty() && connection_.has_value();
}

bool PostgresWriter::housekeeping_urgent() const {
  return housekeeping_wanted() && commits_ % commits_per_busy_step == 0;
}

void PostgresWriter::housekeeping() {
  bool done = false;
  if (!compact(compactions_.front(), done)) {
    // The stream's next snapshot, or the next leader, takes it up again.
    done = true;
    if (connection_->lost()) connection_.reset();
  }
  if (done) compactions_.pop_front();
}

bool PostgresWriter::compact(Compaction& compaction, bool& done) {
  const SnapshotRow& snapshot = compaction.snapshot;
  std::vector<PgQuery> queries;
  queries.push_back(fence(options_.cluster, epoch_));
  PgQuery& log = queries.emplace_back(
      "WITH seen AS (SELECT first_lsn, last_lsn, stream FROM librm_log"
      "  WHERE cluster=$1 AND first_lsn>$2 AND first_lsn<=$3 ORDER BY first_lsn LIMIT $5),"
      " gone AS (DELETE FROM librm_log USING seen WHERE librm_log.cluster=$1"
      "  AND librm_log.first_lsn=seen.first_lsn AND seen.stream=$4 AND seen.last_lsn<=$3)"
      " SELECT count(*), coalesce(max(first_lsn), 0) FROM seen");
  log.with(options_.cluster).with(compaction.cursor).with(snapshot.start_lsn);
  log.with(snapshot.stream).with(compaction_rows_max);
  PgQuery& slices = queries.emplace_back(
      "DELETE FROM librm_slice WHERE ctid = ANY(ARRAY(SELECT librm_slice.ctid FROM librm_slice"
      " JOIN librm_snapshot USING(cluster, generation)"
      " WHERE cluster=$1 AND stream=$2 AND generation<$3 LIMIT $4))");
  slices.with(options_.cluster).with(snapshot.stream).with(snapshot.generation);
  slices.with(compaction_rows_max);
  PgQuery& snapshots = queries.emplace_back(
      "DELETE FROM librm_snapshot WHERE cluster=$1 AND stream=$2 AND generation<$3 AND NOT EXISTS"
      " (SELECT FROM librm_slice WHERE librm_slice.cluster=$1"
      "  AND librm_slice.generation=librm_snapshot.generation)");
  snapshots.with(options_.cluster).with(snapshot.stream).with(snapshot.generation);
  Result<std::vector<PgRows>> answers = connection_->pipeline(queries, after(housekeeping_max));
  if (!answers) return false;
  const std::int64_t seen = (*answers)[1].integer(0, 0);
  if (seen > 0) compaction.cursor = static_cast<Lsn>((*answers)[1].integer(0, 1));
  done = seen < compaction_rows_max && (*answers)[2].changed() < compaction_rows_max;
  return true;
}

}  // namespace librm::store_detail
