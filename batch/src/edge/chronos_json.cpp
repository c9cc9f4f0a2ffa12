// The fields of a Chronos job, one reader each.
#include "batch/edge/chronos_json.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "batch/edge/job_json.hpp"
#include "batch/edge/units.hpp"
#include "job_reader.hpp"
#include "json_text.hpp"

namespace batch {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::int32_t high_priority = 100;

/// What was given, field by field.
struct Input {
  ScheduleSpec& spec;
  JobSpec& job;
  std::vector<FieldError>& errors;
  std::string path;
  std::vector<std::string> arguments;
  std::string owner_name;

  void wrong(std::string detail) {
    if (errors.size() < field_errors_max) errors.push_back({path, std::move(detail)});
  }
  std::string text(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    wrong("expected a text");
    return {};
  }
  bool flag(const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    wrong("expected true or false");
    return false;
  }
  std::int64_t whole(const json& value, std::int64_t high) {
    const bool number = value.is_number_unsigned() &&
                        value.get<std::uint64_t>() <= static_cast<std::uint64_t>(high);
    if (number) return value.get<std::int64_t>();
    wrong("expected a whole number of 0 to " + std::to_string(high));
    return 0;
  }
  /// 0 means the default, as in Chronos.
  void amount(const json& value, const char* name) {
    const double given = value.is_number() ? value.get<double>() : -1;
    if (!(given >= 0) || given > 1e9) return wrong("expected a number of 0 to 1000000000");
    const librm::Amount amount{std::llround(given * 1000)};
    if (amount.milli > 0) job.request.amounts[name] = amount;
  }
};

void read_variables(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of {\"name\": ..., \"value\": ...}");
  for (const json& one : value) {
    if (!one.is_object() || one.size() != 2 || !one.contains("name") || !one.contains("value")) {
      return in.wrong("expected a list of {\"name\": ..., \"value\": ...}");
    }
    const std::string name = in.text(one["name"]);
    in.job.command.environment.insert_or_assign(name, in.text(one["value"]));
  }
}

void read_uris(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of URIs");
  for (const json& one : value) {
    librm::Fetch file;
    file.uri = in.text(one);
    in.job.command.fetch.push_back(std::move(file));
  }
}

void read_fetch(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of objects");
  const std::string list = in.path;
  for (std::size_t i = 0; i < value.size(); ++i) {
    in.path = pointer(list, std::to_string(i));
    if (!value[i].is_object()) return in.wrong("expected an object");
    librm::Fetch file;
    for (const auto& [key, field] : value[i].items()) {
      if (key == "uri") {
        file.uri = in.text(field);
      } else if (key == "output_file") {
        file.output_file = in.text(field);
      } else if (key == "executable") {
        file.executable = in.flag(field);
      } else if (key == "extract") {
        file.extract = in.flag(field);
      } else if (key == "cache") {
        in.flag(field);  // a hint: nothing is cached
      } else {
        in.wrong(unknown_field(key, {"uri", "output_file", "executable", "extract", "cache"}));
      }
    }
    in.job.command.fetch.push_back(std::move(file));
  }
  in.path = list;
}

void read_constraints(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of [attribute, operator, value]");
  for (const json& one : value) {
    if (!one.is_array() || one.size() != 3) {
      return in.wrong("expected a list of [attribute, operator, value]");
    }
    const std::string attribute = in.text(one[0]);
    const std::string op = in.text(one[1]);
    const std::string wanted = in.text(one[2]);
    if (op == "EQUALS") {
      in.job.constraints.insert_or_assign(attribute, wanted);
    } else if (op == "LIKE" || op == "UNLIKE") {
      in.job.patterns.push_back({attribute, wanted, op == "UNLIKE"});
    } else {
      in.wrong("operator '" + op + "'; there are EQUALS, LIKE and UNLIKE");
    }
  }
}

void read_container(Input& in, const json& value) {
  if (!value.is_object()) return in.wrong("expected an object");
  const std::vector<std::string_view> known{"type",         "image",         "network",
                                            "networkInfos", "networkName",   "volumes",
                                            "parameters",   "forcePullImage"};
  for (const auto& [key, field] : value.items()) {
    const std::string& name = key;
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      in.wrong(unknown_field(key, known));
    }
  }
  if (!value.contains("image")) return in.wrong("there is no image");
  in.job.image = in.text(value["image"]);
  if (in.job.image.empty()) in.wrong("the image is empty");
}

void read_schedule(Input& in, const json& value) {
  auto parsed = parse_schedule(in.text(value));
  if (!parsed) return in.wrong(parsed.error().message);
  in.spec.expression = *parsed;
}

void read_epsilon(Input& in, const json& value) {
  auto span = parse_span(in.text(value));
  if (!span) return in.wrong(span.error().message);
  in.spec.epsilon = *span;
}

void read_parents(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of names");
  for (const json& one : value) in.spec.parents.push_back({in.text(one), EdgeKind::ok});
}

void read_arguments(Input& in, const json& value) {
  if (!value.is_array()) return in.wrong("expected a list of texts");
  for (const json& one : value) in.arguments.push_back(in.text(one));
}

void read_executor(Input& in, const json& value) {
  if (!in.text(value).empty()) in.wrong("executors of jobs are not supported");
}

struct Field {
  std::string_view name;
  void (*read)(Input& in, const json& v);
};

// clang-format off
constexpr Field fields[] = {
    {"name",            [](Input& in, const json& v) { in.spec.name = in.text(v); }},
    {"command",         [](Input& in, const json& v) { in.job.command.value = in.text(v); }},
    {"shell",           [](Input& in, const json& v) { in.job.command.shell = in.flag(v); }},
    {"arguments",       read_arguments},
    {"schedule",        read_schedule},
    {"scheduleTimeZone", [](Input& in, const json& v) { in.spec.zone = in.text(v); }},
    {"epsilon",         read_epsilon},
    {"parents",         read_parents},
    {"retries",         [](Input& in, const json& v) {
       in.job.retries = static_cast<std::uint32_t>(in.whole(v, 1000)); }},
    {"cpus",            [](Input& in, const json& v) { in.amount(v, "cpus"); }},
    {"mem",             [](Input& in, const json& v) { in.amount(v, "mem"); }},
    {"disk",            [](Input& in, const json& v) { in.amount(v, "disk"); }},
    {"disabled",        [](Input& in, const json& v) { in.spec.paused = in.flag(v); }},
    {"concurrent",      [](Input& in, const json& v) {
       in.spec.overlap = in.flag(v) ? Overlap::allow : Overlap::forbid; }},
    {"softError",       [](Input& in, const json& v) { in.spec.soft_error = in.flag(v); }},
    {"highPriority",    [](Input& in, const json& v) {
       in.job.priority = in.flag(v) ? high_priority : 0; }},
    {"owner",           [](Input& in, const json& v) { in.job.owner = in.text(v); }},
    {"ownerName",       [](Input& in, const json& v) { in.owner_name = in.text(v); }},
    {"description",     [](Input& in, const json& v) { in.spec.description = in.text(v); }},
    {"runAsUser",       [](Input& in, const json& v) { in.job.command.user = in.text(v); }},
    {"environmentVariables", read_variables},
    {"uris",            read_uris},
    {"fetch",           read_fetch},
    {"constraints",     read_constraints},
    {"container",       read_container},
    {"maxCompletionTime", [](Input& in, const json& v) {
       if (const auto s = in.whole(v, 315'360'000)) in.job.time_limit = librm::seconds(s); }},
    {"executor",        read_executor},
    // Read by nobody: of no effect in Chronos either, or the server's own business.
    {"async",           [](Input& in, const json& v) { in.flag(v); }},
    {"dataProcessingJobType", [](Input& in, const json& v) { in.flag(v); }},
    {"dataJob",         [](Input& in, const json& v) { in.flag(v); }},
    {"executorFlags",   [](Input& in, const json& v) { in.text(v); }},
    {"taskInfoData",    [](Input& in, const json& v) { in.text(v); }},
    {"successCount",    [](Input&, const json&) {}},
    {"errorCount",      [](Input&, const json&) {}},
    {"errorsSinceLastSuccess", [](Input&, const json&) {}},
    {"lastSuccess",     [](Input&, const json&) {}},
    {"lastError",       [](Input&, const json&) {}},
};
// clang-format on

std::vector<std::string_view> field_names() {
  std::vector<std::string_view> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string time_or_empty(const std::optional<librm::WallTime>& time) {
  return time ? to_rfc3339(*time) : std::string();
}

}  // namespace

InputResult<ScheduleSpec> chronos_job_from_json(std::string_view text) {
  auto document = parse_json(text, json_size_max);
  if (!document) return tl::unexpected(std::move(document.error()));
  if (!document->is_object()) return tl::unexpected(input_error("expected a job object"));
  ScheduleSpec spec;
  spec.catch_up = CatchUp::last;
  JobSpec job;
  job.dialect = Dialect::chronos;
  job.retries = 2;
  job.retry_delay = librm::seconds(60);
  std::vector<FieldError> errors;
  Input in{spec, job, errors, "", {}, ""};
  for (const auto& [key, value] : document->items()) {
    const std::string& name = key;
    in.path = pointer("", key);
    const auto field = std::find_if(std::begin(fields), std::end(fields),
                                    [&](const Field& one) { return one.name == name; });
    if (field == std::end(fields)) {
      in.wrong(unknown_field(key, field_names()));
    } else {
      field->read(in, value);
    }
  }
  in.path = "/name";
  if (spec.name.empty()) in.wrong("is missing");
  in.path = "/fetch";
  if (document->contains("uris") && document->contains("fetch")) {
    in.wrong("give either uris or fetch");
  }
  in.path = "/command";
  if (job.command.value.empty()) in.wrong("is missing");
  in.path = "/parents";
  if (document->contains("schedule") && !spec.parents.empty()) {
    in.wrong("give either a schedule or parents");
  }
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));

  if (job.command.shell) {
    for (const std::string& argument : in.arguments) job.command.value += " " + argument;
  } else {
    job.command.arguments = std::move(in.arguments);
  }
  const auto or_default = [&](const char* name, librm::Amount amount) {
    job.request.amounts.try_emplace(name, amount);
  };
  or_default("cpus", librm::Amount{100});
  or_default("mem", librm::Amount::units(128));
  or_default("disk", librm::Amount::units(256));
  job.description = spec.description;
  if (!in.owner_name.empty()) job.labels["ownerName"] = in.owner_name;
  if (!spec.expression && spec.parents.empty()) spec.expression = *parse_schedule("R1//PT24H");
  spec.jobs.push_back(std::move(job));
  return spec;
}

ordered_json chronos_job_to_json(const Schedule& schedule) {
  const ScheduleSpec& spec = schedule.spec;
  const JobSpec& job = spec.jobs.front();
  const auto amount = [&](const char* name) {
    const auto found = job.request.amounts.find(name);
    return found == job.request.amounts.end() ? ordered_json(0) : amount_to_json(found->second);
  };
  ordered_json object;
  object["name"] = spec.name;
  object["command"] = job.command.value;
  object["shell"] = job.command.shell;
  object["arguments"] = job.command.arguments;
  if (spec.expression) {
    object["schedule"] = to_string(*spec.expression);
    object["scheduleTimeZone"] = spec.zone;
  } else {
    object["parents"] = ordered_json::array();
    for (const ParentSpec& parent : spec.parents) object["parents"].push_back(parent.schedule);
  }
  object["epsilon"] = "PT" + std::to_string(librm::to_ms(spec.epsilon) / 1000) + "S";
  object["retries"] = job.retries;
  object["cpus"] = amount("cpus");
  object["mem"] = amount("mem");
  object["disk"] = amount("disk");
  object["disabled"] = spec.paused;
  object["concurrent"] = spec.overlap == Overlap::allow;
  object["softError"] = spec.soft_error;
  object["highPriority"] = job.priority >= high_priority;
  object["owner"] = job.owner;
  const auto owner_name = job.labels.find("ownerName");
  object["ownerName"] = owner_name == job.labels.end() ? "" : owner_name->second;
  object["description"] = spec.description;
  object["runAsUser"] = job.command.user;
  object["environmentVariables"] = ordered_json::array();
  for (const auto& [name, value] : job.command.environment) {
    object["environmentVariables"].push_back({{"name", name}, {"value", value}});
  }
  object["fetch"] = ordered_json::array();
  for (const librm::Fetch& file : job.command.fetch) {
    object["fetch"].push_back({{"uri", file.uri},
                               {"output_file", file.output_file},
                               {"executable", file.executable},
                               {"extract", file.extract},
                               {"cache", false}});
  }
  object["constraints"] = ordered_json::array();
  for (const auto& [name, value] : job.constraints) {
    object["constraints"].push_back(ordered_json::array({name, "EQUALS", value}));
  }
  for (const PatternConstraint& one : job.patterns) {
    object["constraints"].push_back(
        ordered_json::array({one.attribute, one.negated ? "UNLIKE" : "LIKE", one.pattern}));
  }
  if (!job.image.empty()) object["container"] = {{"type", "DOCKER"}, {"image", job.image}};
  if (job.time_limit) object["maxCompletionTime"] = librm::to_ms(*job.time_limit) / 1000;
  object["successCount"] = schedule.counts.successes;
  object["errorCount"] = schedule.counts.errors;
  object["errorsSinceLastSuccess"] = schedule.counts.errors_since_success;
  object["lastSuccess"] = time_or_empty(schedule.counts.last_success);
  object["lastError"] = time_or_empty(schedule.counts.last_error);
  return object;
}

std::string_view chronos_status(const Schedule& schedule) {
  const ScheduleCounts& counts = schedule.counts;
  if (!counts.last_success && !counts.last_error) return "fresh";
  if (!counts.last_error) return "success";
  if (!counts.last_success) return "failure";
  return *counts.last_success > *counts.last_error ? "success" : "failure";
}

std::string chronos_state(const Schedule& schedule, const BatchCore& core) {
  std::size_t running = 0;
  std::size_t queued = 0;
  for (const ScheduleRun& run : schedule.runs) {
    if (run.state != JobState::running) continue;
    const bool runs = std::any_of(run.jobs.begin(), run.jobs.end(), [&](JobId id) {
      const Job* job = core.find(id);
      return job != nullptr && job->state == JobState::running;
    });
    ++(runs ? running : queued);
  }
  if (running > 0) return std::to_string(running) + " running";
  return queued > 0 ? "queued" : "idle";
}

}  // namespace batch
