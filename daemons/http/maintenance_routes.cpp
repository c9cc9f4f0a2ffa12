// Requests of operators to nodes and to the schedule of maintenance.
#include "http/maintenance_routes.hpp"

#include <utility>

#include "http/maintenance_json.hpp"
#include "http/master_views.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"

namespace librm::http {

namespace {

void reply_node(MasterBackend& backend, AgentId id, Responder& responder) {
  auto node = node_to_json(backend.core().master(), id, backend.now().wall);
  responder.reply(
      node ? json_response(std::move(*node))
           : problem(Error{ErrorCode::not_found, "node '" + to_string(id) + "': no such node"}));
}

void reply_plan(const MasterBackend& backend, const ControlAgent& control, Responder& responder) {
  const auto plan =
      backend.core().master().plan_drain(control.agent, control.drain, backend.now().wall);
  if (!plan) return responder.reply(problem(plan.error()));
  Json json = plan_to_json(*plan);
  json["node"] = to_string(control.agent);
  responder.reply(json_response(std::move(json)));
}

void control(MasterBackend& backend, AgentAction action, const HttpRequest& request,
             const std::string& text, Responder responder) {
  const bool plans = action == AgentAction::drain;
  auto known = plans ? check_parameters(request, {"dry_run"}) : check_parameters(request, {});
  if (!known) return responder.reply(problem(known.error()));
  const auto dry_run = flag_parameter(request, "dry_run");
  if (!dry_run) return responder.reply(problem(dry_run.error()));
  const auto id = parse_id<AgentId>(text);
  if (!id || backend.core().master().agents().count(*id) == 0) {
    return responder.reply(
        problem(Error{ErrorCode::not_found, "node '" + text + "': no such node"}));
  }
  auto wanted = control_from_json(request.body, action, backend.now().wall);
  if (!wanted) return responder.reply(problem(wanted.error()));
  wanted->agent = *id;
  if (*dry_run) return reply_plan(backend, *wanted, responder);
  backend.control_agent(std::move(*wanted),
                        [&backend, id = *id, responder](const Result<void>& result) mutable {
                          if (!result) return responder.reply(problem(result.error()));
                          reply_node(backend, id, responder);
                        });
}

void put_schedule(MasterBackend& backend, const HttpRequest& request, Responder responder) {
  auto wanted = maintenance_from_json(request.body);
  if (!wanted) return responder.reply(problem(wanted.error()));
  backend.set_maintenance(
      std::move(*wanted), [&backend, responder](const Result<void>& result) mutable {
        if (!result) return responder.reply(problem(result.error()));
        responder.reply(json_response(maintenance_to_json(backend.core().master())));
      });
}

}  // namespace

void add_maintenance_routes(const AddRoute& add, MasterBackend& backend) {
  for (const auto& [verb, action] :
       {std::pair("cordon", AgentAction::cordon), std::pair("uncordon", AgentAction::uncordon),
        std::pair("drain", AgentAction::drain), std::pair("undrain", AgentAction::undrain),
        std::pair("down", AgentAction::down), std::pair("up", AgentAction::up)}) {
    add("POST", std::string("/v1/nodes/{id}/") + verb,
        [&backend, wanted = action](const HttpRequest& request, const Params& params, Responder r) {
          control(backend, wanted, request, params.at("id"), std::move(r));
        });
  }
  add("GET", "/v1/maintenance",
      without_parameters([&backend](const HttpRequest&, const Params&, Responder responder) {
        responder.reply(json_response(maintenance_to_json(backend.core().master())));
      }));
  add("PUT", "/v1/maintenance",
      without_parameters([&backend](const HttpRequest& request, const Params&, Responder r) {
        put_schedule(backend, request, std::move(r));
      }));
}

}  // namespace librm::http
