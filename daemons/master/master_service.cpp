// What the master's core wants done is done here; no policy.
#include "master/master_service.hpp"

#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include "batch/edge/record_codec.hpp"
#include "common/bad_peers.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/text.hpp"
#include "common/version.hpp"
#include "librm/base/check.hpp"
#include "librm/runtime/asio_driver.hpp"
#include "librm/runtime/asio_transport.hpp"
#include "librm/store/journal_copy.hpp"
#include "librm/store/postgres_journal.hpp"
#include "librm/store/sqlite_journal.hpp"
#include "librm/wire/record.hpp"
#include "master/journal_copier.hpp"
#include "master/leadership.hpp"

namespace librm::daemon {
namespace {

using batch::ClusterCore;

constexpr std::chrono::seconds storage_check_interval{1};
constexpr std::chrono::seconds stop_timeout{5};
// What masters' clocks may be apart without schedules going by another one after each failover.
constexpr Duration clock_tolerance = milliseconds(500);

RecordEntry encode(const ClusterCore::Record& record) {
  if (const auto* master = std::get_if<MasterRecord>(&record)) return encode_record(*master);
  return batch::encode_batch_record(std::get<batch::BatchRecord>(record));
}

std::uint16_t stream_of(const ClusterCore::Record& record) {
  return std::holds_alternative<MasterRecord>(record) ? master_stream : batch_stream;
}

Result<ClusterCore::Record> decode(const RecordEntry& entry) {
  if (entry.stream == master_stream) {
    Result<MasterRecord> record = decode_master_record(entry);
    if (!record) return tl::unexpected<Error>(record.error());
    return ClusterCore::Record(std::move(*record));
  }
  if (entry.stream == batch_stream) {
    Result<batch::BatchRecord> record = batch::decode_batch_record(entry);
    if (!record) return tl::unexpected<Error>(record.error());
    return ClusterCore::Record(std::move(*record));
  }
  return fail(ErrorCode::unsupported,
              "stream " + std::to_string(entry.stream) + ": not a master's");
}

}  // namespace

struct MasterService::Impl {
  Impl(asio::io_context& context, MasterConfig c, std::function<void(int)> end)
      : io(context),
        config(std::move(c)),
        on_end(std::move(end)),
        core(std::make_unique<ClusterCore>(config.master, config.batch, log_trace())),
        transport(context, TransportOptions{}, callbacks()),
        storage_timer(context),
        stop_timer(context) {}

  // --- the cluster port ---

  Transport::Callbacks callbacks() {
    Transport::Callbacks result;
    result.on_received = [this](ConnectionId connection, Message message) {
      post(MasterEvent(Received{connection, std::move(message)}));
    };
    result.on_closed = [this](ConnectionId connection, const std::string& reason) {
      log(LogLevel::debug, "connection closed",
          {{"connection", to_string(connection)}, {"reason", reason}});
      post(MasterEvent(Closed{connection}));
    };
    result.on_bad_peer = [this](const std::string& peer, const std::string& reason) {
      bad_peers.log_one(peer, reason);
    };
    return result;
  }

  void post(MasterEvent event) {
    if (driver) return driver->post(ClusterCore::Event(std::move(event)));
    const auto* received = std::get_if<Received>(&event);
    if (received != nullptr) {
      transport.frames().close(received->connection, "this master does not lead");
    }
  }
  void post(batch::BatchEvent event) { driver->post(ClusterCore::Event(std::move(event))); }

  // --- start ---

  Result<void> open_journal() {
    Result<void> made = make_directories(config.work_dir, 0700);
    if (!made) return made;
    SqliteJournalOptions options;
    options.path = config.work_dir + "/master.db";
    options.always_synced = true;
    Result<std::unique_ptr<SqliteJournal>> opened = SqliteJournal::open(options);
    if (!opened && opened.error().code == ErrorCode::already_exists) {
      return fail(ErrorCode::already_exists,
                  config.work_dir +
                      ": another master uses this directory; stop it, or give "
                      "this one its own --work-dir");
    }
    if (!opened) return tl::unexpected<Error>(opened.error());
    journal = std::move(*opened);
    copier = std::make_unique<JournalCopier>(io, options.path,
                                             std::int64_t{config.storage_low_mib} << 20);
    return {};
  }

  Result<void> apply(Lsn lsn, const RecordEntry& entry) {
    Result<ClusterCore::Record> record = decode(entry);
    if (!record) {
      return fail(
          record.error().code,
          "record " + std::to_string(lsn) + ": " + record.error().message +
              (leadership ? std::string()
                          : "; see 'rmctl journal check " + config.work_dir + "/master.db'"));
    }
    core->apply(*record);
    return {};
  }

  Result<void> recover() {
    Result<void> replayed =
        journal->replay([this](Lsn lsn, const RecordEntry& entry) { return apply(lsn, entry); });
    if (replayed) log_recovered();
    return replayed;
  }

  void log_recovered() {
    log(LogLevel::info, "recovered",
        {{"lsn", std::to_string(used_journal().last_lsn())},
         {"agents", std::to_string(core->master().agents().size())},
         {"jobs", std::to_string(core->batch().jobs().size())}});
  }

  Journal& used_journal() {
    return leadership ? static_cast<Journal&>(leadership->journal()) : *journal;
  }

  void start_driver() {
    AsioDriverHooks<ClusterCore> hooks;
    hooks.encode = encode;
    hooks.wall_offset = wall_offset;
    hooks.stream_of = stream_of;
    hooks.perform = [this](ClusterCore::Output output) { perform(std::move(output)); };
    hooks.failed = [this](const Error& error) { fail_journal(error); };
    hooks.before_append = [this] { used_journal().set_epoch(core->master().epoch()); };
    hooks.on_durable = [this](Lsn) { on_durable(); };
    // What was queued when it was stopped may leave nothing to commit.
    hooks.after_turn = [this] { end_if_settled(); };
    driver = std::make_unique<AsioDriver<ClusterCore>>(io, *core, used_journal(), std::move(hooks),
                                                       config.snapshot_every);
    driver->resume();
    epoch_lsn = driver->appended();
    transport.frames().set_epoch(core->master().epoch());
    for (const auto& [role, weight] : config.role_weights_milli) set_role_weight(role, weight);
    check_storage();
  }

  Result<void> start(const std::string& http, std::function<void()> ready_callback) {
    http_address = http;
    on_ready = std::move(ready_callback);
    if (config.state.empty()) {
      Result<void> opened = open_journal();
      if (!opened) return opened;
      Result<void> recovered = recover();
      if (!recovered) return recovered;
    } else if (Result<void> made = make_directories(config.work_dir, 0700); !made) {
      return made;
    }
    Result<std::uint16_t> port = transport.frames().listen_tcp(config.listen, config.cluster_port);
    if (!port) return tl::unexpected<Error>(port.error());
    config.cluster_port = *port;
    if (!config.state.empty()) return start_leadership();
    start_driver();
    return {};
  }

  // --- one of several ---

  /// A connection of its own reads the database, as a standby does.
  Result<JournalCopy> copy_shared(const std::string& destination, const std::atomic<bool>& stop) {
    PostgresJournalOptions opening;
    opening.url = config.state;
    opening.cluster = config.cluster;
    auto source = PostgresJournal::open(std::move(opening));
    if (!source) return tl::unexpected<Error>(source.error());
    return copy_journal(**source, destination, stop);
  }

  Result<void> start_leadership() {
    if (auto made = make_directories(config.work_dir, 0700); !made) return made;
    copier = std::make_unique<JournalCopier>(
        io, config.work_dir + "/master.backup",
        [this](const std::string& destination, const std::atomic<bool>& stop) {
          return copy_shared(destination, stop);
        },
        std::int64_t{config.storage_low_mib} << 20);
    LeadershipOptions options;
    options.state = config.state;
    options.cluster = config.cluster;
    options.zk = config.zk;
    options.zk_session = config.zk_session;
    options.self = {http_address, cluster_address(), http_address, std::string(version)};
    Leadership::Callbacks told;
    told.apply = [this](Lsn lsn, const RecordEntry& entry) { return apply(lsn, entry); };
    told.reset = [this] {
      core = std::make_unique<ClusterCore>(config.master, config.batch, log_trace());
    };
    told.lead = [this](Epoch epoch, Duration ahead) { lead(epoch, ahead); };
    told.over = [this](const std::string& reason) {
      log(LogLevel::warn, "not the leader any more: this master begins anew", {{"reason", reason}});
      end(begin_anew);
    };
    leadership = std::make_unique<Leadership>(io, std::move(options), std::move(told));
    return leadership->start();
  }

  void lead(Epoch epoch, Duration ahead) {
    log_recovered();
    if (ahead >= clock_tolerance || ahead <= Duration{} - clock_tolerance) {
      log(LogLevel::warn, "this host's clock is apart from the database's, which is gone by",
          {{"ahead_ms", std::to_string(to_ms(ahead))}});
      wall_offset = Duration{} - ahead;
    }
    // The core takes the epoch after the highest that it knows: that which the database gave.
    core->apply(EpochRecord{epoch - 1});
    start_driver();
    LIBRM_CHECK(core->master().epoch() == epoch, "the journal's epoch is the highest");
  }

  bool leading() const { return !leadership || leadership->leading(); }

  void set_role_weight(const std::string& role, std::int64_t weight) {
    const std::uint64_t request = ++request_last;
    results.emplace(request, [role](const Result<void>& result) {
      if (!result) {
        log(LogLevel::error, "weight refused", {{"role", role}, {"error", result.error().message}});
      }
    });
    post(MasterEvent(SetRoleWeight{request, role, weight}));
  }

  void on_durable() {
    if (!ready && !stopping && driver->durable() >= epoch_lsn) become_ready();
    end_if_settled();
  }

  void end_if_settled() {
    if (stopping && driver->settled()) end_soon();
  }

  void become_ready() {
    ready = true;
    const MasterAddress address{http_address, cluster_address(), ::getpid()};
    Result<void> written = write_master_address(config.work_dir, address);
    if (!written) {
      log(LogLevel::error, "cannot write the address file", {{"error", written.error().message}});
    }
    if (on_ready) on_ready();
  }

  std::string cluster_address() const {
    return advertised_address(config.listen, config.cluster_port);
  }

  void check_storage() {
    const std::int64_t bytes = free_bytes(config.work_dir);
    const std::int64_t low_bytes = std::int64_t{config.storage_low_mib} << 20;
    const bool low =
        (journal && journal->stalled()) || bytes < (storage_low ? 2 * low_bytes : low_bytes);
    if (low != storage_low) {
      storage_low = low;
      log(low ? LogLevel::error : LogLevel::info,
          low ? "storage is low" : "storage is enough again",
          {{"directory", config.work_dir}, {"free_bytes", std::to_string(bytes)}});
      post(MasterEvent(StorageLow{low}));
      post(batch::BatchEvent(StorageLow{low}));
    }
    storage_timer.expires_after(storage_check_interval);
    storage_timer.async_wait([this](const asio::error_code& error) {
      if (!error) check_storage();
    });
  }

  // --- outputs ---

  void perform(ClusterCore::Output output) {
    // What another leader may contradict by now is not said any more.
    if (!leading()) return;
    std::visit([this](auto& part) { std::visit([this](auto& value) { this->act(value); }, part); },
               output);
  }

  void act(const Send& send) { transport.send(send.connection, send.message); }
  void act(const Close& close) {
    log(LogLevel::info, "closing a connection",
        {{"connection", to_string(close.connection)}, {"reason", close.reason}});
    transport.frames().close(close.connection, close.reason);
  }
  void act(const Reply& reply) { answer(results, reply.request, reply.result); }
  void act(const batch::SubmitAnswer& result) { answer(submissions, result.request, result); }
  void act(const batch::ControlAnswer& result) { answer(results, result.request, result.result); }
  void act(const batch::ScheduleAnswer& result) { answer(schedules, result.request, result.run); }
  void act(const batch::ScheduleChanged& change) { tell(schedule_subscribers, change); }
  void act(const batch::JobChanged& change) { tell(subscribers, change); }
  void act(const batch::SessionOutput&) {
    LIBRM_CHECK(false, "the batch front end's session stays within ClusterCore");
  }

  template <class Callback, class Change>
  static void tell(const std::map<std::uint64_t, std::shared_ptr<Callback>>& all,
                   const Change& change) {
    // A subscriber may end its own or another's subscription.
    const std::map<std::uint64_t, std::shared_ptr<Callback>> now = all;
    for (const auto& [token, callback] : now) {
      if (all.contains(token)) (*callback)(change);
    }
  }

  template <class Callback, class Value>
  static void answer(std::map<std::uint64_t, Callback>& waiting, std::uint64_t request,
                     const Value& value) {
    auto found = waiting.extract(request);
    if (!found.empty() && found.mapped()) found.mapped()(value);
  }

  // --- the end ---

  void stop() {
    if (std::exchange(stopping, true)) return;
    ready = false;
    storage_timer.cancel();
    transport.frames().close_all("the master stops");
    if (leadership && !driver) leadership->stop();
    if (!driver || driver->settled()) return end_soon();
    stop_timer.expires_after(stop_timeout);
    stop_timer.async_wait([this](const asio::error_code& error) {
      if (error) return;
      log(LogLevel::error, "the journal did not commit in time");
      end(1);
    });
  }

  /// After one turn of the loop, in which what was sent last is written.
  void end_soon() {
    if (std::exchange(ending, true)) return;
    asio::post(io, [this] { asio::post(io, [this] { end(0); }); });
  }

  void fail_journal(const Error& error) {
    log(LogLevel::error, "the journal failed, so this master ends",
        {{"code", to_string(error.code)}, {"error", error.message}});
    end(leadership && !config.zk.empty() ? begin_anew : 1);
  }

  void end(int code) {
    if (std::exchange(ended, true)) return;
    ready = false;
    stopping = true;
    stop_timer.cancel();
    storage_timer.cancel();
    copier.reset();
    if (leadership) leadership->stop();
    if (journal && code == 0) journal->close();
    if (driver && code == 0) remove_master_address(config.work_dir);
    on_end(code);
  }

  asio::io_context& io;
  MasterConfig config;
  std::function<void(int)> on_end;
  std::function<void()> on_ready;
  std::string http_address;
  std::unique_ptr<SqliteJournal> journal;  ///< of a single master
  std::unique_ptr<JournalCopier> copier;
  std::unique_ptr<Leadership> leadership;  ///< of one of several
  std::unique_ptr<ClusterCore> core;
  BadPeers bad_peers;
  Transport transport;
  std::unique_ptr<AsioDriver<ClusterCore>> driver;
  Duration wall_offset;  ///< added to this host's clock
  Lsn epoch_lsn = 0;
  bool ready = false;
  bool stopping = false;
  bool ending = false;
  bool ended = false;
  bool storage_low = false;
  asio::steady_timer storage_timer;
  asio::steady_timer stop_timer;
  std::uint64_t request_last = 0;
  std::map<std::uint64_t, OnSubmit> submissions;
  std::map<std::uint64_t, OnResult> results;
  std::map<std::uint64_t, OnSchedule> schedules;
  std::uint64_t token_last = 0;
  std::map<std::uint64_t, std::shared_ptr<OnJobChanged>> subscribers;
  std::map<std::uint64_t, std::shared_ptr<OnScheduleChanged>> schedule_subscribers;
};

MasterService::MasterService(asio::io_context& io, MasterConfig config,
                             std::function<void(int)> on_end)
    : impl_(std::make_unique<Impl>(io, std::move(config), std::move(on_end))) {}

MasterService::~MasterService() = default;

Result<void> MasterService::start(const std::string& http_address, std::function<void()> on_ready) {
  return impl_->start(http_address, std::move(on_ready));
}

void MasterService::stop() { impl_->stop(); }
bool MasterService::ready() const { return impl_->ready && impl_->leading(); }
std::string MasterService::leader_http() const {
  if (!impl_->leadership) return {};
  const std::optional<Member> leader = impl_->leadership->leader();
  return !leader || leader->http == impl_->http_address ? std::string() : leader->http;
}
const std::string& MasterService::http_address() const { return impl_->http_address; }
std::string MasterService::cluster_address() const { return impl_->cluster_address(); }
const batch::ClusterCore& MasterService::core() const { return *impl_->core; }
Now MasterService::now() const {
  Now now = read_clocks();
  now.wall = now.wall + impl_->wall_offset;
  return now;
}

void MasterService::submit(std::vector<batch::JobSpec> jobs, std::string idempotency_key,
                           bool dry_run, OnSubmit callback) {
  const std::uint64_t request = ++impl_->request_last;
  impl_->submissions.emplace(request, std::move(callback));
  impl_->post(batch::BatchEvent(
      batch::SubmitJobs{request, std::move(jobs), std::move(idempotency_key), dry_run}));
}

void MasterService::add_schedule(batch::AddSchedule wanted, OnSchedule callback) {
  wanted.request = ++impl_->request_last;
  impl_->schedules.emplace(wanted.request, std::move(callback));
  impl_->post(batch::BatchEvent(std::move(wanted)));
}

void MasterService::control_schedule(batch::ControlSchedule wanted, OnSchedule callback) {
  wanted.request = ++impl_->request_last;
  impl_->schedules.emplace(wanted.request, std::move(callback));
  impl_->post(batch::BatchEvent(std::move(wanted)));
}

void MasterService::control(batch::ControlJob wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(batch::BatchEvent(std::move(wanted)));
}

void MasterService::mark_agent_gone(AgentId agent, OnResult callback) {
  const std::uint64_t request = ++impl_->request_last;
  impl_->results.emplace(request, std::move(callback));
  impl_->post(MasterEvent(MarkAgentGone{request, agent}));
}

void MasterService::control_agent(ControlAgent wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(MasterEvent(std::move(wanted)));
}

void MasterService::set_maintenance(SetMaintenance wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(MasterEvent(std::move(wanted)));
}

void MasterService::set_role_weight(SetRoleWeight wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(MasterEvent(std::move(wanted)));
}

void MasterService::set_quota(SetQuota wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(MasterEvent(std::move(wanted)));
}

void MasterService::operate(OperateOnAgent wanted, OnResult callback) {
  wanted.request = ++impl_->request_last;
  impl_->results.emplace(wanted.request, std::move(callback));
  impl_->post(MasterEvent(std::move(wanted)));
}

void MasterService::backup(http::MasterBackend::OnBackup callback) {
  impl_->copier->start(std::move(callback));
}

std::uint64_t MasterService::subscribe(OnJobChanged callback) {
  const std::uint64_t token = ++impl_->token_last;
  impl_->subscribers.emplace(token, std::make_shared<OnJobChanged>(std::move(callback)));
  return token;
}

std::uint64_t MasterService::subscribe_schedules(OnScheduleChanged callback) {
  const std::uint64_t token = ++impl_->token_last;
  impl_->schedule_subscribers.emplace(token,
                                      std::make_shared<OnScheduleChanged>(std::move(callback)));
  return token;
}

void MasterService::unsubscribe(std::uint64_t token) {
  impl_->subscribers.erase(token);
  impl_->schedule_subscribers.erase(token);
}

std::string MasterService::agent_http_address(AgentId agent) const {
  const auto& agents = impl_->core->master().agents();
  const auto found = agents.find(agent);
  return found == agents.end() ? std::string() : found->second.record.http_address;
}

}  // namespace librm::daemon
