// As whose version something is written or read, for tests in which versions meet.
#pragma once

#include <cstdint>

namespace librm {

/// Tests of upgrades let processes of different versions speak with each other; everybody else is
/// `current`.
enum class Dialect : std::uint8_t {
  current,
  first,  ///< version 1 of everything: knows no optional tails
  next,   ///< has fields that nobody knows yet behind those of every message and envelope
};

inline constexpr std::uint32_t next_dialect_field = 0xfeedface;

/// Of a message or envelope that is at version `current` today.
constexpr std::uint16_t version_in(Dialect dialect, std::uint16_t current) {
  if (dialect == Dialect::first) return 1;
  return static_cast<std::uint16_t>(dialect == Dialect::next ? current + 1 : current);
}

}  // namespace librm
