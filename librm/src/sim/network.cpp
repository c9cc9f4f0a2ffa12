// Bodies of the simulated network.
#include "librm/sim/network.hpp"

#include <algorithm>
#include <utility>

#include "librm/sim/describe.hpp"
#include "librm/sim/host.hpp"
#include "librm/sim/node.hpp"
#include "librm/sim/world.hpp"
#include "librm/wire/message.hpp"

namespace librm::sim {

namespace {

constexpr std::uint64_t million = 1'000'000;

}  // namespace

bool Network::blocked(const Connection& connection, int from) const {
  const Way way{&connection.ends[from].node->host(), &connection.ends[1 - from].node->host()};
  return blocks_.contains(way);
}

Duration Network::delay(const Connection& connection, int from) {
  const Way way{&connection.ends[from].node->host(), &connection.ends[1 - from].node->host()};
  Duration time = world_.draw_skewed(options_.delay_min, options_.delay_max);
  if (auto clog = clogs_.find(way); clog != clogs_.end()) time = time + clog->second;
  return time;
}

void Network::connect(Node& from, Node& to, Connected done) {
  const bool passes = !blocks_.contains({&from.host(), &to.host()}) &&
                      !blocks_.contains({&to.host(), &from.host()}) && to.host().up();
  const Duration time = passes ? world_.draw_skewed(options_.delay_min, options_.delay_max) * 2
                               : options_.connect_timeout;
  from.after(time, [this, &from, &to, passes, done = std::move(done)] {
    if (!passes || !to.running() || world_.rarely("refused connection")) {
      return done(std::nullopt);
    }
    auto connection = std::make_shared<Connection>();
    Node* nodes[2] = {&from, &to};
    for (int i = 0; i < 2; ++i) {
      End& end = connection->ends[i];
      end.node = nodes[i];
      end.life = nodes[i]->life();
      end.id = nodes[i]->next_connection();
      end.last_arrival = world_.now();
      ends_[nodes[i]][end.id] = {connection, i};
    }
    to.on_connection(connection->ends[1].id);
    done(connection->ends[0].id);
  });
}

void Network::send(Node& from, ConnectionId id, const Message& message) {
  const auto found = ends_[&from].find(id);
  if (found == ends_[&from].end()) return;  // closed meanwhile: as bytes into a dead socket
  const auto [connection, side] = found->second;
  End& end = connection->ends[side];
  const std::uint32_t number = end.sequencer.next_to_send();
  std::string bytes = encode_message(message, 0, number, from.epoch(), from.dialect());
  ++frames_;
  world_.mix(bytes);
  if (world_.tracing()) {
    world_.trace(from.name(),
                 "-> " + connection->ends[1 - side].node->name() + " " + describe(message));
  }
  Prng& random = world_.random();
  if (random.chance(options_.loss_ppm, million)) {
    world_.trace(from.name(), "   (that frame is lost)");
    return;
  }
  if (random.chance(options_.corrupt_ppm, million)) {
    const std::size_t at = random.below(bytes.size());
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    world_.trace(from.name(), "   (with a flipped bit)");
  }
  if (random.chance(options_.reset_ppm, million)) {
    bytes.resize(random.below(bytes.size()));
    world_.trace(from.name(), "   (the connection breaks in this frame)");
    if (!bytes.empty()) transmit(connection, side, std::move(bytes), true);
    return hang_up(connection, side, true, true);
  }
  if (random.chance(options_.duplicate_ppm, million)) transmit(connection, side, bytes, true);
  const bool in_order = !random.chance(options_.reorder_ppm, million);
  if (in_order && bytes.size() > 1 && world_.rarely("frame in two pieces")) {
    const std::size_t at = 1 + random.below(bytes.size() - 1);
    transmit(connection, side, bytes.substr(0, at), true);
    bytes.erase(0, at);
  }
  transmit(connection, side, std::move(bytes), in_order);
}

void Network::transmit(const Handle& connection, int from, std::string bytes, bool in_order) {
  End& end = connection->ends[from];
  Instant arrival = world_.now() + delay(*connection, from);
  if (in_order) {
    arrival = std::max(arrival, end.last_arrival + nanoseconds(1));
    end.last_arrival = arrival;
  }
  world_.at(arrival, [this, connection, from, bytes = std::move(bytes)]() mutable {
    arrive(connection, from, std::move(bytes));
  });
  // No acknowledgements come back: the sender will give up some time.
  if (end.open && blocked(*connection, 1 - from)) start_patience(connection, from);
}

void Network::arrive(const Handle& connection, int from, std::string bytes) {
  if (connection->ends[from].silent) return;
  if (!connection->ends[from].stalled.empty() || blocked(*connection, from)) {
    return hold_up(connection, from, std::move(bytes));
  }
  End& target = connection->ends[1 - from];
  if (!target.open) return;
  if (bytes.empty()) return hang_up(connection, 1 - from, true, false);
  read(connection, 1 - from, bytes);
}

void Network::hold_up(const Handle& connection, int from, std::string bytes) {
  End& end = connection->ends[from];
  if (end.stalled.empty()) held_up_.emplace_back(connection, from);
  end.stalled.push_back(std::move(bytes));
  if (end.open) start_patience(connection, from);
}

void Network::start_patience(const Handle& connection, int end) {
  if (std::exchange(connection->ends[end].impatient, true)) return;
  world_.after(world_.draw(options_.break_min, options_.break_max), [this, connection, end] {
    connection->ends[end].impatient = false;
    if (!connection->ends[end].open) return;
    if (blocked(*connection, 0) || blocked(*connection, 1)) hang_up(connection, end, true, true);
  });
}

/// After an unblock: what was held up goes on, in order.
void Network::release() {
  auto held_up = std::exchange(held_up_, {});
  for (auto& [weak, from] : held_up) {
    const Handle connection = weak.lock();
    if (!connection) continue;
    if (blocked(*connection, from)) {
      held_up_.emplace_back(weak, from);
      continue;
    }
    // At once, so that it stays ahead of what is in flight behind it.
    for (std::string& bytes : std::exchange(connection->ends[from].stalled, {})) {
      world_.after(Duration{}, [this, handle = connection, side = from, bytes = std::move(bytes)] {
        arrive(handle, side, bytes);
      });
    }
  }
}

void Network::read(const Handle& connection, int to, std::string_view bytes) {
  // The node may close the connection while it reads, so that the end's own reader stays.
  End& end = connection->ends[to];
  end.reader.feed(bytes);
  while (end.open) {
    Result<std::optional<Frame>> frame = end.reader.next();
    if (!frame) {
      world_.trace(end.node->name(), "<- " + frame.error().message);
      return hang_up(connection, to, true, true);
    }
    if (!*frame) return;
    if (!take(connection, to, **frame)) return;
  }
}

bool Network::take(const Handle& connection, int to, const Frame& frame) {
  End& end = connection->ends[to];
  switch (end.sequencer.on_received(frame.header.request_id)) {
    case Sequencer::Verdict::duplicate:
      return true;
    case Sequencer::Verdict::gap:
      world_.trace(end.node->name(),
                   "<- a gap before frame " + std::to_string(frame.header.request_id));
      hang_up(connection, to, true, true);
      return false;
    case Sequencer::Verdict::deliver:
      break;
  }
  Result<Message> message = decode_message(frame.header, frame.payload, end.node->dialect());
  if (!message) {
    world_.violation(end.node->name() + " cannot read a message: " + message.error().message);
    return false;
  }
  if (world_.tracing()) {
    world_.trace(end.node->name(),
                 "<- " + connection->ends[1 - to].node->name() + " " + describe(*message));
  }
  end.node->on_message(end.id, std::move(*message));
  return true;
}

void Network::hang_up(const Handle& connection, int side, bool tell_owner, bool tell_peer) {
  End& end = connection->ends[side];
  if (!end.open) return;
  end.open = false;
  ends_[end.node].erase(end.id);
  if (tell_peer && !std::exchange(end.peer_told, true)) transmit(connection, side, "", true);
  if (tell_owner && end.node->running() && end.node->life() == end.life) {
    world_.trace(end.node->name(), "connection " + to_string(end.id) + " to " +
                                       connection->ends[1 - side].node->name() + " is closed");
    end.node->on_closed(end.id);
  }
}

void Network::close(Node& from, ConnectionId id) {
  const auto found = ends_[&from].find(id);
  if (found == ends_[&from].end()) return;
  const auto [connection, side] = found->second;
  hang_up(connection, side, false, true);
}

const Node* Network::peer(const Node& node, ConnectionId id) const {
  const auto ends = ends_.find(&node);
  if (ends == ends_.end()) return nullptr;
  const auto found = ends->second.find(id);
  if (found == ends->second.end()) return nullptr;
  return found->second.first->ends[1 - found->second.second].node;
}

void Network::process_ended(Node& node) {
  const Ends ends = std::exchange(ends_[&node], {});
  for (const auto& [id, place] : ends) {
    const auto& [connection, side] = place;
    if (node.host().up()) {
      hang_up(connection, side, false, true);
    } else {
      // Nobody is left to say it: the peer finds out when its patience or the cable's ends.
      connection->ends[side].silent = true;
      hang_up(connection, side, false, false);
      world_.after(world_.draw(options_.break_min, options_.break_max),
                   [this, connection = connection, other = 1 - side] {
                     hang_up(connection, other, true, false);
                   });
    }
  }
}

void Network::block(Host& from, Host& to) {
  world_.trace(from.name(), "cannot reach " + to.name());
  blocks_.insert({&from, &to});
}

void Network::unblock(Host& from, Host& to) {
  world_.trace(from.name(), "can reach " + to.name() + " again");
  blocks_.erase({&from, &to});
  release();
}

void Network::clog(Host& from, Host& to, Duration extra) {
  world_.trace(from.name(), "to " + to.name() + " takes " + std::to_string(to_ms(extra)) + " ms");
  if (extra > Duration{}) {
    clogs_[{&from, &to}] = extra;
  } else {
    clogs_.erase({&from, &to});
  }
}

void Network::heal() {
  blocks_.clear();
  clogs_.clear();
  options_.loss_ppm = options_.duplicate_ppm = options_.reorder_ppm = 0;
  options_.corrupt_ppm = options_.reset_ppm = 0;
  world_.trace("network", "heals");
  release();
}

}  // namespace librm::sim
