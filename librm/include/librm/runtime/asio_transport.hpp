// Messages over sockets: the connections of a core, on an external Asio loop.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/runtime/frame_transport.hpp"
#include "librm/wire/message.hpp"

namespace librm {

/// How a transport's messages become frames; specialised below.
template <class M>
struct TransportCodec;

template <>
struct TransportCodec<Message> {
  static std::string encode(const Message& message, const FrameTransport::Slot& slot) {
    return encode_message(message, slot.channel, slot.request_id, slot.epoch);
  }
  static Result<Message> decode(const Frame& frame) {
    return decode_message(frame.header, frame.payload);
  }
};

/// Agent and shepherd have one session per socket, so there are no channels and no epochs.
template <>
struct TransportCodec<ShepherdMessage> {
  static std::string encode(const ShepherdMessage& message, const FrameTransport::Slot& slot) {
    return encode_shepherd_message(message, slot.request_id);
  }
  static Result<ShepherdMessage> decode(const Frame& frame) {
    return decode_shepherd_message(frame.header, frame.payload);
  }
};

/// A FrameTransport that speaks messages of one kind. A message that cannot be decoded (unknown
/// number or version, damaged payload) closes its session and no other.
template <class M>
class BasicTransport {
 public:
  struct Callbacks {
    std::function<void(ConnectionId)> on_connected;  ///< a peer has opened a session
    std::function<void(ConnectionId, M)> on_received;
    /// Not after close(). Says nothing about the peer's health.
    std::function<void(ConnectionId, const std::string& reason)> on_closed;
    std::function<void(const std::string& peer, const std::string& reason)> on_bad_peer;
  };

  BasicTransport(asio::io_context& io, TransportOptions options, Callbacks callbacks)
      : frames_(io, options, adapt(std::move(callbacks))) {}

  void send(ConnectionId connection, const M& message) {
    frames_.send(connection, [&message](const FrameTransport::Slot& slot) {
      return TransportCodec<M>::encode(message, slot);
    });
  }

  /// Everything else: listening, connecting, channels, closing.
  FrameTransport& frames() { return frames_; }
  const FrameTransport& frames() const { return frames_; }

 private:
  static FrameTransport::Callbacks adapt(Callbacks callbacks) {
    FrameTransport::Callbacks adapted;
    adapted.on_connected = std::move(callbacks.on_connected);
    adapted.on_closed = std::move(callbacks.on_closed);
    adapted.on_bad_peer = std::move(callbacks.on_bad_peer);
    adapted.on_frame = [deliver = std::move(callbacks.on_received)](
                           ConnectionId connection, const Frame& frame) -> Result<void> {
      Result<M> message = TransportCodec<M>::decode(frame);
      if (!message) return tl::unexpected<Error>(std::move(message.error()));
      if (deliver) deliver(connection, std::move(*message));
      return {};
    };
    return adapted;
  }

  FrameTransport frames_;
};

using Transport = BasicTransport<Message>;
using ShepherdTransport = BasicTransport<ShepherdMessage>;

}  // namespace librm
