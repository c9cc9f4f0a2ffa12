// `rmctl dev`: its options, and what it says when the cluster is there.
#include <CLI/CLI.hpp>
#include <memory>

#include "dev_cluster.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr const char* default_address = "127.0.0.1:5050";

std::string banner(const Context& context, const DevCluster& cluster, unsigned nodes) {
  const Terminal& terminal = context.out;
  const std::string url = "http://" + cluster.address();
  std::string text = paint(terminal, "1",
                           "A cluster of " + std::to_string(nodes) +
                               (nodes == 1 ? " node" : " nodes") + " is running") +
                     ", each with " + cluster.node_size() + " of memory.\n\n";
  text += "  master   " + paint(terminal, "4", url) + '\n';
  text += "  state    " + cluster.directory() + "  (daemons' logs: *.log)\n\n";
  text += "Try, in another terminal:\n\n";
  if (cluster.address() != default_address) text += "  export RM_MASTER=" + url + '\n';
  text += "  rmctl run -- hostname\n";
  text += "  rmctl submit --name nap -- sleep 60; rmctl jobs\n";
  text += "  rmctl submit --mem 100T -- true; rmctl nodes\n\n";
  return text + "^C here stops it all.\n";
}

Result<int> dev(const Context& context, const DevOptions& options) {
  if (context.has_command && context.command.empty()) {
    return fail(ErrorCode::invalid_argument, "there is no command after --");
  }
  int code = 0;
  {
    DevCluster cluster(context, options);
    if (auto started = cluster.start(); !started) return tl::unexpected(started.error());
    if (!context.has_command) context.print(banner(context, cluster, options.nodes));
    const auto ran = cluster.run(context.command);
    if (!ran) return ran;
    code = *ran;
    if (!context.has_command) context.note("stopping");
  }
  return code;
}

}  // namespace

Action define_dev(CLI::App& app, Context& context) {
  const auto options = std::make_shared<DevOptions>();
  app.add_option("--nodes", options->nodes, "agents to start; 4 if not given")
      ->type_name("N")
      ->check(CLI::Range(1U, 64U));
  app.add_option("--port", options->port, "of the master; 0 takes a free one; 5050 if not given")
      ->type_name("PORT")
      ->check(CLI::Range(0U, 65'535U));
  app.add_option("--cpus", options->cpus, "of each node; all cores, at least 2, if not given")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  app.add_option("--mem", options->mem, "of each node, such as 4G; this machine's, divided, if not")
      ->type_name("AMOUNT");
  app.add_option("--work-dir", options->work_dir,
                 "keeps the state there; the next cluster with this directory goes on with it")
      ->type_name("DIR");
  app.add_flag("--no-restart", options->no_restart, "lets a daemon that dies stay dead");
  return [options, &context] { return dev(context, *options); };
}

}  // namespace batch::cli
