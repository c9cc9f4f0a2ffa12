// Frames over TCP and Unix sockets: many sessions on few sockets, nothing unbounded, no threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/wire/frame.hpp"

namespace asio {
class io_context;
}

namespace librm {

/// Not a message: the end of one channel, with the reason as text. It is numbered in order with
/// the channel's frames and is the last of them.
inline constexpr std::uint16_t channel_end_number = 0;

struct TransportOptions {
  std::uint32_t payload_max = frame_payload_max;  ///< bytes, of frames that come in
  std::size_t outgoing_bytes_max = 64u << 20;     ///< a socket that lets more wait is closed
  std::size_t sockets_max = 16'384;               ///< accepted and live at one time
  std::size_t channels_max = 100'000;             ///< live sessions of one accepted socket
  Duration connect_timeout = seconds(5);
  Duration first_message_timeout = seconds(30);  ///< of an accepted socket
  Duration linger = seconds(5);                  ///< for what is queued at close()
};

/// Carries sessions: each is one channel of one socket and has one ConnectionId, which is never
/// used again. A session delivers a prefix of what was sent, in order, once. The side that
/// connected numbers the channels; a channel begins with its first frame.
///
/// What a peer does wrong ends as little as possible: a message that cannot be understood its
/// session, a byte stream that lost its place its socket. Other sockets never notice.
///
/// Runs on an external io_context, which must outlive it; calls and callbacks are on its thread.
/// Nothing is called back from within a call, except on_frame's consequences from on_frame.
class FrameTransport {
 public:
  struct Callbacks {
    /// A peer has opened a session; its first frame follows at once.
    std::function<void(ConnectionId)> on_connected;
    /// An error closes the session, and on_closed says so. The payload lives during the call.
    std::function<Result<void>(ConnectionId, const Frame&)> on_frame;
    /// The session is over, and not because of close().
    std::function<void(ConnectionId, const std::string& reason)> on_closed;
    /// For the log: a peer broke the rules, and this was done about it.
    std::function<void(const std::string& peer, const std::string& reason)> on_bad_peer;
  };
  using OnOpened = std::function<void(Result<ConnectionId>)>;

  /// The ids given out begin with 2: an embedder may keep 1 for a session of its own.
  FrameTransport(asio::io_context& io, TransportOptions options, Callbacks callbacks);
  /// Closes everything at once, without callbacks. Not from within a callback.
  ~FrameTransport();
  FrameTransport(const FrameTransport&) = delete;
  FrameTransport& operator=(const FrameTransport&) = delete;

  /// Accepts sessions at a numeric address; port 0 picks a free one. Returns the port. Fails with
  /// already_exists where the port is taken, else with io_error or invalid_argument.
  Result<std::uint16_t> listen_tcp(const std::string& address, std::uint16_t port);
  /// Replaces a socket that lies there; mode 0600. Paths may be longer than the kernel's 107 bytes.
  Result<void> listen_unix(const std::string& path);
  void stop_listening();

  /// Opens a socket and a session on it; the answer comes later, once: `unavailable` where nobody
  /// listens, deadline_exceeded after connect_timeout.
  void connect_tcp(const std::string& host, std::uint16_t port, OnOpened on_opened);
  void connect_unix(const std::string& path, OnOpened on_opened);
  /// One more session on the socket of a live session that was opened from here.
  Result<ConnectionId> open_channel(ConnectionId beside);

  /// What the sender of a frame writes into its header.
  struct Slot {
    std::uint32_t channel = 0;
    std::uint32_t request_id = 0;
    Epoch epoch = 0;
  };
  /// `encode` makes the frame; it is called at once, unless the session is gone.
  void send(ConnectionId connection, const std::function<std::string(const Slot&)>& encode);
  /// After what is queued. With the last session of a socket the socket closes. No on_closed.
  void close(ConnectionId connection, const std::string& reason);
  /// Stops listening and closes all sessions as close() does.
  void close_all(const std::string& reason);

  /// Stamped on every frame from now on.
  void set_epoch(Epoch epoch);
  /// The peer's address, for messages; empty where the session is gone.
  std::string peer(ConnectionId connection) const;
  std::size_t sessions() const;
  std::size_t sockets() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm
