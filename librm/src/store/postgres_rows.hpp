// What the journal looks like in PostgreSQL: its tables, reading them, and who may write.
#pragma once

#include <string>

#include "journal_entry.hpp"
#include "librm/store/postgres_journal.hpp"
#include "postgres.hpp"

// librm_format     one row: the version of all that follows
// librm_cluster    a row a cluster: the current epoch, who took it and when; `token` tells a leader
//                  whose answer was lost whether it was he
// librm_log        see journal_entry.hpp; the key refuses a second record of one LSN
// librm_snapshot   likewise
// librm_slice      numbered within their generation, so that each can be looked up
// librm_fence()    holds the cluster's row FOR SHARE and raises RM001 where the epoch is over

namespace librm::store_detail {

inline constexpr int postgres_format_version = 1;
inline constexpr char sqlstate_fenced[] = "RM001";
inline constexpr char sqlstate_unique[] = "23505";

/// Creates what is missing, the cluster's row too; refuses a later format.
Result<void> prepare_postgres(PgConnection& connection, const std::string& cluster,
                              SteadyTime deadline);

struct ClusterState {
  JournalLeader leader;
  Lsn last_lsn = 0;
};
Result<ClusterState> read_cluster(PgConnection& connection, const std::string& cluster,
                                  SteadyTime deadline);

/// By stream; only finished ones, the latest generation.
Result<Snapshots> read_snapshots(PgConnection& connection, const std::string& cluster,
                                 SteadyTime deadline);

/// What Journal::replay() promises, of one moment, and that no record is missing above the
/// snapshots. Returns the state of that moment.
Result<ClusterState> replay(PgConnection& connection, const std::string& cluster,
                            Duration silence_max, const OnEntry& on_record);

/// What PostgresJournal::tail() promises. Returns the state of that moment.
Result<ClusterState> tail(PgConnection& connection, const std::string& cluster, Lsn from,
                          Duration silence_max, const OnEntry& on_record);

}  // namespace librm::store_detail
