// The tree of roles, what does not count for shares, and policies of one's own.
#include "librm/resource/fits.hpp"
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::request;
using test::resources;
using Texts = std::vector<std::string>;

TEST(RoleTree, SiblingsShareWhatTheirParentGets) {
  Cluster cluster;
  cluster.framework(1, {"eng/a"}).framework(2, {"eng/b"}).framework(3, {"ops"});
  for (std::uint64_t id = 1; id <= 8; ++id) cluster.agent(id, "cpus:1");
  std::map<std::uint64_t, int> count;
  for (const Offer& offer : cluster.run()) ++count[offer.framework.value];
  EXPECT_EQ(count[1] + count[2], 4);
  EXPECT_EQ(count[1], 2);
  EXPECT_EQ(count[3], 4);
}

TEST(RoleTree, ItsOwnFrameworksAreOneAmongItsChildren) {
  Cluster cluster;
  cluster.framework(1, {"eng"}).framework(2, {"eng"}).framework(3, {"eng/a"});
  for (std::uint64_t id = 1; id <= 4; ++id) cluster.agent(id, "cpus:1");
  EXPECT_EQ(cluster.run_shown(),
            (Texts{"f-1@a-1:cpus:1", "f-3@a-2:cpus:1", "f-2@a-3:cpus:1", "f-3@a-4:cpus:1"}));
}

TEST(RoleTree, WeightsCountAmongSiblings) {
  Cluster cluster;
  ASSERT_TRUE(cluster.allocator.set_weight("eng/a", 3000));
  cluster.framework(1, {"eng/a"}).framework(2, {"eng/b"}).framework(3, {"ops"});
  for (std::uint64_t id = 1; id <= 8; ++id) cluster.agent(id, "cpus:1");
  std::map<std::uint64_t, int> count;
  for (const Offer& offer : cluster.run()) ++count[offer.framework.value];
  EXPECT_EQ(count[1], 3);
  EXPECT_EQ(count[2], 1);
  EXPECT_EQ(count[3], 4);
}

TEST(RoleTree, WhatIsReservedForAParentIsForAllBelow) {
  Cluster cluster;
  cluster.framework(1, {"eng/a/b"}).framework(2, {"engine"}).agent(1, "cpus(eng):2");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus(eng):2"});
}

TEST(RoleTree, ParentsThatNobodyNamedGoWithTheirChildren) {
  Cluster cluster;
  cluster.framework(1, {"a/b/c"});
  EXPECT_EQ(cluster.allocator.roles().size(), 3u);
  cluster.allocator.remove_framework({1});
  EXPECT_TRUE(cluster.allocator.roles().empty());
}

TEST(RoleTree, FairSharesAddUpToThePool) {
  Cluster cluster;
  ASSERT_TRUE(cluster.allocator.set_weight("ops", 3000));
  cluster.framework(1, {"eng/a"}).framework(2, {"eng/b"}).framework(3, {"ops"});
  cluster.agent(1, "cpus:16");
  const auto roles = cluster.allocator.roles();
  EXPECT_EQ(to_string(roles[0].fair), "cpus:4");  // eng
  EXPECT_EQ(to_string(roles[1].fair), "cpus:2");
  EXPECT_EQ(to_string(roles[3].fair), "cpus:12");
}

TEST(RolesAllowed, AreThoseAndTheOnesBelow) {
  Cluster cluster({.roles = {"eng"}});
  EXPECT_TRUE(cluster.allocator.add_framework({1}, {"eng/a"}));
  EXPECT_EQ(cluster.allocator.add_framework({2}, {"engine"}).error().message,
            "framework f-2: role engine is not allowed here");
}

TEST(FairSharing, ExcludedResourcesDoNotCount) {
  Cluster cluster({.unfair = {"gpus"}});
  cluster.framework(1, {"a"}).framework(2, {"b"});
  cluster.agent(1, "cpus:2;gpus:1;mem:512").agent(2, "cpus:2;mem:512").agent(3, "cpus:1;mem:9");
  // With all GPUs the first still has the lower share of what counts.
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:2;gpus:1;mem:512", "f-2@a-2:cpus:2;mem:512",
                                        "f-1@a-3:cpus:1;mem:9"}));
}

TEST(MinAllocatable, LeavesWhatIsTooLittle) {
  Cluster cluster({.min_allocatable = {request("cpus:0.1"), request("mem:32")}});
  cluster.framework(1).agent(1, "cpus:0.05;mem:31").agent(2, "cpus:0.05;mem:32");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-2:cpus:0.05;mem:32"});
}

TEST(MinAllocatable, MayBeAFrameworksOwn) {
  Cluster cluster({.min_allocatable = {request("cpus:4")}});
  FrameworkWishes wishes;
  wishes.roles = {"*"};
  wishes.min_allocatable = {request("cpus:1")};
  ASSERT_TRUE(cluster.allocator.add_framework({2}, wishes));
  cluster.framework(1).agent(1, "cpus:2");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus:2"});
}

TEST(Revocable, GoesToWhoWantsIt) {
  Cluster cluster;
  Resources total = resources("cpus:1");
  total.add({.name = "cpus", .revocable = true, .value = Amount::units(7)});
  ASSERT_TRUE(cluster.allocator.add_agent({1}, "h", total, {}, {}));
  FrameworkWishes wishes;
  wishes.roles = {"*"};
  wishes.revocable = true;
  cluster.framework(1);
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1"});
  ASSERT_TRUE(cluster.allocator.add_framework({2}, wishes));
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus{revocable}:7"});
}

TEST(Sorters, FirstComeTakesAll) {
  const FirstComeSorter first_come;
  Cluster cluster({.framework_sorter = &first_come});
  cluster.framework(2).framework(1).agent(1, "cpus:1").agent(2, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-2@a-1:cpus:1", "f-2@a-2:cpus:1"}));
}

TEST(Sorters, RandomGivesEverybodySomething) {
  const RandomSorter random;
  Cluster cluster({.role_sorter = &random, .framework_sorter = &random});
  cluster.framework(1, {"a"}).framework(2, {"b"}).framework(3, {"b"});
  for (std::uint64_t id = 1; id <= 300; ++id) cluster.agent(id, "cpus:1");
  std::map<std::uint64_t, int> count;
  for (const Offer& offer : cluster.run()) ++count[offer.framework.value];
  EXPECT_GT(count[1], 100);
  EXPECT_GT(count[2], 40);
  EXPECT_GT(count[3], 40);
}

/// Of several policies in one page: the highest id first.
class LastId final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override { return a.name > b.name; }
};

TEST(Sorters, MayBeTheEmbeddersOwn) {
  const LastId last;
  Cluster cluster({.role_sorter = &last});
  cluster.framework(1, {"a"}).framework(2, {"b"}).agent(1, "cpus:1");
  EXPECT_EQ(cluster.one().role, "b");
}

class HeaviestFirst final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override {
    return a.weight_milli > b.weight_milli;
  }
};

TEST(Sorters, MayOrderByAWeightThatChangesWhileTheyWait) {
  const HeaviestFirst heaviest;
  Cluster cluster({.role_sorter = &heaviest});
  cluster.framework(1, {"web"}).framework(2, {"train"});
  ASSERT_TRUE(cluster.allocator.set_weight("web", 5000));
  cluster.agent(1, "cpus:4").agent(2, "cpus:4");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:4", "f-1@a-2:cpus:4"}));
  ASSERT_TRUE(cluster.allocator.set_weight("train", 6000));
  cluster.agent(3, "cpus:4");
  EXPECT_EQ(cluster.one().role, "train");
}

class GpusForWhoAsked final : public Filter {
 public:
  bool allows(const Candidate& agent, FrameworkId framework, std::string_view) const override {
    return agent.total->amount("gpus").milli == 0 || framework == FrameworkId{2};
  }
  std::string reason(const Candidate&, FrameworkId, std::string_view) const override {
    return "GPU agents are for frameworks that asked for GPUs";
  }
};

TEST(Filters, OfThePolicyExcludeAgents) {
  const GpusForWhoAsked filter;
  Cluster cluster({.filter = &filter});
  cluster.framework(1).framework(2).agent(1, "cpus:1;gpus:1").agent(2, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-2@a-1:cpus:1;gpus:1", "f-1@a-2:cpus:1"}));
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"), "GPU agents are for frameworks that asked for GPUs");
}

TEST(Wishes, MayChangeWhileOffersAreOut) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"}).agent(1, "cpus:1");
  const Offer offer = cluster.one();
  EXPECT_EQ(offer.role, "a");
  FrameworkWishes wishes;
  wishes.roles = {"c"};
  EXPECT_EQ(cluster.allocator.update_framework({1}, wishes).value(),
            std::vector<OfferId>{offer.id});
  EXPECT_EQ(cluster.one().role, "c");
  EXPECT_EQ(cluster.allocator.roles().size(), 1u);
}

}  // namespace
}  // namespace librm
