// Bodies of the frame writer and reader.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>

#include "librm/base/check.hpp"
#include "librm/wire/crc32c.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/little_endian.hpp"

namespace librm {
namespace detail {

inline constexpr std::size_t frame_crc_offset = 16;

inline void write_header(char* target, const FrameHeader& header, std::string_view payload) {
  LIBRM_CHECK(payload.size() <= std::numeric_limits<std::uint32_t>::max(),
              "a payload's size has 32 bits");
  store_little_endian(target, frame_magic);
  store_little_endian(target + 4, frame_header_version);
  store_little_endian(target + 5, header.flags);
  store_little_endian(target + 6, header.number);
  store_little_endian(target + 8, header.version);
  store_little_endian(target + 10, header.oldest_reader);
  store_little_endian(target + 12, static_cast<std::uint32_t>(payload.size()));
  store_little_endian(target + frame_crc_offset, std::uint32_t{0});
  store_little_endian(target + 20, header.channel);
  store_little_endian(target + 24, header.request_id);
  store_little_endian(target + 28, header.epoch);
  const std::uint32_t crc = crc32c(payload, crc32c(std::string_view(target, frame_header_size)));
  store_little_endian(target + frame_crc_offset, crc);
}

inline FrameHeader read_header(const char* source) {
  FrameHeader header;
  header.flags = load_little_endian<std::uint8_t>(source + 5);
  header.number = load_little_endian<std::uint16_t>(source + 6);
  header.version = load_little_endian<std::uint16_t>(source + 8);
  header.oldest_reader = load_little_endian<std::uint16_t>(source + 10);
  header.payload_size = load_little_endian<std::uint32_t>(source + 12);
  header.channel = load_little_endian<std::uint32_t>(source + 20);
  header.request_id = load_little_endian<std::uint32_t>(source + 24);
  header.epoch = load_little_endian<std::uint32_t>(source + 28);
  return header;
}

inline bool checksum_matches(const char* source, std::string_view payload) {
  char header[frame_header_size];
  std::memcpy(header, source, sizeof header);
  store_little_endian(header + frame_crc_offset, std::uint32_t{0});
  const std::uint32_t crc = crc32c(payload, crc32c(std::string_view(header, sizeof header)));
  return crc == load_little_endian<std::uint32_t>(source + frame_crc_offset);
}

}  // namespace detail

LIBRM_DECL std::array<char, frame_header_size> encode_header(const FrameHeader& header,
                                                             std::string_view payload) {
  std::array<char, frame_header_size> bytes{};
  detail::write_header(bytes.data(), header, payload);
  return bytes;
}

LIBRM_DECL std::string encode_frame(const FrameHeader& header, std::string_view payload) {
  std::string frame;
  frame.reserve(frame_header_size + payload.size());
  frame.resize(frame_header_size);
  frame.append(payload);
  seal_frame(frame, header);
  return frame;
}

LIBRM_DECL void seal_frame(std::string& frame, const FrameHeader& header) {
  LIBRM_CHECK(frame.size() >= frame_header_size, "the header's room comes before the payload");
  detail::write_header(frame.data(), header, std::string_view(frame).substr(frame_header_size));
}

LIBRM_DECL void FrameReader::feed(std::string_view bytes) {
  if (error_ || bytes.empty()) return;
  std::span<char> room = prepare(bytes.size());
  std::memcpy(room.data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

LIBRM_DECL std::span<char> FrameReader::prepare(std::size_t size) {
  if (consumed_ > 0 && (consumed_ == filled_ || buffer_.size() - filled_ < size)) {
    std::memmove(buffer_.data(), buffer_.data() + consumed_, filled_ - consumed_);
    filled_ -= consumed_;
    consumed_ = 0;
  }
  // One large frame must not cost its memory for the connection's whole life.
  if (filled_ == 0 && buffer_.size() > (256u << 10)) buffer_ = std::string();
  if (buffer_.size() - filled_ < size) {
    buffer_.resize(std::max(filled_ + size, std::min<std::size_t>(2 * filled_, 64u << 20)));
  }
  return {buffer_.data() + filled_, size};
}

LIBRM_DECL void FrameReader::commit(std::size_t size) {
  LIBRM_CHECK(size <= buffer_.size() - filled_, "not more than prepare() gave");
  if (!error_) filled_ += size;
}

LIBRM_DECL Result<std::optional<Frame>> FrameReader::next() {
  using detail::load_little_endian;
  if (error_) return tl::unexpected<Error>(*error_);
  if (pending() < frame_header_size) return std::nullopt;
  const char* start = buffer_.data() + consumed_;
  const auto magic = load_little_endian<std::uint32_t>(start);
  if (magic != frame_magic) {
    return refuse(ErrorCode::corrupt, "frame: magic: need " + std::to_string(frame_magic) +
                                          ", got " + std::to_string(magic));
  }
  const auto version = load_little_endian<std::uint8_t>(start + 4);
  if (version != frame_header_version) {
    return refuse(ErrorCode::unsupported, "frame: header version: need " +
                                              std::to_string(frame_header_version) + ", got " +
                                              std::to_string(version));
  }
  Frame frame{detail::read_header(start), {}};
  if (frame.header.flags != 0) {
    return refuse(ErrorCode::unsupported,
                  "frame: flags: need 0, got " + std::to_string(frame.header.flags));
  }
  const std::uint32_t size = frame.header.payload_size;
  if (size > payload_max_) {
    return refuse(ErrorCode::resource_exhausted,
                  "frame: message " + std::to_string(frame.header.number) + ": payload of " +
                      std::to_string(size) + " bytes, limit " + std::to_string(payload_max_));
  }
  if (pending() - frame_header_size < size) return std::nullopt;
  frame.payload = std::string_view(start + frame_header_size, size);
  if (!detail::checksum_matches(start, frame.payload)) {
    return refuse(ErrorCode::corrupt, "frame: message " + std::to_string(frame.header.number) +
                                          ", request " + std::to_string(frame.header.request_id) +
                                          ": checksum does not match");
  }
  consumed_ += frame_header_size + size;
  return std::optional<Frame>(frame);
}

LIBRM_DECL Result<std::optional<Frame>> FrameReader::refuse(ErrorCode code, std::string message) {
  error_ = Error{code, std::move(message)};
  buffer_ = std::string();
  consumed_ = filled_ = 0;
  return tl::unexpected<Error>(*error_);
}

}  // namespace librm
