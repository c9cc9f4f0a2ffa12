// Exact comparison of shares, and the dominant share of a holding.
#pragma once

#include <utility>

#include "librm/alloc/share.hpp"

namespace librm {

namespace detail {

__extension__ using Wide = unsigned __int128;

/// a * b * c as (upper 128 bits, lower 64 bits).
inline std::pair<Wide, std::uint64_t> product(std::int64_t a, std::int64_t b, std::int64_t c) {
  const Wide ab = static_cast<Wide>(a) * static_cast<Wide>(b);
  const Wide low = (ab & ~std::uint64_t{0}) * static_cast<Wide>(c);
  const Wide high = (ab >> 64) * static_cast<Wide>(c) + (low >> 64);
  return {high, static_cast<std::uint64_t>(low)};
}

/// The scalars of one name, over all roles.
inline std::int64_t scalar_sum(const Resources& resources, std::string_view name) {
  Amount sum;
  for (const Resource& entry : resources.list()) {
    if (entry.name != name) continue;
    if (const auto* amount = std::get_if<Amount>(&entry.value)) sum += *amount;
  }
  return sum.milli;
}

}  // namespace detail

LIBRM_DECL std::strong_ordering Share::operator<=>(const Share& other) const {
  // Most comparisons are within one pool and with equal weights.
  if (total_milli == other.total_milli && weight == other.weight) {
    return held_milli <=> other.held_milli;
  }
  return detail::product(held_milli, other.total_milli, other.weight) <=>
         detail::product(other.held_milli, total_milli, weight);
}

LIBRM_DECL Share dominant_share(const Resources& held, const Resources& total,
                                std::int64_t weight_milli) {
  Share share{0, 1, weight_milli};
  for (const Resource& entry : held.list()) {
    const std::int64_t pool = detail::scalar_sum(total, entry.name);
    const std::int64_t part = detail::scalar_sum(held, entry.name);
    const Share candidate{part, pool, weight_milli};
    if (pool > 0 && candidate > share) share = candidate;
  }
  return share;
}

}  // namespace librm
