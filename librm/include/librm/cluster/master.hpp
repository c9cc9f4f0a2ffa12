// The master: pools agents, offers their resources to frameworks, and carries launches and news.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/alloc/offer.hpp"
#include "librm/alloc/options.hpp"
#include "librm/alloc/quota.hpp"
#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/base/trace.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/maintenance.hpp"
#include "librm/cluster/message.hpp"
#include "librm/cluster/record.hpp"
#include "librm/cluster/task.hpp"

namespace librm {

class Allocator;

// --- what can happen to a master ---

/// An operator says that the agent will never return: its tasks are gone, its id is void.
struct MarkAgentGone {
  std::uint64_t request = 0;  ///< names the Reply
  AgentId agent;
};

struct SetRoleWeight {
  std::uint64_t request = 0;
  std::string role;
  std::int64_t weight_milli = 1000;  ///< that is what a role has where nothing was said
};

/// Sets what a role is sure of and what it gets at most, or takes that away. Offers that are in the
/// way are rescinded; what runs goes on, and keeps what it holds.
struct SetQuota {
  std::uint64_t request = 0;
  std::string role;
  std::optional<Quota> quota{};  ///< empty: none
  bool force = false;            ///< even where it is broken at once: see Allocator::set_quota
};

/// Reserves, unreserves, makes or destroys a volume of what no task holds there; offers of it are
/// rescinded. The agent has to be there, except to give up what it has lost.
struct OperateOnAgent {
  std::uint64_t request = 0;
  AgentId agent;
  Operation operation;  ///< at most operation_bytes_max as text
};
inline constexpr std::size_t operation_bytes_max = 64 << 10;

/// Replaces all windows of maintenance.
struct SetMaintenance {
  std::uint64_t request = 0;
  /// Of the schedule that was changed; another one now makes the request stale. Empty: any.
  std::optional<std::uint64_t> revision;
  std::vector<MaintenanceWindow> windows;
};

enum class AgentAction : std::uint8_t {
  cordon,    ///< no new offers; what runs goes on
  uncordon,  ///< offered again
  drain,     ///< as Drain says; also while draining, in another way
  undrain,   ///< offered again, at any time; what was killed stays so
  down,      ///< of a drained agent, or forced: not taken in, what it has is unreachable
  up,        ///< taken in again
};

/// Takes an agent out of service or back. What is so already is answered with success.
struct ControlAgent {
  std::uint64_t request = 0;
  AgentId agent;
  AgentAction action = AgentAction::cordon;
  Drain drain;         ///< of action drain
  std::string reason;  ///< is shown; at most maintenance_reason_bytes_max
  bool force = false;  ///< of action down
};

using MasterEvent = std::variant<Tick, Received, Closed, StorageLow, MarkAgentGone, SetRoleWeight,
                                 SetMaintenance, ControlAgent, SetQuota, OperateOnAgent>;

// --- what a master wants done ---

/// Answers an operator's request.
struct Reply {
  std::uint64_t request = 0;
  Result<void> result;
};

using MasterOutput = std::variant<Send, Close, Reply>;
using MasterActions = ActionList<MasterRecord, MasterOutput>;

struct MasterOptions {
  Duration heartbeat_interval = seconds(5);
  /// An agent that was last answered longer ago than this starts nothing. The master counts from
  /// its answer, the agent from its question, so the agent's lease never outlives the master's.
  Duration agent_lease = seconds(15);
  /// Silence after which an agent is unreachable; more than the lease.
  Duration agent_unreachable_after = seconds(30);
  /// After a start, the time that known agents have to return before they count as silent; not
  /// less than the lease.
  Duration agent_return_timeout = seconds(60);
  /// How offers are made: leases, allowed roles, policy. What it points to outlives the master;
  /// first_offer is the master's to say.
  AllocatorOptions allocator{};
  /// After a start, while a role has a quota, nothing is offered before so many of the known agents
  /// are back, or agent_return_timeout is over: what is guaranteed is not known to be unmet, and
  /// what is used not to be within a limit, while most agents have not said what they have. 0..100.
  std::uint32_t quota_return_percent = 80;
  /// A framework that answered an inverse offer is not asked again sooner.
  Duration inverse_offer_interval = seconds(5);
};

/// The brain of `rm-master`, and of any cluster in a process.
///
/// How a task comes to run: an agent registers (RegisterAgent) and its free resources enter the
/// Allocator. A framework subscribes, and flush() sends it Offers. It accepts with tasks
/// (AcceptOffers): the master checks the offer as a whole, books the resources and sends
/// LaunchTasks, which is valid for this incarnation of the agent alone. The agent's StatusUpdates
/// go to the framework, its acknowledgement back to the agent; a terminal update frees the
/// resources, which are offered anew.
///
/// What it remembers durably is small: epochs, agents, what was reserved of them, framework ids,
/// weights and quotas of roles, maintenance.
/// Tasks and offers are rebuilt when agents and frameworks return, so a crash loses none of them.
///
/// Whom it believes: an agent's report about its tasks replaces what the master thought. A launch
/// that was sent on an earlier connection and is not in the report never arrived and never will
/// (connections deliver a prefix, in order, once), so that task is *dropped*. While an agent is
/// silent its tasks keep their state; when it is silent for too long they are *unreachable*, which
/// is not terminal; only a new incarnation or an operator's word makes them *gone*.
///
/// Not thread-safe. Deterministic: the same events at the same times give the same actions.
class MasterCore {
 public:
  using Event = MasterEvent;
  using Record = MasterRecord;
  using Output = MasterOutput;
  using Actions = MasterActions;

  explicit MasterCore(MasterOptions options, TraceSink* trace = nullptr);
  ~MasterCore();
  MasterCore(MasterCore&&) noexcept;
  MasterCore& operator=(MasterCore&&) noexcept;

  /// Advances by one event. Appends actions in the order in which they must take effect.
  void step(Now now, const MasterEvent& event, MasterActions& out);
  /// After a batch of steps: new offers, and what was gathered for each peer, one message each.
  void flush(Now now, MasterActions& out);
  Deadline next_deadline() const;

  /// Recovery: apply() over snapshot and journal, then resume(), which takes the next epoch.
  void apply(const MasterRecord& record);
  void resume(Now now, MasterActions& out);
  /// The durable state as records, for a snapshot; apply() of them all rebuilds it.
  std::vector<MasterRecord> snapshot() const;

  std::vector<std::string> check_invariants() const;

  // --- views, valid until the next call ---

  struct Task {
    FrameworkId framework;
    AgentId agent;
    TaskInfo info;
    StatusUpdate latest;
    bool resources_held = true;      ///< booked in the allocator; false once terminal
    std::optional<Instant> until{};  ///< what its release_by was when it was booked
    bool preempted = false;          ///< its agent was told so in this session
  };

  struct Agent {
    AgentRecord record;
    std::optional<ConnectionId> connection;  ///< while registered
    std::uint64_t session = 0;               ///< of the incarnation, the latest seen
    Instant last_heard;
    Instant lease_until;  ///< at the latest, of any master: as this one counts it
    std::set<std::pair<FrameworkId, TaskId>> tasks;
    bool in_allocator = false;  ///< its resources are; false before it returned
    AgentServiceRecord service;
    Resources made;     ///< by operations, with what is missing
    Resources missing;  ///< of these, what it did not have when it registered; tried again then
    std::optional<WallTime> available_until;               ///< when its next window begins
    std::set<std::pair<FrameworkId, TaskId>> drain_kills;  ///< told in this session
  };

  struct Framework {
    FrameworkRecord record;
    std::optional<ConnectionId> connection;  ///< while subscribed
    std::optional<Instant> failover_deadline;
    std::map<TaskId, Task> tasks;  ///< not terminal, or with an unacknowledged update
  };

  /// That a framework was asked to leave an agent before its window, and what it said.
  struct InverseOffer {
    InverseOfferInfo info;
    FrameworkId framework;
    enum class Answer : std::uint8_t { none, accepted, declined } answer = Answer::none;
    std::string reason;                ///< of a decline
    std::optional<Instant> ask_again;  ///< once answered
  };
  /// One for each framework that holds tasks on an agent with a window.
  const std::map<std::pair<AgentId, FrameworkId>, InverseOffer>& inverse_offers() const {
    return inverse_offers_;
  }

  Epoch epoch() const { return epoch_; }
  const std::map<AgentId, Agent>& agents() const { return agents_; }
  const std::map<FrameworkId, Framework>& frameworks() const { return frameworks_; }
  const Allocator& allocator() const { return *allocator_; }
  bool storage_low() const { return storage_low_; }
  const MasterOptions& options() const { return options_; }
  const MaintenanceRecord& maintenance() const { return maintenance_; }
  const std::map<std::string, Quota>& quotas() const { return quotas_; }

  /// Why nothing is offered yet after a start; empty: offers are made.
  struct Recovery {
    std::size_t known = 0;  ///< agents when this master started
    std::size_t back = 0;   ///< of these, with those that are given up
    std::size_t needed = 0;
    Instant until;  ///< then it ends in any case
  };
  const std::optional<Recovery>& recovery() const { return recovery_; }
  /// What draining the agent so would mean now; of a draining agent, what is left of it. Fails
  /// with not_found or invalid_argument.
  Result<DrainPlan> plan_drain(AgentId agent, const Drain& drain, WallTime now) const;

 private:
  // One handler per event and message; each is the whole story of what it causes.
  void on_message(Now, ConnectionId, const RegisterAgent&, MasterActions&);
  void on_message(Now, ConnectionId, const AgentHeartbeat&, MasterActions&);
  void on_message(Now, ConnectionId, const StatusUpdates&, MasterActions&);
  void on_message(Now, ConnectionId, const Subscribe&, MasterActions&);
  void on_message(Now, ConnectionId, const AcceptOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const AcceptTogether&, MasterActions&);
  void on_message(Now, ConnectionId, const DeclineOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const AcceptInverseOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const DeclineInverseOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const ReviveOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const SuppressOffers&, MasterActions&);
  void on_message(Now, ConnectionId, const KillTask&, MasterActions&);
  void on_message(Now, ConnectionId, const AcknowledgeUpdates&, MasterActions&);
  void on_message(Now, ConnectionId, const ReconcileTasks&, MasterActions&);
  void on_message(Now, ConnectionId, const DeclareDemands&, MasterActions&);
  void on_message(Now, ConnectionId, const TeardownFramework&, MasterActions&);
  void on_message(Now, ConnectionId, const FrameworkHeartbeat&, MasterActions&);
  void on_message(Now, ConnectionId, const ExecutorMessage&, MasterActions&);
  void on_closed(Now, ConnectionId);
  void on_tick(Now, MasterActions&);
  void on_mark_agent_gone(Now, const MarkAgentGone&, MasterActions&);
  void on_set_role_weight(const SetRoleWeight&, MasterActions&);
  void on_set_quota(const SetQuota&, MasterActions&);
  void on_operate(const OperateOnAgent&, MasterActions&);
  void on_set_maintenance(Now, const SetMaintenance&, MasterActions&);
  void on_control_agent(Now, const ControlAgent&, MasterActions&);

  void persist(MasterRecord record, MasterActions& out);
  void send(ConnectionId connection, Message message, MasterActions& out);
  void refuse(ConnectionId connection, ErrorCode code, std::string message, bool fatal,
              MasterActions& out);
  Framework* framework_on(ConnectionId connection);
  Agent* agent_on(ConnectionId connection);
  using TaskSet = std::set<std::pair<FrameworkId, TaskId>>;
  AgentId admit_agent(Now now, const RegisterAgent& message, MasterActions& out);
  bool taken(ConnectionId connection, AgentId agent) const;
  std::optional<AgentRefused> refuse_agent(const RegisterAgent& message) const;
  void adopt_reports(Now now, Agent& agent, const RegisterAgent& message, bool was_unreachable,
                     MasterActions& out);
  void look_at(Instant t);
  void fail_missing_tasks(Agent& agent, const TaskSet& reported, bool rebooted);
  bool offer_agent(Now now, Agent& agent, MasterActions& out);
  Result<void> enter_allocator(Agent& agent, const Resources& total);
  struct Part;
  void accept(Now now, ConnectionId connection, std::vector<Part> parts, Duration refuse_for,
              MasterActions& out);
  Result<void> check_part(Now now, const Framework& framework, Part& part,
                          std::set<TaskId>& ids) const;
  Result<void> check_tasks(const Framework& framework, Part& part, std::set<TaskId>& ids) const;
  void reject(Framework& framework, const Part& part, TaskReason reason,
              const std::string& message);
  void launch(Now now, Framework& framework, Part& part, MasterActions& out);
  void free_task(Task& task);
  void end_task(Framework& framework, const TaskId& task, TaskState state, TaskReason reason,
                std::string message);
  void mark_unreachable(Agent& agent, const std::string& why, MasterActions& out);
  void disconnect(Agent& agent, std::string reason, MasterActions& out);
  Result<void> admit_framework(const FrameworkRecord& record);
  void complete_framework(Framework& framework, MasterActions& out);
  void reconcile(Framework& framework, const TaskRef& reference);
  void tell(const Framework& framework, StatusUpdate update);
  void rescind_all(const std::vector<OfferId>& offers);
  void leave_allocator(Agent& agent);
  void send_offers(Now now, std::vector<Offer> made, MasterActions& out);
  void check_silence(Now now, MasterActions& out);
  bool returning(const Agent& agent) const;
  // master_roles.ipp
  void restore_roles(Now now);
  Result<void> set_quota(const SetQuota& event, MasterActions& out);
  void came_back(AgentId agent);
  bool recovering(Now now);
  Result<void> operate(const OperateOnAgent& event, MasterActions& out);
  Result<Resources> check_operations(const Agent& agent,
                                     const std::vector<Operation>& operations) const;
  // master_maintenance.ipp
  Result<void> set_windows(Now now, const SetMaintenance& event, MasterActions& out);
  Result<AgentService> next_service(const Agent& agent, const ControlAgent& event) const;
  Result<void> control_agent(Now now, const ControlAgent& event, MasterActions& out);
  void take_down(Now now, Agent& agent, MasterActions& out);
  void refresh_windows(Now now);
  std::optional<WallTime> window_start(const AgentRecord& agent, WallTime now) const;
  DrainSnapshot drain_snapshot(const Agent& agent, const Drain& drain, WallTime now) const;
  void touch(const Agent& agent);
  void preempt(Now now, MasterActions& out);
  void maintain(Now now, MasterActions& out);
  void drain(Now now, Agent& agent, MasterActions& out);
  void ask_to_leave(Now now, const Agent& agent);
  void forget_inverse_offers(FrameworkId framework);
  void rescind(const InverseOffer& offer);
  void answer_inverse(Now now, ConnectionId from, const std::vector<InverseOfferId>& offers,
                      Duration refuse_for, InverseOffer::Answer answer, const std::string& reason);
  void look_at(WallTime t);
  void check_windows(Now now, MasterActions& out);
  StatusUpdate master_update(FrameworkId framework, const TaskId& task, AgentId agent,
                             TaskState state, TaskReason reason, std::string message) const;
  void trace(std::string_view subject, const std::string& fact) const;

  /// What flush() sends to one peer, gathered over a batch.
  struct Outbox {
    std::vector<StatusUpdate> updates;
    std::vector<UpdateAck> acks;
    std::vector<OfferId> rescinds;
    std::vector<InverseOfferInfo> inverse_offers;
    std::vector<InverseOfferId> inverse_rescinds;
  };

  MasterOptions options_;
  TraceSink* trace_;
  Epoch epoch_ = 0;
  bool resumed_ = false;
  bool storage_low_ = false;
  std::uint64_t agent_id_last_ = 0;
  std::uint64_t framework_id_last_ = 0;
  std::map<AgentId, Agent> agents_;
  std::map<FrameworkId, Framework> frameworks_;
  std::map<std::string, std::int64_t> weights_;
  std::map<std::string, Quota> quotas_;
  std::optional<Recovery> recovery_;
  std::set<AgentId> awaited_;  ///< of the recovery
  std::map<ConnectionId, AgentId> agent_connections_;
  std::map<ConnectionId, FrameworkId> framework_connections_;
  std::map<OfferId, FrameworkId> offer_owners_;
  std::map<ConnectionId, Outbox> outboxes_;
  std::optional<Instant> check_at_;  ///< no agent's or framework's deadline is earlier
  MaintenanceRecord maintenance_;
  std::map<std::pair<AgentId, FrameworkId>, InverseOffer> inverse_offers_;
  std::uint64_t inverse_offer_last_ = 0;
  std::optional<Instant> inverse_at_;       ///< no answer's time is over earlier
  std::optional<WallTime> maintenance_at_;  ///< no window ends, and no drain kills, earlier
  std::set<AgentId> touched_;               ///< under maintenance, and perhaps changed
  std::unique_ptr<Allocator> allocator_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/master.ipp"
#endif
