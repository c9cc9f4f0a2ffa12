// Strict reading of query parameters.
#include "http/parameters.hpp"

#include <string>
#include <utility>

#include "http/problem.hpp"
#include "http/text.hpp"

namespace librm::http {

Result<void> check_parameters(const HttpRequest& request,
                              std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : request.query) {
    bool found = false;
    std::string all;
    for (const std::string_view one : known) {
      found = found || one == name;
      all += (all.empty() ? "" : ", ") + std::string(one);
    }
    if (found) continue;
    return fail(ErrorCode::invalid_argument,
                "unknown query parameter '" + name + "'; " +
                    (all.empty() ? "there are none here" : "there are " + all));
  }
  return {};
}

RouteHandler without_parameters(RouteHandler handler) {
  return [handler = std::move(handler)](const HttpRequest& request, const Params& params,
                                        Responder responder) {
    if (auto ok = check_parameters(request, {}); !ok) {
      return responder.reply(problem(ok.error()));
    }
    handler(request, params, std::move(responder));
  };
}

Result<std::string> idempotency_key(const HttpRequest& request) {
  constexpr std::size_t bytes_max = 255;
  std::string key(request.header("Idempotency-Key"));
  if (key.size() <= bytes_max) return key;
  return fail(ErrorCode::invalid_argument, "Idempotency-Key: at most " + std::to_string(bytes_max) +
                                               " bytes, got " + std::to_string(key.size()));
}

Result<std::optional<std::int64_t>> offset_parameter(const HttpRequest& request) {
  const auto found = request.query.find("offset");
  if (found == request.query.end()) return std::nullopt;
  const auto offset = parse_signed_number(found->second);
  if (offset && *offset != INT64_MIN) return offset;
  return fail(ErrorCode::invalid_argument, "query parameter 'offset' is '" + found->second +
                                               "'; it must be a whole number of bytes");
}

Result<bool> flag_parameter(const HttpRequest& request, std::string_view name) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return false;
  const std::string& value = found->second;
  if (value.empty() || value == "1" || value == "true") return true;
  if (value == "0" || value == "false") return false;
  return fail(ErrorCode::invalid_argument,
              "query parameter '" + std::string(name) + "' is '" + value + "'; it may be 0 or 1");
}

Result<std::optional<std::uint64_t>> number_parameter(const HttpRequest& request,
                                                      std::string_view name, std::uint64_t min,
                                                      std::uint64_t max) {
  const auto found = request.query.find(name);
  if (found == request.query.end()) return std::nullopt;
  const auto number = parse_number(found->second);
  if (number && *number >= min && *number <= max) return number;
  return fail(ErrorCode::invalid_argument, "query parameter '" + std::string(name) + "' is '" +
                                               found->second + "'; it must be a number from " +
                                               std::to_string(min) + " to " + std::to_string(max));
}

}  // namespace librm::http
