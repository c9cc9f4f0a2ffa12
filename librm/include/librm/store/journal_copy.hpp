// A copy of a journal's file as of one moment, made while its owner runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"

namespace librm {

struct JournalCopy {
  Lsn last_lsn = 0;  ///< all that was committed up to it is in the copy, and nothing later
  std::uint64_t bytes = 0;
};

/// Writes all that is committed in the journal `source` to the one file `destination`, which is
/// made with mode 0600, and verifies every row of it. In one read transaction: the owner's commits
/// go on meanwhile. It takes as long as the disk does, so it is for a thread that may wait; once
/// `stop` is set it ends soon, with `unavailable`. What was written is not synchronized. Where it
/// fails, `destination` is gone.
Result<JournalCopy> copy_journal(const std::string& source, const std::string& destination,
                                 const std::atomic<bool>& stop);

}  // namespace librm
