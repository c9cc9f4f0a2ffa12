// Several masters on one journal: fences, lost answers, outages, standbys.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <set>

#include "store.hpp"
#include "support/tcp_proxy.hpp"

namespace librm::test {
namespace {

class PostgresFailover : public PostgresJournalTest {
 protected:
  PostgresJournalOptions through(const TcpProxy& proxy) {
    PostgresJournalOptions chosen = options();
    chosen.url = server().url("postgres", proxy.port());
    return chosen;
  }
};

/// A transaction of somebody else, open as long as the object.
class OpenTransaction {
 public:
  OpenTransaction(const PostgresServer& server, const std::string& sql)
      : connection_(PQconnectdb(server.url().c_str())) {
    PQclear(PQexec(connection_, "BEGIN"));
    PGresult* result = PQexec(connection_, sql.c_str());
    EXPECT_EQ(PQresultStatus(result), PGRES_TUPLES_OK) << PQerrorMessage(connection_);
    PQclear(result);
  }
  ~OpenTransaction() {
    PQclear(PQexec(connection_, "COMMIT"));
    PQfinish(connection_);
  }

 private:
  PGconn* connection_;
};

/// Collects what follow() says.
class Follower {
 public:
  PostgresJournal::OnTail callback() {
    return [this](Result<JournalTail> tail) {
      std::lock_guard lock(mutex_);
      if (!tail) {
        errors_.push_back(tail.error());
        return;
      }
      for (const JournalTail::Record& record : tail->records) {
        records_.emplace_back(record.lsn, record.entry.payload);
      }
      last_lsn_ = tail->last_lsn;
      leader_ = tail->leader;
    };
  }
  Replayed records() {
    std::lock_guard lock(mutex_);
    return records_;
  }
  Lsn last_lsn() {
    std::lock_guard lock(mutex_);
    return last_lsn_;
  }
  JournalLeader leader() {
    std::lock_guard lock(mutex_);
    return leader_;
  }
  std::vector<Error> errors() {
    std::lock_guard lock(mutex_);
    return errors_;
  }

 private:
  std::mutex mutex_;
  Replayed records_;
  Lsn last_lsn_ = 0;
  JournalLeader leader_;
  std::vector<Error> errors_;
};

// --- fences ---

TEST_F(PostgresFailover, ADeposedLeadersCommitFailsNamingBothEpochs) {
  auto one = open_leader(options("http://one"));
  Durable durable(*one);
  ASSERT_TRUE(one->append({entry(1, "a")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(1));
  auto two = open_leader(options("http://two"));
  EXPECT_EQ(two->epoch(), 2u);
  EXPECT_EQ(two->last_lsn(), 1u);
  ASSERT_TRUE(one->append({entry(1, "late")}, Sync::full)) << "it does not know yet";
  const Error error = durable.wait_for_error().value();
  EXPECT_EQ(error.code, ErrorCode::failed_precondition);
  EXPECT_TRUE(error.message.starts_with(name() + ": epoch 1 is over: epoch 2 leads since "))
      << error.message;
  EXPECT_TRUE(error.message.ends_with(", taken by http://two")) << error.message;
  EXPECT_EQ(one->append({entry(1, "later")}, Sync::full).error(), error);
  EXPECT_EQ(two->append({entry(1, "b")}, Sync::full).value(), 2u);
  one->close();
  two->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a"}, {2, "b"}}));
}

TEST_F(PostgresFailover, ADeposedLeadersSnapshotAndCompactionAreRefused) {
  auto one = open_leader();
  Durable durable(*one);
  ASSERT_TRUE(one->append({entry(1, "a")}, Sync::full));
  const std::uint64_t generation = one->begin_snapshot(1).value();
  ASSERT_TRUE(one->append_slice(generation, {entry(1, "a'")}));
  ASSERT_TRUE(durable.wait_for(1));
  auto two = open_leader();
  ASSERT_TRUE(one->finish_snapshot(generation));
  EXPECT_EQ(durable.wait_for_error().value().code, ErrorCode::failed_precondition);
  EXPECT_EQ(replayed(*two), (Replayed{{1, "a"}}));
  EXPECT_EQ(server().sql("SELECT count(*) FROM librm_slice WHERE" + here()), "0");
}

TEST_F(PostgresFailover, ANewLeaderWaitsOutACommitInFlight) {
  auto one = open_leader();
  auto two = open();
  std::future<Result<Epoch>> led;
  {
    OpenTransaction commit(server(),
                           "SELECT epoch FROM librm_cluster WHERE" + here() + " FOR SHARE");
    led = std::async(std::launch::async, [&] { return two->lead(); });
    ASSERT_TRUE(eventually([&] {
      return server().sql(
                 "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type='Lock'"
                 " AND query LIKE 'UPDATE librm_cluster%'") == "1";
    }));
    EXPECT_EQ(led.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
  }
  EXPECT_EQ(led.get().value(), 2u);
}

TEST_F(PostgresFailover, ALeadThatWaitsTooLongFailsAndMayBeTriedAgain) {
  auto one = open_leader();
  PostgresJournalOptions hurried = options();
  hurried.outage_max = milliseconds(300);
  auto two = open(hurried);
  {
    OpenTransaction commit(server(),
                           "SELECT epoch FROM librm_cluster WHERE" + here() + " FOR SHARE");
    EXPECT_EQ(two->lead().error().code, ErrorCode::deadline_exceeded);
  }
  EXPECT_EQ(two->lead().value(), 2u);
}

TEST_F(PostgresFailover, OfManyThatTakeTheLeadEachHasAnEpochOfItsOwnAndTheLastWrites) {
  constexpr std::size_t count = 6;
  std::vector<std::unique_ptr<PostgresJournal>> journals;
  for (std::size_t i = 0; i < count; ++i) journals.push_back(open());
  std::vector<std::thread> threads;
  std::atomic<int> stale = 0;
  for (auto& journal : journals) {
    threads.emplace_back([&] {
      for (Result<Epoch> led = journal->lead(); !led; led = journal->lead()) {
        EXPECT_EQ(led.error().code, ErrorCode::stale) << led.error().message;
        ++stale;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<Epoch> epochs;
  int durable_count = 0;
  for (auto& journal : journals) {
    epochs.insert(journal->epoch());
    Durable durable(*journal);
    const Lsn lsn =
        journal->append({entry(1, std::to_string(journal->epoch()))}, Sync::full).value();
    durable_count += durable.wait_for(lsn) ? 1 : 0;
    journal->close();
  }
  EXPECT_EQ(epochs.size(), count);
  EXPECT_EQ(durable_count, 1);
  EXPECT_EQ(replayed(*open()), (Replayed{{1, std::to_string(*epochs.rbegin())}}));
}

// --- lost connections ---

TEST_F(PostgresFailover, ACommitWhoseAnswerWasLostIsFoundAndNotRepeated) {
  TcpProxy proxy(server().port());
  auto journal = open_leader(through(proxy));
  Durable durable(*journal);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(1));
  proxy.cut_at("COMMIT", TcpProxy::Cut::after);
  ASSERT_TRUE(journal->append({entry(1, "b"), entry(2, "c")}, Sync::full));
  EXPECT_TRUE(durable.wait_for(3));
  EXPECT_EQ(proxy.cuts(), 1);
  ASSERT_TRUE(journal->append({entry(1, "d")}, Sync::full));
  EXPECT_TRUE(durable.wait_for(4));
  journal->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a"}, {2, "b"}, {3, "c"}, {4, "d"}}));
  EXPECT_EQ(durable.errors(), 0u);
}

TEST_F(PostgresFailover, ACommitThatNeverArrivedIsSentAgain) {
  TcpProxy proxy(server().port());
  auto journal = open_leader(through(proxy));
  Durable durable(*journal);
  proxy.cut_at("COMMIT", TcpProxy::Cut::before);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  EXPECT_TRUE(durable.wait_for(1));
  EXPECT_EQ(proxy.cuts(), 1);
  journal->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a"}}));
}

TEST_F(PostgresFailover, SnapshotsSurviveLostAnswersToo) {
  TcpProxy proxy(server().port());
  auto journal = open_leader(through(proxy));
  Durable durable(*journal);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(1));
  std::uint64_t generation = 0;
  const auto settled = [&](std::uint64_t commits) {
    return eventually([&] { return journal->commits() >= commits; });
  };
  for (TcpProxy::Cut cut : {TcpProxy::Cut::after, TcpProxy::Cut::before}) {
    std::uint64_t commits = journal->commits();
    proxy.cut_at("INSERT INTO librm_snapshot", cut);
    generation = journal->begin_snapshot(1).value();
    ASSERT_TRUE(settled(++commits));
    proxy.cut_at("INSERT INTO librm_slice", cut);
    ASSERT_TRUE(journal->append_slice(generation, {entry(1, "a'")}));
    ASSERT_TRUE(settled(++commits));
    proxy.cut_at("UPDATE librm_snapshot", cut);
    ASSERT_TRUE(journal->finish_snapshot(generation));
    ASSERT_TRUE(settled(++commits));
  }
  EXPECT_EQ(proxy.cuts(), 6);
  journal->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a'"}}));
}

TEST_F(PostgresFailover, TerminatedSessionsLoseNothing) {
  auto journal = open_leader();
  Durable durable(*journal);
  std::atomic<bool> ends = false;
  std::thread operator_thread([&] {
    while (!ends) {
      server().sql(
          "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
          " WHERE application_name='librm'");
      std::this_thread::sleep_for(std::chrono::milliseconds(30));
    }
  });
  Lsn last = 0;
  for (int i = 1; i <= 300; ++i) {
    last = journal->append({entry(1, std::to_string(i))}, Sync::full).value();
    if (i % 3 == 0) durable.wait_for(last);
  }
  EXPECT_TRUE(durable.wait_for(last));
  ends = true;
  operator_thread.join();
  EXPECT_EQ(durable.errors(), 0u);
  journal->close();
  const Replayed all = replayed(*open());
  ASSERT_EQ(all.size(), 300u);
  for (Lsn lsn = 1; lsn <= 300; ++lsn) {
    EXPECT_EQ(all[lsn - 1], (std::pair<Lsn, std::string>(lsn, std::to_string(lsn))));
  }
}

TEST_F(PostgresFailover, ACommitThatIsDeposedWhileItsAnswerIsLostSaysWhichEpochLeads) {
  TcpProxy proxy(server().port());
  auto one = open_leader(through(proxy));
  Durable durable(*one);
  proxy.cut_at("COMMIT", TcpProxy::Cut::before);
  proxy.set_open(true);
  auto two = open();
  ASSERT_EQ(two->lead().value(), 2u);
  ASSERT_TRUE(one->append({entry(1, "a")}, Sync::full));
  const Error error = durable.wait_for_error().value();
  EXPECT_EQ(error.code, ErrorCode::failed_precondition);
  EXPECT_NE(error.message.find("epoch 1 is over: epoch 2 leads"), std::string::npos)
      << error.message;
  EXPECT_EQ(proxy.cuts(), 1);
  EXPECT_TRUE(replayed(*two).empty());
}

TEST_F(PostgresFailover, AnOutageIsSurvivedWithinItsLimit) {
  TcpProxy proxy(server().port());
  auto journal = open_leader(through(proxy));
  Durable durable(*journal);
  proxy.set_open(false);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  std::this_thread::sleep_for(std::chrono::milliseconds(700));
  EXPECT_EQ(durable.lsn(), 0u);
  EXPECT_EQ(durable.errors(), 0u);
  proxy.set_open(true);
  EXPECT_TRUE(durable.wait_for(1));
}

TEST_F(PostgresFailover, ALongOutageEndsTheJournal) {
  TcpProxy proxy(server().port());
  PostgresJournalOptions hurried = through(proxy);
  hurried.outage_max = milliseconds(500);
  auto journal = open_leader(hurried);
  Durable durable(*journal);
  proxy.set_open(false);
  ASSERT_TRUE(journal->append({entry(1, "a"), entry(1, "b")}, Sync::full));
  const Error error = durable.wait_for_error().value();
  EXPECT_EQ(error.code, ErrorCode::deadline_exceeded);
  EXPECT_NE(error.message.find("records up to 2 not known to be durable after 500 ms"),
            std::string::npos)
      << error.message;
  proxy.set_open(true);
  EXPECT_EQ(journal->append({entry(1, "c")}, Sync::full).error(), error);
}

TEST_F(PostgresFailover, ASilentServerIsAskedAgainOnAnotherConnection) {
  TcpProxy proxy(server().port());
  PostgresJournalOptions chosen = through(proxy);
  chosen.outage_max = seconds(6);
  auto journal = open_leader(chosen);
  Durable durable(*journal);
  proxy.set_silent(true);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  std::this_thread::sleep_for(std::chrono::milliseconds(2500));
  proxy.set_silent(false);
  EXPECT_TRUE(durable.wait_for(1));
  journal->close();
  EXPECT_EQ(replayed(*open()), (Replayed{{1, "a"}}));
}

TEST_F(PostgresFailover, AServerThatLostCommitsEndsTheJournal) {
  auto journal = open_leader();
  Durable durable(*journal);
  ASSERT_TRUE(journal->append({entry(1, "a")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(1));
  // As after a failover to a standby that was behind.
  server().sql("DELETE FROM librm_log WHERE" + here());
  server().sql(
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
      " WHERE application_name='librm'");
  ASSERT_TRUE(journal->append({entry(1, "b")}, Sync::full));
  const Error error = durable.wait_for_error().value();
  EXPECT_EQ(error, (Error{ErrorCode::corrupt,
                          name() + ": the server has records up to 0, but had committed 1"}));
}

// --- standbys ---

TEST_F(PostgresFailover, AStandbyFollowsAndTakesOverWhereItIs) {
  auto one = open_leader(options("http://one"));
  Durable durable(*one);
  ASSERT_TRUE(one->append({entry(1, "a"), entry(2, "b")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(2));

  auto two = open(options("http://two"));
  EXPECT_EQ(replayed(*two), (Replayed{{1, "a"}, {2, "b"}}));
  Follower follower;
  two->follow(two->last_lsn(), follower.callback());
  ASSERT_TRUE(eventually([&] { return follower.leader().url == "http://one"; }));
  EXPECT_EQ(follower.last_lsn(), 2u);
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(one->append({entry(1, "x"), entry(2, "y")}, Sync::full));
  }
  ASSERT_TRUE(eventually([&] { return follower.last_lsn() == 42; }));
  EXPECT_EQ(follower.records().size(), 40u);
  two->stop_following();
  ASSERT_TRUE(one->append({entry(1, "tail")}, Sync::full));
  ASSERT_TRUE(durable.wait_for(43));

  ASSERT_EQ(two->lead().value(), 2u);
  EXPECT_EQ(two->last_lsn(), 43u);
  Replayed rest;
  EXPECT_EQ(two->tail(follower.last_lsn(),
                      [&](Lsn lsn, const RecordEntry& record) {
                        rest.emplace_back(lsn, record.payload);
                        return Result<void>();
                      })
                .value(),
            43u);
  EXPECT_EQ(rest, (Replayed{{43, "tail"}}));
  EXPECT_EQ(two->append({entry(1, "mine")}, Sync::full).value(), 44u);
  EXPECT_TRUE(follower.errors().empty());
}

TEST_F(PostgresFailover, AStandbyHearsOfANewLeaderWithoutAnyRecord) {
  auto standby = open();
  Follower follower;
  standby->follow(0, follower.callback());
  auto one = open_leader(options("http://one"));
  EXPECT_TRUE(eventually([&] { return follower.leader().epoch == 1; }));
  auto two = open_leader(options("http://two"));
  EXPECT_TRUE(eventually([&] { return follower.leader().url == "http://two"; }));
  standby->close();
}

TEST_F(PostgresFailover, AStandbyReportsAnOutageOnceAndGoesOn) {
  TcpProxy proxy(server().port());
  auto one = open_leader();
  auto standby = open(through(proxy));
  Follower follower;
  standby->follow(0, follower.callback());
  ASSERT_TRUE(eventually([&] { return follower.leader().epoch == 1; }));
  proxy.set_open(false);
  ASSERT_TRUE(one->append({entry(1, "a")}, Sync::full));
  ASSERT_TRUE(eventually([&] { return !follower.errors().empty(); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(follower.errors().size(), 1u);
  EXPECT_EQ(follower.errors()[0].code, ErrorCode::unavailable);
  proxy.set_open(true);
  EXPECT_TRUE(eventually([&] { return follower.last_lsn() == 1; }));
}

TEST_F(PostgresFailover, AStandbyThatMissedCompactedRecordsIsTold) {
  auto one = open_leader();
  Durable durable(*one);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(durable.wait_for(one->append({entry(1, "a")}, Sync::full).value()));
  }
  const std::uint64_t generation = one->begin_snapshot(1).value();
  ASSERT_TRUE(one->append_slice(generation, {entry(1, "a'")}));
  ASSERT_TRUE(one->finish_snapshot(generation));
  ASSERT_TRUE(eventually(
      [&] { return server().sql("SELECT count(*) FROM librm_log WHERE" + here()) == "0"; }));
  auto two = open();
  const auto ignore = [](Lsn, const RecordEntry&) { return Result<void>(); };
  EXPECT_EQ(two->tail(2, ignore).error(),
            (Error{ErrorCode::stale, name() + ": records after 2 were replaced by a snapshot;"
                                              " replay from the start"}));
  EXPECT_EQ(two->tail(5, ignore).value(), 5u);
  EXPECT_EQ(two->tail(6, ignore).error().code, ErrorCode::corrupt);
  ASSERT_TRUE(durable.wait_for(one->append({entry(1, "b")}, Sync::full).value()));
  EXPECT_EQ(two->tail(3, ignore).error().code, ErrorCode::stale);
  Follower follower;
  two->follow(3, follower.callback());
  ASSERT_TRUE(eventually([&] { return !follower.errors().empty(); }));
  EXPECT_EQ(follower.errors()[0].code, ErrorCode::stale);
}

TEST_F(PostgresFailover, TailStartsInTheMiddleOfACommit) {
  auto one = open_leader();
  ASSERT_TRUE(
      one->append({entry(1, "a"), entry(2, "b"), entry(1, "c"), entry(2, "d")}, Sync::full));
  one->close();
  Replayed rest;
  ASSERT_TRUE(open()->tail(2, [&](Lsn lsn, const RecordEntry& record) {
    rest.emplace_back(lsn, record.payload);
    return Result<void>();
  }));
  EXPECT_EQ(rest, (Replayed{{3, "c"}, {4, "d"}}));
}

TEST_F(PostgresFailover, AServerThatCrashesAndComesBackHasWhatWasReported) {
  auto journal = open_leader();
  Durable durable(*journal);
  Lsn last = 0;
  for (int i = 0; i < 50; ++i) {
    last = journal->append({entry(1, "a")}, Sync::full).value();
    ASSERT_TRUE(i % 10 != 0 || durable.wait_for(last));
  }
  server().kill();
  const Lsn reported = durable.lsn();
  last = journal->append({entry(1, "during")}, Sync::full).value();
  // Its processes notice only then that their parent is gone.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  server().start();
  ASSERT_TRUE(server().wait_ready());
  EXPECT_TRUE(durable.wait_for(last)) << durable.wait_for_error().value().message;
  EXPECT_GE(last, reported);
  journal->close();
  EXPECT_EQ(replayed(*open()).size(), last);
}

}  // namespace
}  // namespace librm::test
