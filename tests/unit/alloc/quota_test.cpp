// Quotas: guarantees come first, limits hold, and what is guaranteed is kept free for it.
#include <algorithm>
#include <map>

#include "librm/base/prng.hpp"
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::resources;
using Texts = std::vector<std::string>;

Amounts amounts(std::string_view text) {
  Amounts all;
  const Resources read = resources(text);
  for (const Resource& entry : read.list()) all[entry.name] = amount_of(entry);
  return all;
}

Quota guarantee(std::string_view text) { return {amounts(text), {}}; }
Quota limit(std::string_view text) { return {{}, amounts(text)}; }
/// The same as guarantee and limit.
Quota exactly(std::string_view text) { return {amounts(text), amounts(text)}; }

Texts quota(Cluster& cluster, std::string_view role, const Quota& wanted, bool force = false) {
  const auto set = cluster.allocator.set_quota(role, wanted, force);
  cluster.expect_sound();
  if (!set) return {set.error().message};
  Texts rescinded;
  for (const OfferId id : *set) rescinded.push_back(to_string(id));
  return rescinded;
}

TEST(QuotaGuarantee, ComesBeforeALowerShare) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:2;mem:1024"), true);
  cluster.framework(1, {"prod"}).agent(1, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1;mem:512"});
  cluster.framework(2, {"dev"}).agent(2, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-2:cpus:1;mem:512"});
  cluster.agent(3, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-3:cpus:1;mem:512"});
}

TEST(QuotaGuarantee, AgentsAreCutToIt) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:0.5;mem:200"), true);
  cluster.framework(1, {"prod"}).framework(2, {"dev"}).agent(1, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:0.5;mem:200", "f-2@a-1:cpus:0.5;mem:312"}));
}

TEST(QuotaGuarantee, WhatIsNotGuaranteedComesWithIt) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:1"), true);
  cluster.framework(1, {"prod"}).framework(2, {"dev"});
  cluster.agent(1, "cpus:2;mem:512;ports:[1-9]");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:1;mem:512;ports:[1-9]", "f-2@a-1:cpus:1"}));
}

TEST(QuotaGuarantee, IsKeptFreeForWhoIsNotThereYet) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:2;mem:1024"), true);
  cluster.framework(1, {"dev"}).agent(1, "cpus:2;mem:1024").agent(2, "cpus:1;mem:512");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1;mem:512"});
  cluster.framework(2, {"prod"});
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-2@a-1:cpus:1;mem:512", "f-2@a-2:cpus:1;mem:512"}));
}

TEST(QuotaGuarantee, OfTwoRolesIsKeptForBoth) {
  Cluster cluster;
  quota(cluster, "a", guarantee("cpus:2"), true);
  quota(cluster, "b", guarantee("cpus:3"), true);
  cluster.framework(1, {"dev"}).agent(1, "cpus:4").agent(2, "cpus:4");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:3"});
  cluster.framework(2, {"b"}).framework(3, {"a"});
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-3@a-1:cpus:1", "f-2@a-2:cpus:3", "f-3@a-2:cpus:1"}));
}

TEST(QuotaGuarantee, IsKeptForWhoDeclined) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:2"), true);
  cluster.framework(1, {"prod"}).framework(2, {"dev"}).agent(1, "cpus:2").agent(2, "cpus:2");
  for (const Offer& offer : cluster.run()) {
    if (offer.framework == FrameworkId{1}) cluster.decline(offer, seconds(5));
  }
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.why(2, 1, "cpus:2", "dev"),
            "cpus: need 2, the cluster has 2 free and keeps 2 for guarantees");
  cluster.after(seconds(6));
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2"});
}

TEST(QuotaGuarantee, ReservedResourcesCount) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:2"), true);
  cluster.framework(1, {"dev"}).agent(1, "cpus(prod):1;cpus:1").agent(2, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1"});
}

TEST(QuotaGuarantee, WhatIsReservedForOthersIsNoHeadroom) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:1"), true);
  cluster.framework(1, {"dev"}).agent(1, "cpus(dev):4").agent(2, "cpus:1");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus(dev):4"});
}

TEST(QuotaGuarantee, TakesOffersBackTheLatestFirst) {
  Cluster cluster;
  cluster.framework(1, {"dev"}).agent(1, "cpus:2").agent(2, "cpus:2").agent(3, "cpus:2");
  EXPECT_EQ(cluster.run().size(), 3u);
  EXPECT_EQ(quota(cluster, "prod", guarantee("cpus:3")), (Texts{"o-3", "o-2"}));
  cluster.framework(2, {"prod"});
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-2@a-2:cpus:2", "f-2@a-3:cpus:1", "f-1@a-3:cpus:1"}));
}

TEST(QuotaGuarantee, OfAParentCoversItsChildren) {
  Cluster cluster;
  cluster.agent(1, "cpus:10");
  EXPECT_EQ(quota(cluster, "eng", guarantee("cpus:6")), Texts{});
  EXPECT_EQ(quota(cluster, "eng/backend", guarantee("cpus:4")), Texts{});
  cluster.framework(1, {"dev"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:4"});
  // The child's counts for its parent: of six, two are left for the others in eng.
  cluster.framework(2, {"eng/frontend"});
  EXPECT_EQ(cluster.run_shown(), Texts{"f-2@a-1:cpus:6"});
}

TEST(QuotaLimit, IsNeverExceededByAnOffer) {
  Cluster cluster;
  quota(cluster, "prod", exactly("cpus:3"), true);
  cluster.framework(1, {"prod"}).agent(1, "cpus:2;mem:8").agent(2, "cpus:2;mem:8");
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(test::shown(offers[1]), "f-1@a-2:cpus:1;mem:8");
  cluster.agent(3, "cpus:2;mem:8");
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.why(1, 3, "cpus:1", "prod"), "cpus: need 1, role prod has 3 of at most 3");
  cluster.decline(offers[0], seconds(3600));
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-2:cpus:1", "f-1@a-3:cpus:1;mem:8"}));
}

TEST(QuotaLimit, ExactToTheThousandth) {
  Cluster cluster;
  quota(cluster, "prod", limit("cpus:2.999"));
  cluster.framework(1, {"prod"}).agent(1, "cpus:3");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2.999"});
}

TEST(QuotaLimit, OfZeroForbidsThatResourceOnly) {
  Cluster cluster;
  Quota none;
  none.limits["gpus"] = Amount{};
  quota(cluster, "prod", none);
  cluster.framework(1, {"prod"}).agent(1, "cpus:2;gpus:1");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2"});
}

TEST(QuotaLimit, OfAParentHoldsForItsChildrenTogether) {
  Cluster cluster;
  quota(cluster, "eng", limit("cpus:3"));
  cluster.framework(1, {"eng/a"}).framework(2, {"eng/b"}).framework(3, {"eng"});
  cluster.agent(1, "cpus:2").agent(2, "cpus:2").agent(3, "cpus:2");
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-3@a-1:cpus:2", "f-1@a-2:cpus:1"}));
}

TEST(QuotaLimit, LeavesTheRestToOthers) {
  Cluster cluster;
  quota(cluster, "prod", limit("cpus:1"));
  cluster.framework(1, {"prod"}).agent(1, "cpus:4").framework(2, {"zeta"});
  EXPECT_EQ(cluster.run_shown(), (Texts{"f-1@a-1:cpus:1", "f-2@a-1:cpus:3"}));
}

TEST(QuotaLimit, WhoIsAtItStillGetsWhatIsReservedForIt) {
  Cluster cluster;
  quota(cluster, "prod", limit("cpus:2"), true);
  cluster.framework(1, {"prod"}).agent(1, "cpus(prod):2;cpus:4");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus(prod):2"});
}

TEST(QuotaLimit, RoomThatComesBackIsUsedOnAnotherAgent) {
  Cluster cluster;
  quota(cluster, "prod", limit("cpus:2"));
  cluster.framework(1, {"prod"}).agent(1, "cpus:2");
  cluster.accept(cluster.one(), "cpus:2");
  cluster.agent(2, "cpus:2");
  EXPECT_TRUE(cluster.run().empty());
  cluster.allocator.deactivate_agent({1});
  cluster.release(1, 1, "cpus:2", "prod");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-2:cpus:2"});
}

TEST(QuotaRefusal, NamesTheRoleTheLimitAndTheAmounts) {
  Cluster cluster;
  cluster.framework(1, {"prod"}).agent(1, "cpus:8");
  cluster.accept(cluster.one(), "cpus:4");
  cluster.run();
  EXPECT_EQ(quota(cluster, "prod", limit("cpus:3")),
            Texts{"role prod: cpus: limit 3 is below the 4 in use"});
  EXPECT_EQ(quota(cluster, "prod", {amounts("cpus:5"), amounts("cpus:4")}),
            Texts{"role prod: cpus: guarantee 5 is above the limit 4"});
  EXPECT_EQ(quota(cluster, "dev", guarantee("cpus:9")),
            Texts{"role dev: cpus: all guarantees together are 9, the cluster has 8"});
  EXPECT_EQ(quota(cluster, "*", limit("cpus:1")),
            Texts{"role *: what everybody may use has no quota"});
  EXPECT_EQ(quota(cluster, "prod", limit("cpus:6")), Texts{"o-2"});
  EXPECT_EQ(quota(cluster, "prod/x", guarantee("cpus:7")),
            Texts{"role prod/x: cpus: guarantee 7 is above the limit 6 of role prod"});
}

TEST(QuotaRefusal, LooksAtTheRolesBelowUnlessForced) {
  Cluster cluster;
  cluster.agent(1, "cpus:8");
  EXPECT_EQ(quota(cluster, "eng/db", guarantee("cpus:4")), Texts{});
  EXPECT_EQ(quota(cluster, "eng", limit("cpus:2")),
            Texts{"role eng: cpus: limit 2 is below the guarantee 4 of role eng/db"});
  EXPECT_EQ(quota(cluster, "eng", limit("cpus:2"), true), Texts{});
  EXPECT_EQ(quota(cluster, "eng/web", guarantee("cpus:3"), true), Texts{});
}

TEST(QuotaRefusal, ForceSetsALimitBelowWhatIsUsed) {
  Cluster cluster;
  cluster.framework(1, {"prod"}).agent(1, "cpus:8");
  cluster.accept(cluster.one(), "cpus:4");
  EXPECT_EQ(quota(cluster, "prod", limit("cpus:3"), true), Texts{});
  EXPECT_TRUE(cluster.run().empty());
  cluster.release(1, 1, "cpus:2", "prod");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:1"});
}

TEST(QuotaRemoval, GivesBackWhatWasKept) {
  Cluster cluster;
  quota(cluster, "prod", guarantee("cpus:2"), true);
  cluster.framework(1, {"dev"}).agent(1, "cpus:2");
  EXPECT_TRUE(cluster.run().empty());
  cluster.allocator.remove_quota("prod");
  EXPECT_EQ(cluster.run_shown(), Texts{"f-1@a-1:cpus:2"});
  EXPECT_EQ(cluster.allocator.roles().size(), 1u);
}

/// Random guarantees and limits, whatever they are worth.
Quota random_quota(Prng& random) {
  Quota quota;
  for (const char* name : {"cpus", "mem"}) {
    const std::int64_t limit = random.between(0, 6);
    if (random.below(2) == 0) quota.limits[name] = Amount::units(limit);
    if (random.below(2) == 0) quota.guarantees[name] = Amount::units(random.between(0, limit));
  }
  return quota;
}

TEST(QuotaProperty, WhoRefusesEverythingIsLeftInPeace) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Prng random(seed);
    Cluster cluster;
    for (const char* role : {"a", "a/x", "b"}) {
      (void)cluster.allocator.set_quota(role, random_quota(random), true);
    }
    for (std::uint64_t id = 1; id <= 2; ++id) {
      cluster.agent(id, "cpus:" + std::to_string(random.between(1, 4)) +
                            ";mem:" + std::to_string(random.between(1, 8)) +
                            (random.below(2) == 0 ? ";cpus(a):1" : ""));
    }
    cluster.framework(1, {"*", "a"}).framework(2, {"a/x", "b"}).framework(3, {"a"});
    int rounds = 0;
    for (auto offers = cluster.run(); !offers.empty(); offers = cluster.run()) {
      ASSERT_LT(++rounds, 20) << "seed " << seed << ": " << test::shown(offers.front());
      for (const Offer& offer : offers) cluster.decline(offer, seconds(3600));
    }
  }
}

/// Frameworks come, take, leave and refuse in any order; nobody but a forced change or an agent's
/// report breaks a limit, and what is guaranteed is free or in use.
TEST(QuotaProperty, NoQuotaIsBrokenInAnyOrderOfEvents) {
  const std::vector<std::string> roles = {"a", "b", "b/x", "b/y", "c"};
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Prng random(seed);
    Cluster cluster({.offer_timeout = seconds(1'000'000)});
    for (std::uint64_t id = 1; id <= 6; ++id) {
      cluster.agent(id, "cpus:" + std::to_string(random.between(1, 8)) + ";mem:16");
    }
    for (const std::string& role : roles) {
      Quota wanted;
      if (random.chance(1, 2)) wanted.guarantees["cpus"] = {random.between(1, 4000)};
      if (random.chance(1, 2)) wanted.limits["cpus"] = {random.between(1, 9000)};
      (void)cluster.allocator.set_quota(role, wanted);
    }
    for (std::uint64_t id = 1; id <= 8; ++id) cluster.framework(id, {roles[random.below(5)]});
    struct Held {
      Offer offer;
      Resources used;
    };
    std::vector<Held> held;
    std::vector<Offer> open;
    for (int step = 0; step < 200; ++step) {
      for (const Offer& offer : cluster.run()) open.push_back(offer);
      for (const auto& view : cluster.allocator.roles()) {
        if (!view.quota) continue;
        for (const auto& [name, most] : view.quota->limits) {
          ASSERT_LE(view.consumed.amount(name), most) << "seed " << seed << " " << view.role;
        }
      }
      if (!open.empty() && random.chance(2, 3)) {
        std::swap(open[random.below(open.size())], open.back());
        const Offer offer = open.back();
        open.pop_back();
        if (random.chance(1, 3)) {
          cluster.decline(offer, seconds(random.between(0, 20)));
        } else {
          const Resources used = Resources::scalar(
              "cpus",
              {random.between(1, std::max<std::int64_t>(1, offer.resources.amount("cpus").milli))});
          if (offer.resources.contains(used)) {
            cluster.accept(offer, to_string(used));
            held.push_back({offer, used});
          } else {
            cluster.decline(offer, seconds(1));
          }
        }
      } else if (!held.empty() && random.chance(1, 2)) {
        std::swap(held[random.below(held.size())], held.back());
        const Held one = held.back();
        held.pop_back();
        cluster.release(one.offer.framework.value, one.offer.agent.value, to_string(one.used),
                        one.offer.role);
      }
      cluster.after(seconds(random.between(0, 4)));
    }
  }
}

}  // namespace
}  // namespace librm
