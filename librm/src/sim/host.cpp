// Bodies of the simulated machine.
#include "librm/sim/host.hpp"

#include <algorithm>

#include "librm/sim/network.hpp"
#include "librm/sim/node.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {

namespace {

constexpr std::int64_t million = 1'000'000;
/// 2026-01-01T00:00:00Z: runs are dated like real ones.
constexpr WallTime epoch_start{1'767'225'600'000'000'000};

std::int64_t scaled(std::int64_t ns, std::int64_t ppm) {
  return ns + ns / million * ppm + ns % million * ppm / million;
}

/// Smallest t with scaled(t) >= ns.
std::int64_t unscaled(std::int64_t ns, std::int64_t ppm) {
  std::int64_t t = ns - ns / million * ppm - 1;
  while (scaled(t, ppm) < ns) t += std::max<std::int64_t>(1, ns - scaled(t, ppm));
  while (scaled(t - 1, ppm) >= ns) --t;
  return t;
}

}  // namespace

Host::Host(World& world, std::uint64_t number, std::string name)
    : world_(world), number_(number), name_(std::move(name)), booted_(world.now()) {}

Now Host::now() const {
  return {{scaled((world_.now() - booted_).ns, drift_ppm_)},
          epoch_start + Duration{scaled(world_.now().ns, drift_ppm_)} + wall_offset_};
}

Instant Host::world_time(Instant mono) const {
  return booted_ + Duration{unscaled(mono.ns, drift_ppm_)};
}

Instant Host::world_time(WallTime wall) const {
  return {unscaled((wall - epoch_start - wall_offset_).ns, drift_ppm_)};
}

void Host::step_wall(Duration by) {
  world_.trace(name_, "wall clock steps by " + std::to_string(to_ms(by)) + " ms");
  wall_offset_ = wall_offset_ + by;
  for (Node* node : nodes_) node->on_clock_step();
}

void Host::crash() {
  if (!up_) return;
  world_.trace(name_, "host crashes");
  up_ = false;
  for (Node* node : nodes_) node->crash();
  for (const auto& callback : on_crash_) callback();
}

void Host::boot() {
  if (up_) return;
  ++boots_;
  booted_ = world_.now();
  up_ = true;
  world_.trace(name_, "host boots as " + to_string(incarnation()));
}

}  // namespace librm::sim
