// `rm-journal restore`: a master's directory, or the state of several, from a backup.
#pragma once

#include <cstdint>
#include <string>

#include "journal/state.hpp"
#include "librm/base/result.hpp"

namespace librm::journal {

struct RestoreRequest {
  std::string backup;
  std::string work_dir;     ///< of a single master; empty: into `state`
  std::string state;        ///< `postgresql://...`, for several
  std::string cluster;      ///< keys it in that database
  bool force = false;       ///< what is in work_dir is set aside, not deleted
  bool hold = true;         ///< as batch::RestoreOptions
  std::uint32_t epoch = 0;  ///< at least this; 0: chosen
};

/// The epoch of a state that is restored at `now`: above the backup's own, and those of all the
/// leaders there were after it, for these took one each. `least` is what a person knows. Pure.
Result<Epoch> restored_epoch(Epoch backup, Epoch replaced, Epoch least, WallTime now);

/// Says what it did. Nothing is changed where it fails.
Result<Json> restore(const RestoreRequest& request);

}  // namespace librm::journal
