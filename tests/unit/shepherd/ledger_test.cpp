// The ledger: its bytes, what a torn or damaged file means, compaction and bounded forgetting.
#include "shepherd/ledger.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "unit/shepherd/shepherd_fixture.hpp"

namespace librm::shepherd {
namespace {

TaskKey key(std::uint64_t number) { return {FrameworkId{1}, std::to_string(number) + ".1.1"}; }

LedgerEnded ended(std::uint64_t number) {
  LedgerEnded record;
  record.end.key = key(number);
  record.end.exit_code = 3;
  record.end.started = WallTime{1000};
  record.end.ended = WallTime{2000};
  record.end.cpu_time = microseconds(5);
  record.end.rss_max_bytes = 4096;
  return record;
}

std::vector<LedgerRecord> samples() {
  LedgerEnded unstarted;
  unstarted.end.key = key(4);
  unstarted.end.was_started = false;
  unstarted.end.error = "exec nosuch: No such file or directory";
  LedgerEnded signalled = ended(5);
  signalled.end.exit_code.reset();
  signalled.end.signal = 9;
  return {LedgerBoot{"boot-one", 0x1122334455667788u},
          LedgerStarting{key(1)},
          LedgerStarted{key(1), 4711, {100, 102}, WallTime{-5}},
          ended(1),
          unstarted,
          signalled,
          LedgerForgotten{key(1)}};
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

class LedgerFile : public ::testing::Test {
 protected:
  LedgerOptions options() const {
    LedgerOptions options;
    options.path = dir_.path() + "/ledger";
    options.boot_id = boot_id_;
    options.instance_if_new = 77;
    options.hash_seed = 1;
    return options;
  }
  Result<Ledger> open() const { return Ledger::open(options(), WallTime{9000}); }

  std::string bytes() const {
    std::ifstream file(options().path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put_bytes(const std::string& bytes) const {
    std::ofstream(options().path, std::ios::binary | std::ios::trunc) << bytes;
  }
  /// Three tasks: one ended, one running, one about to be started.
  void fill() const {
    Result<Ledger> ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message;
    ledger->append(ended(1));
    ledger->append(LedgerStarted{key(2), 4711, {100, 102}, WallTime{50}});
    ledger->append(LedgerStarting{key(3)});
    ASSERT_TRUE(ledger->flush());
  }

  TemporaryDirectory dir_;
  std::string boot_id_ = "boot-one";
};

TEST(LedgerRecord, ReadsWhatItWrote) {
  std::string bytes;
  for (const LedgerRecord& record : samples()) append_record(bytes, record);
  std::string_view rest = bytes;
  for (const LedgerRecord& record : samples()) {
    const LedgerRead read = read_record(rest);
    ASSERT_EQ(read.status, LedgerRead::Status::record);
    EXPECT_EQ(read.record, record);
    rest.remove_prefix(read.size);
  }
  EXPECT_TRUE(rest.empty());
}

TEST(LedgerRecord, HasTheseBytes) {
  std::string bytes;
  append_record(bytes, LedgerStarting{{FrameworkId{258}, "7.1.1"}});
  EXPECT_EQ(hex(bytes), "10000000" + hex(bytes).substr(8, 8) +
                            "02"
                            "0201000000000000"
                            "0500"
                            "372e312e31");
  EXPECT_EQ(hex(bytes).substr(8, 8), "a88d64d5");
}

TEST(LedgerRecord, CutAnywhereIsIncomplete) {
  for (const LedgerRecord& record : samples()) {
    std::string bytes;
    append_record(bytes, record);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_EQ(read_record(std::string_view(bytes).substr(0, size)).status,
                LedgerRead::Status::incomplete);
    }
  }
}

TEST(LedgerRecord, NoFlippedBitIsAccepted) {
  for (const LedgerRecord& record : samples()) {
    std::string bytes;
    append_record(bytes, record);
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
      EXPECT_NE(read_record(damaged).status, LedgerRead::Status::record) << "bit " << bit;
    }
  }
}

TEST(LedgerRecord, AbsurdSizeIsCorruptAndNotWaitedFor) {
  EXPECT_EQ(read_record(std::string(8, '\xff')).status, LedgerRead::Status::corrupt);
  EXPECT_EQ(read_record(std::string(8, '\0')).status, LedgerRead::Status::corrupt);
}

TEST_F(LedgerFile, RemembersAcrossOpenings) {
  fill();
  Result<Ledger> ledger = open();
  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_EQ(ledger->state().boot().instance, 77u);
  EXPECT_EQ(ledger->state().find(key(1))->end, ended(1).end);
  EXPECT_EQ(ledger->state().find(key(2))->phase, TaskPhase::running);
  EXPECT_EQ(ledger->state().find(key(2))->pid, 4711);
  EXPECT_EQ(ledger->state().find(key(3))->phase, TaskPhase::starting);
  EXPECT_FALSE(ledger->state().knows(key(4)));
}

TEST_F(LedgerFile, TornTailIsCutOffAndWrittenOver) {
  fill();
  const std::string whole = bytes();
  std::string last;
  append_record(last, LedgerStarting{key(3)});
  for (std::size_t cut = 1; cut < last.size(); ++cut) {
    put_bytes(whole.substr(0, whole.size() - cut));
    Result<Ledger> ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_TRUE(ledger->state().knows(key(2)));
    EXPECT_FALSE(ledger->state().knows(key(3)));
    ledger->append(LedgerStarting{key(3)});
    ASSERT_TRUE(ledger->flush());
    EXPECT_EQ(bytes(), whole);
  }
}

TEST_F(LedgerFile, DamagedByteOfThisBootIsRefused) {
  fill();
  const std::string whole = bytes();
  const std::size_t first_record = ledger_magic.size();
  for (std::size_t at = first_record + 4; at < whole.size(); at += 7) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    put_bytes(damaged);
    Result<Ledger> ledger = open();
    // A damaged size can look like a torn tail; whatever is accepted has lost the tail only.
    if (ledger) {
      EXPECT_LT(ledger->size_bytes(), whole.size());
    } else {
      EXPECT_EQ(ledger.error().code, ErrorCode::corrupt) << ledger.error().message;
    }
  }
}

TEST_F(LedgerFile, ForeignFileIsRefused) {
  put_bytes("something else entirely");
  Result<Ledger> ledger = open();
  ASSERT_FALSE(ledger);
  EXPECT_EQ(ledger.error().code, ErrorCode::unsupported);
  EXPECT_EQ(bytes(), "something else entirely");
}

TEST_F(LedgerFile, AnotherBootEndsWhatRanAsUnknown) {
  fill();
  boot_id_ = "boot-two";
  // After a crash of the host the tail may be anything.
  put_bytes(bytes() + std::string(100, '\0'));
  for (int opening = 0; opening < 2; ++opening) {
    Result<Ledger> ledger = open();
    ASSERT_TRUE(ledger) << ledger.error().message;
    EXPECT_EQ(ledger->state().find(key(1))->end, ended(1).end);
    for (std::uint64_t number : {2u, 3u}) {
      const LedgerTask* task = ledger->state().find(key(number));
      ASSERT_EQ(task->phase, TaskPhase::ended);
      EXPECT_TRUE(task->end.was_started);
      EXPECT_FALSE(task->end.exit_code || task->end.signal);
      EXPECT_EQ(task->end.ended, WallTime{9000});
    }
    EXPECT_EQ(ledger->state().boot().boot_id, "boot-two");
    EXPECT_EQ(ledger->state().boot().instance, 77u);
  }
}

TEST_F(LedgerFile, CompactionKeepsWhatCountsAndTheNewestForgottenKeys) {
  LedgerOptions small = options();
  small.forgotten_max = 50;
  small.compact_on_run_bytes = 10'000;
  Result<Ledger> ledger = Ledger::open(small, WallTime{});
  ASSERT_TRUE(ledger);
  ledger->append(LedgerStarted{key(100'000), 4711, {100, 102}, WallTime{50}});
  ledger->append(ended(100'001));
  std::size_t largest = 0;
  for (std::uint64_t number = 1; number <= 1000; ++number) {
    ledger->append(LedgerStarting{key(number)});
    ledger->append(ended(number));
    ledger->append(LedgerForgotten{key(number)});
    ASSERT_TRUE(ledger->flush());
    ASSERT_TRUE(ledger->compact_if_large());
    largest = std::max(largest, ledger->size_bytes());
  }
  EXPECT_LT(largest, 11'000u);
  EXPECT_EQ(std::filesystem::file_size(small.path), ledger->size_bytes());

  Result<Ledger> again = Ledger::open(small, WallTime{});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->state().find(key(100'000))->pid, 4711);
  EXPECT_EQ(again->state().find(key(100'001))->end, ended(100'001).end);
  for (std::uint64_t number = 951; number <= 1000; ++number) {
    EXPECT_TRUE(again->state().knows(key(number))) << number;
  }
  EXPECT_FALSE(again->state().knows(key(950)));
}

TEST(ForgottenKeys, HoldsExactlyTheNewest) {
  ForgottenKeys forgotten(42, 1000);
  for (std::uint64_t number = 1; number <= 10'000; ++number) {
    forgotten.insert(key(number));
    forgotten.insert(key(number));  // again changes nothing
    EXPECT_TRUE(forgotten.contains(key(number)));
    EXPECT_FALSE(number > 1000 && forgotten.contains(key(number - 1000)));
  }
  EXPECT_EQ(forgotten.size(), 1000u);
  for (std::uint64_t number = 9001; number <= 10'000; ++number) {
    EXPECT_TRUE(forgotten.contains(key(number))) << number;
  }
}

TEST(ForgottenKeys, TellsFrameworksAndPaddingApart) {
  ForgottenKeys forgotten(42);
  forgotten.insert({FrameworkId{1}, std::string("a")});
  EXPECT_FALSE(forgotten.contains({FrameworkId{2}, "a"}));
  EXPECT_FALSE(forgotten.contains({FrameworkId{1}, std::string("\0a", 2)}));
  EXPECT_FALSE(forgotten.contains({FrameworkId{1}, ""}));
}

}  // namespace
}  // namespace librm::shepherd
