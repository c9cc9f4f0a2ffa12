// One value of every message and record, with every field set, for round trips and golden bytes.
#pragma once

#include <string>
#include <vector>

#include "librm/cluster/message.hpp"
#include "librm/cluster/record.hpp"
#include "librm/cluster/shepherd.hpp"

namespace librm::wire_examples {

inline Resources resources() {
  Resources all = Resources::parse("cpus:2.5;mem:1024;ports:[31000-31005,31010-31010]").value();
  all.add({.name = "disks",
           .reservations = reserved_for("prod"),
           .revocable = true,
           .value = StringSet{"sda", "sdb"}});
  return all;
}

inline Command command() {
  Command command;
  command.shell = false;
  command.value = "/bin/echo";
  command.arguments = {"one", "two words"};
  command.environment = {{"HOME", "/root"}, {"LANG", "C"}};
  command.working_directory = "/tmp";
  command.user = "nobody";
  command.fetch = {{"https://example.org/words.tar.gz", "data/words.tar.gz", false, true}};
  return command;
}

inline TaskInfo task_info() {
  TaskInfo info;
  info.id = "42.1.1";
  info.name = "count words";
  info.role = "eng/etl";
  info.resources = resources();
  info.command = command();
  info.executor = ExecutorInfo{"counter", command(), resources(), "executor data"};
  info.data = std::string("task\0data", 9);
  info.kill_grace = milliseconds(1500);
  info.time_limit = seconds(60);
  info.fence_after = seconds(90);
  info.release_by = WallTime{1'700'000'000'000'000'000};
  info.labels = {{"owner", "ann"}};
  return info;
}

inline StatusUpdate status_update() {
  StatusUpdate update;
  update.framework = {3};
  update.task = "42.1.1";
  update.agent = {17};
  update.state = TaskState::failed;
  update.reason = TaskReason::command_failed;
  update.source = UpdateSource::executor;
  update.message = "exit code 3";
  update.sequence = 2;
  update.exit_code = 3;
  update.signal = 9;
  update.started = WallTime{1'700'000'000'000'000'001};
  update.ended = WallTime{1'700'000'000'000'000'002};
  update.cpu_time = microseconds(1234);
  update.rss_max_bytes = 1 << 20;
  update.data = "data";
  return update;
}

inline FrameworkInfo framework_info() {
  return {"batch", "root", {"*", "eng"}, seconds(600), true, {parse_request("cpus:1").value()}};
}

inline Operation reserve() {
  return {OperationKind::reserve,
          Resources::parse("cpus:2;mem(eng):64").value(),
          {"eng/etl", true, "alice", {{"tier", "gold"}}},
          {}};
}
inline Operation create_volume() {
  return {OperationKind::create_volume,
          Resources::parse("disk(eng>+eng/etl):10").value(),
          {},
          {"db1", true, "alice"}};
}

inline Demand demand() {
  Demand demand;
  demand.id = {5};
  demand.role = "eng";
  demand.shape.amounts = {{"cpus", Amount::units(4)}, {"mem", Amount::units(512)}};
  demand.count_min = 2;
  demand.count_max = 8;
  demand.order = -1;
  demand.duration = seconds(3600);
  demand.preemptible = true;
  demand.useful_until = WallTime{1'800'000'000'000'000'000};
  demand.constraints = parse_constraints("rack == r7; @hostname unique").value();
  demand.same = "zone";
  demand.topology = "numa:1";
  return demand;
}

inline OfferInfo offer() {
  OfferInfo offer;
  offer.id = {8};
  offer.agent = {17};
  offer.incarnation = {99};
  offer.role = "eng";
  offer.hostname = "node1";
  offer.attributes = {{"rack", "r7"}};
  offer.resources = resources();
  offer.lease = seconds(30);
  offer.available_until = WallTime{1'900'000'000'000'000'000};
  offer.earmark = EarmarkId{6};
  offer.demand = {5};
  offer.together = 2;
  offer.lent = true;
  return offer;
}

/// In the order of their numbers.
inline std::vector<Message> messages() {
  return {
      RegisterAgent{{17},
                    {99},
                    "node1",
                    "127.0.0.1:5051",
                    resources(),
                    {{"rack", "r7"}},
                    4,
                    {TaskReport{{3}, task_info(), status_update(), seconds(3)}},
                    123'456'789,
                    "pack:1 core:2 pu:1"},
      AgentHeartbeat{11},
      StatusUpdates{{status_update(), status_update()}},
      AgentRegistered{{17}, 4, seconds(15), seconds(5)},
      AgentRefused{ErrorCode::stale, "removed"},
      HeartbeatAnswer{11},
      LaunchTasks{{3}, {99}, {task_info()}, WallTime{1}},
      KillTask{{3}, "42.1.1", {17}, seconds(2), TaskReason::agent_draining},
      AcknowledgeUpdates{{UpdateAck{{3}, "42.1.1", {17}, 2}}},
      ShutdownFramework{{3}},
      Subscribe{{3}, framework_info()},
      AcceptOffers{{{8}, {9}}, {task_info()}, seconds(5), {reserve(), create_volume()}},
      DeclineOffers{{{8}}, seconds(5), "nothing waits"},
      ReviveOffers{{"*", "eng"}},
      SuppressOffers{{"eng"}},
      ReconcileTasks{{TaskRef{"42.1.1", {17}}}},
      DeclareDemands{{demand()}},
      TeardownFramework{{3}},
      FrameworkHeartbeat{12},
      ExecutorMessage{{3}, {17}, "counter", "data", true},
      Subscribed{{3}, 4, seconds(5)},
      Offers{{offer()}},
      RescindOffers{{{8}, {9}}},
      AgentLost{{17}, true},
      FrameworkError{ErrorCode::not_found, "offer o-8", true},
      SubscribeExecutor{{3}, "counter", {status_update()}},
      ExecutorSubscribed{{17}},
      ExecutorLaunch{task_info()},
      ExecutorKill{"42.1.1", seconds(2)},
      ExecutorShutdown{seconds(3)},
      InverseOffers{
          {InverseOfferInfo{{5}, {17}, "node1", WallTime{1}, seconds(3600), "new kernel"}}},
      RescindInverseOffers{{{5}, {6}}},
      AcceptInverseOffers{{{5}}, seconds(600)},
      DeclineInverseOffers{{{6}}, seconds(600), "job 42 has no time limit"},
      AcceptTogether{
          {AcceptPart{{{8}}, {task_info()}, {reserve()}}, AcceptPart{{{9}, {10}}, {}, {}}},
          seconds(5)},
  };
}

inline TaskKey task_key() { return {{3}, "42.1.1"}; }

inline TaskEnd task_end() {
  return {task_key(),      true,           3, 9, "no such file", WallTime{1}, WallTime{2},
          microseconds(3), std::int64_t{4}};
}

inline std::vector<ShepherdMessage> shepherd_messages() {
  return {
      StartTasks{{TaskStart{task_key(), command(), "/var/lib/rm/runs/f-3/42.1.1", {2, 3}}}},
      SignalTask{task_key(), 15},
      ForgetTasks{{task_key()}},
      ShutdownShepherd{},
      ShepherdState{4711, {TaskProcess{task_key(), 4712, WallTime{1}}}, {task_end()}},
      TaskProgress{{TaskProcess{task_key(), 4712, WallTime{1}}}, {task_end()}},
      FenceTasks{{TaskFence{task_key(), Instant{7}}}},
      UpgradeShepherd{"/usr/lib/librm/rm-shepherd"},
  };
}

inline MaintenanceWindow window() {
  return {"kernel", WallTime{1}, seconds(3600), {{17}}, {"node1", "node2"}, "new kernel"};
}

inline std::vector<MasterRecord> master_records() {
  return {
      EpochRecord{4},
      AgentRecord{{17},
                  AgentStatus::unreachable,
                  {99},
                  "node1",
                  "127.0.0.1:5051",
                  resources(),
                  {{"rack", "r7"}},
                  "pack:1 core:2 pu:1"},
      FrameworkRecord{{3}, FrameworkStatus::completed, framework_info()},
      RoleRecord{"eng", 2500},
      MaintenanceRecord{7, {window()}},
      AgentServiceRecord{{17},
                         AgentService::draining,
                         Drain{DrainMode::requeue, seconds(5), WallTime{3}},
                         "new kernel",
                         WallTime{2}},
      ReservationsRecord{{17}, Resources::parse("cpus(+eng@al):2;disk(eng)[db&]:4").value()},
      QuotaRecord{"eng",
                  Quota{{{"cpus", Amount::units(4)}}, {{"cpus", Amount{8500}}, {"gpus", {}}}}},
  };
}

inline std::vector<AgentCoreRecord> agent_records() {
  return {
      AgentIdentityRecord{{17}, 4},
      TaskLedgerRecord{{3}, {99}, task_info(), status_update(), true, {2, 3}, Instant{5}},
  };
}

}  // namespace librm::wire_examples
