// Decodes records with the daemons' own codecs and applies them to their own cores.
#include "journal/state.hpp"

#include <set>
#include <utility>

#include "batch/edge/patterns.hpp"
#include "batch/edge/record_codec.hpp"
#include "batch/edge/time_zones.hpp"
#include "librm/wire/record.hpp"

namespace librm::journal {
namespace {

batch::BatchOptions batch_options() {
  batch::BatchOptions options;
  options.framework.name = "batch";
  options.zones = &batch::system_time_zones();
  options.patterns = &batch::re2_patterns();
  return options;
}

Result<batch::ClusterCore::Record> decode_master_side(const RecordEntry& entry) {
  if (entry.stream == master_stream) {
    Result<MasterRecord> record = decode_master_record(entry);
    if (!record) return tl::unexpected<Error>(record.error());
    return batch::ClusterCore::Record(std::move(*record));
  }
  Result<batch::BatchRecord> record = batch::decode_batch_record(entry);
  if (!record) return tl::unexpected<Error>(record.error());
  return batch::ClusterCore::Record(std::move(*record));
}

}  // namespace

std::string stream_name(std::uint16_t stream) {
  switch (stream) {
    case master_stream:
      return "master";
    case batch_stream:
      return "batch";
    case agent_stream:
      return "agent";
    default:
      return "stream " + std::to_string(stream);
  }
}

State::State() : cluster_(std::make_unique<batch::ClusterCore>(MasterOptions{}, batch_options())) {}

Result<void> State::apply(Lsn, const RecordEntry& entry) {
  const bool of_master = entry.stream == master_stream || entry.stream == batch_stream;
  if (!of_master && entry.stream != agent_stream) {
    return fail(ErrorCode::unsupported, stream_name(entry.stream) + ": this program knows none");
  }
  if (of_master ? is_agent() : is_master_) {
    return fail(ErrorCode::corrupt, "a record of the stream '" + stream_name(entry.stream) +
                                        "' in a journal of " +
                                        (of_master ? "an agent" : "a master"));
  }
  if (of_master) {
    is_master_ = true;
    Result<batch::ClusterCore::Record> record = decode_master_side(entry);
    if (!record) return tl::unexpected<Error>(record.error());
    cluster_->apply(*record);
    return {};
  }
  if (!agent_) agent_ = std::make_unique<AgentCore>(AgentOptions{});
  Result<AgentCoreRecord> record = decode_agent_record(entry);
  if (!record) return tl::unexpected<Error>(record.error());
  agent_->apply(*record);
  return {};
}

Json State::summary() const {
  if (agent_) {
    return {{"agent", to_string(agent_->id())},
            {"epoch", agent_->epoch_highest()},
            {"tasks", agent_->tasks().size()}};
  }
  const MasterCore& master = cluster_->master();
  const batch::BatchCore& batch = cluster_->batch();
  std::size_t frameworks = 0;
  for (const auto& [id, framework] : master.frameworks()) {
    if (framework.record.status == FrameworkStatus::active) ++frameworks;
  }
  std::size_t agents = 0;
  for (const auto& [id, agent] : master.agents()) {
    if (agent.record.status != AgentStatus::gone) ++agents;
  }
  Json states = Json::object();
  for (int state = 1; state < 7; ++state)
    states[batch::to_string(static_cast<batch::JobState>(state))] = 0;
  for (const auto& [id, job] : batch.jobs()) {
    Json& count = states[batch::to_string(job.state)];
    count = count.get<std::uint64_t>() + 1;
  }
  const std::uint64_t last = batch.jobs().empty() ? 0 : batch.jobs().rbegin()->first;
  return {{"epoch", master.epoch()},
          {"agents", agents},
          {"frameworks", frameworks},
          {"jobs", batch.jobs().size()},
          {"jobs_by_state", std::move(states)},
          {"last_job", last},
          {"schedules", batch.schedules().size()}};
}

}  // namespace librm::journal
