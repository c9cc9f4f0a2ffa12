// What master and agent remember durably: resulting values, one entity a record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "librm/alloc/quota.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/maintenance.hpp"
#include "librm/cluster/message.hpp"
#include "librm/cluster/task.hpp"

// Replay is idempotent: applying a record twice, or an older snapshot's before a newer one, ends
// in the same state. To add a record: as for a message, in wire/record.hpp.

namespace librm {

// --- the master's stream ---

/// Written first by every leader; everything after it is that leader's.
struct EpochRecord {
  Epoch epoch = 0;
  bool operator==(const EpochRecord&) const = default;
};

enum class AgentStatus : std::uint8_t {
  admitted = 1,     ///< registered at some time and not given up
  unreachable = 2,  ///< silent for too long; may return
  gone = 3,         ///< removed by an operator; never again
};

struct AgentRecord {
  AgentId agent;
  AgentStatus status = AgentStatus::admitted;
  Incarnation incarnation;
  std::string hostname;
  std::string http_address;
  Resources total;
  Attributes attributes;
  std::string topology;  ///< as in RegisterAgent
  bool operator==(const AgentRecord&) const = default;
};

enum class FrameworkStatus : std::uint8_t {
  active = 1,
  completed = 2,  ///< torn down, or its failover timeout passed; its id is void
};

struct FrameworkRecord {
  FrameworkId framework;
  FrameworkStatus status = FrameworkStatus::active;
  FrameworkInfo info;
  bool operator==(const FrameworkRecord&) const = default;
};

/// Its weight; one of 1000 is as if it had none.
struct RoleRecord {
  std::string role;
  std::int64_t weight_milli = 1000;
  bool operator==(const RoleRecord&) const = default;
};

/// Empty: it has none any more.
struct QuotaRecord {
  std::string role;
  std::optional<Quota> quota;
  bool operator==(const QuotaRecord&) const = default;
};

/// What operations made of what the agent reports: entries with dynamic layers, and volumes. All of
/// it, also what the agent could not be given at its last registration.
struct ReservationsRecord {
  AgentId agent;
  Resources made;
  bool operator==(const ReservationsRecord&) const = default;
};

/// All that is planned. It is replaced as a whole: who changes it names the revision that he saw.
struct MaintenanceRecord {
  std::uint64_t revision = 0;  ///< grows with every change
  std::vector<MaintenanceWindow> windows;
  bool operator==(const MaintenanceRecord&) const = default;
};

/// What an operator made of an agent; normal where there is no record.
struct AgentServiceRecord {
  AgentId agent;
  AgentService service = AgentService::normal;
  Drain drain;  ///< while draining or drained
  std::string reason;
  WallTime since;  ///< when it came to be so
  bool operator==(const AgentServiceRecord&) const = default;
};

using MasterRecord =
    std::variant<EpochRecord, AgentRecord, FrameworkRecord, RoleRecord, MaintenanceRecord,
                 AgentServiceRecord, QuotaRecord, ReservationsRecord>;

// --- the agent's stream ---

/// With sync: who it is, and the highest epoch that it has obeyed.
struct AgentIdentityRecord {
  AgentId agent;
  Epoch epoch_highest = 0;
  bool operator==(const AgentIdentityRecord&) const = default;
};

/// Without sync: the page cache survives the process, and a crash of the host ends the tasks.
/// Written before a task is started, so that its id is never started again.
struct TaskLedgerRecord {
  FrameworkId framework;
  Incarnation incarnation;
  TaskInfo info;
  StatusUpdate latest;
  bool acknowledged = false;            ///< nothing is owed for it any more
  std::vector<std::uint32_t> cpus;      ///< the host's processors that it is bound to; empty: any
  std::optional<Instant> release_at{};  ///< when it has to let go, on this incarnation's boot time
  bool operator==(const TaskLedgerRecord&) const = default;
};

using AgentCoreRecord = std::variant<AgentIdentityRecord, TaskLedgerRecord>;

}  // namespace librm
