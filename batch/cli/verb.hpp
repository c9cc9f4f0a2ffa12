// What a verb of rmctl is, and what all verbs share.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "master.hpp"
#include "terminal.hpp"

namespace CLI {
class App;
}

namespace batch::cli {

enum class Output { table, wide, json, name };

/// The options that every verb has, and the streams.
struct Context {
  std::string master_flag;
  std::optional<Output> output;  ///< as asked for; each verb has its default
  bool no_headers = false;
  bool has_command = false;          ///< there was a `--`
  std::vector<std::string> command;  ///< what followed it
  Terminal out;
  Terminal err;
  std::string program;  ///< path of this executable

  bool wide() const { return output == Output::wide; }
  bool json() const { return output == Output::json; }
  bool names() const { return output == Output::name; }
  /// Data, to stdout.
  void print(std::string_view text) const;
  /// All else, to stderr, as `rmctl: text`.
  void note(std::string_view text) const;
};

/// Returns the exit code.
using Action = std::function<librm::Result<int>()>;

struct Verb {
  std::string_view name;
  std::string_view synopsis;  ///< what follows the name in the usage line
  std::string_view summary;   ///< one line
  std::string_view details;   ///< paragraphs for --help and the manual
  /// Declares options and says what to do once they are parsed. `app` and `context` outlive both.
  Action (*define)(CLI::App& app, Context& context);
  bool hidden = false;
  /// Of a group, such as `schedule`, which has no options of its own and is not defined: its verbs,
  /// whose names begin with its name.
  const std::vector<Verb>& (*verbs)() = nullptr;
};

/// All of them, in the order of the help text.
const std::vector<Verb>& verbs();
const std::vector<Verb>& schedule_verbs();
const std::vector<Verb>& node_verbs();
const std::vector<Verb>& maintenance_verbs();
const std::vector<Verb>& role_verbs();
const std::vector<Verb>& sandbox_verbs();
const std::vector<Verb>& journal_verbs();
/// By the whole name: `jobs`, `schedule`, `schedule expand`.
const Verb* find_verb(std::string_view name);

Action define_journal_check(CLI::App& app, Context& context);
Action define_dev(CLI::App& app, Context& context);
Action define_run(CLI::App& app, Context& context);
Action define_submit(CLI::App& app, Context& context);
Action define_jobs(CLI::App& app, Context& context);
Action define_show(CLI::App& app, Context& context);
Action define_why(CLI::App& app, Context& context);
Action define_logs(CLI::App& app, Context& context);
Action define_wait(CLI::App& app, Context& context);
Action define_watch(CLI::App& app, Context& context);
Action define_history(CLI::App& app, Context& context);
Action define_events(CLI::App& app, Context& context);
Action define_graph(CLI::App& app, Context& context);
Action define_top(CLI::App& app, Context& context);
Action define_cancel(CLI::App& app, Context& context);
Action define_hold(CLI::App& app, Context& context);
Action define_release(CLI::App& app, Context& context);
Action define_requeue(CLI::App& app, Context& context);
Action define_retry(CLI::App& app, Context& context);
Action define_schedule_add(CLI::App& app, Context& context);
Action define_schedule_list(CLI::App& app, Context& context);
Action define_schedule_show(CLI::App& app, Context& context);
Action define_schedule_next(CLI::App& app, Context& context);
Action define_schedule_pause(CLI::App& app, Context& context);
Action define_schedule_resume(CLI::App& app, Context& context);
Action define_schedule_trigger(CLI::App& app, Context& context);
Action define_schedule_remove(CLI::App& app, Context& context);
Action define_schedule_expand(CLI::App& app, Context& context);
Action define_sandbox_ls(CLI::App& app, Context& context);
Action define_sandbox_cat(CLI::App& app, Context& context);
Action define_sandbox_tail(CLI::App& app, Context& context);
Action define_sandbox_cp(CLI::App& app, Context& context);
Action define_nodes(CLI::App& app, Context& context);
Action define_node_show(CLI::App& app, Context& context);
Action define_node_cordon(CLI::App& app, Context& context);
Action define_node_uncordon(CLI::App& app, Context& context);
Action define_node_drain(CLI::App& app, Context& context);
Action define_node_undrain(CLI::App& app, Context& context);
Action define_node_down(CLI::App& app, Context& context);
Action define_node_up(CLI::App& app, Context& context);
Action define_node_reserve(CLI::App& app, Context& context);
Action define_node_unreserve(CLI::App& app, Context& context);
Action define_node_create_volume(CLI::App& app, Context& context);
Action define_node_destroy_volume(CLI::App& app, Context& context);
Action define_role_list(CLI::App& app, Context& context);
Action define_role_show(CLI::App& app, Context& context);
Action define_role_weight(CLI::App& app, Context& context);
Action define_role_quota(CLI::App& app, Context& context);
Action define_maintenance_show(CLI::App& app, Context& context);
Action define_maintenance_set(CLI::App& app, Context& context);
Action define_maintenance_clear(CLI::App& app, Context& context);
Action define_version(CLI::App& app, Context& context);
Action define_help(CLI::App& app, Context& context);
Action define_completion(CLI::App& app, Context& context);
Action define_complete(CLI::App& app, Context& context);
Action define_man(CLI::App& app, Context& context);

/// Adds the options that every verb has.
void define_common(CLI::App& app, Context& context);
/// `--help` of one verb.
std::string verb_help(const Verb& verb, CLI::App& app);
/// `--help` of a group.
std::string group_help(const Verb& group);
/// `rmctl help`.
std::string overview();

}  // namespace batch::cli
