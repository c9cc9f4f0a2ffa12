// `rmctl graph`: what depends on what, as a drawing or for Graphviz.
#include <CLI/CLI.hpp>
#include <map>
#include <memory>
#include <set>

#include "graph_view.hpp"
#include "job_view.hpp"
#include "selector.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

struct GraphOptions {
  std::vector<std::string> words;
  bool dot = false;
};

/// Queries that ask for what the words mean; one without parameters where there are no words.
Result<std::vector<std::string>> queries_of(Master& master, const GraphOptions& options) {
  std::vector<std::string> queries;
  for (const std::string& word : options.words) {
    const auto jobs = select_jobs(master, {word}, {});
    if (jobs) {
      for (const Json& job : *jobs) queries.push_back("job=" + std::to_string(id_of(job, "id")));
      continue;
    }
    const auto selector = parse_selector(word);
    const bool may_be_schedule =
        jobs.error().code == ErrorCode::not_found && selector && !selector->filter;
    if (!may_be_schedule) return tl::unexpected(jobs.error());
    if (!master.get("/v1/schedules/" + percent_encode(word))) {
      return fail(ErrorCode::not_found, escape(word) + ": neither a job nor a schedule");
    }
    queries.push_back("schedule=" + percent_encode(word));
  }
  if (options.words.empty()) queries.emplace_back();
  return queries;
}

/// Both together, each node and edge once.
Result<Json> fetch_graph(Master& master, const std::vector<std::string>& queries) {
  Json graph{{"apiVersion", "librm/v1"}, {"nodes", Json::array()}, {"edges", Json::array()}};
  std::set<std::string> seen;
  for (const std::string& query : queries) {
    const auto part = master.get("/v1/graph" + (query.empty() ? "" : '?' + query));
    if (!part) return part;
    for (const char* list : {"nodes", "edges"}) {
      for (const Json& one : member(*part, list)) {
        if (seen.insert(list + one.dump()).second) graph[list].push_back(one);
      }
    }
  }
  return graph;
}

/// `✔ 42 count`, or `42 count [finished]` where there are no symbols.
std::string label_of(const Terminal& terminal, const Json& node) {
  const std::string state = shown(node, "state");
  const bool is_job = text_of(node, "kind") == "job";
  const std::string name =
      (is_job ? paint(terminal, "2", shown(node, "id")) + ' ' : "") + shown(node, "name");
  if (!terminal.symbols) return name + " [" + state + ']';
  const std::string painted = paint_state(terminal, state);
  const std::size_t space = painted.find(' ');
  // The symbol alone, in the state's colour.
  const std::string symbol = space == painted.npos
                                 ? std::string(is_job ? "?" : "↻")
                                 : painted.substr(0, space) + (terminal.color ? "\x1b[0m" : "");
  return symbol + ' ' + name;
}

Graph graph_of(const Terminal& terminal, const Json& json) {
  Graph graph;
  std::map<std::string, std::size_t> index;
  for (const Json& node : member(json, "nodes")) {
    index.emplace(text_of(node, "id"), graph.nodes.size());
    graph.nodes.push_back({text_of(node, "id"), label_of(terminal, node)});
  }
  for (const Json& edge : member(json, "edges")) {
    const auto from = index.find(text_of(edge, "from"));
    const auto to = index.find(text_of(edge, "to"));
    // A parent that ended long ago is not there any more.
    if (from == index.end() || to == index.end()) continue;
    graph.edges.push_back({from->second, to->second, shown(edge, "kind"), text_of(edge, "state")});
  }
  return graph;
}

Result<int> print_dot(const Context& context, Master& master,
                      const std::vector<std::string>& queries) {
  if (queries.size() != 1) {
    return fail(ErrorCode::invalid_argument, "--dot: for one job or schedule, or for all");
  }
  Url url = master.url();
  url.target = "/v1/graph?format=dot" + (queries[0].empty() ? "" : '&' + queries[0]);
  const auto answer = master.http().fetch(url, {"GET", url.target, {}, ""});
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status >= 400) return tl::unexpected(problem_of(*answer, master.address()));
  context.print(answer->body);
  return 0;
}

Result<int> graph(const Context& context, const GraphOptions& options) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto queries = queries_of(*master, options);
  if (!queries) return tl::unexpected(queries.error());
  if (options.dot) return print_dot(context, *master, *queries);
  const auto json = fetch_graph(*master, *queries);
  if (!json) return tl::unexpected(json.error());
  if (context.json()) {
    context.print(pretty(*json));
  } else if (context.names()) {
    for (const Json& node : member(*json, "nodes")) context.print(shown(node, "id") + '\n');
  } else if (member(*json, "nodes").empty()) {
    context.note("no jobs wait or run, and there are no schedules");
  } else {
    context.print(draw_graph(context.out, graph_of(context.out, *json)));
  }
  return 0;
}

}  // namespace

Action define_graph(CLI::App& app, Context& context) {
  const auto options = std::make_shared<GraphOptions>();
  app.add_option("selector", options->words, "jobs, as everywhere, or schedules")
      ->type_name("SELECTOR|SCHEDULE");
  app.add_flag("--dot", options->dot, "prints it for Graphviz: rmctl graph --dot | dot -Tsvg");
  return [options, &context] { return graph(context, *options); };
}

}  // namespace batch::cli
