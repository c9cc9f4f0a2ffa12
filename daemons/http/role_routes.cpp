// Requests of operators to roles, and to what is reserved on nodes.
#include "http/role_routes.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "http/master_views.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"
#include "http/repeats.hpp"
#include "http/role_json.hpp"

namespace librm::http {

namespace {

void reply_role(const MasterBackend& backend, const std::string& role, Responder& responder) {
  auto json = role_to_json(backend.core().master(), role);
  responder.reply(json
                      ? json_response(std::move(*json))
                      : problem(Error{ErrorCode::not_found, "role '" + role +
                                                                "': nobody is in "
                                                                "it, and nothing was said of it"}));
}

/// What a change leads to: the role as it is now, where there is anything to say of it.
MasterBackend::OnResult role_answer(MasterBackend& backend, std::string role, Responder responder) {
  return [&backend, role = std::move(role), responder](const Result<void>& result) mutable {
    if (!result) return responder.reply(problem(result.error()));
    auto json = role_to_json(backend.core().master(), role);
    responder.reply(json_response(json ? std::move(*json) : Json{{"role", role}}));
  };
}

/// Of a role that nobody named there is nothing to take away.
bool refuse_unknown(const MasterBackend& backend, const std::string& role, Responder& responder) {
  if (role_to_json(backend.core().master(), role)) return false;
  reply_role(backend, role, responder);
  return true;
}

void put_quota(MasterBackend& backend, const HttpRequest& request, const std::string& role,
               Responder responder) {
  if (auto known = check_parameters(request, {"force"}); !known) {
    return responder.reply(problem(known.error()));
  }
  const auto force = flag_parameter(request, "force");
  if (!force) return responder.reply(problem(force.error()));
  auto quota = quota_from_json(request.body);
  if (!quota) return responder.reply(problem(quota.error()));
  backend.set_quota(SetQuota{0, role, std::move(*quota), *force},
                    role_answer(backend, role, std::move(responder)));
}

void put_weight(MasterBackend& backend, const HttpRequest& request, const std::string& role,
                Responder responder) {
  const auto weight = weight_from_json(request.body);
  if (!weight) return responder.reply(problem(weight.error()));
  backend.set_role_weight(SetRoleWeight{0, role, *weight},
                          role_answer(backend, role, std::move(responder)));
}

/// `create-volume`.
std::string verb_of(OperationKind kind) {
  std::string verb = to_string(kind);
  std::replace(verb.begin(), verb.end(), '_', '-');
  return verb;
}

void operate(MasterBackend& backend, Repeats& repeats, OperationKind kind,
             const HttpRequest& request, const std::string& text, Responder responder) {
  if (auto known = check_parameters(request, {}); !known) {
    return responder.reply(problem(known.error()));
  }
  const auto id = parse_id<AgentId>(text);
  if (!id || backend.core().master().agents().count(*id) == 0) {
    return responder.reply(
        problem(Error{ErrorCode::not_found, "node '" + text + "': no such node"}));
  }
  const auto key = idempotency_key(request);
  if (!key) return responder.reply(problem(key.error()));
  auto operation = operation_from_json(request.body, kind);
  if (!operation) return responder.reply(problem(operation.error()));
  const auto answer = [&backend, id = *id, responder](const Result<void>& result) mutable {
    if (!result) return responder.reply(problem(result.error()));
    auto node = node_to_json(backend.core().master(), id, backend.now().wall);
    responder.reply(json_response(std::move(*node)));
  };
  repeats.once(*key, request, answer, [&](Repeats::Answer done) {
    backend.operate(OperateOnAgent{0, *id, std::move(*operation)}, std::move(done));
  });
}

}  // namespace

void add_role_routes(const AddRoute& add, MasterBackend& backend) {
  add("GET", "/v1/roles",
      without_parameters([&backend](const HttpRequest&, const Params&, Responder responder) {
        responder.reply(json_response(roles_to_json(backend.core().master())));
      }));
  add("GET", "/v1/roles/{role}",
      without_parameters([&backend](const HttpRequest&, const Params& params, Responder responder) {
        reply_role(backend, params.at("role"), responder);
      }));
  add("PUT", "/v1/roles/{role}/quota",
      [&backend](const HttpRequest& request, const Params& params, Responder responder) {
        put_quota(backend, request, params.at("role"), std::move(responder));
      });
  add("DELETE", "/v1/roles/{role}/quota",
      without_parameters([&backend](const HttpRequest&, const Params& params, Responder responder) {
        const std::string& role = params.at("role");
        if (refuse_unknown(backend, role, responder)) return;
        backend.set_quota(SetQuota{0, role, std::nullopt},
                          role_answer(backend, role, std::move(responder)));
      }));
  add("PUT", "/v1/roles/{role}/weight",
      without_parameters(
          [&backend](const HttpRequest& request, const Params& params, Responder responder) {
            put_weight(backend, request, params.at("role"), std::move(responder));
          }));
  add("DELETE", "/v1/roles/{role}/weight",
      without_parameters([&backend](const HttpRequest&, const Params& params, Responder responder) {
        const std::string& role = params.at("role");
        if (refuse_unknown(backend, role, responder)) return;
        backend.set_role_weight(SetRoleWeight{0, role},
                                role_answer(backend, role, std::move(responder)));
      }));
  const auto repeats = std::make_shared<Repeats>();
  for (const OperationKind kind : {OperationKind::reserve, OperationKind::unreserve,
                                   OperationKind::create_volume, OperationKind::destroy_volume}) {
    add("POST", "/v1/nodes/{id}/" + verb_of(kind),
        [&backend, repeats, kind](const HttpRequest& request, const Params& params,
                                  Responder responder) {
          operate(backend, *repeats, kind, request, params.at("id"), std::move(responder));
        });
  }
}

}  // namespace librm::http
