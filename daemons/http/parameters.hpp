// Query parameters as values, each refused with a sentence that says what it should be.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.hpp"
#include "http/router.hpp"
#include "librm/base/result.hpp"

namespace librm::http {

/// Fails where the request has a parameter that is not among these.
Result<void> check_parameters(const HttpRequest& request,
                              std::initializer_list<std::string_view> known);

/// The same handler for requests that have no query parameters: any is refused.
RouteHandler without_parameters(RouteHandler handler);

/// `1`, `true` or a name alone are true; `0`, `false` and absence are not.
Result<bool> flag_parameter(const HttpRequest& request, std::string_view name);

/// The header `Idempotency-Key`; empty where it is absent.
Result<std::string> idempotency_key(const HttpRequest& request);

/// Empty where it is absent. A position in a file, from its end where it is negative.
Result<std::optional<std::int64_t>> offset_parameter(const HttpRequest& request);

/// Empty where it is absent.
Result<std::optional<std::uint64_t>> number_parameter(const HttpRequest& request,
                                                      std::string_view name, std::uint64_t min,
                                                      std::uint64_t max);

}  // namespace librm::http
