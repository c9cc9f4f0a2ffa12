// `rmctl completion`, and the hidden `rmctl __complete` that its scripts call.
#include <CLI/CLI.hpp>
#include <memory>

#include "completer.hpp"
#include "job_view.hpp"
#include "selector.hpp"
#include "verb.hpp"

namespace batch::cli {

using librm::Result;

namespace {

/// Somebody waits at the keyboard.
constexpr int patience_ms = 300;

/// What a shell may be given without quotes.
bool is_plain(const std::string& word) {
  return !word.empty() && word.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
                              "XYZ0123456789._/-") == word.npos;
}

/// Null where it does not answer soon, or not well.
Json ask(const Context& context, const std::string& target) {
  const auto master = Master::find(context.master_flag);
  if (!master) return {};
  auto connection = Connection::open(master->url(), patience_ms);
  if (!connection) return {};
  Exchange exchange(std::move(*connection), master->url(), {"GET", target, {}, ""});
  if (!exchange.read_all(patience_ms) || exchange.status() != 200) return {};
  return Json::parse(exchange.take_body(), nullptr, false);
}

std::vector<Candidate> jobs(const Context& context, const std::vector<std::string>& states,
                            const std::string& prefix) {
  JobFilter filter;
  filter.states = states;
  const bool by_id = prefix.find_first_not_of("0123456789") == prefix.npos;
  if (!by_id && is_plain(prefix)) filter.name = prefix + '*';
  std::vector<Candidate> all;
  const Json answer = ask(context, "/v1/jobs?limit=200" + query_of(filter));
  for (const Json& job : member(answer, "jobs")) {
    const std::string id = std::to_string(id_of(job, "id"));
    const std::string name = text_of(job, "name");
    const std::string state = shown(job, "state");
    if (by_id) all.push_back({id, escape(name) + ", " + state});
    // A name that was not chosen is as good as its id.
    if (is_plain(name) && name != "job-" + id) all.push_back({name, "job " + id + ", " + state});
  }
  return all;
}

std::vector<Candidate> schedules(const Context& context) {
  std::vector<Candidate> all;
  const Json answer = ask(context, "/v1/schedules");
  for (const Json& one : member(answer, "schedules")) {
    const std::string next = shown(one, "next");
    if (!is_plain(text_of(one, "name"))) continue;
    all.push_back({text_of(one, "name"), next.empty() ? "schedule" : "next " + next});
  }
  return all;
}

std::vector<Candidate> nodes(const Context& context) {
  std::vector<Candidate> all;
  const Json answer = ask(context, "/v1/nodes");
  for (const Json& node : member(answer, "nodes")) {
    const std::string id = text_of(node, "id");
    const std::string host = text_of(node, "hostname");
    if (is_plain(host)) all.push_back({host, id + ", " + shown(node, "status")});
    if (is_plain(id)) all.push_back({id, escape(host) + ", " + shown(node, "status")});
  }
  return all;
}

std::vector<Candidate> roles(const Context& context) {
  std::vector<Candidate> all;
  const Json answer = ask(context, "/v1/roles");
  for (const Json& role : member(answer, "roles")) {
    const std::string name = text_of(role, "role");
    if (is_plain(name)) all.push_back({name, "weight " + shown(role, "weight")});
  }
  return all;
}

/// The master that was named on the line is asked.
std::string master_of(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--master" && i + 1 < words.size()) return words[i + 1];
    if (words[i].starts_with("--master=")) return words[i].substr(9);
  }
  return {};
}

int print_completion(Context& context) {
  context.master_flag = master_of(context.command);
  const CompletionSources sources{
      [&](const std::vector<std::string>& states, const std::string& prefix) {
        return jobs(context, states, prefix);
      },
      [&] { return schedules(context); }, [&] { return nodes(context); },
      [&] { return roles(context); }};
  const Completion found = complete(context.command, sources);
  std::string text;
  for (const Candidate& one : found.candidates) text += one.word + '\t' + one.about + '\n';
  context.print(text + (found.files ? ":files\n" : ""));
  return 0;
}

}  // namespace

Action define_completion(CLI::App& app, Context& context) {
  const auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "which one the script is for")
      ->type_name("bash|zsh|fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  return [shell, &context]() -> Result<int> {
    context.print(completion_script(*shell));
    return 0;
  };
}

Action define_complete(CLI::App&, Context& context) {
  return [&context]() -> Result<int> { return print_completion(context); };
}

}  // namespace batch::cli
