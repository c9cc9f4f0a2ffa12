// Journals of one cluster on the tests' server.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "librm/store/postgres_journal.hpp"
#include "server.hpp"
#include "unit/store/journal_contract.hpp"

namespace librm::test {

/// A name that no other test has.
inline std::string new_cluster() {
  static int count = 0;
  return "cluster-" + std::to_string(++count);
}

class PostgresJournalTest : public testing::Test {
 protected:
  void SetUp() override { NEEDS_POSTGRES(); }

  PostgresServer& server() { return *PostgresServer::get(); }
  PostgresJournalOptions options(std::string self = "http://one") {
    PostgresJournalOptions options;
    options.url = server().url();
    options.cluster = cluster_;
    options.self = std::move(self);
    options.outage_max = seconds(9);
    options.poll_interval = milliseconds(10);
    return options;
  }
  std::unique_ptr<PostgresJournal> open(PostgresJournalOptions options) {
    Result<std::unique_ptr<PostgresJournal>> journal = PostgresJournal::open(std::move(options));
    EXPECT_TRUE(journal.has_value()) << journal.error().message;
    return journal ? std::move(*journal) : nullptr;
  }
  std::unique_ptr<PostgresJournal> open() { return open(options()); }
  std::unique_ptr<PostgresJournal> open_leader(PostgresJournalOptions options) {
    std::unique_ptr<PostgresJournal> journal = open(std::move(options));
    Result<Epoch> led = journal->lead();
    EXPECT_TRUE(led.has_value()) << led.error().message;
    return journal;
  }
  std::unique_ptr<PostgresJournal> open_leader() { return open_leader(options()); }
  Error open_error(PostgresJournalOptions options) {
    Result<std::unique_ptr<PostgresJournal>> journal = PostgresJournal::open(std::move(options));
    EXPECT_FALSE(journal.has_value());
    return journal ? Error{} : journal.error();
  }
  std::string name() {
    return "journal postgresql://127.0.0.1:" + std::to_string(server().port()) +
           "/postgres cluster " + cluster_;
  }
  /// In a WHERE clause.
  std::string here() { return " cluster='" + cluster_ + "'"; }

  std::string cluster_ = new_cluster();
};

}  // namespace librm::test
