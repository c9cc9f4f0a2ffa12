// The agent's tasks: taken once, handed to the shepherd or an executor, reported until believed.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "librm/base/check.hpp"
#include "librm/cluster/agent.hpp"

namespace librm {

namespace detail {

inline constexpr std::int32_t signal_terminate = 15;
inline constexpr std::int32_t signal_kill = 9;

/// When it has to let go, and when it is told so, on this host's boot time: values from the wire,
/// kept from overflowing. What is left of it when it was sent is left when it comes.
inline Instant release_of(Now now, const TaskInfo& info, WallTime sent) {
  constexpr Duration longest = seconds(100LL * 365 * 24 * 3600);
  const bool known = sent.ns > 0 && sent.ns < longest.ns;
  const WallTime from = known ? sent : now.wall;
  const WallTime by = std::clamp(*info.release_by, from - longest, from + longest);
  return now.mono + (by - from);
}
inline Instant release_told(const TaskLedgerRecord& record) {
  return *record.release_at -
         std::clamp(record.info.kill_grace, Duration{}, seconds(365 * 24 * 3600));
}

inline constexpr std::string_view executor_prefix = ".executor.";

/// An executor's process has a key that no task can have and that is new for each process: it
/// names the task for which it was started.
inline TaskKey executor_process(const TaskKey& task, const ExecutorId& executor) {
  return {task.framework, std::string(executor_prefix) + executor + ":" + task.task};
}

/// Whose process that is; empty where the key is a task's.
inline ExecutorId executor_of(const TaskKey& key) {
  if (key.task.rfind(executor_prefix, 0) != 0) return {};
  const std::size_t begin = executor_prefix.size();
  return key.task.substr(begin, key.task.find(':') - begin);
}

}  // namespace detail

// --- launching ---

LIBRM_DECL void AgentCore::on_message(Now now, const LaunchTasks& message, AgentActions& out) {
  if (!registered_) return;  // nothing is launched outside of a session
  for (const TaskInfo& info : message.tasks) {
    const TaskKey key{message.framework, info.id};
    if (tasks_.count(key) != 0) {
      updated_.insert(key);  // sent again: what is known of it is the answer
      continue;
    }
    TaskReason reason = TaskReason::none;
    if (Result<void> can = admissible(now, message, info, reason); !can) {
      reject(now, message.framework, info, reason, can.error().message, out);
      continue;
    }
    launch(now, message, info, out);
  }
}

LIBRM_DECL Result<void> AgentCore::admissible(Now now, const LaunchTasks& message,
                                              const TaskInfo& info, TaskReason& reason) const {
  reason = TaskReason::lease_expired;
  if (!lease_valid(now.mono)) {
    return fail(ErrorCode::stale, "the agent's lease has expired");
  }
  reason = TaskReason::stale_incarnation;
  if (message.incarnation != options_.incarnation) {
    return fail(ErrorCode::stale, "launched for " + to_string(message.incarnation) + ", this is " +
                                      to_string(options_.incarnation));
  }
  reason = TaskReason::duplicate_task;
  if (ledger_.count({message.framework, info.id}) != 0) {
    return fail(ErrorCode::already_exists, "task " + info.id + " was started here before");
  }
  reason = TaskReason::invalid_task;
  if (Result<void> valid = validate_task_id(info.id); !valid) return valid;
  if (info.executor) {
    if (Result<void> valid = validate_task_id(info.executor->id); !valid) return valid;
  }
  reason = TaskReason::release_by_reached;
  if (info.release_by && detail::release_of(now, info, message.sent) <= now.mono) {
    const Duration ago = now.mono - detail::release_of(now, info, message.sent);
    return fail(ErrorCode::failed_precondition, "task " + info.id + " was to have let go " +
                                                    std::to_string(to_ms(ago)) + " ms ago");
  }
  reason = TaskReason::resources_unavailable;
  if (report_bytes_ + piece_size(info) > options_.report_bytes_max) {
    return fail(ErrorCode::resource_exhausted,
                "task " + info.id + ": the " + std::to_string(tasks_.size()) +
                    " tasks that are not yet done with take " + std::to_string(report_bytes_) +
                    " bytes to report, at most " + std::to_string(options_.report_bytes_max));
  }
  // What was reserved of its resources since it started is the master's business.
  if (!as_started(options_.total).contains(as_started(held_ + info.resources))) {
    return fail(ErrorCode::resource_exhausted,
                "task " + info.id + " wants " + to_string(info.resources) + "; of " +
                    to_string(options_.total) + " there are " + to_string(held_) + " in use");
  }
  return {};
}

LIBRM_DECL void AgentCore::launch(Now now, const LaunchTasks& message, const TaskInfo& info,
                                  AgentActions& out) {
  const FrameworkId framework = message.framework;
  const TaskKey key{framework, info.id};
  TaskLedgerRecord record;
  record.framework = framework;
  if (info.release_by) record.release_at = detail::release_of(now, info, message.sent);
  record.incarnation = options_.incarnation;
  record.info = info;
  record.latest.framework = framework;
  record.latest.task = info.id;
  record.latest.agent = id_;
  record.latest.state = TaskState::staging;
  record.cpus = pick_cpus(info);
  hold_cpus(cpu_load_, record);
  persist(std::move(record), out);
  held_ += info.resources;
  report_bytes_ += piece_size(info);
  Task& task = tasks_.at(key);
  if (info.fence_after) {
    arm(lease_until_ + *info.fence_after);
    fences_due_ = true;
  }
  arm_release(task.record);
  if (info.executor) {
    start_executor(now, key, info);
    const Executor& executor = executors_.at({framework, info.executor->id});
    if (executor.connection) out.output(ToExecutor{*executor.connection, ExecutorLaunch{info}});
  } else if (shepherd_ready_) {
    start(now, key, task, out);
  }
}

/// Never taken, so never written down: if this is lost, the next registration lacks the task,
/// which says the same.
LIBRM_DECL void AgentCore::reject(Now, FrameworkId framework, const TaskInfo& info,
                                  TaskReason reason, std::string message, AgentActions&) {
  StatusUpdate update;
  update.framework = framework;
  update.task = info.id;
  update.agent = id_;
  update.state = TaskState::dropped;
  update.reason = reason;
  update.message = std::move(message);
  refusals_.push_back(std::move(update));
}

LIBRM_DECL void AgentCore::start(Now, const TaskKey& key, Task& task, AgentActions&) {
  if (task.start_sent) return;
  task.start_sent = true;
  TaskStart start{key, task.record.info.command, sandbox(key), task.record.cpus};
  start.command.environment.emplace("RM_AGENT_ID", to_string(id_));
  starts_.push_back(std::move(start));
}

// --- what the shepherd says ---

/// A shepherd that starts, or to which the connection was lost: both sides compare what they know.
LIBRM_DECL void AgentCore::on_shepherd(Now now, const ShepherdState& state, AgentActions& out) {
  shepherd_ready_ = fences_due_ = true;  // a new shepherd knows of no fence
  starts_.clear();
  signals_.clear();
  std::set<TaskKey> known;
  for (const TaskProcess& process : state.running) known.insert(process.key);
  for (const TaskEnd& end : state.ended) known.insert(end.key);
  for (auto& [key, task] : tasks_) {
    task.start_sent = known.count(key) != 0;
    if (is_terminal(task.record.latest.state) || task.record.info.executor || task.start_sent) {
      continue;
    }
    if (task.kill_at) {
      StatusUpdate killed = task.record.latest;
      killed.state = TaskState::killed;
      killed.reason = TaskReason::killed_during_launch;
      killed.message = "killed before it was started";
      update(now, key, task, std::move(killed), out);
    } else if (task.record.latest.state != TaskState::staging) {
      // It ran, and nobody kept how it ended.
      TaskEnd unknown;
      unknown.key = key;
      unknown.started = task.record.latest.started;
      unknown.ended = now.wall;
      on_task_ended(now, unknown, out);
    } else {
      start(now, key, task, out);
    }
  }
  for (const TaskKey& key : known) {
    auto executor = executors_.find({key.framework, detail::executor_of(key)});
    if (executor != executors_.end()) executor->second.process = key;
  }
  for (auto& [id, executor] : executors_) {
    if (known.count(executor.process) != 0 || executor.tasks.empty()) continue;
    starts_.push_back({executor.process, executor.info.command, sandbox(executor.process), {}});
  }
  for (const TaskProcess& process : state.running) {
    on_task_started(now, process, out);
    auto task = tasks_.find(process.key);
    if (task == tasks_.end() || !task->second.kill_at) continue;
    signals_.push_back({process.key, detail::signal_terminate});  // the wish may have been lost
    task->second.kill_hard_sent = false;
    arm(*task->second.kill_at);
  }
  for (const TaskEnd& end : state.ended) on_task_ended(now, end, out);
}

LIBRM_DECL void AgentCore::on_shepherd(Now now, const TaskProgress& progress, AgentActions& out) {
  for (const TaskProcess& process : progress.started) on_task_started(now, process, out);
  for (const TaskEnd& end : progress.ended) on_task_ended(now, end, out);
}

LIBRM_DECL void AgentCore::on_task_started(Now now, const TaskProcess& process, AgentActions& out) {
  auto found = tasks_.find(process.key);
  if (found == tasks_.end() || is_terminal(found->second.record.latest.state)) {
    const bool is_executor =
        executors_.count({process.key.framework, detail::executor_of(process.key)}) != 0;
    // A process that nobody asked for any more: its ledger was lost with an earlier host.
    if (!is_executor) signals_.push_back({process.key, detail::signal_kill});
    return;
  }
  Task& task = found->second;
  if (task.record.info.time_limit && !task.time_limit_at) {
    const Duration ran = std::max(now.wall - process.started, Duration{});
    task.time_limit_at = now.mono + *task.record.info.time_limit - ran;
    arm(*task.time_limit_at);
  }
  if (task.record.latest.state == TaskState::running ||
      task.record.latest.state == TaskState::killing) {
    return;
  }
  StatusUpdate running = task.record.latest;
  running.state = TaskState::running;
  running.reason = TaskReason::none;
  running.started = process.started;
  update(now, process.key, task, std::move(running), out);
}

LIBRM_DECL void AgentCore::on_task_ended(Now now, const TaskEnd& end, AgentActions& out) {
  auto found = tasks_.find(end.key);
  if (found == tasks_.end() || is_terminal(found->second.record.latest.state)) {
    end_executor(now, end.key, end, out);
    if (found == tasks_.end()) forgets_.push_back(end.key);
    return;
  }
  Task& task = found->second;
  StatusUpdate last = task.record.latest;
  last.exit_code = end.exit_code;
  last.signal = end.signal;
  last.started = end.started ? end.started : last.started;
  last.ended = end.ended;
  last.cpu_time = end.cpu_time;
  last.rss_max_bytes = end.rss_max_bytes;
  last.message.clear();
  const bool asked = task.kill_reason != TaskReason::none;
  const bool exited_well = end.was_started && end.exit_code && *end.exit_code == 0;
  if (end.error == fenced_error && !exited_well) {
    last.state = TaskState::killed;
    last.reason = TaskReason::agent_unreachable;
    last.message = end.error;
  } else if (!end.was_started) {
    last.state = TaskState::failed;
    last.reason = TaskReason::launch_failed;
    last.message = end.error;
  } else if (exited_well) {
    last.state = TaskState::finished;
    last.reason = TaskReason::none;
  } else if (asked) {
    const bool limit = task.kill_reason == TaskReason::time_limit_reached;
    last.state = limit ? TaskState::failed : TaskState::killed;
    last.reason = task.kill_reason;
    if (limit) {
      last.message = "time limit of " + std::to_string(to_ms(*task.record.info.time_limit) / 1000) +
                     " s reached";
    } else if (task.kill_reason == TaskReason::release_by_reached) {
      last.message = "its release_by was reached";
    }
  } else if (!end.error.empty()) {
    last.state = TaskState::failed;
    last.reason = TaskReason::fetch_failed;
    last.message = end.error;
  } else if (end.exit_code || end.signal) {
    last.state = TaskState::failed;
    last.reason = TaskReason::command_failed;  // exit_code or signal says how
  } else {
    last.state = TaskState::lost;
    last.reason = TaskReason::exit_status_unknown;
    last.message = "it ended while no shepherd watched it";
  }
  update(now, end.key, task, std::move(last), out);
}

// --- updates and acknowledgements ---

LIBRM_DECL void AgentCore::update(Now, const TaskKey& key, Task& task, StatusUpdate next,
                                  AgentActions& out) {
  const bool was_terminal = is_terminal(task.record.latest.state);
  LIBRM_CHECK(!was_terminal, "a terminal state never changes");
  next.sequence = task.record.latest.sequence + 1;
  next.agent = id_;
  TaskLedgerRecord record = task.record;
  record.latest = std::move(next);
  persist(std::move(record), out);
  task.resend_at.reset();
  updated_.insert(key);
  if (!is_terminal(task.record.latest.state)) return;
  held_ -= task.record.info.resources;
  free_cpus(task.record);
  task.kill_at.reset();
  task.time_limit_at.reset();
  if (!task.record.info.executor) return;
  auto executor = executors_.find({key.framework, task.record.info.executor->id});
  if (executor != executors_.end()) executor->second.tasks.erase(key);
}

LIBRM_DECL void AgentCore::on_message(Now, const AcknowledgeUpdates& message, AgentActions& out) {
  for (const UpdateAck& ack : message.acks) {
    const TaskKey key{ack.framework, ack.task};
    auto found = tasks_.find(key);
    if (found == tasks_.end()) continue;
    Task& task = found->second;
    if (ack.sequence != task.record.latest.sequence) continue;  // of one that was superseded
    task.acknowledged_sequence = ack.sequence;
    task.resend_at.reset();
    if (is_terminal(task.record.latest.state)) forget(key, out);
  }
}

LIBRM_DECL void AgentCore::forget(const TaskKey& key, AgentActions& out) {
  TaskLedgerRecord record;
  record.framework = key.framework;
  record.info.id = key.task;
  record.acknowledged = true;
  report_bytes_ -= piece_size(tasks_.at(key).record.info);
  persist(std::move(record), out);
  forgets_.push_back(key);
  updated_.erase(key);
}

// --- killing ---

LIBRM_DECL void AgentCore::on_message(Now now, const KillTask& message, AgentActions& out) {
  const TaskKey key{message.framework, message.task};
  auto found = tasks_.find(key);
  if (found == tasks_.end()) return;
  kill(now, key, found->second, message.grace, message.reason, out);
}

LIBRM_DECL void AgentCore::on_message(Now now, const ShutdownFramework& message,
                                      AgentActions& out) {
  for (auto& [key, task] : tasks_) {
    if (key.framework != message.framework) continue;
    kill(now, key, task, std::nullopt, TaskReason::framework_removed, out);
  }
  for (auto& [id, executor] : executors_) {
    if (id.first == message.framework) shut_down_executor(now, executor, out);
  }
}

LIBRM_DECL void AgentCore::kill(Now now, const TaskKey& key, Task& task,
                                std::optional<Duration> grace, TaskReason reason,
                                AgentActions& out) {
  if (is_terminal(task.record.latest.state)) {
    updated_.insert(key);
    return;
  }
  if (task.kill_at) return;  // under way: a repetition neither shortens nor extends the grace
  task.kill_reason = reason;
  const Duration wait = grace.value_or(task.record.info.kill_grace);
  task.kill_at = now.mono + wait;
  task.kill_hard_sent = false;
  arm(*task.kill_at);
  if (task.record.info.executor) {
    auto executor = executors_.find({key.framework, task.record.info.executor->id});
    if (executor != executors_.end() && executor->second.connection) {
      out.output(ToExecutor{*executor->second.connection, ExecutorKill{key.task, wait}});
    }
  } else if (shepherd_ready_) {
    signals_.push_back({key, detail::signal_terminate});
  }
}

LIBRM_DECL void AgentCore::check_task_timers(Now now, AgentActions& out) {
  for (auto& [key, task] : tasks_) {
    const bool over = is_terminal(task.record.latest.state);
    if (task.resend_at) {
      if (now.mono >= *task.resend_at) {
        updated_.insert(key);
      } else {
        arm(*task.resend_at);
      }
    }
    if (over) continue;
    if (task.time_limit_at && !task.kill_at) {
      if (now.mono >= *task.time_limit_at) {
        kill(now, key, task, std::nullopt, TaskReason::time_limit_reached, out);
      } else {
        arm(*task.time_limit_at);
      }
    }
    if (task.record.info.fence_after && !task.kill_at) {
      const Instant fence = lease_until_ + *task.record.info.fence_after;
      if (now.mono >= fence) {
        kill(now, key, task, Duration{}, TaskReason::agent_unreachable, out);
      } else {
        arm(fence);
      }
    }
    if (!task.kill_at || task.kill_hard_sent) continue;
    if (now.mono < *task.kill_at) {
      arm(*task.kill_at);
    } else if (shepherd_ready_ && !task.record.info.executor) {
      signals_.push_back({key, detail::signal_kill});
      task.kill_hard_sent = true;
    }
  }
}

/// Should this process be gone when the lease is over, the shepherd kills in its place. Nothing is
/// said before there is a lease: a restarted agent must not move a fence that it does not know.
LIBRM_DECL void AgentCore::fence_tasks(AgentActions& out) {
  fences_due_ = false;
  FenceTasks message;
  for (const auto& [key, task] : tasks_) {
    const TaskInfo& info = task.record.info;
    if (!info.fence_after || info.executor || is_terminal(task.record.latest.state)) continue;
    message.fences.push_back({key, lease_until_ + *info.fence_after});
  }
  if (!message.fences.empty()) out.output(ToShepherd{std::move(message)});
}

LIBRM_DECL void AgentCore::arm_release(const TaskLedgerRecord& record) {
  if (!record.release_at) return;
  const Instant at = detail::release_told(record);
  release_at_ = std::min(release_at_.value_or(at), at);
}

/// Others were promised what these hold: a kill that is under way ends by then, too.
LIBRM_DECL void AgentCore::check_releases(Now now, AgentActions& out) {
  release_at_.reset();
  for (auto& [key, task] : tasks_) {
    if (!task.record.release_at || is_terminal(task.record.latest.state)) continue;
    if (now.mono < detail::release_told(task.record)) {
      arm_release(task.record);
      continue;
    }
    const Duration left = std::max(*task.record.release_at - now.mono, Duration{});
    if (!task.kill_at) {
      kill(now, key, task, left, TaskReason::release_by_reached, out);
    } else if (now.mono + left < *task.kill_at) {
      task.kill_at = now.mono + left;
      arm(*task.kill_at);
    }
  }
}

}  // namespace librm
