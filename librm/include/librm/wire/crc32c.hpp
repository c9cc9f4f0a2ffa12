// CRC-32C (Castagnoli), the checksum of frames and journal rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "librm/base/config.hpp"

namespace librm {

/// The CRC-32C of `bytes`; `crc` is the result for what came before, so that
/// crc32c(b, crc32c(a)) == crc32c(a + b). Polynomial 0x1EDC6F41, reflected, as in RFC 3720 B.4.
/// Uses the processor's instruction where there is one. Thread-safe.
LIBRM_DECL std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc = 0);

namespace detail {

/// The same by tables (slicing by eight), for processors without the instruction.
LIBRM_DECL std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t crc);
/// True where this processor has the instruction, and this build knows how to use it.
LIBRM_DECL bool crc32c_has_instruction();
/// Precondition: crc32c_has_instruction().
LIBRM_DECL std::uint32_t crc32c_by_instruction(std::string_view bytes, std::uint32_t crc);

}  // namespace detail
}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/wire/impl/crc32c.ipp"
#endif
