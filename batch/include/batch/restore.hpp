// What must be changed in a state that is restored from a backup, so that nothing starts twice.
#pragma once

#include <cstdint>
#include <vector>

#include "batch/batch.hpp"
#include "batch/record.hpp"

namespace batch {

struct RestoreOptions {
  std::uint32_t number = 0;  ///< higher than at any restore before, and than any attempt's number
  /// What waits is held and schedules are paused: it may have run after the backup. Only a person
  /// knows that nothing did.
  bool hold = true;
};

struct RestorePlan {
  std::vector<BatchRecord> records;  ///< applied to the state in this order
  std::uint64_t held = 0;            ///< jobs
  std::uint64_t paused = 0;          ///< schedules
  JobId next_job = 0;
};

/// Ids of jobs go on far beyond those of the backup, and numbers of attempts above `number`, since
/// the ones between may have been used. Jobs whose policy is `rerun` are never held: they may run
/// twice. Pure.
RestorePlan plan_restore(const BatchCore& state, const RestoreOptions& options);

}  // namespace batch
