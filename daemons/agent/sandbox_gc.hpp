// The garbage collector of sandboxes: looks from time to time, and deletes beside the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/gc_plan.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

struct SandboxGcOptions {
  std::string work_dir;  ///< sandboxes are `runs/FRAMEWORK/TASK`; what goes is moved to `trash`
  GcOptions rules;
  Duration interval = seconds(60);
};

/// A sandbox's age counts from note_end(), which touches its directory: the time that the kernel
/// then keeps (ctime) survives the agent and cannot be set by the task. Reading directories and
/// deleting are done by one thread; on the loop a sandbox is only renamed into the trash, after
/// asking whether it is in use. What an earlier agent left in the trash is deleted first.
///
/// On the io_context's thread.
class SandboxGc {
 public:
  /// `in_use` says whether a task is live or its end unacknowledged.
  SandboxGc(asio::io_context& io, SandboxGcOptions options,
            std::function<bool(const TaskKey&)> in_use);
  /// Waits for the thread, which stops at the next file.
  ~SandboxGc();
  SandboxGc(const SandboxGc&) = delete;
  SandboxGc& operator=(const SandboxGc&) = delete;

  void start();
  void stop();
  /// Nothing is owed for this task any more.
  void note_end(const std::string& sandbox);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm::daemon
