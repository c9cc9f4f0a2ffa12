// The flags of rm-agent, with their defaults and units.
#include "agent/options.hpp"

#include <iostream>
#include <random>
#include <utility>

#include "agent/detect.hpp"
#include "common/config.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "common/text.hpp"
#include "librm/runtime/zookeeper_elector.hpp"

namespace librm::daemon {
namespace {

int usage_error(const std::string& message) {
  std::cerr << "rm-agent: " << message << "\n";
  return 2;
}

std::optional<int> check(AgentOptionsRead& options, const std::string& attributes) {
  AgentConfig& config = options.config;
  if (config.master.empty() == config.master_dir.empty()) {
    return usage_error("need one of --master HOST:PORT and --master-dir DIR");
  }
  if (is_zookeeper_url(config.master)) {
    Result<ZookeeperUrl> url = read_zookeeper_url(config.master);
    if (!url) return usage_error("master: " + url.error().message);
  } else if (!config.master.empty()) {
    Result<HostPort> address = parse_host_port(config.master);
    if (!address) return usage_error("master: " + address.error().message);
  }
  if (Result<void> valid = check_role(options.default_role); !valid) {
    return usage_error("default-role: " + valid.error().message);
  }
  Result<Resources> given = read_given_resources(options.resources, options.default_role);
  if (!given) return usage_error("resources: " + given.error().message);
  Result<Attributes> parsed = parse_attributes(attributes);
  if (!parsed) return usage_error("attributes: " + parsed.error().message);
  config.agent.attributes = std::move(*parsed);
  if (config.agent.work_dir.empty()) return usage_error("work-dir: need a directory");
  config.agent.work_dir = absolute_path(config.agent.work_dir);
  if (!config.master_dir.empty()) config.master_dir = absolute_path(config.master_dir);
  return std::nullopt;
}

void take_topology(AgentOptionsRead& options, const hwtopo::Topology& machine) {
  AgentOptions& agent = options.config.agent;
  if (Result<std::string> text = hwtopo::to_synthetic(machine)) {
    agent.topology = std::move(*text);
  } else {
    log(LogLevel::warn, "the master is not told the topology", {{"error", text.error().message}});
  }
  const bool is_this_host = options.topology.empty();
  if (options.bind == "cores" && is_this_host) agent.pick_cpus = cpu_picker(machine);
}

}  // namespace

std::optional<int> read_options(int argc, const char* const* argv, AgentOptionsRead& options) {
  AgentConfig& config = options.config;
  config.agent.work_dir = default_work_dir("agent");
  config.agent.hostname = detect_hostname();
  config.shepherd = beside_own_program("rm-shepherd");
  std::string attributes;
  std::string on_exit = "keep";
  auto fetch_mib_max = static_cast<std::uint32_t>(config.fetch_bytes_max >> 20);

  Config flags("rm-agent", "Offers this host's resources to a master and runs what it launches.",
               "RM_AGENT_");
  flags.add(
      "master", config.master,
      "HOST:PORT of the master's cluster port, or zk://HOST:PORT,HOST:PORT/PATH or file:///FILE "
      "where several masters elect their leader",
      "RM_MASTER_CLUSTER");
  flags.add("master-dir", config.master_dir,
            "work directory of a master on this host, instead of --master; its address is read "
            "anew at every reconnect");
  flags.add("listen", options.listen, "numeric address of the HTTP port");
  flags.add("port", options.http_port, "HTTP port; 0 picks a free one");
  flags.add("work-dir", config.agent.work_dir, "state and sandboxes; one agent each");
  flags.add("resources", options.resources,
            "such as cpus:8;mem:16384;cpus(eng):4 (mem and disk in MiB; in brackets the role that "
            "it is kept for); replaces what is detected, name by name");
  flags.add("default-role", options.default_role,
            "that resources are kept for which name none, detected ones, too; * is anybody's");
  flags.add_choice("bind", options.bind, {"cores", "none"},
                   "what tasks are bound to: as many hardware threads as they have cpus, near each "
                   "other, or nothing");
  flags.add("topology", options.topology,
            "such as 'pack:2 core:8 pu:2': emulates that machine, instead of discovering this one; "
            "nothing is bound then");
  flags.add("attributes", attributes, "such as rack:r7;os:linux");
  flags.add("hostname", config.agent.hostname, "as shown to users");
  flags.add_choice("on-exit", on_exit, {"keep", "kill"},
                   "what SIGTERM does with tasks: they live on, or are killed");
  flags.add("kill-timeout", config.kill_timeout, "that on-exit=kill waits for");
  flags.add("shepherd", config.shepherd, "the rm-shepherd program");
  flags.add(
      "fetch-mib-max", fetch_mib_max,
      "MiB that one task may fetch, and unpack; a shepherd that runs keeps what it began with");
  flags.add("gc-after", config.gc.age_max,
            "that an ended task's sandbox is kept on an empty disk; less the fuller it is");
  flags.add("gc-disk-percent", config.gc.disk_percent,
            "of the work directory's file system: in use from here on, sandboxes of ended tasks "
            "are not kept at all");
  flags.add("gc-interval", config.gc_interval, "between two looks for sandboxes to delete");
  flags.add("snapshot-every", config.snapshot_every, "records between two journal snapshots");
  flags.add_choice("log-level", options.log_level, {"debug", "info", "warn", "error"},
                   "least level of the lines on stderr", "RM_LOG_LEVEL");
  if (std::optional<int> code = flags.parse(argc, argv)) return code;
  config.fetch_bytes_max = std::uint64_t{fetch_mib_max} << 20;
  config.kill_on_exit = on_exit == "kill";
  if (config.gc.disk_percent < 1 || config.gc.disk_percent > 100) {
    return usage_error("gc-disk-percent: need 1 to 100");
  }
  if (config.gc_interval < milliseconds(10)) return usage_error("gc-interval: need 10ms or more");
  if (config.snapshot_every == 0) return usage_error("snapshot-every: need 1 or more");
  return check(options, attributes);
}

Result<void> detect_host(AgentOptionsRead& options) {
  AgentOptions& agent = options.config.agent;
  Result<void> made = make_directories(agent.work_dir, 0711);
  if (!made) return made;
  Result<Incarnation> incarnation = read_incarnation();
  if (!incarnation) return tl::unexpected<Error>(incarnation.error());
  agent.incarnation = *incarnation;
  Result<Resources> given = read_given_resources(options.resources, options.default_role);
  if (!given) return tl::unexpected<Error>(given.error());
  Result<std::optional<hwtopo::Topology>> topology = detect_topology(options.topology);
  if (!topology) return tl::unexpected<Error>(topology.error());
  const hwtopo::Topology* machine = *topology ? &**topology : nullptr;
  agent.total =
      override_resources(detect_resources(agent.work_dir, machine), *given, options.default_role);
  if (machine != nullptr) take_topology(options, *machine);
  std::random_device device;
  agent.seed = (static_cast<std::uint64_t>(device()) << 32) | device();
  log(LogLevel::info, "this host",
      {{"hostname", agent.hostname},
       {"incarnation", to_string(agent.incarnation)},
       {"resources", to_string(agent.total)}});
  return {};
}

}  // namespace librm::daemon
