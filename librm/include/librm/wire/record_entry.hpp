// One encoded record, as codecs make it and journals keep it.
#pragma once

#include <cstdint>
#include <string>

namespace librm {

/// Which core's state a record belongs to. Numbers are on disk: append only.
inline constexpr std::uint16_t master_stream = 1;
inline constexpr std::uint16_t batch_stream = 2;
inline constexpr std::uint16_t agent_stream = 3;

struct RecordEntry {
  std::uint16_t stream = 0;
  std::uint16_t number = 0;   ///< from the stream's append-only registry
  std::uint16_t version = 1;  ///< of the record, as its writer knew it
  std::string payload;
  std::uint16_t oldest_reader = 1;  ///< the lowest version that may read it
  bool operator==(const RecordEntry&) const = default;
};

}  // namespace librm
