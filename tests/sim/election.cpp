// Bodies of the election.
#include "election.hpp"

#include <utility>

#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

Election::Election(sim::World& world, std::vector<ClusterNode*> candidates, Duration session)
    : world_(world),
      candidates_(std::move(candidates)),
      session_(session),
      back_at_(candidates_.size()) {}

ClusterNode* Election::known_at(const sim::Host& host) const {
  const auto found = known_.find(host.number());
  return found == known_.end() ? nullptr : found->second;
}

bool Election::reaches_most(const sim::Host& host) const {
  if (!host.up()) return false;
  std::size_t reached = 0;
  for (const ClusterNode* other : candidates_) {
    if (!other->host().up()) continue;
    const bool both_ways = world_.network().passes(host, other->host()) &&
                           world_.network().passes(other->host(), host);
    if (both_ways) ++reached;
  }
  return reached * 2 > candidates_.size();
}

bool Election::ready(std::size_t candidate) const {
  const ClusterNode& node = *candidates_[candidate];
  return !node.stalled() && back_at_[candidate] <= world_.now() && reaches_most(node.host());
}

bool Election::possible() const {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    if (ready(i)) return true;
  }
  return false;
}

/// Those that are not to lead, and those who know that they may not any more.
void Election::end_deposed() {
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    ClusterNode& node = *candidates_[i];
    if (!node.running() || node.stalled()) continue;
    if (i == holder_ && world_.now() - confirmed_ <= session_ * 2 / 3) continue;
    world_.trace(node.name(), "steps down");
    node.crash();
    back_at_[i] = world_.now() + world_.draw(milliseconds(10), seconds(1));
  }
}

void Election::tick() {
  world_.after(session_ / 6, [this] { tick(); });
  if (holder_ != none) {
    const ClusterNode& node = *candidates_[holder_];
    const bool ended = !node.running() || node.life() != life_;
    if (ended && back_at_[holder_] <= world_.now() && life_ != 0) {
      back_at_[holder_] = world_.now() + world_.draw(milliseconds(100), seconds(5));
      life_ = 0;  // its session goes on without it
    } else if (!ended && ready(holder_) && world_.now() - confirmed_ < session_) {
      confirmed_ = world_.now();
    }
  }
  end_deposed();
  if (holder_ == none || world_.now() - confirmed_ >= session_) {
    holder_ = none;
    const std::size_t first = world_.random().below(candidates_.size());
    for (std::size_t i = 0; i < candidates_.size() && holder_ == none; ++i) {
      const std::size_t next = (first + i) % candidates_.size();
      if (!ready(next) || candidates_[next]->running()) continue;
      holder_ = next;
      confirmed_ = world_.now();
      candidates_[next]->start();
      life_ = candidates_[next]->life();
    }
  }
  for (const auto& host : world_.hosts()) {
    if (!reaches_most(*host)) continue;
    known_[host->number()] = holder_ == none ? nullptr : candidates_[holder_];
  }
}

}  // namespace rm_sim
