// The shepherd's turn: events, ends, reports, starts; recovery is in recovery.cpp.
#include "shepherd/shepherd.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "shepherd/account.hpp"
#include "shepherd/fetch_plan.hpp"
#include "shepherd/process_setup.hpp"

namespace librm::shepherd {
namespace {

// Every other token is a pointer to a Watch.
constexpr std::uint64_t token_signals = 1;
constexpr std::uint64_t token_listener = 2;
constexpr std::uint64_t token_connection = 3;
constexpr std::uint64_t token_owner = 4;

constexpr int events_per_turn = 256;
// Few enough that a turn stays below some 10 ms, many enough to share its writes and frames.
constexpr std::size_t starts_per_turn = 16;
constexpr std::size_t spawner_threads = 4;
// So many keys of the longest kind fit the one frame that a new connection starts with.
constexpr std::size_t unforgotten_max = 40'000;
constexpr std::size_t state_error_bytes_max = 1u << 20;
constexpr std::size_t unsent_bytes_max = 1u << 20;
constexpr std::size_t task_id_max = 255;
constexpr int save_retry_ms = 1000;
constexpr int shutdown_turn_ms = 50;
constexpr std::int64_t shutdown_ms_max = 5000;

/// Notes what rm-fetch said, if it failed. The command cannot have said it: it is never given the
/// file, which closes when it is executed.
void note_fetch_failure(const Descriptor& report, TaskEnd& end) {
  if (!report) return;
  std::array<char, fetch_report_bytes_max> text{};
  const ssize_t size = ::pread(report.get(), text.data(), text.size(), 0);
  if (size <= 1) return;
  const std::string_view message(text.data() + 1, static_cast<std::size_t>(size) - 1);
  end.error = printable(message).substr(0, ledger_error_max);
  end.was_started = text[0] != fetch_report_exec;
  end.exit_code.reset();  // rm-fetch's own
}

}  // namespace

Result<Shepherd> Shepherd::start(const Options& options) {
  Result<ResumeState> resumed = ResumeState{};
  if (options.resume >= 0) {
    resumed = read_resume_state(options.resume);
    ::close(options.resume);
    if (!resumed) return tl::unexpected<Error>(resumed.error());
    keep_open(resumed->lock, false);
  }
  Result<Descriptor> lock =
      resumed->lock >= 0 ? Descriptor(resumed->lock) : lock_work_dir(options.work_dir);
  if (!lock) return tl::unexpected<Error>(lock.error());
  if (auto ok = write_pid_file(options.work_dir); !ok) return tl::unexpected<Error>(ok.error());
  Result<std::string> boot_id = read_boot_id();
  if (!boot_id) return tl::unexpected<Error>(boot_id.error());
  LedgerOptions ledger_options;
  ledger_options.path = options.work_dir + "/shepherd.ledger";
  ledger_options.boot_id = *boot_id;
  ledger_options.instance_if_new = random_number();
  ledger_options.hash_seed = random_number();
  Result<Ledger> ledger = Ledger::open(ledger_options, wall_now());
  if (!ledger) return tl::unexpected<Error>(ledger.error());
  rlimit open_files = raise_open_files();
  if (options.resume >= 0) open_files = {resumed->open_files, resumed->open_files_max};
  auto spawners = SpawnPool::make(spawner_threads, open_files);
  if (!spawners) return tl::unexpected<Error>(spawners.error());

  Descriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGTERM);
  ::sigaddset(&wanted, SIGINT);
  ::sigaddset(&wanted, SIGHUP);
  Descriptor signals(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token_signals;
  if (!epoll || !signals || ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, signals.get(), &event) != 0) {
    return fail_errno("event loop");
  }
  Result<AgentLink> link =
      AgentLink::listen(options.socket_path, epoll.get(), {token_listener, token_connection});
  if (!link) return tl::unexpected<Error>(link.error());
  BaseEnvironment base = base_environment(environ, ledger->state().boot().instance);
  Shepherd shepherd(options, std::move(*lock), std::move(*ledger), std::move(*spawners),
                    std::move(epoll), std::move(signals), std::move(*link), std::move(base),
                    open_files);
  shepherd.recover();
  if (options.resume >= 0) shepherd.resume(std::move(*resumed));
  if (auto ok = shepherd.watch_owner(); !ok) return tl::unexpected<Error>(ok.error());
  return shepherd;
}

Result<void> Shepherd::watch_owner() {
  if (options_.end_with == 0) return {};
  owner_ = open_process(options_.end_with);
  // Read after opening: whose child we still are lives, so that the number is not another's.
  if (!owner_ || ::getppid() != options_.end_with) {
    on_owner_gone();
    return {};
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.u64 = token_owner;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, owner_.get(), &event) == 0) return {};
  return fail_errno("--end-with " + std::to_string(options_.end_with));
}

Shepherd::Shepherd(Options options, Descriptor lock, Ledger ledger,
                   std::unique_ptr<SpawnPool> spawners, Descriptor epoll, Descriptor signals,
                   AgentLink link, BaseEnvironment base, rlimit task_open_files)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      ledger_(std::move(ledger)),
      spawners_(std::move(spawners)),
      epoll_(std::move(epoll)),
      signals_(std::move(signals)),
      link_(std::move(link)),
      base_(std::move(base)),
      fetch_{options_.fetcher, options_.fetch_bytes_max},
      task_open_files_(task_open_files),
      program_(identity_of("/proc/self/exe")) {}

Result<void> Shepherd::run() {
  log_line("serves " + options_.work_dir + ", " + std::to_string(watches_.size()) +
           " tasks running");
  while (!stopping_) {
    if (auto ok = wait_for_events(); !ok) return ok;
    finish_ended();
    report();
    start_some();
    if (!upgrade_to_.empty()) upgrade();
  }
  if (shutting_down_) kill_all();
  save();
  ::unlink(options_.socket_path.c_str());
  ::unlink((options_.work_dir + "/shepherd.pid").c_str());
  log_line(std::string(shutting_down_ ? "shut down, " : "stopped, ") +
           std::to_string(watches_.size()) + " tasks running");
  return {};
}

// --- events ---

bool Shepherd::may_start() const {
  return !queue_.empty() && ledger_.state().tasks().size() < unforgotten_max;
}

bool Shepherd::may_report() const {
  return link_.connected() && (state_due_ || !changed_.empty()) &&
         link_.unsent_bytes() < unsent_bytes_max;
}

int Shepherd::wait_ms() const {
  // Starts are reported a turn later, so that what is over by then is in `ended` only.
  if (may_start() || may_report()) return 0;
  return ledger_.has_unwritten() ? save_retry_ms : -1;
}

Result<void> Shepherd::wait_for_events() {
  std::array<epoll_event, events_per_turn> events{};
  int wait = shutting_down_ ? shutdown_turn_ms : wait_ms();
  const int fence = keep_fences();
  if (fence >= 0 && (wait < 0 || fence < wait)) wait = fence;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events_per_turn, wait);
  if (count < 0 && errno != EINTR) return fail_errno("event loop");
  bool readable = false;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    switch (event.data.u64) {
      case token_signals:
        on_signal();
        break;
      case token_listener:
        state_due_ = link_.accept() || state_due_;
        break;
      case token_connection:
        if ((event.events & EPOLLOUT) != 0) link_.flush();
        readable = readable || (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
        break;
      case token_owner:
        on_owner_gone();
        break;
      default:
        ready_.push_back(static_cast<Watch*>(event.data.ptr));
    }
  }
  if (readable) on_messages();
  return {};
}

void Shepherd::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    if (info.ssi_signo == SIGHUP) {
      upgrade_to_ = own_path();
    } else {
      stopping_ = true;
    }
  }
}

void Shepherd::on_owner_gone() {
  log_line("process " + std::to_string(options_.end_with) + " is gone");
  stopping_ = shutting_down_ = true;
}

void Shepherd::on_messages() {
  std::vector<ShepherdMessage> messages;
  if (auto ok = link_.receive(messages); !ok) log_line(ok.error().message);
  for (ShepherdMessage& message : messages) {
    std::visit([this](auto& body) { on_message(body); }, message);
  }
}

void Shepherd::on_message(StartTasks& message) {
  for (TaskStart& start : message.starts) {
    if (start.key.task.size() > task_id_max) {
      log_line("a task id of " + std::to_string(start.key.task.size()) + " bytes is ignored");
    } else if (!ledger_.state().knows(start.key)) {
      queue_.push_back({std::move(start), 0});
    }
  }
}

void Shepherd::on_message(SignalTask& message) {
  if (message.signal <= 0 || message.signal >= NSIG) return;
  if (auto found = watches_.find(message.key); found != watches_.end()) {
    found->second.signalled = true;
    ::kill(-found->second.pid, message.signal);
    return;
  }
  // It may wait to be started: then it is signalled as soon as it is. The strongest signal wins.
  for (QueuedStart& queued : queue_) {
    if (queued.start.key == message.key && queued.signal != SIGKILL) {
      queued.signal = message.signal;
    }
  }
}

void Shepherd::on_message(ForgetTasks& message) {
  for (TaskKey& key : message.keys) {
    const LedgerTask* task = ledger_.state().find(key);
    if (task != nullptr && task->phase == TaskPhase::ended) {
      ledger_.append(LedgerForgotten{std::move(key)});
    }
  }
  save();
  if (auto ok = ledger_.compact_if_large(); !ok) log_line("compaction: " + ok.error().message);
}

void Shepherd::on_message(FenceTasks& message) {
  for (TaskFence& fence : message.fences) {
    const LedgerTask* task = ledger_.state().find(fence.key);
    const bool over = task != nullptr && task->phase == TaskPhase::ended;
    if (!over) fences_[std::move(fence.key)] = fence.at;
  }
}

int Shepherd::keep_fences() {
  const Instant now = boot_now();
  std::optional<Instant> next;
  for (auto at = fences_.begin(); at != fences_.end();) {
    const auto& [key, fence] = *at;
    if (now < fence) {
      next = std::min(next.value_or(fence), fence);
      ++at;
      continue;
    }
    log_line("task " + key.task + ": " + fenced_error);
    std::erase_if(queue_, [&](const QueuedStart& queued) {
      if (queued.start.key != key) return false;
      ledger_.append(LedgerStarting{key});
      end_unstarted(key, fenced_error);
      changed_.insert(key);
      return true;
    });
    if (const auto found = watches_.find(key); found != watches_.end()) {
      found->second.signalled = found->second.fenced = true;
      ::kill(-found->second.pid, SIGKILL);
    }
    at = fences_.erase(at);
  }
  if (!next) return -1;
  constexpr std::int64_t longest = 3'600'000;
  return static_cast<int>(std::min(longest, to_ms(*next - now) + 1));
}

void Shepherd::on_message(UpgradeShepherd& message) {
  const FileIdentity asked = identity_of(message.program);
  if (asked != FileIdentity{} && asked != program_) upgrade_to_ = message.program;
}

void Shepherd::on_message(ShutdownShepherd&) { stopping_ = shutting_down_ = true; }

void Shepherd::on_message(ShepherdState&) { link_.close(); }

void Shepherd::on_message(TaskProgress&) { link_.close(); }

// --- ends ---

void Shepherd::finish_ended() {
  if (ready_.empty()) return;
  bool any_adopted = false;
  std::set<pid_t> sessions;
  for (const Watch* watch : ready_) {
    any_adopted = any_adopted || !watch->child;
    const bool forced = record_end(*watch);
    if (forced && watch->child) sessions.insert(watch->pid);
  }
  // Who was killed could not end what it had started: mpirun's ranks have groups of their own.
  if (!sessions.empty()) kill_sessions(sessions);
  if (any_adopted) kill_leftovers(find_members(base_.instance));
  // Only now the statuses may be given up: they are in the ledger.
  save();
  for (Watch* watch : ready_) {
    if (watch->child) reap(watch->process.get());
    changed_.insert(watch->key);
    watches_.erase(TaskKey(watch->key));
  }
  ready_.clear();
}

bool Shepherd::record_end(const Watch& watch) {
  std::optional<ChildEnd> how;
  if (watch.child) {
    how = peek_end(watch.process.get());
    // As long as the leader is not reaped, the group's number cannot be another's.
    ::kill(-watch.pid, SIGKILL);
  }
  LedgerEnded record;
  record.end.key = watch.key;
  record.end.ended = wall_now();
  if (const LedgerTask* task = ledger_.state().find(watch.key)) {
    record.end.started = task->started;
  }
  if (how) {
    record.end.exit_code = how->exit_code;
    record.end.signal = how->signal;
    record.end.cpu_time = how->cpu_time;
    record.end.rss_max_bytes = how->rss_max_bytes;
    note_fetch_failure(watch.report, record.end);
  }
  if (watch.fenced) record.end.error = fenced_error;
  fences_.erase(watch.key);
  ledger_.append(record);
  return watch.signalled || (how && how->signal);
}

void Shepherd::kill_all() {
  queue_.clear();
  link_.close();
  for (const auto& [key, watch] : watches_) ::kill(-watch.pid, SIGKILL);
  const std::int64_t limit_ns = wall_now().ns + shutdown_ms_max * 1'000'000;
  while (!watches_.empty() && wall_now().ns < limit_ns) {
    if (!wait_for_events()) return;
    finish_ended();
  }
}

// --- starts ---

void Shepherd::start_some() {
  if (!may_start() || stopping_) return;
  std::vector<QueuedStart> batch;
  while (!queue_.empty() && batch.size() < starts_per_turn) {
    QueuedStart next = std::move(queue_.front());
    queue_.pop_front();
    if (ledger_.state().knows(next.start.key)) continue;
    ledger_.append(LedgerStarting{next.start.key});
    batch.push_back(std::move(next));
  }
  std::vector<Result<Spawned>> outcomes(batch.size());
  if (auto saved = ledger_.flush(); saved) {
    spawners_->run(batch.size(), [&](std::size_t index, Spawner& spawner) {
      outcomes[index] = launch(batch[index].start, spawner);
    });
  } else {
    const Error reason{saved.error().code, "shepherd's ledger: " + saved.error().message};
    for (auto& outcome : outcomes) outcome = tl::unexpected<Error>(reason);
  }
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const TaskKey& key = batch[i].start.key;
    if (outcomes[i]) {
      on_launched(batch[i], std::move(*outcomes[i]));
    } else {
      end_unstarted(key, outcomes[i].error().message);
    }
    changed_.insert(key);
  }
  save();
}

Result<Spawned> Shepherd::launch(const TaskStart& start, Spawner& spawner) const {
  Result<std::optional<Account>> account = account_to_become(start.command.user);
  if (!account) return tl::unexpected<Error>(account.error());
  BaseEnvironment base = base_;
  if (*account) {
    base.user = (*account)->name;
    base.home = (*account)->home;
  }
  Result<LaunchPlan> plan = plan_launch(start, base, fetch_);
  if (!plan) return tl::unexpected<Error>(plan.error());
  return spawner.spawn(*plan, *account ? &**account : nullptr);
}

void Shepherd::on_launched(const QueuedStart& queued, Spawned process) {
  const TaskKey& key = queued.start.key;
  const pid_t pid = process.pid;
  ledger_.append(LedgerStarted{key, pid, process.born, process.started});
  if (queued.signal != 0) ::kill(-pid, queued.signal);
  if (watch({key, pid, std::move(process.process), true, std::move(process.report),
             queued.signal != 0})) {
    return;
  }
  // Without an event its end would go unseen, and what cannot be watched must not run.
  ::kill(-pid, SIGKILL);
  end_unknown(key);
}

bool Shepherd::watch(Watch next) {
  TaskKey key = next.key;
  auto [place, inserted] = watches_.try_emplace(std::move(key), std::move(next));
  epoll_event event{};
  // Once: a child that is just executing may hold a copy that outlives our closing of it.
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = &place->second;
  const int process = place->second.process.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, process, &event) == 0) return true;
  log_line("task " + place->first.task + ": not watched: " + errno_text(errno));
  watches_.erase(place);
  return false;
}

void Shepherd::end_unstarted(const TaskKey& key, const std::string& reason) {
  LedgerEnded record;
  record.end.key = key;
  record.end.was_started = false;
  record.end.error = reason.substr(0, ledger_error_max);
  record.end.ended = wall_now();
  ledger_.append(record);
}

void Shepherd::end_unknown(const TaskKey& key) {
  LedgerEnded record;
  record.end.key = key;
  record.end.ended = wall_now();
  const LedgerTask* task = ledger_.state().find(key);
  if (task != nullptr && task->pid != 0) record.end.started = task->started;
  ledger_.append(record);
}

// --- reports ---

void Shepherd::save() {
  const Result<void> saved = ledger_.flush();
  if (!saved && !save_failed_) log_line("ledger: " + saved.error().message + "; retried");
  if (saved && save_failed_) log_line("ledger: written again");
  save_failed_ = !saved;
}

void Shepherd::report() {
  if (ledger_.has_unwritten()) save();
  if (!may_report()) return;
  if (std::exchange(state_due_, false)) {
    changed_.clear();
    return link_.send(whole_state());
  }
  TaskProgress progress;
  for (const TaskKey& key : changed_) {
    const LedgerTask* task = ledger_.state().find(key);
    if (task == nullptr) continue;
    if (task->phase == TaskPhase::running) {
      progress.started.push_back({key, task->pid, task->started});
    } else if (task->phase == TaskPhase::ended) {
      progress.ended.push_back(task->end);
    }
  }
  changed_.clear();
  link_.send(std::move(progress));
}

ShepherdState Shepherd::whole_state() const {
  ShepherdState state;
  state.pid = ::getpid();
  std::size_t error_bytes = 0;
  for (const auto& [key, task] : ledger_.state().tasks()) {
    if (task.phase == TaskPhase::running) {
      state.running.push_back({key, task.pid, task.started});
    } else if (task.phase == TaskPhase::ended) {
      state.ended.push_back(task.end);
      error_bytes += task.end.error.size();
      if (error_bytes > state_error_bytes_max) state.ended.back().error = "could not be started";
    }
  }
  return state;
}

}  // namespace librm::shepherd
