// The reading of a job's end, and of its command.
#include "job_view.hpp"

#include <string.h>

#include "master.hpp"

namespace batch::cli {

std::string job_path(const std::string& selector) { return "/v1/jobs/" + percent_encode(selector); }

std::string stable_selector(const std::string& selector, const Json& job) {
  if (!selector.empty() && selector.front() >= '0' && selector.front() <= '9') return selector;
  return to_string(element_id_of(job));
}

std::string id_text(const Json& job) {
  const std::string text = to_string(element_id_of(job));
  if (number_of(job, "index")) return text;
  const Json& array = member(job, "array");
  return array.is_object() ? text + '[' + shown(array, "indices") + ']' : text;
}

ElementId element_id_of(const Json& job) {
  ElementId id{id_of(job, "id"), std::nullopt};
  if (const auto index = number_of(job, "index")) id.index = static_cast<std::uint32_t>(*index);
  return id;
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

namespace {

/// `waits for 41 (extract) and 2 more`: the parents of a job that are not over yet.
std::string waited_for(const Json& job) {
  std::string text;
  std::size_t count = 0;
  for (const Json& edge : member(job, "dependencies")) {
    if (text_of(edge, "state") != "pending") continue;
    if (++count == 1) text = "waits for " + shown(edge, "job") + " (" + shown(edge, "name") + ')';
  }
  return count > 1 ? text + " and " + std::to_string(count - 1) + " more" : text;
}

}  // namespace

std::string remark(const Json& job) {
  const std::string reason = shown(job, "reason");
  if (const std::string progress = array_progress(job); !progress.empty() && !is_over(job)) {
    const std::string more = reason.empty() ? waited_for(job) : reason;
    return progress + (more.empty() ? "" : ": " + more);
  }
  if (!reason.empty() || text_of(job, "state") == "finished") return reason;
  return text_of(job, "state") == "pending" ? waited_for(job) : outcome(job);
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
