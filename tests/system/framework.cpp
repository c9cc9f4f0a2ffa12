// A framework for tests: reads what to do from stdin and prints what happens, one JSON a line.
//
//   {"launch": [{"id": "a", "command": "true", "fetch": [...], "executor": {...}, ...}]}
//   {"kill": "a", "grace_ms": 500}   {"message": "text", "executor": "e", "task": "a"}
//   {"teardown": true}   {"reconcile": true}
//
// With an id it is that framework, come back; `reconcile` asks what it runs.
#include <unistd.h>
#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <cstdio>
#include <istream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "librm/cluster/framework.hpp"
#include "librm/runtime/asio_ports.hpp"
#include "librm/runtime/asio_transport.hpp"
#include "librm/runtime/clock.hpp"

using namespace librm;
using Json = nlohmann::json;

namespace {

void print(const Json& line) {
  std::puts(line.dump(-1, ' ', false, Json::error_handler_t::replace).c_str());
  std::fflush(stdout);
}

Command command_of(const Json& json) {
  Command command;
  if (json.contains("argv")) {
    command.shell = false;
    command.value = json["argv"][0];
    for (std::size_t i = 1; i < json["argv"].size(); ++i) {
      command.arguments.push_back(json["argv"][i]);
    }
  } else {
    command.value = json.value("command", "true");
  }
  const Json environment = json.value("env", Json::object());
  for (const auto& [name, value] : environment.items()) {
    command.environment[name] = value;
  }
  command.working_directory = json.value("workdir", "");
  for (const Json& file : json.value("fetch", Json::array())) {
    command.fetch.push_back({file["uri"], file.value("output_file", ""),
                             file.value("extract", true), file.value("executable", false)});
  }
  return command;
}

TaskInfo task_of(const Json& json) {
  TaskInfo task;
  task.id = json["id"];
  task.name = json.value("name", task.id);
  task.resources = Resources::parse("cpus:0.1;mem:16").value();
  task.command = command_of(json);
  task.data = json.value("data", "");
  task.kill_grace = milliseconds(json.value("kill_grace_ms", 3000));
  if (json.contains("executor")) {
    ExecutorInfo executor;
    executor.id = json["executor"]["id"];
    executor.command = command_of(json["executor"]);
    task.executor = executor;
  }
  return task;
}

Json update_to_json(const StatusUpdate& update) {
  Json json = {{"task", update.task},
               {"state", to_string(update.state)},
               {"message", update.message},
               {"data", update.data},
               {"agent", to_string(update.agent)}};
  json["reason"] = update.reason == TaskReason::none ? "" : to_string(update.reason);
  json["exit_code"] = update.exit_code ? Json(*update.exit_code) : Json();
  json["signal"] = update.signal ? Json(*update.signal) : Json();
  return json;
}

class Framework {
 public:
  Framework(asio::io_context& io, std::string host, std::uint16_t port, FrameworkOptions options)
      : io_(io),
        host_(std::move(host)),
        port_(port),
        core_(std::move(options)),
        transport_(io, TransportOptions{}, callbacks()),
        timer_(io, [this] { step(Tick{}); }),
        input_(io, ::dup(STDIN_FILENO)) {}

  void start() {
    FrameworkActions actions;
    core_.start(read_clocks(), actions);
    perform(actions);
    read();
  }

 private:
  Transport::Callbacks callbacks() {
    Transport::Callbacks result;
    result.on_received = [this](ConnectionId connection, Message message) {
      step(Received{connection, std::move(message)});
    };
    result.on_closed = [this](ConnectionId connection, const std::string&) {
      step(Closed{connection});
    };
    return result;
  }

  void step(const FrameworkEvent& event) {
    FrameworkActions actions;
    core_.step(read_clocks(), event, actions);
    perform(actions);
  }

  void perform(const FrameworkActions& actions) {
    for (const FrameworkOutput& action : actions) {
      std::visit([this](const auto& output) { act(output); }, action);
    }
    timer_.wake_at(core_.next_deadline());
  }

  void act(const ConnectMaster&) {
    transport_.frames().connect_tcp(host_, port_, [this](const Result<ConnectionId>& opened) {
      if (opened) return step(MasterConnected{*opened});
      step(MasterUnavailable{opened.error().message});
    });
  }
  void act(const Send& send) { transport_.send(send.connection, send.message); }
  void act(const Close& close) { transport_.frames().close(close.connection, close.reason); }
  void act(const SessionOpened& opened) { print({{"subscribed", to_string(opened.framework)}}); }
  void act(const SessionLost&) { print({{"lost", "session"}}); }
  void act(const OfferReceived&) { launch(); }
  void act(const OfferEnded&) {}
  void act(const InverseOfferReceived& asked) {
    print({{"asked_to_leave", to_string(asked.offer.agent)}});
  }
  void act(const InverseOfferEnded&) {}
  void act(const UpdateReceived& received) {
    const StatusUpdate& update = received.update;
    agents_[update.task] = update.agent;
    print({{"update", update_to_json(update)}});
    if (update.sequence == 0) return;
    step(Call{AcknowledgeUpdates{
        {UpdateAck{update.framework, update.task, update.agent, update.sequence}}}});
  }
  void act(const AgentNews& news) { print({{"agent_lost", to_string(news.lost.agent)}}); }
  void act(const CallRefused& refused) { print({{"refused", refused.error.message}}); }
  void act(const MessageReceived& received) {
    print({{"message", received.message.data}, {"executor", received.message.executor}});
  }

  /// All that waits goes to one agent: tests are small.
  void launch() {
    if (waiting_.empty() || core_.offers().empty()) return;
    AcceptOffers accept;
    const AgentId agent = core_.offers().begin()->second.offer.agent;
    for (const auto& [id, offered] : core_.offers()) {
      if (offered.offer.agent == agent) accept.offers.push_back(id);
    }
    accept.tasks = std::exchange(waiting_, {});
    step(Call{std::move(accept)});
  }

  void read() {
    asio::async_read_until(input_, buffer_, '\n',
                           [this](const asio::error_code& error, std::size_t) {
                             if (error) return io_.stop();
                             std::istream stream(&buffer_);
                             std::string line;
                             std::getline(stream, line);
                             obey(Json::parse(line));
                             read();
                           });
  }

  void obey(const Json& order) {
    for (const Json& task : order.value("launch", Json::array())) {
      waiting_.push_back(task_of(task));
    }
    launch();
    if (order.contains("kill")) {
      KillTask kill{core_.framework(), order["kill"], agents_[order["kill"]], std::nullopt};
      if (order.contains("grace_ms")) kill.grace = milliseconds(order["grace_ms"]);
      step(Call{std::move(kill)});
    }
    if (order.contains("message")) {
      step(Call{ExecutorMessage{core_.framework(), agents_[order["task"]], order["executor"],
                                order["message"], false}});
    }
    if (order.contains("reconcile")) step(Call{ReconcileTasks{}});
    if (order.contains("teardown")) step(Call{TeardownFramework{core_.framework()}});
  }

  asio::io_context& io_;
  std::string host_;
  std::uint16_t port_;
  FrameworkCore core_;
  Transport transport_;
  DeadlineTimer timer_;
  asio::posix::stream_descriptor input_;
  asio::streambuf buffer_;
  std::vector<TaskInfo> waiting_;
  std::map<TaskId, AgentId> agents_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    std::fprintf(stderr, "usage: rm-test-framework HOST PORT [FAILOVER_TIMEOUT_S [ID]]\n");
    return 2;
  }
  FrameworkOptions options;
  options.info.name = "test";
  options.info.failover_timeout = seconds(argc > 3 ? std::stol(argv[3]) : 3600);
  if (argc > 4) options.framework = parse_id<FrameworkId>(argv[4]).value();
  asio::io_context io(1);
  Framework framework(io, argv[1], static_cast<std::uint16_t>(std::stoul(argv[2])),
                      std::move(options));
  framework.start();
  io.run();
  return 0;
}
