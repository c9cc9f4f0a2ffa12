// Submissions as JSON, in both directions.
#include "batch/edge/job_json.hpp"
#include "batch/array_text.hpp"

#include <nlohmann/json.hpp>
#include <utility>

#include "job_reader.hpp"
#include "json_text.hpp"

namespace batch {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

InputResult<std::vector<JobSpec>> read_document(std::string_view text) {
  auto document = parse_json(text, json_size_max);
  if (!document) return tl::unexpected(std::move(document.error()));
  std::vector<FieldError> errors;
  std::vector<JobSpec> specs;
  if (!document->is_object() || !document->contains("jobs")) {
    specs.push_back(read_job(*document, "", false, errors));
  } else {
    for (const auto& [key, value] : document->items()) {
      if (errors.size() >= field_errors_max) break;
      if (key == "apiVersion") {
        check_api_version(value, errors);
      } else if (key != "jobs") {
        errors.push_back(
            {pointer("", key), "unknown field '" + key.substr(0, 64) + "' beside 'jobs'"});
      }
    }
    const json& jobs = (*document)["jobs"];
    if (!jobs.is_array()) {
      errors.push_back({"/jobs", "expected a list of jobs, got " + shown(jobs)});
    }
    for (std::size_t i = 0; jobs.is_array() && i < jobs.size(); ++i) {
      specs.push_back(read_job(jobs[i], "/jobs/" + std::to_string(i), false, errors));
      if (errors.size() >= field_errors_max) break;
    }
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return specs;
}

constexpr std::size_t small_body_size_max = 64 << 10;

InputResult<std::vector<JobSpec>> read_lines(std::string_view text) {
  if (text.size() > ndjson_size_max) {
    return tl::unexpected(input_error("the text has " + std::to_string(text.size()) +
                                      " bytes, at most " + std::to_string(ndjson_size_max)));
  }
  std::vector<FieldError> errors;
  std::vector<JobSpec> specs;
  for (std::size_t number = 1; !text.empty() && errors.size() < field_errors_max; ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto object = parse_json(line, json_size_max);
    if (!object) {
      InputError error = std::move(object.error());
      error.error.message = "line " + std::to_string(number) + ": " + error.error.message;
      for (FieldError& field : error.fields) {
        field.path = "/jobs/" + std::to_string(specs.size()) + field.path;
      }
      return tl::unexpected(std::move(error));
    }
    specs.push_back(read_job(*object, "/jobs/" + std::to_string(specs.size()), false, errors));
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return specs;
}

ordered_json seconds_of(librm::Duration span) {
  if (span.ns % 1'000'000'000 == 0) return span.ns / 1'000'000'000;
  return static_cast<double>(librm::to_ms(span)) / 1000.0;
}

void write_command(const librm::Command& command, ordered_json& object) {
  if (command.shell) {
    object["command"] = command.value;
  } else {
    ordered_json argv = ordered_json::array({command.value});
    for (const std::string& argument : command.arguments) argv.push_back(argument);
    object["argv"] = std::move(argv);
  }
  if (!command.environment.empty()) object["env"] = command.environment;
  if (!command.working_directory.empty()) object["workdir"] = command.working_directory;
  if (!command.user.empty()) object["user"] = command.user;
  for (const librm::Fetch& file : command.fetch) {
    ordered_json one{{"uri", file.uri}};
    if (!file.output_file.empty()) one["output_file"] = file.output_file;
    if (!file.extract) one["extract"] = false;
    if (file.executable) one["executable"] = true;
    object["fetch"].push_back(std::move(one));
  }
}

void write_policies(const JobSpec& spec, ordered_json& object) {
  const JobSpec plain;
  if (spec.priority != plain.priority) object["priority"] = spec.priority;
  if (spec.retries != plain.retries) object["retries"] = spec.retries;
  if (spec.retry_delay != plain.retry_delay) object["retry_delay"] = seconds_of(spec.retry_delay);
  if (spec.time_limit) object["time"] = seconds_of(*spec.time_limit);
  if (spec.kill_grace != plain.kill_grace) object["kill_grace"] = seconds_of(spec.kill_grace);
  for (const DependencySpec& dependency : spec.dependencies) {
    object[std::string("after_") + to_string(dependency.kind)].push_back(dependency.parent);
  }
  if (spec.on_dependency_failed != plain.on_dependency_failed) {
    object["on_dependency_failed"] = to_string(spec.on_dependency_failed);
  }
  if (spec.lost != plain.lost) object["lost"] = to_string(spec.lost);
  if (spec.fence_after) object["fence_after"] = seconds_of(*spec.fence_after);
  if (!spec.constraints.empty()) object["constraints"] = spec.constraints;
  for (const PatternConstraint& one : spec.patterns) {
    object[one.negated ? "constraints_unlike" : "constraints_like"][one.attribute] = one.pattern;
  }
  if (!spec.labels.empty()) object["labels"] = spec.labels;
  if (!spec.image.empty()) object["image"] = spec.image;
  if (spec.array) object["array"] = to_string(*spec.array);
  if (spec.hold) object["hold"] = true;
}

}  // namespace

InputResult<std::vector<JobSpec>> job_specs_from_json(std::string_view text, JobText kind) {
  return kind == JobText::json ? read_document(text) : read_lines(text);
}

InputResult<std::string> text_field_from_json(std::string_view body, const std::string& name) {
  if (body.empty()) return std::string();
  auto document = parse_json(body, small_body_size_max);
  if (!document) return tl::unexpected(std::move(document.error()));
  if (!document->is_object()) {
    return tl::unexpected(input_error("expected an object with \"" + name + "\", or nothing, got " +
                                      shown(*document)));
  }
  std::vector<FieldError> errors;
  std::string text;
  for (const auto& [key, value] : document->items()) {
    if (errors.size() >= field_errors_max) break;
    if (key != name) {
      errors.push_back(
          {pointer("", key), unknown_field(key, {name}) + "; there is '" + name + "'"});
    } else if (!value.is_string()) {
      errors.push_back({pointer("", key), "expected a text, got " + shown(value)});
    } else {
      text = value.get<std::string>();
    }
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return text;
}

std::string job_specs_to_json(const std::vector<JobSpec>& specs) {
  ordered_json jobs = ordered_json::array();
  for (const JobSpec& spec : specs) jobs.push_back(job_spec_to_json(spec));
  ordered_json document;
  document["jobs"] = std::move(jobs);
  return document.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

ordered_json job_spec_to_json(const JobSpec& spec) {
  const JobSpec plain;
  ordered_json object = ordered_json::object();
  if (!spec.name.empty()) object["name"] = spec.name;
  if (!spec.description.empty()) object["description"] = spec.description;
  if (!spec.owner.empty()) object["owner"] = spec.owner;
  if (spec.role != plain.role) object["role"] = spec.role;
  write_command(spec.command, object);
  for (const auto& [name, amount] : spec.request.amounts) object[name] = amount_to_json(amount);
  write_policies(spec, object);
  return object;
}

ordered_json amount_to_json(librm::Amount amount) {
  if (amount.milli % 1000 == 0) return amount.milli / 1000;
  return static_cast<double>(amount.milli) / 1000.0;
}

}  // namespace batch
