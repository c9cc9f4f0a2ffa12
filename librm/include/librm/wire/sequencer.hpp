// What makes a connection deliver a prefix of what was sent, in order, once, on any transport.
#pragma once

#include <cstdint>

namespace librm {

/// Numbers the frames of one connection, each direction for itself, from 1; the number travels as
/// the frame's request id. It wraps after 2^32 frames: what lies up to 2^31 ahead is a gap, what
/// lies behind a duplicate. A value, without I/O; not thread-safe.
class Sequencer {
 public:
  enum class Verdict : std::uint8_t {
    deliver,    ///< the next one
    duplicate,  ///< already seen: drop the frame
    gap,        ///< something before it is missing: close the connection
  };

  /// The request id for the next frame to send.
  std::uint32_t next_to_send() { return ++last_sent_; }

  /// What to do with a frame that came with this request id. After `gap` the state is unchanged,
  /// so every later frame is a gap or a duplicate, too.
  Verdict on_received(std::uint32_t request_id) {
    const std::uint32_t ahead = request_id - last_received_;  // modulo 2^32, as intended
    if (ahead == 1) {
      last_received_ = request_id;
      return Verdict::deliver;
    }
    return ahead == 0 || ahead > 0x8000'0000u ? Verdict::duplicate : Verdict::gap;
  }

  std::uint32_t last_sent() const { return last_sent_; }          ///< 0: none yet
  std::uint32_t last_received() const { return last_received_; }  ///< 0: none yet

 private:
  std::uint32_t last_sent_ = 0;
  std::uint32_t last_received_ = 0;
};

}  // namespace librm
