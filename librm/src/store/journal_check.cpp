// Checks a journal's file row by row, and goes on behind what is damaged.
#include "librm/store/journal_check.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "journal_rows.hpp"
#include "sqlite.hpp"
#include "wal_check.hpp"

namespace librm {
namespace {

using store_detail::Database;
using store_detail::LogRow;
using store_detail::SnapshotRow;
using store_detail::Statement;

constexpr char sqlite_magic[] = "SQLite format 3";  // with its final 0: the file's first 16 bytes
constexpr int integrity_lines_max = 20;

tl::unexpected<Error> forward(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// Whether a journal has the file open. The lock is only looked at: a file of root's making would
/// keep the owner out.
bool is_in_use(const std::string& path) {
  const int fd = ::open((path + ".lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool taken = ::flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  ::close(fd);
  return taken;
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

/// What SQLite would make a new, empty database of is refused here.
Result<std::uint64_t> check_head(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto failed = [&](ErrorCode code, const std::string& why) {
    if (fd >= 0) ::close(fd);
    return fail(code, path + ": " + why);
  };
  if (fd < 0) {
    return failed(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                  std::strerror(errno));
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) return failed(ErrorCode::io_error, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failed(ErrorCode::unsupported, "not a file");
  if (status.st_size == 0) {
    return failed(ErrorCode::corrupt, "the file is empty: it was never a journal, or was cut off");
  }
  char head[sizeof sqlite_magic] = {};
  const ssize_t size = ::pread(fd, head, sizeof head, 0);
  if (size < 0) return failed(ErrorCode::io_error, std::strerror(errno));
  if (static_cast<std::size_t>(size) < sizeof head ||
      std::memcmp(head, sqlite_magic, sizeof head) != 0) {
    return failed(ErrorCode::corrupt,
                  "no database: it is another kind of file, or its beginning was overwritten");
  }
  ::close(fd);
  return static_cast<std::uint64_t>(status.st_size);
}

/// Nothing that it does stays behind: not in the file, and not beside it.
class Reader {
 public:
  static Result<Reader> open(const std::string& path, bool in_use, bool has_wal) {
    Reader reader;
    if (in_use || has_wal) {
      // SQLite reads the log through an index beside it, which a crash leaves there as well.
      const std::string index = path + "-shm";
      if (!in_use && !exists(index)) reader.index_ = index;
      Result<Database> opened = Database::open(path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX);
      if (!opened) return forward(std::move(opened.error()));
      reader.database_ = std::move(*opened);
    } else {
      std::string uri = "file:";
      for (const char c : path) {
        if (c == '?' || c == '#' || c == '%') {
          constexpr char hex[] = "0123456789abcdef";
          uri += '%';
          uri += hex[static_cast<unsigned char>(c) >> 4];
          uri += hex[static_cast<unsigned char>(c) & 15];
        } else {
          uri += c;
        }
      }
      Result<Database> opened = Database::open(
          uri + "?immutable=1", SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI);
      if (!opened) return forward(std::move(opened.error()));
      reader.database_ = std::move(*opened);
    }
    sqlite3_busy_timeout(reader.database_->handle(), 5000);
    return reader;
  }
  Reader(Reader&& other) noexcept
      : database_(std::exchange(other.database_, std::nullopt)),
        index_(std::exchange(other.index_, {})) {}
  Reader& operator=(Reader&&) = delete;
  ~Reader() {
    database_.reset();
    if (!index_.empty()) ::unlink(index_.c_str());
  }
  Database& database() { return *database_; }

 private:
  Reader() = default;
  std::optional<Database> database_;
  std::string index_;
};

/// Without the name of the file, which is said once.
std::string reason_of(const Error& error, const Database& database) {
  const std::string prefix = "journal " + database.path() + ": ";
  return error.message.starts_with(prefix) ? error.message.substr(prefix.size()) : error.message;
}

class Checker {
 public:
  Checker(Database& database, std::string path, JournalReport& report)
      : database_(database), path_(std::move(path)), report_(report) {}

  Result<void> run(const Journal::OnRecord& on_record) {
    Result<void> head = check_format();
    if (!head) return head;
    check_pages();
    check_snapshots();
    check_slices();
    check_log();
    find_gaps();
    if (report_.damage.empty()) replay(on_record);
    return {};
  }

 private:
  void damaged(std::string where, std::string why, std::uint16_t stream = 0, Lsn first = 0,
               Lsn last = 0) {
    report_.damage.push_back({std::move(where), std::move(why), stream, first, last});
  }

  std::string sqlite_reason() const { return sqlite3_errmsg(database_.handle()); }

  Result<std::int64_t> read_integer(const char* sql) {
    Result<Statement> statement = Statement::prepare(database_, sql);
    if (!statement) return forward(std::move(statement.error()));
    if (statement->step() != SQLITE_ROW) return forward(database_.error("read"));
    return statement->integer(0);
  }

  Result<void> unreadable(const Error& error) const {
    return fail(error.code, path_ + ": " + reason_of(error, database_));
  }

  Result<void> check_format() {
    Result<std::int64_t> application = read_integer("PRAGMA application_id");
    if (!application) return unreadable(application.error());
    if (*application != store_detail::journal_application_id) {
      return fail(ErrorCode::unsupported, path_ + ": a database, but not a journal");
    }
    Result<std::int64_t> format = read_integer("PRAGMA user_version");
    if (!format) return unreadable(format.error());
    report_.format = static_cast<int>(*format);
    if (*format == store_detail::journal_format_version) return {};
    return fail(ErrorCode::unsupported, path_ + ": format " + std::to_string(*format) +
                                            ", this program knows " +
                                            std::to_string(store_detail::journal_format_version));
  }

  /// What SQLite itself knows of its pages.
  void check_pages() {
    Result<Statement> check = Statement::prepare(database_, "PRAGMA integrity_check(20)");
    if (!check) return damaged("database", reason_of(check.error(), database_));
    int code = 0;
    int lines = 0;
    while ((code = check->step()) == SQLITE_ROW && lines < integrity_lines_max) {
      std::string line(check->blob(0));
      if (line == "ok") continue;
      std::replace(line.begin(), line.end(), '\n', ' ');
      damaged("database", std::move(line));
      ++lines;
    }
    if (code != SQLITE_DONE && code != SQLITE_ROW) damaged("database", sqlite_reason());
  }

  void check_snapshots() {
    Result<Statement> select = Statement::prepare(
        database_,
        "SELECT generation, stream, start_lsn, finished, crc FROM snapshot ORDER BY generation");
    if (!select) return damaged("snapshots", reason_of(select.error(), database_));
    int code = 0;
    while ((code = select->step()) == SQLITE_ROW) {
      SnapshotRow row;
      row.generation = static_cast<std::uint64_t>(select->integer(0));
      row.stream = static_cast<std::uint16_t>(select->integer(1));
      row.start_lsn = static_cast<Lsn>(select->integer(2));
      row.finished = select->integer(3) != 0;
      if (store_detail::checksum(row) != static_cast<std::uint32_t>(select->integer(4))) {
        damaged("snapshot " + std::to_string(row.generation),
                "checksum does not match; the state up to its start is lost, unless an earlier one "
                "is there",
                row.stream);
        continue;
      }
      report_.snapshots.push_back({row.generation, row.stream, row.start_lsn, row.finished, 0});
      report_.streams[row.stream];
      if (!row.finished) continue;
      latest_[row.stream] = row;
      compacted_ = std::max(compacted_, row.start_lsn);
    }
    if (code != SQLITE_DONE) damaged("snapshots", sqlite_reason());
    report_.last_lsn = compacted_;
  }

  JournalSnapshot* find_snapshot(std::uint64_t generation) {
    for (JournalSnapshot& snapshot : report_.snapshots) {
      if (snapshot.generation == generation) return &snapshot;
    }
    return nullptr;
  }

  void check_slices() {
    Result<Statement> select =
        Statement::prepare(database_, "SELECT id, generation, crc, entries FROM slice ORDER BY id");
    if (!select) return damaged("slices", reason_of(select.error(), database_));
    int code = 0;
    std::int64_t id = 0;
    while ((code = select->step()) == SQLITE_ROW) {
      id = select->integer(0);
      const auto generation = static_cast<std::uint64_t>(select->integer(1));
      const std::string where = "slice row " + std::to_string(id);
      const std::string_view entries = select->blob(3);
      JournalSnapshot* snapshot = find_snapshot(generation);
      const std::uint16_t stream = snapshot != nullptr ? snapshot->stream : std::uint16_t{0};
      if (store_detail::slice_checksum(generation, entries) !=
          static_cast<std::uint32_t>(select->integer(2))) {
        damaged(where,
                "checksum does not match; a part of snapshot " + std::to_string(generation) +
                    " is lost",
                stream);
        continue;
      }
      std::uint64_t count = 0;
      Result<void> whole =
          store_detail::for_each_entry(entries, stream, where, [&](std::uint32_t, RecordEntry) {
            ++count;
            return Result<void>();
          });
      if (!whole) damaged(where, whole.error().message.substr(where.size() + 2), stream);
      if (snapshot != nullptr) snapshot->entries += count;
    }
    if (code != SQLITE_DONE) damaged("slices behind row " + std::to_string(id), sqlite_reason());
  }

  void check_log() {
    Lsn last = 0;
    if (scan("SELECT first_lsn, last_lsn, commit_lsn, stream, epoch, crc, entries FROM log"
             " ORDER BY first_lsn",
             last)) {
      return;
    }
    damaged("log behind row " + std::to_string(last), sqlite_reason());
    Lsn lowest = 0;  // what is behind the damage may be reached from the end
    scan(
        "SELECT first_lsn, last_lsn, commit_lsn, stream, epoch, crc, entries FROM log"
        " ORDER BY first_lsn DESC",
        lowest);
  }

  /// False where SQLite gave up; `last` is the row before.
  bool scan(const char* sql, Lsn& last) {
    Result<Statement> select = Statement::prepare(database_, sql);
    if (!select) return false;
    LogRow row;
    int code = 0;
    while ((code = select->step()) == SQLITE_ROW) {
      row.first_lsn = static_cast<Lsn>(select->integer(0));
      row.last_lsn = static_cast<Lsn>(select->integer(1));
      row.commit_lsn = static_cast<Lsn>(select->integer(2));
      row.stream = static_cast<std::uint16_t>(select->integer(3));
      row.epoch = static_cast<Epoch>(select->integer(4));
      row.entries = select->blob(6);
      last = row.first_lsn;
      if (!rows_.insert(row.first_lsn).second) return true;  // met what was read from the front
      const bool sound =
          store_detail::checksum(row) == static_cast<std::uint32_t>(select->integer(5));
      check_row(row, sound);
    }
    return code == SQLITE_DONE;
  }

  void check_row(const LogRow& row, bool sound) {
    const std::string where = "log row " + std::to_string(row.first_lsn);
    if (!sound) {
      // Its numbers may be what is wrong, so they are taken only where they can be.
      const bool plausible =
          row.last_lsn >= row.first_lsn && row.last_lsn - row.first_lsn <= row.entries.size() + 1;
      lost_.emplace_back(row.first_lsn, plausible ? row.last_lsn : row.first_lsn);
      return damaged(where, "checksum does not match", row.stream, lost_.back().first,
                     lost_.back().second);
    }
    std::vector<Lsn> lsns;
    Result<void> whole = store_detail::for_each_entry(row.entries, row.stream, where,
                                                      [&](std::uint32_t offset, RecordEntry) {
                                                        lsns.push_back(row.first_lsn + offset);
                                                        return Result<void>();
                                                      });
    if (!whole || lsns.empty() || lsns.back() != row.last_lsn || lsns.front() != row.first_lsn) {
      lost_.emplace_back(row.first_lsn, row.last_lsn);
      return damaged(where,
                     whole ? "its entries are not those that it names"
                           : whole.error().message.substr(where.size() + 2),
                     row.stream, row.first_lsn, row.last_lsn);
    }
    JournalStream& stream = report_.streams[row.stream];
    const bool is_first = stream.rows == 0;
    ++stream.rows;
    stream.records += lsns.size();
    stream.bytes += row.entries.size();
    stream.first_lsn = is_first ? row.first_lsn : std::min(stream.first_lsn, row.first_lsn);
    stream.last_lsn = std::max(stream.last_lsn, row.last_lsn);
    stream.first_epoch = is_first ? row.epoch : std::min(stream.first_epoch, row.epoch);
    stream.last_epoch = std::max(stream.last_epoch, row.epoch);
    report_.last_lsn = std::max(report_.last_lsn, row.last_lsn);
    for (const Lsn lsn : lsns) {
      if (lsn > compacted_) seen_.push_back(lsn);
    }
  }

  /// Above the snapshots every number must be there; what stands there twice was written twice.
  void find_gaps() {
    std::sort(seen_.begin(), seen_.end());
    Lsn next = compacted_ + 1;
    for (const Lsn lsn : seen_) {
      if (lsn > next) gap(next, lsn - 1);
      if (lsn < next) damaged("log", "written twice", 0, lsn, lsn);
      next = lsn + 1;
    }
  }

  /// Less what was said of a damaged row.
  void gap(Lsn first, Lsn last) {
    for (const auto& [from, to] : lost_) {
      if (from <= first && to >= first) first = to + 1;
    }
    if (first <= last) damaged("log", "missing", 0, first, last);
  }

  void replay(const Journal::OnRecord& on_record) {
    Lsn at = 0;
    Result<void> done = store_detail::replay_begun(
        database_, [&](Lsn lsn, const RecordEntry& entry) -> Result<void> {
          at = lsn;
          Result<void> taken = on_record(lsn, entry);
          if (taken) ++report_.replayed;
          return taken;
        });
    if (!done)
      damaged("record " + std::to_string(at), reason_of(done.error(), database_), 0, at, at);
  }

  Database& database_;
  const std::string path_;
  JournalReport& report_;
  std::map<std::uint16_t, SnapshotRow> latest_;
  Lsn compacted_ = 0;
  std::set<Lsn> rows_;
  std::vector<Lsn> seen_;
  std::vector<std::pair<Lsn, Lsn>> lost_;
};

void note_wal(const store_detail::WalCheck& wal, JournalReport& report) {
  if (wal.header_damaged) {
    report.damage.push_back({"write-ahead log",
                             "its header is damaged: all commits since the last checkpoint, in " +
                                 std::to_string(wal.bytes) + " bytes, are lost",
                             0, report.last_lsn + 1, 0});
  }
  report.wal_commits_cut = wal.commits_cut;
}

}  // namespace

Result<JournalReport> check_journal(const std::string& path, const Journal::OnRecord& on_record) {
  Result<std::uint64_t> size = check_head(path);
  if (!size) return forward(std::move(size.error()));
  JournalReport report;
  report.file_bytes = *size;
  report.in_use = is_in_use(path);
  store_detail::WalCheck wal;
  Result<store_detail::WalCheck> checked = store_detail::check_wal(path + "-wal");
  if (!checked) return forward(std::move(checked.error()));
  report.wal_bytes = checked->bytes;
  if (!report.in_use) wal = *checked;  // else it is being written
  Result<Reader> reader = Reader::open(path, report.in_use, checked->bytes != 0);
  if (!reader) return forward(std::move(reader.error()));
  Result<void> begun = reader->database().execute("BEGIN", "begin reading");
  if (!begun)
    return fail(begun.error().code, path + ": " + reason_of(begun.error(), reader->database()));
  Result<void> done = Checker(reader->database(), path, report).run(on_record);
  if (!done) return forward(std::move(done.error()));
  note_wal(wal, report);
  return report;
}

}  // namespace librm
