// Requests to the master, and what its refusals mean here.
#include "master.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <system_error>
#include <utility>

#include "dev_process.hpp"
#include "text.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr auto retry_for = std::chrono::seconds(10);
constexpr int retry_pause_ms = 100;
constexpr int stream_head_timeout_ms = 30'000;

/// What rm-leader, beside this program, says of the masters: their addresses, the leader's first.
Result<std::string> ask_leader(const std::string& elected_at) {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string program = (self.parent_path() / "rm-leader").string();
  int output[2];
  if (::pipe2(output, O_CLOEXEC) != 0) return fail(ErrorCode::io_error, "no pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output[1], STDERR_FILENO);
  std::string url = elected_at;
  std::string name = program;
  char* argv[] = {name.data(), url.data(), nullptr};
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(output[1]);
  std::string said;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(output[0], buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<std::size_t>(size));
  }
  ::close(output[0]);
  if (failed != 0) return fail(ErrorCode::io_error, program + ": " + std::strerror(failed));
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    while (!said.empty() && said.back() == '\n') said.pop_back();
    return fail(WIFEXITED(status) && WEXITSTATUS(status) == 2 ? ErrorCode::invalid_argument
                                                              : ErrorCode::unavailable,
                said.starts_with("rm-leader: ") ? said.substr(11) : said);
  }
  std::string addresses;
  std::istringstream lines(said);
  for (std::string line; std::getline(lines, line);) {
    const std::string address = ready_value(line, "http");
    if (!address.empty()) addresses += (addresses.empty() ? "" : ",") + address;
  }
  return addresses;
}

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
  const std::string source = flag.empty() ? "RM_MASTER: " : "--master: ";
  std::string elected_at;
  if (text.starts_with("zk://") || text.starts_with("file://")) {
    elected_at = text;
    auto elected = ask_leader(text);
    if (!elected) return fail(elected.error().code, source + elected.error().message);
    text = std::move(*elected);
  }
  std::vector<Url> urls;
  for (const std::string& one : split(text, ',')) {
    auto url = parse_url(one);
    if (!url) return fail(ErrorCode::invalid_argument, source + url.error().message);
    urls.push_back(std::move(*url));
  }
  Master master(std::move(urls));
  master.elected_at_ = std::move(elected_at);
  return master;
}

/// The next address; after the last one, what ZooKeeper says by now.
void Master::try_next() {
  if (++at_ >= urls_.size()) {
    at_ = 0;
    if (!elected_at_.empty()) {
      if (auto again = find(elected_at_)) urls_ = std::move(again->urls_);
    }
  }
  url_ = urls_[at_];
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
    const bool several = urls_.size() > 1 || !elected_at_.empty();
    const bool lost = !response && response.error().code == ErrorCode::unavailable;
    // One of several that does not lead yet knows nobody who does.
    const bool leaderless = several && response && response->status == 503;
    const bool hopeless = !several && !contacted_;
    const bool again = (lost || leaderless) && !hopeless;
    if (!again || std::chrono::steady_clock::now() > give_up) return answer(std::move(response));
    try_next();
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

/// Who does not lead says who does: a stream is opened there.
Result<std::unique_ptr<Exchange>> Master::start(const Request& request) {
  const auto give_up = std::chrono::steady_clock::now() + retry_for;
  const bool several = urls_.size() > 1 || !elected_at_.empty();
  for (;;) {
    Url url = url_;
    url.target = request.target;
    auto exchange = http_.start(url, request);
    if (exchange) contacted_ = true;
    if (!exchange && !several) return tl::unexpected(unreachable());
    int status = 503;
    if (exchange && (*exchange)->read_head(stream_head_timeout_ms)) status = (*exchange)->status();
    if (exchange && status == 307) {
      auto next = parse_url((*exchange)->header("location"));
      if (!next) return tl::unexpected(next.error());
      next->target = "/";
      url_ = std::move(*next);
      continue;
    }
    const bool again = several && (!exchange || status == 503);
    if (!again || std::chrono::steady_clock::now() > give_up) {
      if (!exchange) return tl::unexpected(unreachable());
      return exchange;
    }
    ::poll(nullptr, 0, retry_pause_ms);
    try_next();
  }
}

}  // namespace batch::cli
