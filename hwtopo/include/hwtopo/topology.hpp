// A machine as a value: packages, NUMA nodes, cores, hardware threads, caches and memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"

namespace hwtopo {

/// A hardware thread, which hwloc calls processing unit. The other fields are indexes into the
/// vectors of Topology.
struct Pu {
  unsigned os_index = 0;  ///< the operating system's number, as in sched_setaffinity(2)
  std::size_t core = 0;
  std::size_t numa_node = 0;  ///< the first that is local
  std::size_t package = 0;
  bool operator==(const Pu&) const = default;
};

struct Core {
  std::vector<std::size_t> pus;
  std::size_t package = 0;
  bool operator==(const Core&) const = default;
};

struct Package {
  std::vector<std::size_t> cores;
  bool operator==(const Package&) const = default;
};

struct NumaNode {
  unsigned os_index = 0;
  std::uint64_t memory_bytes = 0;
  std::vector<std::size_t> pus;  ///< empty for memory without processors
  bool operator==(const NumaNode&) const = default;
};

/// A data or unified cache.
struct Cache {
  unsigned level = 0;
  std::uint64_t size_bytes = 0;
  std::vector<std::size_t> pus;  ///< that share it
  bool operator==(const Cache&) const = default;
};

/// In hwloc's logical order, so that neighbours in a vector are neighbours in the machine. A value
/// without ties to hwloc: copy it, compare it, share it between threads when nobody writes.
struct Topology {
  std::vector<Package> packages;
  std::vector<NumaNode> numa_nodes;
  std::vector<Core> cores;
  std::vector<Pu> pus;
  std::vector<Cache> caches;

  std::uint64_t memory_bytes() const;  ///< of all NUMA nodes
  bool operator==(const Topology&) const = default;
};

/// One line for people: `2 packages, 8 cores, 16 threads, 2 NUMA nodes, memory 64.0 GiB, L3 2 x
/// 32.0 MiB`.
std::string to_string(const Topology& topology);

/// This machine, as far as this process may use it: processors outside of its cpuset or binding
/// are left out. Reads /sys for some milliseconds. Fails with io_error.
librm::Result<Topology> discover();

/// The longest synthetic description that is read or written.
inline constexpr std::size_t synthetic_bytes_max = 64 << 10;

/// hwloc's synthetic form, `pack:2 core:4 pu:2` or `numa:2(memory=32GB) l3:1 core:8 pu:2`, where GB
/// are 10^9 bytes. Fails with invalid_argument.
librm::Result<Topology> from_synthetic(std::string_view description);

/// A description that from_synthetic reads back. It is exact for machines that are equal in all
/// their parts, whose NUMA nodes are numbered in order. Of others it keeps every hardware thread
/// with its number, and each kind of part that cuts the machine equally: where some cores have one
/// thread and some two, each thread is said to be a core. Memory is the mean of the nodes, those
/// without threads are left out. Fails with invalid_argument for a topology without threads, and
/// with resource_exhausted where synthetic_bytes_max do not suffice (11,000 threads that are not
/// numbered in order).
librm::Result<std::string> to_synthetic(const Topology& topology);

/// Reads what to_synthetic wrote, and no other description, without hwloc: for programs that must
/// start fast. Fails with unsupported.
librm::Result<Topology> read_synthetic(std::string_view text);

/// A machine saved by hwloc 2 (`lstopo saved.xml`), at most 16 MiB. Fails with corrupt.
librm::Result<Topology> from_xml(std::string_view xml);

}  // namespace hwtopo
