// Bodies of the simulated world.
#include "librm/sim/world.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>

#include "librm/base/check.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"
#include "librm/sim/node.hpp"

namespace librm::sim {

namespace {

/// Far more than any healthy cluster does without the clock moving.
constexpr std::uint64_t steps_at_one_instant_max = 100'000;

}  // namespace

class World::Sink final : public TraceSink {
 public:
  explicit Sink(World& world) : world_(world) {}
  void trace(std::string_view subject, std::string_view fact) override {
    world_.trace(subject, fact);
  }

 private:
  World& world_;
};

World::World(std::uint64_t seed)
    : seed_(seed),
      random_(seed),
      sink_(std::make_unique<Sink>(*this)),
      network_(std::make_unique<Network>(*this)) {}

World::~World() = default;

Duration World::draw(Duration low, Duration high) {
  return high <= low ? low : Duration{random_.between(low.ns, high.ns)};
}

Duration World::draw_skewed(Duration low, Duration high) {
  if (high <= low) return low;
  const std::int64_t width = (high.ns - low.ns) >> random_.below(8);
  return {low.ns + random_.between(0, width)};
}

bool World::rarely(std::string_view branch) {
  if (!rare_on_) return false;
  std::uint64_t hash = seed_;
  for (const char c : branch) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  if (!Prng(hash).chance(1, 4) || !random_.chance(1, 20)) return false;
  ++rare_[std::string(branch)];
  return true;
}

Dialect World::draw_dialect() {
  constexpr std::array dialects{Dialect::current, Dialect::first, Dialect::next};
  return mixed_versions_ ? dialects[random_.below(dialects.size())] : Dialect::current;
}

void World::at(Instant time, Action action) {
  queue_.push_back({std::max(time, now_), ++sequence_, std::move(action)});
  std::push_heap(queue_.begin(), queue_.end(), Later());
}

bool World::step() {
  if (queue_.empty() || !violations_.empty()) return false;
  std::pop_heap(queue_.begin(), queue_.end(), Later());
  Item item = std::move(queue_.back());
  queue_.pop_back();
  steps_at_this_instant_ = item.time == now_ ? steps_at_this_instant_ + 1 : 0;
  if (steps_at_this_instant_ > steps_at_one_instant_max) violation("time stands still");
  now_ = item.time;
  ++steps_;
  item.action();
  return violations_.empty();
}

bool World::run_until(Instant end) {
  while (violations_.empty() && !queue_.empty() && queue_.front().time <= end) step();
  if (!violations_.empty()) return false;
  now_ = std::max(now_, end);
  return true;
}

Host& World::add_host(std::string name) {
  hosts_.push_back(std::make_unique<Host>(*this, hosts_.size() + 1, std::move(name)));
  return *hosts_.back();
}

void World::changed(Node& node) {
  for (const Observer& observer : observers_) observer(node);
}

void World::violation(std::string text) {
  trace("VIOLATION", text);
  violations_.push_back(std::move(text));
}

void World::mix(std::uint64_t value) {
  // FNV-1a over whole words: order matters, and one multiplication a word is all it costs.
  hash_ = (hash_ ^ value) * 0x100000001b3u;
  hash_ ^= hash_ >> 29;
}

void World::mix(std::string_view bytes) {
  mix(bytes.size());
  mix(static_cast<std::uint64_t>(std::hash<std::string_view>()(bytes)));
}

void World::trace(std::string_view subject, std::string_view fact) {
  if (trace_file_ == nullptr) return;
  std::fprintf(trace_file_, "%12.6f %.*s: %.*s\n", static_cast<double>(now_.ns) / 1e9,
               static_cast<int>(subject.size()), subject.data(), static_cast<int>(fact.size()),
               fact.data());
}

TraceSink* World::sink() { return tracing() ? sink_.get() : nullptr; }

}  // namespace librm::sim
