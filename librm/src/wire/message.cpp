// Instantiates the encoding of messages once, so that their users don't compile it.
#include "librm/wire/message.hpp"

#include "librm/wire/codec.hpp"
#include "librm/wire/fields_cluster.hpp"
#include "librm/wire/numbers.hpp"

namespace librm {

std::string encode_message(const Message& message, std::uint32_t channel, std::uint32_t request_id,
                           Epoch epoch, Dialect dialect) {
  return encode_frame(message, channel, request_id, epoch, dialect);
}

Result<Message> decode_message(const FrameHeader& header, std::string_view payload,
                               Dialect dialect) {
  return decode_payload<Message>(header.number, header.version, header.oldest_reader, payload,
                                 dialect);
}

std::string encode_shepherd_message(const ShepherdMessage& message, std::uint32_t request_id) {
  return encode_frame(message, 0, request_id, 0);
}

Result<ShepherdMessage> decode_shepherd_message(const FrameHeader& header,
                                                std::string_view payload) {
  return decode_payload<ShepherdMessage>(header.number, header.version, header.oldest_reader,
                                         payload);
}

const char* message_name(std::uint16_t number) {
  if (const auto* line = detail::Registry<Message>::find(number)) return line->name;
  if (const auto* line = detail::Registry<ShepherdMessage>::find(number)) return line->name;
  return "unknown";
}

}  // namespace librm
