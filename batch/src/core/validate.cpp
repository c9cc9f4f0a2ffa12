// Checks of a specification's fields, each with its limit in the message.
#include "validate.hpp"
#include "batch/array_text.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "librm/resource/resources.hpp"
#include "text.hpp"

namespace batch {

namespace {

using librm::ErrorCode;
using librm::Result;

constexpr std::size_t name_size_max = 128;
constexpr std::size_t text_size_max = 4096;
constexpr std::size_t short_text_size_max = 255;
/// Linux takes at most this in one argument, with its zero (MAX_ARG_STRLEN).
constexpr std::size_t argument_size_max = 131'071;
constexpr std::size_t command_size_max = 1'000'000;  ///< arguments and environment together
constexpr std::size_t entries_max = 10'000;          ///< of arguments and environment
constexpr std::size_t labels_max = 100;
constexpr std::int64_t amount_units_max = 1'000'000'000;
constexpr std::int32_t priority_max = 1'000'000;
constexpr std::uint32_t retries_max = 1000;
constexpr librm::Duration day = librm::seconds(86'400);

Result<void> wrong(std::string field, std::string what) {
  return librm::fail(ErrorCode::invalid_argument, std::move(field) + ": " + std::move(what));
}

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool all_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

Result<void> check_name(const std::string& name) {
  if (name.empty()) return {};
  if (name.size() > name_size_max) {
    return wrong("name", std::to_string(name.size()) + " bytes, at most 128");
  }
  if (!std::all_of(name.begin(), name.end(), is_name_char)) {
    return wrong("name", text::quoted(name) + " has other characters than [A-Za-z0-9._-]");
  }
  if (name[0] == '-' || name[0] == '.') {
    return wrong("name", text::quoted(name) + " begins with a dash or a dot");
  }
  // Wherever a job is named, ids and these words are understood first.
  const std::string_view rest = name;
  if (all_digits(name) || names_element(name) || name == "last" || name == "all" ||
      (rest.substr(0, 5) == "last-" && all_digits(rest.substr(5)))) {
    return wrong("name",
                 text::quoted(name) + " would be taken for a job's id, an element's or 'last'");
  }
  return {};
}

Result<void> check_text(const char* field, const std::string& text, std::size_t size_max) {
  if (text.size() > size_max) {
    return wrong(field,
                 std::to_string(text.size()) + " bytes, at most " + std::to_string(size_max));
  }
  if (text.find('\0') != std::string::npos) return wrong(field, "contains a zero byte");
  return {};
}

Result<void> check_variables(const std::map<std::string, std::string>& environment) {
  for (const auto& [name, value] : environment) {
    if (name.empty() || name.find('=') != std::string::npos ||
        name.find('\0') != std::string::npos) {
      return wrong("env", text::quoted(name) + " is not a variable's name");
    }
    if (name.size() + 1 + value.size() > argument_size_max) {
      return wrong("env", name + ": " + std::to_string(value.size()) + " bytes, at most " +
                              std::to_string(argument_size_max) + " with its name");
    }
    if (value.find('\0') != std::string::npos) return wrong("env", name + ": has a zero byte");
  }
  return {};
}

Result<void> check_command(const librm::Command& command) {
  const char* field = command.shell ? "command" : "argv";
  if (command.value.find_first_not_of(" \t\r\n") == std::string::npos) {
    return wrong(field, "is empty");
  }
  if (auto ok = check_text(field, command.value, argument_size_max); !ok) return ok;
  if (command.shell && !command.arguments.empty()) {
    return wrong("command", "a shell command has no arguments; use argv");
  }
  if (command.arguments.size() > entries_max || command.environment.size() > entries_max) {
    return wrong(command.arguments.size() > entries_max ? "argv" : "env",
                 "more than " + std::to_string(entries_max) + " entries");
  }
  std::size_t total = command.value.size();
  for (const std::string& argument : command.arguments) {
    if (auto ok = check_text("argv", argument, argument_size_max); !ok) return ok;
    total += argument.size() + 1;
  }
  if (auto ok = check_variables(command.environment); !ok) return ok;
  for (const auto& [name, value] : command.environment) total += name.size() + value.size() + 2;
  if (total > command_size_max) {
    return wrong("command", std::to_string(total) + " bytes with arguments and environment, " +
                                "at most " + std::to_string(command_size_max));
  }
  if (auto ok = check_text("workdir", command.working_directory, text_size_max); !ok) return ok;
  return check_text("user", command.user, short_text_size_max);
}

Result<void> check_request(const librm::Request& request) {
  if (request.amounts.size() > labels_max) {
    return wrong("request", std::to_string(request.amounts.size()) + " amounts, at most 100");
  }
  for (const auto& [name, amount] : request.amounts) {
    if (name.empty() || name.size() > 64 || !std::all_of(name.begin(), name.end(), is_name_char)) {
      return wrong("request", text::quoted(name) + " is not a resource's name");
    }
    if (amount.milli <= 0) {
      return wrong(name, "must be more than 0, is " +
                             (amount.milli < 0 ? "-" + to_string(librm::Amount{-amount.milli})
                                               : std::string("0")));
    }
    if (amount > librm::Amount::units(amount_units_max)) {
      return wrong(name, to_string(amount) + " is more than the limit of " +
                             std::to_string(amount_units_max));
    }
  }
  return {};
}

Result<void> check_pairs(const char* field, std::size_t size, const std::string* name,
                         const std::string* value) {
  if (size > labels_max) {
    return wrong(field, std::to_string(size) + " entries, at most " + std::to_string(labels_max));
  }
  if (name == nullptr) return {};
  if (name->empty()) return wrong(field, "an empty name");
  if (auto ok = check_text(field, *name, short_text_size_max); !ok) return ok;
  return check_text(field, *value, short_text_size_max);
}

template <class Map>
Result<void> check_map(const char* field, const Map& map) {
  if (auto ok = check_pairs(field, map.size(), nullptr, nullptr); !ok) return ok;
  for (const auto& [name, value] : map) {
    if (auto ok = check_pairs(field, map.size(), &name, &value); !ok) return ok;
  }
  return {};
}

Result<void> check_fetch(const std::vector<librm::Fetch>& files) {
  if (files.size() > labels_max) {
    return wrong("fetch", std::to_string(files.size()) + " files, at most 100");
  }
  for (const librm::Fetch& file : files) {
    if (file.uri.empty()) return wrong("fetch", "an empty URI");
    if (auto ok = check_text("fetch", file.uri, text_size_max); !ok) return ok;
    if (auto ok = check_text("fetch", file.output_file, text_size_max); !ok) return ok;
    const std::size_t colon = file.uri.find("://");
    const std::string scheme = colon == std::string::npos ? "" : file.uri.substr(0, colon);
    const bool known = scheme == "http" || scheme == "https" || scheme == "ftp" ||
                       scheme == "file" || (scheme.empty() && file.uri.front() == '/');
    if (!known) {
      return wrong("fetch", text::quoted(file.uri) +
                                " is neither http, https, ftp, file nor an absolute path");
    }
    const std::string& target = file.output_file;
    if (!target.empty() &&
        (target.front() == '/' || ("/" + target + "/").find("/../") != std::string::npos)) {
      return wrong("fetch", "output_file " + text::quoted(target) + " leads out of the sandbox");
    }
  }
  return {};
}

Result<void> check_span(const char* field, librm::Duration span, librm::Duration low,
                        librm::Duration high) {
  if (span < low || span > high) {
    const std::string given =
        span.ns < 0 ? "-" + text::span(librm::Duration{} - span) : text::span(span);
    return wrong(field, given + " is outside of " + text::span(low) + " to " + text::span(high));
  }
  return {};
}

Result<void> check_times(const JobSpec& spec) {
  const librm::Duration ms = librm::milliseconds(1);
  if (auto ok = check_span("retry_delay", spec.retry_delay, {}, day * 365); !ok) return ok;
  if (auto ok = check_span("kill_grace", spec.kill_grace, {}, day); !ok) return ok;
  if (spec.time_limit) {
    if (auto ok = check_span("time", *spec.time_limit, ms, day * 3650); !ok) return ok;
  }
  if (spec.fence_after) {
    return check_span("fence_after", *spec.fence_after, librm::seconds(1), day * 7);
  }
  return {};
}

Result<void> check_numbers(const JobSpec& spec) {
  if (spec.priority > priority_max || spec.priority < -priority_max) {
    return wrong("priority", std::to_string(spec.priority) + " is outside of -" +
                                 std::to_string(priority_max) + " to " +
                                 std::to_string(priority_max));
  }
  if (spec.retries > retries_max) {
    return wrong("retries",
                 std::to_string(spec.retries) + ", at most " + std::to_string(retries_max));
  }
  return {};
}

Result<void> check_array(const ArraySpec& array) {
  if (array.indices.empty()) return wrong("array", "it has no indices");
  const std::uint64_t count = array.indices.count();
  if (count > array_elements_max) {
    return wrong("array", std::to_string(count) + " elements, at most " +
                              std::to_string(array_elements_max));
  }
  const std::uint64_t last = array.indices.list().back().end;
  if (last > array_index_max) {
    return wrong("array",
                 "index " + std::to_string(last) + ", at most " + std::to_string(array_index_max));
  }
  if (array.parallel_max <= array_elements_max) return {};
  return wrong("array", std::to_string(array.parallel_max) + " at the same time, at most " +
                            std::to_string(array_elements_max));
}

}  // namespace

JobSpec with_defaults(JobSpec spec) {
  spec.request.amounts.try_emplace("cpus", librm::Amount::units(1));
  spec.request.amounts.try_emplace("mem", librm::Amount::units(128));
  if (spec.lost == LostPolicy::fence && !spec.fence_after) spec.fence_after = librm::seconds(60);
  return spec;
}

Result<void> check_spec(const JobSpec& spec) {
  if (auto ok = check_name(spec.name); !ok) return ok;
  if (auto ok = check_text("description", spec.description, text_size_max); !ok) return ok;
  if (auto ok = check_text("owner", spec.owner, short_text_size_max); !ok) return ok;
  if (auto ok = librm::check_role(spec.role); !ok) return wrong("role", ok.error().message);
  if (auto ok = check_command(spec.command); !ok) return ok;
  if (auto ok = check_request(spec.request); !ok) return ok;
  if (auto ok = check_numbers(spec); !ok) return ok;
  if (auto ok = check_times(spec); !ok) return ok;
  if (auto ok = check_map("constraints", spec.constraints); !ok) return ok;
  if (auto ok = check_fetch(spec.command.fetch); !ok) return ok;
  if (spec.array) {
    if (auto ok = check_array(*spec.array); !ok) return ok;
  }
  if (auto ok = check_text("image", spec.image, short_text_size_max); !ok) return ok;
  if (spec.patterns.size() > labels_max) {
    return wrong(field_of(spec.patterns[labels_max]),
                 std::to_string(spec.patterns.size()) + " patterns, at most 100");
  }
  for (const PatternConstraint& one : spec.patterns) {
    if (auto ok = check_pairs(field_of(one), 1, &one.attribute, &one.pattern); !ok) return ok;
  }
  return check_map("labels", spec.labels);
}

std::string field_path(std::string_view message) {
  const std::string_view field = message.substr(0, message.find(": "));
  const bool is_field = field.size() < message.size() && !field.empty() &&
                        std::all_of(field.begin(), field.end(), is_name_char);
  return is_field ? "/" + std::string(field) : "";
}

const char* field_of(const PatternConstraint& pattern) {
  return pattern.negated ? "constraints_unlike" : "constraints_like";
}

std::string label_of(const std::vector<JobSpec>& specs, std::size_t position) {
  const JobSpec& spec = specs[position];
  if (!spec.name.empty() && check_name(spec.name)) return "job " + spec.name;
  return specs.size() == 1 ? "the job" : "job #" + std::to_string(position + 1);
}

std::vector<std::size_t> find_cycle(const std::vector<std::vector<std::size_t>>& parents) {
  enum class Mark : std::uint8_t { fresh, on_path, done };
  std::vector<Mark> marks(parents.size(), Mark::fresh);
  struct Step {
    std::size_t job;
    std::size_t next_parent;
  };
  std::vector<Step> path;  // instead of recursion: chains are as long as a submission
  for (std::size_t start = 0; start < parents.size(); ++start) {
    if (marks[start] != Mark::fresh) continue;
    marks[start] = Mark::on_path;
    path.push_back({start, 0});
    while (!path.empty()) {
      Step& step = path.back();
      if (step.next_parent == parents[step.job].size()) {
        marks[step.job] = Mark::done;
        path.pop_back();
        continue;
      }
      const std::size_t parent = parents[step.job][step.next_parent++];
      if (marks[parent] == Mark::on_path) {
        std::vector<std::size_t> cycle;
        auto first =
            std::find_if(path.begin(), path.end(), [&](const Step& s) { return s.job == parent; });
        for (; first != path.end(); ++first) cycle.push_back(first->job);
        cycle.push_back(parent);
        return cycle;
      }
      if (marks[parent] == Mark::fresh) {
        marks[parent] = Mark::on_path;
        path.push_back({parent, 0});
      }
    }
  }
  return {};
}

}  // namespace batch
