// Which candidate leads: the production ElectionCore, on an ensemble of servers that is simulated.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster_node.hpp"
#include "librm/base/time.hpp"
#include "librm/runtime/elector.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/world.hpp"

namespace rm_sim {

/// A server on each candidate's host. The ensemble answers whom most hosts reach: it keeps sessions
/// and their nodes, forgets a session that it has not heard of for its timeout, and tells who
/// watches. Lists may be those of a server that lags; a confirmation never is. Each candidate's
/// process contends, and ends when it is deposed; on each host a process watches, for its agent.
class Election {
 public:
  using OnChange = std::function<void(const librm::sim::Host&)>;

  Election(librm::sim::World& world, std::vector<ClusterNode*> candidates, librm::Duration session);

  /// Called where a process on that host learns of another leader.
  void on_change(OnChange callback) { on_change_ = std::move(callback); }
  void start();
  /// Whom a process on this host believes to lead: old news where it cannot reach most hosts.
  ClusterNode* known_at(const librm::sim::Host& host) const;
  bool reaches_most(const librm::sim::Host& host) const;
  /// Somebody could lead now, and the hosts that most of them reach are known to run.
  bool possible() const;
  /// The ensemble forgets the leader's session while it lives on.
  void expire();

 private:
  /// The elector of one process.
  struct Client {
    librm::sim::Host* host = nullptr;
    ClusterNode* candidate = nullptr;  ///< null where it only watches
    std::unique_ptr<librm::ElectionCore> core;
    std::uint64_t life = 0;        ///< of its process; what an earlier one asked is void
    std::uint64_t connection = 0;  ///< and so is what was asked on an earlier one
    std::uint64_t session = 0;     ///< 0: none
    bool connected = false;
    librm::Instant answered;  ///< last, by the ensemble
    std::deque<librm::ElectionEvent> inbox;
    std::optional<std::uint64_t> leads;  ///< since this life of the candidate's node
    librm::Instant back_at;              ///< when a process that ended is there again
    const ClusterNode* believed = nullptr;
  };
  /// At the ensemble.
  struct Session {
    librm::Instant heard;
    std::string node;  ///< empty: none
    std::string text;
  };
  using Serve = std::function<librm::ElectionEvent()>;

  bool alive(const Client& client) const;
  bool stalled(const Client& client) const;
  bool ready(const Client& client) const;

  // the processes
  void turn(Client& client);
  void end(Client& client);
  void keep_connected(Client& client);
  void disconnect(Client& client);
  void post(Client& client, librm::ElectionEvent event);
  void drain(Client& client);
  void wake(Client& client);
  void carry(Client& client, librm::Duration delay, std::function<void()> action);
  librm::Duration draw_delay();
  void ask(Client& client, Serve serve);
  void act(Client& client, const librm::election_action::OpenSession& action);
  void act(Client& client, const librm::election_action::List& action);
  void act(Client& client, const librm::election_action::MakePath& action);
  void act(Client& client, const librm::election_action::Create& action);
  void act(Client& client, const librm::election_action::Read& action);
  void act(Client& client, const librm::election_action::Confirm& action);
  void act(Client& client, const librm::election_action::Elected& action);
  void act(Client& client, const librm::election_action::Deposed& action);
  void act(Client& client, const librm::election_action::Changed& action);
  void act(Client& client, const librm::election_action::Report& action);

  // the ensemble
  void expire_silent();
  void close_session(std::uint64_t session);
  void group_changed();
  void tell_changed(Client& client, librm::Duration after);
  std::vector<std::string> names() const;
  const Session* with_node(const std::string& name) const;

  librm::sim::World& world_;
  std::vector<ClusterNode*> candidates_;
  librm::Duration session_;
  OnChange on_change_;
  std::deque<Client> clients_;                 // stay where they are
  std::map<std::uint64_t, Client*> watchers_;  // by host number
  std::map<std::uint64_t, Session> sessions_;
  std::uint64_t session_last_ = 0;
  std::uint64_t sequence_last_ = 0;
  bool path_ = false;
  std::vector<std::string> names_before_;  // what a server that lags still says
  librm::Instant changed_at_;
};

}  // namespace rm_sim
