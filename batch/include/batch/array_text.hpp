// Indices of arrays, and elements of one job, as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "batch/job.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace batch {

/// Reads `0-99`, `1,3,5-9`, `0-99:2` (each second) and `0-99%10` (at most 10 at a time). Fails with
/// invalid_argument: `at 3: expected a digit, found 'x'`, positions from 1. An index that comes
/// twice is one element, but counts twice against the limit of a million.
librm::Result<ArraySpec> parse_array(std::string_view text);
/// The shortest of these forms; parse_array(to_string(a)) == a.
std::string to_string(const ArraySpec& array);
/// Indices alone: `1,3,5-9`.
std::string indices_text(const librm::Ranges& indices);

/// A job as people name it, and which of its elements: `42_7`, `42[3,7-9]`, `train[0]`, `last[5]`.
struct ElementSelector {
  std::string job;
  librm::Ranges elements;  ///< empty: the whole job
  bool operator==(const ElementSelector&) const = default;
};

/// What has neither brackets nor the form `42_7` is a job; what names may be is not looked at.
/// Fails as parse_array() does.
librm::Result<ElementSelector> split_elements(std::string_view text);
std::string to_string(const ElementSelector& selector);
/// `42_7`: no job may be named so.
bool names_element(std::string_view text);

}  // namespace batch
