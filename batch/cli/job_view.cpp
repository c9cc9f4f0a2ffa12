// Selector grammar and the reading of a job's end.
#include "job_view.hpp"

#include <string.h>

#include <algorithm>
#include <charconv>

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr std::uint64_t range_max = 10'000;

bool parse_id(std::string_view text, std::uint64_t& id) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

Result<std::vector<std::string>> expand_selectors(const std::vector<std::string>& given) {
  std::vector<std::string> out;
  for (const std::string& selector : given) {
    if (selector.empty()) return fail(ErrorCode::invalid_argument, "a selector is empty");
    const std::size_t dash = selector.find('-');
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    const bool range = dash != selector.npos && parse_id(selector.substr(0, dash), first) &&
                       parse_id(selector.substr(dash + 1), last);
    if (!range) {
      out.push_back(selector);
      continue;
    }
    if (last < first || last - first >= range_max) {
      return fail(ErrorCode::invalid_argument,
                  selector + ": a range goes from the lower id to the higher, at most " +
                      std::to_string(range_max) + " jobs");
    }
    for (std::uint64_t id = first; id <= last; ++id) out.push_back(std::to_string(id));
  }
  return out;
}

std::string job_path(const std::string& selector) { return "/v1/jobs/" + percent_encode(selector); }

std::string stable_selector(const std::string& selector, const Json& job) {
  if (!selector.empty() && selector.front() >= '0' && selector.front() <= '9') return selector;
  const std::string id = text_of(job, "id");
  return id.empty() ? std::to_string(id_of(job, "id")) : id;
}

Result<std::vector<Json>> fetch_jobs(Master& master, const std::vector<std::string>& given) {
  const auto selectors = expand_selectors(given);
  if (!selectors) return tl::unexpected(selectors.error());
  std::vector<Json> jobs;
  for (const std::string& selector : *selectors) {
    auto job = master.get(job_path(selector));
    if (!job) return tl::unexpected(job.error());
    jobs.push_back(std::move(*job));
  }
  return jobs;
}

std::string id_text(const Json& job) {
  std::string text = shown(job, "id");
  if (const auto index = number_of(job, "index")) return text + '_' + human_number(*index);
  const Json& array = member(job, "array");
  return array.is_object() ? text + '[' + shown(array, "indices") + ']' : text;
}

std::string array_progress(const Json& job) {
  const Json& array = member(job, "array");
  if (!array.is_object() || number_of(job, "index")) return {};
  const Json& counts = member(array, "counts");
  std::string text = shown(counts, "finished") + '/' + shown(array, "size") + " finished";
  for (const char* state : {"running", "pending", "held", "failed", "cancelled"}) {
    if (number_of(counts, state).value_or(0) == 0) continue;
    text += ", " + shown(counts, state) + ' ' + state;
  }
  return text;
}

bool is_over(const Json& job) {
  const std::string state = text_of(job, "state");
  return state == "finished" || state == "failed" || state == "cancelled";
}

int job_exit_code(const Json& job) {
  if (text_of(job, "state") == "finished") return 0;
  if (const auto signal = number_of(job, "signal"); signal && *signal > 0) {
    return 128 + static_cast<int>(*signal);
  }
  const int code = static_cast<int>(number_of(job, "exit_code").value_or(0));
  return code == 0 ? 1 : code & 255;
}

std::string outcome(const Json& job) {
  if (const auto signal = number_of(job, "signal"); signal && *signal > 0) {
    const int number = static_cast<int>(*signal);
    const char* name = ::sigabbrev_np(number);
    const std::string text = "signal " + std::to_string(number);
    return name == nullptr ? text : text + " (" + name + ')';
  }
  if (const auto code = number_of(job, "exit_code")) return "exit " + human_number(*code);
  return {};
}

std::string remark(const Json& job) {
  const std::string reason = shown(job, "reason");
  if (const std::string progress = array_progress(job); !progress.empty() && !is_over(job)) {
    return progress + (reason.empty() ? "" : ": " + reason);
  }
  if (!reason.empty() || text_of(job, "state") == "finished") return reason;
  return outcome(job);
}

std::string ending(const Json& job) {
  const std::string more = remark(job);
  return "job " + shown(job, "id") + " (" + shown(job, "name") + "): " + shown(job, "state") +
         (more.empty() ? "" : ": " + more);
}

std::string command_line(const Json& job) {
  const Json& command = member(job, "command");
  const Json& shell = member(command, "shell");
  if (shell.is_boolean() && shell.get<bool>()) return shown(command, "value");
  std::vector<std::string> words{shown(command, "value")};
  const Json& arguments = member(command, "arguments");
  for (std::size_t i = 0; arguments.is_array() && i < arguments.size(); ++i) {
    if (arguments[i].is_string())
      words.push_back(escape(arguments[i].get_ref<const std::string&>()));
  }
  std::string text;
  for (const std::string& word : words) {
    const bool plain = !word.empty() && word.find_first_of(" '\"\\$`*?[](){}<>|&;#~!") == word.npos;
    text += (text.empty() ? "" : " ") + (plain ? word : '"' + word + '"');
  }
  return text;
}

Json document_of(const std::vector<Json>& jobs) {
  if (jobs.size() == 1) return jobs.front();
  return {{"apiVersion", "librm/v1"}, {"jobs", jobs}};
}

}  // namespace batch::cli
