// Job files: TOML becomes the same values as JSON, with the lines that they came from.
#include "batch/edge/job_file.hpp"

#include <toml++/toml.h>

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "batch/edge/job_json.hpp"
#include "job_reader.hpp"
#include "json_text.hpp"

namespace batch {

namespace {

using nlohmann::json;

/// Line of each value, by its path.
using Lines = std::map<std::string, std::uint32_t>;

json convert(const toml::node& node, const std::string& path, Lines& lines, std::size_t depth) {
  lines[path] = static_cast<std::uint32_t>(node.source().begin.line);
  if (depth > json_depth_max) return nullptr;
  if (const toml::table* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) {
      object[std::string(key.str())] = convert(value, pointer(path, key.str()), lines, depth + 1);
    }
    return object;
  }
  if (const toml::array* array = node.as_array()) {
    json list = json::array();
    for (const toml::node& value : *array) {
      list.push_back(convert(value, pointer(path, std::to_string(list.size())), lines, depth + 1));
    }
    return list;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* flag = node.as_boolean()) return flag->get();
  // As JSON reads it: what is not negative is unsigned.
  if (const auto* number = node.as_integer()) {
    if (number->get() >= 0) return static_cast<std::uint64_t>(number->get());
    return number->get();
  }
  if (const auto* number = node.as_floating_point()) return number->get();
  return json::object({{"(date or time)", nullptr}});
}

struct Document {
  json value;
  Lines lines;
};

InputResult<Document> read_toml(std::string_view text, const std::string& file) {
  if (text.size() > json_size_max) {
    return tl::unexpected(
        input_error(file + ": more than " + std::to_string(json_size_max) + " bytes"));
  }
  Document document;
  try {
    const toml::table table = toml::parse(text, std::string_view(file));
    document.value = convert(table, "", document.lines, 0);
  } catch (const toml::parse_error& error) {
    return tl::unexpected(input_error(file + ":" + std::to_string(error.source().begin.line) +
                                      ": " + std::string(error.description())));
  }
  return document;
}

InputResult<Document> read_json(std::string_view text, const std::string& file) {
  auto value = parse_json(text, json_size_max);
  if (!value) {
    InputError error = std::move(value.error());
    error.error.message = file + ": " + error.error.message;
    return tl::unexpected(std::move(error));
  }
  return Document{std::move(*value), {}};
}

/// A job's fields over the defaults'. Tables are merged; command and argv stand for each other.
json merge(const json& defaults, const json& job) {
  json merged = defaults;
  if (job.contains("command")) merged.erase("argv");
  if (job.contains("argv")) merged.erase("command");
  for (const auto& [key, value] : job.items()) {
    if (value.is_object() && merged.contains(key) && merged[key].is_object()) {
      merged[key].update(value);
    } else {
      merged[key] = value;
    }
  }
  return merged;
}

/// The line of a path, or of the nearest thing around it.
std::uint32_t line_of(const Lines& lines, std::string path) {
  while (true) {
    if (auto found = lines.find(path); found != lines.end()) return found->second;
    if (path.empty()) return 0;
    path.erase(path.rfind('/'));
  }
}

std::vector<JobSpec> read_jobs(const json& document, const std::string& list_name,
                               std::vector<FieldError>& errors) {
  json defaults = json::object();
  for (const auto& [key, value] : document.items()) {
    if (key == "defaults") {
      read_job(value, "/defaults", true, errors);
      if (value.is_object()) defaults = value;
      if (value.is_object() && value.contains("name")) {
        errors.push_back({"/defaults/name", "a name is of one job"});
      }
    } else if (key != list_name && key != "apiVersion") {
      errors.push_back({pointer("", key), unknown_field(key, {list_name, "defaults"})});
    }
  }
  std::vector<JobSpec> specs;
  const json jobs = document.value(list_name, json());
  if (!jobs.is_array() || jobs.empty()) {
    errors.push_back({"/" + list_name, list_name == "job" ? "there is no [[job]] table"
                                                          : "expected a list of jobs"});
    return specs;
  }
  if (!errors.empty()) return specs;  // errors in the defaults would be told for every job
  for (std::size_t i = 0; i < jobs.size() && errors.size() < field_errors_max; ++i) {
    const std::string path = "/" + list_name + "/" + std::to_string(i);
    const bool is_object = jobs[i].is_object();
    specs.push_back(read_job(is_object ? merge(defaults, jobs[i]) : jobs[i], path, false, errors));
  }
  return specs;
}

}  // namespace

InputResult<std::vector<JobSpec>> job_file_parse(std::string_view text, std::string_view filename) {
  const std::string file(filename);
  const bool is_json = filename.size() >= 5 && filename.substr(filename.size() - 5) == ".json";
  auto document = is_json ? read_json(text, file) : read_toml(text, file);
  if (!document) return tl::unexpected(std::move(document.error()));
  std::vector<FieldError> errors;
  std::vector<JobSpec> specs;
  const json& value = document->value;
  if (is_json && !(value.is_object() && (value.contains("jobs") || value.contains("defaults")))) {
    specs.push_back(read_job(value, "", false, errors));
  } else {
    specs = read_jobs(value, is_json ? "jobs" : "job", errors);
  }
  if (errors.empty()) return specs;
  const std::uint32_t line = line_of(document->lines, errors.front().path);
  InputError error = input_error(std::move(errors));
  error.error.message =
      file + ":" + (line > 0 ? std::to_string(line) + ":" : "") + " " + error.error.message;
  return tl::unexpected(std::move(error));
}

}  // namespace batch
