// The journal on disk: groups, order, snapshots, kill -9, corruption, and who may open it.
#include "librm/store/sqlite_journal.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "unit/store/journal_contract.hpp"

namespace librm {
namespace {

using test::Durable;
using test::entry;
using test::Replayed;
using test::replayed;

class SqliteJournalTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/librm-journal-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<SqliteJournal> open(SqliteJournalOptions options = {}) {
    options.path = path_;
    Result<std::unique_ptr<SqliteJournal>> journal = SqliteJournal::open(std::move(options));
    EXPECT_TRUE(journal.has_value()) << journal.error().message;
    return journal ? std::move(*journal) : nullptr;
  }

  Error open_error() {
    Result<std::unique_ptr<SqliteJournal>> journal = SqliteJournal::open({path_});
    EXPECT_FALSE(journal.has_value());
    return journal ? Error{} : journal.error();
  }

  /// Runs SQL on the closed or open file, as an operator would; the first column of the last row.
  std::int64_t sql(const std::string& text) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
    std::int64_t value = -1;
    const auto take = [](void* target, int columns, char** values, char**) {
      if (columns > 0 && values[0] != nullptr) {
        *static_cast<std::int64_t*>(target) = std::atoll(values[0]);
      }
      return 0;
    };
    EXPECT_EQ(sqlite3_exec(handle, text.c_str(), take, &value, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
    return value;
  }

  /// Waits for what the journal does in the background, to a deadline.
  bool eventually(const std::string& query, std::int64_t wanted) {
    for (int i = 0; i < 2000; ++i) {
      if (sql(query) == wanted) return true;
      usleep(5000);
    }
    return false;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(SqliteJournalTest, ABurstBecomesFewCommits) {
  auto journal = open();
  Durable durable;
  durable.watch(*journal);
  constexpr Lsn count = 5000;
  for (Lsn i = 0; i < count; ++i) {
    ASSERT_TRUE(journal->append({entry(1, std::to_string(i))}, Sync::full));
  }
  ASSERT_TRUE(durable.wait_for(count));
  const std::uint64_t commits = journal->commits();
  journal->close();
  EXPECT_EQ(sql("SELECT count(*) FROM log"), static_cast<std::int64_t>(commits));
  EXPECT_LT(commits, count / 5);
  EXPECT_EQ(replayed(*open()).size(), count);
}

TEST_F(SqliteJournalTest, ACommitHasOneRowPerStream) {
  auto journal = open();
  std::vector<RecordEntry> batch;
  for (int i = 0; i < 100; ++i) batch.push_back(entry(i % 2 == 0 ? 1 : 2, std::to_string(i)));
  ASSERT_TRUE(journal->append(std::move(batch), Sync::full));
  journal->close();
  EXPECT_EQ(sql("SELECT count(*) FROM log"), 2);
  const Replayed all = replayed(*open());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(all[i], (std::pair<Lsn, std::string>(i + 1, std::to_string(i))));
  }
}

TEST_F(SqliteJournalTest, EpochIsKeptWithWhatItsLeaderWrote) {
  auto journal = open();
  journal->set_epoch(4);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  journal->set_epoch(5);
  ASSERT_TRUE(journal->append({entry(1, "b")}, Sync::full));
  journal->close();
  EXPECT_EQ(sql("SELECT group_concat(epoch, '') FROM (SELECT epoch FROM log ORDER BY first_lsn)"),
            45);
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a"}, {2, "b"}}));
}

TEST_F(SqliteJournalTest, CachedRecordsAreReportedAndKept) {
  {
    auto journal = open();
    Durable durable;
    durable.watch(*journal);
    const Lsn lsn = journal->append({entry(3, "ledger")}, Sync::cached).value();
    EXPECT_TRUE(durable.wait_for(lsn));
    EXPECT_TRUE(durable.wait_for(journal->append({entry(3, "identity")}, Sync::full).value()));
  }
  EXPECT_EQ(replayed(*open()).size(), 2u);
}

TEST_F(SqliteJournalTest, WhatWasReportedDurableSurvivesKillMinus9) {
  for (int round = 0; round < 3; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      ::close(pipe_ends[0]);
      Result<std::unique_ptr<SqliteJournal>> journal = SqliteJournal::open({path_});
      if (!journal) _exit(3);
      (*journal)->on_durable([&](Result<Lsn> lsn) {
        if (!lsn || write(pipe_ends[1], &*lsn, sizeof *lsn) != sizeof *lsn) _exit(4);
      });
      for (;;) {
        const std::string text = std::to_string((*journal)->last_lsn() + 1);
        if (!(*journal)->append({entry(1, text), entry(2, text)}, Sync::full)) _exit(5);
        usleep(20);
      }
    }
    ::close(pipe_ends[1]);
    Lsn durable = 0;
    for (int i = 0; i < 200; ++i) ASSERT_EQ(read(pipe_ends[0], &durable, 8), 8);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    while (read(pipe_ends[0], &durable, 8) == 8) {
    }
    ::close(pipe_ends[0]);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);

    auto journal = open();
    ASSERT_NE(journal, nullptr);
    EXPECT_GE(journal->last_lsn(), durable);
    EXPECT_EQ(journal->last_lsn() % 2, 0u) << "a batch is there as a whole or not at all";
    Lsn expected = 0;
    for (const auto& [lsn, payload] : replayed(*journal)) {
      ASSERT_EQ(lsn, ++expected);
      ASSERT_EQ(payload, std::to_string(lsn % 2 == 1 ? lsn : lsn - 1));
    }
    EXPECT_EQ(expected, journal->last_lsn());
  }
}

TEST_F(SqliteJournalTest, SnapshotAndTailReplaceTheRecordsBeforeIt) {
  {
    auto journal = open();
    Durable durable;
    durable.watch(*journal);
    for (int i = 1; i <= 1000; ++i) {
      const Lsn lsn = journal->append({entry(1, "old")}, Sync::full).value();
      ASSERT_TRUE(i % 2 != 0 || durable.wait_for(lsn));  // makes many rows
    }
    const std::uint64_t generation = journal->begin_snapshot(1).value();
    ASSERT_TRUE(journal->append_slice(generation, {entry(1, "s1"), entry(1, "s2")}));
    ASSERT_TRUE(journal->append({entry(1, "tail")}, Sync::full));
    ASSERT_TRUE(journal->append_slice(generation, {entry(1, "s3")}));
    ASSERT_TRUE(journal->finish_snapshot(generation));
    EXPECT_TRUE(eventually("SELECT count(*) FROM log", 1));
  }
  auto journal = open();
  EXPECT_EQ(replayed(*journal),
            (Replayed{{1000, "s1"}, {1000, "s2"}, {1000, "s3"}, {1001, "tail"}}));
  EXPECT_EQ(journal->last_lsn(), 1001u);
  const std::uint64_t generation = journal->begin_snapshot(1).value();
  ASSERT_TRUE(journal->append_slice(generation, {entry(1, "s4")}));
  ASSERT_TRUE(journal->finish_snapshot(generation));
  EXPECT_TRUE(eventually("SELECT count(*) FROM slice", 1));
  EXPECT_TRUE(eventually("SELECT count(*) FROM snapshot", 1));
  EXPECT_EQ(replayed(*journal), (Replayed{{1001, "s4"}}));
  journal.reset();
  EXPECT_EQ(open()->last_lsn(), 1001u) << "LSNs go on even if no row is left";
}

TEST_F(SqliteJournalTest, StreamsAreCompactedIndependently) {
  auto journal = open();
  ASSERT_TRUE(journal->append({entry(1, "m1"), entry(2, "b1")}, Sync::full));
  const std::uint64_t generation = journal->begin_snapshot(2).value();
  ASSERT_TRUE(journal->append_slice(generation, {entry(2, "b1'")}));
  ASSERT_TRUE(journal->finish_snapshot(generation));
  ASSERT_TRUE(journal->append({entry(2, "b2"), entry(1, "m2")}, Sync::full));
  EXPECT_TRUE(eventually("SELECT count(*) FROM log WHERE stream=2", 1));
  journal.reset();
  journal = open();
  EXPECT_EQ(replayed(*journal), (Replayed{{2, "b1'"}, {1, "m1"}, {3, "b2"}, {4, "m2"}}));
}

TEST_F(SqliteJournalTest, SecondOpenerIsRefused) {
  auto journal = open();
  const Error error = open_error();
  EXPECT_EQ(error.code, ErrorCode::already_exists);
  EXPECT_EQ(error.message, "journal " + path_ + ": in use: another process has it open");
  journal.reset();
  EXPECT_NE(open(), nullptr);
}

TEST_F(SqliteJournalTest, FilesAreForTheirOwnerOnly) {
  const mode_t before = umask(0);
  auto journal = open();
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  for (const auto& file : std::filesystem::directory_iterator(directory_)) {
    struct stat status {};
    ASSERT_EQ(stat(file.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << file.path();
  }
  umask(before);
}

TEST_F(SqliteJournalTest, CorruptRowIsNamed) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append({entry(1, "first")}, Sync::full));
    journal->close();
    journal = open();
    ASSERT_TRUE(journal->append({entry(1, "second")}, Sync::full));
  }
  sql("UPDATE log SET entries=replace(entries, 'second', 'sEcond') WHERE first_lsn=2");
  const Error error = open_error();
  EXPECT_EQ(error.code, ErrorCode::corrupt);
  EXPECT_THAT(error.message,
              testing::StartsWith("journal " + path_ + ": log row 2: checksum does not match"));
}

TEST_F(SqliteJournalTest, MissingRowIsNoticed) {
  for (int i = 0; i < 3; ++i) open()->append({entry(1, "x")}, Sync::full).value();
  sql("DELETE FROM log WHERE first_lsn=2");
  EXPECT_THAT(
      open_error().message,
      testing::StartsWith("journal " + path_ + ": log: records after 0 up to 3: found only 2"));
}

TEST_F(SqliteJournalTest, TornFileIsNoticed) {
  {
    auto journal = open();
    ASSERT_TRUE(journal->append({entry(1, std::string(200'000, 'x'))}, Sync::full));
  }
  ASSERT_EQ(truncate(path_.c_str(), 100'000), 0);
  EXPECT_EQ(open_error().code, ErrorCode::corrupt);
  ASSERT_EQ(truncate(path_.c_str(), 700), 0);
  EXPECT_EQ(open_error().code, ErrorCode::corrupt);
}

TEST_F(SqliteJournalTest, OtherFilesAndLaterFormatsAreRefused) {
  sql("CREATE TABLE recipes(name TEXT)");
  EXPECT_EQ(open_error().code, ErrorCode::unsupported);
  std::filesystem::remove(path_);
  open();
  sql("PRAGMA user_version=2");
  EXPECT_EQ(open_error().message, "journal " + path_ + ": format 2, this program knows 1");
}

TEST_F(SqliteJournalTest, MissingDirectoryIsAnErrorWithItsReason) {
  path_ = directory_ + "/absent/journal.db";
  EXPECT_EQ(open_error().code, ErrorCode::io_error);
}

TEST_F(SqliteJournalTest, FailedCommitIsReportedOnceAndEndsTheJournal) {
  auto journal = open();
  std::mutex mutex;
  std::condition_variable changed;
  int errors = 0;
  journal->on_durable([&](Result<Lsn> lsn) {
    std::lock_guard lock(mutex);
    errors += lsn.has_value() ? 0 : 1;
    changed.notify_all();
  });
  sql("DROP TABLE log");
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return errors > 0; }));
  }
  EXPECT_EQ(journal->append({entry(1, "b")}, Sync::full).error().code, ErrorCode::io_error);
  EXPECT_FALSE(journal->begin_snapshot(1));
  journal->close();
  EXPECT_EQ(errors, 1);
}

TEST_F(SqliteJournalTest, FullBacklogRefuses) {
  SqliteJournalOptions options;
  options.backlog_bytes_max = 1 << 20;
  auto journal = open(std::move(options));
  std::optional<Error> refused;
  Lsn taken = 0;
  for (int i = 0; i < 100'000 && !refused; ++i) {
    Result<Lsn> lsn = journal->append({entry(1, std::string(300'000, 'x'))}, Sync::full);
    if (lsn) taken = *lsn;
    if (!lsn) refused = lsn.error();
  }
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, ErrorCode::resource_exhausted);
  EXPECT_EQ(journal->last_lsn(), taken);
  journal->close();
  EXPECT_EQ(open()->last_lsn(), taken);
}

TEST_F(SqliteJournalTest, ClosedJournalRefuses) {
  auto journal = open();
  journal->close();
  EXPECT_EQ(journal->append({entry(1, "a")}, Sync::full).error().code,
            ErrorCode::failed_precondition);
}

}  // namespace
}  // namespace librm
