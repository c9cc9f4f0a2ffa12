// Turns, deadlines, durability and snapshots on a real loop.
#include "librm/runtime/asio_ports.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "librm/runtime/clock.hpp"
#include "librm/store/memory_journal.hpp"
#include "loop.hpp"

namespace librm {
namespace {

using test::run_ready;
using test::run_until;

TEST(Clock, BootTimeGoesForwardAndWallTimeIsThisCentury) {
  const Now first = read_clocks();
  const Now second = read_clocks();
  EXPECT_LE(first.mono, second.mono);
  EXPECT_GT(first.wall.ns, seconds(1'600'000'000).ns);
}

TEST(TurnRequest, ManyRequestsAreOneTurn) {
  asio::io_context io(1);
  int turns = 0;
  TurnRequest request(io, [&] { ++turns; });
  request.request();
  request.request();
  EXPECT_EQ(turns, 0);
  run_ready(io);
  EXPECT_EQ(turns, 1);
  request.request();
  run_ready(io);
  EXPECT_EQ(turns, 2);
}

TEST(TurnRequest, NeverCallsAfterItsEnd) {
  asio::io_context io(1);
  int turns = 0;
  auto request = std::make_unique<TurnRequest>(io, [&] { ++turns; });
  request->request();
  request.reset();
  run_ready(io);
  EXPECT_EQ(turns, 0);
}

TEST(DeadlineTimer, CallsWhenBootTimeIsThere) {
  asio::io_context io(1);
  int calls = 0;
  DeadlineTimer timer(io, [&] { ++calls; });
  const Instant due = read_clocks().mono + milliseconds(20);
  Deadline deadline;
  deadline.at_latest(due);
  timer.wake_at(deadline);
  ASSERT_TRUE(run_until(io, [&] { return calls > 0; }));
  EXPECT_GE(read_clocks().mono, due);
}

TEST(DeadlineTimer, CallsWhenWallTimeIsThere) {
  asio::io_context io(1);
  int calls = 0;
  DeadlineTimer timer(io, [&] { ++calls; });
  const WallTime due = read_clocks().wall + milliseconds(20);
  Deadline deadline;
  deadline.at_latest(due);
  timer.wake_at(deadline);
  ASSERT_TRUE(run_until(io, [&] { return calls > 0; }));
  EXPECT_GE(read_clocks().wall, due);
}

TEST(DeadlineTimer, PastDeadlineIsDueAtOnce) {
  asio::io_context io(1);
  int calls = 0;
  DeadlineTimer timer(io, [&] { ++calls; });
  Deadline deadline;
  deadline.at_latest(Instant{-5});
  timer.wake_at(deadline);
  EXPECT_TRUE(run_until(io, [&] { return calls > 0; }));
}

TEST(DeadlineTimer, EarlierWishReplacesALaterOne) {
  asio::io_context io(1);
  int calls = 0;
  DeadlineTimer timer(io, [&] { ++calls; });
  Deadline late;
  late.at_latest(read_clocks().mono + seconds(3600));
  timer.wake_at(late);
  Deadline soon;
  soon.at_latest(read_clocks().mono + milliseconds(10));
  timer.wake_at(soon);
  EXPECT_TRUE(run_until(io, [&] { return calls > 0; }));
}

TEST(DeadlineTimer, WishThatMovedAwayIsNotCalledEarly) {
  asio::io_context io(1);
  int calls = 0;
  DeadlineTimer timer(io, [&] { ++calls; });
  Deadline soon;
  soon.at_latest(read_clocks().mono + milliseconds(5));
  timer.wake_at(soon);
  const Instant due = read_clocks().mono + milliseconds(60);
  Deadline later;
  later.at_latest(due);
  timer.wake_at(later);
  ASSERT_TRUE(run_until(io, [&] { return calls > 0; }));
  EXPECT_GE(read_clocks().mono, due);
}

RecordEntry entry(std::uint16_t stream, std::string payload) {
  return {stream, 1, 1, std::move(payload)};
}

TEST(DurableRelay, ReportsOnTheLoopAndOnlyTheLatest) {
  asio::io_context io(1);
  MemoryJournal journal;
  std::vector<Lsn> reported;
  DurableRelay relay(io, journal, [&](const Result<Lsn>& lsn) { reported.push_back(*lsn); });
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  journal.sync();
  ASSERT_TRUE(journal.append({entry(1, "b"), entry(1, "c")}, Sync::full));
  journal.sync();
  EXPECT_TRUE(reported.empty());
  run_ready(io);
  EXPECT_EQ(reported, std::vector<Lsn>{3});
}

TEST(DurableRelay, CommitsOnAnotherThreadReachTheLoop) {
  asio::io_context io(1);
  MemoryJournal journal;
  std::optional<Lsn> reported;
  std::thread::id thread;
  DurableRelay relay(io, journal, [&](const Result<Lsn>& lsn) {
    reported = *lsn;
    thread = std::this_thread::get_id();
  });
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  std::thread committer([&] { journal.sync(); });
  committer.join();
  ASSERT_TRUE(run_until(io, [&] { return reported.has_value(); }));
  EXPECT_EQ(thread, std::this_thread::get_id());
}

TEST(DurableRelay, ReportsTheFailureOnce) {
  asio::io_context io(1);
  MemoryJournal journal;
  std::vector<std::string> errors;
  DurableRelay relay(io, journal,
                     [&](const Result<Lsn>& lsn) { errors.push_back(lsn.error().message); });
  journal.fail_next({ErrorCode::io_error, "disk full"});
  ASSERT_TRUE(journal.append({entry(1, "a")}, Sync::full));
  journal.sync();
  run_ready(io);
  EXPECT_EQ(errors, std::vector<std::string>{"disk full"});
}

SnapshotWriter::Part numbers(std::uint16_t stream, std::size_t count) {
  return {stream, count, [stream](std::size_t begin, std::size_t end) {
            std::vector<RecordEntry> slice;
            for (; begin < end; ++begin) slice.push_back(entry(stream, std::to_string(begin)));
            return slice;
          }};
}

TEST(SnapshotWriter, WritesEveryStreamInSlicesBesideTheWork) {
  asio::io_context io(1);
  MemoryJournal journal;
  std::string failure;
  SnapshotWriter writer(
      io, journal, [&](const Error& error) { failure = error.message; }, 10);
  ASSERT_TRUE(journal.append({entry(1, "old"), entry(2, "old")}, Sync::full));
  writer.start({numbers(1, 25), numbers(2, 10)});
  EXPECT_TRUE(writer.running());
  io.restart();
  io.run_one();
  ASSERT_TRUE(journal.append({entry(1, "new")}, Sync::full));
  run_ready(io);
  EXPECT_FALSE(writer.running());
  EXPECT_EQ(failure, "");
  journal.sync();
  journal.crash(0);

  std::vector<std::string> first;
  std::size_t second = 0;
  ASSERT_TRUE(journal.replay([&](Lsn, const RecordEntry& read) -> Result<void> {
    if (read.stream == 1) first.push_back(read.payload);
    if (read.stream == 2) ++second;
    return {};
  }));
  ASSERT_EQ(first.size(), 26u);
  EXPECT_EQ(first.front(), "0");
  EXPECT_EQ(first.back(), "new");
  EXPECT_EQ(second, 10u);
}

TEST(SnapshotWriter, WaitsWhereTheBacklogIsFull) {
  asio::io_context io(1);
  MemoryJournal journal;
  journal.set_backlog_max(15);
  std::string failure;
  SnapshotWriter writer(
      io, journal, [&](const Error& error) { failure = error.message; }, 10);
  writer.start({numbers(1, 30)});
  ASSERT_TRUE(run_until(io, [&] {
    journal.sync();
    return !writer.running();
  }));
  EXPECT_EQ(failure, "");
}

}  // namespace
}  // namespace librm
