// cancel, hold, release, requeue, retry: one word on each of the selected jobs.
#include <CLI/CLI.hpp>
#include <memory>

#include "job_view.hpp"
#include "master.hpp"
#include "selector.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

struct ControlOptions {
  std::vector<std::string> selectors;
  std::string reason;
};

/// What a word can be said about, for patterns that name no state.
std::vector<std::string> states_for(const std::string& action) {
  if (action == "hold") return {"pending"};
  if (action == "release") return {"held"};
  if (action == "requeue") return {"running"};
  if (action == "retry") return {"failed", "cancelled"};
  return live_states();
}

Result<int> control(const Context& context, const ControlOptions& options,
                    const std::string& action) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto paths = select_paths(*master, options.selectors, {states_for(action)});
  if (!paths) return tl::unexpected(paths.error());
  const Json body = options.reason.empty() ? Json() : Json{{"reason", options.reason}};
  int code = 0;
  std::vector<Json> changed;
  for (const std::string& path : *paths) {
    const auto job = master->post(job_path(path) + "/" + action, body, new_idempotency_key());
    if (!job) {
      // The others are changed all the same, unless there is nobody to ask.
      context.note(job.error().message);
      code = std::max(code, exit_code_of(job.error().code));
      if (job.error().code == librm::ErrorCode::unavailable) return code;
      continue;
    }
    changed.push_back(*job);
    if (context.json()) continue;
    if (context.names()) {
      context.print(to_string(element_id_of(*job)) + '\n');
    } else {
      const bool ends = action == "cancel" && !is_over(*job);
      context.note("job " + to_string(element_id_of(*job)) + " (" + shown(*job, "name") +
                   "): " + (ends ? "is being cancelled" : shown(*job, "state")));
    }
  }
  if (context.json()) context.print(pretty(document_of(changed)));
  return code;
}

Action define_control(CLI::App& app, Context& context, const char* action) {
  const auto options = std::make_shared<ControlOptions>();
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR")->required();
  app.add_option("--reason", options->reason, "is shown with the job")->type_name("TEXT");
  return
      [options, &context, word = std::string(action)] { return control(context, *options, word); };
}

}  // namespace

Action define_cancel(CLI::App& app, Context& context) {
  return define_control(app, context, "cancel");
}
Action define_hold(CLI::App& app, Context& context) { return define_control(app, context, "hold"); }
Action define_release(CLI::App& app, Context& context) {
  return define_control(app, context, "release");
}
Action define_requeue(CLI::App& app, Context& context) {
  return define_control(app, context, "requeue");
}
Action define_retry(CLI::App& app, Context& context) {
  return define_control(app, context, "retry");
}

}  // namespace batch::cli
