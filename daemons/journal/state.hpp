// A journal's records as the state that they make: a master's or an agent's.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "batch/cluster_core.hpp"
#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/cluster/agent.hpp"
#include "librm/wire/record_entry.hpp"

namespace librm::journal {

using Json = nlohmann::ordered_json;

/// `master`, `batch`, `agent`, `stream 7`.
std::string stream_name(std::uint16_t stream);

/// Whose journal it is, is known from the first record on.
class State {
 public:
  State();
  /// As Journal::OnRecord: fails with what cannot be decoded, or is in the wrong journal.
  Result<void> apply(Lsn lsn, const RecordEntry& entry);

  bool is_master() const { return is_master_; }
  bool is_agent() const { return agent_ != nullptr; }
  batch::ClusterCore& cluster() { return *cluster_; }
  /// Counts of what the state holds.
  Json summary() const;

 private:
  std::unique_ptr<batch::ClusterCore> cluster_;
  bool is_master_ = false;
  std::unique_ptr<AgentCore> agent_;
};

}  // namespace librm::journal
