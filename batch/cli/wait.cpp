// `rmctl wait` and `rmctl cancel`: what is done to jobs that were submitted.
#include <CLI/CLI.hpp>
#include <memory>

#include "waiter.hpp"

namespace batch::cli {

using librm::Result;

namespace {

struct WaitOptions {
  std::vector<std::string> selectors;
  std::string timeout;
};

Result<int> wait_for_jobs(const Context& context, const WaitOptions& options) {
  std::optional<double> timeout_s;
  if (!options.timeout.empty()) {
    const auto span = span_option("--timeout", options.timeout);
    if (!span) return tl::unexpected(span.error());
    timeout_s = *span;
  }
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  auto jobs = fetch_jobs(*master, options.selectors);
  if (!jobs) return tl::unexpected(jobs.error());
  Waiter waiter(*master, context, std::move(*jobs));
  const auto code = waiter.wait(timeout_s);
  if (!code) return code;
  std::vector<Json> ended;
  for (const auto& [id, job] : waiter.jobs()) {
    ended.push_back(job);
    if (context.names()) context.print(std::to_string(id) + '\n');
    if (context.output || job_exit_code(job) == 0) continue;
    context.note(ending(job));
  }
  if (context.json()) context.print(pretty(document_of(ended)));
  return code;
}

struct CancelOptions {
  std::vector<std::string> selectors;
  std::string reason;
};

Result<int> cancel_jobs(const Context& context, const CancelOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto selectors = expand_selectors(options.selectors);
  if (!selectors) return tl::unexpected(selectors.error());
  const Json body = options.reason.empty() ? Json() : Json{{"reason", options.reason}};
  int code = 0;
  std::vector<Json> cancelled;
  for (const std::string& selector : *selectors) {
    const auto job = master->post(job_path(selector) + "/cancel", body, new_idempotency_key());
    if (!job) {
      // The others are cancelled all the same, unless there is nobody to ask.
      context.note(job.error().message);
      code = std::max(code, exit_code_of(job.error().code));
      if (job.error().code == librm::ErrorCode::unavailable) return code;
      continue;
    }
    cancelled.push_back(*job);
    if (context.json()) continue;
    if (context.names()) {
      context.print(std::to_string(id_of(*job, "id")) + '\n');
    } else {
      const bool over = is_over(*job);
      context.note("job " + std::to_string(id_of(*job, "id")) + " (" + shown(*job, "name") +
                   "): " + (over ? shown(*job, "state") : "is being cancelled"));
    }
  }
  if (context.json()) context.print(pretty(document_of(cancelled)));
  return code;
}

}  // namespace

Action define_wait(CLI::App& app, Context& context) {
  const auto options = std::make_shared<WaitOptions>();
  app.add_option("selector", options->selectors, "ids, names, last, last-2, 40-45")
      ->type_name("SELECTOR")
      ->required();
  app.add_option("--timeout", options->timeout, "gives up after this, with exit code 6")
      ->type_name("SPAN")
      ->allow_extra_args(false);
  return [options, &context] { return wait_for_jobs(context, *options); };
}

Action define_cancel(CLI::App& app, Context& context) {
  const auto options = std::make_shared<CancelOptions>();
  app.add_option("selector", options->selectors, "ids, names, last, last-2, 40-45")
      ->type_name("SELECTOR")
      ->required();
  app.add_option("--reason", options->reason, "is shown with the job")->type_name("TEXT");
  return [options, &context] { return cancel_jobs(context, *options); };
}

}  // namespace batch::cli
