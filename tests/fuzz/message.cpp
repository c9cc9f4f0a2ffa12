// Fuzzes the decoding of messages and records: what is taken can be encoded and is read as equal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "librm/wire/message.hpp"
#include "librm/wire/record.hpp"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void messages(const librm::FrameHeader& header, std::string_view payload) {
  if (const auto message = librm::decode_message(header, payload)) {
    const std::string frame = librm::encode_message(*message, 0, 0, 0);
    librm::FrameHeader own = header;
    own.version = 1;
    require(librm::decode_message(own, frame.substr(librm::frame_header_size)) == message);
  }
  if (const auto message = librm::decode_shepherd_message(header, payload)) {
    const std::string frame = librm::encode_shepherd_message(*message, 0);
    librm::FrameHeader own = header;
    own.version = 1;
    require(librm::decode_shepherd_message(own, frame.substr(librm::frame_header_size)) == message);
  }
}

void records(const librm::RecordEntry& entry) {
  if (const auto record = librm::decode_master_record(entry)) {
    require(librm::decode_master_record(librm::encode_record(*record)) == record);
  }
  if (const auto record = librm::decode_agent_record(entry)) {
    require(librm::decode_agent_record(librm::encode_record(*record)) == record);
  }
}

}  // namespace

// Two bytes of number, one of version, then the payload.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 3) return 0;
  librm::FrameHeader header;
  // Numbers of shepherds start at 1001; one byte reaches all that exist.
  header.number = static_cast<std::uint16_t>(data[0] + (data[1] % 2 == 0 ? 0 : 1000));
  header.version = data[2] % 3;
  const std::string_view payload(reinterpret_cast<const char*>(data) + 3, size - 3);
  messages(header, payload);
  records(librm::RecordEntry{librm::master_stream, header.number, header.version,
                             std::string(payload)});
  return 0;
}
