// rmctl schedule add, list, show, next, pause, resume, trigger, remove.
#include <CLI/CLI.hpp>
#include <memory>

#include "job_options.hpp"
#include "job_view.hpp"
#include "master.hpp"
#include "table.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

std::string path_of(const std::string& name) { return "/v1/schedules/" + percent_encode(name); }

/// `2026-01-02T01:00:00Z`: schedules are about whole seconds.
std::string moment(const Json& object, const char* key) {
  std::string text = shown(object, key);
  if (text.ends_with(".000Z")) text.replace(text.size() - 5, 5, "Z");
  return text.empty() ? "-" : text;
}

std::string when_of(const Json& schedule) {
  const std::string expression = shown(schedule, "schedule");
  if (!expression.empty()) {
    const std::string zone = shown(schedule, "schedule_timezone");
    return zone.empty() ? expression : expression + " " + zone;
  }
  std::string text = "after";
  for (const Json& parent : member(schedule, "parents")) {
    const std::string kind = shown(parent, "kind");
    text += (text == "after" ? " " : ", ") + shown(parent, "schedule") +
            (kind == "ok" ? "" : " (" + kind + ")");
  }
  return text;
}

std::string state_of(const Terminal& terminal, const Json& schedule) {
  if (member(schedule, "paused") == true) return paint_state(terminal, "paused");
  const Json& runs = member(schedule, "runs");
  return runs.empty() ? "-" : paint_state(terminal, shown(runs.back(), "state"));
}

// --- add ---

struct AddOptions {
  JobOptions job;
  std::vector<std::string> words;
  std::string zone;
  std::string epsilon;
  std::string catch_up;
  std::optional<unsigned> catch_up_max;
  std::string overlap;
  std::string description;
  bool paused = false;
  bool replace = false;
  bool dry_run = false;
};

Result<Json> schedule_of(const Context& context, AddOptions& options) {
  Json schedule;
  schedule["name"] = options.words.front();
  std::vector<std::string> rest(options.words.begin() + 1, options.words.end());
  if (!rest.empty() && rest.front().starts_with('R') &&
      rest.front().find('/') != std::string::npos) {
    schedule["schedule"] = rest.front();
    rest.erase(rest.begin());
  }
  // Here the parents are schedules, and a run's jobs wait for nobody else.
  for (const auto& [field, parents] : {std::pair("after_ok", &options.job.after_ok),
                                       std::pair("after_any", &options.job.after_any),
                                       std::pair("after_notok", &options.job.after_notok)}) {
    for (const std::string& list : *parents) {
      for (const std::string& name : split(list, ',')) schedule[field].push_back(name);
    }
    parents->clear();
  }
  const auto set = [&](const char* field, const std::string& value) {
    if (!value.empty()) schedule[field] = value;
  };
  set("schedule_timezone", options.zone);
  set("epsilon", options.epsilon);
  set("catch_up", options.catch_up);
  set("overlap", options.overlap);
  set("description", options.description);
  if (options.catch_up_max) schedule["catch_up_max"] = *options.catch_up_max;
  if (options.paused) schedule["paused"] = true;
  if (context.has_command == !rest.empty()) {
    return fail(ErrorCode::invalid_argument,
                rest.empty() ? "what is to be run? Give a job file, or -- and a command"
                             : "give either a job file or a command, not " + escape(rest.front()) +
                                   " and a command");
  }
  if (context.has_command) {
    auto job = job_of_command(options.job, context.command);
    if (!job) return tl::unexpected(job.error());
    schedule["jobs"] = Json::array({*job});
  } else {
    auto jobs = jobs_of_file(options.job, rest);
    if (!jobs) return tl::unexpected(jobs.error());
    schedule["jobs"] = *jobs;
  }
  return schedule;
}

Result<int> add(const Context& context, AddOptions& options) {
  auto schedule = schedule_of(context, options);
  if (!schedule) return tl::unexpected(schedule.error());
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const std::string query = options.dry_run ? "?dry_run=1" : "";
  const auto answer = options.replace
                          ? master->put(path_of(options.words.front()) + query, *schedule)
                          : master->post("/v1/schedules" + query, *schedule, "");
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
  } else if (options.dry_run) {
    context.note("schedule " + shown(*answer, "name") + ": it would be accepted");
  } else {
    context.print(shown(*answer, "name") + '\n');
    const std::string next = shown(*answer, "next");
    context.note("schedule " + shown(*answer, "name") + ": " +
                 (next.empty() ? when_of(*answer) : "next " + moment(*answer, "next")));
  }
  return 0;
}

// --- list, show, next ---

Result<int> list(const Context& context) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto answer = master->get("/v1/schedules");
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
    return 0;
  }
  Table table({{"NAME"},
               {"WHEN", false, true},
               {"NEXT"},
               {"LAST"},
               {"OK", true},
               {"FAILED", true},
               {"WAITING", true}});
  for (const Json& one : member(*answer, "schedules")) {
    if (context.names()) {
      context.print(shown(one, "name") + '\n');
      continue;
    }
    const Json& counts = member(one, "counts");
    table.add({shown(one, "name"), when_of(one), moment(one, "next"), state_of(context.out, one),
               shown(counts, "successes"), shown(counts, "errors"), shown(one, "waiting")});
  }
  if (!table.empty()) context.print(table.render(context.out, !context.no_headers));
  if (member(*answer, "schedules").empty()) {
    context.note("no schedules; 'rmctl schedule add' makes one");
  }
  return 0;
}

std::string runs_table(const Context& context, const Json& schedule) {
  Table table(
      {{"RUN", true}, {"DUE"}, {"BY"}, {"STATE"}, {"JOBS", false, true}, {"REASON", false, true}});
  for (const Json& run : member(schedule, "runs")) {
    std::string jobs;
    for (const Json& id : member(run, "jobs")) jobs += (jobs.empty() ? "" : ",") + id.dump();
    table.add({shown(run, "number"), moment(run, "nominal"), shown(run, "cause"),
               paint_state(context.out, shown(run, "state")), jobs.empty() ? "-" : jobs,
               shown(run, "reason")});
  }
  return table.empty() ? "" : "\n" + table.render(context.out, true);
}

std::string missed_table(const Context& context, const Json& schedule) {
  Table table({{"MISSED", true}, {"FROM"}, {"TO"}, {"REASON", false, true}});
  for (const Json& one : member(schedule, "missed")) {
    const auto count = id_of(one, "last") - id_of(one, "first") + 1;
    table.add({std::to_string(count), moment(one, "first_at"), moment(one, "last_at"),
               shown(one, "reason")});
  }
  return table.empty() ? "" : "\n" + table.render(context.out, true);
}

Result<int> show(const Context& context, const std::string& name) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto answer = master->get(path_of(name));
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
    return 0;
  }
  const Json& one = *answer;
  const Json& counts = member(one, "counts");
  std::string text = "schedule " + shown(one, "name") + "  " + state_of(context.out, one) + '\n';
  const auto line = [&](const std::string& label, const std::string& value) {
    if (!value.empty()) text += "  " + label + std::string(13 - label.size(), ' ') + value + '\n';
  };
  line("description", shown(one, "description"));
  line("when", when_of(one));
  line("next", moment(one, "next"));
  line("policy", "catch-up " + shown(one, "catch_up") + ", overlap " + shown(one, "overlap") +
                     ", epsilon " + human_span(number_of(one, "epsilon").value_or(0)));
  line("waiting", shown(one, "waiting") == "0" ? "" : shown(one, "waiting") + " occurrences");
  line("counts", shown(counts, "successes") + " finished, " + shown(counts, "errors") +
                     " failed, " + shown(counts, "errors_since_success") +
                     " of them since the last success");
  context.print(text + runs_table(context, one) + missed_table(context, one));
  return 0;
}

Result<int> next(const Context& context, const std::string& name, unsigned count) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const auto answer = master->get(path_of(name) + "/next?n=" + std::to_string(count));
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
    return 0;
  }
  for (const Json& time : member(*answer, "next")) {
    context.print(moment(Json{{"at", time}}, "at") + '\n');
  }
  return 0;
}

// --- pause, resume, trigger, remove ---

Result<int> control(const Context& context, const std::vector<std::string>& names,
                    const std::string& action) {
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  int code = 0;
  for (const std::string& name : names) {
    const auto answer = action.starts_with("?") ? master->remove(path_of(name) + action)
                                                : master->post(path_of(name) + action, Json(), "");
    if (!answer) {
      context.note(answer.error().message);
      code = std::max(code, exit_code_of(answer.error().code));
      continue;
    }
    if (context.json()) {
      context.print(pretty(*answer));
    } else {
      context.note("schedule " + escape(name) + ": " +
                   (action.starts_with("?") ? "removed"
                    : action == "/pause"    ? "paused"
                                            : "next " + moment(*answer, "next")));
    }
  }
  return code;
}

Result<int> trigger(const Context& context, const std::string& name) {
  std::string arguments;
  for (const std::string& word : context.command)
    arguments += (arguments.empty() ? "" : " ") + word;
  auto master = Master::find(context.master_flag);
  if (!master) return tl::unexpected(master.error());
  const Json body = arguments.empty() ? Json() : Json{{"arguments", arguments}};
  const auto answer = master->post(path_of(name) + "/trigger", body, "");
  if (!answer) return tl::unexpected(answer.error());
  if (context.json()) {
    context.print(pretty(*answer));
    return 0;
  }
  for (const Json& id : member(*answer, "jobs")) context.print(id.dump() + '\n');
  context.note("schedule " + escape(name) + ": run " + shown(*answer, "run"));
  return 0;
}

std::shared_ptr<std::vector<std::string>> names_option(CLI::App& app, bool many) {
  const auto names = std::make_shared<std::vector<std::string>>();
  auto* option = app.add_option("name", *names, "of the schedule")->type_name("NAME")->required();
  if (!many) option->expected(1);
  return names;
}

}  // namespace

Action define_schedule_add(CLI::App& app, Context& context) {
  const auto options = std::make_shared<AddOptions>();
  app.add_option("words", options->words, "its name, when it is due, and a job file")
      ->type_name("WORD")
      ->required();
  const auto group = "Schedule";
  app.add_option("--tz", options->zone, "time zone of the expression, such as Europe/Prague")
      ->type_name("ZONE")
      ->group(group);
  app.add_option("--epsilon", options->epsilon, "how late a run may start; 60s if not given")
      ->type_name("SPAN")
      ->group(group);
  app.add_option("--catch-up", options->catch_up, "what is done with later ones; skip if not given")
      ->type_name("skip|last|all")
      ->check(CLI::IsMember({"skip", "last", "all"}))
      ->group(group);
  app.add_option("--catch-up-max", options->catch_up_max, "occurrences that may wait; 100")
      ->type_name("N")
      ->group(group);
  app.add_option("--overlap", options->overlap, "while an earlier run goes on; forbid if not given")
      ->type_name("forbid|allow|replace")
      ->check(CLI::IsMember({"forbid", "allow", "replace"}))
      ->group(group);
  app.add_option("--description", options->description, "for people")
      ->type_name("TEXT")
      ->group(group);
  app.add_flag("--paused", options->paused, "starts nothing until it is resumed")->group(group);
  app.add_flag("--replace", options->replace, "takes the place of one that may be there")
      ->group(group);
  app.add_flag("--dry-run", options->dry_run, "asks whether it would be accepted")->group(group);
  define_job_options(app, options->job);
  return [options, &context] { return add(context, *options); };
}

Action define_schedule_list(CLI::App&, Context& context) {
  return [&context] { return list(context); };
}

Action define_schedule_show(CLI::App& app, Context& context) {
  const auto names = names_option(app, false);
  return [names, &context] { return show(context, names->front()); };
}

Action define_schedule_next(CLI::App& app, Context& context) {
  const auto names = names_option(app, false);
  const auto count = std::make_shared<unsigned>(5);
  app.add_option("-n", *count, "how many; 5 if not given")->type_name("N");
  return [names, count, &context] { return next(context, names->front(), *count); };
}

Action define_schedule_pause(CLI::App& app, Context& context) {
  const auto names = names_option(app, true);
  return [names, &context] { return control(context, *names, "/pause"); };
}

Action define_schedule_resume(CLI::App& app, Context& context) {
  const auto names = names_option(app, true);
  return [names, &context] { return control(context, *names, "/resume"); };
}

Action define_schedule_trigger(CLI::App& app, Context& context) {
  const auto names = names_option(app, false);
  return [names, &context] { return trigger(context, names->front()); };
}

Action define_schedule_remove(CLI::App& app, Context& context) {
  const auto names = names_option(app, true);
  const auto children = std::make_shared<std::string>("refuse");
  app.add_option("--children", *children, "what becomes of those that wait for it")
      ->type_name("refuse|inherit|remove")
      ->check(CLI::IsMember({"refuse", "inherit", "remove"}));
  return [names, children, &context] { return control(context, *names, "?children=" + *children); };
}

}  // namespace batch::cli
