// Bodies of the simulated process.
#include "librm/sim/node.hpp"

#include <algorithm>
#include <utility>

#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {

Node::Node(World& world, Host& host, std::string name)
    : world_(world), host_(host), name_(std::move(name)) {
  host_.attach(*this);
}

void Node::start() {
  if (running_ || !host_.up()) return;
  running_ = true;
  ++life_;
  last_connection_ = 1;
  stalled_until_ = {};
  dialect_ = world_.draw_dialect();
  trace(dialect_ == Dialect::current ? "starts"
        : dialect_ == Dialect::first ? "starts, of the first version"
                                     : "starts, of a later version");
  on_start();
}

void Node::crash() {
  if (!running_) return;
  trace("ends");
  running_ = false;
  world_.network().process_ended(*this);
  on_crash();
}

void Node::stall(Duration time) {
  stalled_until_ = std::max(stalled_until_, world_.now() + time);
  trace("stalls for " + std::to_string(to_ms(time)) + " ms");
}

bool Node::stalled() const { return stalled_until_ > world_.now(); }

void Node::after(Duration delay, std::function<void()> action) {
  world_.after(delay, [this, life = life_, action = std::move(action)] {
    if (running_ && life == life_) action();
  });
}

void Node::on_loop(Duration delay, std::function<void()> action) {
  after(delay, [this, action = std::move(action)]() mutable {
    if (stalled_until_ > world_.now()) {
      on_loop(stalled_until_ - world_.now(), std::move(action));
    } else {
      action();
    }
  });
}

void Node::trace(const std::string& fact) const { world_.trace(name_, fact); }

}  // namespace librm::sim
