// A whole framework: accepts offers and runs five tasks, with a master in the same process.
//
// FrameworkCore keeps the session; what is written here is only what this scheduler decides. The
// master and the agent are the production cores, joined by plain function calls, so the example
// shows the whole path of a task without a socket. A framework that talks to a running cluster
// differs in one thing: its Send outputs go to a connection.
#include <cstdio>
#include <deque>
#include <set>
#include <string>

#include "librm/librm.hpp"

using namespace librm;

namespace {

constexpr ConnectionId to_master{2};
constexpr int tasks_wanted = 5;

class Hello {
 public:
  explicit Hello(FrameworkCore& core) : core_(core) {}

  /// Decides on what the session tells; what it asks for goes back through the session.
  void on(Now now, const FrameworkOutput& output, FrameworkActions& out) {
    if (const auto* offered = std::get_if<OfferReceived>(&output)) {
      AcceptOffers accept;
      accept.offers = {offered->offer.id};
      accept.refuse_for = seconds(1);
      Resources left = offered->offer.resources;
      const Request need = parse_request("cpus:1;mem:64").value();
      while (launched_ < tasks_wanted && !fits(need, left)) {
        TaskInfo task;
        task.id = "hello-" + std::to_string(++launched_);
        task.resources = select(need, left).value();
        task.command.value = "echo hello";
        left -= task.resources;
        accept.tasks.push_back(task);
      }
      core_.step(now, Call{accept}, out);
    } else if (const auto* heard = std::get_if<UpdateReceived>(&output)) {
      const StatusUpdate& update = heard->update;
      std::printf("%s is %s\n", update.task.c_str(), to_string(update.state));
      if (is_terminal(update.state)) ended_.insert(update.task);
      const UpdateAck ack{update.framework, update.task, update.agent, update.sequence};
      core_.step(now, Call{AcknowledgeUpdates{{ack}}}, out);
    }
  }
  bool done() const { return ended_.size() == tasks_wanted; }

 private:
  FrameworkCore& core_;
  int launched_ = 0;
  std::set<TaskId> ended_;
};

/// Answers a launch as an agent would, with the task's end.
StatusUpdates run(const LaunchTasks& launch) {
  StatusUpdates updates;
  for (const TaskInfo& task : launch.tasks) {
    StatusUpdate update;
    update.framework = launch.framework;
    update.task = task.id;
    update.state = TaskState::finished;
    update.sequence = 1;
    updates.updates.push_back(update);
  }
  return updates;
}

}  // namespace

int main() {
  const Now now{};
  constexpr ConnectionId to_agent{3};
  MasterCore master{MasterOptions{}};
  MasterActions actions;
  master.resume(now, actions);
  RegisterAgent agent;
  agent.hostname = "host";
  agent.total = Resources::parse("cpus:2;mem:256").value();
  master.step(now, Received{to_agent, agent}, actions);

  FrameworkOptions options;
  options.info.name = "hello";
  FrameworkCore session{options};
  Hello hello{session};
  FrameworkActions outputs;
  session.step(now, MasterConnected{to_master}, outputs);

  while (!hello.done()) {
    for (const FrameworkOutput& output : std::exchange(outputs, {})) {
      if (const auto* send = std::get_if<Send>(&output)) {
        master.step(now, Received{to_master, send->message}, actions);
      }
      hello.on(now, output, outputs);
    }
    master.flush(now, actions);
    const MasterActions caused = std::exchange(actions, {});
    for (const auto& item : caused.items()) {
      const auto* output = std::get_if<MasterOutput>(&item);
      const Send* send = output != nullptr ? std::get_if<Send>(output) : nullptr;
      if (send == nullptr) continue;
      if (send->connection == to_master) {
        session.step(now, Received{to_master, send->message}, outputs);
      } else if (std::holds_alternative<AgentRegistered>(send->message)) {
        // An agent is offered once its first heartbeat has shown that it knows its id.
        master.step(now, Received{to_agent, AgentHeartbeat{1}}, actions);
      } else if (const auto* launch = std::get_if<LaunchTasks>(&send->message)) {
        master.step(now, Received{to_agent, run(*launch)}, actions);
      }
    }
  }
}
