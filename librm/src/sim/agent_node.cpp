// Bodies of the simulated agent process.
#include "librm/sim/agent_node.hpp"

#include <utility>
#include <variant>

#include "librm/sim/describe.hpp"
#include "librm/sim/network.hpp"

namespace librm::sim {

namespace {

constexpr Duration socket_delay = microseconds(30);

}  // namespace

AgentNode::AgentNode(World& world, Host& host, std::string name, Disk& disk, Shepherd& shepherd,
                     AgentOptions options, FindMaster find_master)
    : CoreNode(world, host, std::move(name), disk),
      shepherd_(shepherd),
      options_(std::move(options)),
      find_master_(std::move(find_master)) {
  host.on_crash([&disk] { disk.host_crash(); });
}

std::unique_ptr<AgentCore> AgentNode::make_core() const {
  AgentOptions options = options_;
  options.incarnation = host().incarnation();
  options.seed = options_.seed + life();
  return std::make_unique<AgentCore>(std::move(options), world().sink());
}

void AgentNode::on_start() {
  stopped_.reset();
  CoreNode::on_start();
  reach_shepherd(milliseconds(1));
}

void AgentNode::on_crash() {
  CoreNode::on_crash();
  ++shepherd_session_;
  if (shepherd_.running()) shepherd_.detach();
  master_connection_.reset();
}

/// Connects, and starts a shepherd where there is none.
void AgentNode::reach_shepherd(Duration delay) {
  after(delay, [this] {
    shepherd_.start();
    const std::uint64_t session = ++shepherd_session_;
    shepherd_.attach(
        [this, session](ShepherdMessage message) {
          after(socket_delay, [this, session, message = std::move(message)] {
            if (session != shepherd_session_) return;
            if (world().tracing()) trace("<- " + describe(message));
            post(FromShepherd{message});
          });
        },
        [this] {
          after(socket_delay, [this] {
            ++shepherd_session_;
            post(ShepherdLost{});
            reach_shepherd(world().draw_skewed(milliseconds(5), seconds(2)));
          });
        });
    if (world().rarely("shepherd goes on as another program")) {
      after(world().draw_skewed(milliseconds(1), seconds(5)), [this, session] {
        if (session == shepherd_session_) shepherd_.receive(UpgradeShepherd{"rm-shepherd"});
      });
    }
  });
}

void AgentNode::perform(AgentOutput output) {
  std::visit([this](auto&& what) { act(std::move(what)); }, std::move(output));
}

void AgentNode::act(ConnectMaster&&) {
  Node* leader = find_master_();
  if (leader == nullptr) {
    return after(milliseconds(1), [this] { post(MasterUnavailable{"no leader is known"}); });
  }
  world().network().connect(*this, *leader, [this](std::optional<ConnectionId> connection) {
    if (connection) {
      newest_connection_ = *connection;
      post(MasterConnected{*connection});
    } else {
      post(MasterUnavailable{"nobody answers"});
    }
  });
}

void AgentNode::act(Send&& send) { world().network().send(*this, send.connection, send.message); }

void AgentNode::act(Close&& close) {
  if (master_connection_ == close.connection) master_connection_.reset();
  trace("closes " + to_string(close.connection) + ": " + close.reason);
  world().network().close(*this, close.connection);
}

void AgentNode::act(ToShepherd&& to) {
  after(socket_delay, [this, session = shepherd_session_, message = std::move(to.message)] {
    if (session == shepherd_session_) shepherd_.receive(message);
  });
}

void AgentNode::act(StopAgent&& stop) {
  trace("stops: " + stop.error.message);
  stopped_ = std::move(stop.error);
  after(Duration{}, [this] { crash(); });
}

void AgentNode::on_message(ConnectionId connection, Message message) {
  const auto* registered = std::get_if<AgentRegistered>(&message);
  if (registered != nullptr && connection == newest_connection_) {  // else the core ignores it
    master_connection_ = connection;
    master_epoch_ = registered->epoch;
  }
  post(Received{connection, std::move(message)});
}

void AgentNode::on_closed(ConnectionId connection) {
  if (master_connection_ == connection) master_connection_.reset();
  post(Closed{connection});
}

const Node* AgentNode::master() const {
  return master_connection_ ? world().network().peer(*this, *master_connection_) : nullptr;
}

}  // namespace librm::sim
