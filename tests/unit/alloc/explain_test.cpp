// Why a request gets no offer: the reasons, their order and their amounts.
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::request;
using test::resources;

TEST(Explain, GivesOneEntryAnAgentInIdOrder) {
  Cluster cluster;
  cluster.framework(1).agent(2, "cpus:1").agent(10, "cpus:8").agent(1, "cpus:2");
  const auto entries = cluster.allocator.explain({1}, "*", request("cpus:2"), cluster.now);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].hostname, "host-1");
  EXPECT_TRUE(entries[0].fits);
  EXPECT_EQ(entries[1].reason, "cpus: need 2, agent has 1 in total");
  EXPECT_FALSE(entries[1].fits);
  EXPECT_TRUE(entries[2].fits);
}

TEST(Explain, NamesTheFirstReasonInOrder) {
  Cluster cluster;
  cluster.framework(1).framework(2).agent(1, "cpus:4;mem:64");
  cluster.allocator.suppress({2}, {});
  EXPECT_EQ(cluster.why(1, 1, "mem:64"), "fits");
  EXPECT_EQ(cluster.why(2, 1, "mem:64"), "suppressed: f-2 wants no offers in role *");
  const Offer offer = cluster.one();
  EXPECT_EQ(cluster.why(1, 1, "mem:64"), "fits") << "its own offer has it";
  EXPECT_EQ(cluster.why(2, 1, "mem:64"), "offered to f-1 for at most 30 s more");
  cluster.after(milliseconds(29'500));
  EXPECT_EQ(cluster.why(2, 1, "mem:64"), "offered to f-1 for at most 500 ms more");
  cluster.decline(offer, seconds(4), "cpus are too old");
  EXPECT_EQ(cluster.why(1, 1, "mem:64"), "declined: \"cpus are too old\" for 4 s more");
  ASSERT_TRUE(cluster.allocator.hold({9}, {1}, "x", resources("mem:16")));
  EXPECT_EQ(cluster.why(1, 1, "mem:64"), "mem: need 64, free 48");
  EXPECT_EQ(cluster.why(1, 1, "mem:65"), "mem: need 65, agent has 64 in total");
  cluster.allocator.deactivate_agent({1});
  EXPECT_EQ(cluster.why(1, 1, "mem:65"), "agent is inactive");
}

TEST(Explain, AFilterOutlivesAnOfferToSomebodyElse) {
  Cluster cluster;
  cluster.framework(1).framework(2).agent(1, "cpus:4");
  cluster.decline(cluster.one(), seconds(60), "");
  EXPECT_EQ(cluster.one().framework, FrameworkId{2});
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"), "declined: no reason given for 60 s more");
  EXPECT_EQ(cluster.after(seconds(60)).why(1, 1, "cpus:1"), "offered to f-2 for at most 0 ms more");
}

TEST(Explain, ABrokenFilterIsNoReason) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4", {{{9}, "x", resources("cpus:2")}});
  cluster.decline(cluster.one(), seconds(60), "too small");
  cluster.release(9, 1, "cpus:2", "x");
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"), "fits");
}

TEST(Explain, ReservationsOfOthersAreNotThere) {
  Cluster cluster;
  cluster.framework(1, {"dev"}).agent(1, "cpus:1;cpus(prod):8");
  EXPECT_EQ(cluster.why(1, 1, "cpus:2", "dev"), "cpus: need 2, agent has 1 in total");
  EXPECT_EQ(cluster.why(1, 1, "cpus:2", "prod"), "f-1 is not registered in role prod");
}

TEST(Explain, SaysWhoIsNotThere) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:1");
  EXPECT_EQ(cluster.why(7, 1, "cpus:1"), "f-7 is not registered");
  cluster.allocator.deactivate_framework({1});
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"), "f-1 is not connected");
}

TEST(Explain, LongReasonsAreCut) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:1");
  cluster.decline(cluster.one(), seconds(5), std::string(100'000, 'x'));
  EXPECT_EQ(cluster.why(1, 1, "cpus:1"),
            "declined: \"" + std::string(255, 'x') + "\" for 5 s more");
}

/// Refuses agents with an odd id.
class EvenPlacer final : public Placer {
 public:
  Result<Resources> place(const Demand& demand, AgentId agent,
                          const Resources& free) const override {
    if (agent.value % 2 == 0) return AnywherePlacer().place(demand, agent, free);
    return fail(ErrorCode::resource_exhausted, "no two cores share a cache");
  }
};

TEST(ExplainDemand, AsksAttributesFirstAndThePlacerLast) {
  const EvenPlacer placer;
  Cluster cluster({.placer = &placer});
  cluster.framework(1);
  const std::vector<Attributes> attributes = {
      {}, {{"rack", "r8"}}, {{"rack", "r7"}}, {{"rack", "r7"}}, {{"rack", "r7"}}};
  for (std::uint64_t id = 1; id <= attributes.size(); ++id) {
    ASSERT_TRUE(cluster.allocator.add_agent({id}, "h", resources(id == 5 ? "cpus:1" : "cpus:4"),
                                            attributes[id - 1], {}));
  }
  ASSERT_TRUE(cluster.allocator.set_demands(
      {1}, {Demand{.id = {5},
                   .role = "*",
                   .shape = request("cpus:2"),
                   .constraints = parse_constraints("rack == r7").value()}}));
  const auto entries = cluster.allocator.explain_demand({1}, {5}, cluster.now).value();
  EXPECT_EQ(entries[0].reason, "rack: agent has no rack");
  EXPECT_EQ(entries[1].reason, "rack: need r7, agent has r8");
  EXPECT_EQ(entries[2].reason, "no two cores share a cache");
  EXPECT_EQ(entries[3].reason, "fits");
  EXPECT_EQ(entries[4].reason, "cpus: need 2, agent has 1 in total");
  EXPECT_EQ(cluster.allocator.explain_demand({1}, {6}, cluster.now).error().message,
            "framework f-1: no demand d-6");
  EXPECT_FALSE(cluster.allocator.explain_demand({2}, {5}, cluster.now));
}

TEST(AnywherePlacer, TakesReservedFirstAndLowestPorts) {
  const Demand demand{.role = "prod", .shape = request("cpus:2;ports:1")};
  const auto placed =
      AnywherePlacer().place(demand, {1}, resources("cpus:4;cpus(prod):1;ports:[7-9]"));
  EXPECT_EQ(to_string(*placed), "cpus:1;cpus(prod):1;ports:[7-7]");
  EXPECT_EQ(AnywherePlacer().place(demand, {1}, {}).error().message, "cpus: need 2, free 0");
}

}  // namespace
}  // namespace librm
