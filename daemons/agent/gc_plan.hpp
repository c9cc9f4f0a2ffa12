// Which sandboxes of ended tasks go, and in which order; pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "librm/base/time.hpp"

namespace librm::daemon {

struct GcOptions {
  Duration age_max = seconds(7 * 24 * 3600);  ///< after the task's end, on an empty disk
  std::uint32_t disk_percent = 90;  ///< in use from here on, and nothing is kept for its age
};

struct AgedSandbox {
  std::string path;
  WallTime ended;  ///< its task, if it has
};

/// Of the file system that has the sandboxes.
struct DiskUsage {
  std::uint64_t used = 0;  ///< any unit
  std::uint64_t total = 0;
};

/// How long a sandbox is kept: `age_max` on an empty disk, and linearly less the fuller it is,
/// until nothing at `disk_percent`. As the garbage collector of Mesos' agents, whose headroom is
/// what is left above `disk_percent`; there an empty disk does not give all of `age_max`.
Duration gc_age(const DiskUsage& disk, const GcOptions& options);

/// The paths of those that are older, oldest first. Who deletes them asks again after some of them,
/// since then there is more room.
std::vector<std::string> plan_gc(std::vector<AgedSandbox> sandboxes, const DiskUsage& disk,
                                 WallTime now, const GcOptions& options);

}  // namespace librm::daemon
