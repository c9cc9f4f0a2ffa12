// A simulated process: it starts, crashes, stalls, and talks over the simulated network.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/message.hpp"
#include "librm/wire/dialect.hpp"

namespace librm::sim {

class Host;
class World;

/// What is asked of a node later dies with the process that asked: a restart is a new life.
class Node {
 public:
  Node(World& world, Host& host, std::string name);
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  World& world() const { return world_; }
  Host& host() const { return host_; }
  const std::string& name() const { return name_; }
  bool running() const { return running_; }
  /// Counts starts.
  std::uint64_t life() const { return life_; }

  /// As whose version this life speaks, drawn at its start; see World::set_mixed_versions().
  Dialect dialect() const { return dialect_; }
  void set_dialect(Dialect dialect) { dialect_ = dialect; }

  /// Nothing happens where it runs already, or its host has no power.
  void start();
  /// kill -9.
  void crash();
  /// The process gets no processor for so long; the world goes on.
  void stall(Duration time);
  bool stalled() const;

  /// Of the leader that this process is; 0 where it is none.
  virtual Epoch epoch() const { return 0; }

  // --- called by the network and the host ---

  virtual void on_connection(ConnectionId) {}  ///< somebody connected to this node
  virtual void on_message(ConnectionId, Message) {}
  virtual void on_closed(ConnectionId) {}
  virtual void on_clock_step() {}
  /// A number for a new connection of this life.
  ConnectionId next_connection() { return {++last_connection_}; }

  /// Drops the action where the process has ended meanwhile.
  void after(Duration delay, std::function<void()> action);

 protected:
  virtual void on_start() = 0;
  virtual void on_crash() = 0;
  /// As after(), but not while the process is stalled: for what its own thread does.
  void on_loop(Duration delay, std::function<void()> action);
  void trace(const std::string& fact) const;

 private:
  World& world_;
  Host& host_;
  std::string name_;
  bool running_ = false;
  std::uint64_t life_ = 0;
  Dialect dialect_ = Dialect::current;
  Instant stalled_until_;
  std::uint64_t last_connection_ = 1;  // 1 is for connections inside a process
};

}  // namespace librm::sim
