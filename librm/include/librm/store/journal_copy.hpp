// A copy of a journal's file as of one moment, made while its owner runs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/store/journal.hpp"

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

/// The same of a journal of any kind, which nobody writes through this object: all that `source`
/// replays becomes a SQLite journal. LSNs count anew in the copy; last_lsn is the source's.
Result<JournalCopy> copy_journal(Journal& source, const std::string& destination,
                                 const std::atomic<bool>& stop);

/// Appends to a journal and waits each time: for who copies or restores. It sets on_durable, so the
/// journal must not have been appended to, and it outlives what is appended.
class DurableWriter {
 public:
  explicit DurableWriter(Journal& journal);
  DurableWriter(const DurableWriter&) = delete;
  DurableWriter& operator=(const DurableWriter&) = delete;

  /// Returns when all of it is durable, or with why it never will be.
  Result<void> append(std::vector<RecordEntry> entries);

 private:
  Journal& journal_;
  std::mutex mutex_;
  std::condition_variable changed_;
  Lsn durable_ = 0;
  std::optional<Error> failed_;
};

}  // namespace librm
