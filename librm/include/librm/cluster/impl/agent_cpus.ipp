// The processors that tasks are bound to: picked at launch, in the ledger, free at the task's end.
#pragma once

#include <utility>

#include "librm/cluster/agent.hpp"

namespace librm {

/// Tasks of an executor run in its process, which is not bound.
LIBRM_DECL std::vector<std::uint32_t> AgentCore::pick_cpus(const TaskInfo& info) const {
  if (!options_.pick_cpus || info.executor) return {};
  const Amount cpus = info.resources.amount("cpus");
  return cpus > Amount{} ? options_.pick_cpus(cpu_load_, cpus) : std::vector<std::uint32_t>{};
}

/// A task that was bound keeps its processors whatever this agent's options are.
LIBRM_DECL void AgentCore::hold_cpus(CpuLoad& load, const TaskLedgerRecord& record) {
  const Amount cpus = record.info.resources.amount("cpus");
  for (std::uint32_t cpu : record.cpus) load[cpu] += share_of(cpus, record.cpus.size());
}

LIBRM_DECL void AgentCore::free_cpus(const TaskLedgerRecord& record) {
  const Amount cpus = record.info.resources.amount("cpus");
  for (std::uint32_t cpu : record.cpus) {
    auto held = cpu_load_.find(cpu);
    held->second -= share_of(cpus, record.cpus.size());
    if (held->second == Amount{}) cpu_load_.erase(held);
  }
}

}  // namespace librm
