// What a scenario wants done to its cluster: partitions by sizes, kills, stalls, clocks.
#include <algorithm>
#include <utility>

#include "cluster.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

namespace {

const char* name_of(Deed::Kind kind) {
  switch (kind) {
    case Deed::Kind::partition:
      return "partition in groups";
    case Deed::Kind::kill:
      return "kill";
    case Deed::Kind::stall:
      return "planned stall";
    case Deed::Kind::restart:
      return "restart";
    case Deed::Kind::skew:
      return "skew";
    case Deed::Kind::power_off:
      return "power off";
    case Deed::Kind::depose:
      return "depose";
  }
  return "";
}

template <class T>
void shuffle(std::vector<T>& list, Prng& random) {
  for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[random.below(i)]);
}

}  // namespace

void Cluster::plan(const Deed& deed) {
  Duration delay = deed.at.value_or(Duration{});
  if (!deed.at && deed.every == Duration{}) delay = world_.draw(Duration{}, scenario_.trouble);
  if (deed.every > Duration{}) {
    delay = std::max(delay, world_.draw(milliseconds(1), deed.every * 2));
  }
  world_.after(delay, [this, deed] {
    if (!trouble_) return;
    faults_.counted(name_of(deed.kind));
    perform(deed);
    if (deed.every == Duration{}) return;
    Deed next = deed;
    next.at.reset();
    plan(next);
  });
}

void Cluster::perform(const Deed& deed) {
  switch (deed.kind) {
    case Deed::Kind::partition:
      return part(deed);
    case Deed::Kind::kill:
    case Deed::Kind::restart: {
      sim::Node* process = pick_process(deed);
      if (process == nullptr || !process->running()) return;
      process->crash();
      // Masters are started again by whom they are elected.
      if (dynamic_cast<ClusterNode*>(process) != nullptr) return;
      const Duration down = deed.time > Duration{} ? deed.time : seconds(2);
      world_.after(world_.draw(milliseconds(10), down), [process] { process->start(); });
      return;
    }
    case Deed::Kind::stall:
      if (sim::Node* process = pick_process(deed); process != nullptr) process->stall(deed.time);
      return;
    case Deed::Kind::skew: {
      sim::Host& host = pick_host(deed);
      const auto step = [this, &host](Duration by) {
        if (targets_) targets_->note_view();
        host.step_wall(by);
      };
      step(deed.by);
      if (deed.time > Duration{}) world_.after(deed.time, [step, by = deed.by] { step({-by.ns}); });
      return;
    }
    case Deed::Kind::power_off: {
      Agent& agent = pick_agent(deed);
      agent.host->crash();
      world_.after(std::max(deed.time, seconds(1)), [&agent] {
        agent.host->boot();
        agent.node->start();
      });
      return;
    }
    case Deed::Kind::depose:
      return fail_over();
  }
}

std::vector<sim::Host*> Cluster::machines() const {
  std::vector<sim::Host*> hosts;
  for (const ClusterNode* master : masters_) {
    if (!election_) hosts.push_back(&master->host());
  }
  for (const Agent& agent : agents_) hosts.push_back(agent.host);
  return hosts;
}

/// Groups that do not hear of each other; hosts beyond the given sizes are a group of their own.
void Cluster::part(const Deed& deed) {
  std::vector<sim::Host*> hosts = machines();
  shuffle(hosts, world_.random());
  std::vector<std::size_t> group_of;
  for (std::size_t group = 0; group < deed.groups.size(); ++group) {
    group_of.insert(group_of.end(), deed.groups[group], group);
  }
  group_of.resize(hosts.size(), deed.groups.size());
  std::vector<std::pair<sim::Host*, sim::Host*>> cut;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    for (std::size_t k = 0; k < hosts.size(); ++k) {
      if (group_of[i] == group_of[k]) continue;
      world_.network().block(*hosts[i], *hosts[k]);
      cut.emplace_back(hosts[i], hosts[k]);
    }
  }
  if (deed.time == Duration{}) return;
  world_.after(deed.time, [this, cut = std::move(cut)] {
    if (!trouble_) return;
    for (const auto& [from, to] : cut) world_.network().unblock(*from, *to);
  });
}

Cluster::Agent& Cluster::pick_agent(const Deed& deed) {
  if (deed.number > 0) return agents_[deed.number - 1];
  return agents_[world_.random().below(agents_.size())];
}

sim::Node* Cluster::pick_process(const Deed& deed) {
  if (deed.target == Deed::Target::leader) return leader();
  return pick_agent(deed).node;
}

sim::Host& Cluster::pick_host(const Deed& deed) {
  const std::vector<sim::Host*> hosts = machines();
  if (deed.number > 0) return *hosts[deed.number - 1];
  return *hosts[world_.random().below(hosts.size())];
}

}  // namespace rm_sim
