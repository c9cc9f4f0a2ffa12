// The journal on PostgreSQL by itself: the contract, rows, snapshots, formats, corruption, names.
#include "librm/store/postgres_journal.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "librm/store/journal_copy.hpp"
#include "librm/store/sqlite_journal.hpp"
#include "store.hpp"

namespace librm::test {
namespace {

/// For the contract: opened and leading.
class PostgresStore {
 public:
  Journal& open() {
    PostgresJournalOptions options;
    options.url = PostgresServer::get()->url();
    options.cluster = cluster_;
    journal_ = PostgresJournal::open(options).value();
    journal_->lead().value();
    return *journal_;
  }
  void settle() {}
  void close() { journal_.reset(); }
  bool available() const { return PostgresServer::get() != nullptr; }

 private:
  std::string cluster_ = new_cluster();
  std::unique_ptr<PostgresJournal> journal_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, JournalContract, PostgresStore);

TEST_F(PostgresJournalTest, ABurstBecomesFewCommitsOfOneRowAStream) {
  auto journal = open_leader();
  Durable durable(*journal);
  constexpr Lsn count = 3000;
  for (Lsn i = 0; i < count; ++i) {
    ASSERT_TRUE(journal->append({entry(1, std::to_string(i))}, Sync::full));
  }
  ASSERT_TRUE(durable.wait_for(count));
  const std::uint64_t commits = journal->commits();
  EXPECT_LT(commits, count / 5);
  EXPECT_EQ(server().sql("SELECT count(*) FROM librm_log WHERE" + here()), std::to_string(commits));
  journal->close();
  EXPECT_EQ(replayed(*open()).size(), count);
}

TEST_F(PostgresJournalTest, SaysWhatTimeItIsThere) {
  auto journal = open_leader();
  const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                               std::chrono::system_clock::now().time_since_epoch())
                               .count();
  EXPECT_NEAR(static_cast<double>(journal->clock().value().ns), static_cast<double>(now), 5e9);
}

TEST_F(PostgresJournalTest, ClustersDoNotMeet) {
  auto one = open_leader();
  ASSERT_TRUE(one->append({entry(1, "one")}, Sync::full));
  PostgresJournalOptions other = options();
  other.cluster = cluster_ + "/other's";
  auto two = open_leader(other);
  EXPECT_EQ(two->epoch(), 1u);
  EXPECT_EQ(two->append({entry(1, "two")}, Sync::full).value(), 1u);
  two->close();
  one->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "one"}}));
  EXPECT_EQ(replayed(*open(other)), (Replayed{{1, "two"}}));
}

TEST_F(PostgresJournalTest, OnlyALeaderWrites) {
  auto journal = open();
  EXPECT_EQ(journal->append({entry(1, "a")}, Sync::full).error(),
            (Error{ErrorCode::failed_precondition, name() + ": does not lead"}));
  EXPECT_FALSE(journal->begin_snapshot(1));
  EXPECT_EQ(journal->lead().value(), 1u);
  EXPECT_EQ(journal->lead().error().message, name() + ": leads already, with epoch 1");
  EXPECT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  journal->close();
  EXPECT_EQ(journal->append({entry(1, "b")}, Sync::full).error().message, name() + ": closed");
  EXPECT_EQ(journal->leader().error().message, name() + ": closed");
}

TEST_F(PostgresJournalTest, ARestoredStateLeadsWithAnEpochThatIsNotTheNext) {
  auto restored = open();
  EXPECT_EQ(restored->lead(1'000'000).value(), 1'000'000u);
  EXPECT_TRUE(restored->append({entry(1, "a")}, Sync::full));
  restored->close();
  EXPECT_EQ(open()->lead(5).value(), 1'000'001u) << "one after the highest, whatever is asked for";
}

TEST_F(PostgresJournalTest, ACopyHasWhatAReplayHas) {
  auto leader = open_leader();
  ASSERT_TRUE(leader->append({entry(1, "one"), entry(2, "two")}, Sync::full));
  const std::uint64_t generation = leader->begin_snapshot(1).value();
  ASSERT_TRUE(leader->append_slice(generation, {entry(1, "slice")}));
  ASSERT_TRUE(leader->finish_snapshot(generation));
  ASSERT_TRUE(leader->append({entry(1, "three")}, Sync::full));
  leader->close();
  const std::string path =
      std::filesystem::temp_directory_path() / ("copy-" + std::to_string(::getpid()) + ".db");
  const std::atomic<bool> never{false};
  auto source = open();
  const Result<JournalCopy> copy = copy_journal(*source, path, never);
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(copy->last_lsn, source->last_lsn());
  EXPECT_EQ(copy->bytes, std::filesystem::file_size(path));
  EXPECT_FALSE(std::filesystem::exists(path + ".lock"));
  EXPECT_EQ(copy_journal(*source, path, never).error().code, ErrorCode::already_exists);
  SqliteJournalOptions reading;
  reading.path = path;
  auto expected = replayed(*open());
  auto found = replayed(*SqliteJournal::open(reading).value());
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].second, expected[i].second);
  for (const char* end : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + end);
}

TEST_F(PostgresJournalTest, WritesUnderTheEpochThatIsFencedAndNoOther) {
  auto journal = open_leader();
  journal->set_epoch(1);
  EXPECT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  journal->set_epoch(2);
  EXPECT_EQ(
      journal->append({entry(1, "b")}, Sync::full).error(),
      (Error{ErrorCode::failed_precondition, name() + ": epoch 2 is not the one that leads, 1"}));
}

TEST_F(PostgresJournalTest, TheLeaderIsNamedForRedirection) {
  auto standby = open(options("http://two"));
  EXPECT_EQ(standby->leader()->epoch, 0u);
  auto journal = open_leader();
  const JournalLeader leader = standby->leader().value();
  EXPECT_EQ(leader.epoch, 1u);
  EXPECT_EQ(leader.url, "http://one");
  EXPECT_GT(leader.since.ns, 1'700'000'000'000'000'000);
  journal->close();
  EXPECT_EQ(standby->lead().value(), 2u);
  EXPECT_EQ(standby->leader()->url, "http://two");
}

TEST_F(PostgresJournalTest, ASnapshotsRowsAreDeletedOnceItIsFinished) {
  auto journal = open_leader();
  Durable durable(*journal);
  for (int i = 1; i <= 600; ++i) {
    const Lsn lsn = journal->append({entry(1, "old")}, Sync::full).value();
    ASSERT_TRUE(i % 2 != 0 || durable.wait_for(lsn));  // makes many rows
  }
  ASSERT_TRUE(journal->append({entry(2, "other")}, Sync::full));
  for (const char* text : {"s1", "s2"}) {
    const std::uint64_t generation = journal->begin_snapshot(1).value();
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(journal->append_slice(generation, {entry(1, text)}));
    }
    ASSERT_TRUE(journal->finish_snapshot(generation));
  }
  EXPECT_TRUE(eventually([&] {
    return server().sql("SELECT count(*) FROM librm_log WHERE" + here()) == "1" &&
           server().sql("SELECT count(*) FROM librm_slice WHERE" + here()) == "3" &&
           server().sql("SELECT count(*) FROM librm_snapshot WHERE" + here()) == "1";
  }));
  EXPECT_EQ(replayed(*journal), (Replayed{{601, "s2"}, {601, "s2"}, {601, "s2"}, {601, "other"}}));
}

TEST_F(PostgresJournalTest, CorruptRowsAreNamed) {
  {
    auto journal = open_leader();
    Durable durable(*journal);
    ASSERT_TRUE(journal->append({entry(1, "first")}, Sync::full));
    ASSERT_TRUE(durable.wait_for(1));
    ASSERT_TRUE(journal->append({entry(1, "second")}, Sync::full));
    ASSERT_TRUE(durable.wait_for(2));
    const std::uint64_t generation = journal->begin_snapshot(2).value();
    ASSERT_TRUE(journal->append_slice(generation, {entry(2, "slice")}));
    ASSERT_TRUE(journal->finish_snapshot(generation));
  }
  const auto error = [&] {
    return open()->replay([](Lsn, const RecordEntry&) { return Result<void>(); }).error();
  };
  server().sql("UPDATE librm_slice SET entries=entries||'x' WHERE" + here());
  EXPECT_EQ(error(), (Error{ErrorCode::corrupt,
                            name() + ": slice 1 of snapshot 1: checksum does not match"}));
  server().sql("UPDATE librm_snapshot SET start_lsn=1 WHERE" + here());
  EXPECT_EQ(error().message, name() + ": snapshot 1: checksum does not match");
  server().sql("DELETE FROM librm_snapshot WHERE" + here());
  server().sql("UPDATE librm_log SET epoch=7 WHERE first_lsn=2 AND" + here());
  EXPECT_EQ(error(), (Error{ErrorCode::corrupt, name() + ": log row 2: checksum does not match"}));
  EXPECT_EQ(open()->tail(1, [](Lsn, const RecordEntry&) { return Result<void>(); }).error().message,
            name() + ": log row 2: checksum does not match");
}

TEST_F(PostgresJournalTest, AMissingRowIsNoticed) {
  for (int i = 0; i < 3; ++i) {
    open_leader()->append({entry(1, "x")}, Sync::full).value();
  }
  server().sql("DELETE FROM librm_log WHERE first_lsn=2 AND" + here());
  Result<void> result = open()->replay([](Lsn, const RecordEntry&) { return Result<void>(); });
  EXPECT_EQ(result.error(),
            (Error{ErrorCode::corrupt, name() + ": log: records after 0 up to 3: found only 2"}));
}

TEST_F(PostgresJournalTest, SeveralMayCreateTheTablesAtOnceAndLaterFormatsAreRefused) {
  server().sql("CREATE DATABASE fresh");
  PostgresJournalOptions fresh = options();
  fresh.url = server().url("fresh");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { EXPECT_NE(open(fresh), nullptr); });
  for (std::thread& thread : threads) thread.join();
  server().sql("UPDATE librm_format SET version=2", "fresh");
  const Error error = open_error(fresh);
  EXPECT_EQ(error.code, ErrorCode::unsupported);
  EXPECT_TRUE(error.message.ends_with(": format 2, this program knows 1")) << error.message;
}

TEST_F(PostgresJournalTest, OptionsAreChecked) {
  PostgresJournalOptions bad = options();
  bad.cluster = "";
  EXPECT_EQ(open_error(bad).code, ErrorCode::invalid_argument);
  bad = options();
  bad.self = std::string(1025, 'x');
  EXPECT_EQ(open_error(bad).code, ErrorCode::invalid_argument);
  for (const char* url :
       {"", "mysql://a", "host=/tmp", "postgresql://u:secret@host/d?nonsense=1"}) {
    bad = options();
    bad.url = url;
    const Error error = open_error(bad);
    EXPECT_EQ(error.code, ErrorCode::invalid_argument) << url;
    EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;
  }
}

TEST_F(PostgresJournalTest, NobodyThereAndNotAllowedAreDifferentErrorsWithoutThePassword) {
  PostgresJournalOptions absent = options();
  absent.url = "postgresql://someone:secret@127.0.0.1:" + std::to_string(free_ports(1)[0]) + "/x";
  const Error error = open_error(absent);
  EXPECT_EQ(error.code, ErrorCode::unavailable) << error.message;
  EXPECT_EQ(error.message.find("secret"), std::string::npos) << error.message;

  server().sql("CREATE ROLE reader LOGIN");
  open();  // the tables are there
  PostgresJournalOptions reader = options();
  reader.url = "postgresql://reader@127.0.0.1:" + std::to_string(server().port()) + "/postgres";
  EXPECT_EQ(open_error(reader).code, ErrorCode::permission_denied);
}

TEST_F(PostgresJournalTest, ABatchBeyondTheLimitAndAFullBacklogAreRefused) {
  PostgresJournalOptions small = options();
  small.batch_bytes_max = 1000;
  small.backlog_bytes_max = 2000;
  auto journal = open_leader(small);
  EXPECT_EQ(journal->append({entry(1, std::string(1001, 'x'))}, Sync::full).error(),
            (Error{ErrorCode::invalid_argument, name() + ": batch of 1001 bytes, at most 1000"}));
  std::optional<Error> refused;
  Lsn taken = 0;
  for (int i = 0; i < 100'000 && !refused; ++i) {
    Result<Lsn> lsn = journal->append({entry(1, std::string(900, 'x'))}, Sync::full);
    if (lsn) taken = *lsn;
    if (!lsn) refused = lsn.error();
  }
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code, ErrorCode::resource_exhausted);
  journal->close();
  EXPECT_EQ(open()->last_lsn(), taken);
}

TEST_F(PostgresJournalTest, ARefusedCommitIsReportedOnceAndEndsTheJournal) {
  server().sql("CREATE DATABASE broken");
  PostgresJournalOptions broken = options();
  broken.url = server().url("broken");
  auto journal = open_leader(broken);
  Durable durable(*journal);
  server().sql("DROP TABLE librm_log", "broken");
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  ASSERT_EQ(durable.wait_for_error().value().code, ErrorCode::io_error);
  EXPECT_EQ(journal->append({entry(1, "b")}, Sync::full).error().code, ErrorCode::io_error);
  journal->close();
  EXPECT_EQ(durable.errors(), 1u);
}

TEST_F(PostgresJournalTest, AServerThatCommitsAsynchronouslyIsToldNotTo) {
  server().sql("CREATE ROLE hasty LOGIN SUPERUSER");
  server().sql("ALTER ROLE hasty SET synchronous_commit=off");
  PostgresJournalOptions hasty = options();
  hasty.url = "postgresql://hasty@127.0.0.1:" + std::to_string(server().port()) + "/postgres";
  server().sql(
      "CREATE TABLE IF NOT EXISTS seen(setting text);"
      "CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
      " INSERT INTO seen VALUES(current_setting('synchronous_commit')); RETURN NEW; END $$;"
      "CREATE OR REPLACE TRIGGER see BEFORE INSERT ON librm_log FOR EACH ROW"
      " WHEN (NEW.cluster='" +
      cluster_ + "') EXECUTE FUNCTION see()");
  auto journal = open_leader(hasty);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::cached));
  journal->close();
  EXPECT_EQ(server().sql("SELECT setting FROM seen"), "on");
  server().sql("DROP TRIGGER see ON librm_log");
}

}  // namespace
}  // namespace librm::test
