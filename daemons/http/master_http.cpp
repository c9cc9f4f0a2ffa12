// From requests to the core's views and the backend's changes, and from these to JSON.
#include "http/master_http.hpp"

#include <algorithm>

#include "batch/array.hpp"
#include "batch/array_text.hpp"
#include "batch/edge/job_json.hpp"
#include "common/version.hpp"
#include "http/backup_routes.hpp"
#include "http/chronos_routes.hpp"
#include "http/job_filter.hpp"
#include "http/json.hpp"
#include "http/maintenance_routes.hpp"
#include "http/master_views.hpp"
#include "http/offer_why.hpp"
#include "http/parameters.hpp"
#include "http/problem.hpp"
#include "http/role_routes.hpp"
#include "http/router.hpp"
#include "http/schedule_routes.hpp"
#include "http/text.hpp"

namespace librm::http {

using batch::Job;
using batch::JobId;

namespace {

constexpr std::uint64_t last_max = 10'000;

HttpResponse event_stream() { return {200, "text/event-stream", {}, ""}; }

}  // namespace

class MasterHttp::Impl {
 public:
  Impl(asio::io_context& io, MasterBackend& backend, MasterHttpOptions options)
      : backend_(backend), options_(options), events_(io, event_source(), options.events) {
    add_routes();
    backend_.on_job_changed([this](const batch::JobChanged& c) { events_.on_job_changed(c); });
    backend_.on_schedule_changed(
        [this](const batch::ScheduleChanged& c) { events_.on_schedule_changed(c); });
  }

  Router router_;

  /// True where it was answered: only the leader knows what is asked, or /master/redirect did.
  bool redirect(const HttpRequest& request, Responder& responder) const {
    const bool asks_who = request.segments == std::vector<std::string>{"master", "redirect"};
    const bool ready = backend_.ready();
    const bool of_itself = !request.segments.empty() && (request.segments.front() == "livez" ||
                                                         request.segments.front() == "readyz");
    if (asks_who ? false : ready || of_itself) return false;
    const std::string leader = ready ? backend_.http_address() : backend_.leader_http();
    if (leader.empty() && !asks_who) return false;
    if (leader.empty()) {
      responder.reply(problem(Error{ErrorCode::unavailable, "no leading master is known"}));
      return true;
    }
    HttpResponse response{307, "text/plain", {}, "the leader is " + leader + "\n"};
    response.headers.emplace_back("Location",
                                  "http://" + leader + (asks_who ? "/" : request.target));
    responder.reply(std::move(response));
    return true;
  }

 private:
  using Handling = void (Impl::*)(const HttpRequest&, const Params&, Responder);

  void add(const char* method, const char* pattern, Handling handling) {
    router_.add(method, pattern, handler_of(handling));
  }
  /// One that has no query parameters.
  void add_plain(const char* method, const char* pattern, Handling handling) {
    router_.add(method, pattern, without_parameters(handler_of(handling)));
  }
  RouteHandler handler_of(Handling handling) {
    return [this, handling](const HttpRequest& request, const Params& params, Responder responder) {
      if (!backend_.ready() && request.segments.front() == "v1") {
        return responder.reply(problem(not_ready()));
      }
      (this->*handling)(request, params, std::move(responder));
    };
  }

  void add_routes() {
    add_plain("GET", "/livez", &Impl::live);
    add_plain("GET", "/readyz", &Impl::readiness);
    add_plain("GET", "/v1/version", &Impl::version);
    add_plain("GET", "/v1/state", &Impl::state);
    add_plain("GET", "/v1/nodes", &Impl::nodes);
    add_plain("GET", "/v1/nodes/{id}", &Impl::node);
    add_plain("GET", "/v1/frameworks", &Impl::frameworks);
    add("GET", "/v1/events", &Impl::events);
    add("GET", "/v1/jobs", &Impl::list_jobs);
    add("POST", "/v1/jobs", &Impl::submit);
    add_plain("GET", "/v1/jobs/{job}", &Impl::job);
    add("GET", "/v1/jobs/{job}/elements", &Impl::elements);
    add_plain("GET", "/v1/jobs/{job}/why", &Impl::why);
    add("GET", "/v1/jobs/{job}/logs", &Impl::logs);
    add_control<batch::JobAction::cancel>("cancel");
    add_control<batch::JobAction::hold>("hold");
    add_control<batch::JobAction::release>("release");
    add_control<batch::JobAction::requeue>("requeue");
    add_control<batch::JobAction::retry>("retry");
    const auto guarded = [this](const char* method, const std::string& pattern,
                                RouteHandler handler) {
      router_.add(method, pattern,
                  [this, handler = std::move(handler)](const HttpRequest& request,
                                                       const Params& params, Responder responder) {
                    if (!backend_.ready()) return responder.reply(problem(not_ready()));
                    if (adds_work(request) && master().storage_low())
                      return refuse_for_storage(responder);
                    handler(request, params, std::move(responder));
                  });
    };
    add_backup_routes(guarded, backend_);
    add_maintenance_routes(guarded, backend_);
    add_role_routes(guarded, backend_);
    add_schedule_routes(guarded, backend_);
    add_chronos_routes(guarded, backend_);
  }

  template <batch::JobAction action>
  void add_control(const char* verb) {
    const std::string pattern = std::string("/v1/jobs/{job}/") + verb;
    add_plain("POST", pattern.c_str(), &Impl::control<action>);
  }

  JobEvents::Source event_source() {
    return {[this] { return backend_.core().master().epoch(); },
            [this](JobId id) { return batch().find(id); },
            [this](const Job& job) { return dump(to_json(job, false)); },
            [this](const std::string& name) {
              const auto found = batch().schedules().find(name);
              return found == batch().schedules().end() ? nullptr : &found->second;
            },
            [this] { return backend_.now().wall; }};
  }

  const batch::BatchCore& batch() const { return backend_.core().batch(); }
  const MasterCore& master() const { return backend_.core().master(); }

  static Error not_ready() {
    return {ErrorCode::unavailable, "the master is not ready: it has not recovered, or it stops"};
  }

  /// What would make the journal grow for long: a schedule. Jobs are looked at where they come.
  static bool adds_work(const HttpRequest& request) {
    return request.segments.size() >= 2 && request.segments[1] == "schedules" &&
           (request.method == "PUT" || (request.method == "POST" && request.segments.size() == 2));
  }

  /// At once: where the disk is full the core's own answer would have to wait for it.
  static void refuse_for_storage(Responder& responder) {
    responder.reply(problem(
        Error{ErrorCode::resource_exhausted,
              "no new work is taken: the disk of the master's journal is nearly full; what was "
              "taken before goes on, and so does this as soon as there is room"},
        {}, 507));
  }

  // --- the daemon ---

  void live(const HttpRequest&, const Params&, Responder responder) {
    responder.reply({200, "text/plain", {}, "ok\n"});
  }

  void readiness(const HttpRequest&, const Params&, Responder responder) {
    if (!backend_.ready()) return responder.reply(problem(not_ready()));
    const bool low = master().storage_low();
    responder.reply({200,
                     "text/plain",
                     {},
                     low ? "ok, but storage is low: submissions are refused\n" : "ok\n"});
  }

  void version(const HttpRequest&, const Params&, Responder responder) {
    responder.reply(json_response({{"version", daemon::version}}));
  }

  // --- the cluster ---

  void state(const HttpRequest&, const Params&, Responder responder) {
    const Json& jobs = counts_.by_state(batch(), backend_.now().mono);
    responder.reply(json_response(state_to_json(backend_.core(), backend_.http_address(), jobs)));
  }

  void nodes(const HttpRequest&, const Params&, Responder responder) {
    responder.reply(json_response(nodes_to_json(backend_.core(), backend_.now().wall)));
  }

  void node(const HttpRequest&, const Params& params, Responder responder) {
    const std::string& text = params.at("id");
    const auto id = parse_id<AgentId>(text);
    auto found = id ? node_to_json(master(), *id, backend_.now().wall) : std::nullopt;
    if (!found) {
      return responder.reply(
          problem(Error{ErrorCode::not_found, "node '" + text + "': no such node"}));
    }
    responder.reply(json_response(std::move(*found)));
  }

  void frameworks(const HttpRequest&, const Params&, Responder responder) {
    responder.reply(json_response(frameworks_to_json(master())));
  }

  // --- jobs ---

  Json to_json(const Job& job, bool with_attempts) const {
    return batch::job_to_json(job, with_attempts, lookup());
  }

  batch::JobLookup lookup() const {
    batch::JobLookup lookup;
    lookup.job_name = [this](JobId id) {
      const Job* other = batch().find(id);
      return other != nullptr ? other->spec.name : std::string();
    };
    lookup.http_address = [this](AgentId id) { return http_address(id); };
    return lookup;
  }

  std::string http_address(AgentId id) const {
    const auto found = master().agents().find(id);
    return found == master().agents().end() ? std::string() : found->second.record.http_address;
  }

  /// A job, or elements of an array: `42`, `count`, `last`, `last-2`, `42_7`, `count[3,7-9]`.
  struct Selected {
    const Job* job;
    Ranges elements;  ///< empty: the job as a whole
    std::optional<std::uint32_t> index() const {
      if (elements.empty()) return std::nullopt;
      return static_cast<std::uint32_t>(elements.list().front().begin);
    }
  };

  Result<Selected> select(const std::string& selector) const {
    const auto split = batch::split_elements(selector);
    if (!split) return tl::unexpected(split.error());
    const auto found = select_job(split->job);
    if (!found) return tl::unexpected(found.error());
    const Job& job = **found;
    if (split->elements.empty()) return Selected{&job, {}};
    const std::string name = "job " + std::to_string(job.id);
    if (!job.elements) {
      return fail(ErrorCode::not_found, name + ": it is no array, it has no elements");
    }
    Ranges strange = split->elements;
    strange -= job.spec.array->indices;
    if (strange.empty()) return Selected{&job, split->elements};
    return fail(ErrorCode::not_found,
                name + ": it has no element " + std::to_string(strange.list().front().begin) +
                    ", its elements are " + batch::indices_text(job.spec.array->indices));
  }

  Result<const Job*> select_job(const std::string& selector) const {
    if (selector == "last" || selector.starts_with("last-")) {
      const auto back = selector == "last" ? 0 : parse_number(selector.substr(5));
      if (back && *back <= last_max) {
        if (*back >= batch().jobs().size()) {
          return fail(ErrorCode::not_found, "job '" + selector + "': there are " +
                                                std::to_string(batch().jobs().size()) + " jobs");
        }
        auto newest = batch().jobs().rbegin();
        std::advance(newest, static_cast<std::ptrdiff_t>(*back));
        return &newest->second;
      }
    }
    const auto id = parse_number(selector);
    const Job* job = id ? batch().find(*id) : batch().find(std::string_view(selector));
    if (job != nullptr) return job;
    return fail(ErrorCode::not_found,
                "job " + (id ? selector : "'" + selector + "'") + ": no such job");
  }

  /// Calls `use` with the job, or the one element, or answers what is wrong.
  template <class Use>
  void with_one(const Params& params, Responder& responder, Use use) const {
    const auto found = select(params.at("job"));
    if (!found) return responder.reply(problem(found.error()));
    if (found->elements.count() > 1) {
      return responder.reply(
          problem(Error{ErrorCode::invalid_argument, "job " + std::to_string(found->job->id) +
                                                         ": name one element, not " +
                                                         std::to_string(found->elements.count())}));
    }
    use(*found);
  }

  Json to_json(const Selected& one) const {
    return one.index() ? batch::element_to_json(*one.job, *one.index(), lookup())
                       : to_json(*one.job, true);
  }

  void job(const HttpRequest&, const Params& params, Responder responder) {
    with_one(params, responder,
             [&](const Selected& one) { responder.reply(json_response(to_json(one))); });
  }

  void why(const HttpRequest&, const Params& params, Responder responder) {
    with_one(params, responder, [&](const Selected& one) {
      const Now now = backend_.now();
      batch::Why why =
          one.index() ? batch().why(*one.job, *one.index(), now) : batch().why(*one.job, now);
      add_claims(backend_.core().master(), batch(), *one.job, now.mono, why);
      responder.reply(json_response(batch::why_to_json(why)));
    });
  }

  /// The elements of an array, in pages by index.
  void elements(const HttpRequest& request, const Params& params, Responder responder) {
    const auto known = check_parameters(request, {"state", "limit", "cursor"});
    if (!known) return responder.reply(problem(known.error()));
    const auto filter = read_job_filter(request);
    if (!filter) return responder.reply(problem(filter.error()));
    const auto limit = number_parameter(request, "limit", 1, options_.page_max);
    if (!limit) return responder.reply(problem(limit.error()));
    const auto cursor = number_parameter(request, "cursor", 0, batch::array_index_max);
    if (!cursor) return responder.reply(problem(cursor.error()));
    const auto found = select(params.at("job"));
    if (!found) return responder.reply(problem(found.error()));
    const Job& job = *found->job;
    if (!job.elements) {
      return responder.reply(
          problem(Error{ErrorCode::invalid_argument,
                        "job " + std::to_string(job.id) + ": it is no array, it has no elements"}));
    }
    Ranges wanted = found->elements.empty() ? job.spec.array->indices : found->elements;
    if (*cursor) wanted -= Ranges({{0, **cursor}});
    if (!filter->states.empty()) wanted = in_states(job, filter->states, wanted);
    const std::uint64_t count =
        std::min<std::uint64_t>(wanted.count(), limit->value_or(options_.page_default));
    const bool more = wanted.count() > count;
    Json page = Json::array();
    std::uint32_t last = 0;
    const Ranges shown = wanted.lowest(count);
    for (const Range& range : shown.list()) {
      for (std::uint64_t index = range.begin; index <= range.end; ++index) {
        last = static_cast<std::uint32_t>(index);
        page.push_back(
            batch::element_summary_to_json(job, last, batch::element_of(job, last).value()));
      }
    }
    responder.reply(json_response({{"elements", std::move(page)},
                                   {"next_cursor", more ? Json(std::to_string(last)) : Json()}}));
  }

  static Ranges in_states(const Job& job, const std::set<batch::JobState>& states,
                          const Ranges& among) {
    Ranges found;
    for (const batch::JobState state : states) found += batch::elements_in(job, state, among);
    return found;
  }

  void list_jobs(const HttpRequest& request, const Params&, Responder responder) {
    const auto known = check_parameters(request, {"state", "name", "owner", "label", "ended_after",
                                                  "ended_before", "attempts", "limit", "cursor"});
    if (!known) return responder.reply(problem(known.error()));
    const auto filter = read_job_filter(request);
    if (!filter) return responder.reply(problem(filter.error()));
    const auto attempts = flag_parameter(request, "attempts");
    if (!attempts) return responder.reply(problem(attempts.error()));
    const auto limit = number_parameter(request, "limit", 1, options_.page_max);
    if (!limit) return responder.reply(problem(limit.error()));
    const auto cursor = number_parameter(request, "cursor", 1, UINT64_MAX);
    if (!cursor) return responder.reply(problem(cursor.error()));

    const auto& jobs = batch().jobs();
    // The cursor is the last job that was looked at.
    auto next =
        std::make_reverse_iterator(cursor->has_value() ? jobs.lower_bound(**cursor) : jobs.end());
    const std::size_t wanted = limit->value_or(options_.page_default);
    Json page = Json::array();
    JobId last = 0;
    for (std::size_t seen = 0; next != jobs.rend(); ++next, ++seen) {
      if (page.size() >= wanted || seen >= options_.scan_max) break;
      const Job& one = next->second;
      last = one.id;
      if (matches(*filter, one)) page.push_back(to_json(one, *attempts));
    }
    const bool more = next != jobs.rend();
    responder.reply(json_response(
        {{"jobs", std::move(page)}, {"next_cursor", more ? Json(std::to_string(last)) : Json()}}));
  }

  void submit(const HttpRequest& request, const Params&, Responder responder) {
    if (master().storage_low()) return refuse_for_storage(responder);
    const auto known = check_parameters(request, {"dry_run", "follow"});
    if (!known) return responder.reply(problem(known.error()));
    const auto dry_run = flag_parameter(request, "dry_run");
    if (!dry_run) return responder.reply(problem(dry_run.error()));
    const auto follow = flag_parameter(request, "follow");
    if (!follow) return responder.reply(problem(follow.error()));
    const auto key = idempotency_key(request);
    if (!key) return responder.reply(problem(key.error()));
    const bool ndjson = request.header("Content-Type").starts_with("application/x-ndjson");
    auto specs = batch::job_specs_from_json(request.body,
                                            ndjson ? batch::JobText::ndjson : batch::JobText::json);
    if (!specs) return responder.reply(problem(specs.error()));
    // For a refusal, which has to say where in the document the job stands.
    std::string document = ndjson || specs->size() != 1 ? "" : request.body;
    std::vector<std::string> names;
    if (*dry_run) {
      for (const auto& spec : *specs) names.push_back(spec.name);
    }
    backend_.submit(std::move(*specs), *key, *dry_run,
                    [this, responder, names, document = std::move(document), dry = *dry_run,
                     following = *follow](const batch::SubmitAnswer& answer) mutable {
                      on_submitted(answer, responder, names, document, dry, following);
                    });
  }

  /// A job that is not in a list stands at the root of its document, which is empty where there
  /// are several.
  static batch::Refusal in_document(batch::Refusal refusal, const std::string& document) {
    constexpr std::string_view first = "/jobs/0";
    const bool alone = !document.empty() && !Json::parse(document).contains("jobs");
    if (alone && refusal.path.starts_with(first)) refusal.path.erase(0, first.size());
    return refusal;
  }

  void on_submitted(const batch::SubmitAnswer& answer, Responder& responder,
                    const std::vector<std::string>& names, const std::string& document,
                    bool dry_run, bool follow) {
    if (!answer.jobs) return responder.reply(problem(in_document(answer.jobs.error(), document)));
    Json list = Json::array();
    if (dry_run) {
      for (const std::string& name : names) list.push_back({{"id", nullptr}, {"name", name}});
      return responder.reply(json_response({{"jobs", std::move(list)}, {"dry_run", true}}));
    }
    for (const JobId id : *answer.jobs) {
      const Job* found = batch().find(id);
      list.push_back({{"id", id}, {"name", found != nullptr ? found->spec.name : ""}});
    }
    if (!follow) return responder.reply(json_response({{"jobs", std::move(list)}}, 201));
    events_.follow(responder.stream(event_stream()), *answer.jobs,
                   dump({{"jobs", std::move(list)}}), answer.repeated);
  }

  template <batch::JobAction action>
  void control(const HttpRequest& request, const Params& params, Responder responder) {
    const auto reason = batch::text_field_from_json(request.body, "reason");
    if (!reason) return responder.reply(problem(reason.error()));
    const auto found = select(params.at("job"));
    if (!found) return responder.reply(problem(found.error()));
    Selected one{nullptr, found->elements};
    backend_.control(
        {0, action, found->job->id, *reason, found->elements},
        [this, id = found->job->id, one, responder](const Result<void>& result) mutable {
          if (!result) return responder.reply(problem(result.error()));
          one.job = batch().find(id);
          if (one.elements.count() > 1) one.elements = {};
          responder.reply(json_response(one.job != nullptr ? to_json(one) : Json{{"id", id}}, 202));
        });
  }

  // --- logs and events ---

  void logs(const HttpRequest& request, const Params& params, Responder responder) {
    const auto known = check_parameters(request, {"stream", "offset", "follow", "attempt"});
    if (!known) return responder.reply(problem(known.error()));
    const auto offset = offset_parameter(request);
    if (!offset) return responder.reply(problem(offset.error()));
    const auto follow = flag_parameter(request, "follow");
    if (!follow) return responder.reply(problem(follow.error()));
    const auto attempt = number_parameter(request, "attempt", 1, UINT32_MAX);
    if (!attempt) return responder.reply(problem(attempt.error()));
    std::string stream(request.parameter("stream"));
    if (stream.empty()) stream = "stdout";
    if (stream != "stdout" && stream != "stderr") {
      return responder.reply(
          problem(Error{ErrorCode::invalid_argument, "query parameter 'stream' is '" + stream +
                                                         "'; it may be stdout or stderr"}));
    }
    with_one(params, responder, [&](const Selected& one) {
      auto location = log_location(one, *attempt, stream);
      if (!location) return responder.reply(problem(location.error()));
      std::string query;
      for (const char* name : {"offset", "follow"}) {
        if (!request.query.contains(name)) continue;
        query += (query.empty() ? "?" : "&") + std::string(name) + '=' +
                 percent_encode(request.parameter(name));
      }
      responder.reply({307, "text/plain", {{"Location", *location + query}}, ""});
    });
  }

  Result<std::string> log_location(const Selected& one, std::optional<std::uint64_t> attempt,
                                   const std::string& stream) const {
    const batch::ElementId id{one.job->id, one.index()};
    const std::string name = "job " + to_string(id);
    if (one.job->elements && !id.index) {
      return fail(ErrorCode::invalid_argument,
                  name + " is an array; name an element, such as " + name.substr(4) + "_" +
                      std::to_string(one.job->spec.array->indices.list().front().begin));
    }
    const batch::Execution job = id.index ? batch::element_of(*one.job, *id.index).value()
                                          : static_cast<const batch::Execution&>(*one.job);
    if (job.attempts.empty()) {
      return fail(ErrorCode::failed_precondition,
                  name + " is " + to_string(job.state) + " and has no attempt yet");
    }
    // The latest run's, where several runs have attempts of one number.
    const auto wanted =
        std::find_if(job.attempts.rbegin(), job.attempts.rend(),
                     [&](const batch::Attempt& a) { return !attempt || a.attempt == *attempt; });
    if (wanted == job.attempts.rend()) {
      const std::uint32_t last = job.attempts.back().attempt;
      // One that may still come is not missing.
      const bool may_come = *attempt > last && !batch::is_terminal(job.state);
      return fail(may_come ? ErrorCode::failed_precondition : ErrorCode::not_found,
                  name + " has no attempt " + std::to_string(*attempt) + "; the last one is " +
                      std::to_string(last));
    }
    const std::string address = http_address(wanted->agent);
    const auto framework = batch().framework();
    if (address.empty() || !framework) {
      return fail(ErrorCode::unavailable,
                  name + ": agent " + librm::to_string(wanted->agent) + " has no HTTP address");
    }
    const std::string task = batch::task_id({id.job, id.index, wanted->run, wanted->attempt});
    return "http://" + address + "/v1/tasks/" + librm::to_string(*framework) + '/' +
           percent_encode(task) + "/files/" + stream;
  }

  void events(const HttpRequest& request, const Params&, Responder responder) {
    const auto known = check_parameters(request, {"job", "held"});
    if (!known) return responder.reply(problem(known.error()));
    const auto held = flag_parameter(request, "held");
    if (!held) return responder.reply(problem(held.error()));
    std::optional<JobId> only;
    if (request.query.contains("job")) {
      const auto found = select(std::string(request.parameter("job")));
      if (!found) return responder.reply(problem(found.error()));
      only = found->job->id;
    }
    if (*held) return events_.send_held(responder.stream(event_stream()), only);
    events_.watch(responder.stream(event_stream()), only, request.header("Last-Event-ID"));
  }

  MasterBackend& backend_;
  const MasterHttpOptions options_;
  JobEvents events_;
  JobCounts counts_;
};

MasterHttp::MasterHttp(asio::io_context& io, MasterBackend& backend, MasterHttpOptions options)
    : impl_(std::make_unique<Impl>(io, backend, options)) {}
MasterHttp::~MasterHttp() = default;

void MasterHttp::handle(const HttpRequest& request, Responder responder) const {
  if (impl_->redirect(request, responder)) return;
  impl_->router_.handle(request, std::move(responder));
}

std::vector<std::pair<std::string, std::string>> MasterHttp::routes() const {
  return impl_->router_.routes();
}

}  // namespace librm::http
