// Deleting what a task has left, which may be anything and may still change.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "librm/base/result.hpp"

namespace librm::daemon {

struct Removed {
  std::uint64_t entries = 0;  ///< files and directories
  std::uint64_t left = 0;     ///< that could not be removed, such as what is mounted there
  bool done = true;           ///< false: it was told to stop
};

/// Deletes everything in `trash`, a directory that is ours alone. No link is followed: each name is
/// unlinked or, if it is a directory, moved up into `trash` and emptied there, so that neither its
/// depth nor a process that still renames things in it matters. Takes as long as it takes; another
/// thread may set `stop`.
Result<Removed> empty_trash(const std::string& trash, const std::atomic<bool>& stop);

}  // namespace librm::daemon
