// Frames, checksums and the numbering of a connection.
#include "librm/wire/frame.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "librm/base/prng.hpp"
#include "librm/wire/crc32c.hpp"
#include "librm/wire/sequencer.hpp"

namespace librm {
namespace {

std::string random_bytes(Prng& prng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(prng.next());
  return bytes;
}

FrameHeader some_header() {
  FrameHeader header;
  header.number = 0x0102;
  header.version = 3;
  header.oldest_reader = 2;
  header.channel = 0x0a0b0c0d;
  header.request_id = 7;
  header.epoch = 9;
  return header;
}

std::vector<Frame> drain(FrameReader& reader) {
  std::vector<Frame> frames;
  for (;;) {
    Result<std::optional<Frame>> frame = reader.next();
    EXPECT_TRUE(frame.has_value()) << frame.error().message;
    if (!frame || !*frame) return frames;
    frames.push_back(**frame);
  }
}

TEST(Crc32c, KnownValues) {  // RFC 3720 B.4
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST(Crc32c, InstructionAndTablesAgreeAtEveryLengthAndOffset) {
  if (!detail::crc32c_has_instruction()) GTEST_SKIP() << "this processor has no SSE 4.2";
  Prng prng(1);
  const std::string bytes = random_bytes(prng, 300);
  for (std::size_t offset = 0; offset < 9; ++offset) {
    for (std::size_t size = 0; size + offset <= bytes.size(); ++size) {
      const std::string_view part = std::string_view(bytes).substr(offset, size);
      ASSERT_EQ(detail::crc32c_by_table(part, 5), detail::crc32c_by_instruction(part, 5));
    }
  }
}

TEST(Crc32c, ContinuesWhereAnotherEnded) {
  EXPECT_EQ(crc32c("6789", crc32c("12345")), crc32c("123456789"));
}

TEST(Frame, HeaderHasItsGoldenBytes) {
  const auto bytes = encode_header(some_header(), "abc");
  const std::string header(bytes.begin(), bytes.end());
  const std::string expected(
      "RMF1\x01\x00\x02\x01\x03\x00\x02\x00\x03\x00\x00\x00"
      "\x00\x00\x00\x00\x0d\x0c\x0b\x0a\x07\x00\x00\x00\x09\x00\x00\x00",
      32);
  EXPECT_EQ(header.substr(0, 16), expected.substr(0, 16));
  EXPECT_EQ(header.substr(20), expected.substr(20));
  const std::uint32_t crc = crc32c("abc", crc32c(expected));
  for (unsigned i = 0; i < 4; ++i) {
    EXPECT_EQ(static_cast<unsigned char>(header[16 + i]), (crc >> (8 * i)) & 0xff);
  }
}

TEST(Frame, ComesBackInAnyPortions) {
  Prng prng(2);
  std::string stream;
  std::vector<std::string> payloads;
  for (std::size_t size : {0u, 1u, 31u, 32u, 33u, 5000u, 100'000u}) {
    payloads.push_back(random_bytes(prng, size));
    stream += encode_frame(some_header(), payloads.back());
  }
  for (int round = 0; round < 200; ++round) {
    FrameReader reader;
    std::size_t frames = 0;
    std::string_view rest = stream;
    while (!rest.empty()) {
      const std::size_t portion = std::min<std::size_t>(rest.size(), 1 + prng.below(20'000));
      reader.feed(rest.substr(0, portion));
      rest.remove_prefix(portion);
      for (const Frame& frame : drain(reader)) {
        ASSERT_EQ(frame.payload, payloads[frames++]);
        ASSERT_EQ(frame.header.number, 0x0102);
        ASSERT_EQ(frame.header.payload_size, frame.payload.size());
      }
    }
    EXPECT_EQ(frames, payloads.size());
    EXPECT_EQ(reader.pending(), 0u);
  }
}

TEST(Frame, OneByteAtATime) {
  const std::string stream = encode_frame(some_header(), "hello");
  FrameReader reader;
  for (std::size_t i = 0; i + 1 < stream.size(); ++i) {
    reader.feed(stream.substr(i, 1));
    EXPECT_TRUE(drain(reader).empty());
  }
  EXPECT_EQ(reader.pending(), stream.size() - 1) << "a truncated frame is visible";
  reader.feed(stream.substr(stream.size() - 1));
  EXPECT_EQ(drain(reader).at(0).payload, "hello");
}

TEST(Frame, ReadsStraightIntoItsBuffer) {
  const std::string stream = encode_frame(some_header(), "hello");
  FrameReader reader;
  std::span<char> room = reader.prepare(4096);
  std::copy(stream.begin(), stream.end(), room.begin());
  reader.commit(stream.size());
  EXPECT_EQ(drain(reader).at(0).payload, "hello");
}

Error error_of(const std::string& stream, std::uint32_t payload_max = frame_payload_max) {
  FrameReader reader(payload_max);
  reader.feed(stream);
  Result<std::optional<Frame>> frame = reader.next();
  EXPECT_FALSE(frame.has_value());
  if (frame) return {};
  // It stays failed, whatever comes.
  reader.feed(encode_frame(some_header(), "good"));
  EXPECT_EQ(reader.next(), tl::unexpected<Error>(frame.error()));
  EXPECT_EQ(reader.pending(), 0u);
  return frame.error();
}

TEST(Frame, LongPayloadIsRefusedFromItsHeaderAlone) {
  FrameHeader header = some_header();
  const std::string frame = encode_frame(header, std::string(101, 'x'));
  const Error error = error_of(frame.substr(0, 32), 100);
  EXPECT_EQ(error.code, ErrorCode::resource_exhausted);
  EXPECT_EQ(error.message, "frame: message 258: payload of 101 bytes, limit 100");
  std::string huge = encode_frame(header, "");
  huge[12] = huge[13] = huge[14] = huge[15] = '\xff';
  EXPECT_EQ(error_of(huge).message,
            "frame: message 258: payload of 4294967295 bytes, limit 16777216");
}

TEST(Frame, WrongMagicVersionAndFlagsAreNamed) {
  std::string frame = encode_frame(some_header(), "abc");
  frame[0] = 'G';
  EXPECT_EQ(error_of(frame).code, ErrorCode::corrupt);
  frame = encode_frame(some_header(), "abc");
  frame[4] = 2;
  EXPECT_EQ(error_of(frame).message, "frame: header version: need 1, got 2");
  FrameHeader flagged = some_header();
  flagged.flags = 4;
  EXPECT_EQ(error_of(encode_frame(flagged, "abc")).message, "frame: flags: need 0, got 4");
}

TEST(Frame, EveryFlippedBitIsNoticed) {
  const std::string frame = encode_frame(some_header(), "payload");
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string flipped = frame;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    FrameReader reader;
    reader.feed(flipped);
    Result<std::optional<Frame>> result = reader.next();
    ASSERT_TRUE(!result || !*result) << "bit " << bit;
  }
}

TEST(Sequencer, DeliversEachNumberOnceAndInOrder) {
  using enum Sequencer::Verdict;
  Sequencer sender;
  Sequencer receiver;
  EXPECT_EQ(sender.next_to_send(), 1u);
  EXPECT_EQ(sender.next_to_send(), 2u);
  EXPECT_EQ(receiver.on_received(2), gap);
  EXPECT_EQ(receiver.on_received(1), deliver);
  EXPECT_EQ(receiver.on_received(1), duplicate);
  EXPECT_EQ(receiver.on_received(2), deliver);
  EXPECT_EQ(receiver.on_received(1), duplicate);
  EXPECT_EQ(receiver.on_received(0), duplicate);
  EXPECT_EQ(receiver.on_received(4), gap);
  EXPECT_EQ(receiver.last_received(), 2u);
}

}  // namespace
}  // namespace librm
