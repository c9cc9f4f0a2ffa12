// Who gets what: the examples of the DRF paper and of published allocators, ties, reservations.
#include <algorithm>
#include <map>

#include "librm/alloc/share.hpp"
#include "librm/resource/fits.hpp"
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::request;
using test::resources;
using Texts = std::vector<std::string>;

/// Progressive filling: each takes one task from an offer as long as it fits; returns the order
/// of the launches.
std::string fill(Cluster& cluster, const std::map<std::uint64_t, std::string>& tasks) {
  std::string order;
  for (auto offers = cluster.run(); !offers.empty(); offers = cluster.run()) {
    for (const Offer& offer : offers) {
      const std::string& task = tasks.at(offer.framework.value);
      if (fits(request(task), offer.resources, offer.role)) {
        cluster.decline(offer, seconds(3600), "too small");
      } else {
        cluster.accept(offer, task);
        order += static_cast<char>('A' + offer.framework.value - 1);
      }
    }
  }
  return order;
}

TEST(DrfPaper, MemoryBoundGetsThreeTasksCpuBoundTwo) {
  Cluster cluster;
  cluster.framework(1, {"A"}).framework(2, {"B"}).agent(1, "cpus:9;mem:18");
  EXPECT_EQ(fill(cluster, {{1, "cpus:1;mem:4"}, {2, "cpus:3;mem:1"}}), "ABABA");
  const auto roles = cluster.allocator.roles();
  EXPECT_EQ(to_string(roles[0].held), "cpus:3;mem:12");
  EXPECT_EQ(to_string(roles[1].held), "cpus:6;mem:2");
  const Resources total = cluster.allocator.total();
  EXPECT_EQ(dominant_share(roles[0].held, total, 1000), dominant_share(roles[1].held, total, 1000));
}

TEST(DrfPaper, TheSameWithinOneRole) {
  Cluster cluster;
  cluster.framework(1).framework(2).agent(1, "cpus:9;mem:18");
  EXPECT_EQ(fill(cluster, {{1, "cpus:1;mem:4"}, {2, "cpus:3;mem:1"}}), "ABABA");
}

TEST(DrfPaper, EachGetsAtLeastItsPartOfManyAgents) {
  // Agents are offered as a whole and tasks do not divide, so the split is not as even.
  Cluster cluster;
  cluster.framework(1, {"A"}).framework(2, {"B"});
  for (std::uint64_t id = 1; id <= 10; ++id) cluster.agent(id, "cpus:9;mem:18");
  fill(cluster, {{1, "cpus:1;mem:4"}, {2, "cpus:3;mem:1"}});
  for (const auto& role : cluster.allocator.roles()) {
    EXPECT_GE(dominant_share(role.held, cluster.allocator.total(), 1000), (Share{1, 2, 1000}));
  }
}

TEST(DrfWeights, TwiceTheWeightGetsFourToOne) {
  Cluster cluster;
  ASSERT_TRUE(cluster.allocator.set_weight("A", 2000));
  cluster.framework(1, {"A"}).framework(2, {"B"}).agent(1, "cpus:9;mem:18");
  const std::string order = fill(cluster, {{1, "cpus:1;mem:4"}, {2, "cpus:3;mem:1"}});
  EXPECT_EQ(std::count(order.begin(), order.end(), 'A'), 4);
  EXPECT_EQ(std::count(order.begin(), order.end(), 'B'), 1);
}

TEST(DrfWeights, ChangedWeightDecidesTheNextOffer) {
  Cluster cluster;
  cluster.framework(1, {"A"}).framework(2, {"B"});
  cluster.agent(1, "cpus:4", {{{1}, "A", resources("cpus:4")}});
  cluster.agent(2, "cpus:2", {{{2}, "B", resources("cpus:2")}});
  cluster.agent(3, "cpus:1");
  const Offer offer = cluster.one();
  EXPECT_EQ(offer.framework, FrameworkId{2});
  cluster.decline(offer, {});
  ASSERT_TRUE(cluster.allocator.set_weight("A", 3000));
  EXPECT_EQ(cluster.one().framework, FrameworkId{1});
}

TEST(DrfWeights, OutOfRangeIsRefused) {
  Cluster cluster;
  EXPECT_EQ(cluster.allocator.set_weight("A", 0).error().message,
            "role A: weight 0 is not within 1..1000000000 thousandths");
  EXPECT_FALSE(cluster.allocator.set_weight("A", 1'000'000'001));
  EXPECT_FALSE(cluster.allocator.set_weight("-a", 1000));
  EXPECT_TRUE(cluster.allocator.roles().empty());
}

TEST(DrfScript, UnreservedAgentsGoToTheLowestDominantShare) {
  Cluster cluster;
  cluster.framework(1, {"role1"}).framework(2, {"role2"});
  cluster.agent(1, "cpus:2;mem:1024");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2;mem:1024"});
  cluster.agent(2, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-2:cpus:1;mem:512"});
  cluster.agent(3, "cpus:3;mem:2048");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-3:cpus:3;mem:2048"});
  cluster.framework(3, {"role1"});
  cluster.agent(4, "cpus:4;mem:4096");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-3@a-4:cpus:4;mem:4096"});
  cluster.framework(4, {"role1"});
  cluster.agent(5, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-5:cpus:1;mem:512"});
}

TEST(DrfShare, EqualSharesOrderByRoleName) {
  Cluster cluster;
  cluster.framework(1, {"b"}).framework(2, {"a"}).agent(1, "cpus:1");
  EXPECT_EQ(cluster.one().role, "a");
}

TEST(DrfShare, EqualSharesInARoleOrderByFrameworkId) {
  Cluster cluster;
  cluster.framework(10).framework(9).agent(1, "cpus:1").agent(2, "cpus:1").agent(3, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-9@a-1:cpus:1", "f-10@a-2:cpus:1", "f-9@a-3:cpus:1"}));
}

TEST(DrfShare, OfferedCountsAsHeld) {
  Cluster cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"}).agent(1, "cpus:8").agent(2, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:8", "f-2@a-2:cpus:1"}));
  EXPECT_EQ(to_string(cluster.allocator.roles()[0].held), "cpus:8");
}

TEST(DrfShare, AGrowingPoolReordersWhoHoldsSomething) {
  Cluster cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  // a: 4 of 10 cpus; b: 3 of 6 mem; a is lower.
  cluster.agent(1, "cpus:10;mem:6",
                {{{1}, "a", resources("cpus:4")}, {{2}, "b", resources("mem:3")}});
  const Offer offer = cluster.one();
  EXPECT_EQ(offer.role, "a");
  cluster.decline(offer, {});
  // With much more mem, b's share is next to nothing.
  cluster.agent(2, "mem:1000");
  EXPECT_EQ(cluster.run()[0].role, "b");
}

TEST(DrfShare, ALeavingAgentTakesItsHoldingsOutOfTheShares) {
  Cluster cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  cluster.agent(1, "cpus:4", {{{1}, "a", resources("cpus:4")}});
  cluster.agent(2, "cpus:4", {{{2}, "b", resources("cpus:3")}});
  cluster.allocator.remove_agent({1});
  EXPECT_EQ(cluster.one().role, "a");
  EXPECT_EQ(to_string(cluster.allocator.total()), "cpus:4");
}

TEST(Reservations, GoToTheirRoleOnly) {
  Cluster cluster;
  cluster.framework(1, {"dev"}).framework(2, {"prod"});
  cluster.agent(1, "cpus:4;cpus(prod):2;mem(prod):64;cpus(nobody):8");
  // dev and prod tie, and dev is first: it gets what is unreserved, prod what is its own.
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:4", "f-2@a-1:cpus(prod):2;mem(prod):64"}));
  EXPECT_EQ(to_string(cluster.allocator.agent({1})->free), "cpus(nobody):8");
}

TEST(Reservations, TheOwnerGetsReservedAndUnreservedTogether) {
  Cluster cluster;
  cluster.framework(1, {"prod"}).agent(1, "cpus:4;cpus(prod):2;cpus(dev):1");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:4;cpus(prod):2"});
  cluster.framework(2, {"dev"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus(dev):1"});
}

TEST(Reservations, AreForTheRoleAndThoseBelowIt) {
  Cluster cluster;
  cluster.framework(1, {"eng/backend"}).framework(2, {"engine"});
  cluster.agent(1, "cpus(eng):2;cpus(eng/backend):3;cpus(eng/backend/x):1");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus(eng):2;cpus(eng/backend):3"});
}

TEST(Reservations, SharesOrderTheOwnersOfWhatIsLeft) {
  Cluster cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  cluster.agent(1, "mem:4", {{{1}, "a", resources("mem:4")}});
  cluster.agent(2, "cpus(a):1;cpus(b):1");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-2@a-2:cpus(b):1", "f-1@a-2:cpus(a):1"}));
}

TEST(Revocable, IsNotOffered) {
  Cluster cluster;
  Resources total = resources("cpus:1");
  total.add({.name = "cpus", .revocable = true, .value = Amount::units(7)});
  ASSERT_TRUE(cluster.allocator.add_agent({1}, "h", total, {}, {}));
  cluster.framework(1);
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1"});
  EXPECT_TRUE(cluster.run().empty());
}

}  // namespace
}  // namespace librm
