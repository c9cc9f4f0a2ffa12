// From hwloc's trees to the value: this machine, saved machines, synthetic ones.
#include <hwloc.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hwtopo/topology.hpp"

namespace hwtopo {
namespace {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

constexpr std::size_t xml_bytes_max = 16u << 20;
/// hwloc builds what is described: a typing error must not cost gigabytes.
constexpr unsigned pus_max = 65'536;

struct Destroy {
  void operator()(hwloc_topology* topology) const { hwloc_topology_destroy(topology); }
};
using Tree = std::unique_ptr<hwloc_topology, Destroy>;

Tree make_tree() {
  hwloc_topology_t tree = nullptr;
  if (hwloc_topology_init(&tree) != 0) return nullptr;
  // PCI and its friends take most of the time, and the value has no place for them.
  hwloc_topology_set_io_types_filter(tree, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_icache_types_filter(tree, HWLOC_TYPE_FILTER_KEEP_NONE);
  hwloc_topology_set_type_filter(tree, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE);
  return Tree(tree);
}

std::size_t count_of(hwloc_topology_t tree, hwloc_obj_type_t type) {
  const int count = hwloc_get_nbobjs_by_type(tree, type);
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

hwloc_obj_t object(hwloc_topology_t tree, hwloc_obj_type_t type, std::size_t index) {
  return hwloc_get_obj_by_type(tree, type, static_cast<unsigned>(index));
}

/// Logical indexes of the hardware threads in a set.
std::vector<std::size_t> pus_in(hwloc_topology_t tree, hwloc_const_bitmap_t set) {
  std::vector<std::size_t> pus;
  hwloc_obj_t pu = nullptr;
  while ((pu = hwloc_get_next_obj_inside_cpuset_by_type(tree, set, HWLOC_OBJ_PU, pu)) != nullptr) {
    pus.push_back(pu->logical_index);
  }
  return pus;
}

void take_numa_nodes(hwloc_topology_t tree, Topology& topology) {
  for (std::size_t i = count_of(tree, HWLOC_OBJ_NUMANODE); i-- > 0;) {
    hwloc_obj_t node = object(tree, HWLOC_OBJ_NUMANODE, i);
    NumaNode value{node->os_index, node->attr->numanode.local_memory, pus_in(tree, node->cpuset)};
    // Backwards, so that where several nodes are local the first one stays.
    for (std::size_t pu : value.pus) topology.pus[pu].numa_node = i;
    topology.numa_nodes.insert(topology.numa_nodes.begin(), std::move(value));
  }
}

/// Virtual machines may hide packages and cores: then the machine is one package, and each
/// hardware thread a core.
void take_cores(hwloc_topology_t tree, Topology& topology) {
  topology.packages.resize(std::max<std::size_t>(1, count_of(tree, HWLOC_OBJ_PACKAGE)));
  for (std::size_t i = 0; i < topology.pus.size(); ++i) {
    hwloc_obj_t pu = object(tree, HWLOC_OBJ_PU, i);
    hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(tree, HWLOC_OBJ_PACKAGE, pu);
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(tree, HWLOC_OBJ_CORE, pu);
    Pu& value = topology.pus[i];
    value.os_index = pu->os_index;
    value.package = package == nullptr ? 0 : package->logical_index;
    value.core = core == nullptr ? topology.cores.size() : core->logical_index;
    if (value.core >= topology.cores.size()) {
      topology.cores.resize(value.core + 1);
      topology.cores[value.core].package = value.package;
      topology.packages[value.package].cores.push_back(value.core);
    }
    topology.cores[value.core].pus.push_back(i);
  }
}

void take_caches(hwloc_topology_t tree, Topology& topology) {
  for (hwloc_obj_type_t type : {HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
                                HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE}) {
    for (std::size_t i = 0; i < count_of(tree, type); ++i) {
      hwloc_obj_t cache = object(tree, type, i);
      topology.caches.push_back(
          {cache->attr->cache.depth, cache->attr->cache.size, pus_in(tree, cache->cpuset)});
    }
  }
}

Result<Topology> value_of(hwloc_topology_t tree, ErrorCode code) {
  const std::size_t pus = count_of(tree, HWLOC_OBJ_PU);
  if (pus == 0 || pus > pus_max) {
    return fail(code, "topology: " + std::to_string(pus) + " hardware threads, need 1.." +
                          std::to_string(pus_max));
  }
  Topology topology;
  topology.pus.resize(pus);
  take_cores(tree, topology);
  take_numa_nodes(tree, topology);
  take_caches(tree, topology);
  return topology;
}

librm::Error no_memory() { return {ErrorCode::io_error, "topology: out of memory"}; }

/// What an error shows of a description.
std::string shown(std::string_view description) {
  constexpr std::size_t shown_max = 200;
  if (description.size() <= shown_max) return std::string(description);
  return std::string(description.substr(0, shown_max)) + "...";
}

/// The product of the counts, before hwloc builds it: `pack:2 core:4` is 8.
Result<void> check_size(std::string_view description) {
  std::uint64_t product = 1;
  bool in_attributes = false;  // (indexes=4*2:2*4) has colons of its own
  for (std::size_t at = 0; at < description.size(); ++at) {
    if (description[at] == '(') in_attributes = true;
    if (description[at] == ')') in_attributes = false;
    if (in_attributes || description[at] != ':') continue;
    std::uint64_t count = 0;
    for (std::size_t i = at + 1; i < description.size(); ++i) {
      if (description[i] < '0' || description[i] > '9') break;
      count = count * 10 + static_cast<std::uint64_t>(description[i] - '0');
      if (count > pus_max) break;
    }
    product *= count == 0 ? 1 : count;
    if (product > pus_max) {
      return fail(ErrorCode::invalid_argument, "topology: '" + shown(description) +
                                                   "': more than " + std::to_string(pus_max) +
                                                   " hardware threads");
    }
  }
  return {};
}

}  // namespace

Result<Topology> discover() {
  const Tree tree = make_tree();
  if (!tree) return tl::unexpected(no_memory());
  hwloc_topology_set_flags(
      tree.get(), HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING);
  if (hwloc_topology_load(tree.get()) != 0) {
    return fail(ErrorCode::io_error,
                std::string("topology of this machine: ") + std::strerror(errno));
  }
  return value_of(tree.get(), ErrorCode::io_error);
}

Result<Topology> from_synthetic(std::string_view description) {
  const std::string text(description);
  if (text.empty() || text.size() > synthetic_bytes_max) {
    return fail(ErrorCode::invalid_argument, "topology: a description of " +
                                                 std::to_string(text.size()) + " bytes, need 1.." +
                                                 std::to_string(synthetic_bytes_max));
  }
  if (auto ok = check_size(description); !ok) return tl::unexpected(ok.error());
  const Tree tree = make_tree();
  if (!tree) return tl::unexpected(no_memory());
  if (hwloc_topology_set_synthetic(tree.get(), text.c_str()) != 0 ||
      hwloc_topology_load(tree.get()) != 0) {
    return fail(ErrorCode::invalid_argument, "topology: '" + shown(text) +
                                                 "' is not like 'pack:2 core:4 "
                                                 "pu:2'");
  }
  return value_of(tree.get(), ErrorCode::invalid_argument);
}

Result<Topology> from_xml(std::string_view xml) {
  if (xml.size() > xml_bytes_max) {
    return fail(ErrorCode::corrupt, "topology: XML of " + std::to_string(xml.size()) +
                                        " bytes, limit " + std::to_string(xml_bytes_max));
  }
  const Tree tree = make_tree();
  if (!tree) return tl::unexpected(no_memory());
  const std::string text(xml);
  const int size = static_cast<int>(text.size() + 1);  // hwloc wants the ending zero counted
  if (hwloc_topology_set_xmlbuffer(tree.get(), text.c_str(), size) != 0 ||
      hwloc_topology_load(tree.get()) != 0) {
    return fail(ErrorCode::corrupt, "topology: not a machine that hwloc 2 saved as XML");
  }
  return value_of(tree.get(), ErrorCode::corrupt);
}

}  // namespace hwtopo
