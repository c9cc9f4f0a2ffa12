// Messages to frames and back, for those who need not know how they are encoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/cluster/message.hpp"
#include "librm/cluster/shepherd.hpp"
#include "librm/wire/dialect.hpp"
#include "librm/wire/frame.hpp"

// The fields of each struct are in wire/fields_cluster.hpp, the numbers in wire/numbers.hpp.

namespace librm {

/// One whole frame. Precondition, checked: the payload has at most frame_payload_max bytes, so
/// who takes data from outside bounds it there.
std::string encode_message(const Message& message, std::uint32_t channel, std::uint32_t request_id,
                           Epoch epoch, Dialect dialect = Dialect::current);
/// Fails with `unsupported` (number or version) or `corrupt`; the message has the numbers.
Result<Message> decode_message(const FrameHeader& header, std::string_view payload,
                               Dialect dialect = Dialect::current);

/// The same between an agent and its shepherd.
std::string encode_shepherd_message(const ShepherdMessage& message, std::uint32_t request_id);
Result<ShepherdMessage> decode_shepherd_message(const FrameHeader& header,
                                                std::string_view payload);

/// The name of the message with this number, `RegisterAgent`, for logs; `unknown` where it has
/// none.
const char* message_name(std::uint16_t number);

}  // namespace librm
