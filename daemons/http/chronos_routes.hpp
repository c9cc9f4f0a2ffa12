// The REST interface of Chronos, under /scheduler and /v1/scheduler.
#pragma once

#include "http/backend.hpp"
#include "http/schedule_routes.hpp"

namespace librm::http {

/// What Chronos calls a job is a schedule here, so both interfaces show the same. Schedules of
/// several jobs have no form in Chronos and are left out. `backend` outlives the routes.
void add_chronos_routes(const AddRoute& add, MasterBackend& backend);

}  // namespace librm::http
