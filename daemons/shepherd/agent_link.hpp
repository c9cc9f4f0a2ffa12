// The shepherd's end of the socket: one agent at a time, frames in, frames out, never blocking.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/sequencer.hpp"
#include "shepherd/descriptor.hpp"

namespace librm::shepherd {

/// Registers its descriptors with the owner's epoll under the two tokens. Not thread-safe.
class AgentLink {
 public:
  struct Tokens {
    std::uint64_t listener;
    std::uint64_t connection;
  };

  /// Replaces a socket that is left at `path`; the caller holds the lock that says it is dead.
  static Result<AgentLink> listen(const std::string& path, int epoll, Tokens tokens);
  AgentLink(AgentLink&&) = default;
  AgentLink& operator=(AgentLink&&) = delete;
  ~AgentLink() = default;

  /// Takes waiting connections of the same user or root; the newest replaces what was there.
  /// True where there is a new one.
  bool accept();
  /// Appends what has arrived. An error, also the end of the stream, has closed the connection.
  Result<void> receive(std::vector<ShepherdMessage>& messages);
  /// Queues the message and writes what the socket takes. Ignored without a connection.
  void send(const ShepherdMessage& message);
  /// Goes on writing after the socket was full.
  void flush();
  void close();

  bool connected() const { return static_cast<bool>(connection_); }
  /// Bytes that the agent has not taken yet; the owner sends no more while they are many.
  std::size_t unsent_bytes() const { return outgoing_.size() - written_; }

 private:
  AgentLink(Descriptor listener, int epoll, Tokens tokens)
      : listener_(std::move(listener)), epoll_(epoll), tokens_(tokens) {}

  void open(Descriptor connection);
  void want_writable(bool wanted);
  Result<void> take_frames(std::vector<ShepherdMessage>& messages);

  Descriptor listener_;
  int epoll_;
  Tokens tokens_;
  Descriptor connection_;
  FrameReader reader_;
  Sequencer sequencer_;
  std::string outgoing_;
  std::size_t written_ = 0;
  bool writable_wanted_ = false;
};

}  // namespace librm::shepherd
