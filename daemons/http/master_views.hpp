// The cluster as JSON: nodes, frameworks, and the summary of its state.
#pragma once

#include <optional>
#include <string>

#include "batch/cluster_core.hpp"
#include "http/json.hpp"
#include "librm/base/id.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

/// As this folder's README describes them.
Json nodes_to_json(const batch::ClusterCore& core, WallTime now);
/// Empty where there is no such agent.
std::optional<Json> node_to_json(const MasterCore& master, AgentId id, WallTime now);
Json frameworks_to_json(const MasterCore& master);

/// Counting a million jobs takes long enough to disturb the loop, so a count of many jobs is used
/// again for a while: a microsecond for each job.
class JobCounts {
 public:
  const Json& by_state(const batch::BatchCore& batch, Instant now);

 private:
  Json counts_;
  std::optional<Instant> counted_;
  std::size_t jobs_ = 0;
};

Json state_to_json(const batch::ClusterCore& core, const std::string& leader, const Json& jobs);

}  // namespace librm::http
