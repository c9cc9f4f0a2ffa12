// `rmctl events`: what happens to jobs and schedules, a line each.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <set>

#include "event_feed.hpp"
#include "event_view.hpp"
#include "log_stream.hpp"
#include "selector.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr int wait_ms = 60'000;
/// What is shown of the past before it is followed, as tail does.
constexpr std::size_t followed_past = 10;

struct EventsOptions {
  std::vector<std::string> selectors;
  bool follow = false;
  std::optional<std::size_t> last;
};

/// Which events are wanted. A pattern also means jobs that are submitted later.
class Wanted {
 public:
  /// Asks the master for the ids behind names.
  static Result<Wanted> find(Master& master, const std::vector<std::string>& selectors) {
    Wanted wanted;
    for (const std::string& text : selectors) {
      auto selector = parse_selector(text);
      if (!selector) return tl::unexpected(selector.error());
      if (selector->filter) {
        wanted.filters_.push_back(std::move(*selector->filter));
        continue;
      }
      auto jobs = select_jobs(master, {text}, {});
      if (!jobs) return tl::unexpected(jobs.error());
      for (const Json& job : *jobs) wanted.ids_.insert(id_of(job, "id"));
    }
    return wanted;
  }

  bool has(const ServerEvent& event, const Json& data) const {
    if (event.event == "gap" || (ids_.empty() && filters_.empty())) return true;
    if (event.event != "job") return false;
    return ids_.contains(id_of(data, "id")) ||
           std::any_of(filters_.begin(), filters_.end(),
                       [&](const JobFilter& filter) { return matches(filter, data); });
  }

 private:
  std::set<std::uint64_t> ids_;
  std::vector<JobFilter> filters_;
};

/// Empty where it is not wanted.
std::string line_of(const Context& context, const Wanted& wanted, const ServerEvent& event) {
  const Json data = Json::parse(event.data, nullptr, false);
  if (!wanted.has(event, data)) return {};
  if (context.json()) {
    const Json line{{"event", event.event}, {"id", event.id}, {"data", data}};
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }
  if (event.event == "gap") {
    context.note("events are missing here: the master does not hold them any more");
    return {};
  }
  if (context.names()) return shown(data, event.event == "job" ? "id" : "name") + '\n';
  return event_line(context.out, event.event, data);
}

Result<int> events(const Context& context, const EventsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto wanted = Wanted::find(*master, options.selectors);
  if (!wanted) return tl::unexpected(wanted.error());
  const auto held = held_events(*master, "");
  if (!held) return tl::unexpected(held.error());
  std::vector<std::string> past;
  for (const ServerEvent& event : held->events) {
    std::string line = line_of(context, *wanted, event);
    if (!line.empty()) past.push_back(std::move(line));
  }
  const std::size_t shown_past =
      std::min(past.size(), options.last.value_or(options.follow ? followed_past : past.size()));
  for (std::size_t i = past.size() - shown_past; i < past.size(); ++i) context.print(past[i]);
  if (!options.follow) {
    if (past.empty()) context.note("the master holds no such events");
    return 0;
  }
  EventFeed feed(*master, "", held->last_id);
  for (;;) {
    const auto arrived = feed.next(wait_ms);
    if (!arrived) return tl::unexpected(arrived.error());
    std::string text;
    for (const ServerEvent& event : *arrived) text += line_of(context, *wanted, event);
    if (!text.empty() && !write_all(1, text)) return 0;
  }
}

}  // namespace

Action define_events(CLI::App& app, Context& context) {
  const auto options = std::make_shared<EventsOptions>();
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR");
  app.add_flag("-f,--follow", options->follow, "goes on with what happens, until ^C");
  app.add_option("-n,--last", options->last, "at most so many of the past; with -f 10 if not given")
      ->type_name("N");
  return [options, &context] { return events(context, *options); };
}

}  // namespace batch::cli
