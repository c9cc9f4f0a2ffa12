// Facts about an agent that requests can be matched against: `rack:r7;os:linux;disks:4`.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "librm/base/config.hpp"
#include "librm/base/result.hpp"

namespace librm {

/// Name to text; what a value means (a number, a set) is decided by the constraint that reads it.
using Attributes = std::map<std::string, std::string, std::less<>>;

/// Reads `rack:r7;os:linux`. Names as in Resources; values are 1..255 bytes without `;` and
/// control characters, white space around them is ignored. The error names the position (from 1).
/// Limits: 64 KiB of text, 256 attributes.
LIBRM_DECL Result<Attributes> parse_attributes(std::string_view text);
LIBRM_DECL std::string to_string(const Attributes& attributes);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/attributes.ipp"
#endif
