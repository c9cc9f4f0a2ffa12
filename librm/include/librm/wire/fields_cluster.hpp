// The encoding of every struct that master, agents, frameworks, executors and shepherds exchange.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "librm/cluster/message.hpp"
#include "librm/cluster/record.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/wire/archive.hpp"

// The order of fields is the encoding: new ones go last, as optional_tail in a serialize() by
// hand. Structs that are nested in others are Enveloped from the first day, so that they can grow
// without their parents: see LIBRM_WIRE_ENVELOPED.

namespace librm {

// --- enums ---

template <>
struct WireEnum<ErrorCode> : WireEnumRange<ErrorCode::invalid_argument, ErrorCode::stale> {};
template <>
struct WireEnum<TaskState> : WireEnumRange<TaskState::staging, TaskState::unknown> {};
template <>
struct WireEnum<TaskReason> : WireEnumRange<TaskReason::none, TaskReason::killed_by_operator> {};
template <>
struct WireEnum<UpdateSource> : WireEnumRange<UpdateSource::master, UpdateSource::executor> {};
template <>
struct WireEnum<AgentStatus> : WireEnumRange<AgentStatus::admitted, AgentStatus::gone> {};
template <>
struct WireEnum<AgentService> : WireEnumRange<AgentService::normal, AgentService::down> {};
template <>
struct WireEnum<DrainMode> : WireEnumRange<DrainMode::wait, DrainMode::kill> {};
template <>
struct WireEnum<FrameworkStatus>
    : WireEnumRange<FrameworkStatus::active, FrameworkStatus::completed> {};

template <>
struct WireEnum<OperationKind>
    : WireEnumRange<OperationKind::reserve, OperationKind::destroy_volume> {};
template <>
struct WireEnum<ConstraintKind> : WireEnumRange<ConstraintKind::equals, ConstraintKind::max_per> {};

/// Type##Fields and an envelope around it; its fields are said by a serialize(Type##Fields).
#define LIBRM_WIRE_ENVELOPE(Type, version)        \
  struct Type##Fields {                           \
    Type& value;                                  \
  };                                              \
  template <class Archive>                        \
  void serialize(Archive& archive, Type& value) { \
    Type##Fields fields{value};                   \
    auto envelope = enveloped(fields, version);   \
    archive(envelope);                            \
  }

/// Wraps the fields in an envelope of version 1 around a struct.
#define LIBRM_WIRE_ENVELOPED(Type, ...)                    \
  LIBRM_WIRE_ENVELOPE(Type, 1)                             \
  template <class Archive>                                 \
  void serialize(Archive& archive, Type##Fields& fields) { \
    Type& value = fields.value;                            \
    LIBRM_WIRE_EXPAND(LIBRM_WIRE_EACH(__VA_ARGS__))        \
  }

// --- resources: read through their own constructors, so that they are canonical afterwards ---

inline constexpr std::size_t wire_resource_entries_max = 4096;

LIBRM_WIRE(Range, begin, end)

inline void save(OutArchive& archive, const Ranges& ranges) { archive(ranges.list()); }
inline void load(BoundedInArchive& archive, Ranges& ranges) {
  std::vector<Range> list;
  archive(list);
  for (const Range& range : list) {
    if (range.begin > range.end) {
      throw WireError("range: begin " + std::to_string(range.begin) + " after end " +
                      std::to_string(range.end));
    }
  }
  ranges = Ranges(std::move(list));
}
template <>
struct MinWireSize<Ranges> {
  static constexpr std::size_t value() { return sizeof(std::uint32_t); }
};

LIBRM_WIRE_ENVELOPED(Reservation, role, dynamic, principal, labels)
LIBRM_WIRE_ENVELOPED(Volume, id, shared, principal)

/// What follows a Resource that has more than one static reservation without principal and labels.
struct ResourceDetails {
  Reservations reservations;
  std::optional<Volume> volume;
};
LIBRM_WIRE(ResourceDetails, reservations, volume)

// A byte of flags stands where a bool was at first: a reader that knows no details refuses a
// resource that has some, instead of taking it for something else.
inline constexpr std::uint8_t wire_resource_revocable = 1;
inline constexpr std::uint8_t wire_resource_detailed = 2;

inline void save(OutArchive& archive, const Resource& resource) {
  const Reservations& layers = resource.reservations;
  const bool plain = layers.empty() || (layers.size() == 1 && !layers[0].dynamic &&
                                        layers[0].principal.empty() && layers[0].labels.empty());
  const bool detailed = resource.volume || !plain;
  const int flags =
      (resource.revocable ? wire_resource_revocable : 0) | (detailed ? wire_resource_detailed : 0);
  archive(resource.name, std::string(resource.role()));
  archive.write_number(static_cast<std::uint8_t>(flags));
  archive(resource.value);
  if (!detailed) return;
  ResourceDetails details{layers, std::nullopt};
  if (resource.volume) details.volume = *resource.volume;
  archive(enveloped(details));
}
inline void load(BoundedInArchive& archive, Resource& resource) {
  std::string role;
  archive(resource.name, role);
  const auto flags = archive.read_number<std::uint8_t>();
  if (flags > (wire_resource_revocable | wire_resource_detailed)) {
    throw WireError("resource " + resource.name + ": flags " + std::to_string(flags));
  }
  resource.revocable = (flags & wire_resource_revocable) != 0;
  archive(resource.value);
  resource.reservations = reserved_for(role);
  resource.volume.reset();
  if ((flags & wire_resource_detailed) == 0) return;
  ResourceDetails details;
  auto envelope = enveloped(details);
  archive(envelope);
  if (auto valid = check_reservations(details.reservations); !valid) {
    throw WireError("resource " + resource.name + ": " + valid.error().message);
  }
  resource.reservations = std::move(details.reservations);
  if (details.volume) resource.volume = std::move(*details.volume);
}
template <>
struct MinWireSize<Resource> {
  static constexpr std::size_t value() {
    return 2 * sizeof(std::uint32_t) + sizeof(std::uint8_t) + sizeof(std::uint16_t);
  }
};

inline void save(OutArchive& archive, const Resources& resources) { archive(resources.list()); }
inline void load(BoundedInArchive& archive, Resources& resources) {
  std::vector<Resource> list;
  archive(list);
  if (list.size() > wire_resource_entries_max) {
    throw WireError("resources: " + std::to_string(list.size()) + " entries, limit " +
                    std::to_string(wire_resource_entries_max));
  }
  resources = Resources();
  for (Resource& resource : list) {
    const std::string name = resource.name;
    const std::size_t before = resources.list().size();
    resources.add(std::move(resource));
    // Canonical values have no empty, negative or repeated entry; merging many would be slow.
    if (resources.list().size() != before + 1) {
      throw WireError("resource " + name + ": empty, negative or repeated");
    }
  }
}
template <>
struct MinWireSize<Resources> {
  static constexpr std::size_t value() { return sizeof(std::uint32_t); }
};

LIBRM_WIRE(Request, amounts)

// --- what is nested in messages and records, each in an envelope ---

LIBRM_WIRE_ENVELOPED(Fetch, uri, output_file, extract, executable)
LIBRM_WIRE_ENVELOPED(Command, shell, value, arguments, environment, working_directory, user, fetch)
LIBRM_WIRE_ENVELOPED(ExecutorInfo, id, command, resources, data)
LIBRM_WIRE_ENVELOPED(TaskInfo, id, name, role, resources, command, executor, data, kill_grace,
                     time_limit, fence_after, release_by, labels)
LIBRM_WIRE_ENVELOPED(StatusUpdate, framework, task, agent, state, reason, source, message, sequence,
                     exit_code, signal, started, ended, cpu_time, rss_max_bytes, data)
LIBRM_WIRE_ENVELOPE(TaskReport, 2)
template <class Archive>
void serialize(Archive& archive, TaskReportFields& fields) {
  TaskReport& value = fields.value;
  archive(value.framework, value.info, value.latest);
  archive.optional_tail(value.release_in);
}
LIBRM_WIRE_ENVELOPE(FrameworkInfo, 2)
template <class Archive>
void serialize(Archive& archive, FrameworkInfoFields& fields) {
  FrameworkInfo& value = fields.value;
  archive(value.name, value.user, value.roles, value.failover_timeout);
  archive.optional_tail(value.revocable);
  archive.optional_tail(value.min_allocatable);
}
LIBRM_WIRE_ENVELOPED(Constraint, attribute, kind, value, count)
LIBRM_WIRE_ENVELOPED(Demand, id, role, shape, count_min, count_max, order, duration, preemptible,
                     useful_until, constraints, same, topology)
LIBRM_WIRE_ENVELOPE(OfferInfo, 2)
template <class Archive>
void serialize(Archive& archive, OfferInfoFields& fields) {
  OfferInfo& value = fields.value;
  archive(value.id, value.agent, value.incarnation, value.role, value.hostname, value.attributes,
          value.resources, value.lease, value.available_until, value.earmark);
  archive.optional_tail(value.demand);
  archive.optional_tail(value.together);
  archive.optional_tail(value.lent);
}
LIBRM_WIRE_ENVELOPED(InverseOfferInfo, id, agent, hostname, start, duration, reason)
LIBRM_WIRE_ENVELOPED(UpdateAck, framework, task, agent, sequence)
LIBRM_WIRE_ENVELOPED(TaskRef, task, agent)
LIBRM_WIRE_ENVELOPED(MaintenanceWindow, name, start, duration, agents, hostnames, reason)
LIBRM_WIRE_ENVELOPED(Drain, mode, grace, deadline)
LIBRM_WIRE_ENVELOPED(Quota, guarantees, limits)
LIBRM_WIRE_ENVELOPED(Operation, kind, resources, reservation, volume)
LIBRM_WIRE_ENVELOPED(AcceptPart, offers, tasks, operations)
LIBRM_WIRE_ENVELOPED(TaskStart, key, command, sandbox, cpus)
LIBRM_WIRE_ENVELOPED(TaskProcess, key, pid, started)
LIBRM_WIRE_ENVELOPED(TaskEnd, key, was_started, exit_code, signal, error, started, ended, cpu_time,
                     rss_max_bytes)
LIBRM_WIRE(TaskKey, framework, task)
LIBRM_WIRE_ENVELOPED(TaskFence, key, at)

#undef LIBRM_WIRE_ENVELOPED
#undef LIBRM_WIRE_ENVELOPE

// --- agent and master ---

LIBRM_WIRE(RegisterAgent, agent, incarnation, hostname, http_address, total, attributes,
           epoch_highest, tasks, session, topology)
LIBRM_WIRE(AgentHeartbeat, sequence)
LIBRM_WIRE(StatusUpdates, updates)
LIBRM_WIRE(AgentRegistered, agent, epoch, lease, heartbeat_interval)
LIBRM_WIRE(AgentRefused, code, message)
LIBRM_WIRE(HeartbeatAnswer, sequence)
template <class Archive>
void serialize(Archive& archive, LaunchTasks& value) {
  archive(value.framework, value.incarnation, value.tasks);
  archive.optional_tail(value.sent);
}
template <class Archive>
void serialize(Archive& archive, KillTask& value) {
  archive(value.framework, value.task, value.agent, value.grace);
  archive.optional_tail(value.reason, TaskReason::killed_by_framework);
}
LIBRM_WIRE(AcknowledgeUpdates, acks)
LIBRM_WIRE(ShutdownFramework, framework)

// --- framework and master ---

LIBRM_WIRE(Subscribe, framework, info)
template <class Archive>
void serialize(Archive& archive, AcceptOffers& value) {
  archive(value.offers, value.tasks, value.refuse_for);
  archive.optional_tail(value.operations);
}
LIBRM_WIRE(AcceptTogether, parts, refuse_for)
LIBRM_WIRE(DeclineOffers, offers, refuse_for, reason)
LIBRM_WIRE(ReviveOffers, roles)
LIBRM_WIRE(SuppressOffers, roles)
LIBRM_WIRE(ReconcileTasks, tasks)
LIBRM_WIRE(DeclareDemands, demands)
LIBRM_WIRE(TeardownFramework, framework)
LIBRM_WIRE(FrameworkHeartbeat, sequence)
LIBRM_WIRE(ExecutorMessage, framework, agent, executor, data, from_executor)
LIBRM_WIRE(Subscribed, framework, epoch, heartbeat_interval)
LIBRM_WIRE(Offers, offers)
LIBRM_WIRE(RescindOffers, offers)
LIBRM_WIRE(InverseOffers, offers)
LIBRM_WIRE(RescindInverseOffers, offers)
LIBRM_WIRE(AcceptInverseOffers, offers, refuse_for)
LIBRM_WIRE(DeclineInverseOffers, offers, refuse_for, reason)
LIBRM_WIRE(AgentLost, agent, gone)
LIBRM_WIRE(FrameworkError, code, message, fatal)

// --- executor and agent ---

LIBRM_WIRE(SubscribeExecutor, framework, executor, unacknowledged)
LIBRM_WIRE(ExecutorSubscribed, agent)
LIBRM_WIRE(ExecutorLaunch, task)
LIBRM_WIRE(ExecutorKill, task, grace)
LIBRM_WIRE(ExecutorShutdown, grace)

// --- agent and shepherd ---

LIBRM_WIRE(StartTasks, starts)
LIBRM_WIRE(SignalTask, key, signal)
LIBRM_WIRE(ForgetTasks, keys)
LIBRM_WIRE(ShutdownShepherd)
LIBRM_WIRE(ShepherdState, pid, running, ended)
LIBRM_WIRE(TaskProgress, started, ended)
LIBRM_WIRE(FenceTasks, fences)
LIBRM_WIRE(UpgradeShepherd, program)

// --- records ---

LIBRM_WIRE(EpochRecord, epoch)
LIBRM_WIRE(AgentRecord, agent, status, incarnation, hostname, http_address, total, attributes,
           topology)
LIBRM_WIRE(FrameworkRecord, framework, status, info)
LIBRM_WIRE(RoleRecord, role, weight_milli)
LIBRM_WIRE(MaintenanceRecord, revision, windows)
LIBRM_WIRE(AgentServiceRecord, agent, service, drain, reason, since)
LIBRM_WIRE(QuotaRecord, role, quota)
LIBRM_WIRE(ReservationsRecord, agent, made)
LIBRM_WIRE(AgentIdentityRecord, agent, epoch_highest)
template <class Archive>
void serialize(Archive& archive, TaskLedgerRecord& value) {
  archive(value.framework, value.incarnation, value.info, value.latest, value.acknowledged,
          value.cpus);
  archive.optional_tail(value.release_at);
}

}  // namespace librm
