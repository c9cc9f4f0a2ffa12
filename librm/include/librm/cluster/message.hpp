// Everything that agents, frameworks, executors and the master say to each other.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/alloc/demand.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/task.hpp"
#include "librm/resource/attributes.hpp"
#include "librm/resource/operation.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/resources.hpp"

// To add a message: a struct here, its place in Message, its number and fields in
// wire/message.hpp, its golden bytes in tests/unit/wire, its handlers in the cores.

namespace librm {

// --- agent to master ---

/// What an agent knows of one task that it has not yet reported for good.
struct TaskReport {
  FrameworkId framework;
  TaskInfo info;
  StatusUpdate latest;
  std::optional<Duration> release_in{};  ///< of a task with a release_by: so much time is left
  bool operator==(const TaskReport&) const = default;
};

/// An agent that sends more is refused.
inline constexpr std::size_t topology_bytes_max = 64 << 10;

/// Opens a session, on a new connection, after every start, disconnect or change of leader.
struct RegisterAgent {
  AgentId agent;  ///< none for the first time
  Incarnation incarnation;
  std::string hostname;
  std::string http_address;  ///< `127.0.0.1:5051`, where sandboxes are read
  Resources total;
  Attributes attributes;
  Epoch epoch_highest = 0;        ///< the highest that it has obeyed
  std::vector<TaskReport> tasks;  ///< live ones, and ended ones whose update is unacknowledged
  /// Grows with each session that this incarnation opens: the boot time of its opening, in ns. A
  /// registration that was held up on an older connection must not replace a newer one's report.
  std::uint64_t session = 0;
  /// Of the host, in hwloc's synthetic form, at most topology_bytes_max; empty: unknown.
  std::string topology;
  bool operator==(const RegisterAgent&) const = default;
};

/// Asks for the lease to be extended; the agent counts it from when this was sent.
struct AgentHeartbeat {
  std::uint64_t sequence = 0;
  bool operator==(const AgentHeartbeat&) const = default;
};

/// Task updates in the order in which they happened, many in one frame.
struct StatusUpdates {
  std::vector<StatusUpdate> updates;
  bool operator==(const StatusUpdates&) const = default;
};

// --- master to agent ---

struct AgentRegistered {
  AgentId agent;
  Epoch epoch = 0;
  Duration lease;  ///< from the sending of RegisterAgent
  Duration heartbeat_interval;
  bool operator==(const AgentRegistered&) const = default;
};

/// With code `unavailable` the agent is out of service for now: it asks again after a while. Else
/// it stops: its id is gone for good, or this master may not take it.
struct AgentRefused {
  ErrorCode code = ErrorCode::failed_precondition;
  std::string message;
  bool operator==(const AgentRefused&) const = default;
};

struct HeartbeatAnswer {
  std::uint64_t sequence = 0;  ///< of the heartbeat that it answers
  bool operator==(const HeartbeatAnswer&) const = default;
};

struct LaunchTasks {
  FrameworkId framework;
  Incarnation incarnation;  ///< for which alone the launch is valid
  std::vector<TaskInfo> tasks;
  WallTime sent{};  ///< the master's clock at the sending, which their release_by go by; 0: unknown
  bool operator==(const LaunchTasks&) const = default;
};

/// Also from framework to master, which passes it on.
struct KillTask {
  FrameworkId framework;
  TaskId task;
  AgentId agent;                  ///< where the framework believes it to be; none if unknown
  std::optional<Duration> grace;  ///< instead of the task's own
  TaskReason reason = TaskReason::killed_by_framework;  ///< of its end; a framework has no choice
  bool operator==(const KillTask&) const = default;
};

struct UpdateAck {
  FrameworkId framework;
  TaskId task;
  AgentId agent;
  std::uint64_t sequence = 0;
  bool operator==(const UpdateAck&) const = default;
};

/// Framework to master to agent: these updates need not be sent again.
struct AcknowledgeUpdates {
  std::vector<UpdateAck> acks;
  bool operator==(const AcknowledgeUpdates&) const = default;
};

/// The framework has ended: its tasks and executors on this agent are killed.
struct ShutdownFramework {
  FrameworkId framework;
  bool operator==(const ShutdownFramework&) const = default;
};

// --- framework to master ---

inline constexpr std::size_t min_allocatable_max = 64;

struct FrameworkInfo {
  std::string name;
  std::string user;
  std::set<std::string> roles = {std::string(any_role)};
  Duration failover_timeout;  ///< how long its tasks survive its absence; 0: not at all
  bool revocable = false;     ///< it wants revocable resources, too
  /// An offer contains one of these at least; empty: as the master says. At most
  /// min_allocatable_max.
  std::vector<Request> min_allocatable{};
  bool operator==(const FrameworkInfo&) const = default;
};

/// Opens a session. With an id it takes over from an earlier session of the same framework.
struct Subscribe {
  FrameworkId framework;  ///< none for the first time
  FrameworkInfo info;
  bool operator==(const Subscribe&) const = default;
};

inline constexpr std::size_t operations_max = 64;

/// Launches on accepted offers, all or nothing. What of the offers is left comes back.
struct AcceptOffers {
  std::vector<OfferId> offers;  ///< of one agent and role
  std::vector<TaskInfo> tasks;
  Duration refuse_for;  ///< filter for what is left
  /// Done in this order with what is offered, before the tasks take theirs of it; for the offers'
  /// role or one below it. At most operations_max.
  std::vector<Operation> operations{};
  bool operator==(const AcceptOffers&) const = default;
};

/// What is done with the offers of one agent, as in AcceptOffers.
struct AcceptPart {
  std::vector<OfferId> offers;  ///< of one agent and role
  std::vector<TaskInfo> tasks;
  std::vector<Operation> operations{};
  bool operator==(const AcceptPart&) const = default;
};

/// Accepts on several agents, all or nothing: the only way to accept the offers of a gang.
struct AcceptTogether {
  std::vector<AcceptPart> parts;
  Duration refuse_for;  ///< filter for what is left
  bool operator==(const AcceptTogether&) const = default;
};

struct DeclineOffers {
  std::vector<OfferId> offers;
  Duration refuse_for;
  std::string reason;  ///< shown by explain
  bool operator==(const DeclineOffers&) const = default;
};

/// Offers again, filters forgotten; all of its roles where empty.
struct ReviveOffers {
  std::set<std::string> roles;
  bool operator==(const ReviveOffers&) const = default;
};

struct SuppressOffers {
  std::set<std::string> roles;
  bool operator==(const SuppressOffers&) const = default;
};

/// The framework will leave the agents before their windows begin. A promise to people: nothing is
/// enforced, and the tasks are the framework's to end.
struct AcceptInverseOffers {
  std::vector<InverseOfferId> offers;
  Duration refuse_for;  ///< not asked again before; at least MasterOptions::inverse_offer_interval
  bool operator==(const AcceptInverseOffers&) const = default;
};

struct DeclineInverseOffers {
  std::vector<InverseOfferId> offers;
  Duration refuse_for;
  std::string reason;  ///< shown to operators; its first 255 bytes
  bool operator==(const DeclineInverseOffers&) const = default;
};

struct TaskRef {
  TaskId task;
  AgentId agent;  ///< where the framework believes it to be; none if unknown
  bool operator==(const TaskRef&) const = default;
};

/// Asks for the latest state of these tasks, or of all that the master knows where empty. No
/// answer comes while a task's agent may still return and say.
struct ReconcileTasks {
  std::vector<TaskRef> tasks;
  bool operator==(const ReconcileTasks&) const = default;
};

/// Replaces the framework's demands. They are of the session, as offers are: a new one has none.
struct DeclareDemands {
  std::vector<Demand> demands;
  bool operator==(const DeclareDemands&) const = default;
};

/// The framework ends: its tasks are killed, its id is never valid again.
struct TeardownFramework {
  FrameworkId framework;
  bool operator==(const TeardownFramework&) const = default;
};

struct FrameworkHeartbeat {
  std::uint64_t sequence = 0;
  bool operator==(const FrameworkHeartbeat&) const = default;
};

/// Framework to executor and back, best effort.
struct ExecutorMessage {
  FrameworkId framework;
  AgentId agent;
  ExecutorId executor;
  std::string data;
  bool from_executor = false;
  bool operator==(const ExecutorMessage&) const = default;
};

// --- master to framework ---

struct Subscribed {
  FrameworkId framework;
  Epoch epoch = 0;
  Duration heartbeat_interval;
  bool operator==(const Subscribed&) const = default;
};

/// An offer as it travels: spans instead of instants, because clocks differ between hosts.
struct OfferInfo {
  OfferId id;
  AgentId agent;
  Incarnation incarnation;
  std::string role;
  std::string hostname;
  Attributes attributes;
  Resources resources;
  Duration lease;  ///< from its receipt
  std::optional<WallTime> available_until;
  std::optional<EarmarkId> earmark;  ///< it serves a demand
  DemandId demand{};                 ///< this one
  /// So many offers of the earmark were made at once, this one included. A gang's are accepted by
  /// AcceptTogether, at least the demand's count_min of them.
  std::uint32_t together = 0;
  /// A loan: what is launched names a release_by no later than available_until, or is refused.
  bool lent = false;
  bool operator==(const OfferInfo&) const = default;
};

struct Offers {
  std::vector<OfferInfo> offers;
  bool operator==(const Offers&) const = default;
};

struct RescindOffers {
  std::vector<OfferId> offers;
  bool operator==(const RescindOffers&) const = default;
};

/// Asks a framework to leave an agent on which it has tasks before a window begins.
struct InverseOfferInfo {
  InverseOfferId id;
  AgentId agent;
  std::string hostname;
  WallTime start;
  std::optional<Duration> duration;  ///< empty: it has no known end
  std::string reason;                ///< of the window
  bool operator==(const InverseOfferInfo&) const = default;
};

/// At most one is outstanding for a framework and an agent.
struct InverseOffers {
  std::vector<InverseOfferInfo> offers;
  bool operator==(const InverseOffers&) const = default;
};

/// The window changed, or nothing of the framework is left there.
struct RescindInverseOffers {
  std::vector<InverseOfferId> offers;
  bool operator==(const RescindInverseOffers&) const = default;
};

/// News of an agent on which the framework has tasks.
struct AgentLost {
  AgentId agent;
  bool gone = false;  ///< false: unreachable, may return
  bool operator==(const AgentLost&) const = default;
};

/// A refused request, or the end of the session where `fatal`.
struct FrameworkError {
  ErrorCode code = ErrorCode::invalid_argument;
  std::string message;
  bool fatal = false;
  bool operator==(const FrameworkError&) const = default;
};

// --- executor and agent ---

struct SubscribeExecutor {
  FrameworkId framework;
  ExecutorId executor;
  std::vector<StatusUpdate> unacknowledged;
  bool operator==(const SubscribeExecutor&) const = default;
};

struct ExecutorSubscribed {
  AgentId agent;
  bool operator==(const ExecutorSubscribed&) const = default;
};

struct ExecutorLaunch {
  TaskInfo task;
  bool operator==(const ExecutorLaunch&) const = default;
};

struct ExecutorKill {
  TaskId task;
  Duration grace;
  bool operator==(const ExecutorKill&) const = default;
};

struct ExecutorShutdown {
  Duration grace;
  bool operator==(const ExecutorShutdown&) const = default;
};

/// Any of them. The wire knows them by number, never by their place in this list.
using Message =
    std::variant<RegisterAgent, AgentHeartbeat, StatusUpdates, AgentRegistered, AgentRefused,
                 HeartbeatAnswer, LaunchTasks, KillTask, AcknowledgeUpdates, ShutdownFramework,
                 Subscribe, AcceptOffers, DeclineOffers, ReviveOffers, SuppressOffers,
                 ReconcileTasks, DeclareDemands, TeardownFramework, FrameworkHeartbeat,
                 ExecutorMessage, Subscribed, Offers, RescindOffers, AgentLost, FrameworkError,
                 SubscribeExecutor, ExecutorSubscribed, ExecutorLaunch, ExecutorKill,
                 ExecutorShutdown, InverseOffers, RescindInverseOffers, AcceptInverseOffers,
                 DeclineInverseOffers, AcceptTogether>;

}  // namespace librm
