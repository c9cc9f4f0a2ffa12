// `rmctl logs`: what jobs wrote, as it is or as it grows.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "job_output.hpp"
#include "job_view.hpp"
#include "line_labels.hpp"
#include "sandbox_files.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct LogsOptions {
  std::vector<std::string> selectors;
  std::string stream = "both";
  bool errors = false;
  JobOutput::Options output;

  bool wants(const std::string& name) const { return stream == "both" || stream == name; }
};

/// Of a label; red is left to errors.
constexpr std::string_view label_colors[] = {"36", "33", "32", "35", "34", "96", "93", "92", "95"};

/// What is asked for alone is data and goes to stdout.
int descriptor_of(const LogsOptions& options, const std::string& stream) {
  return options.stream == "both" && stream == "stderr" ? 2 : 1;
}

std::vector<JobOutput::Target> plain_targets(const LogsOptions& options) {
  std::vector<JobOutput::Target> targets;
  for (const char* stream : {"stdout", "stderr"}) {
    if (options.wants(stream)) targets.push_back({stream, sink_to(descriptor_of(options, stream))});
  }
  return targets;
}

std::vector<JobOutput::Target> labelled_targets(const Context& context, const LogsOptions& options,
                                                const std::string& label, std::size_t index) {
  std::vector<JobOutput::Target> targets;
  for (const char* stream : {"stdout", "stderr"}) {
    if (!options.wants(stream)) continue;
    const int fd = descriptor_of(options, stream);
    const Terminal& terminal = fd == 1 ? context.out : context.err;
    const bool is_error = std::string_view(stream) == "stderr";
    const std::string text = paint(terminal, label_colors[index % std::size(label_colors)], label) +
                             paint(terminal, is_error ? "31" : "90", " | ");
    const auto lines = std::make_shared<LabelledLines>(text, sink_to(fd));
    targets.push_back({stream, [lines](std::string_view bytes) { return lines->take(bytes); },
                       [lines] { lines->finish(); }});
  }
  return targets;
}

/// Until all of them are done, whichever has something first.
void drive(const std::vector<std::unique_ptr<JobOutput>>& outputs) {
  for (;;) {
    std::vector<pollfd> waiting;
    auto wake = JobOutput::Clock::time_point::max();
    for (const auto& output : outputs) {
      if (output->target_closed()) return;
      if (output->done()) continue;
      output->add_descriptors(waiting);
      wake = std::min(wake, output->wake());
    }
    if (wake == JobOutput::Clock::time_point::max()) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(wake - JobOutput::Clock::now());
    ::poll(waiting.data(), waiting.size(),
           static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    for (const auto& output : outputs) {
      if (!output->done()) output->advance();
    }
  }
}

/// One job's end is told as the error itself, one of several as a line that names it.
Result<int> judge(const Context& context, const std::vector<std::unique_ptr<JobOutput>>& outputs,
                  const std::vector<std::string>& ids) {
  std::optional<Error> first;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto& error = outputs[i]->error();
    if (!error) continue;
    if (outputs.size() > 1) context.note("job " + escape(ids[i]) + ": " + error->message);
    if (!first) first = error;
  }
  if (!first) return 0;
  if (outputs.size() == 1) return tl::unexpected(*first);
  return exit_code_of(first->code);
}

Result<int> logs(const Context& context, const LogsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto selectors = expand_selectors(options.selectors);
  if (!selectors) return tl::unexpected(selectors.error());
  std::vector<Json> jobs;
  std::vector<std::string> names;
  std::vector<std::string> ids;
  for (const std::string& selector : *selectors) {
    auto job = master->get(job_path(selector));
    if (!job) return tl::unexpected(job.error());
    ids.push_back(stable_selector(selector, *job));
    names.push_back(text_of(*job, "name"));
    jobs.push_back(std::move(*job));
  }
  const std::vector<std::string> labels = labels_for(names, ids);
  std::vector<std::unique_ptr<JobOutput>> outputs;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    auto targets = jobs.size() == 1 ? plain_targets(options)
                                    : labelled_targets(context, options, labels[i], i);
    outputs.push_back(std::make_unique<JobOutput>(*master, ids[i], std::move(jobs[i]),
                                                  options.output, std::move(targets)));
  }
  drive(outputs);
  return judge(context, outputs, ids);
}

}  // namespace

Action define_logs(CLI::App& app, Context& context) {
  const auto options = std::make_shared<LogsOptions>();
  app.add_option("selector", options->selectors, "ids, ranges 40-45, names, last, last-2")
      ->type_name("SELECTOR")
      ->required();
  app.add_flag("-f,--follow", options->output.follow, "goes on until the jobs are over");
  app.add_option("--stream", options->stream, "which of its outputs; both if not given")
      ->type_name("stdout|stderr|both")
      ->check(CLI::IsMember({"stdout", "stderr", "both"}));
  app.add_flag("--stderr", options->errors, "the same as --stream stderr")->excludes("--stream");
  define_attempt(app, options->output.attempt);
  return [options, &context] {
    if (options->errors) options->stream = "stderr";
    return logs(context, *options);
  };
}

}  // namespace batch::cli
