// The child's few steps between clone(2) and execve(2), and the parent's around them.
#include "shepherd/spawner.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>
#include <vector>

#include "shepherd/fetch_plan.hpp"
#include "shepherd/processes.hpp"

namespace librm::shepherd {
namespace {

constexpr std::size_t stack_size = 64u << 10;
constexpr std::size_t page_size = 4096;
constexpr unsigned memfd_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;

enum class Step : int {
  none,
  session,
  sandbox,
  output,
  owner,
  user,
  directory,
  limit,
  binding,
  exec
};

/// Shared between parent and child, which run one after the other.
struct ChildPlan {
  const char* sandbox;
  const char* working_directory;  // null: the sandbox
  const char* const* programs;    // ends with null
  char* const* arguments;
  char* const* environment;
  const Account* account;  // null: do not switch
  rlimit open_files;
  const std::vector<unsigned long>* cpu_mask = nullptr;  // null: any processor
  int report = -1;                                       // -1: it fetches nothing
  Step failed_step = Step::none;
  int failed_errno = 0;
};

// The child runs in the parent's memory on a stack of its own: it calls the kernel and nothing
// that locks, allocates, or is instrumented.
#define RM_CHILD __attribute__((no_sanitize("address", "undefined")))

RM_CHILD bool open_output(const ChildPlan& plan, const char* name, int target) {
  const long fd = ::syscall(SYS_openat, AT_FDCWD, name,
                            O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  if (plan.account != nullptr &&
      ::syscall(SYS_fchown, fd, plan.account->uid, plan.account->gid) != 0) {
    return false;
  }
  return ::syscall(SYS_dup3, fd, target, 0) >= 0;
}

/// Raw calls on purpose: those of the C library would change the ids of all threads.
RM_CHILD bool become(const Account& account) {
  return ::syscall(SYS_setgroups, account.groups.size(), account.groups.data()) == 0 &&
         ::syscall(SYS_setresgid, account.gid, account.gid, account.gid) == 0 &&
         ::syscall(SYS_setresuid, account.uid, account.uid, account.uid) == 0;
}

/// As execvp(3): goes on where a program is not there, and remembers one that may not be run.
RM_CHILD int exec_first(const ChildPlan& plan) {
  int reason = ENOENT;
  for (const char* const* program = plan.programs; *program != nullptr; ++program) {
    ::syscall(SYS_execve, *program, plan.arguments, plan.environment);
    if (errno == EACCES) reason = EACCES;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) return errno;
  }
  return reason;
}

RM_CHILD Step prepare_and_exec(ChildPlan& plan) {
  if (::syscall(SYS_setsid) < 0) return Step::session;
  if (::syscall(SYS_chdir, plan.sandbox) != 0) return Step::sandbox;
  if (plan.account != nullptr &&
      ::syscall(SYS_chown, ".", plan.account->uid, plan.account->gid) != 0) {
    return Step::owner;
  }
  if (!open_output(plan, "stdout", 1) || !open_output(plan, "stderr", 2)) return Step::output;
  // Not closed but marked: as long as this is not yet the task, it holds the shepherd's lock, so
  // that no new shepherd looks for tasks before this one can be recognised.
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.report >= 0) {
    // Both lose the mark: dup3 of a descriptor onto itself is an error, and fcntl does the same.
    if (plan.report == fetch_report_descriptor) {
      if (::syscall(SYS_fcntl, plan.report, F_SETFD, 0) != 0) return Step::output;
    } else if (::syscall(SYS_dup3, plan.report, fetch_report_descriptor, 0) < 0) {
      return Step::output;
    }
  }
  if (::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &plan.open_files, nullptr) != 0) {
    return Step::limit;
  }
  if (plan.account != nullptr && !become(*plan.account)) return Step::user;
  if (plan.working_directory != nullptr && ::syscall(SYS_chdir, plan.working_directory) != 0) {
    return Step::directory;
  }
  // In the child, so that the thread that makes it has nothing to restore; and last, since the
  // kernel looks for a processor at exec anyway.
  if (plan.cpu_mask != nullptr &&
      ::syscall(SYS_sched_setaffinity, 0, plan.cpu_mask->size() * sizeof(unsigned long),
                plan.cpu_mask->data()) != 0) {
    return Step::binding;
  }
  constexpr std::uint64_t no_signals = 0;
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &no_signals, nullptr, sizeof no_signals);
  errno = exec_first(plan);
  return Step::exec;
}

RM_CHILD int child_main(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  const Step failed = prepare_and_exec(plan);
  plan.failed_errno = errno;
  plan.failed_step = failed;
  ::syscall(SYS_exit, 127);
  return 0;
}

std::string cpus_text(const std::vector<unsigned long>& mask) {
  constexpr std::size_t bits = 8 * sizeof(unsigned long);
  std::string text;
  for (std::size_t cpu = 0; cpu < mask.size() * bits; ++cpu) {
    if ((mask[cpu / bits] >> (cpu % bits) & 1) == 0) continue;
    text += (text.empty() ? "" : ",") + std::to_string(cpu);
  }
  return text;
}

std::string failure_text(const ChildPlan& child, const LaunchPlan& plan) {
  const std::string reason = ": " + errno_text(child.failed_errno);
  switch (child.failed_step) {
    case Step::sandbox:
      return "sandbox " + plan.sandbox + reason;
    case Step::owner:
      return "sandbox " + plan.sandbox + ": giving it to the user" + reason;
    case Step::output:
      return "sandbox " + plan.sandbox + ": stdout and stderr" + reason;
    case Step::user:
      return "user " + child.account->name + reason;
    case Step::directory:
      return "working directory " + plan.working_directory + reason;
    case Step::binding:
      return "binding to processors " + cpus_text(plan.cpu_mask) + reason;
    case Step::exec:
      return "exec " + (plan.fetches ? plan.programs : plan.arguments).front() + reason;
    default:
      return "new session" + reason;
  }
}

template <class Pointer>
std::vector<Pointer> pointers(const std::vector<std::string>& texts) {
  std::vector<Pointer> list;
  list.reserve(texts.size() + 1);
  for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
  list.push_back(nullptr);
  return list;
}

}  // namespace

Result<Spawner> Spawner::make(const rlimit& task_open_files) {
  void* stack = ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) return fail_errno("stack for new processes");
  ::mprotect(stack, page_size, PROT_NONE);  // what overflows faults, and does not corrupt
  return Spawner(static_cast<char*>(stack), task_open_files);
}

Spawner::Spawner(Spawner&& other) noexcept
    : stack_(std::exchange(other.stack_, nullptr)), open_files_(other.open_files_) {}

Spawner::~Spawner() {
  if (stack_ != nullptr) ::munmap(stack_, stack_size);
}

Result<Spawned> Spawner::spawn(const LaunchPlan& plan, const Account* account) {
  const auto programs = pointers<const char*>(plan.programs);
  const auto arguments = pointers<char*>(plan.arguments);
  const auto environment = pointers<char*>(plan.environment);
  ChildPlan child{plan.sandbox.c_str(),
                  plan.working_directory.empty() ? nullptr : plan.working_directory.c_str(),
                  programs.data(),
                  arguments.data(),
                  environment.data(),
                  account,
                  open_files_};
  if (!plan.cpu_mask.empty()) child.cpu_mask = &plan.cpu_mask;
  Spawned spawned;
  if (plan.fetches) {
    spawned.report =
        Descriptor(static_cast<int>(::syscall(SYS_memfd_create, "rm-fetch", memfd_flags)));
    if (!spawned.report) return fail_errno("file for a report");
    child.report = spawned.report.get();
  }
  spawned.started = wall_now();
  spawned.born.first = boot_ticks_now();
  int process = -1;
  spawned.pid = ::clone(child_main, stack_ + stack_size,
                        CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &child, &process);
  if (spawned.pid < 0) return fail_errno("new process");
  spawned.born.last = boot_ticks_now();
  spawned.process = Descriptor(process);
  if (child.failed_step == Step::none) return spawned;
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(spawned.pid), &info, WEXITED) != 0 && errno == EINTR) {
  }
  return fail(ErrorCode::io_error, failure_text(child, plan));
}

}  // namespace librm::shepherd
