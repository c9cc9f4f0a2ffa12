// The fields of maintenance, in both directions.
#include "http/maintenance_json.hpp"

#include <utility>

#include "batch/edge/job_json.hpp"
#include "http/fields.hpp"
#include "http/text.hpp"

namespace librm::http {

using batch::InputResult;

namespace {

using Errors = FieldErrors;
using Value = nlohmann::json;

void read_drain(Fields& fields, WallTime now, Drain& drain) {
  std::string mode = to_string(drain.mode);
  fields.text("mode", mode);
  if (const auto known = parse_drain_mode(mode)) {
    drain.mode = *known;
  } else {
    fields.wrong("mode", "expected one of 'wait', 'requeue', 'kill'");
  }
  fields.span("grace", drain.grace);
  std::optional<Duration> deadline;
  fields.span("deadline", deadline);
  if (deadline && drain.mode != DrainMode::wait) {
    fields.wrong("deadline", "only mode 'wait' has one; '" + mode + "' kills at once");
  }
  if (deadline) drain.deadline = now + *deadline;
}

MaintenanceWindow read_window(const Value& object, const std::string& path, Errors& errors) {
  MaintenanceWindow window;
  if (!object.is_object()) {
    if (errors.size() < errors_max) errors.push_back({path, "expected an object"});
    return window;
  }
  Fields fields(object, path, errors);
  fields.text("name", window.name);
  fields.text("reason", window.reason);
  fields.span("duration", window.duration, true);
  std::string start;
  fields.text("start", start);
  const auto time = parse_rfc3339(start);
  if (time) window.start = *time;
  if (!time) fields.wrong("start", "expected a time such as \"2026-01-31T12:00:00Z\"");
  const Value* nodes = fields.find("nodes");
  if (nodes == nullptr || !nodes->is_array()) {
    fields.wrong("nodes", "expected a list of ids and host names");
  } else {
    for (const Value& node : *nodes) {
      if (!node.is_string()) {
        fields.wrong("nodes", "expected a list of ids and host names");
        break;
      }
      const std::string& name = node.get_ref<const std::string&>();
      const auto id = name.rfind("a-", 0) == 0 ? parse_id<AgentId>(name) : std::nullopt;
      if (id) {
        window.agents.insert(*id);
      } else {
        window.hostnames.insert(name);
      }
    }
  }
  fields.refuse_others();
  return window;
}

Json seconds_or_null(std::optional<Duration> span) {
  if (!span) return nullptr;
  if (span->ns % 1'000'000'000 == 0) return span->ns / 1'000'000'000;
  return static_cast<double>(span->ns) / 1e9;
}

Json time_or_null(std::optional<WallTime> time) {
  return time ? Json(batch::to_rfc3339(*time)) : Json();
}

Json window_to_json(const MaintenanceWindow& window) {
  Json nodes = Json::array();
  for (const AgentId id : window.agents) nodes.push_back(librm::to_string(id));
  for (const std::string& name : window.hostnames) nodes.push_back(name);
  return {{"name", window.name},
          {"start", batch::to_rfc3339(window.start)},
          {"duration", seconds_or_null(window.duration)},
          {"nodes", std::move(nodes)},
          {"reason", window.reason}};
}

const char* answer_text(MasterCore::InverseOffer::Answer answer) {
  using Answer = MasterCore::InverseOffer::Answer;
  return answer == Answer::accepted ? "accepted" : answer == Answer::declined ? "declined" : "none";
}

}  // namespace

InputResult<ControlAgent> control_from_json(std::string_view body, AgentAction action,
                                            WallTime now) {
  auto document = parse_object(body);
  if (!document) return tl::unexpected(std::move(document.error()));
  Errors errors;
  Fields fields(*document, "", errors);
  ControlAgent control;
  control.action = action;
  const bool takes_out =
      action == AgentAction::cordon || action == AgentAction::drain || action == AgentAction::down;
  if (takes_out) fields.text("reason", control.reason);
  if (action == AgentAction::drain) read_drain(fields, now, control.drain);
  if (action == AgentAction::down) fields.flag("force", control.force);
  fields.refuse_others();
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return control;
}

InputResult<SetMaintenance> maintenance_from_json(std::string_view body) {
  auto document = parse_object(body);
  if (!document) return tl::unexpected(std::move(document.error()));
  Errors errors;
  Fields fields(*document, "", errors);
  SetMaintenance set;
  if (const Value* revision = fields.find("revision")) {
    if (revision->is_number_unsigned()) {
      set.revision = revision->get<std::uint64_t>();
    } else {
      fields.wrong("revision", "expected a whole number of at least 0");
    }
  }
  const Value* windows = fields.find("windows");
  if (windows == nullptr || !windows->is_array()) {
    fields.wrong("windows", "expected a list of windows");
  } else {
    for (std::size_t i = 0; i < windows->size() && errors.size() < errors_max; ++i) {
      set.windows.push_back(read_window((*windows)[i], "/windows/" + std::to_string(i), errors));
    }
  }
  fields.refuse_others();
  if (!errors.empty()) return tl::unexpected(input_error(std::move(errors)));
  return set;
}

Json maintenance_to_json(const MasterCore& master) {
  Json windows = Json::array();
  for (const MaintenanceWindow& window : master.maintenance().windows) {
    windows.push_back(window_to_json(window));
  }
  Json asked = Json::array();
  for (const auto& [key, offer] : master.inverse_offers()) {
    asked.push_back({{"node", librm::to_string(offer.info.agent)},
                     {"hostname", offer.info.hostname},
                     {"framework", librm::to_string(offer.framework)},
                     {"name", master.frameworks().at(offer.framework).record.info.name},
                     {"start", batch::to_rfc3339(offer.info.start)},
                     {"answer", answer_text(offer.answer)},
                     {"reason", offer.reason}});
  }
  return {{"revision", master.maintenance().revision},
          {"windows", std::move(windows)},
          {"inverse_offers", std::move(asked)}};
}

Json plan_to_json(const DrainPlan& plan) {
  Json kills = Json::array();
  for (const DrainPlan::Kill& kill : plan.kills) {
    kills.push_back({{"task", kill.task},
                     {"framework", librm::to_string(kill.framework)},
                     {"at", batch::to_rfc3339(kill.at)},
                     {"grace", seconds_or_null(kill.grace)},
                     {"reason", librm::to_string(kill.reason)}});
  }
  return {{"kills", std::move(kills)},
          {"expected_end", time_or_null(plan.expected_end)},
          {"blockers", plan.blockers}};
}

void add_service(Json& node, const MasterCore& master, const MasterCore::Agent& agent,
                 WallTime now) {
  const AgentServiceRecord& service = agent.service;
  const bool normal = service.service == AgentService::normal;
  node["service"] = librm::to_string(service.service);
  node["service_reason"] = service.reason;
  node["service_since"] = normal ? Json() : Json(batch::to_rfc3339(service.since));
  node["drain"] = nullptr;
  if (service.service == AgentService::draining || service.service == AgentService::drained) {
    const auto plan = master.plan_drain(agent.record.agent, service.drain, now);
    node["drain"] = {{"mode", librm::to_string(service.drain.mode)},
                     {"grace", seconds_or_null(service.drain.grace)},
                     {"deadline", time_or_null(service.drain.deadline)},
                     {"expected_end", plan ? time_or_null(plan->expected_end) : Json()},
                     {"blockers", plan ? Json(plan->blockers) : Json::array()}};
  }
  const MaintenanceWindow* window =
      next_window(master.maintenance().windows, agent.record.agent, agent.record.hostname, now);
  node["window"] = window != nullptr ? window_to_json(*window) : Json();
}

}  // namespace librm::http
