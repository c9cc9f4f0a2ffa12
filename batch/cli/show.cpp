// `rmctl show` and `rmctl why`: one job in full, and what it waits for.
#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "facts.hpp"
#include "job_view.hpp"
#include "progress.hpp"
#include "selector.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

constexpr std::size_t array_bar_width = 40;
constexpr int elements_shown = 20;

std::string time_with_age(const Json& object, const char* key) {
  const auto at = time_of(object, key);
  if (!at) return {};
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const double age = std::chrono::duration<double>(since).count() - *at;
  return shown(object, key) + "  (" + human_span(age) + " ago)";
}

std::string pairs(const Json& object) {
  std::string text;
  if (!object.is_object()) return text;
  for (const auto& [key, value] : object.items()) {
    if (!text.empty()) text += "  ";
    const bool is_mib = key == "mem" || key == "disk";
    text += escape(key) + '=' +
            (value.is_number() && is_mib ? human_mib(value.get<double>())
             : value.is_number()         ? human_number(value.get<double>())
                                         : shown(object, key.c_str()));
  }
  return text;
}

void add_attempts(const Terminal& terminal, const Json& job, std::string& text) {
  const Json& attempts = member(job, "attempts");
  if (!attempts.is_array() || attempts.empty()) return;
  Table table({{"TASK"},
               {"STATE"},
               {"NODE"},
               {"STARTED"},
               {"TIME", true},
               {"CPU", true},
               {"RSS", true},
               {"REASON", false, true}});
  for (const Json& attempt : attempts) {
    const auto started = time_of(attempt, "started");
    const auto ended = time_of(attempt, "ended");
    const auto cpu = number_of(attempt, "cpu_seconds");
    const auto rss = number_of(attempt, "rss_max_bytes").value_or(0);
    std::string reason = shown(attempt, "message");
    if (reason.empty()) reason = outcome(attempt);
    table.add({shown(attempt, "task"), paint_state(terminal, shown(attempt, "state")),
               shown(member(attempt, "node"), "hostname"), shown(attempt, "started"),
               started && ended ? human_span(*ended - *started) : "-", cpu ? human_span(*cpu) : "-",
               rss > 0 ? human_mib(rss / 1048576) : "-", reason});
  }
  text += '\n' + table.render(terminal, true);
}

void add_dependencies(const Terminal& terminal, const Json& job, std::string& text) {
  const Json& dependencies = member(job, "dependencies");
  if (!dependencies.is_array() || dependencies.empty()) return;
  Table table({{"AFTER", true}, {"NAME", false, true}, {"KIND"}, {"STATE"}});
  for (const Json& edge : dependencies) {
    table.add({shown(edge, "job"), shown(edge, "name"), shown(edge, "kind"),
               paint_state(terminal, shown(edge, "state"))});
  }
  text += '\n' + table.render(terminal, true);
}

void add_array(const Terminal& terminal, const Json& job, Facts& facts) {
  const Json& array = member(job, "array");
  if (!array.is_object()) return;
  const double parallel_max = number_of(array, "parallel_max").value_or(0);
  facts.add("Array",
            shown(array, "indices") +
                (parallel_max > 0 ? "  at most " + human_number(parallel_max) + " at the same time"
                                  : ""));
  if (number_of(job, "index")) return;
  JobCounts counts;
  counts.add(job);
  facts.add("Elements",
            progress_bar(terminal, counts, array_bar_width) + "  " + counts_text(terminal, counts));
}

/// Those of an array that say most: what failed, what runs, what will be tried again.
void add_elements(const Terminal& terminal, const Json& job, std::string& text) {
  const Json& elements = member(job, "elements");
  if (!elements.is_array() || elements.empty()) return;
  Table table({{"ELEMENT", true},
               {"STATE"},
               {"TRY", true},
               {"NODE"},
               {"STARTED"},
               {"REASON", false, true}});
  for (const Json& element : elements) {
    const std::string reason = shown(element, "reason");
    table.add({shown(job, "id") + '_' + shown(element, "index"),
               paint_state(terminal, shown(element, "state")), shown(element, "attempt"),
               shown(member(element, "node"), "hostname"), shown(element, "started"),
               reason.empty() ? outcome(element) : reason});
  }
  text += '\n' + table.render(terminal, true);
}

std::string describe(const Terminal& terminal, const Json& job) {
  Facts facts(terminal);
  const std::string how = outcome(job);
  facts.add("Job", id_text(job) + "  " + shown(job, "name"));
  facts.add("State", paint_state(terminal, shown(job, "state")) + (how.empty() ? "" : "  " + how));
  add_array(terminal, job, facts);
  facts.add("Reason", shown(job, "reason"));
  facts.add("Command", command_line(job));
  facts.add("Asks for", pairs(member(job, "request")));
  facts.add("Description", shown(job, "description"));
  facts.add("Owner", shown(job, "owner"));
  facts.add("Role", shown(job, "role") + "  priority " + shown(job, "priority"));
  facts.add("Labels", pairs(member(job, "labels")));
  facts.add("Node", shown(member(job, "node"), "hostname"));
  facts.add("Submitted", time_with_age(job, "submitted"));
  facts.add("Started", time_with_age(job, "started"));
  facts.add("Ended", time_with_age(job, "ended"));
  const auto started = time_of(job, "started");
  const auto ended = time_of(job, "ended");
  if (started && ended) facts.add("Ran", human_span(*ended - *started));
  std::string text = facts.text();
  add_dependencies(terminal, job, text);
  add_attempts(terminal, job, text);
  add_elements(terminal, job, text);
  return text;
}

/// What failed and what runs of an array, as far as it fits a screen.
Result<void> fetch_elements(Master& master, Json& job) {
  if (!member(job, "array").is_object() || number_of(job, "index")) return {};
  const auto page =
      master.get(job_path(shown(job, "id")) +
                 "/elements?state=failed,running,held&limit=" + std::to_string(elements_shown));
  if (!page) return tl::unexpected(page.error());
  job["elements"] = member(*page, "elements");
  return {};
}

struct Selectors {
  std::vector<std::string> given;
};

Result<int> show(const Context& context, const Selectors& selectors) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  auto jobs = select_jobs(*master, selectors.given, {{}, true});
  if (!jobs) return tl::unexpected(jobs.error());
  if (context.json()) {
    context.print(pretty(document_of(*jobs)));
    return 0;
  }
  bool first = true;
  for (Json& job : *jobs) {
    if (context.names()) {
      context.print(id_text(job) + '\n');
    } else {
      if (auto fetched = fetch_elements(*master, job); !fetched) {
        return tl::unexpected(fetched.error());
      }
      context.print((first ? "" : "\n") + describe(context.out, job));
    }
    first = false;
  }
  return 0;
}

std::string explain(const Terminal& terminal, const Json& why) {
  std::string summary = shown(why, "summary");
  const auto index = number_of(why, "index");
  const std::string state = shown(why, "state");
  // The summary may begin with the state already.
  if (summary.starts_with(state)) summary.erase(0, state.size());
  while (summary.starts_with(' ')) summary.erase(0, 1);
  std::string text =
      paint(terminal, "1", "job " + shown(why, "job") + (index ? '_' + human_number(*index) : "")) +
      "  " + paint_state(terminal, state) + "  " + summary + '\n';
  for (const Json& detail : member(why, "details")) {
    if (detail.is_string()) text += "  - " + escape(detail.get_ref<const std::string&>()) + '\n';
  }
  const Json& nodes = member(why, "nodes");
  if (!nodes.is_array() || nodes.empty()) return text;
  Table table({{"NODE"}, {"HOSTNAME"}, {"FITS"}, {"REASON", false, true}});
  for (const Json& node : nodes) {
    const bool fits = member(node, "fits").is_boolean() && member(node, "fits").get<bool>();
    table.add({shown(node, "id"), shown(node, "hostname"),
               paint(terminal, fits ? "32" : "31", fits ? "yes" : "no"), shown(node, "reason")});
  }
  return text + '\n' + table.render(terminal, true);
}

Result<int> why(const Context& context, const Selectors& selectors) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto paths = select_paths(*master, selectors.given, {live_states()});
  if (!paths) return tl::unexpected(paths.error());
  std::vector<Json> answers;
  for (const std::string& path : *paths) {
    auto answer = master->get(job_path(path) + "/why");
    if (!answer) return tl::unexpected(answer.error());
    answers.push_back(std::move(*answer));
  }
  if (context.json()) {
    context.print(pretty(document_of(answers)));
    return 0;
  }
  for (const Json& answer : answers) {
    if (context.names()) {
      context.print(shown(answer, "job") + '\n');
    } else {
      const bool first = &answer == &answers.front();
      context.print((first ? "" : "\n") + explain(context.out, answer));
    }
  }
  return 0;
}

std::shared_ptr<Selectors> define_selectors(CLI::App& app) {
  const auto selectors = std::make_shared<Selectors>();
  app.add_option("selector", selectors->given, selector_help)->type_name("SELECTOR")->required();
  return selectors;
}

}  // namespace

Action define_show(CLI::App& app, Context& context) {
  return [selectors = define_selectors(app), &context] { return show(context, *selectors); };
}

Action define_why(CLI::App& app, Context& context) {
  return [selectors = define_selectors(app), &context] { return why(context, *selectors); };
}

}  // namespace batch::cli
