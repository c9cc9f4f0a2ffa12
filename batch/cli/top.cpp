// `rmctl top`: the cluster at a glance, again and again.
#include <poll.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "event_view.hpp"
#include "live_screen.hpp"
#include "top_view.hpp"
#include "verb.hpp"
#include "waiter.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// Running jobs that are looked at; a screen shows fewer.
constexpr const char* running_jobs = "/v1/jobs?state=running&limit=500";

struct TopOptions {
  bool once = false;
  std::string interval = "2s";
};

/// Asked once: while the master is away the picture says so, and keys still work.
Result<Json> ask(Master& master, const std::string& target) {
  Url url = master.url();
  url.target = target;
  const auto answer = master.http().fetch(url, {"GET", target, {}, ""});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status >= 400) return tl::unexpected(problem_of(*answer, master.address()));
  Json json = Json::parse(answer->body, nullptr, false);
  if (json.is_object()) return json;
  return fail(ErrorCode::unavailable, master.address() + " answers, but not as a master does");
}

Result<ClusterPicture> look(Master& master) {
  auto state = ask(master, "/v1/state");
  if (!state) return tl::unexpected(state.error());
  auto nodes = ask(master, "/v1/nodes");
  if (!nodes) return tl::unexpected(nodes.error());
  auto jobs = ask(master, running_jobs);
  if (!jobs) return tl::unexpected(jobs.error());
  return ClusterPicture{std::move(*state), std::move(*nodes), std::move(*jobs)};
}

Result<int> print_once(const Context& context, Master& master) {
  // As any verb: a master that is being started is waited for.
  const auto state = master.get("/v1/state");
  if (!state) return tl::unexpected(state.error());
  const auto picture = look(master);
  if (!picture) return tl::unexpected(picture.error());
  if (context.json()) {
    context.print(pretty({{"apiVersion", "librm/v1"},
                          {"state", picture->state},
                          {"nodes", member(picture->nodes, "nodes")},
                          {"jobs", member(picture->jobs, "jobs")}}));
  } else {
    context.print(draw_top(context.out, 0, *picture, wall_now()));
  }
  return 0;
}

/// The code to end with, once a key or a signal says so.
std::optional<int> ended_by(Keys& keys, TerminalSignals& signals) {
  while (const auto key = keys.take()) {
    if (*key == 'q' || *key == 'Q') return 0;
  }
  while (const auto number = signals.take()) {
    if (*number != SIGWINCH) return *number == SIGINT ? 0 : 128 + *number;
  }
  return std::nullopt;
}

Result<int> live(const Context& context, Master& master, double interval_s) {
  TerminalSignals signals;
  Keys keys;
  auto first = look(master);
  if (!first) return tl::unexpected(first.error());
  ClusterPicture picture = std::move(*first);
  std::string trouble;
  LiveScreen screen(LiveScreen::Place::whole_screen);
  for (;;) {
    const TerminalSize size = terminal_size(1);
    Terminal terminal = context.out;
    terminal.width = size.columns;
    const std::string title =
        paint(terminal, "7", " rmctl top ") + "  " + master.address() + "  " +
        clock_time(wall_now(), wall_now()) + "  " +
        (trouble.empty() ? paint(terminal, "2", "q ends") : paint(terminal, "31", trouble));
    screen.draw(shorten_painted(title, size.columns) + "\n\n" +
                draw_top(terminal, size.rows > 4 ? size.rows - 3 : 1, picture, wall_now()));
    pollfd waiting[] = {{keys.fd(), POLLIN, 0}, {signals.fd(), POLLIN, 0}};
    ::poll(waiting, 2, static_cast<int>(interval_s * 1000));
    if (const auto code = ended_by(keys, signals)) return *code;
    auto next = look(master);
    trouble = next ? "" : "no master: " + next.error().message;
    if (next) picture = std::move(*next);
  }
}

Result<int> top(const Context& context, const TopOptions& options) {
  const auto interval = span_option("--interval", options.interval);
  if (!interval) return tl::unexpected(interval.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  if (options.once || !context.out.is_tty || context.output) return print_once(context, *master);
  return live(context, *master, std::clamp(*interval, 0.1, 3600.0));
}

}  // namespace

Action define_top(CLI::App& app, Context& context) {
  const auto options = std::make_shared<TopOptions>();
  app.add_flag("--once", options->once, "prints one picture and ends, as without a terminal");
  app.add_option("--interval", options->interval, "between two looks; 2s if not given")
      ->type_name("SPAN");
  return [options, &context] { return top(context, *options); };
}

}  // namespace batch::cli
