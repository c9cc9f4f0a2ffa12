// Which hardware threads a task gets: near each other, whole cores, the least used.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "hwtopo/cpuset.hpp"
#include "hwtopo/topology.hpp"
#include "librm/base/amount.hpp"
#include "librm/base/result.hpp"

namespace hwtopo {

/// What tasks were promised of each hardware thread, by the operating system's number. A thread
/// that is not named is free; one with more than 1 is oversubscribed.
using CpuLoad = std::map<std::uint32_t, librm::Amount>;

/// Picks threads for a task that was promised `cpus`. Pure and deterministic.
///
/// Whole cpus get that many threads: free ones if there are enough, else the least used. Among
/// them whole cores come before single threads of several cores, then the smallest part of the
/// machine that has enough (core, cache, NUMA node, package), then the part where the least stays
/// free, so that large holes stay whole. 2.5 cpus get three threads. Less than one cpu gets one
/// thread, which it shares with others of its kind as long as they fit there together. Where there
/// are fewer threads than cpus, all of them are returned; for no cpus, none.
///
/// Fails with invalid_argument for a topology without threads.
librm::Result<Cpuset> pick_cpus(const Topology& topology, const CpuLoad& load, librm::Amount cpus);

/// The same where each of `taken` has all of its threads.
librm::Result<Cpuset> pick_cpus(const Topology& topology, const std::vector<Cpuset>& taken,
                                librm::Amount cpus);

}  // namespace hwtopo
