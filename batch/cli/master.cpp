// Requests to the master, and what its refusals mean here.
#include "master.hpp"

#include <poll.h>
#include <sys/random.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr auto retry_for = std::chrono::seconds(10);
constexpr int retry_pause_ms = 100;

ErrorCode code_of(const std::string& name, int status) {
  for (int number = 1; number <= static_cast<int>(ErrorCode::stale); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    if (name == librm::to_string(code)) return code;
  }
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::permission_denied;
    case 404:
      return ErrorCode::not_found;
    case 409:
      return ErrorCode::failed_precondition;
    case 422:
      return ErrorCode::resource_exhausted;
    case 501:
      return ErrorCode::unsupported;
    case 503:
      return ErrorCode::unavailable;
    case 504:
      return ErrorCode::deadline_exceeded;
    default:
      return status >= 500 ? ErrorCode::io_error : ErrorCode::invalid_argument;
  }
}

}  // namespace

int exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_argument:
      return 2;
    case ErrorCode::not_found:
      return 3;
    case ErrorCode::permission_denied:
    case ErrorCode::resource_exhausted:
      return 4;
    case ErrorCode::unavailable:
      return 5;
    case ErrorCode::deadline_exceeded:
      return 6;
    default:
      return 1;
  }
}

std::string new_idempotency_key() {
  unsigned char bytes[16] = {};
  // Small requests never fail or fall short once the kernel has booted.
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) std::abort();
  std::string key;
  for (const unsigned char byte : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned>(byte));
    key += digits;
  }
  return key;
}

Error problem_of(const Response& response, const std::string& peer) {
  const Json problem = Json::parse(response.body, nullptr, false);
  if (!problem.is_object() || text_of(problem, "detail").empty()) {
    const auto type = response.headers.find("server");
    return {
        code_of("", response.status),
        peer + " answered " + std::to_string(response.status) + " without saying why" +
            (type == response.headers.end() ? "" : "; it calls itself " + escape(type->second))};
  }
  Error error{code_of(text_of(problem, "code"), response.status), shown(problem, "detail")};
  const Json& fields = member(problem, "errors");
  if (fields.is_array()) {
    for (const Json& field : fields) {
      const std::string detail = shown(field, "detail");
      // One field's problem is often the whole detail already.
      if (fields.size() == 1 && error.message.find(detail) != error.message.npos) continue;
      error.message += '\n' + shown(field, "path") + ": " + detail;
    }
  }
  return error;
}

Request post_request(const std::string& target, const Json& body, const std::string& key) {
  Request request{"POST", target, {{"Accept", "application/json"}}, ""};
  if (!key.empty()) request.headers.emplace_back("Idempotency-Key", key);
  if (!body.is_null()) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  return request;
}

Result<Master> Master::find(const std::string& flag) {
  const char* variable = std::getenv("RM_MASTER");
  std::string text = flag;
  if (text.empty() && variable != nullptr) text = variable;
  if (text.empty()) text = "http://127.0.0.1:5050";
  auto url = parse_url(text);
  if (!url) {
    return fail(ErrorCode::invalid_argument,
                (flag.empty() ? "RM_MASTER: " : "--master: ") + url.error().message);
  }
  return Master(std::move(*url));
}

Error Master::unreachable() const {
  return {ErrorCode::unavailable,
          "no master at " + address() + ": start one with 'rmctl dev', or set RM_MASTER"};
}

/// A request that may be repeated is, for some seconds, if there was a master a moment ago: it is
/// being restarted then. Nobody there in the first place is another matter.
Result<Json> Master::ask(const Request& request) {
  const auto give_up = std::chrono::steady_clock::now() + retry_for;
  for (;;) {
    auto response = http_.fetch(url_, request, &contacted_);
    const bool lost = !response && response.error().code == ErrorCode::unavailable;
    if (!lost || !contacted_ || std::chrono::steady_clock::now() > give_up) {
      return answer(std::move(response));
    }
    ::poll(nullptr, 0, retry_pause_ms);
  }
}

Result<Json> Master::answer(Result<Response> response) const {
  if (!response) {
    if (!contacted_) return tl::unexpected(unreachable());
    return fail(response.error().code, "master at " + response.error().message);
  }
  if (response->status >= 400) return tl::unexpected(problem_of(*response, address()));
  Json json = Json::parse(response->body, nullptr, false);
  if (json.is_discarded()) {
    return fail(ErrorCode::unavailable, address() + " answers, but not as a master does");
  }
  return json;
}

Result<Json> Master::get(const std::string& target) { return ask({"GET", target, {}, ""}); }

Result<Json> Master::post(const std::string& target, const Json& body, const std::string& key) {
  return ask(post_request(target, body, key));
}

Result<Json> Master::put(const std::string& target, const Json& body) {
  Request request = post_request(target, body, "");
  request.method = "PUT";
  return ask(request);
}

Result<Json> Master::remove(const std::string& target) { return ask({"DELETE", target, {}, ""}); }

Result<std::unique_ptr<Exchange>> Master::start(const Request& request) {
  Url url = url_;
  url.target = request.target;
  auto exchange = http_.start(url, request);
  if (!exchange) return tl::unexpected(unreachable());
  contacted_ = true;
  return exchange;
}

}  // namespace batch::cli
