// Maintenance as JSON: what operators ask for, and what is shown of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "batch/edge/input.hpp"
#include "http/json.hpp"
#include "librm/base/time.hpp"
#include "librm/cluster/master.hpp"

namespace librm::http {

/// The body of `POST /v1/nodes/{id}/ACTION`, strictly read; an empty one is an empty object.
/// `reason` may come with cordon, drain and down, `mode`, `grace` and `deadline` (a span from now)
/// with drain, `force` with down. The request names no agent.
batch::InputResult<ControlAgent> control_from_json(std::string_view body, AgentAction action,
                                                   WallTime now);

/// The body of `PUT /v1/maintenance`. What the windows mean is left to the master.
batch::InputResult<SetMaintenance> maintenance_from_json(std::string_view body);
Json maintenance_to_json(const MasterCore& master);

Json plan_to_json(const DrainPlan& plan);
/// Adds what an operator made of the node, and its next window.
void add_service(Json& node, const MasterCore& master, const MasterCore::Agent& agent,
                 WallTime now);

}  // namespace librm::http
