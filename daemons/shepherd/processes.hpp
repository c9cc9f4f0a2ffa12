// What the kernel tells about processes and clocks: births, ends, and whose task a process is.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"
#include "shepherd/descriptor.hpp"

namespace librm::shepherd {

WallTime wall_now();
Instant boot_now();
/// Boot time in the unit of /proc/<pid>/stat: hundredths of a second.
std::uint64_t boot_ticks_now();
/// The text that names this boot of the host.
Result<std::string> read_boot_id();
/// From the kernel's generator.
std::uint64_t random_number();

/// From /proc/<pid>/stat.
struct ProcessStat {
  char state = '?';  ///< Z and X: it has ended
  pid_t group = 0;
  pid_t session = 0;
  std::uint64_t start_ticks = 0;
};

/// Empty where there is no such process.
std::optional<ProcessStat> read_stat(pid_t pid);

/// A live process whose environment names a task of this ledger.
struct TaskMember {
  pid_t pid = 0;
  ProcessStat stat;
  TaskKey key;
};

/// All processes of the host that carry `instance` as RM_SHEPHERD_ID. Costs some ten microseconds
/// per process of the host: for recovery only.
std::vector<TaskMember> find_members(const std::string& instance);

/// Kills exactly this process: if the number was given to another meanwhile, nothing happens.
void kill_member(const TaskMember& member);

/// Kills every process of these sessions, whatever group it has made for itself. The sessions'
/// leaders are children of ours that are not reaped, so that no number is another's by now. Costs
/// some ten microseconds per process of the host.
void kill_sessions(const std::set<pid_t>& sessions);

/// How a child ended, and what it used. It stays a zombie until reap().
struct ChildEnd {
  std::optional<std::int32_t> exit_code;
  std::optional<std::int32_t> signal;
  Duration cpu_time;
  std::int64_t rss_max_bytes = 0;
};

/// Empty where the process of this pidfd has not ended or is not our child.
std::optional<ChildEnd> peek_end(int pidfd);
void reap(int pidfd);
/// Whether the process of this pidfd is our child, living or not reaped yet.
bool is_child(int pidfd);

/// A pidfd for any process; empty where it does not exist.
Descriptor open_process(pid_t pid);

}  // namespace librm::shepherd
