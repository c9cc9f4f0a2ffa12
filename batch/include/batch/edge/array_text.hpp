// Indices of arrays, and elements of one job, as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "batch/job.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace batch {

inline constexpr std::uint64_t array_index_max = 4'294'967'294;
inline constexpr std::uint64_t array_elements_max = 1'000'000;

struct ArrayText {
  librm::Ranges indices;
  std::uint32_t parallel_max = 0;  ///< that run at the same time; 0: any number
  bool operator==(const ArrayText&) const = default;
};

/// Reads `0-99`, `1,3,5-9`, `0-99:2` (each second) and `0-99%10` (at most 10 at a time). Fails with
/// invalid_argument: `at 3: expected a digit, found 'x'`, positions from 1. An index that comes
/// twice is one element, but counts twice against the limit of a million.
librm::Result<ArrayText> parse_array(std::string_view text);
/// The shortest of these forms; parse_array(to_string(a)) == a.
std::string to_string(const ArrayText& array);

struct ElementSelector {
  JobId id = 0;
  librm::Ranges elements;  ///< empty: the whole job
  bool operator==(const ElementSelector&) const = default;
};

/// Reads `42`, `42_7` and `42[3,7-9]`; fails as parse_array() does.
librm::Result<ElementSelector> parse_element_selector(std::string_view text);
std::string to_string(const ElementSelector& selector);

}  // namespace batch
