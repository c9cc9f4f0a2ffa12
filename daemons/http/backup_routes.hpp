// The route by which the master's whole state is copied while it runs.
#pragma once

#include "http/backend.hpp"
#include "http/schedule_routes.hpp"

namespace librm::http {

/// `backend` outlives the routes.
void add_backup_routes(const AddRoute& add, MasterBackend& backend);

}  // namespace librm::http
