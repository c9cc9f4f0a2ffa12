// Dominant shares: exact comparison, and the orders that published sorters give.
#include "librm/alloc/share.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

namespace librm {
namespace {

Resources pool(std::int64_t cpus, std::int64_t mem) {
  return Resources::scalar("cpus", Amount::units(cpus)) +
         Resources::scalar("mem", Amount::units(mem));
}

/// Clients with holdings and weights, and their names in the order of their shares.
struct Clients {
  struct Client {
    Resources held;
    std::int64_t weight = 1000;
  };
  std::map<std::string, Client> all;
  Resources total = pool(100, 100);

  std::string order() const {
    std::vector<std::pair<Share, std::string>> sorted;
    for (const auto& [name, client] : all) {
      sorted.emplace_back(dominant_share(client.held, total, client.weight), name);
    }
    std::sort(sorted.begin(), sorted.end());
    std::string names;
    for (const auto& [share, name] : sorted) names += name;
    return names;
  }
};

TEST(Share, IsTheLargestFraction) {
  const Share share = dominant_share(pool(3, 12), pool(9, 18), 1000);
  EXPECT_EQ(share, (Share{12'000, 18'000, 1000}));
  EXPECT_EQ(share, (Share{2, 3, 1000})) << "fractions are compared, not their terms";
}

TEST(Share, WhatThePoolLacksCountsAsNothing) {
  EXPECT_EQ(dominant_share(pool(1, 1), Resources(), 1000), (Share{0, 1, 1000}));
  EXPECT_EQ(dominant_share(Resources::parse("gpus:9;cpus:1").value(), pool(4, 4), 1000),
            (Share{1, 4, 1000}));
}

TEST(Share, RangesAndSetsDoNotCount) {
  const Resources held = Resources::parse("cpus:1;ports:[1-100];gpus:{g0}").value();
  const Resources total = Resources::parse("cpus:4;ports:[1-100];gpus:{g0}").value();
  EXPECT_EQ(dominant_share(held, total, 1000), (Share{1, 4, 1000}));
}

TEST(Share, ReservationsAreAddedUp) {
  const Resources held = Resources::parse("cpus:1;cpus(prod):1").value();
  const Resources total = Resources::parse("cpus:4;cpus(prod):4").value();
  EXPECT_EQ(dominant_share(held, total, 1000), (Share{1, 4, 1000}));
}

TEST(Share, WeightDivides) {
  EXPECT_EQ((Share{2, 3, 2000}), (Share{1, 3, 1000}));
  EXPECT_LT((Share{2, 3, 2001}), (Share{1, 3, 1000}));
  EXPECT_GT((Share{2, 3, 1999}), (Share{1, 3, 1000}));
}

TEST(Share, ComparesExactlyAtTheLargestValues) {
  constexpr std::int64_t most = Amount::milli_max;
  constexpr std::int64_t weight = 1'000'000'000;
  EXPECT_LT((Share{most - 1, most, weight}), (Share{most, most - 1, weight}));
  EXPECT_LT((Share{most - 2, most - 1, weight}), (Share{most - 1, most, weight}))
      << "1 - 1/(n-1) < 1 - 1/n: they differ in the 31st decimal";
  EXPECT_LT((Share{most, most, weight}), (Share{most, most, weight - 1}));
  EXPECT_EQ((Share{most, most, weight}), (Share{1, 1, weight}));
  EXPECT_LT((Share{1, most, weight}), (Share{1, most, 1}));
  // 2^31 * 2^31 * 10^9 has nothing but zeros in its lower 64 bits.
  EXPECT_GT((Share{std::int64_t{1} << 31, 7, 3}), (Share{5, std::int64_t{1} << 31, weight}));
  EXPECT_LT((Share{INT64_MAX - 1, INT64_MAX, weight}), (Share{INT64_MAX, INT64_MAX - 1, weight}));
}

TEST(DrfSorter, OrdersAsThePublishedSequence) {
  Clients clients;
  clients.all["a"] = {pool(5, 5)};
  clients.all["b"] = {pool(6, 6)};
  EXPECT_EQ(clients.order(), "ab");
  clients.all["c"] = {pool(1, 1)};
  clients.all["d"] = {pool(3, 1)};
  EXPECT_EQ(clients.order(), "cdab");
  clients.all.erase("a");
  clients.all["b"].held -= pool(4, 4);
  EXPECT_EQ(clients.order(), "cbd");
  clients.all["e"] = {pool(1, 5)};
  clients.total = pool(50, 100);
  EXPECT_EQ(clients.order(), "cbed");
  clients.total = pool(50, 200);
  clients.all["f"] = {pool(5, 1)};
  clients.all["c"].held += pool(0, 15);
  EXPECT_EQ(clients.order(), "ebdcf");
}

TEST(DrfSorter, OrdersByWeightAsThePublishedSequence) {
  Clients clients;
  clients.all["a"] = {pool(5, 5), 1000};
  clients.all["b"] = {pool(6, 6), 2000};
  clients.all["c"] = {pool(4, 4), 1000};
  clients.all["d"] = {pool(10, 20), 10'000};
  EXPECT_EQ(clients.order(), "dbca");
  clients.all.erase("b");
  clients.all["d"].held += pool(10, 25);
  EXPECT_EQ(clients.order(), "cda");
  clients.all["e"] = {pool(1, 1), 100};
  EXPECT_EQ(clients.order(), "cdae");
  clients.all.erase("a");
  EXPECT_EQ(clients.order(), "cde");
}

}  // namespace
}  // namespace librm
