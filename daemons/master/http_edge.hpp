// The master's HTTP edge: its server, its routes, and the service behind them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "librm/base/result.hpp"
#include "master/master_service.hpp"

namespace librm::daemon {

/// Listens from its creation on, answers from the loop. Lives on the io_context's thread; service
/// and io_context outlive it.
class MasterHttpEdge {
 public:
  /// `listen` is a numeric address; port 0 picks a free one. Fails with the system's reason.
  static Result<std::unique_ptr<MasterHttpEdge>> start(asio::io_context& io, MasterService& service,
                                                       const std::string& listen,
                                                       std::uint16_t port);
  ~MasterHttpEdge();
  MasterHttpEdge(const MasterHttpEdge&) = delete;
  MasterHttpEdge& operator=(const MasterHttpEdge&) = delete;

  /// The bound port.
  std::uint16_t port() const;
  /// Accepts nothing more and ends streams; requests under way are still answered.
  void stop();

 private:
  struct Impl;
  explicit MasterHttpEdge(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
