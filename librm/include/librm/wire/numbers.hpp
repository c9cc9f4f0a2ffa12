// The registry: which number each message and record has on the wire and on disk.
#pragma once

#include "librm/cluster/message.hpp"
#include "librm/cluster/record.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/wire/codec.hpp"

// Append only. A number is never changed and never used again; what is removed leaves its line as
// a comment. A new trailing field raises the version; see WireNumbers for the oldest reader.

namespace librm {

#define LIBRM_WIRE_NUMBER(Type, ...)                   \
  template <>                                          \
  struct WireNumber<Type> : WireNumbers<__VA_ARGS__> { \
    static constexpr const char* name = #Type;         \
  }

// Messages between agents, masters, frameworks and executors.
LIBRM_WIRE_NUMBER(RegisterAgent, 1, 2);  // 2: release_in of a report
LIBRM_WIRE_NUMBER(AgentHeartbeat, 2);
LIBRM_WIRE_NUMBER(StatusUpdates, 3);
LIBRM_WIRE_NUMBER(AgentRegistered, 4);
LIBRM_WIRE_NUMBER(AgentRefused, 5);
LIBRM_WIRE_NUMBER(HeartbeatAnswer, 6);
LIBRM_WIRE_NUMBER(LaunchTasks, 7, 2);  // 2: sent
LIBRM_WIRE_NUMBER(KillTask, 8, 2);     // 2: reason
LIBRM_WIRE_NUMBER(AcknowledgeUpdates, 9);
LIBRM_WIRE_NUMBER(ShutdownFramework, 10);
LIBRM_WIRE_NUMBER(Subscribe, 11, 2);     // 2: revocable and min_allocatable of the info
LIBRM_WIRE_NUMBER(AcceptOffers, 12, 2);  // 2: operations
LIBRM_WIRE_NUMBER(DeclineOffers, 13);
LIBRM_WIRE_NUMBER(ReviveOffers, 14);
LIBRM_WIRE_NUMBER(SuppressOffers, 15);
LIBRM_WIRE_NUMBER(ReconcileTasks, 16);
LIBRM_WIRE_NUMBER(DeclareDemands, 17);
LIBRM_WIRE_NUMBER(TeardownFramework, 18);
LIBRM_WIRE_NUMBER(FrameworkHeartbeat, 19);
LIBRM_WIRE_NUMBER(ExecutorMessage, 20);
LIBRM_WIRE_NUMBER(Subscribed, 21);
LIBRM_WIRE_NUMBER(Offers, 22, 2);  // 2: demand, together and lent of an offer
LIBRM_WIRE_NUMBER(RescindOffers, 23);
LIBRM_WIRE_NUMBER(AgentLost, 24);
LIBRM_WIRE_NUMBER(FrameworkError, 25);
LIBRM_WIRE_NUMBER(SubscribeExecutor, 26);
LIBRM_WIRE_NUMBER(ExecutorSubscribed, 27);
LIBRM_WIRE_NUMBER(ExecutorLaunch, 28);
LIBRM_WIRE_NUMBER(ExecutorKill, 29);
LIBRM_WIRE_NUMBER(ExecutorShutdown, 30);
LIBRM_WIRE_NUMBER(InverseOffers, 31);
LIBRM_WIRE_NUMBER(RescindInverseOffers, 32);
LIBRM_WIRE_NUMBER(AcceptInverseOffers, 33);
LIBRM_WIRE_NUMBER(DeclineInverseOffers, 34);
LIBRM_WIRE_NUMBER(AcceptTogether, 35);

// Messages between an agent and its shepherd.
LIBRM_WIRE_NUMBER(StartTasks, 1001);
LIBRM_WIRE_NUMBER(SignalTask, 1002);
LIBRM_WIRE_NUMBER(ForgetTasks, 1003);
LIBRM_WIRE_NUMBER(ShutdownShepherd, 1004);
LIBRM_WIRE_NUMBER(ShepherdState, 1005);
LIBRM_WIRE_NUMBER(TaskProgress, 1006);
LIBRM_WIRE_NUMBER(FenceTasks, 1007);
LIBRM_WIRE_NUMBER(UpgradeShepherd, 1008);

// Records of the master's stream.
LIBRM_WIRE_NUMBER(EpochRecord, 1);
LIBRM_WIRE_NUMBER(AgentRecord, 2);
LIBRM_WIRE_NUMBER(FrameworkRecord, 3, 2);  // 2: revocable and min_allocatable of the info
LIBRM_WIRE_NUMBER(RoleRecord, 4);
LIBRM_WIRE_NUMBER(MaintenanceRecord, 5);
LIBRM_WIRE_NUMBER(AgentServiceRecord, 6);
LIBRM_WIRE_NUMBER(QuotaRecord, 7);
LIBRM_WIRE_NUMBER(ReservationsRecord, 8);

// Records of the agent's stream.
LIBRM_WIRE_NUMBER(AgentIdentityRecord, 1);
LIBRM_WIRE_NUMBER(TaskLedgerRecord, 2, 2);  // 2: release_at

#undef LIBRM_WIRE_NUMBER

}  // namespace librm
