// Fuzzes the frame reader: any bytes in any portions give checked frames or one lasting error.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "librm/wire/frame.hpp"

// The first byte chooses how the rest is cut; the second whether checksums are put right first,
// so that the code behind them is reached, too.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t portion = 1u + data[0];
  std::string stream(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (data[1] % 2 == 0 && stream.size() >= librm::frame_header_size) {
    librm::FrameHeader header;
    header.number = data[1];
    librm::seal_frame(stream, header);
  }
  constexpr std::uint32_t payload_max = 4096;
  librm::FrameReader reader(payload_max);
  std::size_t given_out = 0;
  bool failed = false;
  for (std::size_t at = 0; at < stream.size(); at += portion) {
    reader.feed(std::string_view(stream).substr(at, portion));
    for (;;) {
      const auto frame = reader.next();
      if (failed && frame) std::abort();  // an error must last
      failed = !frame;
      if (!frame || !*frame) break;
      if ((*frame)->payload.size() > payload_max) std::abort();
      given_out += librm::frame_header_size + (*frame)->payload.size();
    }
  }
  if (!failed && given_out + reader.pending() != stream.size()) std::abort();
  return 0;
}
