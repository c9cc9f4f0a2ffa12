// Files and directories that daemons keep: made with the right mode, replaced in one step.
#pragma once

#include <cstdint>
#include <string>

#include "librm/base/result.hpp"

namespace librm::daemon {

/// Makes the directory, and what is missing above it with mode 0755. One that exists keeps its
/// mode.
Result<void> make_directories(const std::string& path, unsigned mode);

/// The absolute form of a path, without `.` and `..`; a leading `~` is not expanded.
std::string absolute_path(const std::string& path);

/// Where a daemon keeps its state by default: /var/lib/librm/NAME for root, else
/// $XDG_STATE_HOME/librm/NAME or ~/.local/state/librm/NAME.
std::string default_work_dir(const std::string& name);

/// Bytes that the user of this process may still write in the file system of `path`; 0 where it
/// cannot be asked.
std::int64_t free_bytes(const std::string& path);

/// Where a master can be reached. It stands in `<work_dir>/master.address`, so that who knows the
/// directory finds a restarted master on whatever port it got.
struct MasterAddress {
  std::string http;     ///< `127.0.0.1:5050`
  std::string cluster;  ///< `127.0.0.1:5150`
  std::int64_t pid = 0;
};

/// Replaces the file in one step.
Result<void> write_master_address(const std::string& work_dir, const MasterAddress& address);
/// Fails with `unavailable` where there is no file (yet), `corrupt` where it is something else.
Result<MasterAddress> read_master_address(const std::string& work_dir);
void remove_master_address(const std::string& work_dir);

}  // namespace librm::daemon
