// The journal's thread: gathers what waits into one transaction, commits, reports, cleans up.
#include "librm/store/sqlite_journal.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "journal_rows.hpp"
#include "sqlite.hpp"

namespace librm {
namespace {

using store_detail::Database;
using store_detail::LogRow;
using store_detail::SnapshotRow;
using store_detail::Statement;

constexpr std::size_t entry_overhead_bytes = 64;     // what an entry costs beside its payload
constexpr int compaction_rows_max = 256;             // per step, so that a commit never waits long
constexpr int checkpoint_pages_idle = 1000;          // 4 MiB: when nothing waits
constexpr int checkpoint_pages_busy = 8000;          // 32 MiB: even when something does
constexpr std::uint64_t commits_per_busy_step = 64;  // housekeeping under constant load

struct Append {
  Lsn first = 0;
  Epoch epoch = 0;
  Sync sync = Sync::full;
  std::vector<RecordEntry> batch;
};
struct Begin {
  SnapshotRow row;
};
struct Slice {
  std::uint64_t generation = 0;
  std::vector<RecordEntry> entries;
};
struct Finish {
  SnapshotRow row;
};
struct Operation {
  std::variant<Append, Begin, Slice, Finish> what;
  std::size_t bytes = 0;
};

/// Rows that a finished snapshot made superfluous, deleted a few at a time.
struct Compaction {
  SnapshotRow snapshot;
  Lsn cursor = 0;
};

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

struct SqliteJournal::Impl {
  // Owner's thread only.
  SqliteJournalOptions options;
  FileDescriptor lock_file;
  OnDurable on_durable;
  Lsn last_lsn = 0;
  Epoch epoch = 0;
  std::uint64_t generation_last = 0;
  std::map<std::uint64_t, SnapshotRow> open_snapshots;
  std::thread thread;

  // Shared, under the mutex.
  mutable std::mutex mutex;
  std::condition_variable wake;
  std::deque<Operation> queue;
  std::size_t backlog_bytes = 0;
  bool stopping = false;
  std::optional<Error> failed;
  std::atomic<std::uint64_t> commits{0};

  // Journal's thread only, once it runs.
  std::optional<Database> database;
  std::optional<Statements> statements;
  Sync pragma = Sync::full;
  int wal_pages = 0;
  std::deque<Compaction> compactions;

  Result<void> open();
  void start();
  Result<void> queue_operation(Operation operation);
  void run();
  bool housekeeping_wanted() const;
  void housekeeping();
  std::vector<Operation> take_group();
  Result<void> commit(const std::vector<Operation>& group);
  bool write_rows(const std::vector<Operation>& group);
  bool write(const Begin& begin);
  bool write(const Slice& slice);
  bool write(const Finish& finish);
  bool set_synchronous(Sync sync);
  bool compact(Compaction& compaction, bool& done);
  void checkpoint();
};

// --- opening and closing ---

Result<void> SqliteJournal::Impl::open() {
  Result<FileDescriptor> locked = lock(options.path);
  if (!locked) return tl::unexpected<Error>(std::move(locked.error()));
  lock_file = std::move(*locked);
  Result<void> created = create_file(options.path);
  if (!created) return created;
  Result<Database> opened = Database::open(options.path, open_flags);
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  database = std::move(*opened);
  sqlite3_busy_timeout(database->handle(), 5000);  // readers hold it up only in rare recoveries
  Result<void> done =
      database->execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;", "set WAL mode");
  if (done) done = store_detail::prepare_tables(*database);
  if (!done) return done;
  sqlite3_wal_hook(
      database->handle(),
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<Impl*>(self)->wal_pages = pages;
        return SQLITE_OK;
      },
      this);  // replaces SQLite's own checkpoints inside of commits
  Result<store_detail::JournalTail> tail = store_detail::verify(*database);
  if (!tail) return tl::unexpected<Error>(std::move(tail.error()));
  last_lsn = tail->last_lsn;
  generation_last = tail->generation_last;
  done = database->execute(
      "BEGIN IMMEDIATE;"
      "DELETE FROM slice WHERE generation IN (SELECT generation FROM snapshot WHERE finished=0);"
      "DELETE FROM snapshot WHERE finished=0; COMMIT;",
      "delete unfinished snapshots");
  if (!done) return done;
  Result<std::map<std::uint16_t, SnapshotRow>> snapshots = store_detail::read_snapshots(*database);
  if (!snapshots) return tl::unexpected<Error>(std::move(snapshots.error()));
  for (const auto& [stream, row] : *snapshots) compactions.push_back(Compaction{row, 0});
  Result<Statements> prepared = prepare_statements(*database);
  if (!prepared) return tl::unexpected<Error>(std::move(prepared.error()));
  statements = std::move(*prepared);
  return {};
}

void SqliteJournal::Impl::start() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the owner's threads
  thread = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), "rm-journal");
}

Result<std::unique_ptr<SqliteJournal>> SqliteJournal::open(SqliteJournalOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  Result<void> opened = impl->open();
  if (!opened) {
    impl->statements.reset();
    return tl::unexpected<Error>(std::move(opened.error()));
  }
  impl->start();
  return std::unique_ptr<SqliteJournal>(new SqliteJournal(std::move(impl)));
}

SqliteJournal::SqliteJournal(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SqliteJournal::~SqliteJournal() { close(); }

void SqliteJournal::close() {
  if (!impl_->thread.joinable()) return;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_one();
  impl_->thread.join();
  impl_->statements.reset();
  impl_->database.reset();
  impl_->lock_file = FileDescriptor();
}

// --- the owner's side ---

void SqliteJournal::on_durable(OnDurable callback) { impl_->on_durable = std::move(callback); }
void SqliteJournal::set_epoch(Epoch epoch) { impl_->epoch = epoch; }
Lsn SqliteJournal::last_lsn() const { return impl_->last_lsn; }
std::uint64_t SqliteJournal::commits() const { return impl_->commits; }

std::size_t SqliteJournal::backlog_bytes() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->backlog_bytes;
}

namespace {

std::size_t bytes_of(const std::vector<RecordEntry>& entries) {
  std::size_t bytes = 0;
  for (const RecordEntry& entry : entries) bytes += entry.payload.size() + entry_overhead_bytes;
  return bytes;
}

}  // namespace

Result<void> SqliteJournal::Impl::queue_operation(Operation operation) {
  bool was_empty = false;
  {
    std::lock_guard lock(mutex);
    if (failed) return tl::unexpected<Error>(*failed);
    if (stopping) {
      return fail(ErrorCode::failed_precondition, "journal " + options.path + ": closed");
    }
    if (backlog_bytes > 0 && backlog_bytes + operation.bytes > options.backlog_bytes_max) {
      return fail(ErrorCode::resource_exhausted,
                  "journal " + options.path + ": backlog: need " + std::to_string(operation.bytes) +
                      " bytes, " + std::to_string(backlog_bytes) + " of " +
                      std::to_string(options.backlog_bytes_max) + " wait for the disk");
    }
    was_empty = queue.empty();
    backlog_bytes += operation.bytes;
    queue.push_back(std::move(operation));
  }
  if (was_empty) wake.notify_one();
  return {};
}

Result<Lsn> SqliteJournal::append(std::vector<RecordEntry> batch, Sync sync) {
  if (batch.empty()) return impl_->last_lsn;
  const Lsn first = impl_->last_lsn + 1;
  const Lsn last = impl_->last_lsn + batch.size();
  const std::size_t bytes = bytes_of(batch);
  Result<void> queued =
      impl_->queue_operation({Append{first, impl_->epoch, sync, std::move(batch)}, bytes});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  return impl_->last_lsn = last;
}

Result<std::uint64_t> SqliteJournal::begin_snapshot(std::uint16_t stream) {
  const SnapshotRow row{impl_->generation_last + 1, stream, impl_->last_lsn, false};
  Result<void> queued = impl_->queue_operation({Begin{row}, 0});
  if (!queued) return tl::unexpected<Error>(std::move(queued.error()));
  impl_->open_snapshots.emplace(row.generation, row);
  return impl_->generation_last = row.generation;
}

Result<void> SqliteJournal::append_slice(std::uint64_t generation, std::vector<RecordEntry> slice) {
  if (!impl_->open_snapshots.contains(generation)) {
    return fail(ErrorCode::not_found, "journal " + impl_->options.path + ": snapshot " +
                                          std::to_string(generation) + ": not begun, or finished");
  }
  const std::size_t bytes = bytes_of(slice);
  return impl_->queue_operation({Slice{generation, std::move(slice)}, bytes});
}

Result<void> SqliteJournal::finish_snapshot(std::uint64_t generation) {
  const auto open = impl_->open_snapshots.find(generation);
  if (open == impl_->open_snapshots.end()) {
    return fail(ErrorCode::not_found, "journal " + impl_->options.path + ": snapshot " +
                                          std::to_string(generation) + ": not begun, or finished");
  }
  SnapshotRow row = open->second;
  row.finished = true;
  Result<void> queued = impl_->queue_operation({Finish{row}, 0});
  if (queued) impl_->open_snapshots.erase(open);
  return queued;
}

Result<void> SqliteJournal::replay(const OnRecord& on_record) {
  // A connection of its own: the journal's thread has the other one, and may be cleaning up.
  Result<Database> reader = Database::open(impl_->options.path, open_flags);
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  sqlite3_busy_timeout(reader->handle(), 5000);
  return store_detail::replay(*reader, on_record);
}

// --- the journal's thread ---

void SqliteJournal::Impl::run() {
  for (;;) {
    std::vector<Operation> group;
    {
      std::unique_lock lock(mutex);
      wake.wait(lock, [&] { return !queue.empty() || stopping || housekeeping_wanted(); });
      group = take_group();
      if (group.empty() && stopping) return;
    }
    if (group.empty()) {
      housekeeping();
      continue;
    }
    Result<void> committed = commit(group);
    std::size_t bytes = 0;
    Lsn durable = 0;
    for (const Operation& operation : group) {
      bytes += operation.bytes;
      const auto* append = std::get_if<Append>(&operation.what);
      if (append != nullptr) durable = append->first + append->batch.size() - 1;
    }
    {
      std::lock_guard lock(mutex);
      backlog_bytes -= bytes;
      if (!committed) {
        failed = committed.error();
        queue.clear();
        backlog_bytes = 0;
      }
    }
    if (!committed) {
      if (on_durable) on_durable(tl::unexpected<Error>(std::move(committed.error())));
      return;
    }
    if (durable != 0 && on_durable) on_durable(durable);
    const bool busy_too_long = commits % commits_per_busy_step == 0 && !compactions.empty();
    if (busy_too_long || wal_pages >= checkpoint_pages_busy) housekeeping();
  }
}

std::vector<Operation> SqliteJournal::Impl::take_group() {
  std::vector<Operation> group;
  std::size_t bytes = 0;
  while (!queue.empty() && (group.empty() || bytes < options.group_bytes_max)) {
    bytes += queue.front().bytes;
    group.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return group;
}

Result<void> SqliteJournal::Impl::commit(const std::vector<Operation>& group) {
  const bool cached = std::all_of(group.begin(), group.end(), [](const Operation& operation) {
    const auto* append = std::get_if<Append>(&operation.what);
    return append != nullptr && append->sync == Sync::cached;
  });
  bool ok = set_synchronous(cached ? Sync::cached : Sync::full) && statements->begin.run() &&
            write_rows(group);
  for (const Operation& operation : group) {
    if (const auto* begin = std::get_if<Begin>(&operation.what)) ok = ok && write(*begin);
    if (const auto* slice = std::get_if<Slice>(&operation.what)) ok = ok && write(*slice);
    if (const auto* finish = std::get_if<Finish>(&operation.what)) ok = ok && write(*finish);
  }
  ok = ok && statements->commit.run();
  if (!ok) return tl::unexpected<Error>(database->error("commit"));
  ++commits;
  for (const Operation& operation : group) {
    const auto* finish = std::get_if<Finish>(&operation.what);
    if (finish != nullptr) compactions.push_back(Compaction{finish->row, 0});
  }
  return {};
}

bool SqliteJournal::Impl::write_rows(const std::vector<Operation>& group) {
  std::map<std::pair<std::uint16_t, Epoch>, LogRow> rows;
  Lsn commit_lsn = 0;
  for (const Operation& operation : group) {
    const auto* append = std::get_if<Append>(&operation.what);
    if (append == nullptr) continue;
    if (commit_lsn == 0) commit_lsn = append->first;
    Lsn lsn = append->first;
    for (const RecordEntry& entry : append->batch) {
      LogRow& row = rows[{entry.stream, append->epoch}];
      if (row.first_lsn == 0) row.first_lsn = lsn;
      row.last_lsn = lsn;
      store_detail::append_entry(row.entries, static_cast<std::uint32_t>(lsn - row.first_lsn),
                                 entry);
      ++lsn;
    }
  }
  for (auto& [key, row] : rows) {
    row.commit_lsn = commit_lsn;
    row.stream = key.first;
    row.epoch = key.second;
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
  std::string entries;
  for (const RecordEntry& entry : slice.entries) store_detail::append_entry(entries, 0, entry);
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

void SqliteJournal::Impl::housekeeping() {
  if (!compactions.empty()) {
    bool done = false;
    const bool ok = set_synchronous(Sync::cached) && statements->begin.run() &&
                    compact(compactions.front(), done) && statements->commit.run();
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
