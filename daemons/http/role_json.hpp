// Roles, quotas and reservations as JSON: what operators ask for, and what is shown of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "batch/edge/input.hpp"
#include "http/json.hpp"
#include "librm/cluster/master.hpp"

namespace librm::http {

/// All roles by name, and why offers wait after a start.
Json roles_to_json(const MasterCore& master);
/// One with the lines that say what it has, is owed and waits for; empty where nobody named it.
std::optional<Json> role_to_json(const MasterCore& master, const std::string& role);

/// The body of `PUT /v1/roles/{role}/quota`: `guarantees` and `limits`, amounts by name.
batch::InputResult<Quota> quota_from_json(std::string_view body);
/// The body of `PUT /v1/roles/{role}/weight`: `{"weight": 2.5}`. In thousandths.
batch::InputResult<std::int64_t> weight_from_json(std::string_view body);
/// The body of `POST /v1/nodes/{id}/reserve` and so on. What is undone names its reservation or
/// volume in `resources`, so that it need not be said again beside them.
batch::InputResult<Operation> operation_from_json(std::string_view body, OperationKind kind);

/// Adds what operations made of the node's resources, and what of it the node has lost.
void add_reservations(Json& node, const MasterCore::Agent& agent);

}  // namespace librm::http
