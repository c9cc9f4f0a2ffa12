// `rmctl wait`: until all of the selected jobs are over, or the first is.
#include <CLI/CLI.hpp>
#include <memory>

#include "selector.hpp"
#include "waiter.hpp"

namespace batch::cli {

using librm::Result;

namespace {

struct WaitOptions {
  std::vector<std::string> selectors;
  std::string timeout;
  bool any = false;
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
  auto jobs = select_jobs(*master, options.selectors, {});
  if (!jobs) return tl::unexpected(jobs.error());
  Waiter waiter(*master, context, std::move(*jobs));
  const auto code = waiter.wait(timeout_s, options.any);
  if (!code) return code;
  std::vector<Json> ended;
  for (const auto& [id, job] : waiter.jobs()) {
    if (options.any && &job != waiter.first_ended()) continue;
    ended.push_back(job);
    if (context.names()) context.print(to_string(id) + '\n');
    if (context.output || job_exit_code(job) == 0) continue;
    context.note(ending(job));
  }
  if (context.json()) context.print(pretty(document_of(ended)));
  return code;
}

}  // namespace

Action define_wait(CLI::App& app, Context& context) {
  const auto options = std::make_shared<WaitOptions>();
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR")->required();
  app.add_flag("--any", options->any, "ends with the first job that ends, and has its code");
  app.add_option("--timeout", options->timeout, "gives up after this, with exit code 6")
      ->type_name("SPAN")
      ->allow_extra_args(false);
  return [options, &context] { return wait_for_jobs(context, *options); };
}

}  // namespace batch::cli
