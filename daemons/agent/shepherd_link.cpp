// Connecting to the shepherd, starting it, and losing it.
#include "agent/shepherd_link.hpp"

#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "common/log.hpp"
#include "common/text.hpp"
#include "librm/runtime/asio_transport.hpp"
#include "librm/runtime/clock.hpp"
#include "librm/runtime/process.hpp"

namespace librm::daemon {
namespace {

// A shepherd that starts listens within milliseconds.
constexpr std::chrono::milliseconds connect_retry_after{5};

}  // namespace

struct ShepherdLink::State {
  State(asio::io_context& context, Options o, Callbacks c)
      : io(context),
        options(std::move(o)),
        callbacks(std::move(c)),
        transport(context, TransportOptions{}, transport_callbacks()),
        timer(context),
        restart_after(options.restart_min) {}

  ShepherdTransport::Callbacks transport_callbacks() {
    ShepherdTransport::Callbacks result;
    result.on_received = [this](ConnectionId, ShepherdMessage message) {
      greeted = true;
      restart_after = options.restart_min;
      callbacks.on_message(std::move(message));
    };
    result.on_closed = [this](ConnectionId, const std::string& reason) { on_closed(reason); };
    result.on_bad_peer = [](const std::string& peer, const std::string& reason) {
      log(LogLevel::warn, reason, {{"peer", peer}});
    };
    return result;
  }

  void connect() {
    if (std::exchange(connecting, true)) return;
    transport.frames().connect_unix(options.work_dir + "/shepherd.sock",
                                    [this](const Result<ConnectionId>& opened) {
                                      connecting = false;
                                      if (opened) return on_connected(*opened);
                                      on_nobody(opened.error().message);
                                    });
  }

  void on_connected(ConnectionId id) {
    connection = id;
    greeted = false;
    log(LogLevel::info, "connected to the shepherd", {{"socket", transport.frames().peer(id)}});
    if (done) return transport.send(id, ShutdownShepherd{});
    // One that an older agent started; it says nothing where it is this program already.
    transport.send(id, UpgradeShepherd{options.program});
  }

  void on_nobody(const std::string& reason) {
    if (done) return finish(true);
    const Instant now = read_clocks().mono;
    if (!child && now >= start_at) return start_shepherd();
    if (child && now - started >= options.start_timeout) {
      log(LogLevel::error, "the shepherd does not listen", {{"error", reason}});
      child->signal(9);
    }
    retry(connect_retry_after);
  }

  void start_shepherd() {
    ProcessSpec spec;
    spec.program = options.program;
    spec.arguments = {"--work-dir", options.work_dir, "--log", "--fetch-bytes-max",
                      std::to_string(options.fetch_bytes_max)};
    if (options.ends_with_us) {
      spec.arguments.insert(spec.arguments.end(), {"--end-with", std::to_string(::getpid())});
    }
    spec.own_session = true;
    spec.log_file = options.work_dir + "/shepherd.log";
    Result<pid_t> pid = start_process(spec);
    if (!pid) {
      log(LogLevel::error, "cannot start the shepherd", {{"error", pid.error().message}});
      return back_off();
    }
    started = read_clocks().mono;
    log(LogLevel::info, "started a shepherd", {{"pid", std::to_string(*pid)}});
    child = std::make_unique<ProcessWatch>(io, *pid, [this](ProcessExit exit) { on_exit(exit); });
    retry(connect_retry_after);
  }

  void on_exit(const ProcessExit& exit) {
    log(done ? LogLevel::info : LogLevel::error, "the shepherd has ended",
        {{"exit_code", exit.exit_code ? std::to_string(*exit.exit_code) : "none"},
         {"signal", std::to_string(exit.signal)},
         {"log", options.work_dir + "/shepherd.log"}});
    // Not within the watch's own callback.
    gone_child = std::move(child);
    start_at = read_clocks().mono + restart_after;
    restart_after = std::min(restart_after * 2, options.restart_max);
    if (done && !connection) finish(true);
  }

  void on_closed(const std::string& reason) {
    connection.reset();
    started = read_clocks().mono;  // it has the usual time to listen again
    log(done ? LogLevel::info : LogLevel::warn, "lost the shepherd", {{"reason", reason}});
    if (greeted) callbacks.on_lost();
    greeted = false;
    if (done && !child) return finish(true);
    if (!done) retry(connect_retry_after);
  }

  void back_off() {
    start_at = read_clocks().mono + restart_after;
    retry(std::chrono::nanoseconds(restart_after.ns));
    restart_after = std::min(restart_after * 2, options.restart_max);
  }

  void retry(std::chrono::nanoseconds after) {
    if (done) return;
    timer.expires_after(after);
    timer.async_wait([this](const asio::error_code& error) {
      if (!error) connect();
    });
  }

  void shut_down(Duration timeout, std::function<void(bool)> callback) {
    done = std::move(callback);
    timer.expires_after(std::chrono::nanoseconds(timeout.ns));
    timer.async_wait([this](const asio::error_code& error) {
      if (!error) finish(false);
    });
    if (connection) {
      transport.send(*connection, ShutdownShepherd{});
    } else {
      connect();
    }
  }

  void finish(bool gone) {
    timer.cancel();
    if (auto callback = std::exchange(done, nullptr)) callback(gone);
  }

  asio::io_context& io;
  Options options;
  Callbacks callbacks;
  ShepherdTransport transport;
  asio::steady_timer timer;
  std::optional<ConnectionId> connection;
  bool connecting = false;
  bool greeted = false;  // its first message has come
  std::unique_ptr<ProcessWatch> child;
  std::unique_ptr<ProcessWatch> gone_child;
  Instant started;   // or left us
  Instant start_at;  // not before
  Duration restart_after;
  std::function<void(bool)> done;  // set while it is being shut down
};

ShepherdLink::ShepherdLink(asio::io_context& io, Options options, Callbacks callbacks)
    : state_(std::make_unique<State>(io, std::move(options), std::move(callbacks))) {}

ShepherdLink::~ShepherdLink() = default;

void ShepherdLink::start() { state_->connect(); }

void ShepherdLink::send(const ShepherdMessage& message) {
  if (state_->connection) state_->transport.send(*state_->connection, message);
}

void ShepherdLink::shut_down(Duration timeout, std::function<void(bool)> done) {
  state_->shut_down(timeout, std::move(done));
}

}  // namespace librm::daemon
