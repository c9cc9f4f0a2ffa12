// The directories of runs: made before the shepherd is told to start them.
#pragma once

#include <set>
#include <string>

#include "librm/base/result.hpp"
#include "librm/cluster/shepherd.hpp"

namespace librm::daemon {

/// Makes `<work_dir>/runs/<framework>/<task>` directories: 0755 above, 0700 itself, owned by the
/// command's user where that is another one.
class SandboxMaker {
 public:
  /// An existing one is left as it is: the task was started before, or will not be again.
  Result<void> make(const TaskStart& start);

 private:
  std::set<std::string> parents_;  // that exist
};

}  // namespace librm::daemon
