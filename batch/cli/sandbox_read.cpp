// `rmctl sandbox cat` and `tail`.
#include <CLI/CLI.hpp>
#include <memory>

#include "sandbox_files.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct ReadOptions {
  std::vector<std::string> places;
  std::uint32_t attempt = 0;
  std::uint64_t lines = 10;
  bool follow = false;
};

Result<SandboxPlace> file_place(const std::string& text) {
  SandboxPlace place = parse_place(text);
  if (!place.path.empty()) return place;
  return fail(ErrorCode::invalid_argument,
              escape(text) + ": which file? write JOB:PATH, such as 42:data/a.txt");
}

/// Up to its end, from `offset` on.
Result<void> print_file(Master& master, const Sandbox& sandbox, const std::string& path,
                        std::int64_t offset, bool follow) {
  LogStream stream(master, sandbox.source(path, offset, follow), sink_to(1));
  return drain(master, sandbox.job(), stream);
}

Result<int> cat(const Context& context, const ReadOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  for (const std::string& text : options.places) {
    const auto place = file_place(text);
    if (!place) return tl::unexpected(place.error());
    const auto sandbox = Sandbox::find(*master, place->job, options.attempt);
    if (!sandbox) return tl::unexpected(sandbox.error());
    auto printed = print_file(*master, *sandbox, place->path, 0, false);
    if (!printed) return tl::unexpected(printed.error());
  }
  return 0;
}

Result<int> tail(const Context& context, const ReadOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto place = file_place(options.places.front());
  if (!place) return tl::unexpected(place.error());
  const auto sandbox = Sandbox::find(*master, place->job, options.attempt);
  if (!sandbox) return tl::unexpected(sandbox.error());
  const auto last = sandbox->tail(place->path, options.lines);
  if (!last) return tl::unexpected(last.error());
  context.print(last->bytes);
  if (!options.follow) return 0;
  auto printed = print_file(*master, *sandbox, place->path, last->end, true);
  if (!printed) return tl::unexpected(printed.error());
  return 0;
}

}  // namespace

Action define_sandbox_cat(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ReadOptions>();
  app.add_option("place", options->places, "a job and a file of its sandbox")
      ->type_name("JOB:PATH")
      ->required();
  define_attempt(app, options->attempt);
  return [options, &context] { return cat(context, *options); };
}

Action define_sandbox_tail(CLI::App& app, Context& context) {
  const auto options = std::make_shared<ReadOptions>();
  app.add_option("place", options->places, "a job and a file of its sandbox")
      ->type_name("JOB:PATH")
      ->required()
      ->expected(1);
  app.add_option("-n,--lines", options->lines, "the last N lines; 10 if not given")->type_name("N");
  app.add_flag("-f,--follow", options->follow, "goes on until the job is over");
  define_attempt(app, options->attempt);
  return [options, &context] { return tail(context, *options); };
}

}  // namespace batch::cli
