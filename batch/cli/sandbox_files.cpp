// The master says where a task's agent is, by its answer about the task's output.
#include "sandbox_files.hpp"

#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>

#include "job_view.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr std::chrono::seconds retry_for{60};
constexpr int retry_pause_ms = 200;
constexpr int answer_timeout_ms = 30'000;
constexpr std::int64_t tail_bytes_min = 64 << 10;
/// A line longer than this is shown from its middle on.
constexpr std::int64_t tail_bytes_max = 64 << 20;

std::int64_t offset_of(const Response& response) {
  const auto found = response.headers.find("x-rm-offset");
  std::int64_t offset = 0;
  if (found != response.headers.end()) {
    const std::string& text = found->second;
    std::from_chars(text.data(), text.data() + text.size(), offset);
  }
  return offset;
}

/// Where the last `lines` lines begin, or nothing where they begin before these bytes.
std::optional<std::size_t> begin_of_lines(std::string_view bytes, std::uint64_t lines) {
  std::size_t at = bytes.size();
  if (lines == 0) return at;
  if (bytes.ends_with('\n')) --at;  // it ends the last line and begins none
  for (; at > 0; --at) {
    if (bytes[at - 1] == '\n' && --lines == 0) return at;
  }
  return std::nullopt;
}

}  // namespace

SandboxPlace parse_place(const std::string& text) {
  const std::size_t colon = text.find(':');
  SandboxPlace place{text.substr(0, colon), ""};
  if (colon != text.npos) place.path = text.substr(colon + 1);
  while (place.path.size() > 1 && place.path.ends_with('/')) place.path.pop_back();
  return place;
}

std::string shown(const SandboxPlace& place) { return escape(place.job + ':' + place.path); }

unsigned parse_mode(const std::string& text) {
  constexpr std::string_view all = "rwxrwxrwx";
  unsigned mode = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (text.size() != all.size() || (text[i] != all[i] && text[i] != '-')) return 0600;
    if (text[i] == all[i]) mode |= 0400U >> i;
  }
  return mode;
}

Result<Sandbox> Sandbox::find(Master& master, const std::string& selector, std::uint32_t attempt) {
  if (selector.empty()) {
    return fail(ErrorCode::invalid_argument, "which job? write JOB:PATH, such as 42:data/a.txt");
  }
  const auto job = master.get(job_path(selector));
  if (!job) return tl::unexpected(job.error());
  return Sandbox(master, stable_selector(selector, *job), attempt);
}

Result<Url> Sandbox::locate() const {
  std::string target = job_path(job_) + "/logs";
  if (attempt_ != 0) target += "?attempt=" + std::to_string(attempt_);
  Url url = master_->url();
  url.target = target;
  auto exchange = master_->http().start(url, {"GET", target, {}, ""});
  if (!exchange) return tl::unexpected(exchange.error());
  if (auto head = (*exchange)->read_head(answer_timeout_ms); !head) {
    return tl::unexpected(head.error());
  }
  if ((*exchange)->status() == 307) return parse_url((*exchange)->header("location"));
  if (auto rest = (*exchange)->read_all(answer_timeout_ms); !rest) {
    return tl::unexpected(rest.error());
  }
  return tl::unexpected(problem_of((*exchange)->take_response(), master_->address()));
}

Result<Response> Sandbox::ask_once(std::string_view route, const std::string& path,
                                   const std::string& more) const {
  auto output = locate();
  if (!output) return tl::unexpected(output.error());
  Url url = beside_output(std::move(*output), route, path);
  url.target += more;
  auto response = master_->http().fetch(url, {"GET", url.target, {}, ""});
  if (!response) return response;
  if (response->status >= 400) return tl::unexpected(problem_of(*response, authority(url)));
  return response;
}

Result<Response> Sandbox::ask(std::string_view route, const std::string& path,
                              const std::string& more) const {
  const auto give_up = std::chrono::steady_clock::now() + retry_for;
  for (;;) {
    auto response = ask_once(route, path, more);
    const bool lost = !response && response.error().code == ErrorCode::unavailable;
    if (!lost || std::chrono::steady_clock::now() > give_up) return response;
    ::poll(nullptr, 0, retry_pause_ms);
  }
}

Result<Json> Sandbox::list(const std::string& path) const {
  const auto response = ask("files", path, "");
  if (!response) return tl::unexpected(response.error());
  Json listing = Json::parse(response->body, nullptr, false);
  if (!member(listing, "entries").is_array()) {
    return fail(ErrorCode::unavailable, "the agent answers, but not as an agent does");
  }
  return listing;
}

std::vector<SandboxEntry> Sandbox::entries_of(const Json& listing) {
  std::vector<SandboxEntry> entries;
  for (const Json& one : member(listing, "entries")) {
    entries.push_back({text_of(one, "name"), text_of(one, "type"), id_of(one, "size"),
                       text_of(one, "mode"), text_of(one, "modified")});
  }
  return entries;
}

Result<Sandbox::Tail> Sandbox::tail(const std::string& path, std::uint64_t lines) const {
  for (std::int64_t window = tail_bytes_min;; window *= 4) {
    auto response = ask("file", path, "&offset=-" + std::to_string(window));
    if (!response) return tl::unexpected(response.error());
    const std::int64_t offset = offset_of(*response);
    std::string bytes = std::move(response->body);
    const std::int64_t end = offset + static_cast<std::int64_t>(bytes.size());
    const auto begin = begin_of_lines(bytes, lines);
    if (!begin && offset > 0 && window < tail_bytes_max) continue;
    return Tail{bytes.substr(begin.value_or(0)), end};
  }
}

LogStream::Source Sandbox::source(const std::string& path, std::int64_t offset, bool follow) const {
  LogStream::Source source{job_, "stdout", attempt_, follow, offset, path, true};
  return source;
}

void define_attempt(CLI::App& app, std::uint32_t& attempt) {
  app.add_option("--attempt", attempt, "of this attempt; the last one if not given")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U));
}

}  // namespace batch::cli
