// Numbers to and from little-endian bytes, at any alignment.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace librm::detail {

/// Writes sizeof(T) bytes at `target`. Compiles to one store on little-endian machines.
template <class T>
inline void store_little_endian(char* target, T value) {
  static_assert(std::is_arithmetic_v<T>, "only numbers have a byte order");
  std::memcpy(target, &value, sizeof value);
  if constexpr (std::endian::native == std::endian::big)
    std::reverse(target, target + sizeof value);
}

/// Reads sizeof(T) bytes at `source`.
template <class T>
inline T load_little_endian(const char* source) {
  static_assert(std::is_arithmetic_v<T>, "only numbers have a byte order");
  char bytes[sizeof(T)];
  std::memcpy(bytes, source, sizeof bytes);
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes, bytes + sizeof bytes);
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

}  // namespace librm::detail
