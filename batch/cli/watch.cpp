// `rmctl watch`: jobs as they change, from the event stream.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include "event_feed.hpp"
#include "event_view.hpp"
#include "job_view.hpp"
#include "live_screen.hpp"
#include "log_stream.hpp"
#include "progress.hpp"
#include "selector.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

/// Times on the screen count up even where nothing happens.
constexpr int tick_ms = 1000;
/// A burst of events is drawn once.
constexpr int frame_ms = 100;

struct WatchOptions {
  std::vector<std::string> selectors;
  bool progress = false;
};

class Watch {
 public:
  Watch(const Context& context, const WatchOptions& options, Master& master)
      : context_(context), options_(options), master_(master) {}

  Result<int> run();

 private:
  using Clock = std::chrono::steady_clock;

  Result<void> begin();
  Result<void> refresh();
  Result<void> take(const std::vector<ServerEvent>& events);
  void on_job(Json job);
  Result<int> on_terminal();
  Result<int> line_by_line();
  bool over() const;
  int exit_code() const;
  Progress progress() const;
  std::string picture() const;
  std::string table(const Terminal& terminal, std::size_t rows) const;

  const Context& context_;
  const WatchOptions& options_;
  Master& master_;
  std::unique_ptr<EventFeed> feed_;
  std::map<std::uint64_t, Json> jobs_;
  std::vector<std::uint64_t> changed_;  ///< since it was last emptied, in order
  std::size_t over_before_ = 0;
  Clock::time_point began_ = Clock::now();
};

/// Subscribes first, then looks, so that no change falls between.
Result<void> Watch::begin() {
  feed_ = std::make_unique<EventFeed>(master_, "");
  if (auto open = feed_->open(); !open) return open;
  std::vector<std::string> selectors = options_.selectors;
  const bool everything = selectors.empty();
  if (everything) selectors.push_back("all");
  auto found = select_jobs(master_, selectors, {});
  const bool none = !found && found.error().code == librm::ErrorCode::not_found;
  if (!found && !(everything && none)) return tl::unexpected(found.error());
  if (found) {
    for (Json& job : *found) {
      const std::uint64_t id = id_of(job, "id");
      jobs_[id] = std::move(job);
    }
  }
  over_before_ = progress().counts.over();
  return {};
}

Result<void> Watch::refresh() {
  for (auto& [id, job] : jobs_) {
    if (is_over(job)) continue;
    auto fresh = master_.get(job_path(std::to_string(id)));
    if (!fresh) return tl::unexpected(fresh.error());
    on_job(std::move(*fresh));
  }
  return {};
}

void Watch::on_job(Json job) {
  const std::uint64_t id = id_of(job, "id");
  const auto known = jobs_.find(id);
  if (known == jobs_.end()) return;
  Json& old = known->second;
  // A late event must not bring an ended job back to life, but a later run does.
  if (is_over(old) && id_of(job, "run") <= id_of(old, "run")) return;
  const bool changed = text_of(job, "state") != text_of(old, "state") ||
                       id_of(job, "attempt") != id_of(old, "attempt") ||
                       text_of(job, "reason") != text_of(old, "reason");
  old = std::move(job);
  if (changed) changed_.push_back(id);
}

Result<void> Watch::take(const std::vector<ServerEvent>& events) {
  for (const ServerEvent& event : events) {
    if (event.event == "job") on_job(Json::parse(event.data, nullptr, false));
    if (event.event != "gap") continue;
    if (auto looked = refresh(); !looked) return looked;
  }
  return {};
}

bool Watch::over() const {
  return std::all_of(jobs_.begin(), jobs_.end(), [](const auto& e) { return is_over(e.second); });
}

int Watch::exit_code() const {
  int highest = 0;
  for (const auto& [id, job] : jobs_) highest = std::max(highest, job_exit_code(job));
  return highest;
}

Progress Watch::progress() const {
  Progress progress;
  for (const auto& [id, job] : jobs_) progress.counts.add(job);
  progress.over_before = over_before_;
  progress.elapsed_s = std::chrono::duration<double>(Clock::now() - began_).count();
  return progress;
}

/// All jobs by id where there is room; else those that run, those that wait, the latest that ended.
std::vector<const Json*> chosen(const std::map<std::uint64_t, Json>& jobs, std::size_t rows) {
  std::vector<const Json*> all;
  for (const auto& [id, job] : jobs) all.push_back(&job);
  if (all.size() <= rows) return all;
  const auto rank = [](const Json* job) {
    return is_over(*job) ? 2 : text_of(*job, "state") == "running" ? 0 : 1;
  };
  std::stable_sort(all.begin(), all.end(), [&](const Json* a, const Json* b) {
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return rank(a) == 2 && time_of(*a, "ended") > time_of(*b, "ended");
  });
  all.resize(rows);
  return all;
}

std::string Watch::table(const Terminal& terminal, std::size_t rows) const {
  Table table({{"ID", true},
               {"NAME", false, true},
               {"STATE"},
               {"TIME", true},
               {"NODE", false, true},
               {"REASON", false, true}});
  const auto listed = chosen(jobs_, rows);
  for (const Json* job : listed) {
    const auto started = time_of(*job, "started");
    const auto ended = time_of(*job, "ended");
    const std::string node = shown(member(*job, "node"), "hostname");
    table.add({shown(*job, "id"), shown(*job, "name"), paint_state(terminal, shown(*job, "state")),
               started ? human_span(ended.value_or(wall_now()) - *started) : "-",
               node.empty() ? "-" : node, remark(*job)});
  }
  std::string text = table.render(terminal, !context_.no_headers);
  if (listed.size() < jobs_.size()) {
    text += paint(terminal, "2", "and " + std::to_string(jobs_.size() - listed.size()) + " more") +
            '\n';
  }
  return text;
}

std::string Watch::picture() const {
  Terminal terminal = context_.out;
  const TerminalSize size = terminal_size(1);
  terminal.width = size.columns;
  const std::string line = progress_line(terminal, progress()) +
                           (feed_->connected() ? "" : paint(terminal, "31", "  no master")) + '\n';
  if (options_.progress) return line;
  // Header, remark on others, a blank line, progress, and the cursor's line.
  const std::size_t rows = size.rows > 6 ? size.rows - 5 : 1;
  return table(terminal, rows) + '\n' + line;
}

Result<int> Watch::on_terminal() {
  TerminalSignals signals;
  LiveScreen screen(LiveScreen::Place::below);
  auto drawn = Clock::time_point();
  while (!over()) {
    const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - drawn);
    if (since.count() >= frame_ms) {
      screen.draw(picture());
      drawn = Clock::now();
    }
    const auto arrived = feed_->next(changed_.empty() ? tick_ms : frame_ms, signals.fd());
    if (!arrived) return tl::unexpected(arrived.error());
    changed_.clear();
    if (auto taken = take(*arrived); !taken) return tl::unexpected(taken.error());
    while (const auto number = signals.take()) {
      if (*number == SIGWINCH) continue;
      screen.draw(picture());
      return 128 + *number;
    }
  }
  screen.draw(picture());
  return exit_code();
}

Result<int> Watch::line_by_line() {
  while (!over()) {
    const auto arrived = feed_->next(60'000);
    if (!arrived) return tl::unexpected(arrived.error());
    if (auto taken = take(*arrived); !taken) return tl::unexpected(taken.error());
    std::string text;
    for (const std::uint64_t id : changed_) {
      const Json& job = jobs_.at(id);
      if (context_.json()) {
        text += job.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
      } else if (context_.names()) {
        text += std::to_string(id) + '\n';
      } else if (!options_.progress) {
        text += event_line(context_.out, "job", job);
      }
    }
    if (options_.progress && !context_.output && !changed_.empty()) {
      text += progress_line(context_.out, progress()) + '\n';
    }
    changed_.clear();
    if (!text.empty() && !write_all(1, text)) return 0;
  }
  return exit_code();
}

Result<int> Watch::run() {
  if (auto begun = begin(); !begun) return tl::unexpected(begun.error());
  if (jobs_.empty()) {
    context_.note("no jobs wait or run");
    return 0;
  }
  return context_.out.is_tty && !context_.output ? on_terminal() : line_by_line();
}

Result<int> watch(const Context& context, const WatchOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  return Watch(context, options, *master).run();
}

}  // namespace

Action define_watch(CLI::App& app, Context& context) {
  const auto options = std::make_shared<WatchOptions>();
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR");
  app.add_flag("--progress", options->progress, "a bar, counts, rate and the time that is left");
  return [options, &context] { return watch(context, *options); };
}

}  // namespace batch::cli
