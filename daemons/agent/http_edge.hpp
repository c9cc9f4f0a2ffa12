// The agent's HTTP edge: its server, its routes, and the service behind them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/agent_service.hpp"
#include "librm/base/result.hpp"

namespace librm::daemon {

/// Listens from its creation on, answers from the loop. Lives on the io_context's thread; service
/// and io_context outlive it.
class AgentHttpEdge {
 public:
  /// `listen` is a numeric address; port 0 picks a free one. Runs are in `<work_dir>/runs`. Fails
  /// with the system's reason.
  static Result<std::unique_ptr<AgentHttpEdge>> start(asio::io_context& io, AgentService& service,
                                                      const std::string& listen, std::uint16_t port,
                                                      const std::string& work_dir);
  ~AgentHttpEdge();
  AgentHttpEdge(const AgentHttpEdge&) = delete;
  AgentHttpEdge& operator=(const AgentHttpEdge&) = delete;

  /// The bound port.
  std::uint16_t port() const;
  /// Accepts nothing more and ends streams; requests under way are still answered.
  void stop();

 private:
  struct Impl;
  explicit AgentHttpEdge(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
