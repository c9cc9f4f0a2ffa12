// The properties of dominant resource fairness that its paper proves (Ghodsi et al., NSDI 2011,
// section 3 and table 2), for generated users: tasks are so small that resources are as good as
// divisible, and what a single task can change is the tolerance.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "librm/base/prng.hpp"
#include "support.hpp"

namespace librm {
namespace {

constexpr std::size_t kinds = 3;
constexpr std::int64_t pool = 3'000'000;  // thousandths of each
const char* const names[kinds] = {"cpus", "disk", "mem"};

struct User {
  std::int64_t task[kinds];  ///< thousandths that one task takes of each
  std::int64_t weight_milli = 1000;

  Resources wants() const {
    Resources sum;
    for (std::size_t i = 0; i < kinds; ++i) sum += Resources::scalar(names[i], {task[i]});
    return sum;
  }
  /// Of the pool, in millionths.
  std::int64_t share(std::int64_t tasks) const {
    return *std::max_element(task, task + kinds) * tasks * 1'000'000 / pool;
  }
  std::int64_t step() const { return share(1) + 1; }
};

User random_user(Prng& random, bool weighted) {
  User user;
  for (std::int64_t& amount : user.task) amount = random.between(500, 9000);
  if (weighted) user.weight_milli = random.between(1, 4) * 1000;
  return user;
}

/// Progressive filling through the allocator: how many tasks each gets. `claimed` is what users
/// say that a task takes, and what they take.
std::vector<std::int64_t> fill(const std::vector<User>& claimed) {
  Allocator allocator({.offer_timeout = seconds(1'000'000)});
  Resources total;
  for (const char* name : names) total += Resources::scalar(name, {pool});
  (void)allocator.add_agent({1}, "h", total, {}, {});
  for (std::size_t i = 0; i < claimed.size(); ++i) {
    const std::string role = "u" + std::to_string(i);
    (void)allocator.set_weight(role, claimed[i].weight_milli);
    (void)allocator.add_framework({i + 1}, {role});
  }
  std::vector<std::int64_t> tasks(claimed.size());
  for (auto offers = allocator.run(Instant{1}); !offers.empty();
       offers = allocator.run(Instant{1})) {
    const std::size_t user = offers[0].framework.value - 1;
    const Resources wants = claimed[user].wants();
    if (offers[0].resources.contains(wants)) {
      (void)allocator.accept({{offers[0].id}}, wants, Instant{1}, {});
      ++tasks[user];
    } else {
      (void)allocator.decline(offers[0].id, Instant{1}, seconds(1000), "");
    }
  }
  return tasks;
}

struct Sample {
  std::vector<User> users;
  std::vector<std::int64_t> tasks;
  std::int64_t tolerance = 0;  ///< of shares, in millionths
  std::int64_t weights = 0;
};

Sample sample(std::uint64_t seed, bool weighted) {
  Prng random(seed);
  Sample one;
  const std::uint64_t count = 2 + random.below(6);
  for (std::uint64_t i = 0; i < count; ++i) one.users.push_back(random_user(random, weighted));
  one.tasks = fill(one.users);
  for (const User& user : one.users) {
    one.tolerance = std::max(one.tolerance, user.step());
    one.weights += user.weight_milli;
  }
  return one;
}

TEST(DrfProperties, SomethingIsUsedUpAndNobodysTaskFitsAnyMore) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, seed % 2 == 0);
    std::int64_t left[kinds] = {pool, pool, pool};
    for (std::size_t u = 0; u < one.users.size(); ++u) {
      for (std::size_t i = 0; i < kinds; ++i) left[i] -= one.users[u].task[i] * one.tasks[u];
    }
    for (const User& user : one.users) {
      bool fits = true;
      for (std::size_t i = 0; i < kinds; ++i) fits = fits && user.task[i] <= left[i];
      EXPECT_FALSE(fits) << "seed " << seed;
    }
  }
}

TEST(DrfProperties, WeightedDominantSharesAreEqual) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, seed % 2 == 0);
    // Until the first task did not fit; small tasks may go on for a few more.
    for (std::size_t a = 0; a < one.users.size(); ++a) {
      for (std::size_t b = 0; b < one.users.size(); ++b) {
        const std::int64_t share_a =
            one.users[a].share(one.tasks[a]) * 1000 / one.users[a].weight_milli;
        const std::int64_t share_b =
            one.users[b].share(one.tasks[b]) * 1000 / one.users[b].weight_milli;
        EXPECT_LE(share_a - share_b, 20 * one.tolerance) << "seed " << seed;
      }
    }
  }
}

TEST(DrfProperties, EverybodyGetsAtLeastItsPartOfTheCluster) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, seed % 2 == 0);
    for (std::size_t u = 0; u < one.users.size(); ++u) {
      const std::int64_t part = 1'000'000 * one.users[u].weight_milli / one.weights;
      EXPECT_GE(one.users[u].share(one.tasks[u]) + 2 * one.tolerance, part) << "seed " << seed;
    }
  }
}

TEST(DrfProperties, NobodyPrefersWhatAnotherGot) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, seed % 2 == 0);
    for (std::size_t mine = 0; mine < one.users.size(); ++mine) {
      for (std::size_t other = 0; other < one.users.size(); ++other) {
        std::int64_t could = INT64_MAX;
        for (std::size_t i = 0; i < kinds; ++i) {
          const std::int64_t bundle = one.users[other].task[i] * one.tasks[other] *
                                      one.users[mine].weight_milli / one.users[other].weight_milli;
          could = std::min(could, bundle / one.users[mine].task[i]);
        }
        const std::int64_t slack = 20 * one.tolerance / one.users[mine].step() + 2;
        EXPECT_LE(could, one.tasks[mine] + slack) << "seed " << seed;
      }
    }
  }
}

TEST(DrfProperties, NobodyGainsByLying) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, false);
    Prng random(seed * 31);
    std::vector<User> claimed = one.users;
    // More of some, less of none: with less, no task of its own would fit into what it takes.
    for (std::int64_t& amount : claimed[0].task) amount += random.between(0, 9000);
    const std::int64_t useful = fill(claimed)[0];
    EXPECT_LE(useful, one.tasks[0] + 2) << "seed " << seed;
  }
}

TEST(DrfProperties, WithoutSomebodyNobodyElseGetsLess) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const Sample one = sample(seed, seed % 2 == 0);
    if (one.users.size() < 3) continue;
    const std::vector<User> rest(one.users.begin(), one.users.end() - 1);
    const std::vector<std::int64_t> tasks = fill(rest);
    for (std::size_t u = 0; u < rest.size(); ++u) {
      const std::int64_t slack = 20 * one.tolerance / rest[u].step() + 2;
      EXPECT_GE(tasks[u] + slack, one.tasks[u]) << "seed " << seed;
    }
  }
}

/// With one resource it is max-min fairness: equal parts for who wants more than its part.
TEST(DrfProperties, OfOneResourceItIsMaxMin) {
  Allocator allocator({.offer_timeout = seconds(1'000'000)});
  (void)allocator.add_agent({1}, "h", Resources::scalar("cpus", Amount::units(90)), {}, {});
  for (std::uint64_t id = 1; id <= 4; ++id) {
    (void)allocator.add_framework({id}, {"u" + std::to_string(id)});
  }
  const std::int64_t wanted[] = {0, 10, 20, 100, 100};
  std::int64_t got[5] = {};
  for (auto offers = allocator.run(Instant{1}); !offers.empty();
       offers = allocator.run(Instant{1})) {
    const std::uint64_t id = offers[0].framework.value;
    if (got[id] < wanted[id]) {
      ++got[id];
      (void)allocator.accept({{offers[0].id}}, Resources::scalar("cpus", Amount::units(1)),
                             Instant{1}, {});
    } else {
      (void)allocator.decline(offers[0].id, Instant{1}, seconds(1000), "");
      allocator.suppress({id}, {});
    }
  }
  EXPECT_EQ(got[1], 10);
  EXPECT_EQ(got[2], 20);
  EXPECT_EQ(got[3], 30);
  EXPECT_EQ(got[4], 30);
}

}  // namespace
}  // namespace librm
