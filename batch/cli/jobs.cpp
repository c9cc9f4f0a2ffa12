// `rmctl jobs`: the queue as a table.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>

#include "job_view.hpp"
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

constexpr unsigned page_size = 200;

const std::vector<std::string>& state_names() {
  static const std::vector<std::string> names{"pending",  "held",   "running",
                                              "finished", "failed", "cancelled"};
  return names;
}

double now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

Result<std::string> state_query(const JobsOptions& options) {
  std::vector<std::string> wanted;
  for (const std::string& list : options.states) {
    for (std::string& state : split(list, ',')) wanted.push_back(std::move(state));
  }
  for (const std::string& state : wanted) {
    const auto& known = state_names();
    if (std::find(known.begin(), known.end(), state) != known.end()) continue;
    const auto meant = nearest(state, known);
    return fail(ErrorCode::invalid_argument,
                "--state: '" + escape(state) + "' is no state" +
                    (meant ? "; did you mean '" + *meant + "'?"
                           : ": pending, held, running, finished, failed or cancelled"));
  }
  if (wanted.empty() && !options.all) wanted = {"pending", "held", "running"};
  std::string query;
  for (const std::string& state : wanted) query += (query.empty() ? "" : ",") + state;
  return query;
}

/// Newest first, page by page.
Result<Json> list_jobs(Master& master, const std::string& states, const std::string& name,
                       unsigned limit, bool& more) {
  Json jobs = Json::array();
  std::string cursor;
  more = false;
  for (;;) {
    std::string target =
        "/v1/jobs?limit=" + std::to_string(std::min<std::size_t>(page_size, limit - jobs.size()));
    if (!states.empty()) target += "&state=" + states;
    if (!name.empty()) target += "&name=" + percent_encode(name);
    if (!cursor.empty()) target += "&cursor=" + percent_encode(cursor);
    const auto page = master.get(target);
    if (!page) return tl::unexpected(page.error());
    for (const Json& job : member(*page, "jobs")) jobs.push_back(job);
    const Json& next = member(*page, "next_cursor");
    cursor = next.is_string() ? next.get<std::string>() : next.is_null() ? "" : next.dump();
    more = !cursor.empty();
    if (!more || jobs.size() >= limit) return jobs;
  }
}

Result<Json> wanted_jobs(const Context& context, const JobsOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto states = state_query(options);
  if (!states) return tl::unexpected(states.error());
  Json jobs = Json::array();
  bool more = false;
  if (options.selectors.empty()) {
    auto listed = list_jobs(*master, *states, "", options.limit, more);
    if (!listed) return listed;
    jobs = std::move(*listed);
  }
  for (const std::string& selector : options.selectors) {
    if (selector.find_first_of("*?[") != selector.npos) {
      auto listed = list_jobs(*master, *states, selector, options.limit, more);
      if (!listed) return listed;
      for (Json& job : *listed) jobs.push_back(std::move(job));
      continue;
    }
    // A job that is named is wanted, whatever its state.
    auto fetched = fetch_jobs(*master, {selector});
    if (!fetched) return tl::unexpected(fetched.error());
    for (Json& job : *fetched) jobs.push_back(std::move(job));
  }
  if (more) {
    context.note("the newest " + std::to_string(options.limit) + " are shown; --limit shows more");
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
  app.add_option("selector", options->selectors, "ids, names, last, 40-45, or a pattern: train*")
      ->type_name("SELECTOR");
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
