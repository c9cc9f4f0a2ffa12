// `rmctl logs`: what jobs wrote, as it is or as it grows.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "job_output.hpp"
#include "job_view.hpp"
#include "line_labels.hpp"
#include "sandbox_files.hpp"
#include "selector.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// Each has a connection of its own.
constexpr std::size_t elements_max = 100;

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

/// In the place of arrays, their elements: those that were launched and, where output is followed,
/// those that may be.
Result<std::vector<Json>> with_elements(Master& master, std::vector<Json> jobs, bool follow) {
  std::vector<Json> all;
  for (Json& job : jobs) {
    if (!member(job, "array").is_object() || number_of(job, "index")) {
      all.push_back(std::move(job));
      continue;
    }
    const std::string id = to_string(element_id_of(job));
    const auto page =
        master.get(job_path(id) + "/elements?state=running,finished,failed" +
                   (follow ? ",pending,held" : "") + "&limit=" + std::to_string(elements_max + 1));
    if (!page) return tl::unexpected(page.error());
    const Json& elements = member(*page, "elements");
    if (elements.size() > elements_max) {
      return fail(ErrorCode::invalid_argument,
                  "job " + id + ": more than " + std::to_string(elements_max) +
                      " elements have output; name some, such as '" + id + "[0-9]'");
    }
    for (const Json& element : elements) {
      auto one = master.get(job_path(id + '_' + shown(element, "index")));
      if (!one) return tl::unexpected(one.error());
      all.push_back(std::move(*one));
    }
  }
  return all;
}

/// `train`, of an element `train[7]`.
std::string label_of(const Json& job) {
  const std::string name = text_of(job, "name");
  return number_of(job, "index") ? name + '[' + shown(job, "index") + ']' : name;
}

Result<int> logs(const Context& context, const LogsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  auto selected = select_jobs(*master, options.selectors, {{}, true});
  if (!selected) return tl::unexpected(selected.error());
  auto found = with_elements(*master, std::move(*selected), options.output.follow);
  if (!found) return tl::unexpected(found.error());
  std::vector<Json> jobs = std::move(*found);
  std::vector<std::string> names;
  std::vector<std::string> ids;
  for (const Json& job : jobs) {
    ids.push_back(to_string(element_id_of(job)));
    names.push_back(label_of(job));
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
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR")->required();
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
