// The simulated world: order, clocks, and what disks and networks may and may not do.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "librm/sim/disk.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"
#include "librm/sim/node.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {
namespace {

TEST(World, EventsOfOneInstantKeepTheirOrder) {
  World world(1);
  std::string order;
  world.after(seconds(2), [&] { order += 'c'; });
  world.after(seconds(1), [&] { order += 'a'; });
  world.after(seconds(1), [&] { order += 'b'; });
  EXPECT_TRUE(world.run_until(world.now() + seconds(3)));
  EXPECT_EQ(order, "abc");
  EXPECT_EQ(world.now(), Instant{seconds(3).ns});
}

TEST(World, AViolationEndsTheRun) {
  World world(1);
  bool later = false;
  world.after(seconds(1), [&] { world.violation("the sky falls"); });
  world.after(seconds(2), [&] { later = true; });
  EXPECT_FALSE(world.run_until(world.now() + seconds(3)));
  EXPECT_FALSE(later);
}

TEST(Host, AWakeUpIsTheFirstInstantAtWhichTheClockHasCome) {
  World world(1);
  for (const std::int64_t drift : {-1000, -7, 0, 13, 1000}) {
    Host& host = world.add_host("h");
    host.set_drift(drift);
    for (const Instant mono : {Instant{1}, Instant{999'999'999}, Instant{seconds(86'400).ns}}) {
      const Instant at = host.world_time(mono);
      World other(1);
      Host& same = other.add_host("h");
      same.set_drift(drift);
      other.run_until(at);
      EXPECT_GE(same.now().mono, mono);
      EXPECT_LE((same.now().mono - mono).ns, 2);
    }
  }
}

TEST(Host, ABootStartsTheClockAnewAndIsANewIncarnation) {
  World world(1);
  Host& host = world.add_host("h");
  const Incarnation first = host.incarnation();
  world.run_until(world.now() + seconds(10));
  host.crash();
  host.boot();
  EXPECT_NE(host.incarnation(), first);
  EXPECT_EQ(host.now().mono, Instant{});
}

std::vector<RecordEntry> entries(int first, int count) {
  std::vector<RecordEntry> batch;
  for (int i = 0; i < count; ++i) batch.push_back({1, 1, 1, std::to_string(first + i), 1});
  return batch;
}

TEST(Disk, ACrashKeepsAPrefixOfWholeBatches) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    World world(seed);
    Disk disk(world, "disk", {});
    const std::uint64_t owner = disk.open(nullptr);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(disk.append(owner, entries(2 * i, 2), Sync::full));
    disk.process_crash(owner);
    const std::vector<RecordEntry> kept = disk.contents(false);
    EXPECT_EQ(kept.size() % 2, 0u);
    EXPECT_EQ(disk.last_lsn(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) EXPECT_EQ(kept[i].payload, std::to_string(i));
  }
}

TEST(Disk, WhatWasReportedDurableSurvivesTheHost) {
  World world(1);
  Disk disk(world, "disk", {});
  Lsn durable = 0;
  const std::uint64_t owner = disk.open([&](Result<Lsn> lsn) { durable = *lsn; });
  ASSERT_TRUE(disk.append(owner, entries(0, 3), Sync::full));
  world.run_until(world.now() + seconds(1));
  EXPECT_EQ(durable, 3u);
  disk.host_crash();
  EXPECT_EQ(disk.contents(false).size(), 3u);
}

TEST(Disk, ANewOwnerFencesTheOld) {
  World world(1);
  Disk disk(world, "disk", {});
  const std::uint64_t old = disk.open(nullptr);
  const std::uint64_t now = disk.open(nullptr);
  EXPECT_FALSE(disk.append(old, entries(0, 1), Sync::full));
  EXPECT_TRUE(disk.append(now, entries(0, 1), Sync::full));
}

class Talker final : public Node {
 public:
  using Node::Node;
  void on_connection(ConnectionId id) override { connection = id; }
  void on_message(ConnectionId, Message message) override {
    heard.push_back(std::get<AgentHeartbeat>(message).sequence);
  }
  void on_closed(ConnectionId) override { connection.reset(); }

  std::optional<ConnectionId> connection;
  std::vector<std::uint64_t> heard;

 protected:
  void on_start() override {}
  void on_crash() override { connection.reset(); }
};

struct Pair {
  explicit Pair(std::uint64_t seed, NetworkOptions options = {}) : world(seed) {
    world.network().set_options(options);
    left.start();
    right.start();
    world.network().connect(left, right,
                            [this](std::optional<ConnectionId> id) { left.connection = id; });
    world.run_until(world.now() + seconds(1));
  }

  void send(std::uint64_t count) {
    for (std::uint64_t i = 1; i <= count && left.connection; ++i) {
      world.network().send(left, *left.connection, AgentHeartbeat{i});
      world.run_until(world.now() + milliseconds(1));
    }
    world.run_until(world.now() + seconds(1));
  }

  World world;
  Talker& left = world.add<Talker>(world.add_host("l"), "left");
  Talker& right = world.add<Talker>(world.add_host("r"), "right");
};

TEST(Network, AConnectionDeliversAPrefixInOrderOnce) {
  NetworkOptions bad;
  bad.loss_ppm = bad.reorder_ppm = bad.corrupt_ppm = bad.reset_ppm = 20'000;
  bad.duplicate_ppm = 300'000;
  bool broken = false;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Pair pair(seed, bad);
    pair.send(30);
    for (std::size_t i = 0; i < pair.right.heard.size(); ++i) {
      EXPECT_EQ(pair.right.heard[i], i + 1);
    }
    broken = broken || !pair.left.connection;
  }
  EXPECT_TRUE(broken) << "a lost frame must close the connection";
}

TEST(Network, WhatIsHeldUpByABlockArrivesAfterIt) {
  Pair pair(1);
  pair.world.network().block(pair.left.host(), pair.right.host());
  pair.send(3);
  EXPECT_TRUE(pair.right.heard.empty());
  pair.world.network().unblock(pair.left.host(), pair.right.host());
  pair.world.run_until(pair.world.now() + seconds(1));
  EXPECT_EQ(pair.right.heard, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Network, ALongBlockBreaksTheConnectionOnBothSides) {
  Pair pair(1);
  pair.world.network().block(pair.left.host(), pair.right.host());
  pair.send(1);
  pair.world.run_until(pair.world.now() + seconds(60));
  EXPECT_FALSE(pair.left.connection);
  EXPECT_TRUE(pair.right.connection) << "nobody can tell it";
  pair.world.network().heal();
  pair.world.run_until(pair.world.now() + seconds(1));
  EXPECT_FALSE(pair.right.connection);
}

TEST(Network, AProcessThatEndsClosesItsConnections) {
  Pair pair(1);
  pair.right.crash();
  pair.world.run_until(pair.world.now() + seconds(1));
  EXPECT_FALSE(pair.left.connection);
}

}  // namespace
}  // namespace librm::sim
