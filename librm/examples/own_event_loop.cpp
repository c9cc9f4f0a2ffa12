// The allocator alone, in a host's own loop: no daemons, no threads, the host's own clock.
//
// Two teams share a pool of 9 CPUs and 18 GB, the example of the paper on dominant resource
// fairness (Ghodsi et al., NSDI 2011, section 4.1). Team A's tasks want 1 CPU and 4 GB, team B's
// 3 CPUs and 1 GB. Fair is: three tasks for A and two for B, two thirds of what each needs most.
#include <cstdio>
#include <map>
#include <string>

#include "librm/librm.hpp"

using namespace librm;

namespace {

struct Team {
  const char* name;
  Request task;
  int started = 0;
};

/// What the host does with an offer: start one task if it fits, and leave the rest to others.
void start_one(Allocator& allocator, const Offer& offer, Team& team, Instant now) {
  const Result<Resources> chosen = select(team.task, offer.resources, offer.role);
  if (!chosen) {
    (void)allocator.decline(offer.id, now, seconds(60), chosen.error().message);
    return;
  }
  const Result<Acceptance> accepted = allocator.accept({{offer.id}}, *chosen, now, Duration{});
  if (!accepted) {
    std::printf("refused: %s\n", accepted.error().message.c_str());
    return;
  }
  ++team.started;
  std::printf("%s starts task %d with %s\n", team.name, team.started, to_string(*chosen).c_str());
}

}  // namespace

int main() {
  Allocator allocator{AllocatorOptions{}};
  std::map<FrameworkId, Team> teams = {
      {FrameworkId{1}, {"A", parse_request("cpus:1;mem:4").value()}},
      {FrameworkId{2}, {"B", parse_request("cpus:3;mem:1").value()}},
  };
  for (const auto& [id, team] : teams) {
    // One role each: that is between whom the allocator is fair.
    if (Result<void> added = allocator.add_framework(id, {team.name}); !added) return 1;
  }
  const Resources pool = Resources::parse("cpus:9;mem:18").value();
  if (Result<void> added = allocator.add_agent(AgentId{1}, "host", pool, {}, {}); !added) return 1;

  Instant now;  // the host's clock: here it is simply counted
  for (bool busy = true; busy; now = now + seconds(1)) {
    busy = false;
    for (const Offer& offer : allocator.run(now)) {
      start_one(allocator, offer, teams.at(offer.framework), now);
      busy = true;
    }
  }

  const Allocator::AgentView host = *allocator.agent(AgentId{1});
  std::printf("held %s, free %s\n", to_string(host.held).c_str(), to_string(host.free).c_str());
  return teams.at(FrameworkId{1}).started == 3 && teams.at(FrameworkId{2}).started == 2 ? 0 : 1;
}
