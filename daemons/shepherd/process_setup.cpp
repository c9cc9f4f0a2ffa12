// Session, descriptors, signals, lock and log of the shepherd.
#include "shepherd/process_setup.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "shepherd/processes.hpp"

namespace librm::shepherd {
namespace {

constexpr int lock_attempts = 500;
constexpr long lock_pause_ns = 20'000'000;

/// The pid of the living shepherd of this directory, 0 where there is none.
pid_t living_shepherd(const std::string& work_dir) {
  pid_t pid = 0;
  std::ifstream(work_dir + "/shepherd.pid") >> pid;
  if (pid <= 0) return 0;
  const auto stat = read_stat(pid);
  return stat && stat->state != 'Z' && stat->state != 'X' ? pid : 0;
}

void reset_signals() {
  // Not signal(3): the C library keeps two signals for itself, which may be inherited as ignored.
  for (int number = 1; number < NSIG; ++number) {
    const std::array<unsigned long, 4> defaults{};  // the kernel's struct sigaction
    ::syscall(SYS_rt_sigaction, number, defaults.data(), nullptr, sizeof(std::uint64_t));
  }
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

}  // namespace

Result<void> set_up_process(const Options& options) {
  if (options.resume < 0) {
    // Fails for the leader of a process group, which a daemon started by an agent is not.
    ::setsid();
    ::syscall(SYS_close_range, 3, ~0U, 0);
  }
  const int null = ::open("/dev/null", O_RDWR);
  if (null < 0) return fail_errno("/dev/null");
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  if (null > STDERR_FILENO) ::close(null);
  if (options.log) {
    const std::string path = options.work_dir + "/shepherd.log";
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!file) return fail_errno(path);
    ::dup2(file.get(), STDERR_FILENO);
  }
  reset_signals();
  return {};
}

rlimit raise_open_files() {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit raised = before;
  raised.rlim_cur = raised.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &raised);
  return before;
}

Result<Descriptor> lock_work_dir(const std::string& work_dir) {
  const std::string path = work_dir + "/shepherd.lock";
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno(path);
  for (int attempt = 0; attempt < lock_attempts; ++attempt) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(path);
    if (const pid_t pid = living_shepherd(work_dir); pid != 0) {
      return fail(ErrorCode::already_exists,
                  work_dir + ": shepherd " + std::to_string(pid) + " already serves it");
    }
    const timespec pause{0, lock_pause_ns};
    ::nanosleep(&pause, nullptr);
  }
  return fail(ErrorCode::unavailable, path + ": held for 10 s by what is left of another shepherd");
}

Result<void> write_pid_file(const std::string& work_dir) {
  const std::string path = work_dir + "/shepherd.pid";
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail_errno(path);
  const std::string text = std::to_string(::getpid()) + "\n";
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno(path);
  }
  return {};
}

void log_line(const std::string& text) {
  const std::int64_t ns = wall_now().ns;
  const time_t seconds_now = static_cast<time_t>(ns / 1'000'000'000);
  tm parts{};
  ::gmtime_r(&seconds_now, &parts);
  char stamp[32];
  ::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  std::fprintf(stderr, "%s.%03dZ rm-shepherd: %s\n", stamp, static_cast<int>(ns / 1'000'000 % 1000),
               text.c_str());
}

}  // namespace librm::shepherd
