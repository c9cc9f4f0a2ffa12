// Bodies of messages as lines.
#include "librm/sim/describe.hpp"

#include <variant>

namespace librm::sim {

namespace {

template <class Id>
std::string ids(const std::vector<Id>& offers) {
  std::string text;
  for (const Id offer : offers) text += " " + to_string(offer);
  return text;
}

struct Describer {
  std::string operator()(const RegisterAgent& m) const {
    std::string text = "RegisterAgent " + to_string(m.agent) + " " + to_string(m.incarnation) +
                       " epoch " + std::to_string(m.epoch_highest);
    for (const TaskReport& report : m.tasks) text += " " + describe(report.latest);
    return text;
  }
  std::string operator()(const AgentHeartbeat& m) const {
    return "AgentHeartbeat " + std::to_string(m.sequence);
  }
  std::string operator()(const StatusUpdates& m) const {
    std::string text = "StatusUpdates";
    for (const StatusUpdate& update : m.updates) text += " " + describe(update);
    return text;
  }
  std::string operator()(const AgentRegistered& m) const {
    return "AgentRegistered " + to_string(m.agent) + " epoch " + std::to_string(m.epoch);
  }
  std::string operator()(const AgentRefused& m) const { return "AgentRefused: " + m.message; }
  std::string operator()(const HeartbeatAnswer& m) const {
    return "HeartbeatAnswer " + std::to_string(m.sequence);
  }
  std::string operator()(const LaunchTasks& m) const {
    std::string text = "LaunchTasks " + to_string(m.incarnation);
    for (const TaskInfo& task : m.tasks) text += " " + task.id;
    return text;
  }
  std::string operator()(const KillTask& m) const { return "KillTask " + m.task; }
  std::string operator()(const AcknowledgeUpdates& m) const {
    std::string text = "AcknowledgeUpdates";
    for (const UpdateAck& ack : m.acks) text += " " + ack.task + "#" + std::to_string(ack.sequence);
    return text;
  }
  std::string operator()(const ShutdownFramework& m) const {
    return "ShutdownFramework " + to_string(m.framework);
  }
  std::string operator()(const Subscribe& m) const { return "Subscribe " + to_string(m.framework); }
  std::string operator()(const AcceptOffers& m) const {
    std::string text = "AcceptOffers";
    for (OfferId offer : m.offers) text += " " + to_string(offer);
    for (const TaskInfo& task : m.tasks) text += " " + task.id;
    return text;
  }
  std::string operator()(const DeclineOffers& m) const {
    std::string text = "DeclineOffers";
    for (OfferId offer : m.offers) text += " " + to_string(offer);
    return text + ": " + m.reason;
  }
  std::string operator()(const ReconcileTasks& m) const {
    std::string text = "ReconcileTasks";
    for (const TaskRef& task : m.tasks) text += " " + task.task;
    return text;
  }
  std::string operator()(const Subscribed& m) const {
    return "Subscribed " + to_string(m.framework) + " epoch " + std::to_string(m.epoch);
  }
  std::string operator()(const Offers& m) const {
    std::string text = "Offers";
    for (const OfferInfo& offer : m.offers) {
      text += " " + to_string(offer.id) + "@" + to_string(offer.agent) + "(" +
              to_string(offer.resources) + ")";
    }
    return text;
  }
  std::string operator()(const RescindOffers& m) const {
    std::string text = "RescindOffers";
    for (OfferId offer : m.offers) text += " " + to_string(offer);
    return text;
  }
  std::string operator()(const InverseOffers& m) const {
    std::string text = "InverseOffers";
    for (const InverseOfferInfo& offer : m.offers) {
      text += " " + to_string(offer.id) + "@" + to_string(offer.agent);
    }
    return text;
  }
  std::string operator()(const RescindInverseOffers& m) const {
    return "RescindInverseOffers" + ids(m.offers);
  }
  std::string operator()(const AcceptInverseOffers& m) const {
    return "AcceptInverseOffers" + ids(m.offers);
  }
  std::string operator()(const DeclineInverseOffers& m) const {
    return "DeclineInverseOffers" + ids(m.offers) + ": " + m.reason;
  }
  std::string operator()(const AgentLost& m) const {
    return "AgentLost " + to_string(m.agent) + (m.gone ? " gone" : "");
  }
  std::string operator()(const FrameworkError& m) const {
    return "FrameworkError " + std::string(to_string(m.code)) + ": " + m.message;
  }
  std::string operator()(const ReviveOffers&) const { return "ReviveOffers"; }
  std::string operator()(const SuppressOffers&) const { return "SuppressOffers"; }
  std::string operator()(const DeclareDemands& m) const {
    std::string text = "DeclareDemands";
    for (const Demand& demand : m.demands) {
      text += " " + to_string(demand.id) + "(" + std::to_string(demand.count_min) + " x " +
              to_string(demand.shape) + ")";
    }
    return text;
  }
  std::string operator()(const AcceptTogether& m) const {
    std::string text = "AcceptTogether";
    for (const AcceptPart& part : m.parts) {
      text += " {" + ids(part.offers) + ":";
      for (const TaskInfo& task : part.tasks) text += " " + task.id;
      text += " }";
    }
    return text;
  }
  std::string operator()(const TeardownFramework&) const { return "TeardownFramework"; }
  std::string operator()(const FrameworkHeartbeat&) const { return "FrameworkHeartbeat"; }
  std::string operator()(const ExecutorMessage&) const { return "ExecutorMessage"; }
  std::string operator()(const SubscribeExecutor&) const { return "SubscribeExecutor"; }
  std::string operator()(const ExecutorSubscribed&) const { return "ExecutorSubscribed"; }
  std::string operator()(const ExecutorLaunch&) const { return "ExecutorLaunch"; }
  std::string operator()(const ExecutorKill&) const { return "ExecutorKill"; }
  std::string operator()(const ExecutorShutdown&) const { return "ExecutorShutdown"; }

  std::string operator()(const StartTasks& m) const {
    std::string text = "StartTasks";
    for (const TaskStart& start : m.starts) text += " " + start.key.task;
    return text;
  }
  std::string operator()(const SignalTask& m) const {
    return "SignalTask " + m.key.task + " " + std::to_string(m.signal);
  }
  std::string operator()(const ForgetTasks& m) const {
    std::string text = "ForgetTasks";
    for (const TaskKey& key : m.keys) text += " " + key.task;
    return text;
  }
  std::string operator()(const UpgradeShepherd& m) const { return "UpgradeShepherd " + m.program; }
  std::string operator()(const FenceTasks& m) const {
    std::string text = "FenceTasks";
    for (const TaskFence& fence : m.fences) {
      text += " " + fence.key.task + "@" + std::to_string(fence.at.ns / 1'000'000) + "ms";
    }
    return text;
  }
  std::string operator()(const ShutdownShepherd&) const { return "ShutdownShepherd"; }
  std::string operator()(const ShepherdState& m) const {
    return "ShepherdState" + processes(m.running) + ends(m.ended);
  }
  std::string operator()(const TaskProgress& m) const {
    return "TaskProgress" + processes(m.started) + ends(m.ended);
  }

  static std::string processes(const std::vector<TaskProcess>& list) {
    std::string text;
    for (const TaskProcess& process : list) text += " " + process.key.task + " runs";
    return text;
  }
  static std::string ends(const std::vector<TaskEnd>& list) {
    std::string text;
    for (const TaskEnd& end : list) {
      text += " " + end.key.task;
      if (!end.was_started) {
        text += " did not start";
      } else if (end.exit_code) {
        text += " exits " + std::to_string(*end.exit_code);
      } else {
        text += end.signal ? " by signal " + std::to_string(*end.signal) : " ended somehow";
      }
    }
    return text;
  }
};

}  // namespace

std::string describe(const Message& message) { return std::visit(Describer(), message); }

std::string describe(const ShepherdMessage& message) { return std::visit(Describer(), message); }

std::string describe(const StatusUpdate& update) {
  std::string text =
      update.task + "#" + std::to_string(update.sequence) + "=" + to_string(update.state);
  if (update.reason != TaskReason::none) text += std::string("(") + to_string(update.reason) + ")";
  return text;
}

}  // namespace librm::sim
