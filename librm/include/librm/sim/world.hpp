// The simulated world: one seeded queue of events in virtual time, in which production cores run.
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "librm/base/prng.hpp"
#include "librm/base/time.hpp"
#include "librm/base/trace.hpp"
#include "librm/wire/dialect.hpp"

// How to test a scheduler with it:
//
//     sim::World world(seed);
//     sim::Host& host = world.add_host("m1");
//     auto& master = world.add<sim::MasterNode>(host, "master", disk, MasterOptions{});
//     ...                                      // agents, frameworks, faults
//     world.on_change([&](sim::Node& node) { /* look at node's core; world.violation(...) */ });
//     world.run_until(world.now() + seconds(600));
//
// Everything that happens follows from the seed, so a failure is a number.

namespace librm::sim {

class Host;
class Network;
class Node;

/// Not thread-safe; several worlds may live in one process.
class World {
 public:
  using Action = std::function<void()>;
  using Observer = std::function<void(Node&)>;

  explicit World(std::uint64_t seed);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // --- time and chance ---

  /// True time since the world began; hosts see it through their own clocks.
  Instant now() const { return now_; }
  Prng& random() { return random_; }
  /// Uniform in [low, high].
  Duration draw(Duration low, Duration high);
  /// In [low, high], mostly near `low`: delays have long tails.
  Duration draw_skewed(Duration low, Duration high);

  /// For ports, never for cores: whether to do now what is allowed and seldom happens, as a sync
  /// that takes long. In a world with rare branches a quarter of them are on, by the seed; those
  /// say yes once in twenty. Count them by name in rare().
  bool rarely(std::string_view branch);
  void set_rare(bool on) { rare_on_ = on; }
  const std::map<std::string, std::uint64_t, std::less<>>& rare() const { return rare_; }
  /// From now on each process that starts speaks as a version of its own: today's, the first, or a
  /// later one, as in a rolling upgrade.
  void set_mixed_versions(bool on) { mixed_versions_ = on; }
  Dialect draw_dialect();

  /// Events of one instant happen in the order in which they were asked for.
  void at(Instant time, Action action);
  void after(Duration delay, Action action) { at(now_ + delay, std::move(action)); }

  /// The next event; false where there is none, or a violation was found.
  bool step();
  /// All events up to `end`, which is then the time; false where a violation ended it.
  bool run_until(Instant end);
  std::uint64_t steps() const { return steps_; }

  // --- what is in it ---

  Host& add_host(std::string name);
  /// Builds a node that lives as long as the world.
  template <class N, class... Arguments>
  N& add(Host& host, Arguments&&... arguments) {
    auto node = std::make_unique<N>(*this, host, std::forward<Arguments>(arguments)...);
    N& reference = *node;
    nodes_.push_back(std::move(node));
    return reference;
  }
  Network& network() { return *network_; }
  const std::vector<std::unique_ptr<Node>>& nodes() const { return nodes_; }
  const std::vector<std::unique_ptr<Host>>& hosts() const { return hosts_; }

  // --- watching ---

  /// Called whenever a node's core has taken a turn.
  void on_change(Observer observer) { observers_.push_back(std::move(observer)); }
  void changed(Node& node);

  /// Something that must never happen has happened: the run ends.
  void violation(std::string text);
  const std::vector<std::string>& violations() const { return violations_; }

  /// Every frame and record goes into the hash: equal hashes, equal runs.
  void mix(std::uint64_t value);
  void mix(std::string_view bytes);
  std::uint64_t trace_hash() const { return hash_; }

  /// Prints what happens, line by line; nullptr (the default) does not.
  void trace_to(std::FILE* file) { trace_file_ = file; }
  bool tracing() const { return trace_file_ != nullptr; }
  void trace(std::string_view subject, std::string_view fact);
  /// For cores; nullptr unless tracing, so that facts cost nothing.
  TraceSink* sink();

 private:
  struct Item {
    Instant time;
    std::uint64_t sequence;
    Action action;
  };
  struct Later {
    bool operator()(const Item& a, const Item& b) const {
      return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
    }
  };
  class Sink;

  std::uint64_t seed_;
  Prng random_;
  bool rare_on_ = false;
  bool mixed_versions_ = false;
  std::map<std::string, std::uint64_t, std::less<>> rare_;
  Instant now_;
  std::uint64_t sequence_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t steps_at_this_instant_ = 0;
  std::vector<Item> queue_;  // a heap: std::priority_queue cannot give its items away
  std::uint64_t hash_ = 0xcbf29ce484222325u;
  std::FILE* trace_file_ = nullptr;
  std::unique_ptr<Sink> sink_;
  std::vector<std::string> violations_;
  std::vector<Observer> observers_;
  std::unique_ptr<Network> network_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace librm::sim
