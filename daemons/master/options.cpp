// The flags of rm-master, with their defaults and units.
#include "master/options.hpp"

#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "batch/edge/patterns.hpp"
#include "batch/edge/time_zones.hpp"
#include "common/config.hpp"
#include "common/files.hpp"
#include "librm/base/amount.hpp"
#include "librm/resource/request.hpp"
#include "librm/resource/resources.hpp"

namespace librm::daemon {
namespace {

/// The framework's tasks must outlive any absence of the batch front end, which is part of us.
constexpr Duration batch_failover_timeout = seconds(365LL * 86'400);

int usage_error(const std::string& message) {
  std::cerr << "rm-master: " << message << "\n";
  return 2;
}

/// The parts between the separators; none of nothing.
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

}  // namespace

void use_batch_front_end(MasterConfig& config) {
  config.batch.framework.name = "batch";
  config.batch.framework.failover_timeout = batch_failover_timeout;
  config.batch.zones = &batch::system_time_zones();
  config.batch.patterns = &batch::re2_patterns();
  config.master.allocator.matcher = &batch::re2_matcher();
}

Result<std::pair<std::string, std::int64_t>> parse_role_weight(const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string role = text.substr(0, equals);
  Result<void> valid = check_role(role);
  if (!valid) return tl::unexpected<Error>(valid.error());
  const std::optional<Amount> weight =
      equals == std::string::npos ? std::nullopt : parse_amount(text.substr(equals + 1));
  if (!weight || weight->milli == 0) {
    return fail(ErrorCode::invalid_argument,
                "role-weight '" + text + "': need role=weight with a weight such as 2 or 0.5");
  }
  return std::pair(role, weight->milli);
}

std::optional<int> read_options(int argc, const char* const* argv, MasterOptionsRead& options) {
  MasterConfig& config = options.config;
  MasterOptions& master = config.master;
  config.work_dir = default_work_dir("master");
  std::vector<std::string> role_weights;
  std::string roles;
  std::string min_allocatable;
  std::string excluded;
  std::vector<std::string> batch_roles;

  Config flags("rm-master", "Pools agents, offers their resources, and runs the batch front end.",
               "RM_MASTER_");
  flags.add("listen", config.listen, "numeric address of both ports; 0.0.0.0 is every interface");
  flags.add("port", options.http_port, "HTTP port; 0 picks a free one");
  flags.add("cluster-port", config.cluster_port,
            "port of agents and frameworks; 0 picks a free one");
  flags.add("work-dir", config.work_dir, "data directory, made with mode 0700; one master each");
  flags.add(
      "state", config.state,
      "postgresql://USER:PASSWORD@HOST/DATABASE: keeps the state there, where several masters "
      "share it, instead of in the work directory",
      "RM_MASTER_STATE");
  flags.add("cluster-name", config.cluster, "names this cluster among those in the database");
  flags.add("zk", config.zk,
            "zk://USER:PASSWORD@HOST:PORT,HOST:PORT/PATH, or file:///FILE that holds it: masters "
            "elect their leader there; needs --state",
            "RM_MASTER_ZK");
  flags.add("zk-session-timeout", config.zk_session,
            "after which a leader that is not heard of is replaced");
  flags.add("role-weight", role_weights, "share of a role among others, ROLE=WEIGHT; repeatable");
  flags.add("roles", roles,
            "the only roles besides * that may be used, with all below them: a,b; default any");
  flags.add("min-allocatable-resources", min_allocatable,
            "what an offer has at least: cpus:0.1|mem:32, one of these; default anything");
  flags.add("fair-sharing-excluded", excluded,
            "scalars that do not count for shares: gpus,licenses");
  flags.add("earmark-max", master.allocator.earmark_max,
            "after which a demand whose start is not known has work of others preempted");
  flags.add("batch-role", batch_roles, "role that jobs may name, besides *; repeatable");
  flags.add("heartbeat-interval", master.heartbeat_interval, "of agents and frameworks");
  flags.add("agent-lease", master.agent_lease, "after which a silent agent starts nothing");
  flags.add("unreachable-after", master.agent_unreachable_after,
            "silence after which an agent is unreachable; more than the lease");
  flags.add("pause-percent", config.batch.pause_percent,
            "of agents that are unreachable, above which nothing is started anew elsewhere; 100: "
            "never pause");
  flags.add("agent-return-timeout", master.agent_return_timeout,
            "that known agents have to return after a start");
  flags.add("offer-timeout", master.allocator.offer_timeout,
            "after which an unanswered offer is rescinded");
  flags.add("snapshot-every", config.snapshot_every, "records between two journal snapshots");
  flags.add("storage-low-mib", config.storage_low_mib,
            "MiB free in the work directory's file system below which no new work is taken; twice "
            "as many are enough again");
  flags.add_choice("log-level", options.log_level, {"debug", "info", "warn", "error"},
                   "least level of the lines on stderr", "RM_LOG_LEVEL");
  if (std::optional<int> code = flags.parse(argc, argv)) return code;

  for (const std::string& text : role_weights) {
    auto weight = parse_role_weight(text);
    if (!weight) return usage_error(weight.error().message);
    config.role_weights_milli[weight->first] = weight->second;
  }
  for (std::string& role : split(roles, ',')) {
    if (auto valid = check_role(role); !valid) {
      return usage_error("roles: " + valid.error().message);
    }
    master.allocator.roles.insert(std::move(role));
    master.allocator.roles.emplace(any_role);  // the batch front end's own
  }
  for (const std::string& text : split(min_allocatable, '|')) {
    auto request = parse_request(text);
    if (!request) return usage_error("min-allocatable-resources: " + request.error().message);
    master.allocator.min_allocatable.push_back(std::move(*request));
  }
  for (std::string& name : split(excluded, ',')) {
    const auto request = parse_request(name + ":1");
    if (!request || request->amounts.begin()->first != name) {
      return usage_error("fair-sharing-excluded: '" + name + "' is not the name of a resource");
    }
    master.allocator.unfair.insert(std::move(name));
  }
  if (master.allocator.earmark_max.ns <= 0) return usage_error("earmark-max: need more than 0");
  for (const std::string& role : batch_roles) {
    if (auto valid = check_role(role); !valid) {
      return usage_error("batch-role: " + valid.error().message);
    }
    config.batch.framework.roles.insert(role);
  }
  if (config.batch.pause_percent > 100) {
    return usage_error("pause-percent: " + std::to_string(config.batch.pause_percent) +
                       ", limit 100");
  }
  if (master.heartbeat_interval.ns <= 0 || master.heartbeat_interval >= master.agent_lease ||
      master.agent_lease >= master.agent_unreachable_after) {
    return usage_error("need heartbeat-interval < agent-lease < unreachable-after");
  }
  if (master.agent_return_timeout < master.agent_lease) {
    return usage_error(
        "need agent-lease <= agent-return-timeout: an earlier leader may have given "
        "a lease just before");
  }
  if (!config.zk.empty() && config.state.empty()) {
    return usage_error("zk: masters that elect a leader share their state: give --state, too");
  }
  if (config.zk_session < milliseconds(500)) {
    return usage_error("zk-session-timeout: need 500ms or more");
  }
  if (config.work_dir.empty()) return usage_error("work-dir: need a directory");
  if (config.snapshot_every == 0) return usage_error("snapshot-every: need 1 or more");
  config.work_dir = absolute_path(config.work_dir);
  use_batch_front_end(config);
  return std::nullopt;
}

}  // namespace librm::daemon
