// A question to a copy: if this gang were admitted, who would wait, and for how long?
//
// clone() gives an allocator that goes on from here on its own. Whatever is tried there, the
// original never notices, so a scheduler can ask before it promises.
#include <cstdio>
#include <memory>
#include <string>

#include "librm/librm.hpp"

using namespace librm;

namespace {

Demand nodes(std::uint64_t id, const std::string& role, std::uint32_t count, const char* shape) {
  Demand demand;
  demand.id = {id};
  demand.role = role;
  demand.shape = parse_request(shape).value();
  demand.count_min = demand.count_max = count;
  return demand;
}

/// What the demand's owner would be told now.
void print_waiting(const Allocator& allocator, const char* when, FrameworkId framework,
                   DemandId demand, Instant now) {
  const auto reasons = allocator.explain_demand(framework, demand, now);
  if (reasons) std::printf("%s: %s\n", when, summary(*reasons).c_str());
}

}  // namespace

int main() {
  const FrameworkId serve{1};
  const FrameworkId render{2};
  const FrameworkId train{3};
  const Instant now;
  const Resources node = Resources::parse("cpus:8;mem:32").value();

  Allocator allocator{AllocatorOptions{}};
  if (!allocator.add_framework(render, {"render"})) return 1;
  if (!allocator.add_framework(train, {"train"})) return 1;
  for (std::uint64_t id = 1; id <= 4; ++id) {
    std::vector<Allocator::Held> held;
    // Of one agent it is known when it will be free: in ten minutes.
    if (id == 1) held.push_back({serve, "serve", node, now + seconds(600)});
    if (!allocator.add_agent({id}, "host-" + std::to_string(id), node, {}, held)) return 1;
  }
  // `render` works on single nodes, and asks for no offers at the moment.
  if (!allocator.set_demands(render, {nodes(1, "render", 1, "cpus:8")})) return 1;
  allocator.suppress(render, {});
  print_waiting(allocator, "today", render, {1}, now);

  // The question: `train` wants three whole nodes at once.
  const std::unique_ptr<Allocator> copy = allocator.clone();
  if (!copy->set_demands(train, {nodes(1, "train", 3, "cpus:8;mem:32")})) return 1;
  for (const Offer& offer : copy->run(now)) {
    std::printf("the gang would start on %s\n", to_string(offer.agent).c_str());
  }
  copy->revive(render, {});
  (void)copy->run(now);
  print_waiting(*copy, "then", render, {1}, now);
  for (const Allocator::EarmarkView& earmark : copy->earmarks()) {
    if (!earmark.starts) continue;
    std::printf("%s of %s would start within %lld s\n", to_string(earmark.demand).c_str(),
                to_string(earmark.framework).c_str(),
                static_cast<long long>(to_ms(*earmark.starts - now) / 1000));
  }

  // Nothing of that has happened.
  print_waiting(allocator, "still", render, {1}, now);
  return allocator.offers_of(train).empty() && allocator.earmarks().empty() ? 0 : 1;
}
