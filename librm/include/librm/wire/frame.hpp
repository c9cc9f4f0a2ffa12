// Frames: how messages are cut out of a byte stream, bounded and checked before they are believed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "librm/base/config.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"

namespace librm {

inline constexpr std::uint32_t frame_magic = 0x31464d52;  ///< the bytes `RMF1`
inline constexpr std::uint8_t frame_header_version = 1;
inline constexpr std::size_t frame_header_size = 32;
/// Default bound for a payload, in bytes; what is larger is refused before memory is reserved.
inline constexpr std::uint32_t frame_payload_max = 16u << 20;

/// Fixed header before each payload. On the wire, little-endian, offset and type:
///
///      0 magic u32       8 message version u16    16 crc32c u32
///      4 version u8     10 oldest reader u16      20 channel u32
///      5 flags u8       12 payload size u32       24 request id u32
///      6 number u16                               28 epoch u32
///
/// The checksum covers the header, with its own four bytes zero, and the payload.
struct FrameHeader {
  std::uint8_t flags = 0;           ///< none defined; a reader refuses what it does not know
  std::uint16_t number = 0;         ///< message number, from the append-only registry
  std::uint16_t version = 1;        ///< of the message, as its writer knows it
  std::uint16_t oldest_reader = 1;  ///< the lowest version that may read it
  std::uint32_t payload_size = 0;   ///< bytes
  std::uint32_t channel = 0;        ///< the session within the connection
  std::uint32_t request_id = 0;     ///< counts frames of one direction from 1, see Sequencer
  Epoch epoch = 0;                  ///< of the leader that is speaking or spoken to
  bool operator==(const FrameHeader&) const = default;
};

/// The header's bytes for this payload. `payload_size` is taken from the payload.
/// Precondition, checked: the payload has at most 2^32 - 1 bytes.
LIBRM_DECL std::array<char, frame_header_size> encode_header(const FrameHeader& header,
                                                             std::string_view payload);

/// Header and payload as one string; `payload_size` is taken from the payload.
LIBRM_DECL std::string encode_frame(const FrameHeader& header, std::string_view payload);

/// For writers that encode in place: `frame` holds 32 bytes of anything and then the payload;
/// writes the header over the first 32 bytes.
LIBRM_DECL void seal_frame(std::string& frame, const FrameHeader& header);

/// One complete, checked frame. The payload points into the reader.
struct Frame {
  FrameHeader header;
  std::string_view payload;
};

/// Cuts a byte stream into frames. It holds at most one incomplete frame beside what was fed
/// since next() last came back empty, and grows with received bytes, never with claimed ones.
/// After an error it stays failed: a stream that lost its place cannot find it again, so the
/// owner closes the connection. Not thread-safe.
///
///     reader.feed(bytes);
///     for (;;) {
///       Result<std::optional<Frame>> frame = reader.next();
///       if (!frame) return close(frame.error());
///       if (!*frame) break;
///       handle(**frame);
///     }
class FrameReader {
 public:
  explicit FrameReader(std::uint32_t payload_max = frame_payload_max) : payload_max_(payload_max) {}

  /// Takes bytes from the stream, in any portions. Ends the life of payloads given out before.
  void feed(std::string_view bytes);

  /// For owners that read straight into the buffer: room for `size` bytes, then how many of them
  /// were filled. Both end the life of payloads given out before.
  std::span<char> prepare(std::size_t size);
  void commit(std::size_t size);

  /// The next complete frame, or nothing where more bytes are needed. The payload lives until the
  /// next feed() or prepare(). Fails with `corrupt` (magic, checksum), `unsupported` (header
  /// version, flags) or `resource_exhausted` (payload size); the message has limit and amount.
  Result<std::optional<Frame>> next();

  /// Bytes taken but not given out; at the end of a stream anything but 0 is a truncated frame.
  std::size_t pending() const { return filled_ - consumed_; }

 private:
  Result<std::optional<Frame>> refuse(ErrorCode code, std::string message);

  std::uint32_t payload_max_;
  std::string buffer_;  // bytes [consumed_, filled_) wait; the rest is room
  std::size_t consumed_ = 0;
  std::size_t filled_ = 0;
  std::optional<Error> error_;
};

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/wire/impl/frame.ipp"
#endif
