// The routes of schedules and of the graph that they and the jobs make.
#pragma once

#include <functional>
#include <string>

#include "http/backend.hpp"
#include "http/router.hpp"

namespace librm::http {

/// Adds one route, which answers only while the master is ready.
using AddRoute =
    std::function<void(const char* method, const std::string& pattern, RouteHandler handler)>;

/// `backend` outlives the routes.
void add_schedule_routes(const AddRoute& add, MasterBackend& backend);

}  // namespace librm::http
