// Feeds ExecutorCore with what the socket and the program say, one event at a time.
#include "librm/runtime/executor_process.hpp"

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <optional>
#include <utility>

#include "librm/runtime/asio_ports.hpp"
#include "librm/runtime/asio_transport.hpp"
#include "librm/runtime/clock.hpp"

namespace librm {
namespace {

// The agent kills who takes longer; it has the last word and the ends of all tasks then.
constexpr std::chrono::seconds end_timeout{10};

ExecutorOptions options_of(const ExecutorEnvironment& environment) {
  ExecutorOptions options;
  options.framework = environment.framework;
  options.executor = environment.executor;
  return options;
}

}  // namespace

Result<ExecutorEnvironment> read_executor_environment() {
  ExecutorEnvironment environment;
  std::string framework;
  const std::pair<const char*, std::string*> variables[] = {
      {"RM_FRAMEWORK_ID", &framework},
      {"RM_EXECUTOR_ID", &environment.executor},
      {"RM_EXECUTOR_SOCKET", &environment.socket},
      {"RM_SANDBOX", &environment.sandbox}};
  for (const auto& [name, value] : variables) {
    const char* text = std::getenv(name);
    if (text == nullptr || *text == '\0') {
      return fail(ErrorCode::failed_precondition,
                  std::string(name) + " is not set: an executor is started by an agent");
    }
    *value = text;
  }
  const std::optional<FrameworkId> id = parse_id<FrameworkId>(framework);
  if (!id) {
    return fail(ErrorCode::failed_precondition, "RM_FRAMEWORK_ID is '" + framework + "', no id");
  }
  environment.framework = *id;
  return environment;
}

struct ExecutorProcess::State : std::enable_shared_from_this<ExecutorProcess::State> {
  State(asio::io_context& context, const ExecutorEnvironment& environment, Callbacks c)
      : socket(environment.socket),
        callbacks(std::move(c)),
        core(options_of(environment)),
        transport(context, TransportOptions{}, transport_callbacks()),
        timer(context, [this] { post(Tick{}); }),
        end_timer(context) {}

  Transport::Callbacks transport_callbacks() {
    Transport::Callbacks result;
    result.on_received = [this](ConnectionId connection, Message message) {
      post(Received{connection, std::move(message)});
    };
    result.on_closed = [this](ConnectionId connection, const std::string&) {
      post(Closed{connection});
    };
    return result;
  }

  void start() {
    ExecutorActions actions;
    core.start(read_clocks(), actions);
    perform(actions);
    timer.wake_at(core.next_deadline());
  }

  /// What a callback asks for comes after what caused the callback.
  void post(ExecutorEvent event) {
    events.push_back(std::move(event));
    if (std::exchange(stepping, true)) return;
    const auto alive = shared_from_this();
    while (!events.empty() && !ended) {
      const ExecutorEvent next = std::move(events.front());
      events.pop_front();
      ExecutorActions actions;
      core.step(read_clocks(), next, actions);
      perform(actions);
    }
    stepping = false;
    if (ended) return;
    timer.wake_at(core.next_deadline());
    end_if_settled();
  }

  void perform(ExecutorActions& actions) {
    for (ExecutorOutput& action : actions) {
      std::visit([this](auto& output) { act(output); }, action);
    }
  }

  void act(const ConnectAgent&) {
    transport.frames().connect_unix(socket, [this](const Result<ConnectionId>& opened) {
      if (opened) return post(AgentConnected{*opened});
      post(Closed{});
    });
  }
  void act(const Send& send) { transport.send(send.connection, send.message); }
  void act(const RunTask& run) { callbacks.on_run(run.task); }
  void act(const StopTask& stop) { callbacks.on_stop(stop.task, stop.grace); }
  void act(const FrameworkData& message) {
    if (callbacks.on_message) callbacks.on_message(message.data);
  }
  void act(const StopExecutor& stop) {
    if (stop_reason) return;
    stop_reason = stop.reason;
    end_timer.expires_after(end_timeout);
    end_timer.async_wait([this](const asio::error_code& error) {
      if (!error) end();
    });
  }

  void end_if_settled() {
    if (!stop_reason || core.unacknowledged() > 0) return;
    for (const auto& [id, task_state] : core.tasks()) {
      if (!is_terminal(task_state)) return;
    }
    end();
  }

  void end() {
    if (std::exchange(ended, true)) return;
    end_timer.cancel();
    const auto alive = shared_from_this();  // the program may drop its ExecutorProcess now
    callbacks.on_end(*stop_reason);
  }

  const std::string socket;
  Callbacks callbacks;
  ExecutorCore core;
  Transport transport;
  DeadlineTimer timer;
  asio::steady_timer end_timer;
  std::deque<ExecutorEvent> events;
  std::optional<std::string> stop_reason;
  bool stepping = false;
  bool ended = false;
};

ExecutorProcess::ExecutorProcess(asio::io_context& io, const ExecutorEnvironment& environment,
                                 Callbacks callbacks)
    : state_(std::make_shared<State>(io, environment, std::move(callbacks))) {}

ExecutorProcess::~ExecutorProcess() = default;

void ExecutorProcess::start() { state_->start(); }
void ExecutorProcess::report(ReportTask report) { state_->post(std::move(report)); }
void ExecutorProcess::send(std::string data) { state_->post(SendToFramework{std::move(data)}); }

}  // namespace librm
