// Jobs and their explanations as the HTTP edge shows them.
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "batch/array.hpp"
#include "batch/array_text.hpp"
#include "batch/edge/job_json.hpp"
#include "batch/edge/units.hpp"

namespace batch {

namespace {

using nlohmann::ordered_json;

template <class T>
ordered_json or_null(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_same_v<T, librm::WallTime>) {
    return to_rfc3339(*value);
  } else {
    return *value;
  }
}

ordered_json node_of(const Attempt& attempt) {
  return {{"id", to_string(attempt.agent)}, {"hostname", attempt.hostname}};
}

ordered_json amounts_of(const librm::Request& request) {
  ordered_json object = ordered_json::object();
  for (const auto& [name, amount] : request.amounts) object[name] = amount_to_json(amount);
  return object;
}

librm::TaskId task_of(const ElementId& id, const Attempt& attempt) {
  return task_id({id.job, id.index, attempt.run, attempt.attempt});
}

ordered_json attempt_to_json(const ElementId& id, const Attempt& attempt, const JobLookup& lookup) {
  const librm::StatusUpdate& latest = attempt.latest;
  ordered_json object;
  object["task"] = task_of(id, attempt);
  object["node"] = node_of(attempt);
  object["state"] = librm::to_string(latest.state);
  object["reason"] =
      latest.reason == librm::TaskReason::none ? "" : librm::to_string(latest.reason);
  object["message"] = latest.message;
  object["exit_code"] = or_null(latest.exit_code);
  object["signal"] = or_null(latest.signal);
  object["launched"] = to_rfc3339(attempt.launched);
  object["started"] = or_null(latest.started);
  object["ended"] = or_null(latest.ended);
  object["counts"] = attempt.counts;
  const librm::Duration cpu = latest.cpu_time.value_or(librm::Duration{});
  object["cpu_seconds"] = static_cast<double>(cpu.ns / 1000) / 1e6;
  object["rss_max_bytes"] = latest.rss_max_bytes.value_or(0);
  std::string address;
  if (lookup.http_address) address = lookup.http_address(attempt.agent);
  if (address.empty()) {
    object["log_url"] = nullptr;
  } else {
    object["log_url"] = "http://" + address + "/v1/tasks/" + to_string(latest.framework) + "/" +
                        task_of(id, attempt) + "/files/stdout";
  }
  return object;
}

ordered_json edges_of(const Job& job, const JobLookup& lookup) {
  ordered_json list = ordered_json::array();
  for (const Edge& edge : job.edges) {
    list.push_back({{"job", edge.parent},
                    {"name", lookup.job_name ? lookup.job_name(edge.parent) : ""},
                    {"kind", to_string(edge.kind)},
                    {"state", to_string(edge.state)}});
  }
  return list;
}

/// `{"indices": "0-99", "parallel_max": 10, "size": 100, "counts": {"pending": 90, ...}}`.
ordered_json array_of(const Job& job) {
  if (!job.elements) return nullptr;
  const ArraySpec& array = *job.spec.array;
  ordered_json object;
  object["indices"] = indices_text(array.indices);
  object["parallel_max"] = array.parallel_max;
  object["size"] = array.indices.count();
  for (const JobState state : {JobState::pending, JobState::held, JobState::running,
                               JobState::finished, JobState::failed, JobState::cancelled}) {
    object["counts"][to_string(state)] = job.elements->counts[state];
  }
  return object;
}

/// Where and how far it is, without its attempts.
void add_execution(const ElementId& id, const Execution& execution, ordered_json& object) {
  object["started"] = or_null(execution.started);
  object["ended"] = or_null(execution.ended);
  object["exit_code"] = or_null(execution.exit_code);
  object["signal"] = or_null(execution.signal);
  object["run"] = execution.run;
  object["attempt"] = execution.attempts.empty() ? 0 : execution.attempts.back().attempt;
  if (execution.attempts.empty()) {
    object["task"] = nullptr;
    object["node"] = nullptr;
  } else {
    object["task"] = task_of(id, execution.attempts.back());
    object["node"] = node_of(execution.attempts.back());
  }
}

ordered_json to_json(const Job& job, const ElementId& id, const Execution& execution,
                     bool with_attempts, const JobLookup& lookup) {
  const JobSpec& spec = job.spec;
  ordered_json object;
  object["id"] = job.id;
  object["index"] = or_null(id.index);
  object["name"] = spec.name;
  object["state"] = to_string(execution.state);
  object["reason"] = execution.reason;
  object["owner"] = spec.owner;
  object["role"] = spec.role;
  object["description"] = spec.description;
  object["priority"] = spec.priority;
  object["labels"] = spec.labels;
  object["command"] = {{"shell", spec.command.shell},
                       {"value", spec.command.value},
                       {"arguments", spec.command.arguments}};
  object["request"] = amounts_of(spec.request);
  object["submitted"] = to_rfc3339(job.submitted);
  add_execution(id, execution, object);
  object["retries"] = spec.retries;
  object["array"] = array_of(job);
  object["dependencies"] = edges_of(job, lookup);
  object["schedule"] = nullptr;
  if (job.schedule) {
    object["schedule"] = {{"name", job.schedule->schedule},
                          {"run", job.schedule->run},
                          {"nominal", to_rfc3339(job.schedule->nominal)}};
  }
  if (with_attempts) {
    object["attempts"] = ordered_json::array();
    for (const Attempt& attempt : execution.attempts) {
      object["attempts"].push_back(attempt_to_json(id, attempt, lookup));
    }
  }
  return object;
}

}  // namespace

ordered_json job_to_json(const Job& job, bool with_attempts, const JobLookup& lookup) {
  return to_json(job, {job.id, std::nullopt}, job, with_attempts, lookup);
}

ordered_json element_to_json(const Job& job, std::uint32_t index, const JobLookup& lookup) {
  return to_json(job, {job.id, index}, element_of(job, index).value(), true, lookup);
}

ordered_json element_summary_to_json(const Job& job, std::uint32_t index,
                                     const Execution& execution) {
  ordered_json object;
  object["index"] = index;
  object["state"] = to_string(execution.state);
  object["reason"] = execution.reason;
  add_execution({job.id, index}, execution, object);
  return object;
}

ordered_json why_to_json(const Why& why) {
  ordered_json object;
  object["job"] = why.job;
  object["index"] = or_null(why.index);
  object["state"] = to_string(why.state);
  object["summary"] = why.summary;
  object["details"] = why.details;
  object["nodes"] = ordered_json::array();
  for (const Why::Node& node : why.nodes) {
    object["nodes"].push_back({{"id", to_string(node.agent)},
                               {"hostname", node.hostname},
                               {"fits", node.fits},
                               {"reason", node.reason}});
  }
  return object;
}

ordered_json resources_to_json(const librm::Resources& resources) {
  ordered_json object = ordered_json::object();
  std::map<std::string, librm::Ranges> ranges;
  std::map<std::string, std::set<std::string>> sets;
  for (const librm::Resource& entry : resources.list()) {
    if (const auto* numbers = std::get_if<librm::Ranges>(&entry.value)) {
      object[entry.name] = to_string(ranges[entry.name] += *numbers);
    } else if (const auto* members = std::get_if<librm::StringSet>(&entry.value)) {
      sets[entry.name].insert(members->begin(), members->end());
      std::string text;
      for (const std::string& member : sets[entry.name]) text += (text.empty() ? "" : ",") + member;
      object[entry.name] = "{" + text + "}";
    } else {
      object[entry.name] = amount_to_json(resources.amount(entry.name));
    }
  }
  return object;
}

}  // namespace batch
