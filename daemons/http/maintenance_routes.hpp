// The routes by which operators take nodes out of service, and plan that.
#pragma once

#include "http/backend.hpp"
#include "http/schedule_routes.hpp"

namespace librm::http {

/// `backend` outlives the routes.
void add_maintenance_routes(const AddRoute& add, MasterBackend& backend);

}  // namespace librm::http
