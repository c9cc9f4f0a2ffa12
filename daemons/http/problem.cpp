// Errors of the library as problem documents.
#include "http/problem.hpp"

#include <nlohmann/json.hpp>

#include "http/json.hpp"

namespace librm::http {

namespace {

const char* title_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "Invalid request";
    case ErrorCode::not_found:
      return "Not found";
    case ErrorCode::already_exists:
      return "Already exists";
    case ErrorCode::resource_exhausted:
      return "More than there is";
    case ErrorCode::failed_precondition:
      return "Not in this state";
    case ErrorCode::permission_denied:
      return "Not permitted";
    case ErrorCode::unavailable:
      return "Not available now";
    case ErrorCode::deadline_exceeded:
      return "Took too long";
    case ErrorCode::corrupt:
      return "Corrupt data";
    case ErrorCode::unsupported:
      return "Not supported";
    case ErrorCode::io_error:
      return "Input or output failed";
    case ErrorCode::stale:
      return "Out of date";
  }
  return "Error";
}

}  // namespace

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 400;
    case ErrorCode::permission_denied:
      return 403;
    case ErrorCode::not_found:
      return 404;
    case ErrorCode::already_exists:
    case ErrorCode::failed_precondition:
    case ErrorCode::stale:
      return 409;
    case ErrorCode::resource_exhausted:
      return 422;
    case ErrorCode::unavailable:
      return 503;
    case ErrorCode::deadline_exceeded:
      return 504;
    case ErrorCode::unsupported:
      return 501;
    case ErrorCode::corrupt:
    case ErrorCode::io_error:
      return 500;
  }
  return 500;
}

HttpResponse problem(const Error& error, const std::vector<batch::FieldError>& fields, int status) {
  if (status == 0) status = http_status(error.code);
  const char* code = to_string(error.code);
  Json document = {{"type", std::string("urn:librm:problem:") + code},
                   {"title", title_of(error.code)},
                   {"status", status},
                   {"code", code},
                   {"detail", error.message}};
  if (!fields.empty()) {
    Json& errors = document["errors"] = Json::array();
    for (const batch::FieldError& field : fields) {
      errors.push_back({{"path", field.path}, {"detail", field.detail}});
    }
  }
  return {status, "application/problem+json", {}, dump(document)};
}

HttpResponse problem(const batch::Refusal& refusal) {
  if (refusal.path.empty()) return problem(refusal, {}, 0);
  return problem(refusal, {batch::FieldError{refusal.path, refusal.message}}, 0);
}

HttpResponse problem(const batch::InputError& error) { return problem(error.error, error.fields); }

}  // namespace librm::http
