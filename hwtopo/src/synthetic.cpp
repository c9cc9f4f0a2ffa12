// From the value back to hwloc's synthetic description.
#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hwtopo/topology.hpp"

namespace hwtopo {
namespace {

using Set = std::vector<std::size_t>;

/// One kind of object, all with the same number of hardware threads.
struct Level {
  std::string name;
  std::size_t pus_each = 0;
  std::string attributes;  ///< with their brackets
  std::string attached;    ///< memory
};

/// How many threads each set has, where the sets cut the machine into equal parts: a description
/// can say nothing else.
std::optional<std::size_t> equal_parts(const std::vector<Set>& sets, std::size_t pus) {
  if (sets.empty() || pus % sets.size() != 0) return std::nullopt;
  const std::size_t each = pus / sets.size();
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (sets[i].size() != each) return std::nullopt;
    for (std::size_t j = 0; j < each; ++j) {
      if (sets[i][j] != i * each + j) return std::nullopt;
    }
  }
  return each;
}

std::vector<Set> package_sets(const Topology& topology) {
  std::vector<Set> sets(topology.packages.size());
  for (std::size_t i = 0; i < topology.pus.size(); ++i) {
    sets[topology.pus[i].package].push_back(i);
  }
  return sets;
}

/// Outermost first, as hwloc orders objects with the same threads.
std::vector<Level> cache_levels(const Topology& topology) {
  std::map<unsigned, std::vector<const Cache*>, std::greater<>> by_level;
  for (const Cache& cache : topology.caches) by_level[cache.level].push_back(&cache);
  std::vector<Level> levels;
  for (const auto& [number, caches] : by_level) {
    std::vector<Set> sets;
    bool same_size = true;
    for (const Cache* cache : caches) {
      sets.push_back(cache->pus);
      same_size = same_size && cache->size_bytes == caches.front()->size_bytes;
    }
    const auto each = equal_parts(sets, topology.pus.size());
    if (!each || !same_size) continue;
    levels.push_back({"L" + std::to_string(number) + (number == 1 ? "dCache" : "Cache"), *each,
                      "(size=" + std::to_string(caches.front()->size_bytes) + ")", ""});
  }
  return levels;
}

/// Nodes with the same threads lie in one place; a place has one of each kind.
std::optional<Level> memory_level(const Topology& topology) {
  std::map<Set, std::vector<const NumaNode*>> places;
  for (const NumaNode& node : topology.numa_nodes) {
    if (!node.pus.empty()) places[node.pus].push_back(&node);
  }
  std::vector<Set> sets;
  for (const auto& [pus, nodes] : places) sets.push_back(pus);
  const auto each = equal_parts(sets, topology.pus.size());
  if (!each) return std::nullopt;
  Level level{"Group", *each, "", ""};
  const std::size_t kinds = places.begin()->second.size();
  for (std::size_t kind = 0; kind < kinds; ++kind) {
    // Equal nodes are all that a description can say; the kernel's share makes them differ a bit.
    std::uint64_t sum = 0;
    for (const auto& [pus, nodes] : places) {
      if (nodes.size() != kinds) return std::nullopt;
      sum += nodes[kind]->memory_bytes;
    }
    level.attached += " [NUMANode(memory=" + std::to_string(sum / places.size()) + ")]";
  }
  return level;
}

std::string indexes_of(const Topology& topology) {
  std::string list;
  bool in_order = true;
  for (std::size_t i = 0; i < topology.pus.size(); ++i) {
    in_order = in_order && topology.pus[i].os_index == i;
    list += (i == 0 ? "" : ",") + std::to_string(topology.pus[i].os_index);
  }
  return in_order ? "" : "(indexes=" + list + ")";
}

/// From the machine down; what does not cut the level above into equal parts is left out.
std::vector<Level> levels_of(const Topology& topology) {
  const std::size_t pus = topology.pus.size();
  std::vector<Level> wanted;
  if (const auto each = equal_parts(package_sets(topology), pus)) {
    wanted.push_back({"Package", *each, "", ""});
  }
  std::optional<Level> memory = memory_level(topology);
  if (memory && !wanted.empty() && wanted.front().pus_each == memory->pus_each) {
    wanted.front().attached = memory->attached;
  } else if (memory) {
    wanted.push_back(std::move(*memory));
  }
  for (Level& cache : cache_levels(topology)) wanted.push_back(std::move(cache));
  std::vector<Set> cores;
  for (const Core& core : topology.cores) cores.push_back(core.pus);
  if (const auto each = equal_parts(cores, pus)) wanted.push_back({"Core", *each, "", ""});
  std::stable_sort(wanted.begin(), wanted.end(),
                   [](const Level& a, const Level& b) { return a.pus_each > b.pus_each; });
  wanted.push_back({"PU", 1, indexes_of(topology), ""});
  std::vector<Level> levels;
  std::size_t above = pus;
  for (Level& level : wanted) {
    if (above % level.pus_each != 0) continue;
    above = level.pus_each;
    levels.push_back(std::move(level));
  }
  return levels;
}

}  // namespace

librm::Result<std::string> to_synthetic(const Topology& topology) {
  if (topology.pus.empty()) {
    return librm::fail(librm::ErrorCode::invalid_argument, "topology: no hardware threads");
  }
  std::string text;
  std::size_t above = topology.pus.size();
  for (const Level& level : levels_of(topology)) {
    if (!text.empty()) text += ' ';
    text += level.name + ":" + std::to_string(above / level.pus_each) + level.attributes +
            level.attached;
    above = level.pus_each;
  }
  if (text.size() > synthetic_bytes_max) {
    return librm::fail(librm::ErrorCode::resource_exhausted,
                       "topology: its description takes " + std::to_string(text.size()) +
                           " bytes, at most " + std::to_string(synthetic_bytes_max));
  }
  return text;
}

}  // namespace hwtopo
