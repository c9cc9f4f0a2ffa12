// Reservations and volumes made while the cluster runs, by operators and by frameworks.
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::resources;
using Texts = std::vector<std::string>;

Operation reserve(std::string_view what, std::string role) {
  Operation operation;
  operation.resources = resources(what);
  operation.reservation.role = std::move(role);
  operation.reservation.dynamic = true;
  return operation;
}

Operation unreserve(std::string_view what, std::string role) {
  Operation operation = reserve(what, std::move(role));
  operation.kind = OperationKind::unreserve;
  return operation;
}

TEST(Operate, ReservesWhatIsFreeAndTakesOffersBack) {
  Cluster cluster;
  cluster.framework(1, {"dev"}).framework(2, {"prod"}).agent(1, "cpus:4");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:4"});
  EXPECT_EQ(cluster.allocator.operate({1}, reserve("cpus:3", "prod")).value(),
            std::vector<OfferId>{{1}});
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:1", "f-2@a-1:cpus(+prod):3"}));
}

TEST(Operate, FailsForWhatIsInUseNamingTheAmounts) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "cpus:3");
  EXPECT_EQ(cluster.allocator.operate({1}, reserve("cpus:2", "prod")).error().message,
            "agent a-1: cpus: need 2, 1 are not in use");
  EXPECT_EQ(cluster.allocator.operate({1}, reserve("cpus:9", "prod")).error().message,
            "agent a-1: reserve: cpus: need 9, free 4");
  EXPECT_EQ(cluster.allocator.operate({2}, reserve("cpus:9", "prod")).error().message,
            "agent a-2 is not known");
  cluster.expect_sound();
}

TEST(Operate, UnreservingGivesBackToWhoOwnedItBefore) {
  Cluster cluster;
  cluster.agent(1, "cpus(eng):4").framework(1, {"eng"}).framework(2, {"eng/backend"});
  ASSERT_TRUE(cluster.allocator.operate({1}, reserve("cpus(eng):3", "eng/backend")));
  EXPECT_EQ(cluster.run_shown(),
            (Texts{"f-1@a-1:cpus(eng):1", "f-2@a-1:cpus(eng>+eng/backend):3"}));
  ASSERT_TRUE(cluster.allocator.operate({1}, unreserve("cpus(eng>+eng/backend):3", "eng/backend")));
  EXPECT_EQ(to_string(*cluster.allocator.agent({1})->total), "cpus(eng):4");
  cluster.expect_sound();
}

TEST(Operate, ReservationsCountForQuotasAtOnce) {
  Cluster cluster;
  cluster.agent(1, "cpus:4");
  ASSERT_TRUE(cluster.allocator.set_quota("prod", {{{"cpus", Amount::units(2)}}, {}}));
  cluster.framework(1, {"dev"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2"});
  ASSERT_TRUE(cluster.allocator.operate({1}, reserve("cpus:2", "prod")));
  EXPECT_TRUE(cluster.run().empty());
  cluster.expect_sound();
}

TEST(AcceptWithOperations, ReservesAndLaunchesInOne) {
  Cluster cluster;
  cluster.framework(1, {"eng"}).agent(1, "cpus:4;disk:100");
  const Offer offer = cluster.one();
  const Allocator::Part part = {{offer.id},
                                {{resources("cpus(+eng):1"), {}}},
                                {reserve("cpus:2", "eng"), reserve("disk:50", "eng")}};
  const auto accepted = cluster.allocator.accept(part, cluster.now, {});
  ASSERT_TRUE(accepted) << accepted.error().message;
  cluster.expect_sound();
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2;cpus(+eng):1;disk:50;disk(+eng):50"});
}

TEST(AcceptWithOperations, IsRejectedAsAWhole) {
  Cluster cluster;
  cluster.framework(1, {"eng"}).agent(1, "cpus:4");
  const Offer offer = cluster.one();
  const auto refused = [&](const Operation& operation, std::string_view used) {
    const Allocator::Part part = {{offer.id}, {{resources(used), {}}}, {operation}};
    return cluster.allocator.accept(part, cluster.now, {}).error().message;
  };
  EXPECT_EQ(refused(reserve("cpus:2", "prod"), "cpus:1"),
            "reserve cpus:2 for +prod: it is offered to role eng");
  EXPECT_EQ(refused(reserve("cpus:5", "eng"), "cpus:1"),
            "agent a-1: reserve: cpus: need 5, free 4");
  EXPECT_EQ(refused(reserve("cpus:3", "eng"), "cpus:2"), "agent a-1: cpus: need 2, offered 1");
  EXPECT_NE(cluster.allocator.find_offer(offer.id), nullptr);
  EXPECT_EQ(to_string(*cluster.allocator.agent({1})->total), "cpus:4");
}

TEST(Volumes, ThatAreExclusiveGoToOneTask) {
  Cluster cluster;
  cluster.framework(1, {"eng"}).agent(1, "cpus:4;disk(eng)[db]:10");
  const Offer offer = cluster.one();
  cluster.accept(offer, "cpus:1;disk(eng)[db]:10");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:3"});
}

TEST(Volumes, ThatAreSharedAreOfferedAgainWhileInUse) {
  Cluster cluster;
  cluster.framework(1, {"eng"}).agent(1, "cpus:4;disk(eng)[db&]:10");
  cluster.accept(cluster.one(), "cpus:1;disk(eng)[db&]:10");
  const Offer again = cluster.one();
  EXPECT_EQ(test::shown(again), "f-1@a-1:cpus:3;disk(eng)[db&]:10");
  cluster.accept(again, "cpus:1;disk(eng)[db&]:10");
  cluster.release(1, 1, "cpus:1;disk(eng)[db&]:10", "eng");
  Operation destroy;
  destroy.kind = OperationKind::destroy_volume;
  destroy.resources = resources("disk(eng)[db&]:10");
  destroy.volume = {"db", true, ""};
  EXPECT_EQ(cluster.allocator.operate({1}, destroy).error().message,
            "agent a-1: volume db is in use");
  cluster.release(1, 1, "cpus:1;disk(eng)[db&]:10", "eng");
  ASSERT_TRUE(cluster.allocator.operate({1}, destroy));
  EXPECT_EQ(to_string(*cluster.allocator.agent({1})->total), "cpus:4;disk(eng):10");
  cluster.expect_sound();
}

}  // namespace
}  // namespace librm
