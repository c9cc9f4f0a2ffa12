// `rmctl history`: jobs that ended, and what they used.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <tuple>

#include "batch/edge/units.hpp"
#include "event_view.hpp"
#include "job_view.hpp"
#include "moment.hpp"
#include "selector.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

/// Below, a table without the column END fits: it follows from the others.
constexpr std::size_t width_for_end = 100;

struct HistoryOptions {
  std::string since;
  std::string until;
  std::vector<std::string> states;
  std::string name;
  unsigned limit = 50;
};

std::string rfc3339(double seconds) {
  return to_rfc3339(librm::WallTime{static_cast<std::int64_t>(seconds * 1000) * 1'000'000});
}

/// `&ended_after=...`.
Result<std::string> times_query(const HistoryOptions& options) {
  const double now = wall_now();
  std::string query = "&attempts=1";
  for (const auto& [option, field, text] :
       {std::tuple("--since", "&ended_after=", options.since),
        std::tuple("--until", "&ended_before=", options.until)}) {
    if (text.empty()) continue;
    const auto moment = parse_moment(option, text, now);
    if (!moment) return tl::unexpected(moment.error());
    query += field + percent_encode(rfc3339(*moment));
  }
  return query;
}

Result<JobFilter> filter_of(const HistoryOptions& options) {
  JobFilter filter;
  filter.name = options.name;
  for (const std::string& list : options.states) {
    for (std::string& state : split(list, ',')) filter.states.push_back(std::move(state));
  }
  if (auto known = check_states("--state", filter.states); !known) {
    return tl::unexpected(known.error());
  }
  for (const std::string& state : filter.states) {
    const auto& ended = ended_states();
    if (std::find(ended.begin(), ended.end(), state) != ended.end()) continue;
    return fail(ErrorCode::invalid_argument,
                "--state: a job that is " + state + " has not ended; 'rmctl jobs' lists it");
  }
  if (filter.states.empty()) filter.states = ended_states();
  return filter;
}

/// Of all attempts that are kept.
double cpu_seconds(const Json& job) {
  double sum = 0;
  for (const Json& attempt : member(job, "attempts")) {
    sum += number_of(attempt, "cpu_seconds").value_or(0);
  }
  return sum;
}

double rss_max_mib(const Json& job) {
  double highest = 0;
  for (const Json& attempt : member(job, "attempts")) {
    highest = std::max(highest, number_of(attempt, "rss_max_bytes").value_or(0));
  }
  return highest / 1048576;
}

/// `0`, `3`, `KILL`; `-` where it never ran.
std::string exit_of(const Json& job) {
  std::string text = outcome(job);
  if (text.starts_with("exit ")) return text.substr(5);
  if (const std::size_t open = text.find('('); open != text.npos) {
    return text.substr(open + 1, text.size() - open - 2);
  }
  return text.empty() ? "-" : text;
}

std::string elapsed_of(const Json& job) {
  const auto started = time_of(job, "started");
  const auto ended = time_of(job, "ended");
  return started && ended ? human_span(*ended - *started) : "-";
}

/// How much of the processors that it asked for it used.
std::string efficiency_of(const Json& job) {
  const auto started = time_of(job, "started");
  const auto ended = time_of(job, "ended");
  const double cpus = number_of(member(job, "request"), "cpus").value_or(0);
  if (!started || !ended || !(*ended > *started) || !(cpus > 0)) return "-";
  return std::to_string(std::lround(100 * cpu_seconds(job) / ((*ended - *started) * cpus))) + "%";
}

std::string or_dash(std::string text) { return text.empty() ? "-" : text; }

void print_table(const Context& context, const Json& jobs) {
  const double now = wall_now();
  const Terminal& out = context.out;
  const bool with_end = context.wide() || out.width == 0 || out.width >= width_for_end;
  std::vector<Column> columns{
      {"ID", true}, {"NAME", false, true}, {"STATE"}, {"EXIT", true}, {"START", true}};
  if (with_end) columns.push_back({"END", true});
  columns.insert(columns.end(),
                 {{"ELAPSED", true}, {"CPU", true}, {"RSS", true}, {"NODE", false, true}});
  if (context.wide()) {
    columns.insert(columns.end(), {{"EFF", true},
                                   {"CPUS", true},
                                   {"MEM", true},
                                   {"TRY", true},
                                   {"OWNER"},
                                   {"ROLE"},
                                   {"SUBMITTED", true},
                                   {"REASON", false, true},
                                   {"COMMAND", false, true}});
  }
  Table table(columns);
  for (const Json& job : jobs) {
    const double rss = rss_max_mib(job);
    const double cpu = cpu_seconds(job);
    std::vector<std::string> row{shown(job, "id"), shown(job, "name"),
                                 paint_state(out, shown(job, "state")), exit_of(job),
                                 clock_time(time_of(job, "started"), now)};
    if (with_end) row.push_back(clock_time(time_of(job, "ended"), now));
    row.insert(row.end(),
               {elapsed_of(job), cpu > 0 ? human_span(cpu) : "-", rss > 0 ? human_mib(rss) : "-",
                or_dash(shown(member(job, "node"), "hostname"))});
    if (context.wide()) {
      const Json& request = member(job, "request");
      row.insert(row.end(),
                 {efficiency_of(job), human_number(number_of(request, "cpus").value_or(0)),
                  human_mib(number_of(request, "mem").value_or(0)), shown(job, "attempt"),
                  or_dash(shown(job, "owner")), or_dash(shown(job, "role")),
                  clock_time(time_of(job, "submitted"), now), remark(job), command_line(job)});
    }
    table.add(std::move(row));
  }
  context.print(table.render(out, !context.no_headers));
}

Result<int> history(const Context& context, const HistoryOptions& options) {
  const auto filter = filter_of(options);
  if (!filter) return tl::unexpected(filter.error());
  const auto query = times_query(options);
  if (!query) return tl::unexpected(query.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  bool more = false;
  auto jobs = list_jobs(*master, *filter, options.limit, more, *query);
  if (!jobs) return tl::unexpected(jobs.error());
  std::reverse(jobs->begin(), jobs->end());
  if (context.json()) {
    context.print(pretty({{"apiVersion", "librm/v1"}, {"jobs", *jobs}}));
  } else if (context.names()) {
    for (const Json& job : *jobs) context.print(shown(job, "id") + '\n');
  } else if (jobs->empty()) {
    context.note("no such jobs have ended");
  } else {
    print_table(context, *jobs);
  }
  if (more) {
    context.note("the newest " + std::to_string(options.limit) + " are shown; -n shows more");
  }
  return 0;
}

}  // namespace

Action define_history(CLI::App& app, Context& context) {
  const auto options = std::make_shared<HistoryOptions>();
  app.add_option("--since", options->since, "only jobs that ended then or later: today, 2h, 3d")
      ->type_name("TIME");
  app.add_option("--until", options->until, "only jobs that ended before: 2026-01-31, 12:00")
      ->type_name("TIME");
  app.add_option("-f,--state", options->states, "only these: finished, failed, cancelled")
      ->type_name("STATE")
      ->allow_extra_args(false);
  app.add_option("--name", options->name, "only jobs of this name; a pattern, such as train*")
      ->type_name("PATTERN");
  app.add_option("-n,--limit", options->limit, "at most so many, the newest; 50 if not given")
      ->type_name("N")
      ->check(CLI::Range(1U, 10'000'000U));
  return [options, &context] { return history(context, *options); };
}

}  // namespace batch::cli
