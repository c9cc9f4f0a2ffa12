// Supervises master and agents: start, restart after accidents, and an end without leftovers.
#include "dev_cluster.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "batch/edge/units.hpp"
#include "text.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto ready_within = std::chrono::seconds(30);
constexpr auto end_within = std::chrono::seconds(10);
constexpr int quick_ends_max = 3;
constexpr int tick_ms = 100;
constexpr unsigned ports_per_node = 100;
constexpr unsigned first_port = 31'000;

std::string port_of(const std::string& address) { return address.substr(address.rfind(':') + 1); }

}  // namespace

DevCluster::DevCluster(const Context& context, DevOptions options)
    : context_(context), options_(std::move(options)) {}

DevCluster::~DevCluster() {
  stop();
  if (signals_ >= 0) ::close(signals_);
  if (lock_ >= 0) ::close(lock_);
  std::error_code ignored;
  if (temporary_) std::filesystem::remove_all(directory_, ignored);
}

Result<void> DevCluster::make_directory() {
  std::error_code error;
  if (options_.work_dir.empty()) {
    std::string pattern =
        (std::filesystem::temp_directory_path(error) / "rmctl-dev-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) {
      return fail(ErrorCode::io_error, pattern + ": cannot be made");
    }
    directory_ = pattern;
    temporary_ = true;
  } else {
    std::filesystem::create_directories(options_.work_dir, error);
    if (error) return fail(ErrorCode::io_error, options_.work_dir + ": " + error.message());
    directory_ = std::filesystem::absolute(options_.work_dir).lexically_normal().string();
  }
  lock_ = ::open((directory_ + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0 || ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::failed_precondition,
                directory_ + ": another 'rmctl dev' uses this directory");
  }
  return {};
}

/// Cores are promised to each node in full, since most of what is tried out waits; memory and
/// disk are divided, since what is promised twice there kills.
Result<void> DevCluster::prepare() {
  const double cores = static_cast<double>(std::max(2L, ::sysconf(_SC_NPROCESSORS_ONLN)));
  node_cpus_ = options_.cpus.value_or(cores);
  const double pages = static_cast<double>(::sysconf(_SC_PHYS_PAGES));
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  node_mem_mib_ = std::floor(pages * page / 1048576 / options_.nodes);
  if (!options_.mem.empty()) {
    const auto mib = parse_size(options_.mem);
    if (!mib) return fail(mib.error().code, "--mem: " + mib.error().message);
    node_mem_mib_ = static_cast<double>(mib->milli) / 1000;
  }
  if (auto made = make_directory(); !made) return made;
  struct statvfs disk {};
  if (::statvfs(directory_.c_str(), &disk) == 0) {
    const double free = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
    node_disk_mib_ = std::floor(free / 1048576 / options_.nodes);
  }
  std::error_code error;
  bin_ = std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();

  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&set, signal);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  // What a dead agent or shepherd leaves behind becomes our child, so that we can end it.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  return {};
}

std::string DevCluster::resources_of(unsigned index) const {
  const unsigned port = first_port + (index - 1) * ports_per_node;
  return "cpus:" + human_number(node_cpus_) + ";mem:" + human_number(node_mem_mib_) +
         ";disk:" + human_number(node_disk_mib_) + ";ports:[" + std::to_string(port) + '-' +
         std::to_string(port + ports_per_node - 1) + ']';
}

std::string DevCluster::node_size() const {
  return human_number(node_cpus_) + " cpus and " + human_mib(node_mem_mib_);
}

Result<void> DevCluster::start_until_ready(std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) {
    if (auto started = daemons_[i].start(); !started) return started;
  }
  const auto give_up = Clock::now() + ready_within;
  const auto waits = [](const Daemon& daemon) { return !daemon.ready(); };
  const auto begin = daemons_.begin() + static_cast<std::ptrdiff_t>(first);
  const auto end = daemons_.begin() + static_cast<std::ptrdiff_t>(last);
  for (;;) {
    const auto late = std::find_if(begin, end, waits);
    if (late == end) return {};
    if (stop_signal_ != 0) return fail(ErrorCode::unavailable, "interrupted");
    if (broken_) return tl::unexpected(*broken_);
    if (Clock::now() > give_up) {
      return fail(ErrorCode::deadline_exceeded,
                  late->label() + " does not get ready:" + tail_of(late->log(), 10));
    }
    wait_events(tick_ms);
  }
}

Result<void> DevCluster::start() {
  if (auto prepared = prepare(); !prepared) return prepared;
  const std::string master_dir = directory_ + "/master";
  daemons_.emplace_back(
      "rm-master",
      std::vector<std::string>{bin_ + "/rm-master", "--port", std::to_string(options_.port),
                               "--cluster-port", "0", "--work-dir", master_dir},
      directory_ + "/master.log");
  if (auto ready = start_until_ready(0, 1); !ready) return ready;
  Daemon& master = daemons_.front();
  master_address_ = master.http_address();
  master.set_option("--port", port_of(master_address_));
  master.set_option("--cluster-port", port_of(master.cluster_address()));
  for (unsigned i = 1; i <= options_.nodes; ++i) {
    const std::string index = std::to_string(i);
    daemons_.emplace_back(
        "rm-agent node-" + index,
        std::vector<std::string>{bin_ + "/rm-agent", "--master-dir", master_dir, "--port", "0",
                                 "--work-dir", directory_ + "/agent-" + index, "--hostname",
                                 "node-" + index, "--resources", resources_of(i), "--on-exit=kill",
                                 // Each of several agents would bind to the same cores first.
                                 "--bind", options_.nodes == 1 ? "cores" : "none"},
        directory_ + "/agent-" + index + ".log");
    // One by one, so that node-1 is a-1; it takes milliseconds.
    if (auto ready = start_until_ready(i, i + 1); !ready) return ready;
    daemons_[i].set_option("--port", port_of(daemons_[i].http_address()));
    if (auto registered = wait_registered(i); !registered) return registered;
  }
  return {};
}

Result<void> DevCluster::wait_registered(unsigned count) {
  auto client = Master::find("http://" + master_address_);
  if (!client) return tl::unexpected(client.error());
  const auto give_up = Clock::now() + ready_within;
  for (;;) {
    unsigned registered = 0;
    const auto nodes = client->get("/v1/nodes");
    if (nodes) {
      for (const Json& node : member(*nodes, "nodes")) {
        const Json& connected = member(node, "connected");
        if (connected.is_boolean() && connected.get<bool>()) ++registered;
      }
    }
    if (registered >= count) return {};
    if (stop_signal_ != 0) return fail(ErrorCode::unavailable, "interrupted");
    if (broken_) return tl::unexpected(*broken_);
    if (Clock::now() > give_up) {
      return fail(ErrorCode::deadline_exceeded,
                  std::to_string(registered) + " of " + std::to_string(count) +
                      " nodes are registered" + (nodes ? "" : ": " + nodes.error().message));
    }
    wait_events(5);
  }
}

void DevCluster::wait_events(int timeout_ms) {
  std::vector<pollfd> waiting{{signals_, POLLIN, 0}};
  for (const Daemon& daemon : daemons_) waiting.push_back({daemon.output_fd(), POLLIN, 0});
  if (::poll(waiting.data(), waiting.size(), timeout_ms) <= 0) return;
  for (std::size_t i = 0; i < daemons_.size(); ++i) {
    if (waiting[i + 1].revents != 0) daemons_[i].on_output();
  }
  if (waiting[0].revents != 0) on_signal();
}

void DevCluster::on_signal() {
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == sizeof info) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) continue;
    // The terminal sends ^C to the command as well; whoever sends it to us alone means both.
    const bool from_terminal = info.ssi_code == SI_KERNEL;
    if (command_ > 0 && (!from_terminal || stop_count_ > 0)) {
      ::kill(command_, stop_count_ > 1 ? SIGKILL : signal);
    }
    stop_signal_ = signal;
    ++stop_count_;
  }
  reap();
}

void DevCluster::reap() {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid == command_) {
      command_ = -1;
      command_status_ = status;
    }
    for (Daemon& daemon : daemons_) {
      if (daemon.pid() != pid) continue;
      daemon.on_end(status);
      if (stopping_) continue;
      if (auto handled = on_daemon_end(daemon); !handled) broken_ = handled.error();
    }
  }
}

Result<void> DevCluster::on_daemon_end(Daemon& daemon) {
  const std::string what = daemon.label() + " ended: " + describe_status(daemon.last_status());
  const bool hopeless = !daemon.ready() || daemon.quick_ends() >= quick_ends_max;
  if (hopeless) return fail(ErrorCode::io_error, what + tail_of(daemon.log(), 10));
  if (options_.no_restart) {
    context_.note(what);
    return {};
  }
  if (auto started = daemon.start(); !started) return started;
  context_.note(what + "; started again as process " + std::to_string(daemon.pid()));
  return {};
}

Result<int> DevCluster::run(const std::vector<std::string>& command) {
  if (!command.empty()) {
    auto pid = spawn_command(command, "RM_MASTER=http://" + master_address_);
    if (!pid) return tl::unexpected(pid.error());
    command_ = *pid;
  }
  while (!broken_) {
    if (command.empty() ? stop_signal_ != 0 : command_ < 0) break;
    wait_events(-1);
  }
  if (broken_) {
    if (command_ > 0) ::kill(command_, SIGTERM);
    return tl::unexpected(*broken_);
  }
  if (command.empty()) return 0;
  return WIFSIGNALED(command_status_) ? 128 + WTERMSIG(command_status_)
                                      : WEXITSTATUS(command_status_);
}

void DevCluster::end_daemons(std::size_t first, std::size_t last) {
  last = std::min(last, daemons_.size());
  const auto any_runs = [&] {
    for (std::size_t i = first; i < last; ++i) {
      if (daemons_[i].running()) return true;
    }
    return false;
  };
  const auto patience = Clock::now() + end_within;
  const int impatient = stop_count_ + 1;
  for (std::size_t i = first; i < last; ++i) daemons_[i].signal(SIGTERM);
  while (any_runs() && Clock::now() < patience && stop_count_ < impatient) wait_events(tick_ms);
  for (std::size_t i = first; i < last; ++i) {
    if (daemons_[i].running()) context_.note(daemons_[i].label() + " does not end; killing it");
    daemons_[i].signal(SIGKILL);
  }
  while (any_runs()) wait_events(tick_ms);
}

/// Shepherds outlive their agents by design, and tasks a shepherd that was killed.
void DevCluster::end_orphans() {
  const auto patience = Clock::now() + std::chrono::seconds(5);
  int signal = SIGTERM;
  for (auto left = adopted_children(); !left.empty(); left = adopted_children()) {
    for (const pid_t pid : left) {
      const bool ours = std::none_of(daemons_.begin(), daemons_.end(),
                                     [&](const Daemon& daemon) { return daemon.pid() == pid; });
      if (ours) ::kill(pid, signal);
    }
    const bool only_master = left.size() == 1 && left.front() == daemons_.front().pid();
    if (only_master) return;
    wait_events(tick_ms);
    if (Clock::now() > patience) signal = SIGKILL;
  }
}

void DevCluster::stop() {
  if (daemons_.empty()) return;
  stopping_ = true;
  end_daemons(1, daemons_.size());
  end_orphans();
  end_daemons(0, 1);
  daemons_.clear();
}

}  // namespace batch::cli
