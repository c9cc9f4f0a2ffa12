// Makes a task's process in the fastest way that the kernel has.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "shepherd/account.hpp"
#include "shepherd/descriptor.hpp"
#include "shepherd/launch_plan.hpp"
#include "shepherd/ledger_record.hpp"

namespace librm::shepherd {

struct Spawned {
  pid_t pid = 0;       ///< also of its session and process group
  Descriptor process;  ///< pidfd
  Descriptor report;   ///< where rm-fetch says why it failed; only where the plan fetches
  BirthTicks born;
  WallTime started;
};

/// clone(VM|VFORK|PIDFD) and raw system calls in the child: no copy of page tables, and the
/// program either runs when spawn() returns or the reason is known. The caller waits until the
/// child has executed, which takes as long as its sandbox's file system.
///
/// The child has its own session, signals unblocked and at their defaults (the shepherd itself
/// handles none), stdin from the shepherd's (/dev/null), stdout and stderr appended to in the
/// sandbox, and no other descriptor but, where the plan fetches, one to report on. Not thread-safe;
/// threads may have one spawner each.
class Spawner {
 public:
  /// Tasks get this limit of open files, not the raised one of the shepherd.
  static Result<Spawner> make(const rlimit& task_open_files);
  Spawner(Spawner&& other) noexcept;
  Spawner& operator=(Spawner&&) = delete;
  ~Spawner();

  /// The error says which step failed and why: `exec nosuch: No such file or directory`.
  /// After an error there is no process.
  Result<Spawned> spawn(const LaunchPlan& plan, const Account* account);

 private:
  Spawner(char* stack, const rlimit& limit) : stack_(stack), open_files_(limit) {}

  char* stack_;
  rlimit open_files_;
};

}  // namespace librm::shepherd
