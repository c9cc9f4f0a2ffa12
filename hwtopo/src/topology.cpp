// Sums over a topology and its one-line description.
#include "hwtopo/topology.hpp"

#include <array>
#include <map>
#include <utility>

namespace hwtopo {
namespace {

std::string counted(std::size_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

/// One decimal, in the largest binary unit below the amount.
std::string bytes_text(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> units{"KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1024;
  while (unit + 1 < units.size() && bytes / scale >= 1024) {
    scale *= 1024;
    ++unit;
  }
  // The remainder is scaled down first: ten times a large one would not fit.
  const std::uint64_t tenths = bytes % scale / (scale / 1024) * 10 / 1024;
  return std::to_string(bytes / scale) + "." + std::to_string(tenths) + " " + units[unit];
}

}  // namespace

std::uint64_t Topology::memory_bytes() const {
  std::uint64_t sum = 0;
  for (const NumaNode& node : numa_nodes) sum += node.memory_bytes;
  return sum;
}

std::string to_string(const Topology& topology) {
  std::string text = counted(topology.packages.size(), "package") + ", " +
                     counted(topology.cores.size(), "core") + ", " +
                     counted(topology.pus.size(), "thread") + ", " +
                     counted(topology.numa_nodes.size(), "NUMA node") + ", memory " +
                     bytes_text(topology.memory_bytes());
  std::map<std::pair<unsigned, std::uint64_t>, std::size_t> caches;
  for (const Cache& cache : topology.caches) ++caches[{cache.level, cache.size_bytes}];
  for (const auto& [kind, count] : caches) {
    text += ", L" + std::to_string(kind.first) + " " + std::to_string(count) + " x " +
            bytes_text(kind.second);
  }
  return text;
}

}  // namespace hwtopo
