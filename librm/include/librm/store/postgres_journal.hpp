// The journal on PostgreSQL, shared by several masters: one leads and writes, the others follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "librm/base/time.hpp"
#include "librm/store/journal.hpp"

namespace librm {

struct PostgresJournalOptions {
  /// As libpq takes it: `postgresql://user:password@host:5432,host2:5432/database?option=value`.
  /// Of several hosts the one that accepts writes is used. Never printed.
  std::string url;
  /// Keys everything, so that many clusters share one database. 1 to 255 bytes of UTF-8.
  std::string cluster = "default";
  /// Where this master is reached; others read it in leader(). At most 1,024 bytes of UTF-8.
  std::string self;
  /// How long a commit, or lead(), may take before the journal fails: lost connections, restarts
  /// and changes of the server included.
  Duration outage_max = seconds(15);
  /// How often follow() asks for news.
  Duration poll_interval = milliseconds(100);
  /// Bytes of payload that may wait for a commit; one batch is taken even if larger.
  std::size_t backlog_bytes_max = 64u << 20;
  /// Bytes of payload after which a group is closed, so that one commit does not take seconds.
  std::size_t group_bytes_max = 8u << 20;
  /// The largest batch or slice; PostgreSQL keeps at most 1 GB in one value.
  std::size_t batch_bytes_max = 256u << 20;
};

/// Who leads a cluster, as the database has it.
struct JournalLeader {
  Epoch epoch = 0;  ///< 0: nobody has led yet
  std::string url;  ///< PostgresJournalOptions::self of who took it
  WallTime since;   ///< when, on the database's clock
  bool operator==(const JournalLeader&) const = default;
};

/// What a standby reads.
struct JournalTail {
  struct Record {
    Lsn lsn = 0;
    RecordEntry entry;
  };
  std::vector<Record> records;  ///< in LSN order, without gaps; may be empty
  Lsn last_lsn = 0;             ///< of the last record so far
  JournalLeader leader;
};

/// A journal begins as a standby, which may replay(), tail() and follow(). lead() makes it the
/// leader: from then on append() works, and the appends of every earlier leader fail.
///
/// Each commit holds the cluster's epoch row FOR SHARE and checks that its epoch is current, so
/// lead(), which increments the row, waits out what is in flight, and reads afterwards all that
/// was ever reported as durable. A commit whose answer was lost is looked up by its epoch and LSN
/// once the old session has ended, and sent again only where it is not there.
///
/// The first append that finds a later epoch ends the journal with failed_precondition naming
/// both epochs; an outage of more than outage_max ends it with deadline_exceeded; a server that
/// has lost what it had committed, with `corrupt`. Sync::cached is Sync::full here: a server may
/// restart while its clients live on. What a commit survives is up to the server's own
/// configuration (synchronous_standby_names, synchronous_commit unless that is `off`).
///
/// Calls come from one thread, the owner's, and all but append(), the snapshots' and set_epoch()
/// wait for the server, at most outage_max without any news of it. on_durable is called on a
/// thread of the journal.
class PostgresJournal final : public Journal {
 public:
  using OnTail = std::function<void(Result<JournalTail>)>;

  /// Connects, and creates tables (`librm_…`) and function in the first schema of the search path
  /// where they are missing. Fails with invalid_argument for the URL or a name, `unsupported`
  /// for a later format, permission_denied, `unavailable` where there is no server.
  static Result<std::unique_ptr<PostgresJournal>> open(PostgresJournalOptions options);
  /// Calls close().
  ~PostgresJournal() override;

  PostgresJournal(const PostgresJournal&) = delete;
  PostgresJournal& operator=(const PostgresJournal&) = delete;

  /// Who leads now. Fails with `unavailable`.
  Result<JournalLeader> leader();

  /// The time on the database's clock, about half of a round trip ago. Fails with `unavailable`.
  Result<WallTime> clock();

  /// Takes the next epoch, and ends follow(). Afterwards last_lsn() is what the earlier leaders
  /// have reached: replay(), or tail() from what was followed, gives the rest, then append().
  /// Fails with `stale` where another took that epoch at the same moment, deadline_exceeded where
  /// a commit in flight does not end, `unavailable`; it may be tried again then. `at_least` is for
  /// who restores a state: an epoch above those that its agents have obeyed.
  Result<Epoch> lead(Epoch at_least = 0);
  /// The epoch of lead(); 0 before.
  Epoch epoch() const;

  /// Calls `on_record` for every record after `from`, in LSN order, and returns the LSN of the
  /// last. Fails with `stale` where records after `from` were replaced by a snapshot: replay()
  /// into an empty state then. `corrupt` names the row.
  Result<Lsn> tail(Lsn from, const OnRecord& on_record);

  /// Calls `on_tail` on a thread of the journal: at once, then each time that records have come
  /// (some MiB a call) or the leader has changed. `unavailable` is reported once an outage, and
  /// goes away by itself; after any other error, `stale` among them, it calls no more.
  /// Precondition: not leading. Replaces an earlier follow(). Must not call back into the journal.
  void follow(Lsn from, OnTail on_tail);
  /// No call after it has returned. Not from on_tail.
  void stop_following();

  /// Commits what waits, within outage_max a commit, joins the threads, disconnects. Later calls
  /// fail with failed_precondition. Not from a callback.
  void close();

  void on_durable(OnDurable callback) override;
  /// Fails with failed_precondition before lead(), and with invalid_argument for a batch of more
  /// than batch_bytes_max.
  Result<Lsn> append(std::vector<RecordEntry> batch, Sync sync) override;
  /// Changes nothing: what is written belongs to lead()'s epoch. Another one (but 0) makes the
  /// appends after it fail with failed_precondition, since agents would obey what is not fenced.
  void set_epoch(Epoch epoch) override;
  Result<void> replay(const OnRecord& on_record) override;
  /// As a standby: what open(), replay() or tail() has seen.
  Lsn last_lsn() const override;
  Result<std::uint64_t> begin_snapshot(std::uint16_t stream) override;
  Result<void> append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) override;
  Result<void> finish_snapshot(std::uint64_t generation) override;

  /// Bytes of payload that wait for a commit. Thread-safe.
  std::size_t backlog_bytes() const;
  /// Transactions so far. Thread-safe.
  std::uint64_t commits() const;

 private:
  struct Impl;
  explicit PostgresJournal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm
