// Offers as leases: expiry, accept all or nothing, rescinding, and who ends them.
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::request;
using test::resources;
using test::shown;
using Texts = std::vector<std::string>;
using Ids = std::vector<OfferId>;

std::string accept_error(Cluster& cluster, const Ids& offers, std::string_view used) {
  const auto before = cluster.allocator.agents();
  const auto accepted = cluster.allocator.accept(offers, resources(used), cluster.now, seconds(5));
  if (accepted) return "accepted";
  const auto after = cluster.allocator.agents();
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].free, after[i].free) << "nothing changed";
    EXPECT_EQ(before[i].held, after[i].held) << "nothing changed";
    EXPECT_EQ(before[i].offered, after[i].offered) << "nothing changed";
  }
  return std::string(to_string(accepted.error().code)) + ": " + accepted.error().message;
}

TEST(Offers, CarryLeaseAndUnavailability) {
  Cluster cluster({.offer_timeout = seconds(7), .first_offer = OfferId{42}});
  cluster.framework(1).agent(1, "cpus:4").agent(2, "cpus:4");
  cluster.allocator.set_available_until({2}, WallTime{99});
  const auto offers = cluster.run();
  EXPECT_EQ(offers[0].id, OfferId{42});
  EXPECT_EQ(offers[1].id, OfferId{43});
  EXPECT_EQ(offers[0].expires, cluster.now + seconds(7));
  EXPECT_EQ(offers[0].available_until, std::nullopt);
  EXPECT_EQ(offers[1].available_until, WallTime{99});
  EXPECT_EQ(offers[0].earmark, std::nullopt);
  EXPECT_EQ(cluster.allocator.next_deadline(), cluster.now + seconds(7));
}

TEST(Accept, TakesNoMoreInAllItsPartsThanWasOffered) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  const Offer offer = cluster.one();
  const Use uses[] = {{resources("cpus:3"), {}}, {resources("cpus:2"), {}}};
  EXPECT_EQ(cluster.allocator.accept({{offer.id}}, uses, cluster.now, {}).error().message,
            "agent a-1: cpus: need 5, offered 4");
  EXPECT_NE(cluster.allocator.find_offer(offer.id), nullptr);
}

TEST(Offers, AreMadeOnce) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  EXPECT_EQ(cluster.run().size(), 1u);
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Offers, ExpireAtTheEndOfTheirLease) {
  Cluster cluster({.offer_timeout = seconds(7)});
  cluster.framework(1).agent(1, "cpus:4");
  const Offer offer = cluster.one();
  EXPECT_TRUE(cluster.allocator.expire(cluster.now + seconds(7) - nanoseconds(1)).empty());
  cluster.after(seconds(7));
  EXPECT_EQ(accept_error(cluster, {offer.id}, "cpus:1"), "stale: offer o-1 has expired");
  const auto expired = cluster.allocator.expire(cluster.now);
  ASSERT_EQ(expired.size(), 1u);
  EXPECT_EQ(shown(expired[0]), "f-1@a-1:cpus:4");
  cluster.expect_sound();
  EXPECT_EQ(cluster.one().id, OfferId{2});
}

TEST(Accept, HoldsWhatIsUsedAndFreesTheRest) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4;mem:8");
  const Offer offer = cluster.one();
  const auto accepted =
      cluster.allocator.accept({{offer.id}}, resources("cpus:1"), cluster.now, seconds(5));
  ASSERT_TRUE(accepted);
  EXPECT_EQ(accepted->framework, FrameworkId{1});
  EXPECT_EQ(accepted->agent, AgentId{1});
  EXPECT_EQ(accepted->role, "*");
  EXPECT_EQ(to_string(accepted->offered), "cpus:4;mem:8");
  const auto agent = cluster.allocator.agent({1});
  EXPECT_EQ(to_string(agent->held), "cpus:1");
  EXPECT_EQ(to_string(agent->free), "cpus:3;mem:8");
  EXPECT_TRUE(agent->offered.empty());
  EXPECT_EQ(cluster.allocator.find_offer(offer.id), nullptr);
  cluster.expect_sound();
}

TEST(Accept, TakesSeveralOffersOfOneAgentTogether) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4", {{{9}, "x", resources("cpus:2")}});
  cluster.run();
  cluster.release(9, 1, "cpus:2", "x");
  cluster.run();
  EXPECT_EQ(accept_error(cluster, {{1}, {2}}, "cpus:3"), "accepted");
  EXPECT_EQ(to_string(cluster.allocator.agent({1})->held), "cpus:3");
  EXPECT_TRUE(cluster.run().empty()) << "the rest is filtered";
}

TEST(Accept, FailsAsAWholeAndSaysWhy) {
  Cluster cluster;
  cluster.framework(1, {"a"}).agent(1, "cpus:4;cpus(prod):1").agent(2, "cpus:2.5");
  cluster.run();
  EXPECT_EQ(accept_error(cluster, {}, "cpus:1"), "invalid_argument: no offer is named");
  EXPECT_EQ(accept_error(cluster, {{1}, {7}}, "cpus:1"), "stale: offer o-7 is not outstanding");
  EXPECT_EQ(accept_error(cluster, {{1}, {1}}, "cpus:8"),
            "invalid_argument: offer o-1 is named twice");
  EXPECT_EQ(accept_error(cluster, {{1}, {2}}, "cpus:5"),
            "invalid_argument: offers of two agents, frameworks or roles cannot be accepted "
            "together: o-1 (a-1, f-1, role a) and o-2 (a-2, f-1, role a)");
  EXPECT_EQ(accept_error(cluster, {{2}}, "cpus:4"),
            "resource_exhausted: agent a-2: cpus: need 4, offered 2.5");
  EXPECT_EQ(accept_error(cluster, {{1}}, "cpus(prod):1"),
            "resource_exhausted: agent a-1: cpus(prod): need 1, offered 0");
  EXPECT_EQ(accept_error(cluster, {{1}}, "cpus:4"), "accepted");
  EXPECT_EQ(accept_error(cluster, {{1}}, "cpus:4"), "stale: offer o-1 is not outstanding");
}

TEST(Accept, RefusesOffersOfTwoRoles) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"}).agent(1, "cpus(a):1;cpus(b):1");
  EXPECT_EQ(cluster.run().size(), 2u);
  EXPECT_EQ(accept_error(cluster, {{1}, {2}}, "cpus(a):1"),
            "invalid_argument: offers of two agents, frameworks or roles cannot be accepted "
            "together: o-1 (a-1, f-1, role a) and o-2 (a-1, f-1, role b)");
}

TEST(Accept, OfNothingFreesTheOffer) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "", seconds(5));
  EXPECT_EQ(to_string(cluster.allocator.agent({1})->free), "cpus:4");
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Release, MakesTheNextOffer) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "cpus:4");
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(1, 1, "cpus:3");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:3"});
}

TEST(ReleaseDeathTest, OfWhatIsNotHeldEndsTheProcess) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  cluster.accept(cluster.one(), "cpus:1");
  EXPECT_DEATH(cluster.release(1, 1, "cpus:2"), "must be contained");
  EXPECT_DEATH(cluster.release(2, 1, "cpus:1"), "what is released was held");
  EXPECT_DEATH(cluster.release(1, 2, "cpus:1"), "what is released was held");
}

TEST(Hold, BooksWhatIsFree) {
  Cluster cluster;
  cluster.agent(1, "cpus:4");
  EXPECT_TRUE(cluster.allocator.hold({7}, {1}, "late", resources("cpus:3")));
  const auto refused = cluster.allocator.hold({7}, {1}, "late", resources("cpus:2"));
  EXPECT_EQ(refused.error().message, "agent a-1: cpus: need 2, free 1");
  EXPECT_EQ(cluster.allocator.hold({7}, {5}, "late", {}).error().message, "agent a-5 is not known");
  EXPECT_FALSE(cluster.allocator.hold({}, {1}, "late", resources("cpus:1")));
  EXPECT_FALSE(cluster.allocator.hold({7}, {1}, "a b", resources("cpus:1")));
  cluster.expect_sound();
  cluster.release(7, 1, "cpus:3", "late");
  EXPECT_TRUE(cluster.allocator.frameworks().empty()) << "nobody is left behind";
  EXPECT_TRUE(cluster.allocator.roles().empty());
}

TEST(Rescind, FreesTheOfferWithoutAFilter) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  const Offer offer = cluster.one();
  EXPECT_EQ(cluster.allocator.rescind(offer.id)->id, offer.id);
  EXPECT_FALSE(cluster.allocator.rescind(offer.id));
  EXPECT_EQ(cluster.one().id, OfferId{2});
}

TEST(Decline, OfWhatIsNotOutstandingIsStale) {
  Cluster cluster;
  const auto declined = cluster.allocator.decline({3}, cluster.now, seconds(5), "");
  EXPECT_EQ(declined.error(), (Error{ErrorCode::stale, "offer o-3 is not outstanding"}));
}

TEST(Suppress, StopsOffersUntilRevived) {
  Cluster cluster;
  cluster.framework(1, {"a", "b"}).agent(1, "cpus:4");
  cluster.allocator.suppress({1}, {"a"});
  const Offer offer = cluster.one();
  EXPECT_EQ(offer.role, "b");
  cluster.allocator.suppress({1}, {});
  EXPECT_NE(cluster.allocator.find_offer(offer.id), nullptr) << "outstanding offers stay";
  cluster.decline(offer, {});
  EXPECT_TRUE(cluster.run().empty());
  cluster.allocator.revive({1}, {"a"});
  EXPECT_EQ(cluster.one().role, "a");
}

TEST(Frameworks, ADisconnectedOneKeepsItsHoldingsAndGetsNothing) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4").agent(2, "cpus:4");
  const auto offers = cluster.run();
  cluster.accept(offers[0], "cpus:4");
  EXPECT_EQ(cluster.allocator.deactivate_framework({1}), Ids{offers[1].id});
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(to_string(cluster.allocator.frameworks()[0].held), "cpus:4");
  cluster.allocator.activate_framework({1});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-2:cpus:4"});
}

TEST(Frameworks, ARemovedOnesHoldingsStayUntilReleased) {
  Cluster cluster;
  cluster.framework(1).framework(2).agent(1, "cpus:4").agent(2, "cpus:4");
  const auto offers = cluster.run();
  cluster.accept(offers[0], "cpus:3");
  EXPECT_EQ(cluster.allocator.remove_framework({2}), Ids{offers[1].id});
  EXPECT_TRUE(cluster.allocator.remove_framework({1}).empty());
  EXPECT_TRUE(cluster.run().empty());
  ASSERT_EQ(cluster.allocator.frameworks().size(), 1u);
  EXPECT_FALSE(cluster.allocator.frameworks()[0].registered);
  cluster.release(1, 1, "cpus:3");
  EXPECT_TRUE(cluster.allocator.frameworks().empty());
}

TEST(Frameworks, HoldingsReportedBeforeRegistrationCount) {
  Cluster cluster;
  cluster.agent(1, "cpus:4", {{{1}, "a", resources("cpus:2")}});
  cluster.framework(2, {"a"}).framework(1, {"a"});
  EXPECT_EQ(cluster.one().framework, FrameworkId{2}) << "f-1 holds half of the pool";
}

TEST(Frameworks, BadRegistrationsAreRefused) {
  Cluster cluster;
  EXPECT_FALSE(cluster.allocator.add_framework({1}, FrameworkWishes{}));
  EXPECT_FALSE(cluster.allocator.add_framework({}, {"*"}));
  EXPECT_FALSE(cluster.allocator.add_framework({1}, {"good", "bad role"}));
  EXPECT_TRUE(cluster.allocator.roles().empty());
  cluster.framework(1);
  const auto again = cluster.allocator.add_framework({1}, {"*"});
  EXPECT_EQ(again.error(),
            (Error{ErrorCode::already_exists, "framework f-1 is registered already"}));
}

TEST(Frameworks, UnknownOnesAreIgnored) {
  Cluster cluster;
  cluster.allocator.suppress({4}, {});
  cluster.allocator.revive({4}, {"x"});
  cluster.allocator.activate_framework({4});
  EXPECT_FALSE(cluster.allocator.set_demands({4}, {Demand{}}));
  EXPECT_TRUE(cluster.allocator.remove_framework({4}).empty());
  EXPECT_TRUE(cluster.allocator.offers_of({4}).empty());
  EXPECT_TRUE(cluster.allocator.frameworks().empty());
}

TEST(Agents, ARemovedOneEndsItsOffersAndHoldings) {
  Cluster cluster;
  cluster.framework(1).framework(2, {"b"});
  cluster.agent(1, "cpus:4;cpus(b):2", {{{2}, "b", resources("cpus:1")}});
  cluster.agent(2, "cpus:1");
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 3u);
  EXPECT_EQ(cluster.allocator.remove_agent({1}), (Ids{offers[0].id, offers[1].id}));
  cluster.expect_sound();
  EXPECT_EQ(cluster.allocator.find_offer(offers[0].id), nullptr);
  EXPECT_EQ(cluster.allocator.agents().size(), 1u);
  EXPECT_TRUE(cluster.allocator.remove_agent({1}).empty());
}

TEST(Agents, AnInactiveOneIsNotOffered) {
  Cluster cluster;
  cluster.framework(1).agent(1, "cpus:4");
  const Offer offer = cluster.one();
  EXPECT_EQ(cluster.allocator.deactivate_agent({1}), Ids{offer.id});
  EXPECT_TRUE(cluster.run().empty());
  cluster.allocator.activate_agent({1});
  EXPECT_EQ(cluster.run().size(), 1u);
}

TEST(Agents, ImpossibleReportsAreRefusedAsAWhole) {
  Cluster cluster;
  const auto add = [&](std::uint64_t id, std::string_view total,
                       const std::vector<Allocator::Held>& held) {
    const auto added = cluster.allocator.add_agent({id}, "h", resources(total), {}, held);
    return added ? "added" : added.error().message;
  };
  EXPECT_EQ(add(1, "cpus:4", {{{1}, "*", resources("cpus:3")}, {{2}, "*", resources("cpus:2")}}),
            "agent a-1: held by f-2: cpus: need 2, free 1");
  EXPECT_EQ(add(1, "ports:[1-9]",
                {{{1}, "*", resources("ports:[1-3]")}, {{1}, "*", resources("ports:[3-4]")}}),
            "agent a-1: held by f-1: ports: need 2, free 1");
  EXPECT_EQ(add(0, "cpus:4", {}), "agent a-0: needs an id");
  EXPECT_EQ(add(1, "cpus:4", {{{}, "*", resources("cpus:1")}}), "held resources need a framework");
  EXPECT_TRUE(cluster.allocator.agents().empty());
  EXPECT_TRUE(cluster.allocator.frameworks().empty());
  EXPECT_EQ(add(1, "cpus:4", {}), "added");
  EXPECT_EQ(add(1, "cpus:4", {}), "agent a-1 is known");
}

TEST(Agents, ThePoolStaysWithinAnAmount) {
  Cluster cluster;
  cluster.agent(1, "cpus:999999999999");
  const auto added = cluster.allocator.add_agent({2}, "h", resources("cpus:1;mem:1"), {}, {});
  EXPECT_EQ(added.error().code, ErrorCode::resource_exhausted);
  EXPECT_EQ(added.error().message,
            "agent a-2: cpus: the cluster's total would reach 1000000000000");
  cluster.allocator.remove_agent({1});
  cluster.agent(2, "cpus:1;mem:1");
  EXPECT_EQ(to_string(cluster.allocator.total()), "cpus:1;mem:1");
}

TEST(Agents, ScalarNamesComeAndGo) {
  Cluster cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  for (std::uint64_t id = 1; id <= 50; ++id) {
    const std::string name = "n" + std::to_string(id) + ":8";
    cluster.agent(id, name);
    EXPECT_EQ(cluster.run_shown().size(), 1u);
    EXPECT_EQ(to_string(cluster.allocator.total()), name);
    cluster.allocator.remove_agent({id});
    EXPECT_TRUE(cluster.allocator.total().empty());
    cluster.expect_sound();
  }
}

TEST(Views, ShowRolesAndFrameworks) {
  Cluster cluster;
  cluster.framework(2, {"a", "b"}).framework(1, {"a"});
  ASSERT_TRUE(cluster.allocator.set_weight("c", 500));
  cluster.allocator.suppress({2}, {"b"});
  ASSERT_TRUE(cluster.allocator.set_demands(
      {2}, {Demand{.id = {5}, .role = "a", .shape = request("cpus:1")}}));
  const auto roles = cluster.allocator.roles();
  ASSERT_EQ(roles.size(), 3u);
  EXPECT_EQ(roles[0].frameworks, (std::vector<FrameworkId>{{1}, {2}}));
  EXPECT_EQ(roles[2].weight_milli, 500);
  const auto frameworks = cluster.allocator.frameworks();
  ASSERT_EQ(frameworks.size(), 2u);
  EXPECT_EQ(frameworks[1].roles, (Texts{"a", "b"}));
  EXPECT_EQ(frameworks[1].suppressed, Texts{"b"});
  ASSERT_EQ(frameworks[1].demands.size(), 1u);
  EXPECT_EQ(frameworks[1].demands.front().id, DemandId{5});
}

}  // namespace
}  // namespace librm
