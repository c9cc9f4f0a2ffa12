// The journal in memory: what is durable when, and what each kind of crash loses.
#include "librm/store/memory_journal.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "unit/store/journal_contract.hpp"

namespace librm {
namespace {

using test::entry;
using test::Replayed;
using test::replayed;

TEST(MemoryJournal, ReportsTheHighestDurableLsnOnlyAfterSync) {
  MemoryJournal journal;
  std::vector<Lsn> durable;
  journal.on_durable([&](Result<Lsn> lsn) { durable.push_back(lsn.value()); });
  EXPECT_EQ(journal.append({entry(1, "a"), entry(1, "b")}, Sync::full).value(), 2u);
  EXPECT_EQ(journal.append({entry(2, "c")}, Sync::full).value(), 3u);
  EXPECT_EQ(journal.append({}, Sync::full).value(), 3u);
  EXPECT_TRUE(durable.empty());
  journal.sync();
  journal.sync();
  EXPECT_EQ(durable, (std::vector<Lsn>{3}));
  EXPECT_EQ(replayed(journal), (Replayed{{1, "a"}, {2, "b"}, {3, "c"}}));
}

TEST(MemoryJournal, CrashLosesTheTailByWholeBatches) {
  MemoryJournal journal;
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  journal.sync();
  ASSERT_TRUE(journal.append({entry(1, "b")}, Sync::full));
  ASSERT_TRUE(journal.append({entry(1, "c"), entry(1, "d")}, Sync::full));
  journal.crash(1);
  EXPECT_EQ(replayed(journal), (Replayed{{1, "a"}, {2, "b"}}));
  EXPECT_EQ(journal.append({entry(1, "e")}, Sync::full).value(), 3u);
  journal.crash();
  EXPECT_EQ(journal.last_lsn(), 2u);
}

TEST(MemoryJournal, HostCrashLosesWhatWasOnlyCached) {
  MemoryJournal journal;
  ASSERT_TRUE(journal.append({entry(3, "identity")}, Sync::full));
  journal.sync();
  ASSERT_TRUE(journal.append({entry(3, "ledger")}, Sync::cached));
  journal.sync();
  journal.crash();
  EXPECT_EQ(replayed(journal).size(), 2u);
  journal.host_crash();
  EXPECT_EQ(replayed(journal), (Replayed{{1, "identity"}}));
}

TEST(MemoryJournal, AFullCommitMakesEarlierCachedOnesDurable) {
  MemoryJournal journal;
  ASSERT_TRUE(journal.append({entry(3, "ledger")}, Sync::cached));
  journal.sync();
  ASSERT_TRUE(journal.append({entry(3, "identity")}, Sync::full));
  journal.sync();
  journal.host_crash();
  EXPECT_EQ(replayed(journal).size(), 2u);
}

TEST(MemoryJournal, SnapshotReplacesItsStreamsRecordsAndNoOthers) {
  MemoryJournal journal;
  ASSERT_TRUE(journal.append({entry(1, "m1"), entry(2, "b1"), entry(1, "m2")}, Sync::full));
  const std::uint64_t generation = journal.begin_snapshot(1).value();
  ASSERT_TRUE(journal.append({entry(1, "m3")}, Sync::full));
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "m1'")}));
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "m2'")}));
  journal.sync();
  EXPECT_EQ(replayed(journal).size(), 4u) << "not finished: not there";
  ASSERT_TRUE(journal.finish_snapshot(generation));
  EXPECT_FALSE(journal.append_slice(generation, {}));
  journal.sync();
  EXPECT_EQ(replayed(journal), (Replayed{{3, "m1'"}, {3, "m2'"}, {2, "b1"}, {4, "m3"}}));
  EXPECT_EQ(journal.stored(), 4u);
}

TEST(MemoryJournal, UnfinishedSnapshotNeverWas) {
  MemoryJournal journal;
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  const std::uint64_t generation = journal.begin_snapshot(1).value();
  ASSERT_TRUE(journal.append_slice(generation, {entry(1, "a'")}));
  journal.sync();
  journal.crash();
  EXPECT_FALSE(journal.finish_snapshot(generation));
  EXPECT_EQ(replayed(journal), (Replayed{{1, "a"}}));
}

TEST(MemoryJournal, FailedCommitIsReportedOnceAndEndsTheJournal) {
  MemoryJournal journal;
  int errors = 0;
  journal.on_durable([&](Result<Lsn> lsn) { errors += lsn.has_value() ? 0 : 1; });
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  journal.fail_next({ErrorCode::io_error, "disk full"});
  journal.sync();
  journal.sync();
  EXPECT_EQ(errors, 1);
  EXPECT_EQ(journal.append({entry(1, "b")}, Sync::full).error().message, "disk full");
  journal.crash(0);
  EXPECT_TRUE(replayed(journal).empty());
  EXPECT_TRUE(journal.append({entry(1, "b")}, Sync::full));
}

TEST(MemoryJournal, FullBacklogRefusesAndKeepsNothingOfTheBatch) {
  MemoryJournal journal;
  journal.set_backlog_max(2);
  ASSERT_TRUE(journal.append({entry(1, "a"), entry(1, "b")}, Sync::full));
  Result<Lsn> refused = journal.append({entry(1, "c")}, Sync::full);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::resource_exhausted);
  journal.sync();
  EXPECT_EQ(journal.append({entry(1, "c")}, Sync::full).value(), 3u);
}

}  // namespace
}  // namespace librm
