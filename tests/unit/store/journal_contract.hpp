// What every journal promises, as tests that each kind of journal instantiates.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "librm/store/journal.hpp"

namespace librm::test {

inline RecordEntry entry(std::uint16_t stream, std::string payload) {
  return RecordEntry{stream, 7, 2, std::move(payload), 1};
}

using Replayed = std::vector<std::pair<Lsn, std::string>>;

inline Replayed replayed(Journal& journal) {
  Replayed all;
  Result<void> result = journal.replay([&](Lsn lsn, const RecordEntry& record) {
    all.emplace_back(lsn, record.payload);
    return Result<void>();
  });
  EXPECT_TRUE(result.has_value()) << result.error().message;
  return all;
}

/// Collects what on_durable says, and waits for it.
class Durable {
 public:
  Durable() = default;
  explicit Durable(Journal& journal) { watch(journal); }

  void watch(Journal& journal) {
    journal.on_durable([this](Result<Lsn> lsn) {
      std::lock_guard lock(mutex_);
      if (lsn) lsn_ = *lsn;
      if (!lsn) errors_.push_back(lsn.error());
      changed_.notify_all();
    });
  }
  bool wait_for(Lsn lsn) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] {
      return lsn_ >= lsn || !errors_.empty();
    }) && lsn_ >= lsn;
  }
  /// The error that ends the journal; nothing in twenty seconds is none.
  std::optional<Error> wait_for_error() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !errors_.empty(); });
    return errors_.empty() ? std::nullopt : std::optional<Error>(errors_.front());
  }
  std::size_t errors() {
    std::lock_guard lock(mutex_);
    return errors_.size();
  }
  Lsn lsn() {
    std::lock_guard lock(mutex_);
    return lsn_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Lsn lsn_ = 0;
  std::vector<Error> errors_;
};

// A Store is constructed empty and has
//   Journal& open();    a journal that may append: what a new process finds
//   void settle();      commits what waits
//   void close();       the process ends in good order
//   bool available();   false where the test is to be skipped
template <class Store>
class JournalContract : public testing::Test {
 protected:
  void SetUp() override {
    if (!store_.available()) GTEST_SKIP() << "needs its server";
  }
  Journal& reopen() {
    store_.close();
    return store_.open();
  }
  Store store_;
};

TYPED_TEST_SUITE_P(JournalContract);

TYPED_TEST_P(JournalContract, AnEmptyOneHasNothing) {
  Journal& journal = this->store_.open();
  EXPECT_EQ(journal.last_lsn(), 0u);
  EXPECT_TRUE(replayed(journal).empty());
  EXPECT_EQ(journal.append({}, Sync::full).value(), 0u);
}

TYPED_TEST_P(JournalContract, ReplaysWhatWasAppendedInOrder) {
  Journal& journal = this->store_.open();
  ASSERT_TRUE(journal.append({entry(1, "a"), entry(2, "b"), entry(1, "c")}, Sync::full));
  EXPECT_EQ(journal.append({entry(2, "")}, Sync::full).value(), 4u);
  EXPECT_EQ(journal.append({}, Sync::full).value(), 4u);
  Journal& later = this->reopen();
  EXPECT_EQ(later.last_lsn(), 4u);
  EXPECT_EQ(replayed(later), (Replayed{{1, "a"}, {2, "b"}, {3, "c"}, {4, ""}}));
  EXPECT_EQ(later.append({entry(1, "e")}, Sync::full).value(), 5u);
}

TYPED_TEST_P(JournalContract, KeepsAllFieldsOfAnEntry) {
  const RecordEntry written{batch_stream, 65535, 300, std::string("\0\xff\\x", 4), 299};
  this->store_.open().append({written}, Sync::full).value();
  std::optional<RecordEntry> read;
  ASSERT_TRUE(this->reopen().replay([&](Lsn, const RecordEntry& record) {
    read = record;
    return Result<void>();
  }));
  EXPECT_EQ(read, written);
}

TYPED_TEST_P(JournalContract, ReportsTheHighestDurableLsn) {
  Durable durable;
  Journal& journal = this->store_.open();
  durable.watch(journal);
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(journal.append({entry(1, "a"), entry(2, "b")}, Sync::full));
  }
  this->store_.settle();
  EXPECT_TRUE(durable.wait_for(200));
  EXPECT_EQ(durable.lsn(), 200u);
  this->store_.close();
}

TYPED_TEST_P(JournalContract, MergesStreamsAgain) {
  Journal& journal = this->store_.open();
  std::vector<RecordEntry> batch;
  for (int i = 0; i < 100; ++i) {
    batch.push_back(entry(static_cast<std::uint16_t>(i % 3 + 1), std::to_string(i)));
  }
  ASSERT_TRUE(journal.append(std::move(batch), Sync::full));
  const Replayed all = replayed(this->reopen());
  ASSERT_EQ(all.size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_EQ(all[i], (std::pair<Lsn, std::string>(i + 1, std::to_string(i))));
  }
}

TYPED_TEST_P(JournalContract, AnErrorOfOnRecordEndsTheReplay) {
  Journal& journal = this->store_.open();
  ASSERT_TRUE(journal.append({entry(1, "a"), entry(1, "b"), entry(1, "c")}, Sync::full));
  int seen = 0;
  Result<void> result = this->reopen().replay([&](Lsn lsn, const RecordEntry&) -> Result<void> {
    ++seen;
    if (lsn == 2) return fail(ErrorCode::unsupported, "record 2");
    return {};
  });
  EXPECT_EQ(result.error(), (Error{ErrorCode::unsupported, "record 2"}));
  EXPECT_EQ(seen, 2);
}

TYPED_TEST_P(JournalContract, ASnapshotReplacesItsStreamsRecordsAndNoOthers) {
  Journal& journal = this->store_.open();
  ASSERT_TRUE(journal.append({entry(1, "m1"), entry(2, "b1"), entry(1, "m2")}, Sync::full));
  const std::uint64_t generation = journal.begin_snapshot(1).value();
  ASSERT_TRUE(journal.append({entry(1, "m3")}, Sync::full));
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "m1'")}));
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "m2'")}));
  ASSERT_TRUE(journal.finish_snapshot(generation));
  EXPECT_EQ(journal.append_slice(generation, {}).error().code, ErrorCode::not_found);
  EXPECT_EQ(journal.finish_snapshot(generation).error().code, ErrorCode::not_found);
  EXPECT_EQ(replayed(this->reopen()), (Replayed{{3, "m1'"}, {3, "m2'"}, {2, "b1"}, {4, "m3"}}));
}

TYPED_TEST_P(JournalContract, ALaterSnapshotReplacesTheEarlier) {
  Journal& journal = this->store_.open();
  for (const char* text : {"first", "second"}) {
    ASSERT_TRUE(journal.append({entry(1, text)}, Sync::full));
    const std::uint64_t generation = journal.begin_snapshot(1).value();
    ASSERT_TRUE(journal.append_slice(generation, {entry(1, text)}));
    ASSERT_TRUE(journal.finish_snapshot(generation));
  }
  Journal& later = this->reopen();
  EXPECT_EQ(replayed(later), (Replayed{{2, "second"}}));
  EXPECT_EQ(later.last_lsn(), 2u) << "LSNs go on even if no record is left";
}

TYPED_TEST_P(JournalContract, AnUnfinishedSnapshotNeverWas) {
  Journal& journal = this->store_.open();
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  const std::uint64_t generation = journal.begin_snapshot(1).value();
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "a'")}));
  Journal& later = this->reopen();
  EXPECT_FALSE(later.finish_snapshot(generation));
  EXPECT_EQ(replayed(later), (Replayed{{1, "a"}}));
}

TYPED_TEST_P(JournalContract, TwoStreamsMayBeSnapshottedAtOnce) {
  Journal& journal = this->store_.open();
  ASSERT_TRUE(journal.append({entry(1, "m"), entry(2, "b")}, Sync::full));
  const std::uint64_t one = journal.begin_snapshot(1).value();
  const std::uint64_t two = journal.begin_snapshot(2).value();
  EXPECT_NE(one, two);
  ASSERT_TRUE(journal.append_slice(two, {entry(2, "b'")}));
  ASSERT_TRUE(journal.append_slice(one, {entry(1, "m'")}));
  ASSERT_TRUE(journal.finish_snapshot(two));
  ASSERT_TRUE(journal.finish_snapshot(one));
  EXPECT_EQ(replayed(this->reopen()), (Replayed{{2, "m'"}, {2, "b'"}}));
}

TYPED_TEST_P(JournalContract, TakesALargeRecord) {
  const std::string payload(3u << 20, 'x');
  ASSERT_TRUE(this->store_.open().append({entry(1, payload), entry(1, "y")}, Sync::full));
  EXPECT_EQ(replayed(this->reopen()), (Replayed{{1, payload}, {2, "y"}}));
}

REGISTER_TYPED_TEST_SUITE_P(JournalContract, AnEmptyOneHasNothing, ReplaysWhatWasAppendedInOrder,
                            KeepsAllFieldsOfAnEntry, ReportsTheHighestDurableLsn,
                            MergesStreamsAgain, AnErrorOfOnRecordEndsTheReplay,
                            ASnapshotReplacesItsStreamsRecordsAndNoOthers,
                            ALaterSnapshotReplacesTheEarlier, AnUnfinishedSnapshotNeverWas,
                            TwoStreamsMayBeSnapshottedAtOnce, TakesALargeRecord);

}  // namespace librm::test
