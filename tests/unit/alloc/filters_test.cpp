// Decline filters: how long they hold, what breaks them, and what they cost.
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::resources;
using Texts = std::vector<std::string>;

TEST(Filters, HoldUntilTheirEndAndNotLonger) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(5));
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.allocator.next_deadline(), cluster.now + seconds(5));
  EXPECT_TRUE(cluster.after(seconds(5) - nanoseconds(1)).run().empty());
  EXPECT_EQ(cluster.after(nanoseconds(1)).run_shown(), Texts{"f-1@a-1:cpus:4"});
}

TEST(Filters, ZeroAndNegativeMeanNone) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(0));
  cluster.decline(cluster.one(), seconds(-5));
  EXPECT_EQ(cluster.run().size(), 1u);
}

TEST(Filters, AreCappedAtTheMaximum) {
  Cluster cluster({.refuse_for_max = seconds(60)});
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), Duration{INT64_MAX});
  EXPECT_EQ(cluster.allocator.next_deadline(), cluster.now + seconds(60));
  EXPECT_EQ(cluster.after(seconds(60)).run().size(), 1u);
}

TEST(Filters, ConcernOneFrameworkRoleAndAgent) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"}).agent(1, "cpus:4");
  const Offer first = cluster.one();
  EXPECT_EQ(first.role, "a");
  cluster.decline(first, seconds(5));
  const Offer second = cluster.one();
  EXPECT_EQ(second.role, "b");
  cluster.decline(second, seconds(5));
  EXPECT_TRUE(cluster.run().empty());
  cluster.framework(2, {"a"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus:4"});
  cluster.agent(2, "cpus:4");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-2:cpus:4"});
}

TEST(Filters, BreakWhenMoreIsFree) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4", {{{9}, "x", resources("cpus:2")}});
  cluster.decline(cluster.one(), seconds(500));
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(9, 1, "cpus:1", "x");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:3"});
}

TEST(Filters, HoldWhenLessOrAsMuchIsFree) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(500));
  ASSERT_TRUE(cluster.allocator.hold({9}, {1}, "x", resources("cpus:3")));
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(9, 1, "cpus:3", "x");
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Filters, BreakByAnotherKindOfResource) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4;ports:[1-9]", {{{9}, "x", resources("ports:[9-9]")}});
  cluster.decline(cluster.one(), seconds(500));
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(9, 1, "ports:[9-9]", "x");
  EXPECT_EQ(cluster.run().size(), 1u);
}

TEST(Filters, LookOnlyAtWhatTheRoleMayUse) {
  Cluster cluster;
  cluster.framework(1, {"dev"});
  cluster.agent(1, "cpus:4;cpus(prod):4", {{{9}, "prod", resources("cpus(prod):4")}});
  cluster.decline(cluster.one(), seconds(500));
  cluster.release(9, 1, "cpus(prod):4", "prod");
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Filters, OfOneRefusalAreJudgedForEachRole) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"})
      .agent(1, "cpus:2;cpus(b):1", {{{9}, "b", resources("cpus(b):1")}});
  cluster.decline(cluster.one(), seconds(500));
  cluster.decline(cluster.one(), seconds(500));
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(9, 1, "cpus(b):1", "b");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2;cpus(b):1"});
}

TEST(Filters, HoldAgainForTheOthersOnceLessIsFree) {
  // f-2's offer leaves just the reserved part, which f-1 refused before.
  Cluster cluster;
  cluster.framework(1, {"a"}).agent(1, "cpus(a):2;mem:8", {{{9}, "x", resources("mem:8")}});
  cluster.decline(cluster.one(), seconds(500));
  cluster.release(9, 1, "mem:8", "x");
  ASSERT_TRUE(cluster.allocator.set_weight("a", 1));
  cluster.agent(2, "disk:1", {{{1}, "a", resources("disk:1")}});
  cluster.framework(2, {"b"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:mem:8"});
}

TEST(Filters, ReviveClearsThem) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"}).agent(1, "cpus:4").agent(2, "cpus:4");
  for (int i = 0; i < 2; ++i) {
    for (const Offer& offer : cluster.run()) cluster.decline(offer, seconds(500));
  }
  EXPECT_TRUE(cluster.run().empty());
  cluster.allocator.revive({1}, {"b"});
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0].role, "b");
  EXPECT_EQ(offers[1].role, "b");
  for (const Offer& offer : offers) cluster.decline(offer, seconds(500));
  cluster.allocator.revive({1}, {});
  EXPECT_EQ(cluster.run().size(), 2u);
}

TEST(Filters, ReviveLeavesNoDeadlineBehind) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(5));
  cluster.allocator.suppress({1}, {});
  cluster.allocator.revive({1}, {});
  cluster.allocator.suppress({1}, {});
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.allocator.next_deadline(), std::nullopt);
}

TEST(Filters, TheNextOneGetsWhatWasDeclined) {
  Cluster cluster;
  cluster.framework(1).framework(2).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(5));
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus:4"});
}

TEST(Filters, TwoDeclinedOffersOfOneAgentDoNotBreakEachOther) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4", {{{9}, "x", resources("cpus:2")}});
  const Offer first = cluster.one();
  cluster.release(9, 1, "cpus:2", "x");
  const Offer second = cluster.one();
  cluster.decline(first, seconds(5));
  cluster.decline(second, seconds(5));
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Filters, ALaterDeclineReplacesAnEarlierOne) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4", {{{9}, "x", resources("cpus:2")}});
  cluster.decline(cluster.one(), seconds(500), "first");
  cluster.release(9, 1, "cpus:2", "x");
  cluster.decline(cluster.one(), seconds(5), "second");
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"), "declined: \"second\" for 5 s more");
  EXPECT_EQ(cluster.allocator.next_deadline(), cluster.now + seconds(5));
  EXPECT_EQ(cluster.after(seconds(5)).run().size(), 1u);
}

TEST(Filters, TheRestOfAnAcceptedOfferIsFiltered) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "cpus:1", seconds(5));
  EXPECT_TRUE(cluster.run().empty());
  cluster.framework(2);
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus:3"});
}

TEST(Filters, TheRestOfAnAcceptedOfferComesBackWithoutOne) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "cpus:1", seconds(0));
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:3"});
}

TEST(Filters, EndWithTheConnection) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(500));
  cluster.allocator.deactivate_framework({1});
  cluster.allocator.activate_framework({1});
  EXPECT_EQ(cluster.run().size(), 1u);
}

TEST(Filters, EndWithTheAgent) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(500));
  cluster.allocator.remove_agent({1});
  EXPECT_EQ(cluster.allocator.next_deadline(), std::nullopt);
  cluster.agent(1, "cpus:4");
  EXPECT_EQ(cluster.run().size(), 1u);
}

TEST(Filters, AnEarlierClockDoesNotBringThemBack) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(5));
  EXPECT_EQ(cluster.allocator.run(cluster.now + seconds(5)).size(), 1u);
  const auto offers = cluster.allocator.offers_of({1});
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_TRUE(cluster.allocator.decline(offers[0]->id, cluster.now, seconds(5), ""));
  EXPECT_EQ(cluster.allocator.next_deadline(), cluster.now + seconds(10));
}

}  // namespace
}  // namespace librm
