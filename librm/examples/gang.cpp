// A gang: two nodes that start together, on agents of which one is still busy.
//
// A Demand says what is waited for. The allocator puts an earmark on the agents that will be free
// first, and lends the free ones to what ends in time. When the last is free, all are offered at
// once and accepted together, or not at all.
#include <cstdio>
#include <vector>

#include "librm/librm.hpp"

using namespace librm;

namespace {

constexpr FrameworkId solver{1};
constexpr FrameworkId filler{2};
const Instant begin;

long long at(Instant t) { return static_cast<long long>(to_ms(t - begin) / 1000); }

}  // namespace

int main() {
  Allocator allocator{AllocatorOptions{}};
  const Resources node = Resources::parse("cpus:4").value();
  if (!allocator.add_framework(solver, {"hpc"}) || !allocator.add_framework(filler, {"hpc"})) {
    return 1;
  }
  // Somebody holds the first agent for a hundred seconds more.
  const FrameworkId other{9};
  const Instant busy_until = begin + seconds(100);
  if (!allocator.add_agent({1}, "host-1", node, {}, {{other, "hpc", node, busy_until}})) return 1;
  if (!allocator.add_agent({2}, "host-2", node, {}, {})) return 1;

  // 1. The demand. Its earmark names the agents, and when it starts at the latest.
  Demand demand;
  demand.id = {1};
  demand.role = "hpc";
  demand.shape = parse_request("cpus:4").value();
  demand.count_min = demand.count_max = 2;
  if (!allocator.set_demands(solver, {demand})) return 1;
  const std::vector<Offer> lent = allocator.run(begin);
  for (const Allocator::EarmarkView& view : allocator.earmarks()) {
    std::printf("%s: %u of %zu agents are ready, starts at %lld s\n",
                to_string(view.earmark).c_str(), view.ready, view.agents.size(), at(*view.starts));
  }

  // 2. What it waits with is lent until then, to who says when it is done.
  std::vector<Use> uses = {{node, {}}};
  for (const Offer& offer : lent) {
    std::printf("lent: %s of %s until %lld s\n", to_string(offer.resources).c_str(),
                to_string(offer.agent).c_str(), at(*offer.lent_until));
    auto refused = allocator.accept({{offer.id}}, uses, begin, Duration{});
    if (!refused) std::printf("refused: %s\n", refused.error().message.c_str());
    uses[0].until = begin + seconds(90);
    if (!allocator.accept({{offer.id}}, uses, begin, Duration{})) return 1;
    std::printf("accepted for 90 s by %s\n", to_string(offer.framework).c_str());
    allocator.release(offer.framework, offer.agent, offer.role, node, uses[0].until);
  }

  // 3. The last agent is free: the offers of both come in one run, whatever was lent.
  const Instant free_at = begin + seconds(95);
  allocator.release(other, {1}, "hpc", node, busy_until);
  std::vector<Allocator::Part> gang;
  for (const Offer& offer : allocator.run(free_at)) {
    if (!offer.earmark) continue;
    std::printf("at %lld s: %s of %s for %s\n", at(free_at), to_string(offer.resources).c_str(),
                to_string(offer.agent).c_str(), to_string(*offer.earmark).c_str());
    gang.push_back({{offer.id}, {{offer.resources, {}}}});
  }

  // 4. One call for all of them; half a gang is refused.
  auto half = allocator.accept_together(std::span(gang).first(1), free_at, Duration{});
  if (!half) std::printf("refused: %s\n", half.error().message.c_str());
  auto whole = allocator.accept_together(gang, free_at, Duration{});
  if (!whole) return 1;
  std::printf("the gang holds %zu nodes\n", whole->size());
  return allocator.check_invariants().empty() ? 0 : 1;
}
