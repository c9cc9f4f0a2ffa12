// What the agent's core wants done is done here; no policy.
#include "agent/agent_service.hpp"

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "agent/sandbox.hpp"
#include "agent/sandbox_gc.hpp"
#include "agent/shepherd_link.hpp"
#include "common/bad_peers.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/text.hpp"
#include "librm/runtime/asio_driver.hpp"
#include "librm/runtime/asio_transport.hpp"
#include "librm/runtime/zookeeper_elector.hpp"
#include "librm/store/sqlite_journal.hpp"
#include "librm/wire/record.hpp"

namespace librm::daemon {
namespace {

constexpr std::chrono::seconds stop_timeout{5};

ShepherdLink::Options shepherd_options(const AgentConfig& config) {
  ShepherdLink::Options options;
  options.work_dir = config.agent.work_dir;
  options.program = config.shepherd;
  options.fetch_bytes_max = config.fetch_bytes_max;
  options.ends_with_us = config.shepherd_ends_with_us;
  return options;
}

}  // namespace

struct AgentService::Impl {
  Impl(asio::io_context& context, AgentConfig c, std::function<void(int)> end)
      : io(context),
        config(std::move(c)),
        on_end(std::move(end)),
        master(context, TransportOptions{}, master_callbacks()),
        executors(context, TransportOptions{}, executor_callbacks()),
        shepherd(context, shepherd_options(config), shepherd_callbacks()),
        stop_timer(context) {}

  // --- events ---

  void post(AgentEvent event) { driver->post(std::move(event)); }

  Transport::Callbacks master_callbacks() {
    Transport::Callbacks result;
    result.on_received = [this](ConnectionId connection, Message message) {
      if (!was_registered && std::holds_alternative<AgentRegistered>(message)) {
        was_registered = true;
        const auto& registered = std::get<AgentRegistered>(message);
        log(LogLevel::info, "registered",
            {{"agent", to_string(registered.agent)}, {"epoch", std::to_string(registered.epoch)}});
      }
      post(Received{connection, std::move(message)});
    };
    result.on_closed = [this](ConnectionId connection, const std::string& reason) {
      log(LogLevel::warn, "lost the master", {{"reason", reason}});
      was_registered = false;
      post(Closed{connection});
    };
    result.on_bad_peer = [this](const std::string& peer, const std::string& reason) {
      bad_peers.log_one(peer, reason);
    };
    return result;
  }

  Transport::Callbacks executor_callbacks() {
    Transport::Callbacks result;
    result.on_received = [this](ConnectionId connection, Message message) {
      post(FromExecutor{connection, std::move(message)});
    };
    result.on_closed = [this](ConnectionId connection, const std::string&) {
      post(ExecutorClosed{connection});
    };
    result.on_bad_peer = [this](const std::string& peer, const std::string& reason) {
      bad_peers.log_one(peer, reason);
    };
    return result;
  }

  ShepherdLink::Callbacks shepherd_callbacks() {
    ShepherdLink::Callbacks result;
    result.on_message = [this](ShepherdMessage message) { post(FromShepherd{std::move(message)}); };
    result.on_lost = [this] { post(ShepherdLost{}); };
    return result;
  }

  // --- start ---

  Result<void> open_journal() {
    // Sandboxes of other users are below, so others may pass through, and no more.
    Result<void> made = make_directories(config.agent.work_dir, 0711);
    if (!made) return made;
    SqliteJournalOptions options;
    options.path = config.agent.work_dir + "/agent.db";
    Result<std::unique_ptr<SqliteJournal>> opened = SqliteJournal::open(options);
    if (!opened && opened.error().code == ErrorCode::already_exists) {
      return fail(ErrorCode::already_exists,
                  config.agent.work_dir +
                      ": another agent uses this directory; stop it, or give "
                      "this one its own --work-dir");
    }
    if (!opened) return tl::unexpected<Error>(opened.error());
    journal = std::move(*opened);
    return {};
  }

  Result<void> recover() {
    Result<void> replayed = journal->replay([&](Lsn lsn, const RecordEntry& entry) -> Result<void> {
      Result<AgentCoreRecord> record = decode_agent_record(entry);
      if (!record) {
        return fail(record.error().code,
                    "record " + std::to_string(lsn) + ": " + record.error().message);
      }
      core->apply(*record);
      return {};
    });
    if (!replayed) return replayed;
    log(LogLevel::info, "recovered",
        {{"agent", to_string(core->id())},
         {"lsn", std::to_string(journal->last_lsn())},
         {"tasks", std::to_string(core->tasks().size())}});
    return {};
  }

  void start_driver() {
    AsioDriverHooks<AgentCore> hooks;
    hooks.encode = [](const AgentCoreRecord& record) { return encode_record(record); };
    hooks.stream_of = [](const AgentCoreRecord&) { return agent_stream; };
    // The ledger needs to survive the process only: a crash of the host ends the tasks anyway.
    hooks.sync_of = [](const AgentCoreRecord& record) {
      return std::holds_alternative<AgentIdentityRecord>(record) ? Sync::full : Sync::cached;
    };
    hooks.perform = [this](AgentOutput output) {
      std::visit([this](auto& value) { act(value); }, output);
    };
    hooks.failed = [this](const Error& error) {
      log(LogLevel::error, "the journal failed, so this agent ends; its tasks run on",
          {{"code", to_string(error.code)}, {"error", error.message}});
      end(1);
    };
    hooks.before_append = [this] { journal->set_epoch(core->epoch_highest()); };
    hooks.on_durable = [this](Lsn) { end_if_settled(); };
    hooks.after_turn = [this] { after_turn(); };
    driver = std::make_unique<AsioDriver<AgentCore>>(io, *core, *journal, std::move(hooks),
                                                     config.snapshot_every);
    driver->resume();
  }

  Result<void> start(const std::string& http) {
    config.agent.http_address = http;
    Result<void> opened = open_journal();
    if (!opened) return opened;
    core = std::make_unique<AgentCore>(config.agent, log_trace());
    Result<void> recovered = recover();
    if (!recovered) return recovered;
    Result<void> listening =
        executors.frames().listen_unix(config.agent.work_dir + "/executor.sock");
    if (!listening) return listening;
    gc = std::make_unique<SandboxGc>(
        io, SandboxGcOptions{config.agent.work_dir, config.gc, config.gc_interval},
        [this](const TaskKey& key) { return core->in_use(key); });
    if (Result<void> watching = watch_election(); !watching) return watching;
    start_driver();
    shepherd.start();
    gc->start();
    return {};
  }

  // --- masters ---

  /// Where several masters elect a leader, that is who it belongs to.
  Result<void> watch_election() {
    if (!is_zookeeper_url(config.master)) return {};
    Result<ZookeeperUrl> url = read_zookeeper_url(config.master);
    if (!url) return tl::unexpected<Error>(url.error());
    ZookeeperElectorOptions options;
    options.url = std::move(*url);
    ElectorCallbacks told;
    told.on_change = [this](const Election& election) { on_election(election); };
    told.on_error = [](const Error& error) {
      log(LogLevel::error, "election", {{"error", error.message}});
    };
    told.on_log = [](const std::string& line) {
      log(LogLevel::debug, "zookeeper", {{"line", line}});
    };
    elector = std::make_unique<ZookeeperElector>(io, std::move(options), std::move(told));
    elector->start();
    return {};
  }

  /// Another leader is gone to at once: the old one may be silent for long before it is missed.
  void on_election(const Election& election) {
    const Member* leader = election.leader();
    if (leader == nullptr || leader->frames == leader_frames) return;
    leader_frames = leader->frames;
    log(LogLevel::info, "leader", {{"address", leader_frames}});
    ++attempt;
    was_registered = false;
    if (driver) post(MasterChanged{});
  }

  // --- outputs ---

  void act(const ConnectMaster&) {
    Result<HostPort> target = find_master();
    if (!target) {
      // The answer comes as an event of its own, as from a connection that fails.
      return on_master_unavailable(target.error().message);
    }
    master.frames().connect_tcp(target->host, target->port,
                                [this, asked = ++attempt](const Result<ConnectionId>& opened) {
                                  if (asked != attempt) {
                                    if (opened)
                                      master.frames().close(*opened, "there is another leader");
                                    return;
                                  }
                                  if (!opened) return on_master_unavailable(opened.error().message);
                                  unavailable_logged.clear();
                                  post(MasterConnected{*opened});
                                });
  }

  Result<HostPort> find_master() const {
    if (elector) {
      const Member* leader = elector->election().leader();
      if (leader == nullptr) return fail(ErrorCode::unavailable, "no master leads");
      return parse_host_port(leader->frames);
    }
    if (config.master_dir.empty()) return parse_host_port(config.master);
    Result<MasterAddress> address = read_master_address(config.master_dir);
    if (!address) return tl::unexpected<Error>(address.error());
    return parse_host_port(address->cluster);
  }

  void on_master_unavailable(const std::string& reason) {
    const bool news = reason != unavailable_logged;
    unavailable_logged = reason;
    log(news ? LogLevel::warn : LogLevel::debug, "no master", {{"reason", reason}});
    post(MasterUnavailable{reason});
  }

  void act(const Send& send) { master.send(send.connection, send.message); }
  void act(const Close& close) {
    log(LogLevel::info, "leaving the master", {{"reason", close.reason}});
    was_registered = false;
    master.frames().close(close.connection, close.reason);
  }
  void act(const ToShepherd& to) {
    if (const auto* starts = std::get_if<StartTasks>(&to.message)) make_sandboxes(*starts);
    if (const auto* forget = std::get_if<ForgetTasks>(&to.message)) {
      for (const TaskKey& key : forget->keys) gc->note_end(core->sandbox(key));
    }
    shepherd.send(to.message);
  }
  void act(const ToExecutor& to) { executors.send(to.connection, to.message); }
  void act(const StopAgent& stop_agent) {
    log(LogLevel::error, "the master refuses this agent; its tasks run on",
        {{"code", to_string(stop_agent.error.code)}, {"error", stop_agent.error.message}});
    end(1);
  }

  void make_sandboxes(const StartTasks& message) {
    for (const TaskStart& start : message.starts) {
      Result<void> made = sandboxes.make(start);
      if (made) continue;
      // The shepherd finds no directory and reports that the task could not be started.
      log(LogLevel::error, "cannot make a sandbox",
          {{"task", start.key.task}, {"error", made.error().message}});
    }
  }

  void after_turn() {
    const std::map<std::uint64_t, std::shared_ptr<std::function<void()>>> now = subscribers;
    for (const auto& [token, callback] : now) {
      if (subscribers.contains(token)) (*callback)();
    }
    end_if_settled();
  }

  // --- the end ---

  void stop() {
    if (std::exchange(stopping, true)) return;
    if (!config.kill_on_exit || !driver) return settle();
    log(LogLevel::info, "killing all tasks");
    shepherd.shut_down(config.kill_timeout, [this](bool gone) {
      if (!gone) log(LogLevel::error, "the shepherd did not end in time");
      asio::post(io, [this] { settle(); });
    });
  }

  /// What was decided is still committed and sent.
  void settle() {
    settling = true;
    executors.frames().close_all("the agent stops");
    stop_timer.expires_after(stop_timeout);
    stop_timer.async_wait([this](const asio::error_code& error) {
      if (error) return;
      log(LogLevel::error, "the journal did not commit in time");
      end(1);
    });
    asio::post(io, [this] { end_if_settled(); });
  }

  void end_if_settled() {
    if (settling && !ending && (!driver || driver->settled())) {
      ending = true;
      master.frames().close_all("the agent stops");
      // One turn of the loop, in which what was sent last is written.
      asio::post(io, [this] { asio::post(io, [this] { end(0); }); });
    }
  }

  void end(int code) {
    if (std::exchange(ended, true)) return;
    stopping = true;
    if (gc) gc->stop();
    if (elector) elector->stop();
    stop_timer.cancel();
    if (journal && code == 0) journal->close();
    on_end(code);
  }

  asio::io_context& io;
  AgentConfig config;
  std::function<void(int)> on_end;
  std::unique_ptr<SqliteJournal> journal;
  std::unique_ptr<AgentCore> core;
  SandboxMaker sandboxes;
  BadPeers bad_peers;
  Transport master;
  Transport executors;
  ShepherdLink shepherd;
  std::unique_ptr<AsioDriver<AgentCore>> driver;
  std::unique_ptr<SandboxGc> gc;
  asio::steady_timer stop_timer;
  std::unique_ptr<ZookeeperElector> elector;  ///< where masters elect a leader
  std::string leader_frames;                  ///< its address, the latest
  std::uint64_t attempt = 0;                  ///< to connect; an answer to an earlier one is void
  std::string unavailable_logged;
  bool was_registered = false;
  bool stopping = false;
  bool settling = false;
  bool ending = false;
  bool ended = false;
  std::uint64_t token_last = 0;
  std::map<std::uint64_t, std::shared_ptr<std::function<void()>>> subscribers;
};

AgentService::AgentService(asio::io_context& io, AgentConfig config,
                           std::function<void(int)> on_end)
    : impl_(std::make_unique<Impl>(io, std::move(config), std::move(on_end))) {}

AgentService::~AgentService() = default;

Result<void> AgentService::start(const std::string& http_address) {
  return impl_->start(http_address);
}

void AgentService::stop() { impl_->stop(); }
bool AgentService::ready() const { return impl_->driver != nullptr && !impl_->stopping; }
const std::string& AgentService::http_address() const { return impl_->config.agent.http_address; }
const AgentCore& AgentService::core() const { return *impl_->core; }
Now AgentService::now() const { return read_clocks(); }

std::string AgentService::sandbox(FrameworkId framework, const TaskId& task) const {
  if (!framework || !validate_task_id(task)) return {};
  return impl_->core->sandbox({framework, task});
}

const AgentCore::Task* AgentService::task(FrameworkId framework, const TaskId& task) const {
  const auto& tasks = impl_->core->tasks();
  const auto found = tasks.find(TaskKey{framework, task});
  return found == tasks.end() ? nullptr : &found->second;
}

std::uint64_t AgentService::subscribe(std::function<void()> callback) {
  const std::uint64_t token = ++impl_->token_last;
  impl_->subscribers.emplace(token, std::make_shared<std::function<void()>>(std::move(callback)));
  return token;
}

void AgentService::unsubscribe(std::uint64_t token) { impl_->subscribers.erase(token); }

}  // namespace librm::daemon
