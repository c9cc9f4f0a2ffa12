// The words in which a waiting job is explained.
#include "harness.hpp"

namespace batch::test {
namespace {

using librm::seconds;
using librm::TaskState;

TEST(WhyText, NoAgent) {
  Bench bench;
  bench.connect();
  ASSERT_TRUE(bench.submit({job("a")}).has_value());
  bench.pass(seconds(192));
  EXPECT_EQ(bench.why(1), "pending 3m12s · no agent is registered");
}

TEST(WhyText, NoSession) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a")}).has_value());
  bench.session(librm::Closed{{1}});
  EXPECT_EQ(bench.why(1), "pending 0ms · the batch front end has no session with the master");
}

TEST(WhyText, Dependencies) {
  Bench bench = connected();
  ASSERT_TRUE(bench
                  .submit({job("extract"), job("other"),
                           job("load").after("extract").after("other", EdgeKind::any)})
                  .has_value());
  bench.offer(1, "cpus:1;mem:1024");
  bench.running("1.1.1");
  EXPECT_EQ(bench.why(3), "pending 0ms · waits for job 1 (extract), running and 1 more");
  const Why why = bench.core->why(*bench.core->find(3), bench.clock);
  EXPECT_EQ(why.details.at(0), "waits for job 1 (extract), running, to finish");
  EXPECT_EQ(why.details.at(1), "waits for job 2 (other), pending, to end");
  EXPECT_TRUE(why.nodes.empty());
}

TEST(WhyText, ResourcesByAmountAndNode) {
  Bench bench = connected();
  bench.shape({node(1, "cpus:8;mem:65536"), node(2, "cpus:8;mem:65536"), node(3, "cpus:2;mem:512"),
               node(4, "cpus:8;mem:65536", {{"rack", "r2"}})});
  ASSERT_TRUE(bench.submit({job("holder").cpus(1).mem(60000)}).has_value());
  bench.offer(1, "cpus:8;mem:65536");
  ASSERT_EQ(bench.launched().size(), 1u);
  ASSERT_TRUE(bench.submit({job("a").cpus(8).mem(49152)}).has_value());
  EXPECT_EQ(bench.why(2),
            "pending 0ms · 2 of 4 agents fit; 2 short of cpus: need 8, most free 7 · waits for an "
            "offer");
  const Why why = bench.core->why(*bench.core->find(2), bench.clock);
  ASSERT_EQ(why.nodes.size(), 4u);
  EXPECT_EQ(why.nodes[0].reason, "cpus: need 8, free 7");
  EXPECT_TRUE(why.nodes[1].fits);
  EXPECT_EQ(why.nodes[1].hostname, "host-2");
}

TEST(WhyText, ConstraintsAndUnreachableAgents) {
  Bench bench = connected();
  ClusterShape::Node away = node(2, "cpus:8;mem:8192", {{"rack", "r1"}});
  away.reachable = false;
  bench.shape({node(1, "cpus:8;mem:8192"), away});
  ASSERT_TRUE(bench.submit({job("a").constraint("rack", "r1")}).has_value());
  EXPECT_EQ(bench.why(1),
            "pending 0ms · 0 of 2 agents fit; 2 not usable (constraint: needs rack r1, has none)");
}

TEST(WhyText, AgentsOutOfServiceAndBeforeMaintenance) {
  Bench bench = connected();
  ClusterShape::Node draining = node(1, "cpus:8;mem:8192");
  draining.out_of_service = "agent is draining: new kernel";
  ClusterShape::Node planned = node(2, "cpus:8;mem:8192");
  planned.available_until = bench.clock.wall + seconds(100);
  bench.shape({draining, planned});
  ASSERT_TRUE(bench.submit({job("long").time_limit(seconds(200)), job("short")}).has_value());
  EXPECT_EQ(bench.why(1),
            "pending 0ms · 0 of 2 agents fit; 2 not usable (agent is draining: new kernel)");
  const Why why = bench.core->why(*bench.core->find(1), bench.clock);
  EXPECT_EQ(why.nodes.at(1).reason,
            "planned maintenance begins in 1m40s, before its time limit would end it");
  EXPECT_TRUE(bench.core->why(*bench.core->find(2), bench.clock).nodes.at(1).fits);
}

TEST(WhyText, ItsTurn) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("b"), job("urgent").priority(1)}).has_value());
  EXPECT_EQ(bench.why(2),
            "pending 0ms · 1 of 1 agent fits · waits for its turn: 2 jobs of higher priority or "
            "earlier are ahead");
  EXPECT_EQ(bench.why(3), "pending 0ms · 1 of 1 agent fits · waits for an offer");
}

TEST(WhyText, RetryDelayAndTheLastFailure) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a").retries(5).retry_delay(seconds(60))}).has_value());
  bench.offer(1, "cpus:8;mem:8192");
  bench.failed("1.1.1", 3);
  bench.pass(seconds(48));
  EXPECT_EQ(bench.why(1), "pending 48s · next attempt in 12s: exit code 3; retry 1 of 5");
  const Why why = bench.core->why(*bench.core->find(1), bench.clock);
  EXPECT_EQ(why.details.back(), "attempt 1 on a-1 (host-1): exit code 3");
}

TEST(WhyText, RunningUnreachableHeldAndEnded) {
  Bench bench = connected();
  ASSERT_TRUE(bench.submit({job("a"), job("h").hold()}).has_value());
  EXPECT_EQ(bench.why(2), "held 0ms · held by its submitter");
  bench.offer(1, "cpus:8;mem:8192");
  EXPECT_EQ(bench.why(1), "being started on a-1 (host-1) since 0ms");
  bench.running("1.1.1");
  bench.pass(seconds(5));
  EXPECT_EQ(bench.why(1), "running 5s on a-1 (host-1)");
  bench.update("1.1.1", TaskState::unreachable);
  EXPECT_EQ(bench.why(1), "started on a-1 (host-1) 5s ago · agent a-1 is unreachable");
  EXPECT_EQ(bench.cancel(1, "cancelled by anna"), "ok");
  EXPECT_EQ(bench.why(1),
            "started on a-1 (host-1) 5s ago · agent a-1 is unreachable · is being cancelled: "
            "cancelled by anna");
  EXPECT_EQ(bench.cancel(2, "cancelled by anna"), "ok");
  EXPECT_EQ(bench.why(2), "cancelled 0ms ago · cancelled by anna");
}

}  // namespace
}  // namespace batch::test
