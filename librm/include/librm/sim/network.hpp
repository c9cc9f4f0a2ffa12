// The simulated network: connections as the real transport has them, with what can go wrong.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/message.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/sequencer.hpp"

namespace librm::sim {

class Host;
class Node;
class World;

/// Chances are in parts of a million, per frame.
struct NetworkOptions {
  Duration delay_min = microseconds(50);
  Duration delay_max = milliseconds(50);
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::uint32_t reorder_ppm = 0;
  std::uint32_t corrupt_ppm = 0;  ///< a flipped bit
  std::uint32_t reset_ppm = 0;    ///< the connection breaks in the middle of the frame
  Duration connect_timeout = seconds(3);
  Duration break_min = seconds(2);  ///< how long an end waits for a peer that is cut off
  Duration break_max = seconds(30);
};

/// Every message is encoded into a real frame and decoded at the other end by the production
/// reader and sequencer, so a lost frame becomes a gap and a gap a closed connection. Without
/// faults a connection delivers in order. When an end closes, or its process ends, the other hears
/// of it after what was sent before; when its host loses power, nobody tells.
class Network {
 public:
  using Connected = std::function<void(std::optional<ConnectionId>)>;

  explicit Network(World& world) : world_(world) {}

  void set_options(const NetworkOptions& options) { options_ = options; }
  const NetworkOptions& options() const { return options_; }

  /// Calls back, in the same life of `from`, with its number of the connection, or with nothing.
  void connect(Node& from, Node& to, Connected done);
  void send(Node& from, ConnectionId connection, const Message& message);
  void close(Node& from, ConnectionId connection);
  /// Whom a node talks to there; nullptr where the connection is closed.
  const Node* peer(const Node& node, ConnectionId connection) const;

  /// Nothing passes from one host to the other until unblock(); the other way is not touched.
  void block(Host& from, Host& to);
  void unblock(Host& from, Host& to);
  bool passes(const Host& from, const Host& to) const { return !blocks_.contains({&from, &to}); }
  /// Everything on the way between two hosts takes so much longer.
  void clog(Host& from, Host& to, Duration extra);
  /// No blocks, no clogs, no losses.
  void heal();

  void process_ended(Node& node);
  std::uint64_t frames() const { return frames_; }

 private:
  struct End {
    Node* node = nullptr;
    std::uint64_t life = 0;
    ConnectionId id;
    bool open = true;
    Sequencer sequencer;
    FrameReader reader;               // of what comes in
    Instant last_arrival;             // of what was sent from here
    std::deque<std::string> stalled;  // sent from here, held up by a block; "" is the end
    bool peer_told = false;           // the end was sent
    bool silent = false;              // its host lost power: what was on its way is gone
    bool impatient = false;           // a timer runs that breaks this end
  };
  struct Connection {
    End ends[2];
  };
  using Handle = std::shared_ptr<Connection>;
  using Ends = std::map<ConnectionId, std::pair<Handle, int>>;
  using Way = std::pair<const Host*, const Host*>;

  bool blocked(const Connection& connection, int from) const;
  void transmit(const Handle& connection, int from, std::string bytes, bool in_order);
  void arrive(const Handle& connection, int from, std::string bytes);
  void read(const Handle& connection, int to, std::string_view bytes);
  bool take(const Handle& connection, int to, const Frame& frame);
  /// Closes one end; the other hears of it after what was sent before, if `tell_peer`.
  void hang_up(const Handle& connection, int end, bool tell_owner, bool tell_peer);
  void hold_up(const Handle& connection, int from, std::string bytes);
  void start_patience(const Handle& connection, int end);
  void release();
  Duration delay(const Connection& connection, int from);

  World& world_;
  NetworkOptions options_;
  // Maps with pointers as keys are asked, never walked: their order is not the seed's.
  std::set<Way> blocks_;
  std::map<Way, Duration> clogs_;
  std::map<const Node*, Ends> ends_;
  std::vector<std::pair<std::weak_ptr<Connection>, int>> held_up_;
  std::uint64_t frames_ = 0;
};

}  // namespace librm::sim
