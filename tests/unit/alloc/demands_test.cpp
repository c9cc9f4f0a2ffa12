// Demands and earmarks: gangs start together, wait no longer than was promised, and block nobody
// for good.
#include <algorithm>
#include <map>
#include <optional>

#include "librm/base/prng.hpp"
#include "support.hpp"

namespace librm {
namespace {

using test::Cluster;
using test::request;
using test::resources;
using Texts = std::vector<std::string>;

/// A demand in few words: `gang(1, "cpus:4").nodes(2)`.
struct Gang : Demand {
  Gang(std::uint64_t number, std::string_view wanted) {
    id = {number};
    role = "*";
    shape = request(wanted);
  }
  Gang& nodes(std::uint32_t min, std::uint32_t max = 0) {
    count_min = min;
    count_max = std::max(min, max);
    return *this;
  }
  Gang& in(std::string_view name) {
    role = name;
    return *this;
  }
  Gang& on_one(std::string attribute) {
    same = std::move(attribute);
    return *this;
  }
  Gang& at_most(std::uint32_t nodes, std::string attribute) {
    constraints.push_back({std::move(attribute), ConstraintKind::max_per, "", nodes});
    return *this;
  }
};

class Planned : public Cluster {
 public:
  using Cluster::Cluster;
  Planned& demand(std::uint64_t framework, std::vector<Demand> demands) {
    const auto set = allocator.set_demands({framework}, std::move(demands));
    EXPECT_TRUE(set) << set.error().message;
    return *this;
  }
  /// Held by framework 9 for so many seconds; 0: nobody knows how long.
  Planned& busy(std::uint64_t id, std::string_view total, std::string_view held, int for_seconds,
                Attributes attributes = {}) {
    std::optional<Instant> until;
    if (for_seconds > 0) until = now + seconds(for_seconds);
    const auto added =
        allocator.add_agent({id}, "host-" + std::to_string(id), resources(total),
                            std::move(attributes), {{{9}, "*", resources(held), until}});
    EXPECT_TRUE(added) << added.error().message;
    return *this;
  }
  Planned& in_rack(std::uint64_t id, std::string_view total, const std::string& rack) {
    EXPECT_TRUE(allocator.add_agent({id}, "h", resources(total), {{"rack", rack}}, {}));
    return *this;
  }
  void ends(std::uint64_t id, std::string_view what, int at_seconds) {
    allocator.release({9}, {id}, "*", resources(what),
                      Instant{1'000'000'000} + seconds(at_seconds));
    expect_sound();
  }
  /// `e-1 on a-1 a-2 after 60 s, 1 ready`.
  Texts earmarks() const {
    Texts texts;
    for (const auto& view : allocator.earmarks()) {
      std::string text = to_string(view.earmark) + " on";
      for (const AgentId agent : view.agents) text += ' ' + to_string(agent);
      text += view.starts
                  ? " after " +
                        std::to_string((*view.starts - Instant{1'000'000'000}).ns / 1'000'000'000) +
                        " s"
                  : " some time";
      texts.push_back(text + ", " + std::to_string(view.ready) + " ready");
    }
    return texts;
  }
  Texts rescinded() {
    Texts texts;
    for (const OfferId id : allocator.take_rescinded()) texts.push_back(to_string(id));
    return texts;
  }
};

TEST(Gangs, AreOfferedTogetherWhenAllNodesAreFree) {
  Planned cluster;
  cluster.framework(1);
  cluster.agent(1, "cpus:4").agent(2, "cpus:8").agent(3, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:4").nodes(3)});
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 4u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(offers[i].earmark, EarmarkId{1});
  EXPECT_EQ(test::shown(offers[1]), "f-1@a-2:cpus:4");
  EXPECT_EQ(offers[3].earmark, std::nullopt);
  EXPECT_TRUE(cluster.earmarks().empty());
}

TEST(Gangs, TakeMoreNodesWhereTheyAreFree) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:2").agent(2, "cpus:2").agent(3, "cpus:1");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(1, 4)});
  const auto offers = cluster.run();
  EXPECT_EQ(std::count_if(offers.begin(), offers.end(),
                          [](const Offer& offer) { return offer.earmark.has_value(); }),
            2);
}

TEST(Gangs, AreAcceptedTogetherOrNotAtAll) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:2").agent(2, "cpus:2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 2u);
  const auto alone =
      cluster.allocator.accept({{offers[0].id}}, resources("cpus:2"), cluster.now, {});
  EXPECT_EQ(alone.error().message,
            "offer o-1 is one of 2 of e-1, a gang of at least 2: accept them together");
  std::vector<Allocator::Part> parts = {{{offers[0].id}, {{resources("cpus:2"), {}}}}};
  EXPECT_EQ(cluster.allocator.accept_together(parts, cluster.now, {}).error().message,
            "e-1: a gang of at least 2, 1 of its offers are accepted");
  parts.push_back({{offers[1].id}, {{resources("cpus:3"), {}}}});
  EXPECT_EQ(cluster.allocator.accept_together(parts, cluster.now, {}).error().message,
            "agent a-2: cpus: need 3, offered 2");
  cluster.expect_sound();
  parts[1].uses[0].resources = resources("cpus:2");
  const auto done = cluster.allocator.accept_together(parts, cluster.now, {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->size(), 2u);
  EXPECT_EQ(to_string(cluster.allocator.agent({2})->held), "cpus:2");
  EXPECT_TRUE(cluster.run().empty());
}

TEST(Gangs, ThatLoseAnAgentLoseAllOffersAndWaitAnew) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:2").agent(2, "cpus:2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  EXPECT_EQ(cluster.run().size(), 2u);
  EXPECT_EQ(cluster.allocator.remove_agent({2}), std::vector<OfferId>{{2}});
  EXPECT_EQ(cluster.rescinded(), Texts{"o-1"});
  cluster.agent(3, "cpus:2");
  const auto offers = cluster.run();
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[1].agent, AgentId{3});
  EXPECT_TRUE(offers[1].earmark);
}

TEST(Gangs, ThatAreDeclinedGetNoOtherEarmarkForThatTime) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:2").agent(2, "cpus:2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  cluster.decline(cluster.run()[0], seconds(60));
  EXPECT_EQ(cluster.rescinded(), Texts{"o-2"});
  for (const Offer& offer : cluster.run()) EXPECT_FALSE(offer.earmark);
  EXPECT_LE(*cluster.allocator.next_deadline(), cluster.now + seconds(60));
  cluster.after(seconds(60));
  cluster.allocator.expire(cluster.now);
  EXPECT_TRUE(cluster.run()[0].earmark);
}

TEST(Gangs, StayOnOneValueOfAnAttribute) {
  Planned cluster;
  cluster.framework(1);
  cluster.in_rack(1, "cpus:2", "r1").in_rack(2, "cpus:2", "r2").in_rack(3, "cpus:2", "r2");
  cluster.agent(4, "cpus:2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2).on_one("rack")});
  const auto offers = cluster.run();
  EXPECT_EQ(offers[0].agent, AgentId{2});
  EXPECT_EQ(offers[1].agent, AgentId{3});
  EXPECT_EQ(offers[1].earmark, EarmarkId{1});
}

TEST(Gangs, SpreadOverValuesOfAnAttribute) {
  Planned cluster;
  cluster.framework(1);
  cluster.in_rack(1, "cpus:2", "r1").in_rack(2, "cpus:2", "r1").in_rack(3, "cpus:2", "r2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2).at_most(1, "rack")});
  const auto offers = cluster.run();
  EXPECT_EQ(offers[0].agent, AgentId{1});
  EXPECT_EQ(offers[1].agent, AgentId{3});
}

TEST(Earmarks, WaitForTheAgentsThatAreFreeFirst) {
  Planned cluster;
  cluster.framework(1);
  cluster.busy(1, "cpus:4", "cpus:4", 300).busy(2, "cpus:4", "cpus:4", 60);
  cluster.busy(3, "cpus:4", "cpus:4", 0).busy(4, "cpus:4", "cpus:4", 120);
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2)});
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.earmarks(), Texts{"e-1 on a-2 a-4 after 120 s, 0 ready"});
  cluster.after(seconds(60));
  cluster.ends(2, "cpus:4", 60);
  const auto lent = cluster.one();
  EXPECT_EQ(lent.lent_until, Instant{1'000'000'000} + seconds(120));
  EXPECT_EQ(cluster.earmarks(), Texts{"e-1 on a-2 a-4 after 120 s, 1 ready"});
  cluster.after(seconds(50));
  cluster.ends(4, "cpus:4", 120);
  const auto offers = cluster.run();
  EXPECT_EQ(cluster.rescinded(), Texts{"o-1"});
  ASSERT_EQ(offers.size(), 2u);
  EXPECT_EQ(offers[0].earmark, EarmarkId{1});
}

TEST(Earmarks, LendWhatTheyWaitWithToWhatEndsInTime) {
  Planned cluster;
  cluster.framework(1);
  cluster.busy(1, "cpus:4", "cpus:4", 100).agent(2, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2)});
  const Offer lent = cluster.one();
  ASSERT_TRUE(lent.lent_until);
  EXPECT_EQ(*lent.lent_until, cluster.now + seconds(100));
  const Use open_ended{resources("cpus:1"), std::nullopt};
  EXPECT_EQ(cluster.allocator.accept({{lent.id}}, std::span(&open_ended, 1), cluster.now, {})
                .error()
                .message,
            "offer o-1 is lent for 100 s: what is launched has no known end");
  const Use too_long{resources("cpus:1"), cluster.now + seconds(130)};
  EXPECT_EQ(cluster.allocator.accept({{lent.id}}, std::span(&too_long, 1), cluster.now, {})
                .error()
                .message,
            "offer o-1 is lent for 100 s: what is launched ends 30 s later");
  const Use in_time{resources("cpus:4"), cluster.now + seconds(90)};
  ASSERT_TRUE(cluster.allocator.accept({{lent.id}}, std::span(&in_time, 1), cluster.now, {}));
  EXPECT_TRUE(cluster.run().empty());
  // Neither may start alone: the other agent is still waited for.
  cluster.after(seconds(90));
  cluster.allocator.release(lent.framework, {2}, lent.role, resources("cpus:4"),
                            Instant{1'000'000'000} + seconds(90));
  for (const Offer& offer : cluster.run()) EXPECT_TRUE(offer.lent_until);
  cluster.after(seconds(10));
  cluster.ends(1, "cpus:4", 100);
  const auto offers = cluster.run();
  EXPECT_EQ(std::count_if(offers.begin(), offers.end(),
                          [](const Offer& offer) { return offer.earmark.has_value(); }),
            2);
}

TEST(Earmarks, ThatStartTogetherStayWithinTheLimitOfTheirParent) {
  Planned cluster;
  cluster.agent(1, "cpus:4").agent(2, "cpus:4");
  ASSERT_TRUE(cluster.allocator.set_quota("p", {{}, {{"cpus", Amount::units(4)}}}));
  cluster.framework(1, {"p/a"}).framework(2, {"p/b"});
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2).in("p/a")});
  cluster.demand(2, {Gang(1, "cpus:2").nodes(2).in("p/b")});
  EXPECT_EQ(cluster.run().size(), 2u);
  EXPECT_EQ(to_string(cluster.allocator.roles()[0].consumed), "cpus:4");
}

TEST(Earmarks, TakeMoreNodesWithinTheirLimitOnly) {
  Planned cluster;
  cluster.agent(1, "cpus:4").agent(2, "cpus:4").agent(3, "cpus:4");
  ASSERT_TRUE(cluster.allocator.set_quota("p", {{}, {{"cpus", Amount::units(8)}}}));
  cluster.framework(1, {"p"});
  cluster.demand(1, {Gang(1, "cpus:4").nodes(1, 3).in("p")});
  EXPECT_EQ(cluster.run().size(), 2u);
}

TEST(Earmarks, DrainWhereEndsAreUnknown) {
  Planned cluster;
  cluster.framework(1).framework(2, {"other"});
  cluster.allocator.suppress({2}, {});
  cluster.busy(1, "cpus:4", "cpus:4", 0).agent(2, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2)});
  EXPECT_TRUE(cluster.run().empty());
  EXPECT_EQ(cluster.earmarks(), Texts{"e-1 on a-1 a-2 some time, 1 ready"});
  EXPECT_EQ(cluster.why(2, 2, "cpus:1", "other"),
            "kept for e-1 of f-1 in role *, whose start is not known");
}

TEST(Earmarks, AskForPreemptionWhenTheyHaveWaitedTooLong) {
  Planned cluster({.earmark_max = seconds(600)});
  cluster.framework(1).agent(2, "cpus:4");
  ASSERT_TRUE(cluster.allocator.add_agent({1}, "h", resources("cpus:4"), {},
                                          {{{9}, "work", resources("cpus:4"), {}}}));
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  cluster.run();
  EXPECT_TRUE(cluster.allocator.preemptions(cluster.now + seconds(599)).empty());
  // Role work has half of the pool, which is its fair share; with more it has not.
  EXPECT_TRUE(cluster.allocator.preemptions(cluster.now + seconds(600)).empty());
  cluster.allocator.deactivate_framework({1});
  ASSERT_TRUE(cluster.allocator.hold({9}, {2}, "work", resources("cpus:1")));
  cluster.allocator.activate_framework({1});
  cluster.run();
  const auto wanted = cluster.allocator.preemptions(cluster.now + seconds(600));
  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_EQ(wanted[0].agent, AgentId{1});
  EXPECT_EQ(wanted[0].framework, FrameworkId{9});
}

TEST(Earmarks, AreOneForEachRole) {
  Planned cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  for (std::uint64_t id = 1; id <= 4; ++id) cluster.busy(id, "cpus:4", "cpus:4", 100);
  cluster.demand(1, {Gang(1, "cpus:1").nodes(2).in("a"), Gang(2, "cpus:1").in("a")});
  cluster.demand(2, {Gang(1, "cpus:1").nodes(2).in("b")});
  cluster.run();
  EXPECT_EQ(cluster.earmarks(),
            (Texts{"e-1 on a-1 a-2 after 100 s, 0 ready", "e-2 on a-1 a-2 after 100 s, 0 ready"}));
}

TEST(Earmarks, AreWithinTheFairShare) {
  Planned cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  for (std::uint64_t id = 1; id <= 4; ++id) {
    ASSERT_TRUE(
        cluster.allocator.add_agent({id}, "h", resources("cpus:4"), {},
                                    {{{2}, "b", resources("cpus:4"), cluster.now + seconds(100)}}));
  }
  // Two roles: half of sixteen is eight.
  cluster.demand(1, {Gang(1, "cpus:4").nodes(3).in("a")});
  cluster.run();
  EXPECT_TRUE(cluster.earmarks().empty());
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2).in("a")});
  cluster.run();
  EXPECT_EQ(cluster.earmarks().size(), 1u);
}

TEST(Earmarks, BeyondTheFairShareStartWhereAllIsFree) {
  Planned cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"});
  cluster.allocator.suppress({2}, {});
  ASSERT_TRUE(cluster.allocator.add_agent({1}, "h", resources("cpus:4"), {},
                                          {{{2}, "b", resources("cpus:1"), {}}}));
  cluster.agent(2, "cpus:4").agent(3, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:3").nodes(3).in("a")});
  EXPECT_TRUE(cluster.run()[0].earmark);
}

TEST(Earmarks, TakeAnotherAgentForOneThatIsLost) {
  Planned cluster;
  cluster.framework(1);
  cluster.busy(1, "cpus:4", "cpus:4", 60).busy(2, "cpus:4", "cpus:4", 70);
  cluster.busy(3, "cpus:4", "cpus:4", 300);
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2)});
  cluster.run();
  cluster.allocator.deactivate_agent({1});
  cluster.expect_sound();
  EXPECT_EQ(cluster.earmarks(), Texts{"e-1 on a-2 a-3 after 300 s, 0 ready"});
  cluster.allocator.remove_agent({2});
  EXPECT_TRUE(cluster.earmarks().empty());
}

TEST(Earmarks, PartsThatEndTogetherAreReleasedInAnyOrder) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:4;mem:8");
  const Instant end = cluster.now + seconds(60);
  ASSERT_TRUE(cluster.allocator.hold({9}, {1}, "*", resources("cpus:2;mem:4"), end));
  ASSERT_TRUE(cluster.allocator.hold({9}, {1}, "*", resources("cpus:1;mem:1"), end));
  cluster.allocator.release({9}, {1}, "*", resources("cpus:1;mem:1"), end);
  cluster.expect_sound();
  cluster.allocator.release({9}, {1}, "*", resources("cpus:2;mem:4"), end);
  cluster.expect_sound();
  EXPECT_EQ(to_string(cluster.one().resources), "cpus:4;mem:8");
}

/// Declines all that is offered, until nothing is.
bool comes_to_rest(Planned& cluster) {
  for (int round = 0; round < 10; ++round) {
    const auto offers = cluster.run();
    if (offers.empty()) return true;
    for (const Offer& offer : offers) cluster.decline(offer, seconds(50));
  }
  return false;
}

TEST(Earmarks, ALoanAndWhatIsNotLentAreRefusedEachForItself) {
  Planned cluster;
  cluster.framework(1).framework(2);
  cluster.busy(1, "cpus:4", "cpus:4", 100).agent(2, "cpus:4;mem:8");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  EXPECT_TRUE(comes_to_rest(cluster));
  // Who wanted no loan may want it for good.
  cluster.demand(1, {});
  EXPECT_EQ(to_string(cluster.one().resources), "cpus:4;mem:8");
}

TEST(Earmarks, LoansOfTwoAreRefusedTogether) {
  Planned cluster;
  cluster.framework(1, {"a"}).framework(2, {"b"}).framework(3, {"c"});
  cluster.busy(1, "cpus:4", "cpus:4", 100).agent(2, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:1").nodes(2).in("a")});
  cluster.demand(2, {Gang(1, "cpus:1").nodes(2).in("b")});
  EXPECT_TRUE(comes_to_rest(cluster));
  EXPECT_EQ(cluster.earmarks().size(), 2u);
}

TEST(Earmarks, EndWithTheirDemand) {
  Planned cluster;
  cluster.framework(1);
  cluster.busy(1, "cpus:4", "cpus:4", 60).agent(2, "cpus:4");
  cluster.demand(1, {Gang(1, "cpus:4").nodes(2)});
  EXPECT_TRUE(cluster.one().lent_until);
  cluster.demand(1, {});
  EXPECT_TRUE(cluster.earmarks().empty());
}

TEST(Earmarks, OfASuppressedFrameworkEnd) {
  Planned cluster;
  cluster.framework(1);
  cluster.busy(1, "cpus:4", "cpus:4", 60);
  cluster.demand(1, {Gang(1, "cpus:4")});
  cluster.run();
  EXPECT_EQ(cluster.earmarks().size(), 1u);
  cluster.allocator.suppress({1}, {});
  EXPECT_TRUE(cluster.earmarks().empty());
  cluster.allocator.revive({1}, {});
  cluster.run();
  EXPECT_EQ(cluster.earmarks().size(), 1u);
}

TEST(Earmarks, AvoidWindowsOfMaintenance) {
  Planned cluster;
  cluster.framework(1).agent(1, "cpus:4").agent(2, "cpus:4");
  cluster.allocator.set_available_until({1}, WallTime{(1000 + 600) * 1'000'000'000LL});
  Gang hour(1, "cpus:4");
  hour.duration = seconds(3600);
  cluster.demand(1, {hour});
  const auto offers = cluster.allocator.run(Now{cluster.now, WallTime{1000 * 1'000'000'000LL}});
  ASSERT_FALSE(offers.empty());
  EXPECT_EQ(offers[0].agent, AgentId{2});
  EXPECT_TRUE(offers[0].earmark);
}

class LastFirst final : public Scorer {
 public:
  std::int64_t score(const Demand&, const Candidate& agent, const Resources&) const override {
    return static_cast<std::int64_t>(agent.agent.value);
  }
};

TEST(Scorers, ChooseAmongAgentsThatAreFreeAtTheSameTime) {
  const LastFirst scorer;
  Planned cluster({.scorer = &scorer});
  cluster.framework(1).agent(1, "cpus:2").agent(2, "cpus:2").agent(3, "cpus:2");
  cluster.demand(1, {Gang(1, "cpus:2").nodes(2)});
  const auto offers = cluster.run();
  EXPECT_EQ(offers[0].agent, AgentId{2});
  EXPECT_EQ(offers[1].agent, AgentId{3});
  EXPECT_EQ(offers[1].earmark, EarmarkId{1});
}

TEST(DemandsRefused, SayWhatIsWrong) {
  Cluster cluster;
  cluster.framework(1);
  const auto refused = [&](const Gang& gang) {
    return cluster.allocator.set_demands({1}, {gang}).error().message;
  };
  EXPECT_EQ(refused(Gang(0, "cpus:1")), "framework f-1: demand d-0: needs an id");
  EXPECT_EQ(refused(Gang(1, "cpus:1").in("x")),
            "framework f-1: demand d-1: the framework is not registered in role x");
  EXPECT_EQ(refused(Gang(1, "")), "framework f-1: demand d-1: needs a shape");
  EXPECT_EQ(refused(Gang(1, "cpus:1").nodes(0)),
            "framework f-1: demand d-1: count 0..0 is not a range of 1 or more nodes");
}

/// With known ends everywhere: whoever is promised a start has it by then, whatever others do,
/// and gangs of all roles start in the end, so none blocks another.
TEST(EarmarksProperty, EveryGangStartsByItsPromiseAndNoneBlocksAnother) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Prng random(seed);
    Planned cluster({.offer_timeout = seconds(1'000'000)});
    constexpr std::uint64_t roles = 3;
    for (std::uint64_t id = 1; id <= roles; ++id) cluster.framework(id, {"r" + std::to_string(id)});
    cluster.framework(9, {"work"});
    for (std::uint64_t id = 1; id <= 8; ++id) cluster.agent(id, "cpus:4");
    struct Running {
      Offer offer;
      Use use;
    };
    std::multimap<Instant, Running> running;
    std::map<EarmarkId, Instant> promised;
    std::map<std::uint64_t, std::uint64_t> number;
    std::map<std::uint64_t, std::optional<Instant>> asked;
    const auto demand_again = [&](std::uint64_t id) {
      Gang gang(++number[id], "cpus:" + std::to_string(random.between(1, 4)));
      gang.in("r" + std::to_string(id)).nodes(static_cast<std::uint32_t>(random.between(1, 2)));
      cluster.demand(id, {gang});
      asked[id] = cluster.now;
    };
    for (std::uint64_t id = 1; id <= roles; ++id) demand_again(id);
    int started = 0;
    for (int step = 0; step < 300; ++step) {
      for (const auto& view : cluster.allocator.earmarks()) {
        ASSERT_TRUE(view.starts);
        const auto [at, is_new] = promised.emplace(view.earmark, *view.starts);
        ASSERT_LE(*view.starts, at->second) << "it moved later";
        ASSERT_GE(*view.starts, cluster.now) << "seed " << seed << ": " << to_string(view.earmark);
      }
      std::map<EarmarkId, std::vector<Offer>> gangs;
      for (const Offer& offer : cluster.run()) {
        if (offer.earmark) {
          gangs[*offer.earmark].push_back(offer);
          continue;
        }
        if (cluster.allocator.find_offer(offer.id) == nullptr) continue;
        const Duration length = seconds(random.between(1, 40));
        Use use{Resources::scalar("cpus", Amount::units(1)), cluster.now + length};
        if (offer.lent_until && *use.until > *offer.lent_until) {
          cluster.decline(offer, seconds(5));
          continue;
        }
        ASSERT_TRUE(cluster.allocator.accept({{offer.id}}, std::span(&use, 1), cluster.now, {}));
        running.emplace(*use.until, Running{offer, use});
      }
      for (const auto& [id, offers] : gangs) {
        ++started;
        const std::uint64_t owner = offers[0].framework.value;
        std::vector<Allocator::Part> parts;
        for (const Offer& offer : offers) {
          const Use use{offer.resources, cluster.now + seconds(random.between(1, 30))};
          parts.push_back({{offer.id}, {use}});
          running.emplace(*use.until, Running{offer, use});
        }
        const auto done = cluster.allocator.accept_together(parts, cluster.now, {});
        ASSERT_TRUE(done) << done.error().message;
        demand_again(owner);
      }
      for (const auto& [id, since] : asked) {
        ASSERT_LE(cluster.now - *since, seconds(300)) << "seed " << seed << ": r" << id << " waits";
      }
      cluster.after(seconds(1));
      while (!running.empty() && running.begin()->first <= cluster.now) {
        const Running& one = running.begin()->second;
        cluster.allocator.release(one.offer.framework, one.offer.agent, one.offer.role,
                                  one.use.resources, one.use.until);
        running.erase(running.begin());
      }
      cluster.expect_sound();
    }
    EXPECT_GT(started, 20) << "seed " << seed;
  }
}

}  // namespace
}  // namespace librm
