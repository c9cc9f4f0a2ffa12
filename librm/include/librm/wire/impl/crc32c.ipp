// CRC-32C by instruction where the processor has one, else by tables.
#pragma once

#include <array>
#include <cstring>

#include "librm/wire/crc32c.hpp"
#include "librm/wire/little_endian.hpp"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace librm {
namespace detail {

using Crc32cTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Crc32cTables make_crc32c_tables() {
  Crc32cTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = crc;
  }
  for (std::size_t slice = 1; slice < 8; ++slice) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[slice - 1][i];
      tables[slice][i] = (before >> 8) ^ tables[0][before & 0xffu];
    }
  }
  return tables;
}

inline constexpr Crc32cTables crc32c_tables = make_crc32c_tables();

LIBRM_DECL std::uint32_t crc32c_by_table(std::string_view bytes, std::uint32_t crc) {
  const Crc32cTables& t = crc32c_tables;
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  crc = ~crc;
  for (; left >= 8; p += 8, left -= 8) {
    const std::uint32_t low = load_little_endian<std::uint32_t>(p) ^ crc;
    const std::uint32_t high = load_little_endian<std::uint32_t>(p + 4);
    crc = t[7][low & 0xff] ^ t[6][(low >> 8) & 0xff] ^ t[5][(low >> 16) & 0xff] ^ t[4][low >> 24] ^
          t[3][high & 0xff] ^ t[2][(high >> 8) & 0xff] ^ t[1][(high >> 16) & 0xff] ^
          t[0][high >> 24];
  }
  for (; left > 0; ++p, --left) {
    crc = (crc >> 8) ^ t[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff];
  }
  return ~crc;
}

#if defined(__x86_64__)

LIBRM_DECL bool crc32c_has_instruction() { return __builtin_cpu_supports("sse4.2") != 0; }

// One stream of 8-byte steps: about 8 bytes in 3 cycles, which is far above what a frame needs.
__attribute__((target("sse4.2"))) LIBRM_DECL std::uint32_t crc32c_by_instruction(
    std::string_view bytes, std::uint32_t crc) {
  const char* p = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t wide = ~crc;
  for (; left >= 8; p += 8, left -= 8) {
    wide = _mm_crc32_u64(wide, load_little_endian<std::uint64_t>(p));
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; left > 0; ++p, --left) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*p));
  return ~narrow;
}

#else

LIBRM_DECL bool crc32c_has_instruction() { return false; }

LIBRM_DECL std::uint32_t crc32c_by_instruction(std::string_view bytes, std::uint32_t crc) {
  return crc32c_by_table(bytes, crc);
}

#endif

}  // namespace detail

LIBRM_DECL std::uint32_t crc32c(std::string_view bytes, std::uint32_t crc) {
  return detail::crc32c_has_instruction() ? detail::crc32c_by_instruction(bytes, crc)
                                          : detail::crc32c_by_table(bytes, crc);
}

}  // namespace librm
