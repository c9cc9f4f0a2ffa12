// The routes by which operators share the cluster out: roles, quotas, weights and reservations.
#pragma once

#include "http/backend.hpp"
#include "http/schedule_routes.hpp"

namespace librm::http {

/// `backend` outlives the routes.
void add_role_routes(const AddRoute& add, MasterBackend& backend);

}  // namespace librm::http
