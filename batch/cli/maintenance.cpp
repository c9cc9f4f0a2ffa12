// `rmctl maintenance`: windows in which nodes will not be there, shown, set and cleared.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <functional>
#include <memory>

#include "batch/edge/units.hpp"
#include "event_view.hpp"
#include "json_view.hpp"
#include "moment.hpp"
#include "table.hpp"
#include "terminal.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr const char* path = "/v1/maintenance";
/// Somebody else may change the schedule meanwhile; nobody does so all the time.
constexpr int tries_max = 10;

std::string nodes_of(const Json& window) {
  std::string text;
  for (const Json& node : member(window, "nodes")) {
    if (node.is_string()) text += (text.empty() ? "" : ",") + escape(node.get<std::string>());
  }
  return text;
}

std::string schedule_text(const Context& context, const Json& schedule) {
  Table windows(
      {{"NAME"}, {"START"}, {"DURATION", true}, {"NODES", false, true}, {"REASON", false, true}});
  for (const Json& window : member(schedule, "windows")) {
    const auto duration = number_of(window, "duration");
    windows.add({shown(window, "name"), shown(window, "start"),
                 duration ? human_span(*duration) : "open", nodes_of(window),
                 shown(window, "reason")});
  }
  if (windows.empty()) return "No maintenance is planned.\n";
  Table asked({{"NODE"}, {"FRAMEWORK"}, {"ANSWER"}, {"REASON", false, true}});
  for (const Json& offer : member(schedule, "inverse_offers")) {
    asked.add({shown(offer, "node"), shown(offer, "name"), shown(offer, "answer"),
               shown(offer, "reason")});
  }
  return windows.render(context.out, !context.no_headers) +
         (asked.empty() ? "" : '\n' + asked.render(context.out, !context.no_headers));
}

void print_schedule(const Context& context, const Json& schedule) {
  if (context.json()) {
    context.print(pretty(schedule));
  } else if (context.names()) {
    for (const Json& window : member(schedule, "windows")) {
      context.print(shown(window, "name") + '\n');
    }
  } else {
    context.print(schedule_text(context, schedule));
  }
}

/// Changes the windows as they are now, again where somebody else was faster.
Result<int> change(const Context& context, const std::function<Result<Json>(const Json&)>& edit) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  Result<Json> answer = fail(ErrorCode::stale, "maintenance: it changes all the time");
  for (int i = 0; i < tries_max; ++i) {
    const auto present = master->get(path);
    if (!present) return tl::unexpected(present.error());
    const auto windows = edit(member(*present, "windows"));
    if (!windows) return tl::unexpected(windows.error());
    answer = master->put(path, {{"revision", member(*present, "revision")}, {"windows", *windows}});
    const bool again = !answer && answer.error().code == ErrorCode::stale;
    if (!again) break;
  }
  if (!answer) return tl::unexpected(answer.error());
  print_schedule(context, *answer);
  return 0;
}

struct SetOptions {
  std::string name;
  std::vector<std::string> nodes;
  std::string start;
  std::string duration;
  std::string reason;
};

Result<int> set_window(const Context& context, const SetOptions& options) {
  const auto start = parse_moment("--start", options.start, wall_now());
  if (!start) return tl::unexpected(start.error());
  Json window{{"name", options.name},
              {"start", to_rfc3339({static_cast<std::int64_t>(*start * 1e3) * 1'000'000})},
              {"nodes", options.nodes}};
  if (!options.duration.empty()) window["duration"] = options.duration;
  if (!options.reason.empty()) window["reason"] = options.reason;
  return change(context, [&](const Json& present) -> Result<Json> {
    Json windows = Json::array();
    for (const Json& one : present) {
      if (text_of(one, "name") != options.name) windows.push_back(one);
    }
    windows.push_back(window);
    return windows;
  });
}

Result<int> clear_windows(const Context& context, const std::vector<std::string>& names, bool all) {
  if (names.empty() && !all) {
    return fail(ErrorCode::invalid_argument, "name the windows, or give --all");
  }
  return change(context, [&](const Json& present) -> Result<Json> {
    Json windows = Json::array();
    std::size_t found = 0;
    for (const Json& one : present) {
      const bool named = std::find(names.begin(), names.end(), text_of(one, "name")) != names.end();
      found += named ? 1 : 0;
      if (!named && !all) windows.push_back(one);
    }
    if (!all && found < names.size()) {
      return fail(ErrorCode::not_found, "maintenance: not all of these windows are planned");
    }
    return windows;
  });
}

Result<int> show(const Context& context) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto schedule = master->get(path);
  if (!schedule) return tl::unexpected(schedule.error());
  print_schedule(context, *schedule);
  return 0;
}

}  // namespace

const std::vector<Verb>& maintenance_verbs() {
  static const std::vector<Verb> all{
      {"maintenance show", "[OPTIONS]", "lists the windows, and who agreed to leave the nodes",
       "Each framework with tasks on a node that has a window is asked to leave it before. The "
       "answer is advice: to end what runs there, drain the node.",
       define_maintenance_show},
      {"maintenance set", "[OPTIONS] WINDOW NODE...",
       "plans a window, or changes the one of this name",
       "From its beginning on the nodes are not to be counted on: jobs whose time limit goes "
       "beyond are not started there. START is a date, a time of day in this computer's time zone "
       "or 2026-01-31T12:00:00Z; SPAN is 4h or PT4H. Without a duration the window stays until it "
       "is cleared; else it is forgotten once it is over.",
       define_maintenance_set},
      {"maintenance clear", "[OPTIONS] [WINDOW...]", "forgets windows", "",
       define_maintenance_clear},
  };
  return all;
}

Action define_maintenance_show(CLI::App&, Context& context) {
  return [&context] { return show(context); };
}

Action define_maintenance_set(CLI::App& app, Context& context) {
  const auto options = std::make_shared<SetOptions>();
  app.add_option("window", options->name, "what the window is called")
      ->type_name("WINDOW")
      ->required();
  app.add_option("node", options->nodes, "ids or host names")->type_name("NODE")->required();
  app.add_option("--start", options->start, "when it begins")->type_name("START")->required();
  app.add_option("--duration", options->duration, "how long it lasts")->type_name("SPAN");
  app.add_option("--reason", options->reason, "is shown with it")->type_name("TEXT");
  return [options, &context] { return set_window(context, *options); };
}

Action define_maintenance_clear(CLI::App& app, Context& context) {
  const auto names = std::make_shared<std::vector<std::string>>();
  const auto all = std::make_shared<bool>(false);
  app.add_option("window", *names, "their names")->type_name("WINDOW");
  app.add_flag("--all", *all, "all that is planned");
  return [names, all, &context] { return clear_windows(context, *names, *all); };
}

}  // namespace batch::cli
