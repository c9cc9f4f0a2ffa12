// `rmctl jobs`: the queue as a table.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "job_view.hpp"
#include "selector.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct JobsOptions {
  std::vector<std::string> selectors;
  bool all = false;
  std::vector<std::string> states;
  std::string sort = "id";
  unsigned limit = 200;
};

double now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

/// The states that were asked for; empty: all.
Result<std::vector<std::string>> wanted_states(const JobsOptions& options) {
  std::vector<std::string> states;
  for (const std::string& list : options.states) {
    for (std::string& state : split(list, ',')) states.push_back(std::move(state));
  }
  if (auto known = check_states("--state", states); !known) return tl::unexpected(known.error());
  if (states.empty() && !options.all) return live_states();
  return states;
}

/// The newest, up to the limit.
Result<Json> listed(const Context& context, Master& master, const JobFilter& filter,
                    unsigned limit) {
  bool more = false;
  auto jobs = list_jobs(master, filter, limit, more);
  if (jobs && more) {
    context.note("the newest " + std::to_string(limit) + " are shown; --limit shows more");
  }
  return jobs;
}

Result<Json> selected(const Context& context, Master& master, const std::string& text,
                      const std::vector<std::string>& states, const JobsOptions& options) {
  auto selector = parse_selector(text);
  if (!selector) return tl::unexpected(selector.error());
  if (!selector->filter) {
    // A job that is named is wanted, whatever its state.
    const auto found = select_jobs(master, {text}, {});
    if (!found) return tl::unexpected(found.error());
    return Json(*found);
  }
  const bool only_live =
      options.states.empty() && !options.all && !selector->all && selector->filter->states.empty();
  if (selector->filter->states.empty() && !(selector->all && options.states.empty())) {
    selector->filter->states = states;
  }
  auto jobs = listed(context, master, *selector->filter, options.limit);
  if (jobs && jobs->empty()) {
    return fail(ErrorCode::not_found,
                escape(text) + ": no such job" +
                    (only_live ? " waits or runs; -a looks at those that ended, too" : ""));
  }
  return jobs;
}

Result<Json> wanted_jobs(const Context& context, const JobsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto states = wanted_states(options);
  if (!states) return tl::unexpected(states.error());
  if (options.selectors.empty()) {
    return listed(context, *master, {"", "", *states, {}}, options.limit);
  }
  Json jobs = Json::array();
  for (const std::string& selector : options.selectors) {
    auto found = selected(context, *master, selector, *states, options);
    if (!found) return found;
    for (Json& job : *found) jobs.push_back(std::move(job));
  }
  return jobs;
}

/// The member to sort by, without the minus.
Result<std::string> sort_field(std::string field) {
  if (field.starts_with('-')) field.erase(0, 1);
  const std::vector<std::string> known{"id",    "name",     "state",   "age",
                                       "ended", "priority", "started", "submitted"};
  if (std::find(known.begin(), known.end(), field) != known.end()) {
    return field == "age" ? "submitted" : field;
  }
  const auto meant = nearest(field, known);
  return fail(ErrorCode::invalid_argument,
              "--sort: '" + escape(field) + "' is no field to sort by" +
                  (meant ? "; did you mean '" + *meant + "'?"
                         : ": id, name, state, age, priority, started or ended"));
}

void sort_jobs(Json& jobs, const std::string& field, bool reverse) {
  const char* key = field.c_str();
  std::stable_sort(jobs.begin(), jobs.end(), [&](const Json& a, const Json& b) {
    return reverse ? member(b, key) < member(a, key) : member(a, key) < member(b, key);
  });
}

std::string age_of(const Json& job) {
  const auto submitted = time_of(job, "submitted");
  return submitted ? human_span(now() - *submitted) : "-";
}

std::string run_time_of(const Json& job) {
  const auto started = time_of(job, "started");
  if (!started) return "-";
  return human_span(time_of(job, "ended").value_or(now()) - *started);
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

void print_table(const Context& context, const Json& jobs) {
  std::vector<Column> columns{{"ID", true},  {"NAME", false, true}, {"STATE"},      {"CPUS", true},
                              {"MEM", true}, {"AGE", true},         {"TIME", true}, {"NODE"}};
  if (context.wide()) {
    columns.insert(columns.end(), {{"ROLE"}, {"PRIO", true}, {"TRY", true}, {"TASK"}});
  }
  columns.push_back({"REASON", false, true});
  if (context.wide()) columns.push_back({"COMMAND", false, true});
  Table table(columns);
  for (const Json& job : jobs) {
    const Json& request = member(job, "request");
    const auto mem = number_of(request, "mem");
    std::vector<std::string> row{id_text(job),
                                 shown(job, "name"),
                                 paint_state(context.out, shown(job, "state")),
                                 human_number(number_of(request, "cpus").value_or(0)),
                                 mem ? human_mib(*mem) : "-",
                                 age_of(job),
                                 run_time_of(job),
                                 or_dash(shown(member(job, "node"), "hostname"))};
    if (context.wide()) {
      row.insert(row.end(), {or_dash(shown(job, "role")), shown(job, "priority"),
                             shown(job, "attempt"), or_dash(shown(job, "task"))});
    }
    row.push_back(remark(job));
    if (context.wide()) row.push_back(command_line(job));
    table.add(std::move(row));
  }
  context.print(table.render(context.out, !context.no_headers));
}

Result<int> jobs(const Context& context, const JobsOptions& options) {
  const auto field = sort_field(options.sort);
  if (!field) return tl::unexpected(field.error());
  auto found = wanted_jobs(context, options);
  if (!found) return tl::unexpected(found.error());
  sort_jobs(*found, *field, options.sort.starts_with('-'));
  if (context.json()) {
    context.print(pretty({{"apiVersion", "librm/v1"}, {"jobs", *found}}));
  } else if (context.names()) {
    for (const Json& job : *found) context.print(shown(job, "id") + '\n');
  } else if (!found->empty()) {
    print_table(context, *found);
  } else if (options.all || !options.states.empty() || !options.selectors.empty()) {
    context.note("no such jobs");
  } else {
    context.note("no jobs wait or run; 'rmctl jobs -a' shows those that ended");
  }
  return 0;
}

}  // namespace

Action define_jobs(CLI::App& app, Context& context) {
  const auto options = std::make_shared<JobsOptions>();
  app.add_option("selector", options->selectors, selector_help)->type_name("SELECTOR");
  app.add_flag("-a,--all", options->all, "also those that ended");
  app.add_option("-f,--state", options->states, "only these states: running,pending")
      ->type_name("STATE")
      ->allow_extra_args(false);
  app.add_option("--sort", options->sort,
                 "by id, name, state, age, priority, started or ended; -FIELD for the reverse")
      ->type_name("FIELD");
  app.add_option("-n,--limit", options->limit, "at most so many, the newest")
      ->type_name("N")
      ->check(CLI::Range(1U, 10'000'000U));
  return [options, &context] { return jobs(context, *options); };
}

}  // namespace batch::cli
