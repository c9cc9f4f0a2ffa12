// The driver's promise: an output waits for every record before it, in order, or never leaves.
#include "librm/runtime/driver.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "librm/cluster/core.hpp"

namespace librm {
namespace {

/// Each event is a script: `r` emits a record, any other letter an output of that name.
struct ScriptCore {
  using Event = std::string;
  using Record = int;
  using Output = char;
  using Actions = ActionList<Record, Output>;

  void step(Now, const Event& event, Actions& out) {
    for (const char c : event) {
      if (c == 'r') {
        out.record(++records);
      } else {
        out.output(c);
      }
    }
  }
  void flush(Now, Actions& out) {
    ++flushes;
    if (output_at_flush) out.output('F');
  }
  Deadline next_deadline() const { return deadline; }
  void resume(Now now, Actions& out) { step(now, resume_script, out); }

  int records = 0;
  int flushes = 0;
  bool output_at_flush = false;
  std::string resume_script;
  Deadline deadline;
};

struct FakePorts {
  Now now() { return {}; }
  Result<Lsn> append(std::vector<int> batch) {
    if (broken) return librm::fail(ErrorCode::io_error, "no space left");
    batches.push_back(static_cast<int>(batch.size()));
    return last += batch.size();
  }
  void perform(char output) { performed += output; }
  void wake_at(const Deadline& deadline) { wished = deadline; }
  void want_turn() { ++turns_wanted; }
  void fail(const Error& error) { failure = error.message; }

  bool broken = false;
  Lsn last = 0;
  std::vector<int> batches;
  std::string performed;
  Deadline wished;
  int turns_wanted = 0;
  std::string failure;
};

struct DriverTest : testing::Test {
  ScriptCore core;
  FakePorts ports;
  Driver<ScriptCore, FakePorts> driver{core, ports};
};

TEST_F(DriverTest, OutputBeforeAnyRecordLeavesAtOnce) {
  driver.post("ab");
  driver.turn();
  EXPECT_EQ(ports.performed, "ab");
}

TEST_F(DriverTest, OutputWaitsForTheRecordsBeforeIt) {
  driver.post("arbrc");
  driver.turn();
  EXPECT_EQ(ports.performed, "a");
  EXPECT_EQ(driver.outputs_waiting(), 2u);
  driver.on_durable(1);
  EXPECT_EQ(ports.performed, "ab");
  driver.on_durable(2);
  EXPECT_EQ(ports.performed, "abc");
  EXPECT_TRUE(driver.idle());
}

TEST_F(DriverTest, LaterOutputNeverOvertakesAWaitingOne) {
  driver.post("rx");
  driver.turn();
  driver.post("y");
  driver.turn();
  EXPECT_EQ(ports.performed, "");
  driver.on_durable(1);
  EXPECT_EQ(ports.performed, "xy");
}

TEST_F(DriverTest, EventsOfOneTurnAreOneBatchAndOneFlush) {
  core.output_at_flush = true;
  driver.post("r");
  driver.post("rr");
  driver.post("r");
  EXPECT_EQ(ports.turns_wanted, 1);
  driver.turn();
  EXPECT_EQ(ports.batches, std::vector<int>{4});
  EXPECT_EQ(core.flushes, 1);
  driver.on_durable(3);
  EXPECT_EQ(ports.performed, "");
  driver.on_durable(4);
  EXPECT_EQ(ports.performed, "F");
}

TEST_F(DriverTest, FailedAppendStopsEverything) {
  driver.post("rx");
  driver.turn();
  ports.broken = true;
  driver.post("ary");
  driver.turn();
  EXPECT_EQ(ports.failure, "no space left");
  driver.on_durable(9);
  driver.post("z");
  driver.turn();
  EXPECT_EQ(ports.performed, "");
}

TEST_F(DriverTest, ResumeContinuesAfterWhatTheJournalHolds) {
  ports.last = 7;
  core.resume_script = "arb";
  driver.resume(7);
  EXPECT_EQ(ports.performed, "a");
  EXPECT_EQ(driver.appended(), 8u);
  driver.on_durable(8);
  EXPECT_EQ(ports.performed, "ab");
}

TEST_F(DriverTest, TellsItsPortsTheCoresDeadline) {
  core.deadline.at_latest(Instant{42});
  driver.post("a");
  driver.turn();
  ASSERT_TRUE(ports.wished.mono.has_value());
  EXPECT_EQ(ports.wished.mono->ns, 42);
}

}  // namespace
}  // namespace librm
