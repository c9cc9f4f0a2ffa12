// Prints messages, records and actions in one line each, so that a test reads as a transcript.
#pragma once

#include <string>

#include "librm/cluster/agent.hpp"
#include "librm/cluster/executor.hpp"
#include "librm/cluster/framework.hpp"
#include "librm/cluster/master.hpp"

namespace librm::test {

inline std::string describe(const StatusUpdate& u) {
  std::string text = u.task + " " + to_string(u.state);
  if (u.reason != TaskReason::none) text += " (" + std::string(to_string(u.reason)) + ")";
  if (u.sequence != 0) text += " #" + std::to_string(u.sequence);
  if (u.exit_code) text += " exit " + std::to_string(*u.exit_code);
  return text;
}

template <class Range, class Print>
std::string join(const Range& range, Print print) {
  std::string text;
  for (const auto& item : range) text += (text.empty() ? "" : ", ") + print(item);
  return text;
}

struct Describe {
  std::string operator()(const RegisterAgent& m) const {
    const auto report = [](const TaskReport& r) { return describe(r.latest); };
    return "RegisterAgent " + to_string(m.agent) + " [" + join(m.tasks, report) + "]";
  }
  std::string operator()(const AgentHeartbeat& m) const {
    return "AgentHeartbeat " + std::to_string(m.sequence);
  }
  std::string operator()(const StatusUpdates& m) const {
    return "StatusUpdates [" + join(m.updates, [](const StatusUpdate& u) { return describe(u); }) +
           "]";
  }
  std::string operator()(const AgentRegistered& m) const {
    return "AgentRegistered " + to_string(m.agent) + " epoch " + std::to_string(m.epoch);
  }
  std::string operator()(const AgentRefused& m) const { return "AgentRefused " + m.message; }
  std::string operator()(const HeartbeatAnswer& m) const {
    return "HeartbeatAnswer " + std::to_string(m.sequence);
  }
  std::string operator()(const LaunchTasks& m) const {
    return "LaunchTasks " + to_string(m.incarnation) + " [" +
           join(m.tasks, [](const TaskInfo& t) { return t.id; }) + "]";
  }
  std::string operator()(const KillTask& m) const {
    const std::string text = "KillTask " + m.task;
    if (m.reason == TaskReason::killed_by_framework) return text;
    return text + " grace " + std::to_string(to_ms(m.grace.value_or(Duration{})) / 1000) + " (" +
           to_string(m.reason) + ")";
  }
  std::string operator()(const AcknowledgeUpdates& m) const {
    return "AcknowledgeUpdates [" +
           join(m.acks,
                [](const UpdateAck& a) { return a.task + " #" + std::to_string(a.sequence); }) +
           "]";
  }
  std::string operator()(const ShutdownFramework& m) const {
    return "ShutdownFramework " + to_string(m.framework);
  }
  std::string operator()(const Subscribe& m) const { return "Subscribe " + to_string(m.framework); }
  std::string operator()(const Subscribed& m) const {
    return "Subscribed " + to_string(m.framework) + " epoch " + std::to_string(m.epoch);
  }
  std::string operator()(const Offers& m) const {
    return "Offers [" +
           join(m.offers,
                [](const OfferInfo& o) {
                  return to_string(o.agent) + " " + to_string(o.resources);
                }) +
           "]";
  }
  std::string operator()(const RescindOffers& m) const {
    return "RescindOffers " + std::to_string(m.offers.size());
  }
  std::string operator()(const InverseOffers& m) const {
    return "InverseOffers [" +
           join(m.offers,
                [](const InverseOfferInfo& o) {
                  return to_string(o.agent) + " at " + std::to_string(o.start.ns / 1'000'000'000);
                }) +
           "]";
  }
  std::string operator()(const RescindInverseOffers& m) const {
    return "RescindInverseOffers " + std::to_string(m.offers.size());
  }
  std::string operator()(const AgentLost& m) const {
    return "AgentLost " + to_string(m.agent) + (m.gone ? " gone" : "");
  }
  std::string operator()(const FrameworkError& m) const {
    return std::string(m.fatal ? "fatal " : "") + "FrameworkError " + m.message;
  }
  std::string operator()(const ReconcileTasks& m) const {
    return "ReconcileTasks [" + join(m.tasks, [](const TaskRef& t) { return t.task; }) + "]";
  }
  std::string operator()(const DeclareDemands& m) const {
    return "DeclareDemands [" +
           join(m.demands, [](const Demand& demand) { return to_string(demand.id); }) + "]";
  }
  template <class Other>
  std::string operator()(const Other&) const {
    return "other message";
  }

  // Records.
  std::string operator()(const EpochRecord& r) const { return "Epoch " + std::to_string(r.epoch); }
  std::string operator()(const AgentRecord& r) const {
    static constexpr const char* names[] = {"", "admitted", "unreachable", "gone"};
    return "Agent " + to_string(r.agent) + " " + names[static_cast<int>(r.status)];
  }
  std::string operator()(const FrameworkRecord& r) const {
    return "Framework " + to_string(r.framework) +
           (r.status == FrameworkStatus::active ? " active" : " completed");
  }
  std::string operator()(const RoleRecord& r) const { return "Role " + r.role; }
  std::string operator()(const ReservationsRecord& r) const {
    return "Reservations " + to_string(r.agent) + " " + to_string(r.made);
  }
  std::string operator()(const QuotaRecord& r) const {
    return "Quota " + r.role + (r.quota ? "" : " removed");
  }
  std::string operator()(const MaintenanceRecord& r) const {
    return "Maintenance " + std::to_string(r.revision) + " [" +
           join(r.windows, [](const MaintenanceWindow& w) { return w.name; }) + "]";
  }
  std::string operator()(const AgentServiceRecord& r) const {
    return "Service " + to_string(r.agent) + " " + to_string(r.service);
  }
  std::string operator()(const AgentIdentityRecord& r) const {
    return "Identity " + to_string(r.agent) + " epoch " + std::to_string(r.epoch_highest);
  }
  std::string operator()(const TaskLedgerRecord& r) const {
    return r.acknowledged ? "Ledger " + r.info.id + " acknowledged"
                          : "Ledger " + describe(r.latest);
  }

  // Outputs.
  std::string operator()(const Send& o) const {
    return "-> " + to_string(o.connection) + " " + std::visit(*this, o.message);
  }
  std::string operator()(const Close& o) const {
    return "close " + to_string(o.connection) + ": " + o.reason;
  }
  std::string operator()(const Reply& o) const {
    return o.result ? "reply ok" : "reply " + o.result.error().message;
  }
  std::string operator()(const ConnectMaster&) const { return "connect"; }
  std::string operator()(const StopAgent& o) const { return "stop: " + o.error.message; }
  std::string operator()(const ToShepherd& o) const {
    if (const auto* s = std::get_if<StartTasks>(&o.message)) {
      return "shepherd: start " + join(s->starts, [](const TaskStart& t) { return t.key.task; });
    }
    if (const auto* s = std::get_if<SignalTask>(&o.message)) {
      return "shepherd: signal " + s->key.task + " " + std::to_string(s->signal);
    }
    if (const auto* s = std::get_if<FenceTasks>(&o.message)) {
      return "shepherd: fence " + join(s->fences, [](const TaskFence& fence) {
               return fence.key.task + " at " + std::to_string(fence.at.ns / 1'000'000'000) + " s";
             });
    }
    if (const auto* s = std::get_if<ForgetTasks>(&o.message)) {
      return "shepherd: forget " + join(s->keys, [](const TaskKey& k) { return k.task; });
    }
    return "shepherd: other";
  }
  std::string operator()(const ToExecutor& o) const {
    if (const auto* launch = std::get_if<ExecutorLaunch>(&o.message)) {
      return "executor: launch " + launch->task.id;
    }
    if (std::holds_alternative<ExecutorSubscribed>(o.message)) return "executor: subscribed";
    return "executor: " + std::visit(*this, o.message);
  }
};

/// One line per action, records first marked with `!`, in the order in which they take effect.
template <class Actions>
std::string describe_all(const Actions& actions) {
  std::string text;
  for (const auto& item : actions.items()) {
    text += item.index() == 0 ? "! " + std::visit(Describe{}, std::get<0>(item))
                              : std::visit(Describe{}, std::get<1>(item));
    text += '\n';
  }
  return text;
}

inline TaskInfo task_info(const TaskId& id, const char* resources = "cpus:1;mem:100") {
  TaskInfo info;
  info.id = id;
  info.name = id;
  info.resources = Resources::parse(resources).value();
  info.command.value = "true";
  return info;
}

}  // namespace librm::test
