// Jobs and their explanations as the HTTP edge shows them.
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

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

librm::TaskId task_of(const Job& job, const Attempt& attempt) {
  return task_id({job.id, std::nullopt, attempt.run, attempt.attempt});
}

ordered_json attempt_to_json(const Job& job, const Attempt& attempt, const JobLookup& lookup) {
  const librm::StatusUpdate& latest = attempt.latest;
  ordered_json object;
  object["task"] = task_of(job, attempt);
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
                        task_of(job, attempt) + "/files/stdout";
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

}  // namespace

ordered_json job_to_json(const Job& job, bool with_attempts, const JobLookup& lookup) {
  const JobSpec& spec = job.spec;
  ordered_json object;
  object["id"] = job.id;
  object["name"] = spec.name;
  object["state"] = to_string(job.state);
  object["reason"] = job.reason;
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
  object["started"] = or_null(job.started);
  object["ended"] = or_null(job.ended);
  object["exit_code"] = or_null(job.exit_code);
  object["signal"] = or_null(job.signal);
  object["run"] = job.run;
  object["attempt"] = job.attempts.empty() ? 0 : job.attempts.back().attempt;
  object["retries"] = spec.retries;
  if (job.attempts.empty()) {
    object["task"] = nullptr;
    object["node"] = nullptr;
  } else {
    object["task"] = task_of(job, job.attempts.back());
    object["node"] = node_of(job.attempts.back());
  }
  object["dependencies"] = edges_of(job, lookup);
  object["schedule"] = nullptr;
  if (job.schedule) {
    object["schedule"] = {{"name", job.schedule->schedule},
                          {"run", job.schedule->run},
                          {"nominal", to_rfc3339(job.schedule->nominal)}};
  }
  if (with_attempts) {
    object["attempts"] = ordered_json::array();
    for (const Attempt& attempt : job.attempts) {
      object["attempts"].push_back(attempt_to_json(job, attempt, lookup));
    }
  }
  return object;
}

ordered_json why_to_json(const Why& why) {
  ordered_json object;
  object["job"] = why.job;
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
