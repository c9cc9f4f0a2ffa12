// JSON text to a value, with limits and without silent repairs.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "batch/edge/input.hpp"

namespace batch {

/// Fails with invalid_argument: longer than `size_max`, not UTF-8, nested too deeply, malformed,
/// or a key that comes twice in one object (the path says where).
InputResult<nlohmann::json> parse_json(std::string_view text, std::size_t size_max);

/// The position of the first byte that is not part of valid UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

InputError input_error(std::string message);
InputError input_error(std::vector<FieldError> fields);

/// What was given, short enough for a message.
std::string shown(const nlohmann::json& value);

/// `/jobs/0` and `cpus` to `/jobs/0/cpus`, escaped as RFC 6901 wants it.
std::string pointer(const std::string& parent, std::string_view key);

}  // namespace batch
