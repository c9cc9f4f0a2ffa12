// One connected stream socket that carries frames: bounded reading, coalesced and bounded writing.
#pragma once

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/wire/frame.hpp"

namespace librm::detail {

using StreamSocket = asio::generic::stream_protocol::socket;

/// Held by shared_ptr; its own operations keep it alive until the socket is closed. All calls and
/// callbacks are on the io_context's thread.
class SocketLink : public std::enable_shared_from_this<SocketLink> {
 public:
  /// Hears of what comes in. Not called any more after finish() or abort().
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_frame(SocketLink& link, const Frame& frame) = 0;
    /// The socket is closed. `bad_peer`: because of what the peer sent, or did not read.
    virtual void on_lost(SocketLink& link, const std::string& reason, bool bad_peer) = 0;
  };

  struct Limits {
    std::uint32_t payload_max;
    std::size_t outgoing_bytes_max;
    Duration linger;
  };

  SocketLink(StreamSocket socket, std::string peer, bool accepted, Limits limits, Owner& owner);

  /// Begins to read.
  void start();
  /// Calls on_lost unless a session has been opened by then.
  void expect_session_within(Duration time);
  /// Queues a frame; everything queued within one turn of the loop leaves in one write.
  void append(std::string_view frame);
  /// Writes what is queued and waits for the peer to close, for at most `linger`; what comes in
  /// meanwhile is dropped.
  void finish();
  /// Closes at once; what is queued is lost.
  void abort();

  bool open() const { return state_ == State::open; }
  bool accepted() const { return accepted_; }
  const std::string& peer() const { return peer_; }

  std::map<std::uint32_t, ConnectionId> channels;  ///< live sessions; kept by the owner
  std::uint32_t channel_next = 0;                  ///< for the side that connected

 private:
  enum class State { open, finishing, closed };

  void read();
  void on_read(std::size_t size);
  void on_read_while_finishing(const asio::error_code& error);
  void take_frames();
  void flush_soon();
  void write();
  void lose(const std::string& reason, bool bad_peer);
  void lose_soon(std::string reason);
  void close_socket();

  StreamSocket socket_;
  std::string peer_;
  bool accepted_;
  Limits limits_;
  Owner* owner_;
  State state_ = State::open;
  FrameReader reader_;
  std::size_t read_size_;
  std::string outgoing_;  // grows while `writing_` is on its way
  std::string writing_;
  bool flush_posted_ = false;
  bool overflowed_ = false;
  asio::steady_timer timer_;
};

}  // namespace librm::detail
