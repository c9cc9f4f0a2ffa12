// One thread, one loop, and the services on it: started one by one, stopped in reverse.
#include "local/local_cluster.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "agent/agent_service.hpp"
#include "agent/http_edge.hpp"
#include "agent/options.hpp"
#include "common/files.hpp"
#include "common/text.hpp"
#include "local/cluster_directory.hpp"
#include "master/http_edge.hpp"
#include "master/master_service.hpp"
#include "master/options.hpp"

namespace librm::daemon {
namespace {

constexpr std::uint32_t nodes_max = 64;
constexpr std::uint32_t ports_per_node = 100;
constexpr std::uint32_t first_port = 31'000;
constexpr long cpus_min = 2;
constexpr const char* loopback = "127.0.0.1";

/// Signals are for the owner's threads; ours inherits what is blocked while it is made.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

std::int64_t memory_mib() {
  return ::sysconf(_SC_PHYS_PAGES) / 1024 * ::sysconf(_SC_PAGESIZE) / 1024;
}

/// Whole units, since people see them.
std::string whole_share(std::int64_t units, std::uint32_t parts) {
  return std::to_string(units / parts);
}

/// Cores are promised to each node in full; memory and disk are divided, since what is promised
/// twice there kills.
std::string node_resources(const LocalClusterOptions& options, const std::string& directory,
                           std::uint32_t number) {
  const long threads = std::max(cpus_min, ::sysconf(_SC_NPROCESSORS_ONLN));
  const std::uint32_t port = first_port + (number - 1) * ports_per_node;
  const std::string mem =
      options.mem_mib ? to_string(*options.mem_mib) : whole_share(memory_mib(), options.nodes);
  return "cpus:" + to_string(options.cpus.value_or(Amount::units(threads))) + ";mem:" + mem +
         ";disk:" + whole_share(free_bytes(directory) >> 20, options.nodes) + ";ports:[" +
         std::to_string(port) + '-' + std::to_string(port + ports_per_node - 1) + ']';
}

Result<void> check(const LocalClusterOptions& options) {
  if (options.nodes == 0 || options.nodes > nodes_max) {
    return fail(ErrorCode::invalid_argument, "nodes: need 1 to " + std::to_string(nodes_max) +
                                                 ", have " + std::to_string(options.nodes));
  }
  if (options.cpus && options.cpus->milli <= 0) {
    return fail(ErrorCode::invalid_argument, "cpus: need more than 0");
  }
  if (options.mem_mib && options.mem_mib->milli <= 0) {
    return fail(ErrorCode::invalid_argument, "mem: need more than 0");
  }
  for (const char* program : {"rm-shepherd", "rm-fetch"}) {
    const std::string path = options.programs_directory + '/' + program;
    if (::access(path.c_str(), X_OK) != 0) {
      return fail(ErrorCode::not_found, path + ": no such program; a cluster needs it");
    }
  }
  return {};
}

}  // namespace

struct LocalCluster::Impl {
  struct Node {
    std::unique_ptr<AgentService> service;
    std::unique_ptr<AgentHttpEdge> http;
    std::uint64_t subscription = 0;
    bool ended = false;
  };

  Impl(LocalClusterOptions o, ClusterDirectory d)
      : options(std::move(o)), directory(std::move(d)), timer(io) {}

  // --- on the owner's threads ---

  Result<void> start() {
    std::future<Result<void>> outcome = started.get_future();
    {
      const AllSignalsBlocked blocked;
      thread = std::thread([this] { run(); });
    }
    Result<void> result = outcome.get();
    if (!result) (void)stop();
    return result;
  }

  Result<void> stop() {
    const std::lock_guard lock(stop_mutex);
    if (thread.joinable()) {
      asio::post(io, [this] { begin_stop(); });
      thread.join();
      const ClusterDirectory removed = std::move(directory);
    }
    return failure;
  }

  // --- on the loop's thread ---

  void run() {
    timer.expires_after(std::chrono::nanoseconds(options.start_timeout.ns));
    timer.async_wait([this](const asio::error_code& error) {
      if (!error) settle_start(fail(ErrorCode::deadline_exceeded, late_message()));
    });
    if (Result<void> begun = start_master(); !begun) settle_start(begun);
    io.run();
    nodes.clear();
    master_http.reset();
    master.reset();
  }

  /// The first outcome counts.
  void settle_start(Result<void> result) {
    if (std::exchange(start_settled, true)) return;
    timer.cancel();
    started.set_value(std::move(result));
  }

  std::string late_message() const {
    return std::to_string(nodes_registered) + " of " + std::to_string(options.nodes) +
           " nodes are registered after " + print_duration(options.start_timeout);
  }

  Result<void> start_master() {
    MasterConfig config;
    config.work_dir = directory_path + "/master";
    config.cluster_port = 0;
    config.listen = loopback;
    use_batch_front_end(config);
    master = std::make_unique<MasterService>(io, std::move(config), [this](int code) {
      master_ended = true;
      note_end("the master", code);
      end_if_over();
    });
    auto http = MasterHttpEdge::start(io, *master, loopback, 0);
    if (!http) return tl::unexpected<Error>(http.error());
    master_http = std::move(*http);
    const std::string address = advertised_address(loopback, master_http->port());
    url = "http://" + address;
    return master->start(address, [this] { start_next_node(); });
  }

  /// One after the other, so that node-1 is a-1; each takes milliseconds.
  void start_next_node() {
    if (stopping) return;
    if (nodes_registered == options.nodes) return settle_start({});
    if (Result<void> begun = start_node(); !begun) settle_start(begun);
  }

  Result<void> start_node() {
    Node& node = *nodes.emplace_back(std::make_unique<Node>());
    const std::string name = "node-" + std::to_string(nodes.size());
    AgentOptionsRead read;
    read.topology = options.topology;
    read.bind = options.nodes == 1 ? "cores" : "none";
    read.resources =
        node_resources(options, directory_path, static_cast<std::uint32_t>(nodes.size()));
    read.config.master = master->cluster_address();
    read.config.shepherd = options.programs_directory + "/rm-shepherd";
    read.config.kill_on_exit = true;
    read.config.shepherd_ends_with_us = true;
    read.config.agent.hostname = name;
    read.config.agent.work_dir = directory_path + '/' + name;
    if (Result<void> found = detect_host(read); !found) return found;

    const std::string work_dir = read.config.agent.work_dir;
    node.service = std::make_unique<AgentService>(io, std::move(read.config), [&, name](int code) {
      node.ended = true;
      note_end(name, code);
      end_if_over();
    });
    auto http = AgentHttpEdge::start(io, *node.service, loopback, 0, work_dir);
    if (!http) return tl::unexpected<Error>(http.error());
    node.http = std::move(*http);
    Result<void> begun = node.service->start(advertised_address(loopback, node.http->port()));
    if (!begun) return begun;
    node.subscription = node.service->subscribe([this, &node] { on_turn(node); });
    return {};
  }

  void on_turn(Node& node) {
    if (!node.service->core().registered()) return;
    node.service->unsubscribe(std::exchange(node.subscription, 0));
    ++nodes_registered;
    asio::post(io, [this] { start_next_node(); });
  }

  /// Agents first: they kill their tasks, and their last reports still find a master.
  void begin_stop() {
    stopping = true;
    timer.cancel();
    for (const auto& node : nodes) {
      if (node->http) node->http->stop();
      if (node->service && !node->ended) node->service->stop();
    }
    end_if_over();
  }

  void end_if_over() {
    if (!stopping) return;
    const auto over = [](const auto& node) { return node->ended || !node->service; };
    if (!std::all_of(nodes.begin(), nodes.end(), over)) return;
    if (master_ended || !master) return io.stop();
    if (master_http) master_http->stop();
    master->stop();
  }

  void note_end(const std::string& who, int code) {
    settle_start(fail(ErrorCode::io_error, who + " ended while the cluster was starting"));
    if (stopping && code == 0) return;
    if (!failure) return;
    failure = fail(ErrorCode::io_error, who + (stopping ? " did not end cleanly"
                                                        : " had ended by itself; its log is on "
                                                          "stderr"));
  }

  const LocalClusterOptions options;
  ClusterDirectory directory;
  const std::string directory_path = directory.path();
  std::string url;  // written before `started` is set
  std::promise<Result<void>> started;
  std::mutex stop_mutex;
  std::thread thread;

  // The loop's thread alone uses what follows; who has joined it reads `failure`.
  asio::io_context io{1};
  asio::steady_timer timer;
  std::unique_ptr<MasterService> master;
  std::unique_ptr<MasterHttpEdge> master_http;
  std::vector<std::unique_ptr<Node>> nodes;
  std::uint32_t nodes_registered = 0;
  bool start_settled = false;
  bool stopping = false;
  bool master_ended = false;
  Result<void> failure;
};

LocalCluster::LocalCluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

LocalCluster::~LocalCluster() { (void)impl_->stop(); }

Result<std::unique_ptr<LocalCluster>> LocalCluster::start(const LocalClusterOptions& options) {
  if (Result<void> good = check(options); !good) return tl::unexpected<Error>(good.error());
  Result<ClusterDirectory> directory = ClusterDirectory::make();
  if (!directory) return tl::unexpected<Error>(directory.error());
  auto impl = std::make_unique<Impl>(options, std::move(*directory));
  if (Result<void> begun = impl->start(); !begun) return tl::unexpected<Error>(begun.error());
  return std::unique_ptr<LocalCluster>(new LocalCluster(std::move(impl)));
}

const std::string& LocalCluster::url() const { return impl_->url; }
const std::string& LocalCluster::directory() const { return impl_->directory_path; }
Result<void> LocalCluster::stop() { return impl_->stop(); }

}  // namespace librm::daemon
