// Reading fields out of JSON from a server without trusting their types.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "text.hpp"

namespace batch::cli {

/// Keeps the order of the server's fields, which is meant for reading.
using Json = nlohmann::ordered_json;

/// The member, or null.
inline const Json& member(const Json& object, const char* key) {
  static const Json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

/// Empty where it is no text.
inline std::string text_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

/// Text that may be printed on a terminal.
inline std::string shown(const Json& object, const char* key) {
  const Json& value = member(object, key);
  if (value.is_string()) return escape(value.get_ref<const std::string&>());
  return value.is_null() ? std::string()
                         : value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

inline std::optional<double> number_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number() ? std::optional<double>(value.get<double>()) : std::nullopt;
}

inline std::uint64_t id_of(const Json& object, const char* key) {
  const Json& value = member(object, key);
  return value.is_number_integer() ? value.get<std::uint64_t>() : 0;
}

inline std::optional<double> time_of(const Json& object, const char* key) {
  return parse_time(text_of(object, key));
}

/// Indented as the command line prints it.
inline std::string pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace batch::cli
