// What a new shepherd does about the tasks that an earlier one left behind.
#include <time.h>

#include <algorithm>
#include <utility>

#include "shepherd/process_setup.hpp"
#include "shepherd/shepherd.hpp"

namespace librm::shepherd {
namespace {

constexpr long exec_pause_ns = 20'000'000;
constexpr std::int64_t ns_per_tick = 10'000'000;  // of /proc on Linux, on every architecture

/// When a process of this birth was started, by today's clocks.
WallTime wall_of(std::uint64_t start_ticks) {
  const auto age = static_cast<std::int64_t>(boot_ticks_now() - start_ticks);
  return wall_now() - nanoseconds(age * ns_per_tick);
}

bool has_ended(const ProcessStat& stat) { return stat.state == 'Z' || stat.state == 'X'; }

}  // namespace

void Shepherd::recover() {
  std::vector<TaskKey> unrecorded;
  std::vector<TaskKey> dead;
  for (const auto& [key, task] : ledger_.state().tasks()) {
    if (task.phase == TaskPhase::starting) unrecorded.push_back(key);
    if (task.phase == TaskPhase::running && !adopt(key, task)) dead.push_back(key);
  }
  for (const TaskKey& key : dead) end_unknown(key);
  std::vector<TaskMember> members;
  if (!dead.empty() || !unrecorded.empty()) members = find_members(base_.instance);
  std::erase_if(unrecorded, [&](const TaskKey& key) { return adopt_unrecorded(key, members); });
  if (!unrecorded.empty()) {
    // Who got the lock when a child executed may be faster than its environment appears.
    const timespec pause{0, exec_pause_ns};
    ::nanosleep(&pause, nullptr);
    members = find_members(base_.instance);
  }
  for (const TaskKey& key : unrecorded) {
    if (!adopt_unrecorded(key, members)) end_unknown(key);
  }
  kill_leftovers(members);
  save();
}

bool Shepherd::adopt(const TaskKey& key, const LedgerTask& task) {
  const auto pid = static_cast<pid_t>(task.pid);
  Descriptor process = open_process(pid);
  // Read after opening: if the number was given to another in between, its birth shows it.
  const auto stat = read_stat(pid);
  if (!process || !stat || !task.born.contains(stat->start_ticks)) return false;
  // Of the program that went on as this one, in the same process.
  const bool child = is_child(process.get());
  if (has_ended(*stat) && !child) return false;
  return watch({key, pid, std::move(process), child});
}

bool Shepherd::adopt_unrecorded(const TaskKey& key, const std::vector<TaskMember>& members) {
  const TaskMember* leader = nullptr;
  for (const TaskMember& member : members) {
    if (member.key != key || member.stat.session != member.pid) continue;
    if (leader == nullptr || member.stat.start_ticks < leader->stat.start_ticks) leader = &member;
  }
  if (leader == nullptr) return false;
  const std::uint64_t ticks = leader->stat.start_ticks;
  ledger_.append(LedgerStarted{key, leader->pid, {ticks, ticks}, wall_of(ticks)});
  if (!adopt(key, *ledger_.state().find(key))) end_unknown(key);
  return true;
}

void Shepherd::kill_leftovers(const std::vector<TaskMember>& members) {
  for (const TaskMember& member : members) {
    const LedgerTask* task = ledger_.state().find(member.key);
    if (task == nullptr || task->phase != TaskPhase::ended) continue;
    if (task->pid == member.stat.session) kill_member(member);
  }
}

}  // namespace librm::shepherd
