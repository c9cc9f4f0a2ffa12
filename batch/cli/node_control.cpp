// `rmctl node cordon`, drain, down and what undoes them: an operator's word on nodes.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "node_view.hpp"

namespace batch::cli {

using librm::Result;

namespace {

struct ControlOptions {
  std::vector<std::string> nodes;
  std::string reason;
  std::string mode;
  std::string grace;
  std::string deadline;
  bool dry_run = false;
  bool force = false;

  Json body() const {
    Json body = Json::object();
    for (const auto& [name, value] :
         {std::pair("reason", &reason), std::pair("mode", &mode), std::pair("grace", &grace),
          std::pair("deadline", &deadline)}) {
      if (!value->empty()) body[name] = *value;
    }
    if (force) body["force"] = true;
    return body;
  }
};

/// A line for each kill, for what keeps the drain from its end, and for the end.
std::string plan_of(const Json& plan) {
  std::string text = shown(plan, "node") + ":\n";
  for (const Json& kill : member(plan, "kills")) {
    text += "  kills task " + shown(kill, "task") + " of " + shown(kill, "framework") + " at " +
            shown(kill, "at") + ", grace " + shown(kill, "grace") + " s (" + shown(kill, "reason") +
            ")\n";
  }
  for (const Json& blocker : member(plan, "blockers")) {
    if (blocker.is_string()) text += "  ! " + escape(blocker.get<std::string>()) + '\n';
  }
  const std::string end = shown(plan, "expected_end");
  return text + (end.empty() ? "  no known end\n" : "  drained by " + end + '\n');
}

Result<int> control(const Context& context, const ControlOptions& options,
                    const std::string& action) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  int code = 0;
  Json answers = Json::array();
  for (const std::string& name : options.nodes) {
    auto node = node_id(*master, name);
    auto answer = node ? master->post("/v1/nodes/" + percent_encode(*node) + '/' + action +
                                          (options.dry_run ? "?dry_run=1" : ""),
                                      options.body(), new_idempotency_key())
                       : Result<Json>(tl::unexpected(node.error()));
    if (!answer) {
      // The others are changed all the same, unless there is nobody to ask.
      context.note(answer.error().message);
      code = std::max(code, exit_code_of(answer.error().code));
      if (answer.error().code == librm::ErrorCode::unavailable) return code;
      continue;
    }
    if (context.json()) {
      answers.push_back(*answer);
    } else if (options.dry_run) {
      context.print(plan_of(*answer));
    } else if (context.names()) {
      context.print(shown(*answer, "id") + '\n');
    } else {
      context.note("node " + shown(*answer, "id") + " (" + shown(*answer, "hostname") +
                   "): " + shown(*answer, "service"));
    }
  }
  if (context.json()) context.print(pretty(answers.size() == 1 ? answers.front() : answers));
  return code;
}

Action define(CLI::App& app, Context& context, const char* action) {
  const auto options = std::make_shared<ControlOptions>();
  app.add_option("node", options->nodes, "ids or host names")->type_name("NODE")->required();
  const std::string word = action;
  if (word == "cordon" || word == "drain" || word == "down") {
    app.add_option("--reason", options->reason, "is shown with the node")->type_name("TEXT");
  }
  if (word == "drain") {
    app.add_option("--mode", options->mode,
                   "what becomes of its tasks: they may finish (wait, the default), start "
                   "elsewhere (requeue), or end (kill)")
        ->type_name("wait|requeue|kill");
    app.add_option("--grace", options->grace, "at most, between SIGTERM and SIGKILL")
        ->type_name("SPAN");
    app.add_option("--deadline", options->deadline,
                   "of mode wait: what runs then is killed, and starts elsewhere")
        ->type_name("SPAN");
    app.add_flag("--dry-run", options->dry_run, "prints what would be done, and does nothing");
  }
  if (word == "down") {
    app.add_flag("--force", options->force,
                 "also where it is not drained; its tasks are unreachable then");
  }
  return [options, &context, word] { return control(context, *options, word); };
}

}  // namespace

Action define_node_cordon(CLI::App& app, Context& context) {
  return define(app, context, "cordon");
}
Action define_node_uncordon(CLI::App& app, Context& context) {
  return define(app, context, "uncordon");
}
Action define_node_drain(CLI::App& app, Context& context) { return define(app, context, "drain"); }
Action define_node_undrain(CLI::App& app, Context& context) {
  return define(app, context, "undrain");
}
Action define_node_down(CLI::App& app, Context& context) { return define(app, context, "down"); }
Action define_node_up(CLI::App& app, Context& context) { return define(app, context, "up"); }

}  // namespace batch::cli
