// Journals damaged byte by byte: what is read is what was written, or the damage is said.
#include "librm/store/journal_check.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "librm/store/sqlite_journal.hpp"
#include "unit/store/journal_contract.hpp"

namespace librm {
namespace {

using test::Durable;
using test::entry;
using test::Replayed;
using test::replayed;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), std::ssize(bytes));
}

class JournalCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/librm-check-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    directory_ = name;
    path_ = directory_ + "/journal.db";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  SqliteJournalOptions options() const {
    SqliteJournalOptions options;
    options.path = path_;
    options.always_synced = true;
    return options;
  }

  /// One commit each, over two streams and two epochs.
  static void append(SqliteJournal& journal, Durable& durable, int commits) {
    for (int i = 0; i < commits; ++i) {
      journal.set_epoch(i < commits / 2 ? 1 : 2);
      const std::string text = "record " + std::to_string(i) + std::string(200, 'x');
      const Lsn lsn = journal.append({entry(1, text), entry(2, text)}, Sync::full).value();
      ASSERT_TRUE(durable.wait_for(lsn));
    }
  }

  void make_closed(int commits) {
    auto journal = SqliteJournal::open(options());
    ASSERT_TRUE(journal);
    Durable durable(**journal);
    append(**journal, durable, commits);
  }

  /// As a crash leaves it: what was committed is in the write-ahead log.
  void make_crashed(int commits) {
    auto journal = SqliteJournal::open(options());
    ASSERT_TRUE(journal);
    Durable durable(**journal);
    append(**journal, durable, commits);
    const std::string main = read_file(path_);
    const std::string log = read_file(path_ + "-wal");
    (*journal)->close();
    put(main, log);
  }

  void put(const std::string& main, const std::string& log) {
    for (const char* end : {"-wal", "-shm", ".lock"}) std::filesystem::remove(path_ + end);
    write_file(path_, main);
    if (!log.empty()) write_file(path_ + "-wal", log);
  }

  struct Checked {
    Result<JournalReport> report;
    Replayed replayed;
    bool flagged() const {
      return !report || !report->damage.empty() || report->wal_commits_cut != 0;
    }
  };
  Checked check() const {
    Replayed seen;
    Result<JournalReport> report =
        check_journal(path_, [&](Lsn lsn, const RecordEntry& record) -> Result<void> {
          seen.emplace_back(lsn, record.payload);
          return {};
        });
    return {std::move(report), std::move(seen)};
  }

  std::string directory_;
  std::string path_;
};

TEST_F(JournalCheckTest, ASoundJournalIsDescribedAndLeftAsItIs) {
  make_closed(10);
  const std::string before = read_file(path_);
  const Checked checked = check();
  ASSERT_TRUE(checked.report) << checked.report.error().message;
  EXPECT_TRUE(checked.report->damage.empty()) << checked.report->damage.front().why;
  EXPECT_FALSE(checked.report->in_use);
  EXPECT_EQ(checked.report->last_lsn, 20u);
  EXPECT_EQ(checked.report->replayed, 20u);
  ASSERT_EQ(checked.report->streams.size(), 2u);
  const JournalStream& stream = checked.report->streams.at(1);
  EXPECT_EQ(stream.records, 10u);
  EXPECT_EQ(stream.rows, 10u);
  EXPECT_EQ(stream.first_epoch, 1u);
  EXPECT_EQ(stream.last_epoch, 2u);
  EXPECT_EQ(read_file(path_), before);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(JournalCheckTest, OneInUseIsReadAsOfOneMoment) {
  auto journal = SqliteJournal::open(options());
  ASSERT_TRUE(journal);
  Durable durable(**journal);
  append(**journal, durable, 5);
  const Checked checked = check();
  ASSERT_TRUE(checked.report) << checked.report.error().message;
  EXPECT_TRUE(checked.report->in_use);
  EXPECT_FALSE(checked.flagged());
  EXPECT_EQ(checked.replayed.size(), 10u);
  append(**journal, durable, 5);
  EXPECT_EQ(check().replayed.size(), 20u);
}

TEST_F(JournalCheckTest, ACrashedOneIsReadWithItsLogAndNothingStaysBehind) {
  make_crashed(6);
  const std::string main = read_file(path_);
  const std::string log = read_file(path_ + "-wal");
  ASSERT_FALSE(log.empty());
  const Checked checked = check();
  ASSERT_TRUE(checked.report) << checked.report.error().message;
  EXPECT_FALSE(checked.flagged());
  EXPECT_EQ(checked.replayed.size(), 12u);
  EXPECT_EQ(read_file(path_), main);
  EXPECT_EQ(read_file(path_ + "-wal"), log);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-shm"));
}

TEST_F(JournalCheckTest, ARowThatIsDamagedIsNamedWithItsRecords) {
  make_closed(8);
  std::string bytes = read_file(path_);
  const std::size_t at = bytes.find("record 3xxx");
  ASSERT_NE(at, bytes.npos);
  bytes[at] ^= 1;
  write_file(path_, bytes);
  const Checked checked = check();
  ASSERT_TRUE(checked.report);
  ASSERT_EQ(checked.report->damage.size(), 1u);
  const JournalDamage& damage = checked.report->damage.front();
  EXPECT_TRUE(damage.where == "log row 7" || damage.where == "log row 8") << damage.where;
  EXPECT_EQ(damage.first_lsn, damage.last_lsn);
  EXPECT_EQ(damage.where, "log row " + std::to_string(damage.first_lsn));
  EXPECT_EQ(damage.why, "checksum does not match");
  EXPECT_TRUE(checked.replayed.empty());

  const auto opened = SqliteJournal::open(options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
  EXPECT_NE(opened.error().message.find("'rmctl journal check " + path_ + "'"), std::string::npos)
      << opened.error().message;
}

TEST_F(JournalCheckTest, RecordsThatAreMissingAreCounted) {
  make_closed(8);
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(handle, "DELETE FROM log WHERE first_lsn IN (5, 6, 7)", nullptr, nullptr,
                         nullptr),
            SQLITE_OK);
  sqlite3_close(handle);
  const Checked checked = check();
  ASSERT_TRUE(checked.report);
  ASSERT_EQ(checked.report->damage.size(), 1u);
  EXPECT_EQ(checked.report->damage.front(), (JournalDamage{"log", "missing", 0, 5, 7}));
}

TEST_F(JournalCheckTest, ARecordThatNobodyCanReadIsDamage) {
  make_closed(4);
  const auto report = check_journal(path_, [](Lsn lsn, const RecordEntry&) -> Result<void> {
    if (lsn < 5) return {};
    return fail(ErrorCode::unsupported, "number 99");
  });
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage.front(), (JournalDamage{"record 5", "number 99", 0, 5, 5}));
}

TEST_F(JournalCheckTest, WhatIsNoJournalIsRefusedWithAReason) {
  const auto refusal = [&](const std::string& bytes) {
    put(bytes, "");
    const Checked checked = check();
    EXPECT_FALSE(checked.report);
    return checked.report ? std::string() : checked.report.error().message;
  };
  EXPECT_EQ(refusal(""), path_ + ": the file is empty: it was never a journal, or was cut off");
  EXPECT_NE(refusal("not a database, but longer than its head").find("no database"),
            std::string::npos);
  std::filesystem::remove(path_);
  EXPECT_EQ(check().report.error().code, ErrorCode::not_found);
  sqlite3* handle = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
  sqlite3_exec(handle, "CREATE TABLE other(a)", nullptr, nullptr, nullptr);
  sqlite3_close(handle);
  EXPECT_EQ(check().report.error().message, path_ + ": a database, but not a journal");
  std::filesystem::remove(path_);
  make_closed(1);
  ASSERT_EQ(sqlite3_open(path_.c_str(), &handle), SQLITE_OK);
  sqlite3_exec(handle, "PRAGMA user_version=7", nullptr, nullptr, nullptr);
  sqlite3_close(handle);
  EXPECT_EQ(check().report.error().code, ErrorCode::unsupported);
  EXPECT_EQ(check().report.error().message, path_ + ": format 7, this program knows 1");
}

TEST_F(JournalCheckTest, NoByteIsWrongUnnoticed) {
  make_closed(30);
  const Replayed all = check().replayed;
  ASSERT_EQ(all.size(), 60u);
  const std::string sound = read_file(path_);
  std::size_t flagged = 0;
  std::size_t tried = 0;
  for (std::size_t at = 0; at < sound.size(); at += at < 120 ? 1 : 127) {
    std::string bytes = sound;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    put(bytes, "");
    ++tried;
    const Checked checked = check();
    if (checked.flagged()) {
      ++flagged;
    } else {
      ASSERT_EQ(checked.replayed, all) << "byte " << at;
    }
    put(bytes, "");
    auto opened = SqliteJournal::open(options());
    if (opened) {
      ASSERT_EQ(replayed(**opened), all) << "byte " << at;
    } else {
      ASSERT_NE(opened.error().message, "");
    }
  }
  EXPECT_GT(flagged, tried / 4) << tried;
}

TEST_F(JournalCheckTest, NoCutIsUnnoticed) {
  make_closed(30);
  const Replayed all = check().replayed;
  const std::string sound = read_file(path_);
  for (std::size_t size = 0; size < sound.size(); size += 509) {
    put(sound.substr(0, size), "");
    EXPECT_TRUE(check().flagged()) << "cut to " << size;
  }
  put(sound, "");
  EXPECT_EQ(check().replayed, all);
}

// A log that ends too early is what a crash leaves; only its last, torn commit may be missing.
TEST_F(JournalCheckTest, ATornLogLosesNoCommitBeforeTheTornOne) {
  make_crashed(12);
  const Replayed all = check().replayed;
  ASSERT_EQ(all.size(), 24u);
  const std::string main = read_file(path_);
  const std::string log = read_file(path_ + "-wal");
  std::size_t before = all.size();
  for (std::size_t size = log.size(); size > 0; size -= std::min<std::size_t>(size, 1021)) {
    put(main, log.substr(0, size));
    const Checked checked = check();
    if (!checked.report) break;  // the tables themselves are in the first commit
    EXPECT_EQ(checked.report->wal_commits_cut, 0u) << size;
    ASSERT_LE(checked.replayed.size(), before);
    ASSERT_GE(checked.replayed.size() + 2, before) << "more than one commit is gone at " << size;
    ASSERT_TRUE(std::equal(checked.replayed.begin(), checked.replayed.end(), all.begin()));
    before = checked.replayed.size();
  }
  EXPECT_LT(before, 6u);
}

TEST_F(JournalCheckTest, DamageInTheMiddleOfTheLogIsToldFromATornEnd) {
  make_crashed(12);
  const Replayed all = check().replayed;
  const std::string main = read_file(path_);
  const std::string log = read_file(path_ + "-wal");
  std::size_t refused = 0;
  for (std::size_t at = 0; at < log.size(); at += at < 100 ? 3 : 331) {
    std::string bytes = log;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    put(main, bytes);
    const Checked checked = check();
    // Whether the end is torn or damaged nobody can know; that is the last commit, or with its
    // mark of this log destroyed, the last two.
    ASSERT_TRUE(checked.flagged() || checked.replayed.size() + 4 >= all.size()) << "byte " << at;
    put(main, bytes);
    auto opened = SqliteJournal::open(options());
    if (opened) {
      ASSERT_GE(replayed(**opened).size() + 4, all.size()) << "byte " << at;
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 20u);
}

// Without a sync between them, a crash of the host may tear any of the last commits.
TEST_F(JournalCheckTest, AnAgentsJournalIsNotRefusedForWhatWasNeverSynchronized) {
  make_crashed(12);
  const std::string main = read_file(path_);
  std::string log = read_file(path_ + "-wal");
  log[log.size() / 2] = static_cast<char>(log[log.size() / 2] ^ 1);
  put(main, log);
  EXPECT_GT(check().report->wal_commits_cut, 0u);
  SqliteJournalOptions cached = options();
  cached.always_synced = false;
  EXPECT_TRUE(SqliteJournal::open(cached));
}

}  // namespace
}  // namespace librm
