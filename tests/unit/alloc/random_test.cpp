// Thousands of random operations: invariants after each, nothing free that somebody wants, and
// the same operations give the same offers.
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "librm/alloc/share.hpp"
#include "librm/base/prng.hpp"
#include "support.hpp"

namespace librm {
namespace {

using test::shown;

/// Drives an allocator at random and remembers what is held, to release it later.
class Monkey {
 public:
  explicit Monkey(std::uint64_t seed, bool plans = true)
      : random_(seed),
        plans_(plans),
        allocator_(std::make_unique<Allocator>(AllocatorOptions{.offer_timeout = seconds(3)})) {}

  /// One operation; appends what became visible to `trace`.
  void step(std::vector<std::string>& trace) {
    switch (random_.below(plans_ ? 23 : 18)) {
      case 0:
        return add_agent();
      case 1:
        return random_.chance(1, 3) ? remove_agent() : void();
      case 2:
        return add_framework();
      case 3:
        return random_.chance(1, 3) ? remove_framework() : void();
      case 4:
        return toggle_framework();
      case 5:
        return toggle_agent();
      case 6:
        return allocator_->suppress(framework(), some_roles());
      case 7:
        return allocator_->revive(framework(), some_roles());
      case 8:
        return set_weight();
      case 9:
        return hold();
      case 10:
        for (const Offer& offer : allocator_->expire(now_)) trace.push_back("!" + shown(offer));
        return;
      case 11:
        return pass_time();
      case 12:
        return release();
      case 13:
        return release();
      case 14:
        return answer(true);
      case 15:
        return answer(false);
      case 18:
        return set_quota();
      case 19:
        return random_.chance(1, 3) ? allocator_->remove_quota(role()) : void();
      case 20:
        return set_demands();
      case 21:
        return answer_gang();
      case 22:
        return update_framework();
      default:
        for (const Offer& offer : allocator_->run(now_)) {
          trace.push_back(shown(offer));
          open_.push_back(offer.id);
        }
        for (const OfferId id : allocator_->take_rescinded()) trace.push_back("-" + to_string(id));
    }
  }

  std::vector<std::string> violations() const {
    auto found = allocator_->check_invariants();
    for (const Offer* offer : all_offers()) {
      if (offer->resources.empty()) found.push_back("empty offer");
    }
    return found;
  }

  /// After a run, who wants offers is offered or has declined all that is free for him.
  std::vector<std::string> overlooked() {
    allocator_->expire(now_);
    allocator_->run(now_);
    std::vector<std::string> found;
    for (const auto& view : allocator_->frameworks()) {
      for (const std::string& role : view.roles) {
        for (const auto& entry : allocator_->explain(view.framework, role, {}, now_)) {
          Resources free = allocator_->agent(entry.agent)->free;
          if (entry.fits && !free.take_usable(role).empty()) {
            found.push_back(to_string(view.framework) + " would take " + to_string(entry.agent));
          }
        }
      }
    }
    return found;
  }

  /// Goes on with a clone.
  void move_to_clone() { allocator_ = allocator_->clone(); }

  /// Everything ends; nothing may be left.
  std::vector<std::string> wind_up() {
    for (const Held& held : held_) {
      allocator_->release(held.framework, held.agent, held.role, held.resources, held.until);
    }
    for (const auto& view : allocator_->roles()) allocator_->remove_quota(view.role);
    for (std::uint64_t id = 1; id <= frameworks_max; ++id) allocator_->remove_framework({id});
    (void)allocator_->run(now_);
    std::vector<std::string> left = allocator_->check_invariants();
    for (const auto& view : allocator_->agents()) {
      if (view.free != *view.total) left.push_back(to_string(view.agent) + " is not free");
    }
    for (const auto& view : allocator_->frameworks()) left.push_back(to_string(view.framework));
    for (const auto& view : allocator_->roles()) {
      if (!view.held.empty()) left.push_back(view.role + " holds " + to_string(view.held));
    }
    if (allocator_->next_deadline()) left.push_back("something is still waited for");
    return left;
  }

 private:
  static constexpr std::uint64_t frameworks_max = 6;
  static constexpr std::uint64_t agents_max = 7;

  struct Held {
    FrameworkId framework;
    AgentId agent;
    std::string role;
    Resources resources;
    std::optional<Instant> until{};
  };

  FrameworkId framework() { return {1 + random_.below(frameworks_max)}; }
  AgentId agent() { return {1 + random_.below(agents_max)}; }
  std::string role() {
    static const std::vector<std::string> names = {"*", "dev", "eng", "eng/backend", "prod"};
    return names[random_.below(names.size())];
  }
  std::set<std::string> some_roles() {
    std::set<std::string> roles;
    while (random_.chance(1, 2)) roles.insert(role());
    return roles;
  }
  Resources total() {
    Resources sum = Resources::scalar("cpus", {random_.between(1, 16'000)});
    sum += Resources::scalar("mem", Amount::units(random_.between(1, 64)));
    if (random_.chance(1, 2)) {
      sum.add({.name = "ports", .value = Ranges({{31000, 31000 + random_.below(20)}})});
    }
    if (random_.chance(1, 3))
      sum.add({.name = "cpus", .reservations = reserved_for(role()), .value = Amount{2500}});
    if (random_.chance(1, 3))
      sum.add({.name = "gpus", .reservations = reserved_for(role()), .value = StringSet{"g0"}});
    if (random_.chance(1, 8)) {
      sum.add({.name = "cpus", .revocable = true, .value = Amount::units(1)});
    }
    return sum;
  }
  Resources part(const Resources& whole) {
    Resources taken;
    for (Resource entry : whole.list()) {
      if (auto* amount = std::get_if<Amount>(&entry.value)) {
        amount->milli = random_.chance(1, 3) ? amount->milli : random_.between(0, amount->milli);
      } else if (auto* ranges = std::get_if<Ranges>(&entry.value)) {
        *ranges = ranges->lowest(random_.below(ranges->count() + 1));
      } else if (random_.chance(1, 2)) {
        continue;
      }
      taken.add(std::move(entry));
    }
    return taken;
  }
  std::vector<const Offer*> all_offers() const {
    std::vector<const Offer*> all;
    for (std::uint64_t id = 1; id <= frameworks_max; ++id) {
      for (const Offer* offer : allocator_->offers_of({id})) all.push_back(offer);
    }
    return all;
  }

  void add_agent() {
    const AgentId id = agent();
    const Resources all = total();
    std::vector<Allocator::Held> held;
    if (random_.chance(1, 3)) held.push_back({framework(), role(), part(all), some_end()});
    const Attributes attributes = {{"rack", random_.chance(1, 2) ? "r1" : "r2"}};
    if (!allocator_->add_agent(id, "h", all, attributes, held)) return;
    for (const auto& entry : held) {
      held_.push_back({entry.framework, id, entry.role, entry.resources, entry.until});
    }
  }
  void remove_agent() {
    const AgentId id = agent();
    allocator_->remove_agent(id);
    std::erase_if(held_, [&](const Held& held) { return held.agent == id; });
  }
  void add_framework() {
    auto roles = some_roles();
    roles.insert(role());
    (void)allocator_->add_framework(framework(), std::move(roles));
  }
  std::optional<Instant> some_end() {
    if (random_.chance(1, 2)) return std::nullopt;
    return now_ + milliseconds(random_.between(0, 5000));
  }
  void update_framework() {
    FrameworkWishes wishes;
    wishes.roles = some_roles();
    wishes.roles.insert(role());
    wishes.revocable = random_.chance(1, 3);
    if (random_.chance(1, 3)) wishes.min_allocatable = {test::request("cpus:0.5")};
    (void)allocator_->update_framework(framework(), std::move(wishes));
  }
  void set_quota() {
    Quota quota;
    for (const char* name : {"cpus", "mem"}) {
      if (random_.chance(1, 2)) quota.guarantees[name] = {random_.between(0, 12'000)};
      if (random_.chance(1, 2)) quota.limits[name] = {random_.between(0, 20'000)};
    }
    (void)allocator_->set_quota(role(), quota, random_.chance(1, 4));
  }
  void set_demands() {
    std::vector<Demand> demands;
    for (std::uint64_t id = 1; random_.chance(2, 3) && id < 4; ++id) {
      Demand demand;
      demand.id = {id};
      demand.role = role();
      demand.shape = test::request(random_.chance(1, 2) ? "cpus:2;mem:4" : "cpus:0.5");
      demand.count_min = static_cast<std::uint32_t>(random_.between(1, 4));
      demand.count_max = demand.count_min + static_cast<std::uint32_t>(random_.below(3));
      if (random_.chance(1, 4)) demand.same = "rack";
      if (random_.chance(1, 4)) {
        demand.constraints = parse_constraints("rack max_per 2").value();
      }
      demands.push_back(std::move(demand));
    }
    (void)allocator_->set_demands(framework(), std::move(demands));
  }
  /// Accepts all of a gang that is outstanding.
  void answer_gang() {
    const FrameworkId owner = framework();
    std::vector<Allocator::Part> parts;
    std::vector<Held> held;
    for (const Offer* offer : allocator_->offers_of(owner)) {
      if (!offer->earmark) continue;
      const std::optional<Instant> until = some_end();
      parts.push_back({{offer->id}, {{offer->resources, until}}});
      held.push_back({owner, offer->agent, offer->role, offer->resources, until});
    }
    if (parts.empty() || !allocator_->accept_together(parts, now_, {})) return;
    held_.insert(held_.end(), held.begin(), held.end());
  }
  void remove_framework() { allocator_->remove_framework(framework()); }
  void toggle_framework() {
    if (random_.chance(1, 2)) {
      allocator_->deactivate_framework(framework());
    } else {
      allocator_->activate_framework(framework());
    }
  }
  void toggle_agent() {
    if (random_.chance(1, 2)) {
      allocator_->deactivate_agent(agent());
    } else {
      allocator_->activate_agent(agent());
    }
  }
  void set_weight() { ASSERT_TRUE(allocator_->set_weight(role(), random_.between(1, 5000))); }
  void pass_time() {
    now_ = now_ + milliseconds(random_.between(0, 900));
    const auto deadline = allocator_->next_deadline();
    if (deadline && random_.chance(1, 4)) now_ = std::max(now_, *deadline);
  }
  void hold() {
    const auto view = allocator_->agent(agent());
    if (!view) return;
    const Held held{framework(), view->agent, role(), part(view->free), some_end()};
    ASSERT_TRUE(
        allocator_->hold(held.framework, held.agent, held.role, held.resources, held.until));
    held_.push_back(held);
  }
  void release() {
    if (held_.empty()) return;
    std::swap(held_[random_.below(held_.size())], held_.back());
    Held& held = held_.back();
    const Resources some = part(held.resources);
    allocator_->release(held.framework, held.agent, held.role, some, held.until);
    held.resources -= some;
    if (held.resources.empty()) held_.pop_back();
  }
  void answer(bool accepting) {
    if (open_.empty()) return;
    std::swap(open_[random_.below(open_.size())], open_.back());
    const OfferId id = open_.back();
    open_.pop_back();
    const Duration refuse_for = milliseconds(random_.between(-100, 4000));
    if (!accepting) {
      (void)allocator_->decline(id, now_, refuse_for, role());
      return;
    }
    const Offer* offer = allocator_->find_offer(id);
    if (offer == nullptr) return;
    std::vector<OfferId> ids = {id};
    Resources all = offer->resources;
    for (const Offer* other : allocator_->offers_of(offer->framework)) {
      if (other->id == id || other->agent != offer->agent || other->role != offer->role) continue;
      ids.push_back(other->id);
      all += other->resources;
    }
    const Use used{part(all), some_end()};
    const auto accepted = allocator_->accept(ids, std::span(&used, 1), now_, refuse_for);
    if (!accepted || used.resources.empty()) return;
    EXPECT_EQ(accepted->offered, all);
    held_.push_back(
        {accepted->framework, accepted->agent, accepted->role, used.resources, used.until});
  }

  Prng random_;
  bool plans_;
  std::unique_ptr<Allocator> allocator_;
  Instant now_{1};
  std::vector<OfferId> open_;
  std::vector<Held> held_;
};

TEST(AllocatorRandom, InvariantsHoldAfterEveryOperation) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Monkey monkey(seed);
    std::vector<std::string> trace;
    for (int i = 0; i < 1000; ++i) {
      monkey.step(trace);
      const auto violations = monkey.violations();
      ASSERT_TRUE(violations.empty()) << "seed " << seed << " step " << i << ": " << violations[0];
    }
    EXPECT_GT(trace.size(), 50u) << "seed " << seed << " made next to no offers";
    const auto left = monkey.wind_up();
    ASSERT_TRUE(left.empty()) << "seed " << seed << ": " << left[0];
  }
}

/// Whatever is asked of the clone, the answers are those that the original would have given.
TEST(AllocatorRandom, ACloneIsLikeTheOriginal) {
  for (std::uint64_t seed = 301; seed <= 320; ++seed) {
    std::vector<std::string> first;
    std::vector<std::string> second;
    Monkey one(seed);
    Monkey two(seed);
    for (int i = 0; i < 1500; ++i) {
      if (i % 50 == 0) two.move_to_clone();
      one.step(first);
      two.step(second);
      ASSERT_EQ(first, second) << "seed " << seed << " step " << i;
      if (i % 10 == 0) {
        const auto violations = two.violations();
        ASSERT_TRUE(violations.empty()) << "seed " << seed << ": " << violations[0];
      }
    }
    ASSERT_GT(first.size(), 50u);
  }
}

TEST(AllocatorRandom, NothingIsOverlooked) {
  for (std::uint64_t seed = 101; seed <= 140; ++seed) {
    // Without earmarks and quotas: what these keep back is another test's subject.
    Monkey monkey(seed, false);
    std::vector<std::string> trace;
    for (int i = 0; i < 300; ++i) {
      monkey.step(trace);
      const auto overlooked = monkey.overlooked();
      ASSERT_TRUE(overlooked.empty()) << "seed " << seed << " step " << i << ": " << overlooked[0];
    }
  }
}

TEST(AllocatorRandom, TheSameOperationsGiveTheSameOffers) {
  for (std::uint64_t seed = 201; seed <= 210; ++seed) {
    std::vector<std::string> first;
    std::vector<std::string> second;
    Monkey one(seed);
    Monkey two(seed);
    for (int i = 0; i < 2000; ++i) one.step(first);
    for (int i = 0; i < 2000; ++i) two.step(second);
    ASSERT_EQ(first, second);
    ASSERT_GT(first.size(), 100u);
  }
}

/// The rule itself, without queues: recomputed from the views before each offer.
TEST(AllocatorRandom, EachOfferGoesToTheLowestShare) {
  Prng random(77);
  for (int round = 0; round < 60; ++round) {
    Allocator allocator({});
    const std::vector<std::string> names = {"a", "b", "c"};
    for (const std::string& name : names) {
      ASSERT_TRUE(allocator.set_weight(name, random.between(1, 4) * 500));
    }
    for (std::uint64_t id = 1; id <= 7; ++id) {
      ASSERT_TRUE(allocator.add_framework({id}, {names[random.below(3)]}));
    }
    for (std::uint64_t id = 1; id <= 25; ++id) {
      const Resources total = Resources::scalar("cpus", Amount::units(random.between(1, 9))) +
                              Resources::scalar("mem", Amount::units(random.between(1, 9)));
      ASSERT_TRUE(allocator.add_agent({id}, "h", total, {}, {}));
      // The expected winner: lowest role, then lowest framework in it.
      std::optional<std::pair<Share, std::string>> role;
      for (const auto& view : allocator.roles()) {
        if (view.frameworks.empty()) continue;
        std::pair key(dominant_share(view.held, allocator.total(), view.weight_milli), view.role);
        if (!role || key < *role) role = key;
      }
      std::optional<std::pair<Share, FrameworkId>> winner;
      for (const auto& view : allocator.frameworks()) {
        if (view.roles.front() != role->second) continue;
        std::pair key(dominant_share(view.held, allocator.total(), 1000), view.framework);
        if (!winner || key < *winner) winner = key;
      }
      const auto offers = allocator.run(Instant{});
      ASSERT_EQ(offers.size(), 1u);
      ASSERT_EQ(offers[0].framework, winner->second) << "round " << round << " agent " << id;
      // Shares go down again, too, without anything to offer.
      if (random.chance(1, 3)) allocator.deactivate_agent({1 + random.below(id)});
      if (random.chance(1, 4)) allocator.remove_agent({1 + random.below(id)});
    }
  }
}

}  // namespace
}  // namespace librm
