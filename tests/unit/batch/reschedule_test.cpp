// What starts anew while agents are unreachable, and what does not while most of them are.
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;
using librm::TaskState;
using Names = std::vector<std::string>;

constexpr const char* plenty = "cpus:64;mem:65536";

/// Five nodes, of which the first `away` are unreachable.
ClusterShape nodes(std::uint64_t away, std::uint64_t count = 5) {
  ClusterShape shape;
  for (std::uint64_t n = 1; n <= count; ++n) {
    shape.nodes.push_back(node(n, plenty));
    shape.nodes.back().reachable = n > away;
  }
  return shape;
}

/// A job that runs on agent 1.
Bench running(JobSpec spec) {
  Bench bench;
  bench.connect();
  bench.step(nodes(0));
  (void)bench.submit({std::move(spec)});
  bench.offer(1, plenty);
  EXPECT_EQ(bench.launched().size(), 1u);
  bench.running("1.1.1");
  return bench;
}

TEST(PauseOfRescheduling, NeedsMoreThanTheShareAndAtLeastThree) {
  EXPECT_FALSE(pause_of_rescheduling({}, 50));
  EXPECT_FALSE(pause_of_rescheduling(nodes(2, 2), 50)) << "two are no sign of anything";
  EXPECT_EQ(pause_of_rescheduling(nodes(3, 3), 50).value(),
            "rescheduling is paused: 3 of 3 agents are unreachable, limit 50 %");
  EXPECT_FALSE(pause_of_rescheduling(nodes(4, 8), 50)) << "half is not more than half";
  EXPECT_TRUE(pause_of_rescheduling(nodes(5, 8), 50));
  EXPECT_FALSE(pause_of_rescheduling(nodes(8, 8), 100)) << "never";
  EXPECT_TRUE(pause_of_rescheduling(nodes(3, 100), 2));
}

TEST(PauseOfRescheduling, CountsTheSilentAndNotThoseThatAnOperatorTookDown) {
  ClusterShape shape = nodes(1);
  shape.nodes[1].silent = shape.nodes[2].silent = true;
  EXPECT_TRUE(pause_of_rescheduling(shape, 50));
  shape.nodes[0].down = true;
  EXPECT_FALSE(pause_of_rescheduling(shape, 50)) << "2 of 4";
}

TEST(Rescheduling, IsPausedWhileMostAgentsAreUnreachableAndSaysSo) {
  Bench bench = running(job("a").lost(LostPolicy::rerun));
  bench.step(nodes(3));
  bench.update("1.1.1", TaskState::unreachable);
  EXPECT_EQ(bench.state(1), "running: agent a-1 is unreachable; rescheduling is paused");
  EXPECT_EQ(
      bench.why(1),
      "started on a-1 (host-1) 0ms ago · agent a-1 is unreachable · rescheduling is paused: 3 "
      "of 5 agents are unreachable, limit 50 %");
  EXPECT_EQ(bench.core->why(*bench.core->find(1), bench.clock).details,
            Names{"policy 'rerun': started anew elsewhere when rescheduling goes on, unless its "
                  "agent is back"});
  bench.offer(5, plenty);
  EXPECT_TRUE(bench.launched().empty());
  bench.step(nodes(2));
  bench.flush();
  EXPECT_EQ(bench.state(1), "pending: agent a-1 is unreachable; launched anew by policy 'rerun'");
  bench.offer(4, plenty);
  EXPECT_EQ(bench.launched(), Names{"1.1.2"});
}

TEST(Rescheduling, OfARunThatCameBackDuringThePauseDoesNotHappen) {
  Bench bench = running(job("a").lost(LostPolicy::rerun));
  bench.step(nodes(3));
  bench.update("1.1.1", TaskState::unreachable);
  bench.running("1.1.1");
  bench.step(nodes(0));
  bench.flush();
  EXPECT_EQ(bench.state(1), "running");
  bench.offer(5, plenty);
  EXPECT_TRUE(bench.launched().empty());
}

TEST(Rescheduling, OfAFencedRunWaitsForTheEndOfThePauseAndOfItsOwnBound) {
  Bench bench = running(job("a").lost(LostPolicy::fence).fence_after(seconds(60)));
  bench.update("1.1.1", TaskState::unreachable);
  bench.step(nodes(3));
  bench.pass(seconds(100));
  EXPECT_EQ(bench.state(1), "running: agent a-1 is unreachable; rescheduling is paused");
  // Back and away again: the bound counts anew, whatever ends before.
  bench.running("1.1.1");
  bench.update("1.1.1", TaskState::unreachable);
  bench.step(nodes(1));
  bench.pass(seconds(50));
  EXPECT_EQ(bench.state(1), "running: agent a-1 is unreachable");
  bench.pass(seconds(30));
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
}

TEST(Rescheduling, OfAFencedRunGoesOnWithTheEndOfThePause) {
  Bench bench = running(job("a").lost(LostPolicy::fence).fence_after(seconds(60)));
  bench.update("1.1.1", TaskState::unreachable);
  bench.step(nodes(3));
  bench.pass(seconds(100));
  bench.step(nodes(1));
  bench.flush();
  EXPECT_EQ(bench.core->find(1)->state, JobState::pending);
}

TEST(Rescheduling, DoesNotKeepACancelledRun) {
  Bench bench = running(job("a").lost(LostPolicy::rerun));
  bench.step(nodes(3));
  bench.update("1.1.1", TaskState::unreachable);
  EXPECT_EQ(bench.cancel(1, "cancelled by anna"), "ok");
  bench.step(nodes(0));
  bench.flush();
  bench.offer(5, plenty);
  EXPECT_TRUE(bench.launched().empty());
}

}  // namespace
}  // namespace batch::test
