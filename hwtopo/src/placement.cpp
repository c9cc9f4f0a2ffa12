// Choosing hardware threads: first by load, then by whole cores, then by nearness.
#include "hwtopo/placement.hpp"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

namespace hwtopo {
namespace {

using librm::Amount;

/// A part of the machine that threads may share, by their indexes.
using Part = std::vector<std::size_t>;
using Counts = std::vector<std::size_t>;
using Marks = std::vector<bool>;

/// Smallest first; parts with the same threads (a core and its own cache) only once.
std::vector<Part> parts_of(const Topology& topology) {
  std::vector<Part> parts;
  for (const Core& core : topology.cores) parts.push_back(core.pus);
  for (const Cache& cache : topology.caches) parts.push_back(cache.pus);
  for (const NumaNode& node : topology.numa_nodes) parts.push_back(node.pus);
  for (const Package& package : topology.packages) {
    Part part;
    for (std::size_t core : package.cores) {
      const Part& pus = topology.cores[core].pus;
      part.insert(part.end(), pus.begin(), pus.end());
    }
    parts.push_back(std::move(part));
  }
  Part machine(topology.pus.size());
  for (std::size_t i = 0; i < machine.size(); ++i) machine[i] = i;
  parts.push_back(std::move(machine));
  for (Part& part : parts) std::sort(part.begin(), part.end());
  std::sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  parts.erase(std::unique(parts.begin(), parts.end()), parts.end());
  // Memory without processors is near to none.
  if (parts.front().empty()) parts.erase(parts.begin());
  return parts;
}

/// Chooses among threads that are equally good but for where they are.
class Chooser {
 public:
  explicit Chooser(const Topology& topology)
      : topology_(topology),
        parts_(parts_of(topology)),
        parts_of_pu_(topology.pus.size()),
        chosen_(topology.pus.size()) {
    for (const Core& core : topology.cores) {
      core_size_max_ = std::max(core_size_max_, core.pus.size());
    }
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      for (std::size_t pu : parts_[part]) parts_of_pu_[pu].push_back(part);
    }
  }

  void take(std::size_t pu) { chosen_[pu] = true; }

  /// Takes `count` of the threads marked in `open`; at least that many are.
  void take_near(const Marks& open, std::size_t count) {
    const std::size_t in_whole_cores = count - count % core_size_max_;
    const Marks whole = in_whole_cores_of(open);
    const Counts free = count_open(open);
    const Counts free_whole = count_open(whole);
    const auto torn = [&](std::size_t part) {
      return in_whole_cores - std::min(in_whole_cores, free_whole[part]);
    };
    std::size_t best = parts_.size() - 1;  // the machine
    for (std::size_t part = 0; part + 1 < parts_.size(); ++part) {
      if (free[part] < count || torn(part) > torn(best)) continue;
      if (torn(part) < torn(best) || is_tighter(part, best, free)) best = part;
    }
    const std::size_t first = std::min(in_whole_cores, free_whole[best]);
    fill(only(best, whole), first);
    fill(only(best, open), count - first);
  }

  Cpuset result() const {
    std::vector<std::uint32_t> cpus;
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      if (chosen_[i]) cpus.push_back(topology_.pus[i].os_index);
    }
    return Cpuset(std::move(cpus));
  }

 private:
  /// Of each part.
  Counts count_open(const Marks& open) const {
    Counts free(parts_.size());
    for (std::size_t pu = 0; pu < open.size(); ++pu) {
      if (!open[pu]) continue;
      for (std::size_t part : parts_of_pu_[pu]) ++free[part];
    }
    return free;
  }

  /// What is open in the part and not chosen yet.
  Marks only(std::size_t part, const Marks& open) const {
    Marks here(open.size());
    for (std::size_t pu : parts_[part]) here[pu] = open[pu] && !chosen_[pu];
    return here;
  }

  Marks in_whole_cores_of(const Marks& open) const {
    Marks whole(open.size());
    for (const Core& core : topology_.cores) {
      const bool all =
          std::all_of(core.pus.begin(), core.pus.end(), [&](std::size_t pu) { return open[pu]; });
      for (std::size_t pu : core.pus) whole[pu] = all;
    }
    return whole;
  }

  /// Smaller; or as large, and it, or else what is around it, has less that stays free.
  bool is_tighter(std::size_t a, std::size_t b, const Counts& free) const {
    if (parts_[a].size() != parts_[b].size()) return parts_[a].size() < parts_[b].size();
    const Counts& around_a = parts_of_pu_[parts_[a].front()];
    const Counts& around_b = parts_of_pu_[parts_[b].front()];
    auto at_a = std::find(around_a.begin(), around_a.end(), a);
    auto at_b = std::find(around_b.begin(), around_b.end(), b);
    for (; at_a != around_a.end() && at_b != around_b.end(); ++at_a, ++at_b) {
      if (free[*at_a] != free[*at_b]) return free[*at_a] < free[*at_b];
    }
    return false;
  }

  /// Takes the tightest part that has enough; where that consists of smaller parts, the fullest of
  /// them is taken whole, and what is missing is looked for in the same way.
  void fill(Marks open, std::size_t count) {
    while (count > 0) {
      const Counts free = count_open(open);
      std::size_t enough = parts_.size() - 1;
      for (std::size_t part = 0; part + 1 < parts_.size(); ++part) {
        if (free[part] >= count && is_tighter(part, enough, free)) enough = part;
      }
      for (std::size_t pu : parts_[fullest_within(enough, free)]) {
        if (!open[pu] || count == 0) continue;
        take(pu);
        --count;
      }
      open = only(enough, open);
    }
  }

  /// The part itself where none of its own parts has anything open.
  std::size_t fullest_within(std::size_t outer, const Counts& free) const {
    const Part& whole = parts_[outer];
    std::size_t best = outer;
    std::size_t best_free = 0;
    for (std::size_t part = 0; part < outer; ++part) {
      const Part& inner = parts_[part];
      if (free[part] <= best_free || inner.size() >= whole.size()) continue;
      if (!std::includes(whole.begin(), whole.end(), inner.begin(), inner.end())) continue;
      best = part;
      best_free = free[part];
    }
    return best;
  }

  const Topology& topology_;
  std::vector<Part> parts_;
  std::vector<Counts> parts_of_pu_;  // indexes of parts, smallest first
  std::size_t core_size_max_ = 1;
  Marks chosen_;
};

std::vector<Amount> loads_of(const Topology& topology, const CpuLoad& load) {
  std::vector<Amount> loads(topology.pus.size());
  for (std::size_t i = 0; i < loads.size(); ++i) {
    const auto found = load.find(topology.pus[i].os_index);
    if (found != load.end()) loads[i] = found->second;
  }
  return loads;
}

/// The fullest thread where it still fits; where it fits nowhere, the one that is used least.
std::size_t thread_for_part(const Topology& topology, const std::vector<Amount>& loads,
                            Amount cpus) {
  std::size_t best = 0;
  std::tuple<bool, std::int64_t, std::int64_t> best_key{
      true, std::numeric_limits<std::int64_t>::max(), 0};
  for (std::size_t i = 0; i < loads.size(); ++i) {
    const bool over = loads[i] + cpus > Amount::units(1);
    // A free thread beside a busy one is better than one that breaks a free core.
    Amount core;
    for (std::size_t sibling : topology.cores[topology.pus[i].core].pus) core += loads[sibling];
    const std::tuple key{over, over ? loads[i].milli : -loads[i].milli, -core.milli};
    if (key >= best_key) continue;
    best = i;
    best_key = key;
  }
  return best;
}

}  // namespace

librm::Result<Cpuset> pick_cpus(const Topology& topology, const CpuLoad& load, Amount cpus) {
  if (topology.pus.empty()) {
    return librm::fail(librm::ErrorCode::invalid_argument, "topology: no hardware threads");
  }
  if (cpus <= Amount{}) return Cpuset();
  const std::vector<Amount> loads = loads_of(topology, load);
  if (cpus < Amount::units(1)) {
    return Cpuset({topology.pus[thread_for_part(topology, loads, cpus)].os_index});
  }
  const auto wanted = static_cast<std::size_t>((cpus.milli + 999) / 1000);
  std::size_t missing = std::min(wanted, loads.size());

  // Rounds from the least load up: all threads of a round are taken but those of the last one,
  // among which nearness decides. Mostly the first round, of free threads, is the last one.
  Chooser chooser(topology);
  std::vector<std::int64_t> levels;
  for (Amount amount : loads) levels.push_back(amount.milli);
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  for (std::int64_t level : levels) {
    Marks open(loads.size());
    std::size_t count = 0;
    for (std::size_t i = 0; i < loads.size(); ++i) {
      open[i] = loads[i].milli == level;
      if (open[i]) ++count;
    }
    if (count >= missing) {
      chooser.take_near(open, missing);
      break;
    }
    for (std::size_t i = 0; i < loads.size(); ++i) {
      if (open[i]) chooser.take(i);
    }
    missing -= count;
  }
  return chooser.result();
}

librm::Result<Cpuset> pick_cpus(const Topology& topology, const std::vector<Cpuset>& taken,
                                Amount cpus) {
  CpuLoad load;
  for (const Cpuset& set : taken) {
    for (std::uint32_t cpu : set.cpus()) load[cpu] += Amount::units(1);
  }
  return pick_cpus(topology, load, cpus);
}

}  // namespace hwtopo
