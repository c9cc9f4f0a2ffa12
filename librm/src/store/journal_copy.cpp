// VACUUM INTO: one statement is one read transaction, and the copy has no free pages. A journal of
// another kind is replayed into a new one.
#include "librm/store/journal_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>

#include "journal_rows.hpp"
#include "librm/store/sqlite_journal.hpp"
#include "sqlite.hpp"

namespace librm {
namespace {

using store_detail::Database;
using store_detail::Statement;

constexpr std::size_t entries_at_once = 4096;  // of a journal that is replayed
constexpr int steps_between_looks = 1000;  // of SQLite's virtual machine: far under a millisecond

Result<JournalCopy> made(const std::string& destination, Lsn last_lsn) {
  struct stat status {};
  if (::stat(destination.c_str(), &status) != 0) {
    return fail(ErrorCode::io_error, destination + ": " + std::strerror(errno));
  }
  return JournalCopy{last_lsn, static_cast<std::uint64_t>(status.st_size)};
}

Result<JournalCopy> copy(const std::string& source, const std::string& destination,
                         const std::atomic<bool>& stop) {
  Result<Database> reader = Database::open(source, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX);
  if (!reader) return tl::unexpected<Error>(std::move(reader.error()));
  sqlite3_busy_timeout(reader->handle(), 5000);
  const auto asked = [](void* flag) {
    return static_cast<const std::atomic<bool>*>(flag)->load() ? 1 : 0;
  };
  sqlite3_progress_handler(reader->handle(), steps_between_looks, asked,
                           const_cast<std::atomic<bool>*>(&stop));
  Result<Statement> vacuum = Statement::prepare(*reader, "VACUUM INTO CAST(? AS TEXT)");
  if (!vacuum) return tl::unexpected<Error>(std::move(vacuum.error()));
  vacuum->bind(std::string_view(destination));
  if (!vacuum->run()) {
    if (stop) return fail(ErrorCode::unavailable, "the copy was given up");
    return tl::unexpected<Error>(reader->error("copy to " + destination));
  }
  Result<Database> copied = Database::open(destination, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX);
  if (!copied) return tl::unexpected<Error>(std::move(copied.error()));
  Result<store_detail::JournalTail> tail = store_detail::verify(*copied);
  if (!tail) return tl::unexpected<Error>(std::move(tail.error()));
  return made(destination, tail->last_lsn);
}

Result<JournalCopy> replay_into(Journal& source, const std::string& destination,
                                const std::atomic<bool>& stop) {
  SqliteJournalOptions options;
  options.path = destination;
  options.always_synced = true;
  options.backlog_bytes_max = std::numeric_limits<std::size_t>::max();
  Result<std::unique_ptr<SqliteJournal>> opened = SqliteJournal::open(std::move(options));
  if (!opened) return tl::unexpected<Error>(std::move(opened.error()));
  SqliteJournal& copied = **opened;
  DurableWriter writer(copied);
  std::vector<RecordEntry> entries;
  Result<void> done = source.replay([&](Lsn, const RecordEntry& entry) -> Result<void> {
    if (stop) return fail(ErrorCode::unavailable, "the copy was given up");
    entries.push_back(entry);
    if (entries.size() < entries_at_once) return {};
    return writer.append(std::exchange(entries, {}));
  });
  if (done) done = writer.append(std::move(entries));
  copied.close();  // into the one file
  ::unlink((destination + ".lock").c_str());
  if (!done) return tl::unexpected<Error>(std::move(done.error()));
  return made(destination, source.last_lsn());
}

}  // namespace

DurableWriter::DurableWriter(Journal& journal) : journal_(journal) {
  journal_.on_durable([this](Result<Lsn> lsn) {
    const std::lock_guard lock(mutex_);
    if (lsn) {
      durable_ = std::max(durable_, *lsn);
    } else {
      failed_ = std::move(lsn.error());
    }
    changed_.notify_one();
  });
}

Result<void> DurableWriter::append(std::vector<RecordEntry> entries) {
  if (entries.empty()) return {};
  const Result<Lsn> appended = journal_.append(std::move(entries), Sync::full);
  if (!appended) return tl::unexpected<Error>(appended.error());
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return failed_ || durable_ >= *appended; });
  if (failed_) return tl::unexpected<Error>(*failed_);
  return {};
}

namespace {

/// SQLite writes into an empty file, too: so it is nobody else's from the beginning.
template <class Copy>
Result<JournalCopy> copy_to_new(const std::string& destination, Copy copy) {
  const int fd = ::open(destination.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(errno == EEXIST ? ErrorCode::already_exists : ErrorCode::io_error,
                destination + ": " + std::strerror(errno));
  }
  ::close(fd);
  Result<JournalCopy> copied = copy();
  if (!copied) ::unlink(destination.c_str());
  return copied;
}

}  // namespace

Result<JournalCopy> copy_journal(const std::string& source, const std::string& destination,
                                 const std::atomic<bool>& stop) {
  return copy_to_new(destination, [&] { return copy(source, destination, stop); });
}

Result<JournalCopy> copy_journal(Journal& source, const std::string& destination,
                                 const std::atomic<bool>& stop) {
  return copy_to_new(destination, [&] { return replay_into(source, destination, stop); });
}

}  // namespace librm
