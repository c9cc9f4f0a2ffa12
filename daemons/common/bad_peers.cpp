// A line for a peer that was closed, or its share in a count.
#include "common/bad_peers.hpp"

#include "common/log.hpp"
#include "librm/runtime/clock.hpp"

namespace librm::daemon {

void BadPeers::log_one(const std::string& peer, const std::string& reason) {
  const auto kept_back = budget_.let_through(read_clocks().mono);
  if (!kept_back) return;
  if (*kept_back > 0) {
    log(LogLevel::warn, "more connections were closed for what they sent",
        {{"count", std::to_string(*kept_back)}});
  }
  log(LogLevel::warn, reason, {{"peer", peer}});
}

}  // namespace librm::daemon
