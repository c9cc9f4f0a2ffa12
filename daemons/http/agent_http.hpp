// The agent's routes: its tasks, and what they write.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "http/backend.hpp"
#include "http/exchange.hpp"
#include "librm/base/time.hpp"

namespace asio {
class io_context;
}

namespace librm::http {

struct AgentHttpOptions {
  std::size_t chunk_bytes = 256 << 10;  ///< read and held at a time, for each reader
  /// A reader that follows may come before the launch does.
  Duration appear_timeout = seconds(5);
  /// Files are watched; this is for file systems that cannot be.
  Duration look_interval = milliseconds(250);
};

/// Answers requests to the agent as this folder's README says. On the loop's thread; the backend
/// outlives it.
class AgentHttp {
 public:
  AgentHttp(asio::io_context& io, AgentBackend& backend, AgentHttpOptions options = {});
  ~AgentHttp();
  AgentHttp(const AgentHttp&) = delete;
  AgentHttp& operator=(const AgentHttp&) = delete;

  void handle(const HttpRequest& request, Responder responder) const;
  std::vector<std::pair<std::string, std::string>> routes() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm::http
