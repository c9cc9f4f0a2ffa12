// Requests to schedules, and the graph as JSON and for Graphviz.
#include "http/schedule_routes.hpp"

#include <set>

#include "batch/edge/job_json.hpp"
#include "batch/edge/schedule_json.hpp"
#include "batch/edge/units.hpp"
#include "http/json.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"

namespace librm::http {

using batch::Job;
using batch::JobId;
using batch::Schedule;

namespace {

constexpr std::uint64_t next_max = 1000;
constexpr std::size_t graph_nodes_max = 5000;

Error no_schedule(const std::string& name) {
  return {ErrorCode::not_found, "schedule '" + name + "': no such schedule"};
}

const Schedule* find(const MasterBackend& backend, const std::string& name) {
  const auto& all = backend.core().batch().schedules();
  const auto found = all.find(name);
  return found == all.end() ? nullptr : &found->second;
}

void reply_schedule(MasterBackend& backend, const std::string& name, Responder& responder,
                    int status) {
  const Schedule* schedule = find(backend, name);
  if (schedule == nullptr) return responder.reply(problem(no_schedule(name)));
  responder.reply(
      json_response(batch::schedule_to_json(*schedule, backend.core().batch()), status));
}

void list(MasterBackend& backend, Responder responder) {
  Json all = Json::array();
  for (const auto& [name, schedule] : backend.core().batch().schedules()) {
    all.push_back(batch::schedule_to_json(schedule, backend.core().batch()));
  }
  responder.reply(json_response({{"schedules", std::move(all)}}));
}

/// Where only one job is given, it is called `job`.
batch::Refusal in_document(batch::Refusal refusal, bool one) {
  constexpr std::string_view first = "/jobs/0";
  if (one && refusal.path.starts_with(first)) refusal.path.replace(0, first.size(), "/job");
  return refusal;
}

/// POST adds, PUT replaces what may be there.
void add_schedule(MasterBackend& backend, const HttpRequest& request, const std::string& name,
                  bool replace, Responder responder) {
  if (auto ok = check_parameters(request, {"dry_run"}); !ok) {
    return responder.reply(problem(ok.error()));
  }
  const auto dry_run = flag_parameter(request, "dry_run");
  if (!dry_run) return responder.reply(problem(dry_run.error()));
  auto spec = batch::schedule_spec_from_json(request.body, name);
  if (!spec) return responder.reply(problem(spec.error()));
  const std::string added = spec->name;
  const bool one = Json::parse(request.body).contains("job");
  backend.add_schedule({0, std::move(*spec), replace, *dry_run},
                       [&backend, added, dry = *dry_run, one,
                        responder](const batch::Checked<std::uint32_t>& result) mutable {
                         if (!result)
                           return responder.reply(problem(in_document(result.error(), one)));
                         if (!dry) return reply_schedule(backend, added, responder, 201);
                         responder.reply(json_response({{"name", added}, {"dry_run", true}}));
                       });
}

void next(MasterBackend& backend, const HttpRequest& request, const std::string& name,
          Responder responder) {
  if (auto ok = check_parameters(request, {"n"}); !ok) return responder.reply(problem(ok.error()));
  const auto count = number_parameter(request, "n", 1, next_max);
  if (!count) return responder.reply(problem(count.error()));
  const Schedule* schedule = find(backend, name);
  if (schedule == nullptr) return responder.reply(problem(no_schedule(name)));
  Json times = Json::array();
  for (const WallTime time : backend.core().batch().upcoming(*schedule, count->value_or(5))) {
    times.push_back(batch::to_rfc3339(time));
  }
  responder.reply(json_response({{"next", std::move(times)}}));
}

void control(MasterBackend& backend, batch::ScheduleAction action, const std::string& name,
             Responder responder) {
  batch::ControlSchedule wanted;
  wanted.action = action;
  wanted.schedule = name;
  backend.control_schedule(
      std::move(wanted),
      [&backend, name, responder](const batch::Checked<std::uint32_t>& result) mutable {
        if (!result) return responder.reply(problem(result.error()));
        reply_schedule(backend, name, responder, 200);
      });
}

void trigger(MasterBackend& backend, const HttpRequest& request, const std::string& name,
             Responder responder) {
  batch::ControlSchedule wanted;
  wanted.schedule = name;
  auto arguments = batch::text_field_from_json(request.body, "arguments");
  if (!arguments) return responder.reply(problem(arguments.error()));
  wanted.arguments = std::move(*arguments);
  backend.control_schedule(
      std::move(wanted),
      [&backend, name, responder](const batch::Checked<std::uint32_t>& result) mutable {
        if (!result) return responder.reply(problem(result.error()));
        Json jobs = Json::array();
        if (const Schedule* schedule = find(backend, name)) {
          for (const auto& run : schedule->runs) {
            if (run.number == *result) jobs = run.jobs;
          }
        }
        responder.reply(json_response({{"run", *result}, {"jobs", std::move(jobs)}}, 202));
      });
}

void remove(MasterBackend& backend, const HttpRequest& request, const std::string& name,
            Responder responder) {
  if (auto ok = check_parameters(request, {"children"}); !ok) {
    return responder.reply(problem(ok.error()));
  }
  batch::ControlSchedule wanted;
  wanted.action = batch::ScheduleAction::remove;
  wanted.schedule = name;
  const std::string_view children = request.parameter("children");
  if (children == "inherit") {
    wanted.children = batch::OnRemove::inherit;
  } else if (children == "remove") {
    wanted.children = batch::OnRemove::remove;
  } else if (!children.empty() && children != "refuse") {
    return responder.reply(problem(Error{ErrorCode::invalid_argument,
                                         "query parameter 'children' is '" + std::string(children) +
                                             "'; it may be refuse, inherit or remove"}));
  }
  Json before;
  if (const Schedule* schedule = find(backend, name)) {
    before = batch::schedule_to_json(*schedule, backend.core().batch());
  }
  backend.control_schedule(
      std::move(wanted), [before, responder](const batch::Checked<std::uint32_t>& result) mutable {
        if (!result) return responder.reply(problem(result.error()));
        responder.reply(json_response(std::move(before)));
      });
}

// --- the graph ---

struct Graph {
  Json nodes = Json::array();
  Json edges = Json::array();
};

void add_job(Graph& graph, const Job& job) {
  graph.nodes.push_back({{"id", std::to_string(job.id)},
                         {"kind", "job"},
                         {"name", job.spec.name},
                         {"state", to_string(job.state)}});
  for (const batch::Edge& edge : job.edges) {
    graph.edges.push_back({{"from", std::to_string(edge.parent)},
                           {"to", std::to_string(job.id)},
                           {"kind", to_string(edge.kind)},
                           {"state", to_string(edge.state)}});
  }
}

/// All that is connected with one job, or all that is live with its parents.
std::set<JobId> graph_jobs(const batch::BatchCore& batch, const Job* of) {
  std::set<JobId> chosen;
  std::multimap<JobId, JobId> related;
  for (const auto& [id, job] : batch.jobs()) {
    for (const batch::Edge& edge : job.edges) {
      related.emplace(edge.parent, id);
      related.emplace(id, edge.parent);
    }
    if (of == nullptr && !is_terminal(job.state)) {
      chosen.insert(id);
      for (const batch::Edge& edge : job.edges) chosen.insert(edge.parent);
    }
  }
  std::vector<JobId> open;
  if (of != nullptr) open.push_back(of->id);
  while (!open.empty() && chosen.size() < graph_nodes_max) {
    const JobId id = open.back();
    open.pop_back();
    if (!chosen.insert(id).second) continue;
    const auto [begin, end] = related.equal_range(id);
    for (auto at = begin; at != end; ++at) open.push_back(at->second);
  }
  return chosen;
}

/// All that wait for one another with this schedule, or all there are.
std::set<std::string> graph_schedules(const batch::BatchCore& batch, const std::string& of) {
  std::set<std::string> chosen;
  std::multimap<std::string, std::string> related;
  for (const auto& [name, schedule] : batch.schedules()) {
    if (of.empty()) chosen.insert(name);
    for (const batch::ScheduleEdge& edge : schedule.edges) {
      related.emplace(edge.parent, name);
      related.emplace(name, edge.parent);
    }
  }
  std::vector<std::string> open;
  if (!of.empty()) open.push_back(of);
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!chosen.insert(name).second) continue;
    const auto [begin, end] = related.equal_range(name);
    for (auto at = begin; at != end; ++at) open.push_back(at->second);
  }
  return chosen;
}

/// Of one job, of one schedule, or of everything.
Graph graph_of(const batch::BatchCore& batch, const Job* of, const std::string& of_schedule) {
  Graph graph;
  if (of_schedule.empty()) {
    for (const JobId id : graph_jobs(batch, of)) {
      if (graph.nodes.size() >= graph_nodes_max) break;
      if (const Job* job = batch.find(id)) add_job(graph, *job);
    }
  }
  if (of != nullptr) return graph;
  const std::set<std::string> chosen = graph_schedules(batch, of_schedule);
  for (const auto& [name, schedule] : batch.schedules()) {
    if (!chosen.contains(name)) continue;
    graph.nodes.push_back(
        {{"id", "schedule:" + name},
         {"kind", "schedule"},
         {"name", name},
         {"state", schedule.runs.empty() ? "fresh" : to_string(schedule.runs.back().state)}});
    for (const batch::ScheduleEdge& edge : schedule.edges) {
      graph.edges.push_back({{"from", "schedule:" + edge.parent},
                             {"to", "schedule:" + name},
                             {"kind", to_string(edge.kind)},
                             {"state", edge.run != 0 ? "satisfied" : "pending"}});
    }
  }
  return graph;
}

/// Ids and names hold nothing that would have to be escaped in a quoted id.
std::string dot_of(const Graph& graph) {
  std::string dot = "digraph jobs {\n  rankdir=LR;\n  node [shape=box, style=rounded];\n";
  for (const Json& node : graph.nodes) {
    dot += "  \"" + node["id"].get<std::string>() + "\" [label=\"" +
           node["name"].get<std::string>() + "\\n" + node["state"].get<std::string>() + "\"];\n";
  }
  for (const Json& edge : graph.edges) {
    const std::string kind = edge["kind"].get<std::string>();
    dot += "  \"" + edge["from"].get<std::string>() + "\" -> \"" + edge["to"].get<std::string>() +
           "\"" + (kind == "ok" ? "" : " [label=\"" + kind + "\", style=dashed]") + ";\n";
  }
  return dot + "}\n";
}

void graph(MasterBackend& backend, const HttpRequest& request, Responder responder) {
  if (auto ok = check_parameters(request, {"job", "schedule", "format"}); !ok) {
    return responder.reply(problem(ok.error()));
  }
  const batch::BatchCore& batch = backend.core().batch();
  const Job* of = nullptr;
  if (request.query.contains("job")) {
    const std::string wanted(request.parameter("job"));
    const bool number = !wanted.empty() && wanted.find_first_not_of("0123456789") == wanted.npos &&
                        wanted.size() < 19;
    of = number ? batch.find(std::stoull(wanted)) : batch.find(std::string_view(wanted));
    if (of == nullptr) {
      return responder.reply(
          problem(Error{ErrorCode::not_found, "job '" + wanted + "': no such job"}));
    }
  }
  const std::string schedule(request.parameter("schedule"));
  if (of != nullptr && !schedule.empty()) {
    return responder.reply(problem(Error{
        ErrorCode::invalid_argument, "query parameters: either 'job' or 'schedule', not both"}));
  }
  if (!schedule.empty() && find(backend, schedule) == nullptr) {
    return responder.reply(problem(no_schedule(schedule)));
  }
  const std::string_view format = request.parameter("format");
  if (!format.empty() && format != "json" && format != "dot") {
    return responder.reply(problem(
        Error{ErrorCode::invalid_argument,
              "query parameter 'format' is '" + std::string(format) + "'; it may be json or dot"}));
  }
  Graph made = graph_of(batch, of, schedule);
  if (format == "dot") return responder.reply({200, "text/vnd.graphviz", {}, dot_of(made)});
  responder.reply(
      json_response({{"nodes", std::move(made.nodes)}, {"edges", std::move(made.edges)}}));
}

}  // namespace

void add_schedule_routes(const AddRoute& add, MasterBackend& backend) {
  const std::string one = "/v1/schedules/{schedule}";
  add("GET", "/v1/graph", [&backend](const HttpRequest& request, const Params&, Responder r) {
    graph(backend, request, std::move(r));
  });
  const auto add_plain = [&add](const char* method, const std::string& pattern,
                                RouteHandler handler) {
    add(method, pattern, without_parameters(std::move(handler)));
  };
  add_plain("GET", "/v1/schedules", [&backend](const HttpRequest&, const Params&, Responder r) {
    list(backend, std::move(r));
  });
  add("POST", "/v1/schedules", [&backend](const HttpRequest& request, const Params&, Responder r) {
    add_schedule(backend, request, "", false, std::move(r));
  });
  add_plain("GET", one, [&backend](const HttpRequest&, const Params& params, Responder r) {
    reply_schedule(backend, params.at("schedule"), r, 200);
  });
  add("PUT", one, [&backend](const HttpRequest& request, const Params& params, Responder r) {
    add_schedule(backend, request, params.at("schedule"), true, std::move(r));
  });
  add("DELETE", one, [&backend](const HttpRequest& request, const Params& params, Responder r) {
    remove(backend, request, params.at("schedule"), std::move(r));
  });
  add("GET", one + "/next",
      [&backend](const HttpRequest& request, const Params& params, Responder r) {
        next(backend, request, params.at("schedule"), std::move(r));
      });
  add_plain("POST", one + "/trigger",
            [&backend](const HttpRequest& request, const Params& params, Responder r) {
              trigger(backend, request, params.at("schedule"), std::move(r));
            });
  using Action = batch::ScheduleAction;
  for (const auto& [verb, action] :
       {std::pair("/pause", Action::pause), std::pair("/resume", Action::resume),
        std::pair("/succeed", Action::succeed)}) {
    add_plain("POST", one + verb,
              [&backend, wanted = action](const HttpRequest&, const Params& params, Responder r) {
                control(backend, wanted, params.at("schedule"), std::move(r));
              });
  }
}

}  // namespace librm::http
