// `rmctl submit`: a command, a script or a job file becomes jobs; their ids go to stdout.
#include <CLI/CLI.hpp>
#include <memory>

#include "job_options.hpp"
#include "selector.hpp"
#include "waiter.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct SubmitOptions {
  JobOptions job;
  std::vector<std::string> given;
  bool wait = false;
  bool dry_run = false;
};

Result<Json> jobs_to_submit(const Context& context, const SubmitOptions& options) {
  if (context.has_command) {
    if (!options.given.empty()) {
      return fail(ErrorCode::invalid_argument,
                  "either a file or a command after --, not both: '" + options.given[0] + "'");
    }
    if (context.command.empty()) {
      return fail(ErrorCode::invalid_argument, "there is no command after --");
    }
    auto job = job_of_command(options.job, context.command);
    if (!job) return job;
    return Json::array({std::move(*job)});
  }
  if (options.given.empty()) {
    return fail(ErrorCode::invalid_argument, "what to run? a file, or -- and a command");
  }
  return jobs_of_file(options.job, options.given);
}

Result<int> submit(const Context& context, const SubmitOptions& options) {
  auto jobs = jobs_to_submit(context, options);
  if (!jobs) return tl::unexpected(jobs.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const Json body = jobs->size() == 1 ? jobs->front() : Json{{"jobs", *jobs}};
  const std::string target = options.dry_run ? "/v1/jobs?dry_run=1" : "/v1/jobs";
  const auto answer = master->post(target, body, new_idempotency_key());
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) context.print(pretty(*answer));
  if (options.dry_run) {
    context.note("this would be accepted; nothing was submitted");
    return 0;
  }
  std::vector<std::string> ids;
  for (const Json& job : member(*answer, "jobs")) {
    ids.push_back(std::to_string(id_of(job, "id")));
    if (context.json()) continue;
    const bool plain = !context.output || context.names();
    context.print(ids.back() + (plain ? "" : "  " + shown(job, "name")) + '\n');
  }
  if (!options.wait) return 0;
  auto submitted = select_jobs(*master, ids, {});
  if (!submitted) return tl::unexpected(submitted.error());
  return Waiter(*master, context, std::move(*submitted)).wait(std::nullopt);
}

}  // namespace

Action define_submit(CLI::App& app, Context& context) {
  const auto options = std::make_shared<SubmitOptions>();
  app.add_option("file", options->given,
                 "a job file (.toml, .json), or an executable script and its arguments")
      ->type_name("FILE");
  app.add_flag("-W,--wait", options->wait, "waits for the end; exits with the highest code");
  app.add_flag("--dry-run", options->dry_run, "is checked by the master, not submitted");
  define_job_options(app, options->job);
  return [options, &context] { return submit(context, *options); };
}

}  // namespace batch::cli
