// The table of verbs, the options that all of them have, and how help is laid out.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "backup.hpp"
#include "log_stream.hpp"
#include "option_text.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all{
      {"dev", "[OPTIONS] [-- COMMAND...]", "starts a cluster on this machine; ^C ends it",
       "Starts rm-master and rm-agent processes with their state in a temporary directory, and "
       "stops them at the end, with all their tasks. Each node is given all of this machine's "
       "cores (at least 2) unless --cpus says otherwise, so the cores are promised once per node; "
       "memory and disk are divided among the nodes. A daemon that dies is started again. With a "
       "command, that is run with RM_MASTER set, and the cluster ends with it; rmctl dev then "
       "exits with its code.",
       define_dev},
      {"run", "[OPTIONS] -- COMMAND...", "runs a job, shows its output, exits with its code",
       "Output appears as the job writes it, stdout on stdout and stderr on stderr. ^C cancels "
       "the job; a second ^C leaves at once. The exit code is the job's, or 128 + the signal that "
       "killed it. The command runs in the current directory, which must exist on the node; "
       "standard input is not passed on.",
       define_run},
      {"submit", "[OPTIONS] FILE | SCRIPT ARGUMENTS... | -- COMMAND...",
       "submits jobs; prints their ids",
       "FILE is a job file (.toml or .json) with one or more jobs; they are accepted together or "
       "not at all. Options change every job of the file. SCRIPT is an executable file. Commands "
       "and scripts run in the current directory, jobs of a file in a directory of their own "
       "unless it says otherwise.",
       define_submit},
      {"jobs", "[OPTIONS] [SELECTOR...]", "lists jobs: those that wait or run, or all with -a",
       "SELECTOR is an id, a name, last, last-2 (two before it), 40-45, 42_7 or 42[3,7-9] "
       "(elements "
       "of an array), all, or terms that are joined by commas and must all be so: name=train*, or "
       "train* alone; state=failed,cancelled; owner=ann; label.team=red. * and ? match as in a "
       "shell, so quote them there.",
       define_jobs},
      {"show", "SELECTOR...", "shows all there is to know about a job", "", define_show},
      {"why", "SELECTOR...", "explains what a job waits for, with the amounts", "", define_why},
      {"logs", "[OPTIONS] SELECTOR...", "prints what jobs wrote",
       "Of one job as it wrote it, its stdout on stdout and its stderr on stderr. Of several, line "
       "by "
       "line, each line behind the name of its job. With -f it goes on until all of them are over, "
       "from attempt to attempt, and while agents are restarted.",
       define_logs},
      {"sandbox", "VERB [OPTIONS] ...", "lists, prints and copies the files that a job works with",
       "", nullptr, false, sandbox_verbs},
      {"wait", "[OPTIONS] SELECTOR...", "waits for jobs to end; exits with the highest code",
       "The code of a job is 128 + the signal that killed it, where one did. With --any the first "
       "job that ends is enough; with -o name its id is printed.",
       define_wait},
      {"watch", "[OPTIONS] [SELECTOR...]", "shows jobs as they change, until all are over",
       "Those that wait or run now, without selectors. On a terminal the table is drawn anew in "
       "its "
       "place, elsewhere each change is a line. With --progress there is one line for all: a bar, "
       "counts, how many end in a second, and when the last will have. Exits with the highest code "
       "of the jobs; ^C leaves them alone and exits with 130.",
       define_watch},
      {"history", "[OPTIONS]", "lists jobs that ended, and what they used",
       "Oldest first: start, end and elapsed time, the processor time of all attempts and the most "
       "memory that one of them had. TIME is a date or a time of day in this computer's time zone, "
       "2026-01-31T12:00:00Z, today, yesterday, or a span such as 2h, 3d and 1w for so long ago. "
       "-o "
       "wide adds what was asked for, and EFF, how much of its processors a job used.",
       define_history},
      {"events", "[OPTIONS] [SELECTOR...]", "prints what happens to jobs and schedules",
       "A line for each change: of the past what the master still holds (each job once, as it is "
       "now), and with -f what happens from then on, also across a restart of the master. With "
       "selectors only those jobs, and a pattern also means jobs that are submitted later. -o json "
       "prints one object a line, with the event's name, its id and the data.",
       define_events},
      {"graph", "[OPTIONS] [SELECTOR|SCHEDULE...]", "draws what depends on what",
       "Of all that waits or runs and of all schedules, or of what is connected with the given "
       "ones. "
       "Lines lead from left to right; they are green where the dependency is satisfied and red "
       "where it never can be, and a kind other than ok (any, notok, start) stands on them. What "
       "is too wide for the terminal is drawn as a tree. --dot is for Graphviz.",
       define_graph},
      {"cancel", "[OPTIONS] SELECTOR...", "cancels jobs",
       "Of selectors by pattern (see 'rmctl help jobs') those jobs are meant that a verb can be "
       "applied to: 'cancel all' cancels what waits or runs, 'retry all' what failed or was "
       "cancelled.",
       define_cancel},
      {"hold", "[OPTIONS] SELECTOR...", "keeps waiting jobs from starting", "", define_hold},
      {"release", "[OPTIONS] SELECTOR...", "lets held jobs start",
       "Dependencies that can never be satisfied count as satisfied then.", define_release},
      {"requeue", "[OPTIONS] SELECTOR...", "kills running jobs and starts them anew", "",
       define_requeue},
      {"retry", "[OPTIONS] SELECTOR...", "starts jobs that failed or were cancelled anew", "",
       define_retry},
      {"schedule", "VERB [OPTIONS] ...", "runs work again and again, by time or after other runs",
       "", nullptr, false, schedule_verbs},
      {"node", "VERB [OPTIONS] ...", "shows nodes, and takes them out of service and back", "",
       nullptr, false, node_verbs},
      {"maintenance", "VERB [OPTIONS] ...", "plans when nodes will not be there", "", nullptr,
       false, maintenance_verbs},
      {"role", "VERB [OPTIONS] ...", "shares the cluster out: weights and quotas of roles", "",
       nullptr, false, role_verbs},
      {"backup", "[OPTIONS] FILE", "writes the running master's whole state to a file",
       "Everything that was acknowledged before: jobs and what became of them, schedules, nodes, "
       "roles, maintenance. The master goes on meanwhile. Of what tasks wrote nothing is in it.",
       define_backup},
      {"restore", "[OPTIONS] FILE --work-dir DIR | --state URL",
       "makes a master's state from a backup",
       "For a master that is not running, here or anywhere, as the user that it runs as: stop the "
       "old one for good first; so a cluster moves from one master to several, and back. The "
       "restored one leads with an epoch above all that agents obeyed. What runs since before the "
       "backup goes on; what was started after it is killed where it still runs; what its agents "
       "have forgotten meanwhile is lost, by its job's policy. Jobs that waited are held and "
       "schedules paused, because they may have run since, unless their policy is rerun. Ids of "
       "jobs and tasks are not given a second time.",
       define_restore},
      {"journal", "VERB [OPTIONS] ...", "looks into the files of masters and agents", "", nullptr,
       false, journal_verbs},
      {"top", "[OPTIONS]", "shows what is in use, and by which jobs; q ends it",
       "Counts of jobs and nodes, bars of what is held of processors and memory, and the running "
       "jobs "
       "that hold most, drawn anew every 2 seconds. Without a terminal, or with --once, one "
       "picture "
       "is printed.",
       define_top},
      {"nodes", "[OPTIONS]", "lists nodes and what is in use on them", "", define_nodes},
      {"version", "[OPTIONS]", "prints the versions of rmctl and of the master", "",
       define_version},
      {"completion", "bash|zsh|fish", "prints a script with which the shell completes verbs",
       "Verbs, options and their values, and from the master ids and names of jobs, schedules and "
       "nodes; a master that does not answer at once is not waited for. In ~/.bashrc: source "
       "<(rmctl completion bash); in ~/.zshrc after compinit: source <(rmctl completion zsh); for "
       "fish: rmctl completion fish > ~/.config/fish/completions/rmctl.fish.",
       define_completion},
      {"help", "[VERB]", "prints this, or the help of one verb", "", define_help},
      {"__complete", "-- WORD...", "prints what may come next", "", define_complete, true},
      {"__man", "", "prints the manual page", "", define_man, true},
  };
  return all;
}

const Verb* find_verb(std::string_view name) {
  const std::string_view first = name.substr(0, name.find(' '));
  for (const Verb& verb : verbs()) {
    if (verb.name == name) return &verb;
    if (verb.name != first || verb.verbs == nullptr) continue;
    for (const Verb& of_group : verb.verbs()) {
      if (of_group.name == name) return &of_group;
    }
  }
  return nullptr;
}

void Context::print(std::string_view text) const { write_all(1, text); }

void Context::note(std::string_view text) const {
  std::string message = "rmctl: ";
  for (const char c : text) {
    message += c;
    if (c == '\n') message += "  ";
  }
  write_all(2, message + '\n');
}

void define_common(CLI::App& app, Context& context) {
  const auto group = "Everywhere";
  app.set_help_flag("-h,--help", "prints this")->group(group);
  app.add_option("--master", context.master_flag,
                 "the master's address, several with commas, or zk://...; RM_MASTER, else "
                 "http://127.0.0.1:5050, if not given")
      ->type_name("URL")
      ->group(group);
  app.add_option_function<std::string>(
         "-o,--output",
         [&context](const std::string& name) {
           context.output = name == "json"   ? Output::json
                            : name == "wide" ? Output::wide
                            : name == "name" ? Output::name
                                             : Output::table;
         },
         "form of what is printed")
      ->type_name("table|wide|json|name")
      ->check(CLI::IsMember({"table", "wide", "json", "name"}))
      ->group(group);
  app.add_flag("--no-headers", context.no_headers, "tables without their first line")->group(group);
  app.add_option_function<std::string>(
         "--color",
         [&context](const std::string& when) {
           const auto choice = when == "always"  ? ColorChoice::always
                               : when == "never" ? ColorChoice::never
                                                 : ColorChoice::automatic;
           context.out = Terminal::detect(1, choice);
           context.err = Terminal::detect(2, choice);
         },
         "colours; auto has them on terminals where NO_COLOR is not set")
      ->type_name("auto|always|never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->group(group);
}

namespace {

/// Wrapped to `width` columns, each line after `indent` spaces.
std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t column = 0;
  for (const std::string& word : split(text, ' ')) {
    if (column != 0 && column + 1 + word.size() > width) {
      out += '\n';
      column = 0;
    }
    out += column == 0 ? std::string(indent, ' ') : " ";
    column += (column == 0 ? indent : 1) + word.size();
    out += word;
  }
  return out + '\n';
}

constexpr std::size_t help_width = 92;
constexpr std::size_t names_width = 30;

std::string option_help(const CLI::Option& option) {
  const bool positional = option.get_positional();
  std::string names = positional ? value_name(option) : option.get_name(false, true);
  if (!positional && option.get_lnames().size() == 1 && option.get_snames().empty()) {
    names = "    " + names;  // long names in one column
  }
  const std::size_t comma = names.find(',');
  if (comma != names.npos) names.insert(comma + 1, " ");
  if (takes_value(option)) names += ' ' + value_name(option);
  std::string text = wrap(option.get_description(), names_width, help_width);
  if (names.size() + 4 > names_width) return "  " + names + '\n' + text;
  return text.replace(2, names.size(), names);
}

/// Usage, summary and details.
std::string help_head(const Verb& verb) {
  std::string text = "Usage: rmctl " + std::string(verb.name) + ' ' + std::string(verb.synopsis) +
                     "\n\n" + wrap(std::string(verb.summary) + '.', 0, help_width);
  text[text.find("\n\n") + 2] = static_cast<char>(std::toupper(verb.summary.front()));
  if (!verb.details.empty()) text += '\n' + wrap(verb.details, 0, help_width);
  return text;
}

/// A line each, without the first `prefix` bytes of the names.
std::string verb_list(const std::vector<Verb>& list, std::size_t prefix) {
  std::string text;
  for (const Verb& verb : list) {
    if (verb.hidden) continue;
    std::string line = "  " + std::string(verb.name.substr(prefix));
    line.resize(14, ' ');
    text += line + std::string(verb.summary) + '\n';
  }
  return text;
}

}  // namespace

std::string group_help(const Verb& group) {
  const std::string name(group.name);
  return help_head(group) + '\n' + verb_list(group.verbs(), name.size() + 1) + "\n'rmctl help " +
         name + " VERB' says more.\n";
}

std::string verb_help(const Verb& verb, CLI::App& app) {
  std::string text = help_head(verb);
  std::string group = "-";
  std::string common;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_group() == "Everywhere") {
      common += option_help(*option);
      continue;
    }
    const std::string heading = option->get_group() == "Options" ? "" : option->get_group();
    if (heading != group) text += '\n' + (heading.empty() ? "" : heading + ":\n");
    group = heading;
    text += option_help(*option);
  }
  return text + "\nEverywhere:\n" + common;
}

std::string overview() {
  return "Usage: rmctl VERB [OPTIONS] ...\n\n"
         "Submits jobs to a cluster, and shows what becomes of them and why.\n\n" +
         verb_list(verbs(), 0) +
         "\n'rmctl help VERB' says more. To begin:\n\n"
         "  rmctl dev                       a cluster of four nodes, in this terminal\n"
         "  rmctl run -- hostname           in another one\n"
         "  rmctl submit -c 2 --mem 1G -- make -j2\n"
         "  rmctl why last\n\n"
         "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied or more than there "
         "is,\n"
         "5 no master answers, 6 timed out; run and wait: the job's code, or 128 + its signal.\n";
}

}  // namespace batch::cli
