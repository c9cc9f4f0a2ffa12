// RFC 9457 problems: how the JSON edge says what went wrong and where.
#pragma once

#include <string>
#include <vector>

#include "batch/batch.hpp"
#include "batch/edge/input.hpp"
#include "http/exchange.hpp"
#include "librm/base/result.hpp"

namespace librm::http {

/// The status that stands for a code, as in this folder's README.
int http_status(ErrorCode code);

/// `fields` are those to blame, by JSON pointers into the request's body. `status` replaces the
/// code's own where it is not 0: HTTP has statuses for methods and sizes.
HttpResponse problem(const Error& error, const std::vector<batch::FieldError>& fields = {},
                     int status = 0);
HttpResponse problem(const batch::InputError& error);
/// Blames the refusal's field, if it has one.
HttpResponse problem(const batch::Refusal& refusal);

}  // namespace librm::http
