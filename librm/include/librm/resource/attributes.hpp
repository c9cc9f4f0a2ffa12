// Facts about an agent that requests can be matched against: `rack:r7;os:linux;disks:4`.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "librm/base/amount.hpp"
#include "librm/base/config.hpp"
#include "librm/base/result.hpp"
#include "librm/resource/resources.hpp"

namespace librm {

/// Name to text; what a value means (a number, a set) is decided by the constraint that reads it.
using Attributes = std::map<std::string, std::string, std::less<>>;

/// What a value's text means: `4` a scalar, `[1-3,7]` ranges, `{a,b}` a set, anything else text.
using AttributeValue = std::variant<Amount, Ranges, StringSet, std::string>;

/// Reads `rack:r7;os:linux`. Names as in Resources; values are 1..255 bytes without `;` and
/// control characters, white space around them is ignored; what begins with `[` or `{` is valid
/// ranges or a valid set. The error names the position (from 1). Limits: 64 KiB of text, 256
/// attributes.
LIBRM_DECL Result<Attributes> parse_attributes(std::string_view text);
LIBRM_DECL std::string to_string(const Attributes& attributes);

/// Fails for what begins with `[` or `{` and is neither ranges nor a set, with the position.
LIBRM_DECL Result<AttributeValue> read_attribute(std::string_view text);
/// In canonical form: `1.5` for `1.50`, `[1-3]` for `[1,2-3]`.
LIBRM_DECL std::string to_string(const AttributeValue& value);

/// What constraints look at. Borrows: host name and attributes must outlive it.
struct AgentFacts {
  std::string_view hostname;
  const Attributes& attributes;
};

/// The text of an attribute, or of `@hostname`, `@region`, `@zone` (the latter two are the
/// attributes `region` and `zone`). Borrows from the facts; empty where the agent has none.
LIBRM_DECL std::optional<std::string_view> find_attribute(const AgentFacts& facts,
                                                          std::string_view name);

}  // namespace librm

#if defined(LIBRM_HEADER_ONLY)
#include "librm/resource/impl/attributes.ipp"
#endif
