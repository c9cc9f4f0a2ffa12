// Bodies of the simulated shepherd.
#include "librm/sim/shepherd.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "librm/sim/describe.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/world.hpp"

namespace librm::sim {

namespace {

constexpr std::int32_t signal_kill = 9;
constexpr std::int32_t signal_term = 15;

}  // namespace

const TaskTruth* TaskLog::find(const TaskKey& key) const {
  const auto found = tasks_.find(key);
  return found == tasks_.end() ? nullptr : &found->second;
}

void TaskLog::start(World& world, const TaskKey& key, const Host& host) {
  TaskTruth& truth = tasks_[key];
  truth.key = key;
  truth.host = &host;
  truth.incarnation = host.incarnation();
  ++truth.starts;
  truth.alive = true;
  truth.started = world.now();
  ++alive_;
  world.trace(key.task, "STARTS on " + host.name());
  if (on_start_) on_start_(truth);
}

void TaskLog::end(World& world, const TaskKey& key, std::optional<std::int32_t> exit_code,
                  std::optional<std::int32_t> signal) {
  TaskTruth& truth = tasks_.at(key);
  truth.alive = false;
  truth.ended = world.now();
  truth.exit_code = exit_code;
  truth.signal = signal;
  truth.host_died = !exit_code && !signal;
  --alive_;
  world.trace(key.task, "ENDS");
  if (on_end_) on_end_(truth);
}

Shepherd::Shepherd(World& world, Host& host, std::string name, TaskLog& log)
    : Node(world, host, std::move(name)),
      log_(log),
      behave_([](Prng&, const TaskStart&) { return TaskBehaviour{}; }) {
  host.on_crash([this] { lose_everything(); });
}

void Shepherd::on_start() {
  report_planned_ = false;
  // What was accepted, is not running and has no end on record, ended or never began.
  for (const TaskKey& key : known_) {
    if (processes_.contains(key) || ended_.contains(key)) continue;
    TaskEnd end;
    end.key = key;
    end.ended = host().now().wall;
    ended_[key] = end;
  }
}

void Shepherd::on_crash() {
  for (auto& [key, process] : processes_) process.orphan = true;
  news_started_.clear();
  news_ended_.clear();
  fences_.clear();
  to_agent_ = nullptr;
  ++session_;
  if (std::function<void()> lost = std::exchange(lost_, nullptr)) lost();
}

void Shepherd::attach(ToAgent to_agent, std::function<void()> lost) {
  to_agent_ = std::move(to_agent);
  lost_ = std::move(lost);
  ++session_;
  news_started_.clear();
  news_ended_.clear();
  ShepherdState state;
  state.pid = last_pid_;
  for (const auto& [key, process] : processes_) {
    state.running.push_back({key, process.pid, process.started});
  }
  for (const auto& [key, end] : ended_) state.ended.push_back(end);
  if (world().tracing()) trace(describe(ShepherdMessage(state)));
  to_agent_(std::move(state));
}

void Shepherd::detach() {
  to_agent_ = nullptr;
  lost_ = nullptr;
  ++session_;
}

void Shepherd::receive(const ShepherdMessage& message) {
  if (!running()) return;
  if (world().tracing()) trace("<- " + describe(message));
  std::visit([this](const auto& m) { on(m); }, message);
}

void Shepherd::on(const StartTasks& message) {
  for (const TaskStart& start : message.starts) {
    if (!known_.insert(start.key).second) continue;
    if (world().random().chance(crash_in_spawn_ppm_, 1'000'000)) {
      trace("crashes before it starts " + start.key.task);
      after(Duration{}, [this] { crash(); });
      return;
    }
    spawn(start);
  }
}

void Shepherd::spawn(const TaskStart& start) {
  const TaskBehaviour behaviour = behave_(world().random(), start);
  if (behaviour.start_fails) {
    TaskEnd end;
    end.key = start.key;
    end.was_started = false;
    end.error = "exec: no such file or directory";
    end.ended = host().now().wall;
    return report_end(std::move(end));
  }
  Process& process = processes_[start.key];
  process = {++last_pid_, host().now().wall, behaviour, false, false, 0};
  log_.start(world(), start.key, host());
  news_started_.push_back({start.key, process.pid, process.started});
  report_soon();
  if (behaviour.signal) {
    plan_end(start.key, behaviour.runs, std::nullopt, behaviour.signal);
  } else {
    plan_end(start.key, behaviour.runs, behaviour.exit_code, std::nullopt);
  }
}

void Shepherd::on(const SignalTask& message) {
  const auto found = processes_.find(message.key);
  if (found == processes_.end()) return;
  const TaskBehaviour& behaviour = found->second.behaviour;
  if (message.signal == signal_kill) {
    plan_end(message.key, milliseconds(1), std::nullopt, signal_kill);
  } else if (message.signal == signal_term && !behaviour.ignores_term) {
    plan_end(message.key, behaviour.dies_after, std::nullopt, signal_term);
  }
}

void Shepherd::on(const ForgetTasks& message) {
  for (const TaskKey& key : message.keys) ended_.erase(key);
}

void Shepherd::on(const FenceTasks& message) {
  for (const TaskFence& fence : message.fences) {
    fences_[fence.key] = fence.at;
    keep_fence(fence.key);
  }
}

/// Kills it when its time has come on this host's clock, or looks again.
void Shepherd::keep_fence(const TaskKey& key) {
  const auto fence = fences_.find(key);
  const auto process = processes_.find(key);
  if (fence == fences_.end() || process == processes_.end()) return;
  const Duration left = fence->second - host().now().mono;
  if (left > Duration{}) {
    after(left, [this, key] { keep_fence(key); });
    return;
  }
  trace("kills " + key.task + " at its fence");
  process->second.fenced = true;
  plan_end(key, milliseconds(1), std::nullopt, signal_kill);
}

/// The same process with the same children; what was not reported yet is in its next first message.
void Shepherd::on(const UpgradeShepherd&) {
  to_agent_ = nullptr;
  ++session_;
  if (std::function<void()> lost = std::exchange(lost_, nullptr)) lost();
}

void Shepherd::on(const ShutdownShepherd&) {
  for (const auto& [key, process] : processes_) {
    plan_end(key, milliseconds(1), std::nullopt, signal_kill);
  }
}

/// Not through Node::after(): the task's process outlives the shepherd's.
void Shepherd::plan_end(const TaskKey& key, Duration delay, std::optional<std::int32_t> exit_code,
                        std::optional<std::int32_t> signal) {
  Process& process = processes_.at(key);
  const std::uint64_t generation = ++process.end_generation;
  world().after(delay, [this, key, pid = process.pid, generation, exit_code, signal] {
    const auto found = processes_.find(key);
    if (found == processes_.end() || found->second.pid != pid) return;
    if (found->second.end_generation == generation) end(key, exit_code, signal);
  });
}

void Shepherd::end(const TaskKey& key, std::optional<std::int32_t> exit_code,
                   std::optional<std::int32_t> signal) {
  const Process process = processes_.at(key);
  processes_.erase(key);
  fences_.erase(key);
  log_.end(world(), key, exit_code, signal);
  if (!running()) return;  // the next shepherd will miss it
  TaskEnd end;
  end.key = key;
  if (!process.orphan) {
    end.exit_code = exit_code;
    end.signal = signal;
  }
  if (process.fenced) end.error = fenced_error;
  end.started = process.started;
  end.ended = host().now().wall;
  end.cpu_time = milliseconds(1);
  report_end(std::move(end));
}

void Shepherd::report_end(TaskEnd end) {
  ended_[end.key] = end;
  std::erase_if(news_started_, [&](const TaskProcess& started) { return started.key == end.key; });
  news_ended_.push_back(std::move(end));
  report_soon();
}

void Shepherd::report_soon() {
  if (std::exchange(report_planned_, true)) return;
  const Duration most = world().rarely("late news of tasks") ? seconds(3) : milliseconds(5);
  after(world().draw_skewed(microseconds(10), most), [this] {
    report_planned_ = false;
    TaskProgress news;
    news.started = std::exchange(news_started_, {});
    news.ended = std::exchange(news_ended_, {});
    if (!to_agent_ || (news.started.empty() && news.ended.empty())) return;
    to_agent_(std::move(news));
  });
}

/// The host's power failed; the process has ended already.
void Shepherd::lose_everything() {
  for (const auto& [key, process] : processes_) log_.end(world(), key, std::nullopt, std::nullopt);
  processes_.clear();
  known_.clear();
  ended_.clear();
}

}  // namespace librm::sim
