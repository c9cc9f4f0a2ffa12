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
  void expected(const std::string& what, const json& value) {
    wrong("expected " + what + ", got " + shown(value));
  }
  std::optional<std::string> text_or_none(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    expected("a text", value);
    return std::nullopt;
  }
  std::string text(const json& value) { return text_or_none(value).value_or(""); }
  bool flag(const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    expected("true or false", value);
    return false;
  }
  std::int64_t whole(const json& value, std::int64_t high) {
    const bool number = value.is_number_unsigned() &&
                        value.get<std::uint64_t>() <= static_cast<std::uint64_t>(high);
    if (number) return value.get<std::int64_t>();
    expected("a whole number of 0 to " + std::to_string(high), value);
    return 0;
  }
  /// 0 means the default, as in Chronos.
  void amount(const json& value, const char* name) {
    const double given = value.is_number() ? value.get<double>() : -1;
    if (!(given >= 0) || given > 1e9) return expected("a number of 0 to 1000000000", value);
    const librm::Amount amount{std::llround(given * 1000)};
    if (amount.milli > 0) job.request.amounts[name] = amount;
  }
  /// Calls `read` with each entry, its path being the one that is blamed.
  template <class Read>
  void each(const json& value, const char* what, Read read) {
    if (!value.is_array()) return expected(what, value);
    const std::string list = path;
    for (std::size_t i = 0; i < value.size(); ++i) {
      path = pointer(list, std::to_string(i));
      read(value[i]);
    }
    path = list;
  }
};

void read_variables(Input& in, const json& value) {
  in.each(value, "a list of {\"name\": ..., \"value\": ...}", [&](const json& one) {
    if (!one.is_object() || one.size() != 2 || !one.contains("name") || !one.contains("value")) {
      return in.expected("{\"name\": ..., \"value\": ...}", one);
    }
    const std::string name = in.text(one["name"]);
    in.job.command.environment.insert_or_assign(name, in.text(one["value"]));
  });
}

void read_uris(Input& in, const json& value) {
  in.each(value, "a list of URIs",
          [&](const json& one) { in.job.command.fetch.emplace_back().uri = in.text(one); });
}

void read_fetched_file(Input& in, const json& value) {
  if (!value.is_object()) return in.expected("an object", value);
  librm::Fetch& file = in.job.command.fetch.emplace_back();
  const std::string path = in.path;
  for (const auto& [key, field] : value.items()) {
    in.path = pointer(path, key);
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
}

void read_fetch(Input& in, const json& value) {
  in.each(value, "a list of objects", [&](const json& one) { read_fetched_file(in, one); });
}

void read_constraint(Input& in, const json& value) {
  if (!value.is_array() || value.size() != 3) {
    return in.expected("[attribute, operator, value]", value);
  }
  const auto attribute = in.text_or_none(value[0]);
  const auto op = in.text_or_none(value[1]);
  const auto wanted = in.text_or_none(value[2]);
  if (!attribute || !op || !wanted) return;
  if (*op == "EQUALS") {
    in.job.constraints.insert_or_assign(*attribute, *wanted);
  } else if (*op == "LIKE" || *op == "UNLIKE") {
    in.job.patterns.push_back({*attribute, *wanted, *op == "UNLIKE"});
  } else {
    in.wrong("operator " + shown(value[1]) + "; there are EQUALS, LIKE and UNLIKE");
  }
}

void read_constraints(Input& in, const json& value) {
  in.each(value, "a list of [attribute, operator, value]",
          [&](const json& one) { read_constraint(in, one); });
}

void read_container(Input& in, const json& value) {
  if (!value.is_object()) return in.expected("an object", value);
  const std::vector<std::string_view> known{"type",         "image",         "network",
                                            "networkInfos", "networkName",   "volumes",
                                            "parameters",   "forcePullImage"};
  const std::string path = in.path;
  for (const auto& [key, field] : value.items()) {
    const std::string& name = key;
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    in.path = pointer(path, key);
    in.wrong(unknown_field(key, known));
  }
  in.path = pointer(path, "image");
  if (!value.contains("image")) return in.wrong("is missing");
  const auto image = in.text_or_none(value["image"]);
  if (!image) return;
  if (image->empty()) return in.wrong("the image is empty");
  in.job.image = *image;
}

void read_schedule(Input& in, const json& value) {
  const auto text = in.text_or_none(value);
  if (!text) return;
  auto parsed = parse_schedule(*text);
  if (!parsed) return in.wrong(shown(value) + ": " + parsed.error().message);
  in.spec.expression = *parsed;
}

void read_epsilon(Input& in, const json& value) {
  const auto text = in.text_or_none(value);
  if (!text) return;
  auto span = parse_span(*text);
  if (!span) return in.wrong(span.error().message);
  in.spec.epsilon = *span;
}

void read_parents(Input& in, const json& value) {
  in.each(value, "a list of names", [&](const json& one) {
    in.spec.parents.push_back({in.text(one), EdgeKind::ok});
  });
}

void read_arguments(Input& in, const json& value) {
  in.each(value, "a list of texts", [&](const json& one) {
    const std::string& text = in.arguments.emplace_back(in.text(one));
    // For a shell they become a part of the command, which would be blamed.
    if (text.find('\0') != text.npos) in.wrong("contains a zero byte");
  });
}

void read_executor(Input& in, const json& value) {
  if (!in.text(value).empty()) in.wrong("executors of jobs are not supported, got " + shown(value));
}

/// Where Chronos has what a schedule's field holds: `/jobs/0/user` is `/runAsUser`.
constexpr std::pair<std::string_view, std::string_view> chronos_names[] = {
    {"/schedule_timezone", "/scheduleTimeZone"},
    {"/after_ok", "/parents"},
    {"/jobs/0/argv", "/arguments"},
    {"/jobs/0/env", "/environmentVariables"},
    {"/jobs/0/user", "/runAsUser"},
    {"/jobs/0/time", "/maxCompletionTime"},
    {"/jobs/0/labels", "/ownerName"},
    {"/jobs/0/image", "/container/image"},
    {"/jobs/0/constraints_like", "/constraints"},
    {"/jobs/0/constraints_unlike", "/constraints"},
};

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

std::string time_or_empty(const std::optional<librm::WallTime>& time) {
  return time ? to_rfc3339(*time) : std::string();
}

}  // namespace

std::vector<std::string_view> chronos_field_names() {
  std::vector<std::string_view> names;
  for (const Field& field : fields) names.push_back(field.name);
  return names;
}

std::string chronos_path(const std::string& path) {
  for (const auto& [ours, theirs] : chronos_names) {
    if (path == ours) return std::string(theirs);
  }
  return path.starts_with("/jobs/0/") ? path.substr(7) : path;
}

InputResult<ScheduleSpec> chronos_job_from_json(std::string_view text) {
  auto document = parse_json(text, json_size_max);
  if (!document) return tl::unexpected(std::move(document.error()));
  if (!document->is_object())
    return tl::unexpected(input_error("expected a job object, got " + shown(*document)));
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
      in.wrong(unknown_field(key, chronos_field_names()));
    } else {
      field->read(in, value);
    }
  }
  const auto must_have = [&](const char* field, const std::string& value) {
    in.path = pointer("", field);
    const bool is_text = document->contains(field) && (*document)[field].is_string();
    if (!document->contains(field)) in.wrong("is missing");
    if (is_text && value.empty()) in.wrong("is empty");
  };
  must_have("name", spec.name);
  in.path = "/fetch";
  if (document->contains("uris") && document->contains("fetch")) {
    in.wrong("give either uris or fetch");
  }
  must_have("command", job.command.value);
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
