// The words of schedules' policies.
#include "batch/schedule/schedule.hpp"

namespace batch {

const char* to_string(CatchUp policy) {
  switch (policy) {
    case CatchUp::skip:
      return "skip";
    case CatchUp::last:
      return "last";
    case CatchUp::all:
      return "all";
  }
  return "unknown";
}

const char* to_string(Overlap policy) {
  switch (policy) {
    case Overlap::forbid:
      return "forbid";
    case Overlap::allow:
      return "allow";
    case Overlap::replace:
      return "replace";
  }
  return "unknown";
}

const char* to_string(RunCause cause) {
  switch (cause) {
    case RunCause::occurrence:
      return "occurrence";
    case RunCause::parents:
      return "parents";
    case RunCause::trigger:
      return "trigger";
  }
  return "unknown";
}

}  // namespace batch
