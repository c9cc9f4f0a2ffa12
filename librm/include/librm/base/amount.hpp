// Fixed-point amounts with three decimals, so that shares and sums are exact.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "librm/base/config.hpp"

namespace librm {

/// Thousandths of a unit: one CPU is 1000 milli. Kept within +-9.2e15 units' thousandths
/// (`milli_max`), so that the product of two amounts fits 128 bits and sums never overflow 64.
struct Amount {
  std::int64_t milli = 0;

  static constexpr std::int64_t milli_max = 1'000'000'000'000'000;  ///< 10^12 units

  static constexpr Amount units(std::int64_t n) { return {n * 1000}; }
  constexpr auto operator<=>(const Amount&) const = default;
  constexpr Amount& operator+=(Amount other) {
    milli += other.milli;
    return *this;
  }
  constexpr Amount& operator-=(Amount other) {
    milli -= other.milli;
    return *this;
  }
};

constexpr Amount operator+(Amount a, Amount b) { return {a.milli + b.milli}; }
constexpr Amount operator-(Amount a, Amount b) { return {a.milli - b.milli}; }

/// What each of `parts` gets, rounded up: parts of one amount are equal, and add up to at least it.
constexpr Amount share_of(Amount amount, std::size_t parts) {
  const auto divisor = static_cast<std::int64_t>(parts);
  return {(amount.milli + divisor - 1) / divisor};
}

/// Shortest form: `4`, `0.5`, `2.125`.
LIBRM_DECL std::string to_string(Amount amount);

/// Reads `4`, `0.5`, `2.125`: digits with at most three decimals, no sign, no exponent, at most
/// 10^12 units. Empty where the text is anything else.
LIBRM_DECL std::optional<Amount> parse_amount(std::string_view text);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/base/impl/amount.ipp"
#endif
