// Reads /proc, clocks and exit statuses.
#include "shepherd/processes.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

#include <dirent.h>

namespace librm::shepherd {
namespace {

constexpr std::int64_t ns_per_second = 1'000'000'000;

std::int64_t clock_ns(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return time.tv_sec * ns_per_second + time.tv_nsec;
}

/// The file's first `limit` bytes; empty where it cannot be read.
std::string read_file(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file) return text;
  char chunk[4096];
  while (text.size() < limit) {
    const ssize_t count = ::read(file.get(), chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(chunk, static_cast<std::size_t>(count));
  }
  return text;
}

std::string proc_path(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

/// The value of `NAME=` in a list of NUL-terminated entries; the last one counts.
std::optional<std::string_view> variable(std::string_view environment, std::string_view name) {
  std::optional<std::string_view> found;
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    const std::string_view entry = environment.substr(0, end);
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      found = entry.substr(name.size() + 1);
    }
    if (end == std::string_view::npos) break;
    environment.remove_prefix(end + 1);
  }
  return found;
}

std::optional<TaskMember> member_of(pid_t pid, const std::string& instance) {
  // Bounded: the variables of a program may take up to a quarter of the stack's limit.
  const std::string environment = read_file(proc_path(pid, "environ"), 8u << 20);
  if (variable(environment, "RM_SHEPHERD_ID") != instance) return std::nullopt;
  const auto framework_text = variable(environment, "RM_FRAMEWORK_ID");
  const auto task = variable(environment, "RM_TASK_ID");
  if (!framework_text || !task) return std::nullopt;
  const auto framework = parse_id<FrameworkId>(*framework_text);
  const auto stat = read_stat(pid);
  if (!framework || !stat || stat->state == 'Z' || stat->state == 'X') return std::nullopt;
  return TaskMember{pid, *stat, {*framework, std::string(*task)}};
}

/// The number in the name of a directory of /proc; 0 where it is none.
pid_t pid_of_name(const char* name) {
  const char* const end = name + std::strlen(name);
  pid_t pid = 0;
  auto [stop, error] = std::from_chars(name, end, pid);
  return error == std::errc() && stop == end ? pid : 0;
}

/// Calls `visit` with the pid of every process of the host.
template <class Visit>
void for_each_process(Visit visit) {
  DIR* directory = ::opendir("/proc");
  if (directory == nullptr) return;
  while (const dirent* entry = ::readdir(directory)) {
    if (const pid_t pid = pid_of_name(entry->d_name); pid > 0) visit(pid);
  }
  ::closedir(directory);
}

/// A process, safe from reuse of its number.
using Birth = std::pair<pid_t, std::uint64_t>;

/// Kills the members that are not in `killed` yet, and adds them. True where there were any.
bool kill_members_of(const std::set<pid_t>& sessions, std::set<Birth>& killed) {
  bool any = false;
  for_each_process([&](pid_t pid) {
    const auto seen = read_stat(pid);
    if (!seen || seen->state == 'Z' || seen->state == 'X') return;
    if (!sessions.contains(seen->session)) return;
    if (!killed.emplace(pid, seen->start_ticks).second) return;
    any = true;
    kill_member({pid, *seen, {}});
  });
  return any;
}

std::int64_t microseconds_of(const timeval& time) { return time.tv_sec * 1'000'000 + time.tv_usec; }

}  // namespace

Instant boot_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant{static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

WallTime wall_now() { return {clock_ns(CLOCK_REALTIME)}; }

std::uint64_t boot_ticks_now() {
  static const std::int64_t ns_per_tick = ns_per_second / ::sysconf(_SC_CLK_TCK);
  return static_cast<std::uint64_t>(clock_ns(CLOCK_BOOTTIME) / ns_per_tick);
}

Result<std::string> read_boot_id() {
  const std::string path = "/proc/sys/kernel/random/boot_id";
  std::string text = read_file(path, 64);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  if (text.empty()) return fail_errno(path);
  return text;
}

std::uint64_t random_number() {
  std::uint64_t number = 0;
  while (::getrandom(&number, sizeof number, 0) != sizeof number) {
  }
  return number;
}

std::optional<ProcessStat> read_stat(pid_t pid) {
  const std::string text = read_file(proc_path(pid, "stat"), 4096);
  // The program's name is in parentheses and may itself contain them and spaces.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || text.size() < name_end + 4) return std::nullopt;
  ProcessStat stat;
  stat.state = text[name_end + 2];
  const char* at = text.data() + name_end + 3;
  const char* const end = text.data() + text.size();
  constexpr int field_group = 5;
  constexpr int field_session = 6;
  constexpr int field_start = 22;
  for (int field = 4; field <= field_start; ++field) {
    while (at != end && *at == ' ') ++at;
    long long value = 0;
    auto [stop, error] = std::from_chars(at, end, value);
    if (error != std::errc()) return std::nullopt;
    at = stop;
    if (field == field_group) stat.group = static_cast<pid_t>(value);
    if (field == field_session) stat.session = static_cast<pid_t>(value);
    if (field == field_start) stat.start_ticks = static_cast<std::uint64_t>(value);
  }
  return stat;
}

std::vector<TaskMember> find_members(const std::string& instance) {
  std::vector<TaskMember> members;
  for_each_process([&](pid_t pid) {
    if (auto member = member_of(pid, instance)) members.push_back(std::move(*member));
  });
  return members;
}

void kill_member(const TaskMember& member) {
  const Descriptor process = open_process(member.pid);
  if (!process) return;
  // The descriptor is for whoever has the number now; only then is it worth comparing.
  const auto stat = read_stat(member.pid);
  if (!stat || stat->start_ticks != member.stat.start_ticks) return;
  ::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
}

void kill_sessions(const std::set<pid_t>& sessions) {
  // What a process makes while the list is read may be missed, so it is read until nothing is new;
  // a program that makes processes faster than that is left to the next reader.
  constexpr int readings_max = 20;
  std::set<Birth> killed;
  for (int i = 0; i < readings_max && kill_members_of(sessions, killed); ++i) {
  }
}

std::optional<ChildEnd> peek_end(int pidfd) {
  siginfo_t info{};
  rusage usage{};
  // The C library's waitid has no room for the usage; the kernel's has.
  const long result =
      ::syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOHANG | WNOWAIT, &usage);
  if (result != 0 || info.si_pid == 0) return std::nullopt;
  ChildEnd end;
  if (info.si_code == CLD_EXITED) {
    end.exit_code = info.si_status;
  } else {
    end.signal = info.si_status;
  }
  end.cpu_time = microseconds(microseconds_of(usage.ru_utime) + microseconds_of(usage.ru_stime));
  end.rss_max_bytes = static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
  return end;
}

void reap(int pidfd) {
  siginfo_t info{};
  ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG);
}

bool is_child(int pidfd) {
  siginfo_t info{};
  return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

Descriptor open_process(pid_t pid) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

std::string errno_text(int number) {
  char buffer[128];
  return ::strerror_r(number, buffer, sizeof buffer);
}

}  // namespace librm::shepherd
