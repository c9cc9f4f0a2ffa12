// Departments, teams and quotas: a tree of roles, who is owed what, and why somebody waits.
//
// Roles form a tree by their names: `eng/web` is below `eng`. A quota is a guarantee, a limit, or
// both, and counts for all below its role. Whoever waits can be told why, in amounts.
#include <cstdio>
#include <string>
#include <utility>

#include "librm/librm.hpp"

using namespace librm;

namespace {

Amounts amounts(const char* text) { return parse_request(text).value().amounts; }

void print_role(const Allocator& allocator, const char* role) {
  for (const std::string& line : allocator.explain_role(role)) std::printf("  %s\n", line.c_str());
}

}  // namespace

int main() {
  const FrameworkId web{1};
  const FrameworkId data{2};
  const FrameworkId ops{3};
  Allocator allocator{AllocatorOptions{}};
  for (std::uint64_t id = 1; id <= 4; ++id) {
    const Resources total = Resources::parse("cpus:4;mem:16").value();
    if (!allocator.add_agent({id}, "host-" + std::to_string(id), total, {}, {})) return 1;
  }

  // All of eng together has at most 8 CPUs; 4 are kept for ops, though it is not even there yet.
  if (!allocator.set_quota("eng", Quota{{}, amounts("cpus:8")})) return 1;
  if (!allocator.set_quota("ops", Quota{amounts("cpus:4"), {}})) return 1;
  // What could not be kept is not promised.
  const auto refused = allocator.set_quota("lab", Quota{amounts("cpus:13"), {}});
  if (!refused) std::printf("refused: %s\n", refused.error().message.c_str());

  if (!allocator.add_framework(web, {"eng/web"})) return 1;
  if (!allocator.add_framework(data, {"eng/data"})) return 1;
  if (!allocator.set_weight("eng/web", 3000)) return 1;  // thrice as much as its sibling

  const Instant now;
  bool ops_served = false;
  for (int round = 0; round < 2; ++round) {
    for (const Offer& offer : allocator.run(now)) {
      if (offer.framework == ops && std::exchange(ops_served, true)) {
        (void)allocator.decline(offer.id, now, seconds(60), "one node is enough");
        continue;
      }
      std::printf("%s of %s to %s\n", to_string(offer.resources).c_str(),
                  to_string(offer.agent).c_str(), offer.role.c_str());
      if (!allocator.accept({{offer.id}}, offer.resources, now, Duration{})) return 1;
    }
    if (round == 0 && !allocator.add_framework(ops, {"ops"})) return 1;
  }

  std::puts("what they have and are owed:");
  for (const char* role : {"eng", "eng/web", "ops"}) print_role(allocator, role);
  const Request more = parse_request("cpus:2").value();
  std::printf("why does eng/web wait for 2 CPUs? %s\n",
              summary(allocator.explain(web, "eng/web", more, now)).c_str());

  // The limit is for what is consumed: what ends below eng makes room below eng.
  allocator.release(data, {1}, "eng/data", Resources::parse("cpus:4;mem:16").value());
  std::printf("and when eng/data has ended? %s\n",
              summary(allocator.explain(web, "eng/web", more, now)).c_str());
  return allocator.check_invariants().empty() ? 0 : 1;
}
