// Chronos' requests over schedules.
#include "http/chronos_routes.hpp"

#include <algorithm>
#include <cmath>

#include "batch/edge/chronos_json.hpp"
#include "http/json.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"
#include "http/text.hpp"

namespace librm::http {

using batch::Schedule;

namespace {

constexpr std::uint64_t search_max = 10'000;

HttpResponse done() { return {204, "text/plain", {}, ""}; }

/// Lists, which Chronos answers with, are no objects and carry no version.
HttpResponse json_list(const Json& list) { return {200, "application/json", {}, dump(list)}; }

/// Those that have a form in Chronos.
std::vector<const Schedule*> chronos_jobs(const MasterBackend& backend) {
  std::vector<const Schedule*> jobs;
  for (const auto& [name, schedule] : backend.core().batch().schedules()) {
    if (schedule.spec.jobs.size() == 1) jobs.push_back(&schedule);
  }
  return jobs;
}

const Schedule* find(const MasterBackend& backend, const std::string& name) {
  const auto& all = backend.core().batch().schedules();
  const auto found = all.find(name);
  return found == all.end() || found->second.spec.jobs.size() != 1 ? nullptr : &found->second;
}

HttpResponse no_job(const std::string& name) {
  return problem(Error{ErrorCode::not_found, "job '" + name + "': no such job"});
}

void answer(Responder& responder, const batch::Checked<std::uint32_t>& result) {
  responder.reply(result ? done() : problem(result.error()));
}

void put_job(MasterBackend& backend, const HttpRequest& request, bool dependent,
             Responder responder) {
  auto spec = batch::chronos_job_from_json(request.body);
  if (!spec) return responder.reply(problem(spec.error()));
  if (dependent == spec->parents.empty()) {
    const std::string detail =
        dependent ? "job " + spec->name + ": it has no parents; send it to .../iso8601"
                  : "job " + spec->name + ": it has parents; send it to .../dependency";
    return responder.reply(
        problem(batch::Refusal{{ErrorCode::invalid_argument, detail}, "/parents"}));
  }
  // Chronos knows two fields for the same thing.
  const bool has_uris = Json::parse(request.body).contains("uris");
  backend.add_schedule({0, std::move(*spec), true, false},
                       [has_uris, responder](const batch::Checked<std::uint32_t>& result) mutable {
                         if (result) return responder.reply(done());
                         batch::Refusal refusal = result.error();
                         refusal.path = batch::chronos_path(refusal.path);
                         if (has_uris && refusal.path == "/fetch") refusal.path = "/uris";
                         responder.reply(problem(refusal));
                       });
}

void control(MasterBackend& backend, batch::ControlSchedule wanted, Responder responder) {
  if (find(backend, wanted.schedule) == nullptr) return responder.reply(no_job(wanted.schedule));
  backend.control_schedule(std::move(wanted),
                           [responder](const batch::Checked<std::uint32_t>& result) mutable {
                             answer(responder, result);
                           });
}

void list(MasterBackend& backend, Responder responder) {
  Json jobs = Json::array();
  for (const Schedule* one : chronos_jobs(backend))
    jobs.push_back(batch::chronos_job_to_json(*one));
  responder.reply(json_list(jobs));
}

void search(MasterBackend& backend, const HttpRequest& request, Responder responder) {
  if (auto ok = check_parameters(request, {"name", "command", "any", "limit", "offset"}); !ok) {
    return responder.reply(problem(ok.error()));
  }
  const auto limit = number_parameter(request, "limit", 0, search_max);
  if (!limit) return responder.reply(problem(limit.error()));
  const auto offset = number_parameter(request, "offset", 0, UINT32_MAX);
  if (!offset) return responder.reply(problem(offset.error()));
  const auto has = [](const std::string& text, std::string_view part) {
    return text.find(part) != text.npos;
  };
  Json jobs = Json::array();
  std::uint64_t skip = offset->value_or(0);
  for (const Schedule* one : chronos_jobs(backend)) {
    const std::string& name = one->spec.name;
    const std::string& command = one->spec.jobs.front().command.value;
    const std::string_view any = request.parameter("any");
    if (!has(name, request.parameter("name")) || !has(command, request.parameter("command")) ||
        !(has(name, any) || has(command, any))) {
      continue;
    }
    if (skip > 0) {
      --skip;
    } else if (jobs.size() < limit->value_or(10)) {
      jobs.push_back(batch::chronos_job_to_json(*one));
    }
  }
  responder.reply(json_list(jobs));
}

void summary(MasterBackend& backend, Responder responder) {
  Json jobs = Json::array();
  for (const Schedule* one : chronos_jobs(backend)) {
    const Json job = batch::chronos_job_to_json(*one);
    jobs.push_back({{"name", one->spec.name},
                    {"status", batch::chronos_status(*one)},
                    {"state", batch::chronos_state(*one, backend.core().batch())},
                    {"schedule", job.value("schedule", "")},
                    {"parents", job.value("parents", Json::array())},
                    {"disabled", one->spec.paused}});
  }
  responder.reply(json_response({{"jobs", std::move(jobs)}}));
}

/// Seconds from the first attempt's start to the end, of the runs that are remembered and ended.
std::vector<double> durations(const Schedule& schedule, const batch::BatchCore& core) {
  std::vector<double> all;
  for (const auto& run : schedule.runs) {
    const batch::Job* job = run.jobs.empty() ? nullptr : core.find(run.jobs.front());
    if (job == nullptr || !job->ended || !job->started) continue;
    all.push_back(static_cast<double>((*job->ended - *job->started).ns) / 1e9);
  }
  std::sort(all.begin(), all.end());
  return all;
}

/// The nearest rank; 0 where there is nothing.
double percentile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double rank = std::ceil(share * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

struct Statistic {
  const char* name;
  double (*of)(const std::vector<double>& sorted);
};
constexpr Statistic statistics[] = {
    {"75thPercentile", [](const std::vector<double>& v) { return percentile(v, 0.75); }},
    {"95thPercentile", [](const std::vector<double>& v) { return percentile(v, 0.95); }},
    {"98thPercentile", [](const std::vector<double>& v) { return percentile(v, 0.98); }},
    {"99thPercentile", [](const std::vector<double>& v) { return percentile(v, 0.99); }},
    {"median", [](const std::vector<double>& v) { return percentile(v, 0.5); }},
    {"mean", [](const std::vector<double>& v) { return mean(v); }},
    {"count", [](const std::vector<double>& v) { return static_cast<double>(v.size()); }},
};

void job_statistics(MasterBackend& backend, const std::string& name, Responder responder) {
  const Schedule* schedule = find(backend, name);
  if (schedule == nullptr) return responder.reply(no_job(name));
  const std::vector<double> sorted = durations(*schedule, backend.core().batch());
  Json histogram = Json::object();
  for (const Statistic& one : statistics) histogram[one.name] = one.of(sorted);
  responder.reply(json_response({{"histogram", std::move(histogram)}}));
}

void all_statistics(MasterBackend& backend, const std::string& what, Responder responder) {
  const auto wanted = std::find_if(std::begin(statistics), std::end(statistics),
                                   [&](const Statistic& one) { return one.name == what; });
  if (wanted == std::end(statistics)) {
    return responder.reply(
        problem(Error{ErrorCode::not_found, "statistic '" + what +
                                                "': there are 75thPercentile, "
                                                "95thPercentile, 98thPercentile, "
                                                "99thPercentile, median, mean, count"}));
  }
  Json values = Json::array();
  for (const Schedule* one : chronos_jobs(backend)) {
    const std::vector<double> sorted = durations(*one, backend.core().batch());
    if (!sorted.empty()) {
      values.push_back({{"jobNameLabel", one->spec.name}, {"time", wanted->of(sorted)}});
    }
  }
  responder.reply(json_list(values));
}

/// Answered when the last of the requests is.
void kill(MasterBackend& backend, const std::string& name, Responder responder) {
  const Schedule* schedule = find(backend, name);
  if (schedule == nullptr) return responder.reply(no_job(name));
  std::vector<batch::JobId> live;
  for (const auto& run : schedule->runs) {
    if (run.state == batch::JobState::running) {
      live.insert(live.end(), run.jobs.begin(), run.jobs.end());
    }
  }
  if (live.empty()) return responder.reply(done());
  const auto left = std::make_shared<std::size_t>(live.size());
  for (const batch::JobId id : live) {
    backend.control({0, batch::JobAction::cancel, id, "killed through Chronos' interface"},
                    [left, responder](const Result<void>&) mutable {
                      if (--*left == 0) responder.reply(done());
                    });
  }
}

void graph(MasterBackend& backend, bool dot, Responder responder) {
  std::string text = dot ? "digraph G {\n" : "";
  std::string links;
  for (const Schedule* one : chronos_jobs(backend)) {
    const std::string& name = one->spec.name;
    if (dot) {
      text += "  \"" + name + "\"\n";
    } else {
      text += "node," + name + "," + std::string(batch::chronos_status(*one)) + "," +
              batch::chronos_state(*one, backend.core().batch()) + "\n";
    }
    for (const auto& parent : one->spec.parents) {
      links += dot ? "  \"" + parent.schedule + "\" -> \"" + name + "\"\n"
                   : "link," + parent.schedule + "," + name + "\n";
    }
  }
  text += links + (dot ? "}\n" : "");
  responder.reply({200, dot ? "text/vnd.graphviz" : "text/csv", {}, std::move(text)});
}

void add_below(const AddRoute& add, MasterBackend& b, const std::string& root) {
  using Request = const HttpRequest&;
  using P = const Params&;
  const auto plain = [&add](const char* method, const std::string& pattern, RouteHandler handler) {
    add(method, pattern, without_parameters(std::move(handler)));
  };
  for (const char* method : {"POST", "PUT"}) {
    plain(method, root + "/iso8601",
          [&b](Request q, P, Responder r) { put_job(b, q, false, std::move(r)); });
    plain(method, root + "/dependency",
          [&b](Request q, P, Responder r) { put_job(b, q, true, std::move(r)); });
  }
  plain("GET", root + "/jobs", [&b](Request, P, Responder r) { list(b, std::move(r)); });
  add("GET", root + "/jobs/search",
      [&b](Request q, P, Responder r) { search(b, q, std::move(r)); });
  plain("GET", root + "/jobs/summary", [&b](Request, P, Responder r) { summary(b, std::move(r)); });
  plain("GET", root + "/job/{name}", [&b](Request, P p, Responder r) {
    const Schedule* schedule = find(b, p.at("name"));
    if (schedule == nullptr) return r.reply(no_job(p.at("name")));
    r.reply(json_response(batch::chronos_job_to_json(*schedule)));
  });
  add("PUT", root + "/job/{name}", [&b](Request q, P p, Responder r) {
    if (auto ok = check_parameters(q, {"arguments"}); !ok) return r.reply(problem(ok.error()));
    batch::ControlSchedule wanted;
    wanted.schedule = p.at("name");
    wanted.arguments = std::string(q.parameter("arguments"));
    control(b, std::move(wanted), std::move(r));
  });
  plain("DELETE", root + "/job/{name}", [&b](Request, P p, Responder r) {
    batch::ControlSchedule wanted;
    wanted.action = batch::ScheduleAction::remove;
    wanted.schedule = p.at("name");
    wanted.children = batch::OnRemove::inherit;
    control(b, std::move(wanted), std::move(r));
  });
  plain("PUT", root + "/job/success/{name}", [&b](Request, P p, Responder r) {
    batch::ControlSchedule wanted;
    wanted.action = batch::ScheduleAction::succeed;
    wanted.schedule = p.at("name");
    control(b, std::move(wanted), std::move(r));
  });
  plain("GET", root + "/job/stat/{name}",
        [&b](Request, P p, Responder r) { job_statistics(b, p.at("name"), std::move(r)); });
  plain("GET", root + "/stats/{statistic}",
        [&b](Request, P p, Responder r) { all_statistics(b, p.at("statistic"), std::move(r)); });
  plain("DELETE", root + "/task/kill/{name}",
        [&b](Request, P p, Responder r) { kill(b, p.at("name"), std::move(r)); });
  plain("GET", root + "/graph/dot",
        [&b](Request, P, Responder r) { graph(b, true, std::move(r)); });
  plain("GET", root + "/graph/csv",
        [&b](Request, P, Responder r) { graph(b, false, std::move(r)); });
  plain("GET", root + "/leader", [&b](Request, P, Responder r) {
    r.reply(json_response({{"leader", b.http_address()}}));
  });
}

}  // namespace

void add_chronos_routes(const AddRoute& add, MasterBackend& backend) {
  add_below(add, backend, "/scheduler");
  add_below(add, backend, "/v1/scheduler");
}

}  // namespace librm::http
