// The JSON of the daemons' answers: members in the order in which they are set, always valid UTF-8.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "http/exchange.hpp"

namespace librm::http {

using Json = nlohmann::ordered_json;

/// Bytes that are not UTF-8 become U+FFFD: users choose names and messages, and an answer must not
/// fail because of one.
inline std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// An answer whose body is an object; gets its `apiVersion`.
inline HttpResponse json_response(Json body, int status = 200) {
  body["apiVersion"] = "librm/v1";
  return {status, "application/json", {}, dump(body)};
}

}  // namespace librm::http
