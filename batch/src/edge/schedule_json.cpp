// The fields of a schedule, in both directions.
#include "batch/edge/schedule_json.hpp"

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

constexpr double seconds_max = 1e9;

class Reader {
 public:
  Reader(const json& object, std::vector<FieldError>& errors) : object_(object), errors_(errors) {}

  void wrong(const std::string& name, std::string detail) {
    if (errors_.size() < field_errors_max) errors_.push_back({"/" + name, std::move(detail)});
  }
  void expected(const std::string& name, const std::string& what, const json& value) {
    wrong(name, "expected " + what + ", got " + shown(value));
  }

  void text(const char* name, std::string& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (!found->is_string()) return expected(name, "a text", *found);
    target = found->get<std::string>();
  }

  void flag(const char* name, bool& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (!found->is_boolean()) return expected(name, "true or false", *found);
    target = found->get<bool>();
  }

  void whole(const char* name, std::uint32_t& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > UINT32_MAX) {
      return expected(name, "a whole number of at least 0", *found);
    }
    target = found->get<std::uint32_t>();
  }

  void span(const char* name, librm::Duration& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (found->is_number() && found->get<double>() >= 0 && found->get<double>() <= seconds_max) {
      target = librm::milliseconds(std::llround(found->get<double>() * 1e3));
    } else if (found->is_string()) {
      auto read = parse_span(found->get_ref<const std::string&>());
      if (!read) return wrong(name, read.error().message);
      target = *read;
    } else {
      expected(name, "a number of seconds or a span such as \"90s\"", *found);
    }
  }

  void schedule(const char* name, std::optional<ScheduleExpression>& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (!found->is_string()) return expected(name, "a text such as \"R/2026-01-01/P1D\"", *found);
    auto parsed = parse_schedule(found->get_ref<const std::string&>());
    if (!parsed) return wrong(name, shown(*found) + ": " + parsed.error().message);
    target = *parsed;
  }

  template <class E>
  void choice(const char* name, E& target, std::initializer_list<E> all) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    std::string names;
    for (E one : all) {
      if (*found == to_string(one)) {
        target = one;
        return;
      }
      names += (names.empty() ? "'" : ", '") + std::string(to_string(one)) + "'";
    }
    expected(name, "one of " + names, *found);
  }

  void parents(const char* name, EdgeKind kind, std::vector<ParentSpec>& target) {
    const auto found = object_.find(name);
    if (found == object_.end()) return;
    if (!found->is_array()) return parent(name, *found, kind, target);
    for (std::size_t i = 0; i < found->size(); ++i) {
      parent(pointer(name, std::to_string(i)), (*found)[i], kind, target);
    }
  }

 private:
  void parent(const std::string& path, const json& value, EdgeKind kind,
              std::vector<ParentSpec>& target) {
    if (!value.is_string() || value.get_ref<const std::string&>().empty()) {
      return expected(path, "a schedule's name", value);
    }
    target.push_back({value.get<std::string>(), kind});
  }

  const json& object_;
  std::vector<FieldError>& errors_;
};

void read_jobs(const json& object, ScheduleSpec& spec, std::vector<FieldError>& errors) {
  const bool one = object.contains("job");
  if (one == object.contains("jobs")) {
    errors.push_back({"/jobs", one ? "give either job or jobs" : "is missing; give job or jobs"});
  } else if (one) {
    spec.jobs.push_back(read_job(object["job"], "/job", false, errors));
  } else if (!object["jobs"].is_array()) {
    errors.push_back({"/jobs", "expected a list of jobs, got " + shown(object["jobs"])});
  } else {
    for (std::size_t i = 0; i < object["jobs"].size(); ++i) {
      if (errors.size() >= field_errors_max) return;
      spec.jobs.push_back(read_job(object["jobs"][i], "/jobs/" + std::to_string(i), false, errors));
    }
  }
}

ordered_json time_or_null(const std::optional<librm::WallTime>& time) {
  return time ? ordered_json(to_rfc3339(*time)) : ordered_json();
}

ordered_json run_to_json(const ScheduleRun& run) {
  ordered_json parents = ordered_json::array();
  for (const ParentRun& parent : run.parents) {
    parents.push_back({{"schedule", parent.schedule}, {"run", parent.run}});
  }
  return {{"number", run.number},
          {"cause", to_string(run.cause)},
          {"occurrence", run.occurrence ? ordered_json(*run.occurrence) : ordered_json()},
          {"nominal", to_rfc3339(run.nominal)},
          {"started", to_rfc3339(run.started)},
          {"ended", time_or_null(run.ended)},
          {"state", to_string(run.state)},
          {"reason", run.reason},
          {"jobs", run.jobs},
          {"parents", std::move(parents)}};
}

}  // namespace

std::vector<std::string_view> schedule_field_names() {
  return {"name",        "description", "schedule", "schedule_timezone", "after_ok", "after_any",
          "after_notok", "epsilon",     "catch_up", "catch_up_max",      "overlap",  "paused",
          "soft_error",  "job",         "jobs",     "apiVersion"};
}

InputResult<ScheduleSpec> schedule_spec_from_json(std::string_view text, const std::string& name) {
  auto document = parse_json(text, json_size_max);
  if (!document) return tl::unexpected(std::move(document.error()));
  const json& object = *document;
  if (!object.is_object()) {
    return tl::unexpected(input_error("expected a schedule object, got " + shown(object)));
  }
  std::vector<FieldError> errors;
  for (const auto& [key, value] : object.items()) {
    const std::string& given = key;
    const auto known = schedule_field_names();
    if (errors.size() >= field_errors_max) break;
    if (std::find(known.begin(), known.end(), given) == known.end()) {
      errors.push_back({pointer("", key), unknown_field(key, known)});
    }
  }
  if (object.contains("apiVersion")) check_api_version(object["apiVersion"], errors);
  ScheduleSpec spec;
  Reader reader(object, errors);
  reader.text("name", spec.name);
  if (!object.contains("name")) spec.name = name;
  if (spec.name.empty()) reader.wrong("name", object.contains("name") ? "is empty" : "is missing");
  if (!name.empty() && !spec.name.empty() && spec.name != name) {
    reader.wrong("name", "is '" + spec.name + "', the path says '" + name + "'");
  }
  reader.text("description", spec.description);
  reader.schedule("schedule", spec.expression);
  reader.text("schedule_timezone", spec.zone);
  reader.parents("after_ok", EdgeKind::ok, spec.parents);
  reader.parents("after_any", EdgeKind::any, spec.parents);
  reader.parents("after_notok", EdgeKind::not_ok, spec.parents);
  reader.span("epsilon", spec.epsilon);
  reader.choice("catch_up", spec.catch_up, {CatchUp::skip, CatchUp::last, CatchUp::all});
  reader.whole("catch_up_max", spec.catch_up_max);
  reader.choice("overlap", spec.overlap, {Overlap::forbid, Overlap::allow, Overlap::replace});
  reader.flag("paused", spec.paused);
  reader.flag("soft_error", spec.soft_error);
  read_jobs(object, spec, errors);
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return spec;
}

ordered_json schedule_to_json(const Schedule& schedule, const BatchCore& core) {
  const ScheduleSpec& spec = schedule.spec;
  ordered_json object;
  object["name"] = spec.name;
  object["description"] = spec.description;
  object["schedule"] = spec.expression ? ordered_json(to_string(*spec.expression)) : ordered_json();
  object["schedule_timezone"] = spec.zone;
  object["parents"] = ordered_json::array();
  for (const ScheduleEdge& edge : schedule.edges) {
    object["parents"].push_back({{"schedule", edge.parent},
                                 {"kind", to_string(edge.kind)},
                                 {"run", edge.run ? ordered_json(edge.run) : ordered_json()}});
  }
  object["epsilon"] = static_cast<double>(librm::to_ms(spec.epsilon)) / 1000.0;
  object["catch_up"] = to_string(spec.catch_up);
  object["catch_up_max"] = spec.catch_up_max;
  object["overlap"] = to_string(spec.overlap);
  object["paused"] = spec.paused;
  object["soft_error"] = spec.soft_error;
  object["added"] = to_rfc3339(schedule.added);
  const auto next = spec.paused ? std::vector<librm::WallTime>{} : core.upcoming(schedule, 1);
  object["next"] = next.empty() ? ordered_json() : ordered_json(to_rfc3339(next.front()));
  object["waiting"] = schedule.next && schedule.next->index > schedule.due_first
                          ? schedule.next->index - schedule.due_first
                          : 0;
  object["runs"] = ordered_json::array();
  for (const ScheduleRun& run : schedule.runs) object["runs"].push_back(run_to_json(run));
  object["missed"] = ordered_json::array();
  for (const MissedOccurrences& one : schedule.missed) {
    object["missed"].push_back({{"first", one.first},
                                {"last", one.last},
                                {"first_at", to_rfc3339(one.first_at)},
                                {"last_at", to_rfc3339(one.last_at)},
                                {"reason", one.reason}});
  }
  const ScheduleCounts& counts = schedule.counts;
  object["counts"] = {{"successes", counts.successes},
                      {"errors", counts.errors},
                      {"errors_since_success", counts.errors_since_success},
                      {"last_success", time_or_null(counts.last_success)},
                      {"last_error", time_or_null(counts.last_error)}};
  object["jobs"] = ordered_json::array();
  for (const JobSpec& job : spec.jobs) object["jobs"].push_back(job_spec_to_json(job));
  return object;
}

}  // namespace batch
