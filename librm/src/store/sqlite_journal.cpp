// The journal on SQLite: opening, one transaction a group, compaction and checkpoints.
#include "librm/store/sqlite_journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "journal_group.hpp"
#include "journal_rows.hpp"
#include "sqlite.hpp"
#include "wal_check.hpp"

namespace librm {
namespace {

using store_detail::Append;
using store_detail::Begin;
using store_detail::Compaction;
using store_detail::compaction_rows_max;
using store_detail::Database;
using store_detail::Finish;
using store_detail::Group;
using store_detail::LogRow;
using store_detail::Operation;
using store_detail::Slice;
using store_detail::SnapshotRow;
using store_detail::Statement;

constexpr int checkpoint_pages_idle = 1000;  // 4 MiB: when nothing waits
constexpr int checkpoint_pages_busy = 8000;  // 32 MiB: even when something does
constexpr std::chrono::milliseconds full_retry_after{100};
constexpr std::uint64_t commits_per_busy_step = 64;  // housekeeping under constant load

struct Statements {
  Statement begin, commit, insert_log, insert_snapshot, finish_snapshot, insert_slice;
  Statement select_old, delete_log, delete_slices, delete_snapshots;
};

class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_ = -1;
};

tl::unexpected<Error> system_error(const std::string& path, const char* what) {
  return fail(ErrorCode::io_error, "journal " + path + ": " + what + ": " + std::strerror(errno));
}

/// Held while the journal is open. A lock file of its own, so that SQLite tools may still read.
Result<FileDescriptor> lock(const std::string& path) {
  FileDescriptor fd(::open((path + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return system_error(path, "open the lock file");
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return system_error(path, "lock");
    return fail(ErrorCode::already_exists,
                "journal " + path + ": in use: another process has it open");
  }
  return fd;
}

/// Creates the file with its mode and its directory entry before SQLite sees it.
Result<void> create_file(const std::string& path) {
  FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd.get() < 0) return system_error(path, "open");
  if (::fchmod(fd.get(), 0600) != 0) return system_error(path, "set mode 0600");
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  FileDescriptor dir(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (dir.get() < 0 || ::fsync(dir.get()) != 0) return system_error(path, "sync the directory");
  return {};
}

/// SQLite goes on without what is behind a torn frame, and writes over it.
Result<void> check_log_file(const SqliteJournalOptions& options) {
  Result<store_detail::WalCheck> wal = store_detail::check_wal(options.path + "-wal");
  if (!wal) return tl::unexpected<Error>(std::move(wal.error()));
  const std::string name = "journal " + options.path + ": write-ahead log: ";
  if (wal->header_damaged) return fail(ErrorCode::corrupt, name + "its header is damaged");
  if (!options.always_synced || wal->commits_cut == 0) return {};
  return fail(ErrorCode::corrupt, name + "frame " + std::to_string(wal->bad_frame) +
                                      " is damaged, and commits that came later are behind it: " +
                                      std::to_string(wal->commits_cut));
}

Result<Statements> prepare_statements(Database& database) {
  Statements s;
  const std::pair<Statement*, const char*> all[] = {
      {&s.begin, "BEGIN IMMEDIATE"},
      {&s.commit, "COMMIT"},
      {&s.insert_log, "INSERT INTO log VALUES(?,?,?,?,?,?,?)"},
      {&s.insert_snapshot, "INSERT INTO snapshot VALUES(?,?,?,?,?)"},
      {&s.finish_snapshot, "UPDATE snapshot SET finished=1, crc=?2 WHERE generation=?1"},
      {&s.insert_slice, "INSERT INTO slice(generation, crc, entries) VALUES(?,?,?)"},
      {&s.select_old,
       "SELECT first_lsn, last_lsn, stream FROM log WHERE first_lsn>?1 AND first_lsn<=?2"
       " ORDER BY first_lsn LIMIT ?3"},
      {&s.delete_log, "DELETE FROM log WHERE first_lsn=?"},
      {&s.delete_slices,
       "DELETE FROM slice WHERE id IN (SELECT slice.id FROM slice JOIN snapshot"
       " USING(generation) WHERE stream=?1 AND generation<?2 LIMIT ?3)"},
      {&s.delete_snapshots, "DELETE FROM snapshot WHERE stream=? AND generation<?"},
  };
  for (auto [target, sql] : all) {
    Result<Statement> statement = Statement::prepare(database, sql);
    if (!statement) return tl::unexpected<Error>(std::move(statement.error()));
    *target = std::move(*statement);
  }
  return s;
}

constexpr int open_flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;

}  // namespace

struct SqliteJournal::Impl final : store_detail::GroupSink {
  explicit Impl(SqliteJournalOptions chosen)
      : options(std::move(chosen)),
        committer(*this,
                  {"journal " + options.path, options.backlog_bytes_max, options.group_bytes_max}) {
  }

  // Owner's thread only.
  const SqliteJournalOptions options;
  FileDescriptor lock_file;
  Epoch epoch = 0;

  // Committer's thread only, once it runs.
  std::optional<Database> database;
  std::optional<Statements> statements;
  Sync pragma = Sync::full;
  int wal_pages = 0;
  std::uint64_t commits = 0;
  std::deque<Compaction> compactions;

  std::atomic<bool> stalled{false};

  store_detail::GroupCommit committer;

  Result<store_detail::JournalTail> open();
  Result<void> commit(const Group& group) override;
  void housekeeping() override;
  bool housekeeping_wanted() const override;
  bool housekeeping_urgent() const override;
  bool write_all(const Group& group, bool cached);
  bool write_rows(const Group& group);
  bool write(const Begin& begin);
  bool write(const Slice& slice);
  bool write(const Finish& finish);
  bool set_synchronous(Sync sync);
  bool compact(Compaction& compaction, bool& done);
  void checkpoint();
};

// --- opening and closing ---

Result<store_detail::JournalTail> SqliteJournal::Impl::open() {
  Result<FileDescriptor> locked = lock(options.path);
  if (!locked) return tl::unexpected<Error>(std::move(locked.error()));
  lock_file = std::move(*locked);
  Result<void> created = create_file(options.path);
  if (!created) return tl::unexpected<Error>(std::move(created.error()));
  Result<void> log_file = check_log_file(options);
  if (!log_file) return tl::unexpected<Error>(std::move(log_file.error()));
  Result<Database> opened = Database::open(options.path, open_flags);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  database = std::move(*opened);
  sqlite3_busy_timeout(database->handle(), 5000);  // readers hold it up only in rare recoveries
  Result<void> done =
      database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", "set WAL mode");
  if (done) done = store_detail::prepare_tables(*database);
  if (!done) return tl::unexpected<Error>(std::move(done.error()));
  sqlite3_wal_hook(
      database->handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Impl*>(self)->wal_pages = pages;
        return SQLITE_OK;
      },
      this);  // replaces SQLite's own checkpoints inside of commits
  Result<store_detail::JournalTail> tail = store_detail::verify(*database);
  if (!tail) return tl::unexpected<Error>(std::move(tail.error()));
  done = database->execute(
      "BEGIN IMMEDIATE;"
      "DELETE FROM slice WHERE generation IN (SELECT generation FROM snapshot WHERE finished=0);"
      "DELETE FROM snapshot WHERE finished=0; COMMIT;",
      "delete unfinished snapshots");
  if (!done) return tl::unexpected<Error>(std::move(done.error()));
  Result<store_detail::Snapshots> snapshots = store_detail::read_snapshots(*database);
  if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
  for (const auto& [stream, row] : *snapshots) compactions.push_back(Compaction{row, 0});
  Result<Statements> prepared = prepare_statements(*database);
  if (!prepared) return tl::unexpected<Error>(std::move(prepared.error()));
  statements = std::move(*prepared);
  return tail;
}

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(SqliteJournalOptions options) {
  auto impl = std::make_unique<Impl>(std::move(options));
  Result<store_detail::JournalTail> tail = impl->open();
  if (!tail) {
    impl->statements.reset();
    Error error = std::move(tail.error());
    if (error.code == ErrorCode::corrupt) {
      error.message += "; nothing was changed, 'rmctl journal check " + impl->options.path +
                       "' says what is lost";
    }
    return tl::unexpected<Error>(std::move(error));
  }
  impl->committer.start(tail->last_lsn, tail->generation_last);
  return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::move(impl)));
}

SqliteJournal::SqliteJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SqliteJournal::~SqliteJournal() { close(); }

void SqliteJournal::close() {
  if (!impl_->committer.close()) return;
  impl_->statements.reset();
  impl_->database.reset();
  impl_->lock_file = FileDescriptor();
}

// --- the owner's side ---

void SqliteJournal::on_durable(OnDurable callback) {
  impl_->committer.on_durable(std::move(callback));
}
void SqliteJournal::set_epoch(Epoch epoch) { impl_->epoch = epoch; }
Lsn SqliteJournal::last_lsn() const { return impl_->committer.last_lsn(); }
std::uint64_t SqliteJournal::commits() const { return impl_->committer.commits(); }
bool SqliteJournal::stalled() const { return impl_->stalled; }
std::size_t SqliteJournal::backlog_bytes() const { return impl_->committer.backlog_bytes(); }

Result<Lsn> SqliteJournal::append(std::vector<RecordEntry> batch, Sync sync) {
  return impl_->committer.append(std::move(batch), impl_->epoch, sync);
}

Result<std::uint64_t> SqliteJournal::begin_snapshot(std::uint16_t stream) {
  return impl_->committer.begin_snapshot(stream);
}

Result<void> SqliteJournal::append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) {
  return impl_->committer.append_slice(generation, std::move(slice));
}

Result<void> SqliteJournal::finish_snapshot(std::uint64_t generation) {
  return impl_->committer.finish_snapshot(generation);
}

Result<void> SqliteJournal::replay(const OnRecord& on_record) {
  // A connection of its own: the journal's thread has the other one, and may be cleaning up.
  Result<Database> reader = Database::open(impl_->options.path, open_flags);
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  sqlite3_busy_timeout(reader->handle(), 5000);
  return store_detail::replay(*reader, on_record);
}

// --- the committer's thread ---

Result<void> SqliteJournal::Impl::commit(const Group& group) {
  const bool cached = std::all_of(group.begin(), group.end(), [](const Operation& operation) {
    const auto* append = std::get_if<Append>(&operation.what);
    return append != nullptr && append->sync == Sync::cached;
  });
  while (!write_all(group, cached)) {
    // A write that found no room is known to have failed, and everything before it stands: unlike
    // after any other failure it may be tried again.
    const Error error = database->error("commit");
    const bool full = (sqlite3_errcode(database->handle()) & 0xff) == SQLITE_FULL;
    sqlite3_exec(database->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    if (!full || committer.closing()) return tl::unexpected<Error>(error);
    stalled = true;
    checkpoint();  // may leave room in the write-ahead log
    std::this_thread::sleep_for(full_retry_after);
  }
  stalled = false;
  ++commits;
  for (const Operation& operation : group) {
    const auto* finish = std::get_if<Finish>(&operation.what);
    if (finish != nullptr) compactions.push_back(Compaction{finish->row, 0});
  }
  return {};
}

bool SqliteJournal::Impl::write_all(const Group& group, bool cached) {
  bool ok = set_synchronous(cached ? Sync::cached : Sync::full) && statements->begin.run() &&
            write_rows(group);
  for (const Operation& operation : group) {
    if (const auto* begin = std::get_if<Begin>(&operation.what)) ok = ok && write(*begin);
    if (const auto* slice = std::get_if<Slice>(&operation.what)) ok = ok && write(*slice);
    if (const auto* finish = std::get_if<Finish>(&operation.what)) ok = ok && write(*finish);
  }
  return ok && statements->commit.run();
}

bool SqliteJournal::Impl::write_rows(const Group& group) {
  const std::vector<LogRow> rows = store_detail::log_rows(group);
  for (const LogRow& row : rows) {
    statements->insert_log.bind(row.first_lsn, row.last_lsn, row.commit_lsn, row.stream, row.epoch,
                                store_detail::checksum(row), std::string_view(row.entries));
    if (!statements->insert_log.run()) return false;
  }
  return true;
}

bool SqliteJournal::Impl::write(const Begin& begin) {
  statements->insert_snapshot.bind(begin.row.generation, begin.row.stream, begin.row.start_lsn,
                                   std::int64_t{0}, store_detail::checksum(begin.row));
  return statements->insert_snapshot.run();
}

bool SqliteJournal::Impl::write(const Slice& slice) {
  const std::string entries = store_detail::slice_entries(slice);
  statements->insert_slice.bind(slice.generation,
                                store_detail::slice_checksum(slice.generation, entries),
                                std::string_view(entries));
  return statements->insert_slice.run();
}

bool SqliteJournal::Impl::write(const Finish& finish) {
  statements->finish_snapshot.bind(finish.row.generation, store_detail::checksum(finish.row));
  return statements->finish_snapshot.run();
}

bool SqliteJournal::Impl::set_synchronous(Sync sync) {
  if (sync == pragma) return true;
  const char* sql = sync == Sync::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (!database->execute(sql, "set synchronous")) return false;
  pragma = sync;
  return true;
}

// --- housekeeping: nothing here is needed for durability, so a failure only postpones it ---

bool SqliteJournal::Impl::housekeeping_wanted() const {
  return !compactions.empty() || wal_pages >= checkpoint_pages_idle;
}

bool SqliteJournal::Impl::housekeeping_urgent() const {
  const bool busy_too_long = commits % commits_per_busy_step == 0 && !compactions.empty();
  return busy_too_long || wal_pages >= checkpoint_pages_busy;
}

void SqliteJournal::Impl::housekeeping() {
  if (!compactions.empty()) {
    bool done = false;
    const bool ok = set_synchronous(options.always_synced ? Sync::full : Sync::cached) &&
                    statements->begin.run() && compact(compactions.front(), done) &&
                    statements->commit.run();
    if (!ok) {
      sqlite3_exec(database->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
      done = true;  // the stream's next snapshot, or the next start, takes it up again
    }
    if (done) compactions.pop_front();
  }
  if (wal_pages >= (compactions.empty() ? checkpoint_pages_idle : checkpoint_pages_busy)) {
    checkpoint();
  }
}

bool SqliteJournal::Impl::compact(Compaction& compaction, bool& done) {
  const SnapshotRow& snapshot = compaction.snapshot;
  std::vector<Lsn> superfluous;
  int seen = 0;
  Statement& select = statements->select_old;
  select.bind(compaction.cursor, snapshot.start_lsn, std::int64_t{compaction_rows_max});
  for (; select.step() == SQLITE_ROW; ++seen) {
    const auto first = static_cast<Lsn>(select.integer(0));
    const bool covered = static_cast<Lsn>(select.integer(1)) <= snapshot.start_lsn &&
                         select.integer(2) == std::int64_t{snapshot.stream};
    if (covered) superfluous.push_back(first);
    compaction.cursor = first;
  }
  select.reset();
  for (Lsn first : superfluous) {
    statements->delete_log.bind(first);
    if (!statements->delete_log.run()) return false;
  }
  if (seen == compaction_rows_max) return true;
  statements->delete_slices.bind(snapshot.stream, snapshot.generation,
                                 std::int64_t{compaction_rows_max});
  if (!statements->delete_slices.run()) return false;
  if (sqlite3_changes(database->handle()) == compaction_rows_max) return true;
  statements->delete_snapshots.bind(snapshot.stream, snapshot.generation);
  done = true;
  return statements->delete_snapshots.run();
}

void SqliteJournal::Impl::checkpoint() {
  sqlite3_wal_checkpoint_v2(database->handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                            nullptr);
  wal_pages = 0;  // the next commit's hook says how many there really are
}

}  // namespace librm
