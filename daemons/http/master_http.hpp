// The master's routes: jobs, logs, events, nodes, state.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/backend.hpp"
#include "http/exchange.hpp"
#include "http/job_events.hpp"

namespace asio {
class io_context;
}

namespace librm::http {

struct MasterHttpOptions {
  std::size_t page_default = 100;
  std::size_t page_max = 1000;
  /// Jobs that one request for a list looks at; a page may be shorter for it and go on elsewhere.
  std::size_t scan_max = 100'000;
  JobEventsOptions events;
};

/// Answers requests to the master as this folder's README says. Reads the core directly; changes
/// are answered when they are durable. On the loop's thread; the backend outlives it.
class MasterHttp {
 public:
  MasterHttp(asio::io_context& io, MasterBackend& backend, MasterHttpOptions options = {});
  ~MasterHttp();
  MasterHttp(const MasterHttp&) = delete;
  MasterHttp& operator=(const MasterHttp&) = delete;

  void handle(const HttpRequest& request, Responder responder) const;
  std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::http
