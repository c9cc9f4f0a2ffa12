// `rmctl logs`: what a job wrote, as it is or as it grows.
#include <poll.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "job_view.hpp"
#include "log_stream.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

struct LogsOptions {
  std::string selector;
  bool follow = false;
  bool errors = false;
  std::uint32_t attempt = 0;
};

std::uint32_t attempt_of(const Json& job) {
  return static_cast<std::uint32_t>(number_of(job, "attempt").value_or(0));
}

Result<int> logs(const Context& context, const LogsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  auto job = master->get(job_path(options.selector));
  if (!job) return tl::unexpected(job.error());
  const std::string id = std::to_string(id_of(*job, "id"));
  LogStream::Source source{id, options.errors ? "stderr" : "stdout",
                           options.attempt != 0 ? options.attempt : attempt_of(*job),
                           options.follow};
  for (;;) {
    LogStream stream(*master, source, sink_to(1));
    if (is_over(*job)) stream.job_is_over();
    if (auto copied = drain(*master, id, stream); !copied) return tl::unexpected(copied.error());
    if (!options.follow || options.attempt != 0 || is_over(*job)) return 0;
    // A job that is tried again goes on writing, elsewhere.
    const std::uint32_t seen = source.attempt;
    while (!is_over(*job) && attempt_of(*job) <= seen) {
      job = master->get(job_path(id));
      if (!job) return tl::unexpected(job.error());
      if (!is_over(*job) && attempt_of(*job) <= seen) ::poll(nullptr, 0, 100);
    }
    if (attempt_of(*job) <= seen) return 0;
    source.attempt = attempt_of(*job);
  }
}

}  // namespace

Action define_logs(CLI::App& app, Context& context) {
  const auto options = std::make_shared<LogsOptions>();
  app.add_option("selector", options->selector, "an id, a name, last, last-2")
      ->type_name("SELECTOR")
      ->required();
  app.add_flag("-f,--follow", options->follow, "goes on until the job is over");
  app.add_flag("--stderr", options->errors, "what it wrote there, instead of stdout");
  app.add_option("--attempt", options->attempt, "of this attempt; the last one if not given")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U));
  return [options, &context] { return logs(context, *options); };
}

}  // namespace batch::cli
