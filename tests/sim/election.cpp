// The ensemble, and the processes that ask it.
#include "election.hpp"

#include <algorithm>
#include <cstdio>

#include "librm/sim/network.hpp"

namespace rm_sim {

using namespace librm;

namespace {

constexpr Duration answer_delay_min = microseconds(300);
constexpr Duration answer_delay_max = milliseconds(60);  // one way

std::string node_name(std::uint64_t session, std::uint64_t sequence) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%010llu", static_cast<unsigned long long>(sequence));
  return node_prefix(session) + digits;
}

struct Describer {
  std::string operator()(const election_event::Connected& e) const {
    return "connected, session " + std::to_string(e.session);
  }
  std::string operator()(const election_event::Disconnected&) const { return "disconnected"; }
  std::string operator()(const election_event::Expired&) const { return "session expired"; }
  std::string operator()(const election_event::GroupChanged&) const { return "group changed"; }
  std::string operator()(const election_event::Listed& e) const {
    std::string text = "listed";
    for (const std::string& name : e.names) text += " " + name;
    return text;
  }
  std::string operator()(const election_event::WasRead& e) const { return "read " + e.name; }
  std::string operator()(const election_event::Created&) const { return "created"; }
  std::string operator()(const election_event::Confirmed& e) const {
    return e.exists ? "confirmed" : "confirmed to be gone";
  }
  std::string operator()(const election_event::Failed&) const { return "failed"; }
  std::string operator()(const election_event::Tick&) const { return "tick"; }
};

std::string describe(const ElectionEvent& event) { return std::visit(Describer(), event); }

}  // namespace

Election::Election(sim::World& world, std::vector<ClusterNode*> candidates, Duration session)
    : world_(world), candidates_(std::move(candidates)), session_(session) {}

void Election::start() {
  for (ClusterNode* candidate : candidates_) {
    Client& client = clients_.emplace_back();
    client.host = &candidate->host();
    client.candidate = candidate;
    candidate->only_while([&client] {
      return client.core != nullptr && client.core->leading(client.host->now().mono);
    });
  }
  for (const auto& host : world_.hosts()) {
    Client& client = clients_.emplace_back();
    client.host = host.get();
    watchers_[host->number()] = &client;
  }
  for (Client& client : clients_) turn(client);
}

ClusterNode* Election::known_at(const sim::Host& host) const {
  const auto found = watchers_.find(host.number());
  if (found == watchers_.end() || !found->second->core) return nullptr;
  const Member* leader = found->second->core->election().leader();
  return leader == nullptr ? nullptr : candidates_.at(std::stoul(leader->id));
}

bool Election::reaches_most(const sim::Host& host) const {
  if (!host.up()) return false;
  std::size_t reached = 0;
  for (const ClusterNode* other : candidates_) {
    if (!other->host().up()) continue;
    const bool both_ways = world_.network().passes(host, other->host()) &&
                           world_.network().passes(other->host(), host);
    if (both_ways) ++reached;
  }
  return reached * 2 > candidates_.size();
}

bool Election::ready(const Client& client) const {
  return client.candidate != nullptr && !stalled(client) && client.back_at <= world_.now() &&
         reaches_most(*client.host);
}

bool Election::possible() const {
  return std::any_of(clients_.begin(), clients_.end(),
                     [this](const Client& client) { return ready(client); });
}

void Election::expire() {
  const std::vector<std::string> all = names();
  for (const auto& [id, session] : sessions_) {
    if (!all.empty() && session.node == all.front()) return close_session(id);
  }
}

// --- the processes ---

/// A candidate's process is there, with or without the lead, until it ends.
bool Election::alive(const Client& client) const {
  if (!client.host->up()) return false;
  return !client.leads ||
         (client.candidate->running() && client.candidate->life() == *client.leads);
}

bool Election::stalled(const Client& client) const {
  return client.candidate != nullptr && client.candidate->running() && client.candidate->stalled();
}

void Election::turn(Client& client) {
  world_.after(world_.draw(session_ / 24, session_ / 8), [this, &client] { turn(client); });
  expire_silent();
  if (client.core && !alive(client)) {
    end(client);
    client.back_at = world_.now() + world_.draw(milliseconds(100), seconds(5));
  }
  if (!client.core) {
    const bool may_start = client.host->up() && client.back_at <= world_.now() &&
                           (client.candidate == nullptr || !client.candidate->running());
    if (!may_start) return;
    client.core = std::make_unique<ElectionCore>(client.candidate != nullptr);
  }
  if (stalled(client)) return;
  keep_connected(client);
  drain(client);
}

/// Its session goes on without it.
void Election::end(Client& client) {
  client.core.reset();
  client.inbox.clear();
  client.leads.reset();
  client.connected = false;
  client.session = 0;
  ++client.life;
  ++client.connection;
}

void Election::keep_connected(Client& client) {
  if (!reaches_most(*client.host)) {
    // A broken connection is noticed at once, a silent one after two thirds of the session.
    const bool noticed = world_.now() - client.answered >= session_ * 2 / 3;
    if (client.connected && (noticed || world_.random().chance(1, 6))) disconnect(client);
    return;
  }
  client.answered = world_.now();
  const auto session = sessions_.find(client.session);
  if (session != sessions_.end()) session->second.heard = world_.now();
  if (client.session != 0 && session == sessions_.end()) {
    disconnect(client);
    client.session = 0;
    return post(client, election_event::Expired{});
  }
  if (client.connected) return;
  if (client.session == 0) {
    client.session = ++session_last_;
    sessions_[client.session].heard = world_.now();
  }
  client.connected = true;
  ++client.connection;
  post(client, election_event::Connected{client.session, session_});
}

void Election::disconnect(Client& client) {
  if (!client.connected) return;
  client.connected = false;
  ++client.connection;
  // Nothing comes for what was asked before.
  client.inbox.clear();
  post(client, election_event::Disconnected{});
}

void Election::post(Client& client, ElectionEvent event) {
  client.inbox.push_back(std::move(event));
}

void Election::drain(Client& client) {
  while (client.core && !client.inbox.empty() && !stalled(client)) {
    const ElectionEvent event = std::move(client.inbox.front());
    client.inbox.pop_front();
    if (world_.tracing()) {
      const char* who = client.candidate == nullptr ? "watcher-" : "elector-";
      world_.trace(who + client.host->name(), describe(event));
    }
    std::vector<ElectionAction> actions;
    client.core->step(client.host->now().mono, event, actions);
    const std::uint64_t life = client.life;
    for (const ElectionAction& action : actions) {
      if (client.life != life) return;
      std::visit([&](const auto& specific) { act(client, specific); }, action);
    }
  }
  wake(client);
}

void Election::wake(Client& client) {
  if (!client.core) return;
  const std::optional<Instant> next = client.core->next_deadline();
  if (!next) return;
  const Instant at = std::max(client.host->world_time(*next), world_.now() + microseconds(1));
  world_.at(at, [this, &client, life = client.life, wanted = *next] {
    // One of them is enough, and a process that is stalled looks when it goes on.
    if (client.life != life || !client.core || client.core->next_deadline() != wanted) return;
    if (stalled(client) || !alive(client)) return;
    post(client, election_event::Tick{});
    drain(client);
  });
}

/// On the way to the servers or back. Nothing is lost on a connection: it waits for the network, or
/// for the connection's end, with which it is void.
void Election::carry(Client& client, Duration delay, std::function<void()> action) {
  world_.after(delay, [this, &client, life = client.life, connection = client.connection,
                       action = std::move(action)]() mutable {
    if (client.life != life || client.connection != connection || !alive(client)) return;
    if (reaches_most(*client.host)) return action();
    carry(client, session_ / 20, std::move(action));
  });
}

Duration Election::draw_delay() {
  return world_.rarely("slow ensemble") ? world_.draw(Duration{}, session_)
                                        : world_.draw_skewed(answer_delay_min, answer_delay_max);
}

void Election::ask(Client& client, Serve serve) {
  carry(client, draw_delay(), [this, &client, serve = std::move(serve)] {
    expire_silent();
    // The servers have acted on it, whether or not the answer arrives.
    carry(client, draw_delay(), [this, &client, answer = serve()] {
      post(client, answer);
      drain(client);
    });
  });
}

void Election::act(Client& client, const election_action::OpenSession&) {
  client.connected = false;
  client.session = 0;
}

void Election::act(Client& client, const election_action::List&) {
  ask(client, [this, &client]() -> ElectionEvent {
    using election_event::Failed;
    if (!path_) return Failed{Failed::Request::list, Failed::Why::no_path, {}};
    const bool lags = world_.now() - changed_at_ < session_ / 4 && world_.random().chance(1, 4);
    if (!lags) return election_event::Listed{names()};
    tell_changed(client, session_ / 4);  // when that server has caught up
    return election_event::Listed{names_before_};
  });
}

void Election::act(Client& client, const election_action::MakePath&) {
  ask(client, [this]() -> ElectionEvent {
    path_ = true;
    return election_event::Created{};
  });
}

void Election::act(Client& client, const election_action::Create&) {
  ask(client, [this, &client, id = client.session]() -> ElectionEvent {
    using election_event::Failed;
    const auto session = sessions_.find(id);
    if (session == sessions_.end()) {
      return Failed{Failed::Request::create, Failed::Why::lost, {}};
    }
    if (session->second.node.empty()) {
      const auto index = std::find(candidates_.begin(), candidates_.end(), client.candidate);
      names_before_ = names();
      changed_at_ = world_.now();
      session->second.node = node_name(id, ++sequence_last_);
      session->second.text =
          encode_member({std::to_string(index - candidates_.begin()), "f:1", "h:1", "1"});
      group_changed();
    }
    return election_event::Created{};
  });
}

void Election::act(Client& client, const election_action::Read& action) {
  ask(client, [this, name = action.name]() -> ElectionEvent {
    const Session* session = with_node(name);
    if (session == nullptr) return election_event::WasRead{name, std::nullopt};
    return election_event::WasRead{name, session->text};
  });
}

void Election::act(Client& client, const election_action::Confirm& action) {
  ask(client, [this, name = action.name, sent = client.host->now().mono]() -> ElectionEvent {
    return election_event::Confirmed{sent, with_node(name) != nullptr};
  });
}

void Election::act(Client& client, const election_action::Elected&) {
  world_.trace(client.candidate->name(), "is elected");
  client.candidate->start();
  if (client.candidate->running()) client.leads = client.candidate->life();
}

/// The process begins anew. Its node goes with it, if it can still say so.
void Election::act(Client& client, const election_action::Deposed& action) {
  world_.trace(client.candidate->name(), "steps down: " + action.reason);
  client.candidate->crash();
  if (client.connected && reaches_most(*client.host) && world_.random().chance(3, 4)) {
    close_session(client.session);
  }
  end(client);
  client.back_at = world_.now() + world_.draw(milliseconds(10), seconds(1));
}

void Election::act(Client& client, const election_action::Changed&) {
  if (client.candidate != nullptr) return;
  const ClusterNode* leader = known_at(*client.host);
  if (leader == nullptr || std::exchange(client.believed, leader) == leader) return;
  if (on_change_) on_change_(*client.host);
}

void Election::act(Client& client, const election_action::Report& action) {
  world_.violation("the elector of " + client.host->name() + " reports " + action.error.message);
}

// --- the ensemble ---

/// Only while most servers work together is anybody's silence noticed.
void Election::expire_silent() {
  const bool works =
      std::any_of(candidates_.begin(), candidates_.end(),
                  [this](const ClusterNode* candidate) { return reaches_most(candidate->host()); });
  if (!works) return;
  std::vector<std::uint64_t> silent;
  for (const auto& [id, session] : sessions_) {
    if (world_.now() - session.heard >= session_) silent.push_back(id);
  }
  for (const std::uint64_t id : silent) close_session(id);
}

void Election::close_session(std::uint64_t session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  const bool member = !found->second.node.empty();
  if (member) {
    names_before_ = names();
    changed_at_ = world_.now();
  }
  sessions_.erase(found);
  if (member) group_changed();
}

void Election::group_changed() {
  for (Client& client : clients_) {
    if (client.core && client.connected) tell_changed(client, Duration{});
  }
}

/// A watch does not outlive its connection.
void Election::tell_changed(Client& client, Duration after) {
  carry(client, after + world_.draw_skewed(answer_delay_min, session_ / 3), [this, &client] {
    post(client, election_event::GroupChanged{});
    drain(client);
  });
}

std::vector<std::string> Election::names() const {
  std::vector<std::pair<std::string, std::string>> by_sequence;
  for (const auto& [id, session] : sessions_) {
    if (session.node.empty()) continue;
    by_sequence.emplace_back(session.node.substr(session.node.rfind('-')), session.node);
  }
  std::sort(by_sequence.begin(), by_sequence.end());
  std::vector<std::string> result;
  for (auto& [sequence, name] : by_sequence) result.push_back(std::move(name));
  return result;
}

const Election::Session* Election::with_node(const std::string& name) const {
  for (const auto& [id, session] : sessions_) {
    if (session.node == name) return &session;
  }
  return nullptr;
}

}  // namespace rm_sim
