// A framework's session with the master: what every scheduler needs and nobody should rewrite.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/prng.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/agent.hpp"
#include "librm/cluster/core.hpp"
#include "librm/cluster/message.hpp"

namespace librm {

// --- what can happen to a session, and what its framework may ask ---

/// Task states that the framework knows from before, given once, before the first step.
struct KnownTask {
  TaskId task;
  AgentId agent;
  Incarnation incarnation;
};

/// Also used by frameworks to send any of: AcceptOffers, AcceptTogether, DeclineOffers,
/// ReviveOffers, SuppressOffers, KillTask, AcknowledgeUpdates, ReconcileTasks, DeclareDemands,
/// TeardownFramework, ExecutorMessage, AcceptInverseOffers, DeclineInverseOffers. Demands are said
/// again in every session, until others are declared; what accepts more than launch_bytes_max of
/// tasks in one message is dropped.
struct Call {
  Message message;
};

inline constexpr std::size_t launch_bytes_max = 12 << 20;

using FrameworkEvent =
    std::variant<Tick, MasterConnected, MasterUnavailable, MasterChanged, Received, Closed, Call>;

// --- what a session wants done, and what it tells its framework ---

/// Subscribed: `framework` must be remembered durably before anything is launched.
struct SessionOpened {
  FrameworkId framework;
  Epoch epoch = 0;
};

/// No offers are held any more; launches that were not confirmed are being asked about.
struct SessionLost {};

struct OfferReceived {
  OfferInfo offer;
  Instant expires;
};

struct OfferEnded {
  OfferId offer;
};

/// The agent is to be left before the window begins: answer it by AcceptInverseOffers or
/// DeclineInverseOffers.
struct InverseOfferReceived {
  InverseOfferInfo offer;
};

/// No answer is wanted any more, nor is one given before still of interest.
struct InverseOfferEnded {
  InverseOfferId offer;
};

/// Acknowledge it (Call with AcknowledgeUpdates) once it is remembered, where sequence > 0.
/// Repetitions are filtered out, except of what is still unacknowledged after a reconnect.
struct UpdateReceived {
  StatusUpdate update;
};

struct AgentNews {
  AgentLost lost;
};

struct CallRefused {
  FrameworkError error;
};

struct MessageReceived {
  ExecutorMessage message;
};

using FrameworkOutput =
    std::variant<ConnectMaster, Send, Close, SessionOpened, SessionLost, OfferReceived, OfferEnded,
                 UpdateReceived, AgentNews, CallRefused, MessageReceived, InverseOfferReceived,
                 InverseOfferEnded>;

/// It remembers nothing durably itself: its framework does.
using FrameworkActions = std::vector<FrameworkOutput>;

struct FrameworkOptions {
  FrameworkId framework;  ///< none for the first time
  FrameworkInfo info;
  Duration reconnect_min = milliseconds(200);
  Duration reconnect_max = seconds(10);
  Duration reconcile_interval = seconds(900);  ///< of tasks without news
  Duration kill_retry = seconds(5);
  std::uint64_t seed = 1;
};

/// Keeps one session with the master: connects and reconnects with back-off, subscribes, tracks
/// offers, expires them, repeats its demands and kills until the task is terminal, reconciles after
/// every (re)connection and from time to time. Pure and not thread-safe, as all cores.
class FrameworkCore {
 public:
  explicit FrameworkCore(FrameworkOptions options);

  /// Tasks that were launched by an earlier process of this framework.
  void remember(const KnownTask& task);
  /// The id that an earlier process was given. Before start().
  void set_framework_id(FrameworkId framework) { options_.framework = framework; }
  /// Once, at the beginning: asks for a connection.
  void start(Now now, FrameworkActions& out);
  void step(Now now, const FrameworkEvent& event, FrameworkActions& out);
  Deadline next_deadline() const;

  FrameworkId framework() const { return options_.framework; }
  bool subscribed() const { return subscribed_; }
  const std::map<OfferId, OfferReceived>& offers() const { return offers_; }

  /// All offers of the earmark, in id order; empty until the last of them is here, or when one has
  /// ended. What a gang is launched with, by AcceptTogether.
  std::vector<OfferReceived> offers_of(EarmarkId earmark) const;

  struct TrackedTask {
    AgentId agent;
    TaskState state = TaskState::staging;
    std::uint64_t sequence = 0;      ///< of the last update that was passed on
    std::uint64_t acknowledged = 0;  ///< by the framework
    std::optional<Instant> heard;    ///< in this session
    std::optional<Instant> kill_retry_at;
    std::optional<Duration> kill_grace;
  };
  /// Launched and not known to be terminal.
  const std::map<TaskId, TrackedTask>& tasks() const { return tasks_; }

 private:
  void on_message(Now, const Subscribed&, FrameworkActions&);
  void on_message(Now, const Offers&, FrameworkActions&);
  void on_message(Now, const RescindOffers&, FrameworkActions&);
  void on_message(Now, const InverseOffers&, FrameworkActions&);
  void on_message(Now, const RescindInverseOffers&, FrameworkActions&);
  void on_message(Now, const StatusUpdates&, FrameworkActions&);
  void on_message(Now, const FrameworkError&, FrameworkActions&);
  void on_call(Now, const Call&, FrameworkActions&);
  static std::size_t launch_bytes(const std::vector<TaskInfo>& tasks,
                                  const std::vector<Operation>& operations);
  bool launch(Now, const std::vector<OfferId>& offers, const std::vector<TaskInfo>& tasks,
              std::size_t bytes, FrameworkActions&);
  void on_tick(Now, FrameworkActions&);
  void lose_session(Now, FrameworkActions&);
  void on_master_changed(Now, FrameworkActions&);
  void send(Message message, FrameworkActions& out);
  void acknowledge(const StatusUpdate& update, FrameworkActions& out);
  void reconcile_unheard(Now now, FrameworkActions& out);
  void on_update(Now now, const StatusUpdate& update, FrameworkActions& out);

  FrameworkOptions options_;
  Prng prng_;
  std::optional<ConnectionId> connection_;
  bool connecting_ = false;
  bool subscribed_ = false;
  std::optional<Instant> reconnect_at_;
  Duration reconnect_after_;
  std::optional<Instant> heartbeat_at_;
  Instant last_heard_;
  Duration heartbeat_interval_;
  std::uint64_t heartbeat_sequence_ = 0;
  Instant reconcile_at_;
  Duration reconcile_after_;
  std::map<OfferId, OfferReceived> offers_;
  std::set<InverseOfferId> inverse_offers_;  ///< neither rescinded nor of an earlier session
  std::map<TaskId, TrackedTask> tasks_;
  std::vector<Demand> demands_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/cluster/impl/framework.ipp"
#endif
