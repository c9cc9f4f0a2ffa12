// Dominant shares as exact fractions: compared by cross-multiplication, never rounded.
#pragma once

#include <compare>
#include <cstdint>

#include "librm/base/config.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// numerator / (denominator * weight): the largest fraction of any scalar resource that is held.
/// Ghodsi et al., "Dominant Resource Fairness", NSDI 2011, section 4.1 and 4.3 (weights).
struct Share {
  std::int64_t held_milli = 0;   ///< of the dominant resource; >= 0
  std::int64_t total_milli = 1;  ///< > 0
  std::int64_t weight = 1000;    ///< thousandths; 1..1'000'000'000

  /// Exact for all values: the cross products are compared in 192 bits.
  std::strong_ordering operator<=>(const Share& other) const;
  bool operator==(const Share& other) const { return (*this <=> other) == 0; }
};

/// The dominant share of `held` in a pool of `total`; resources that the pool lacks count as 0.
LIBRM_DECL Share dominant_share(const Resources& held, const Resources& total,
                                std::int64_t weight_milli);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/alloc/impl/share.ipp"
#endif
