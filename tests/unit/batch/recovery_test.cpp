// Replay: at every prefix of the records of a long random life, the state is what it was.
#include <algorithm>

#include "harness.hpp"
#include "librm/base/prng.hpp"

namespace batch::test {
namespace {

using librm::TaskState;

const char* const plenty = "cpus:8;mem:8192";

std::vector<BatchRecord> replayed(const std::vector<BatchRecord>& records, BatchOptions options) {
  BatchCore core(std::move(options));
  for (const BatchRecord& record : records) core.apply(record);
  EXPECT_EQ(core.check_invariants(), std::vector<std::string>{});
  return core.snapshot();
}

/// Submits, offers, reports and cancels at random; nothing about it is a plan.
class RandomLife {
 public:
  RandomLife(std::uint64_t seed, BatchOptions options)
      : bench(connected(std::move(options))), prng_(seed) {}

  void step() {
    switch (prng_.below(8)) {
      case 0:
        submit();
        break;
      case 1:
      case 2:
        bench.offer(1 + prng_.below(3), "cpus:2;mem:4096");
        break;
      case 3:
        bench.pass(librm::milliseconds(prng_.between(0, 20'000)));
        break;
      case 4:
        if (names_ > 0) (void)bench.cancel(1 + prng_.below(names_), "enough");
        break;
      default:
        report();
        break;
    }
  }

  Bench bench;

 private:
  void submit() {
    std::vector<JobSpec> jobs;
    const std::uint64_t count = 1 + prng_.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t number = names_ + i + 1;
      JobBuilder one = job("j" + std::to_string(number));
      one.retries(static_cast<std::uint32_t>(prng_.below(3)));
      one.lost(static_cast<LostPolicy>(1 + prng_.below(3)));
      one.on_failed(static_cast<OnDependencyFailed>(1 + prng_.below(3)));
      one.priority(static_cast<std::int32_t>(prng_.between(-1, 1)));
      if (prng_.chance(1, 2)) one.retry_delay(librm::seconds(2));
      if (number > 1 && prng_.chance(1, 2)) {
        const std::uint64_t parent = 1 + prng_.below(number - 1);
        const auto kind = static_cast<EdgeKind>(1 + prng_.below(4));
        if (bench.core->find(parent) != nullptr) one.after(std::to_string(parent), kind);
      }
      jobs.push_back(one);
    }
    const auto ids = bench.submit(jobs, prng_.chance(1, 2) ? "key-" + std::to_string(names_) : "");
    ASSERT_TRUE(ids.has_value()) << ids.error().message;
    names_ += count;
  }

  void report() {
    std::vector<std::string> live;
    for (const auto& [id, one] : bench.core->jobs()) {
      for (const Attempt& attempt : one.attempts) {
        if (is_terminal(attempt.latest.state)) continue;
        live.push_back(task_id({id, std::nullopt, attempt.run, attempt.attempt}));
      }
    }
    if (live.empty()) return;
    const std::string task = live[prng_.below(live.size())];
    static constexpr TaskState states[] = {
        TaskState::running,     TaskState::running, TaskState::finished, TaskState::failed,
        TaskState::unreachable, TaskState::lost,    TaskState::dropped,  TaskState::unknown,
        TaskState::gone,        TaskState::killed};
    const TaskState state = states[prng_.below(std::size(states))];
    std::optional<std::int32_t> code;
    if (state == TaskState::finished) code = 0;
    if (state == TaskState::failed) code = 1;
    bench.update(task, state, code);
  }

  librm::Prng prng_;
  std::uint64_t names_ = 0;
};

BatchOptions small() {
  BatchOptions options;
  options.ended_jobs_max = 20;
  return options;
}

TEST(Recovery, ReplayEqualsTheStateAfterEveryStep) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    RandomLife life(seed, small());
    for (int i = 0; i < 250; ++i) {
      life.step();
      if (testing::Test::HasFailure()) return;
      ASSERT_EQ(replayed(life.bench.records, small()), life.bench.core->snapshot())
          << "seed " << seed << ", step " << i;
    }
  }
}

TEST(Recovery, ASnapshotAndAnyOlderTailReplayToTheSame) {
  RandomLife life(77, small());
  std::vector<BatchRecord> snapshot;
  std::size_t taken_at = 0;
  for (int i = 0; i < 400; ++i) {
    life.step();
    if (i == 250) {
      snapshot = life.bench.core->snapshot();
      taken_at = life.bench.records.size();
    }
  }
  const auto& records = life.bench.records;
  const auto expected = life.bench.core->snapshot();
  for (std::size_t from = 0; from <= taken_at; from += 7) {
    std::vector<BatchRecord> all = snapshot;
    all.insert(all.end(), records.begin() + static_cast<std::ptrdiff_t>(from), records.end());
    std::vector<BatchRecord> got = replayed(all, small());
    // Keys are kept in the order in which they were met.
    const auto is_key = [](const BatchRecord& r) {
      return std::holds_alternative<SubmissionKeyRecord>(r);
    };
    std::vector<BatchRecord> want = expected;
    got.erase(std::remove_if(got.begin(), got.end(), is_key), got.end());
    want.erase(std::remove_if(want.begin(), want.end(), is_key), want.end());
    ASSERT_EQ(got, want) << "from record " << from;
  }
}

TEST(Recovery, EveryPrefixIsAStateToResumeFrom) {
  RandomLife life(5, small());
  for (int i = 0; i < 150; ++i) life.step();
  const std::vector<BatchRecord> all = life.bench.records;
  for (std::size_t count = 0; count <= all.size(); ++count) {
    Bench bench(small());
    bench.clock = life.bench.clock;
    bench.records = all;
    bench.restart(count);
    bench.connect();  // checks the invariants after every step
    bench.flush();
    bench.offer(1, plenty);
    bench.pass(librm::seconds(60));
    ASSERT_EQ(replayed(bench.records, small()), bench.core->snapshot()) << "prefix " << count;
    if (testing::Test::HasFailure()) FAIL() << "prefix " << count;
  }
}

TEST(Recovery, NoTaskIdIsLaunchedTwiceWhereverTheCrashCame) {
  RandomLife life(11, small());
  for (int i = 0; i < 150; ++i) life.step();
  const std::vector<BatchRecord> all = life.bench.records;
  for (std::size_t count = 0; count <= all.size(); ++count) {
    std::set<std::string> intents;
    for (std::size_t i = 0; i < count; ++i) {
      const auto* record = std::get_if<LaunchRecord>(&all[i]);
      if (record == nullptr) continue;
      for (const auto& launch : record->launches) intents.insert(launch.attempt.latest.task);
    }
    Bench bench(small());
    bench.clock = life.bench.clock;
    bench.records = all;
    bench.restart(count);
    bench.connect();
    bench.pass(librm::seconds(60));
    bench.offer(1, plenty);
    for (const std::string& task : bench.launched()) {
      ASSERT_EQ(intents.count(task), 0u) << task << " at prefix " << count;
    }
  }
}

TEST(Recovery, WhatIsLiveIsAskedAbout) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("b")}).has_value());
  bench.offer(1, plenty);
  bench.finished("1.1.1");
  bench.restart();
  bench.connect();
  const auto asked = bench.sent<librm::ReconcileTasks>();
  ASSERT_EQ(asked.size(), 1u);
  ASSERT_EQ(asked[0].tasks.size(), 1u);
  EXPECT_EQ(asked[0].tasks[0].task, "2.1.1");
  EXPECT_EQ(bench.core->framework(), librm::FrameworkId{1});
  bench.offer(1, plenty);
  EXPECT_TRUE(bench.launched().empty()) << "it may be running";
}

TEST(Recovery, AParentsEndWithoutItsEdgesIsMadeUpFor) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("b").after("a"), job("c").after("a", EdgeKind::not_ok)})
                  .has_value());
  bench.offer(1, plenty);
  bench.finished("1.1.1");
  while (!std::holds_alternative<JobChangeRecord>(bench.records.back()) ||
         std::get<JobChangeRecord>(bench.records.back()).job != 1) {
    bench.records.pop_back();
  }
  bench.restart();
  bench.connect();
  EXPECT_EQ(bench.state(3), "cancelled: DependencyNeverSatisfied: job 1 (a) finished");
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"2.1.1"});
}

TEST(Recovery, ARetrysDelayGoesOn) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a").retries(1).retry_delay(librm::seconds(60))}).has_value());
  bench.offer(1, plenty);
  bench.failed("1.1.1");
  bench.pass(librm::seconds(20));
  bench.restart();
  bench.clock.wall = bench.clock.wall - librm::seconds(100'000);  // and somebody set the clock
  bench.connect();
  bench.pass(librm::seconds(59));
  bench.offer(1, plenty);
  EXPECT_TRUE(bench.launched().empty());
  bench.pass(librm::seconds(1));
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched(), std::vector<std::string>{"1.1.2"});
}

}  // namespace
}  // namespace batch::test
