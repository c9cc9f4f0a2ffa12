// VACUUM INTO: one statement is one read transaction, and the copy has no free pages.
#include "librm/store/journal_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "journal_rows.hpp"
#include "sqlite.hpp"

namespace librm {
namespace {

using store_detail::Database;
using store_detail::Statement;

constexpr int steps_between_looks = 1000;  // of SQLite's virtual machine: far under a millisecond

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
  struct stat status {};
  if (::stat(destination.c_str(), &status) != 0) {
    return fail(ErrorCode::io_error, destination + ": " + std::strerror(errno));
  }
  return JournalCopy{tail->last_lsn, static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace

Result<JournalCopy> copy_journal(const std::string& source, const std::string& destination,
                                 const std::atomic<bool>& stop) {
  // SQLite writes into an empty file, too: so it is nobody else's from the beginning.
  const int fd = ::open(destination.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(errno == EEXIST ? ErrorCode::already_exists : ErrorCode::io_error,
                destination + ": " + std::strerror(errno));
  }
  ::close(fd);
  Result<JournalCopy> copied = copy(source, destination, stop);
  if (!copied) ::unlink(destination.c_str());
  return copied;
}

}  // namespace librm
