// The ages of sandboxes against what the disk allows.
#include "agent/gc_plan.hpp"

#include <algorithm>
#include <utility>

namespace librm::daemon {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t parts = 1'000'000;

}  // namespace

Duration gc_age(const DiskUsage& disk, const GcOptions& options) {
  if (disk.total == 0) return options.age_max;  // nobody could say
  const Wide share = static_cast<Wide>(disk.used) * parts / disk.total;
  const auto used = static_cast<std::int64_t>(std::min<Wide>(share, parts));
  const std::int64_t limit = std::int64_t{options.disk_percent} * (parts / 100);
  if (used >= limit) return Duration{};
  const Wide age = static_cast<Wide>(options.age_max.ns) * (limit - used) / limit;
  return nanoseconds(static_cast<std::int64_t>(age));
}

std::vector<std::string> plan_gc(std::vector<AgedSandbox> sandboxes, const DiskUsage& disk,
                                 WallTime now, const GcOptions& options) {
  const Duration age = gc_age(disk, options);
  std::erase_if(sandboxes, [&](const AgedSandbox& sandbox) { return now - sandbox.ended < age; });
  std::sort(sandboxes.begin(), sandboxes.end(), [](const AgedSandbox& a, const AgedSandbox& b) {
    return a.ended != b.ended ? a.ended < b.ended : a.path < b.path;
  });
  std::vector<std::string> paths;
  paths.reserve(sandboxes.size());
  for (AgedSandbox& sandbox : sandboxes) paths.push_back(std::move(sandbox.path));
  return paths;
}

}  // namespace librm::daemon
