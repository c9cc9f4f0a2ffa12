// Your own policy in one page: who comes first, what nobody else may have, which agent is best.
//
// The allocator asks a Sorter about order, a Filter about what is never offered, and a Scorer where
// a demand is placed. All three are pure functions in a class, and replace the default alone.
#include <cstdio>
#include <string>

#include "librm/librm.hpp"

using namespace librm;

namespace {

/// Strict priority: who has more weight is served until he wants no more; equals share fairly.
class PrioritySorter final : public Sorter {
 public:
  bool before(const Contender& a, const Contender& b) const override {
    if (a.weight_milli != b.weight_milli) return a.weight_milli > b.weight_milli;
    return *a.share < *b.share;
  }
};

/// Agents with GPUs are for the role that can use them.
class GpuFilter final : public Filter {
 public:
  bool allows(const Candidate& agent, FrameworkId, std::string_view role) const override {
    return role == "train" || agent.total->amount("gpus") == Amount{};
  }
  std::string reason(const Candidate&, FrameworkId, std::string_view) const override {
    return "agents with GPUs are kept for role train";
  }
};

/// Best fit: the agent with the fewest CPUs left, so that large ones stay whole.
class BestFitScorer final : public Scorer {
 public:
  std::int64_t score(const Demand&, const Candidate&, const Resources& free) const override {
    return -free.amount("cpus").milli;
  }
};

void add_agent(Allocator& allocator, std::uint64_t id, const char* total) {
  const auto added = allocator.add_agent({id}, "host-" + std::to_string(id),
                                         Resources::parse(total).value(), {}, {});
  if (!added) std::printf("%s\n", added.error().message.c_str());
}

}  // namespace

int main() {
  const PrioritySorter sorter;
  const GpuFilter filter;
  const BestFitScorer scorer;
  AllocatorOptions options;
  options.role_sorter = &sorter;  // not owned: they live longer than the allocator
  options.filter = &filter;
  options.scorer = &scorer;
  Allocator allocator{options};

  const FrameworkId web{1};
  const FrameworkId train{2};
  if (!allocator.set_weight("web", 5000)) return 1;  // before `train`, which has 1000
  if (!allocator.add_framework(web, {"web"}) || !allocator.add_framework(train, {"train"}))
    return 1;
  add_agent(allocator, 1, "cpus:16;mem:64");
  add_agent(allocator, 2, "cpus:8;mem:32");
  add_agent(allocator, 3, "cpus:8;mem:32;gpus:2");

  // `web` is first, and wants two nodes of 8 CPUs: the scorer prefers the small one. What is left
  // is offered to it as well, since it is still first; the GPUs are not.
  Demand demand;
  demand.id = {1};
  demand.role = "web";
  demand.shape = parse_request("cpus:8").value();
  if (!allocator.set_demands(web, {demand})) return 1;
  const Instant now;
  for (const Offer& offer : allocator.run(now)) {
    std::printf("%s of %s to %s%s\n", to_string(offer.resources).c_str(),
                to_string(offer.agent).c_str(), offer.role.c_str(),
                offer.earmark ? " for its demand" : "");
  }
  for (const Explanation& one : allocator.explain(web, "web", demand.shape, now)) {
    std::printf("why %s: %s\n", to_string(one.agent).c_str(), one.reason.c_str());
  }
  return allocator.check_invariants().empty() ? 0 : 1;
}
