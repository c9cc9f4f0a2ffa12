// A copy, the records that make it safe to lead with, and a rename as the last step.
#include "journal/restore.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "batch/edge/record_codec.hpp"
#include "batch/restore.hpp"
#include "common/files.hpp"
#include "librm/runtime/clock.hpp"
#include "librm/store/journal_check.hpp"
#include "librm/store/journal_copy.hpp"
#include "librm/store/postgres_journal.hpp"
#include "librm/store/sqlite_journal.hpp"
#include "librm/wire/record.hpp"

namespace librm::journal {
namespace {

/// More starts than there are of one master in its life.
constexpr std::uint64_t epochs_skipped = 1 << 20;
constexpr std::int64_t year_2026_s = 1'767'225'600;
/// More agents and frameworks than there are between two backups.
constexpr std::uint64_t ids_skipped = 1'000'000;

tl::unexpected<Error> forward(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// Keeps masters out while the directory is changed.
class Lock {
 public:
  static Result<Lock> take(const std::string& work_dir) {
    const std::string path = work_dir + "/master.db.lock";
    Lock lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.fd_ < 0) return fail(ErrorCode::io_error, path + ": " + std::strerror(errno));
    if (::flock(lock.fd_, LOCK_EX | LOCK_NB) != 0) {
      return fail(ErrorCode::failed_precondition,
                  work_dir + ": a master runs there; stop it first");
    }
    return lock;
  }
  Lock(Lock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Lock& operator=(Lock&&) = delete;
  ~Lock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit Lock(int fd) : fd_(fd) {}
  int fd_;
};

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<void> sync_path(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = fd >= 0 && ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (!done) return fail(ErrorCode::io_error, path + ": " + std::strerror(reason));
  return {};
}

Result<void> rename_path(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return fail(ErrorCode::io_error, from + " to " + to + ": " + std::strerror(errno));
}

/// Replays it, and refuses what is damaged or no master's.
Result<void> load(const std::string& path, State& state,
                  std::vector<RecordEntry>* entries = nullptr) {
  Result<JournalReport> report =
      check_journal(path, [&](Lsn lsn, const RecordEntry& entry) -> Result<void> {
        if (entries != nullptr) entries->push_back(entry);
        return state.apply(lsn, entry);
      });
  if (!report) return forward(std::move(report.error()));
  if (!report->damage.empty() || report->wal_commits_cut != 0) {
    return fail(ErrorCode::corrupt,
                path + ": it is damaged; 'rmctl journal check " + path + "' says where");
  }
  if (!state.is_master()) return fail(ErrorCode::invalid_argument, path + ": not a master's state");
  return {};
}

std::vector<RecordEntry> records_for(State& state, Epoch epoch, bool hold,
                                     batch::RestorePlan& plan) {
  std::vector<RecordEntry> entries;
  entries.push_back(encode_record(MasterRecord(EpochRecord{epoch})));
  // Ids between the backup's last and these may have been given: they are not given again.
  const MasterCore& master = state.cluster().master();
  const std::uint64_t agent = master.agents().empty() ? 0 : master.agents().rbegin()->first.value;
  AgentRecord last_agent;
  last_agent.agent = AgentId{agent + ids_skipped};
  last_agent.status = AgentStatus::gone;
  last_agent.hostname = "restored";
  entries.push_back(encode_record(MasterRecord(last_agent)));
  const std::uint64_t framework =
      master.frameworks().empty() ? 0 : master.frameworks().rbegin()->first.value;
  FrameworkRecord last_framework;
  last_framework.framework = FrameworkId{framework + ids_skipped};
  last_framework.status = FrameworkStatus::completed;
  last_framework.info.name = "restored";
  entries.push_back(encode_record(MasterRecord(last_framework)));
  plan = batch::plan_restore(state.cluster().batch(), {epoch, hold});
  for (const batch::BatchRecord& record : plan.records) {
    entries.push_back(batch::encode_batch_record(record));
  }
  return entries;
}

Result<void> append(const std::string& path, Epoch epoch, std::vector<RecordEntry> entries) {
  SqliteJournalOptions options;
  options.path = path;
  options.always_synced = true;
  options.backlog_bytes_max = std::numeric_limits<std::size_t>::max();
  Result<std::unique_ptr<SqliteJournal>> journal = SqliteJournal::open(options);
  if (!journal) return forward(std::move(journal.error()));
  (*journal)->set_epoch(epoch);
  DurableWriter writer(**journal);
  const Result<void> done = writer.append(std::move(entries));
  (*journal)->close();  // into the one file
  return done;
}

/// Sets aside what is there; returns where it is now.
Result<std::string> set_aside(const std::string& work_dir, Epoch epoch) {
  const std::string path = work_dir + "/master.db";
  if (!exists(path)) return std::string();
  const std::string aside = path + ".before-" + std::to_string(epoch);
  Result<void> moved = rename_path(path, aside);
  if (moved && exists(path + "-wal")) moved = rename_path(path + "-wal", aside + "-wal");
  ::unlink((path + "-shm").c_str());
  if (!moved) return forward(std::move(moved.error()));
  return aside;
}

}  // namespace

Result<Epoch> restored_epoch(Epoch backup, Epoch replaced, Epoch least, WallTime now) {
  const std::int64_t seconds_now = now.ns / 1'000'000'000 - year_2026_s;
  // The time tells two restores of one backup apart.
  const std::uint64_t by_time = seconds_now > 0 ? static_cast<std::uint64_t>(seconds_now) : 0;
  const std::uint64_t known = std::max({backup, replaced, least});
  const std::uint64_t epoch = std::max(known + epochs_skipped, by_time);
  if (epoch >= std::numeric_limits<Epoch>::max() - epochs_skipped) {
    return fail(ErrorCode::resource_exhausted,
                "epoch " + std::to_string(epoch) + ": there are no higher ones left");
  }
  return static_cast<Epoch>(epoch);
}

namespace {

/// All of it in one commit, so that half a restored state is none.
Result<Json> restore_shared(const RestoreRequest& request, State& state,
                            std::vector<RecordEntry> entries) {
  PostgresJournalOptions options;
  options.url = request.state;
  options.cluster = request.cluster;
  options.self = "rmctl restore";
  options.backlog_bytes_max = std::numeric_limits<std::size_t>::max();
  auto opened = PostgresJournal::open(std::move(options));
  if (!opened) return forward(std::move(opened.error()));
  PostgresJournal& journal = **opened;
  const Result<JournalLeader> before = journal.leader();
  if (!before) return forward(before.error());
  if (before->epoch != 0) {
    return fail(ErrorCode::already_exists,
                "cluster '" + request.cluster + "' has a state there already, of epoch " +
                    std::to_string(before->epoch) + "; restore under another --cluster-name");
  }
  Result<Epoch> epoch =
      restored_epoch(state.cluster().master().epoch(), 0, request.epoch, read_clocks().wall);
  if (!epoch) return forward(std::move(epoch.error()));
  epoch = journal.lead(*epoch);
  if (!epoch) return forward(std::move(epoch.error()));
  batch::RestorePlan plan;
  for (RecordEntry& entry : records_for(state, *epoch, request.hold, plan)) {
    entries.push_back(std::move(entry));
  }
  DurableWriter writer(journal);
  if (auto done = writer.append(std::move(entries)); !done) return forward(done.error());
  const Lsn last_lsn = journal.last_lsn();
  journal.close();
  return Json{{"cluster", request.cluster}, {"lsn", last_lsn},     {"epoch", *epoch},
              {"holds", state.summary()},   {"held", plan.held},   {"paused", plan.paused},
              {"next_job", plan.next_job},  {"set_aside", nullptr}};
}

}  // namespace

Result<Json> restore(const RestoreRequest& request) {
  State state;
  std::vector<RecordEntry> entries;
  Result<void> done = load(request.backup, state, request.work_dir.empty() ? &entries : nullptr);
  if (!done) return forward(std::move(done.error()));
  if (request.work_dir.empty()) return restore_shared(request, state, std::move(entries));
  const std::string work_dir = daemon::absolute_path(request.work_dir);
  const std::string path = work_dir + "/master.db";
  done = daemon::make_directories(work_dir, 0700);
  if (!done) return forward(std::move(done.error()));
  const Result<Lock> lock = Lock::take(work_dir);
  if (!lock) return forward(lock.error());
  if (exists(path) && !request.force) {
    return fail(ErrorCode::already_exists, path +
                                               ": there is a state already; --force sets it "
                                               "aside");
  }
  Epoch replaced = 0;
  if (exists(path)) {
    State present;  // as far as it can be read
    if (load(path, present)) replaced = present.cluster().master().epoch();
  }
  Result<Epoch> epoch =
      restored_epoch(state.cluster().master().epoch(), replaced, request.epoch, read_clocks().wall);
  if (!epoch) return forward(std::move(epoch.error()));
  const std::string making = path + ".restoring";
  for (const char* end : {"", "-wal", "-shm"}) ::unlink((making + end).c_str());
  const std::atomic<bool> never{false};
  Result<JournalCopy> copied = copy_journal(request.backup, making, never);
  if (!copied) return forward(std::move(copied.error()));
  batch::RestorePlan plan;
  done = append(making, *epoch, records_for(state, *epoch, request.hold, plan));
  ::unlink((making + ".lock").c_str());
  if (done) done = sync_path(making);
  if (!done) return forward(std::move(done.error()));
  Result<std::string> aside = set_aside(work_dir, *epoch);
  if (!aside) return forward(std::move(aside.error()));
  done = rename_path(making, path);
  if (done) done = sync_path(work_dir);
  if (!done) return forward(std::move(done.error()));
  return Json{{"work_dir", work_dir},      {"lsn", copied->last_lsn},
              {"epoch", *epoch},           {"holds", state.summary()},
              {"held", plan.held},         {"paused", plan.paused},
              {"next_job", plan.next_job}, {"set_aside", aside->empty() ? Json() : Json(*aside)}};
}

}  // namespace librm::journal
