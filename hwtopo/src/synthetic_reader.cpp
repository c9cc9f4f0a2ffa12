// Reads the form of description that to_synthetic writes, without hwloc.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include "hwtopo/cpuset.hpp"
#include "hwtopo/topology.hpp"

namespace hwtopo {
namespace {

using librm::ErrorCode;
using librm::Result;

/// `L3Cache:2(size=33554432)`, or `NUMANode(memory=1024)` with a count of 1.
struct Item {
  std::string_view name;
  std::size_t count = 1;
  std::string_view key;
  std::string_view value;
};

struct ReadLevel {
  Item item;
  std::size_t objects = 0;  ///< in the whole machine
  std::vector<std::uint64_t> memories;
};

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

std::optional<Item> read_item(std::string_view text) {
  Item item;
  if (const std::size_t open = text.find('('); open != std::string_view::npos) {
    if (text.back() != ')') return std::nullopt;
    std::string_view inside = text.substr(open + 1, text.size() - open - 2);
    text = text.substr(0, open);
    const std::size_t equals = inside.find('=');
    if (equals == std::string_view::npos) return std::nullopt;
    item.key = inside.substr(0, equals);
    item.value = inside.substr(equals + 1);
  }
  const std::size_t colon = text.find(':');
  item.name = text.substr(0, colon);
  if (item.name.empty()) return std::nullopt;
  if (colon == std::string_view::npos) return item;
  if (!read_number(text.substr(colon + 1), item.count) || item.count == 0) return std::nullopt;
  return item;
}

bool read_memory(std::string_view word, ReadLevel& level) {
  if (word.size() < 2 || word.back() != ']') return false;
  const auto item = read_item(word.substr(1, word.size() - 2));
  std::uint64_t bytes = 0;
  if (!item || item->name != "NUMANode" || item->key != "memory") return false;
  if (!read_number(item->value, bytes)) return false;
  level.memories.push_back(bytes);
  return true;
}

std::optional<std::vector<ReadLevel>> read_levels(std::string_view text) {
  std::vector<ReadLevel> levels;
  std::size_t objects = 1;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.starts_with('[')) {
      if (levels.empty() || !read_memory(word, levels.back())) return std::nullopt;
      continue;
    }
    const auto item = read_item(word);
    const bool counted = word.find(':') != std::string_view::npos;
    if (!item || !counted || item->count > Cpuset::cpus_max) return std::nullopt;
    objects *= item->count;
    if (objects > Cpuset::cpus_max) return std::nullopt;
    levels.push_back({*item, objects, {}});
  }
  if (levels.empty() || levels.back().item.name != "PU") return std::nullopt;
  return levels;
}

std::vector<std::size_t> part(std::size_t index, std::size_t each) {
  std::vector<std::size_t> pus(each);
  for (std::size_t i = 0; i < each; ++i) pus[i] = index * each + i;
  return pus;
}

bool add_cache(const ReadLevel& level, std::size_t each, Topology& topology) {
  const std::string_view name = level.item.name;
  if (name.size() < 2 || name[1] < '1' || name[1] > '5' || level.item.key != "size") return false;
  const auto number = static_cast<unsigned>(name[1] - '0');
  std::uint64_t bytes = 0;
  if (!read_number(level.item.value, bytes)) return false;
  std::vector<Cache> caches;
  for (std::size_t i = 0; i < level.objects; ++i) caches.push_back({number, bytes, part(i, each)});
  // Lower levels come first in the value and last in the description.
  topology.caches.insert(topology.caches.begin(), caches.begin(), caches.end());
  return true;
}

void add_memory(const ReadLevel& level, std::size_t each, Topology& topology) {
  for (std::size_t i = 0; i < level.objects; ++i) {
    for (std::uint64_t bytes : level.memories) {
      const auto number = static_cast<unsigned>(topology.numa_nodes.size());
      topology.numa_nodes.push_back({number, bytes, part(i, each)});
    }
    for (std::size_t pu : part(i, each)) topology.pus[pu].numa_node = i * level.memories.size();
  }
}

bool number_threads(const Item& item, Topology& topology) {
  std::string_view rest = item.value;
  for (std::size_t i = 0; i < topology.pus.size(); ++i) {
    topology.pus[i].os_index = static_cast<unsigned>(i);
    if (item.key.empty()) continue;
    const std::size_t end = std::min(rest.find(','), rest.size());
    if (!read_number(rest.substr(0, end), topology.pus[i].os_index)) return false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return rest.empty() && (item.key.empty() || item.key == "indexes");
}

std::optional<Topology> build(const std::vector<ReadLevel>& levels) {
  Topology topology;
  topology.pus.resize(levels.back().objects);
  const std::size_t pus = topology.pus.size();
  std::size_t packages = 1;
  std::size_t cores = pus;
  for (const ReadLevel& level : levels) {
    const std::string_view name = level.item.name;
    const std::size_t each = pus / level.objects;
    if (name == "Package") {
      packages = level.objects;
    } else if (name == "Core") {
      cores = level.objects;
    } else if (name.starts_with('L') && !add_cache(level, each, topology)) {
      return std::nullopt;
    } else if (!name.starts_with('L') && name != "Group" && name != "PU") {
      return std::nullopt;
    }
    if (!level.memories.empty()) add_memory(level, each, topology);
  }
  if (topology.numa_nodes.empty()) topology.numa_nodes.push_back({0, 0, part(0, pus)});
  if (cores < packages || !number_threads(levels.back().item, topology)) return std::nullopt;
  topology.packages.resize(packages);
  for (std::size_t i = 0; i < cores; ++i) {
    const std::size_t package = i / (cores / packages);
    topology.cores.push_back({part(i, pus / cores), package});
    topology.packages[package].cores.push_back(i);
    for (std::size_t pu : topology.cores.back().pus) {
      topology.pus[pu].core = i;
      topology.pus[pu].package = package;
    }
  }
  return topology;
}

}  // namespace

Result<Topology> read_synthetic(std::string_view text) {
  if (text.size() <= synthetic_bytes_max) {
    if (const auto levels = read_levels(text)) {
      if (auto topology = build(*levels)) return *std::move(topology);
    }
  }
  return librm::fail(ErrorCode::unsupported,
                     "topology: '" + std::string(text.substr(0, 200)) +
                         "' is not like 'Package:2 [NUMANode(memory=1024)] Core:4 PU:2'");
}

}  // namespace hwtopo
