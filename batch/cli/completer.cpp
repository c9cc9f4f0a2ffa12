// Completion out of the same tables as the help: verbs, their options, and what these take.
#include "completer.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "option_text.hpp"
#include "selector.hpp"
#include "text.hpp"
#include "verb.hpp"

namespace batch::cli {

namespace {

class Completer {
 public:
  Completer(std::vector<std::string> words, const CompletionSources& sources)
      : words_(std::move(words)), sources_(sources) {
    if (words_.empty()) words_.emplace_back();
    prefix_ = words_.back();
    words_.pop_back();
    undo_breaks();
  }

  Completion run() {
    if (std::find(words_.begin(), words_.end(), "--") != words_.end()) {
      found_.files = true;  // a command's own arguments
      return std::move(found_);
    }
    find_verb_in_words();
    if (verb_ == nullptr) {
      add_verbs(group_);
    } else {
      complete_verb();
    }
    return std::move(found_);
  }

 private:
  /// Bash sets `=` apart as a word of its own.
  void undo_breaks() {
    if (prefix_ == "=") prefix_.clear();
    std::erase(words_, "=");
    const std::size_t equals = prefix_.find('=');
    if (!prefix_.starts_with("--") || equals == prefix_.npos) return;
    before_ = prefix_.substr(0, equals + 1);
    words_.push_back(prefix_.substr(0, equals));
    prefix_.erase(0, equals + 1);
  }

  /// Looks for the verb, and for that of a group, past the options that all verbs have.
  void find_verb_in_words() {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const std::string& word = words_[i];
      if (word == "--master" || word == "-o" || word == "--output" || word == "--color") {
        ++i;
        continue;
      }
      if (word.starts_with('-')) continue;
      const std::string name = group_ == nullptr ? word : std::string(group_->name) + ' ' + word;
      const Verb* verb = find_verb(name);
      if (verb == nullptr) {
        group_ = nullptr;
        unknown_ = true;
        return;
      }
      if (verb->verbs == nullptr) {
        verb_ = verb;
        return;
      }
      group_ = verb;
    }
  }

  void add(const std::string& word, const std::string& about = "") {
    if (!word.starts_with(prefix_)) return;
    found_.candidates.push_back({before_ + word, about});
  }
  void add_all(const std::vector<Candidate>& all) {
    for (const Candidate& one : all) add(one.word, one.about);
  }

  void add_verbs(const Verb* group) {
    if (unknown_) return;
    CLI::App app;
    Context context;
    define_common(app, context);
    if (complete_option_value(app)) return;
    if (prefix_.starts_with('-')) return add_options(app);
    for (const Verb& verb : group == nullptr ? verbs() : group->verbs()) {
      if (verb.hidden) continue;
      const std::size_t skip = group == nullptr ? 0 : group->name.size() + 1;
      add(std::string(verb.name.substr(skip)), std::string(verb.summary));
    }
  }

  void complete_verb() {
    CLI::App app;
    Context context;
    const auto action = verb_->define(app, context);
    define_common(app, context);
    if (complete_option_value(app)) return;
    if (prefix_.starts_with('-')) return add_options(app);
    for (const CLI::Option* option : app.get_options()) {
      if (!option->get_positional()) continue;
      add_values(value_name(*option));
      return;
    }
  }

  void add_options(const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_positional()) continue;
      for (const std::string& name : option->get_lnames()) {
        add("--" + name, option->get_description());
      }
      if (prefix_ != "-") continue;
      for (const std::string& name : option->get_snames())
        add("-" + name, option->get_description());
    }
  }

  /// Whether the word before is an option that takes what is being typed.
  bool complete_option_value(const CLI::App& app) {
    if (words_.empty() || !words_.back().starts_with('-')) return false;
    const std::string& given = words_.back();
    for (const CLI::Option* option : app.get_options()) {
      const auto has = [&](const std::vector<std::string>& names, const char* dashes) {
        return std::any_of(names.begin(), names.end(),
                           [&](const std::string& name) { return dashes + name == given; });
      };
      if (!has(option->get_lnames(), "--") && !has(option->get_snames(), "-")) continue;
      if (!takes_value(*option)) return false;
      add_values(value_name(*option));
      return true;
    }
    return false;
  }

  /// Of what a value is called in the help.
  void add_values(const std::string& type) {
    const bool of_schedules = verb_ != nullptr && verb_->name.starts_with("schedule ");
    if (type == "SELECTOR" || (type == "JOB" && !of_schedules)) return add_jobs();
    if (type == "JOB" || (type == "NAME" && of_schedules)) return add_all(sources_.schedules());
    if (type == "NODE") return add_all(sources_.nodes());
    if (type == "ROLE") return add_all(sources_.roles());
    if (type == "SELECTOR|SCHEDULE") {
      add_jobs();
      return add_all(sources_.schedules());
    }
    if (type == "STATE") {
      for (const auto* states : {&live_states(), &ended_states()}) {
        for (const std::string& state : *states) add(state);
      }
    }
    if (type == "VERB") return add_verbs(nullptr);
    if (type == "FILE" || type == "DIR" || type == "COMMAND" || type == "WORD") found_.files = true;
    if (type.find('|') == type.npos) return;
    for (const std::string& word : split(type, '|')) add(word);
  }

  void add_jobs() {
    const std::string name(verb_ == nullptr ? "" : verb_->name);
    std::vector<std::string> states;
    if (name == "cancel" || name == "watch" || name == "why") states = live_states();
    if (name == "hold") states = {"pending"};
    if (name == "release") states = {"held"};
    if (name == "requeue") states = {"running"};
    if (name == "retry") states = {"failed", "cancelled"};
    add_all(sources_.jobs(states, prefix_));
    add("last", "the job that was submitted last");
    add("all", "all that the verb is about");
  }

  std::vector<std::string> words_;
  const CompletionSources& sources_;
  std::string prefix_;
  std::string before_;  ///< `--color=`
  const Verb* verb_ = nullptr;
  const Verb* group_ = nullptr;
  bool unknown_ = false;
  Completion found_;
};

constexpr const char* bash_script =
    R"(# rmctl's completion for bash: source <(rmctl completion bash)
_rmctl() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      compopt -o default 2>/dev/null
    else
      COMPREPLY+=("${line%%$'\t'*}")
    fi
  done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _rmctl rmctl
)";

constexpr const char* zsh_script = R"(#compdef rmctl
# rmctl's completion for zsh: source <(rmctl completion zsh), or a file _rmctl in $fpath
_rmctl() {
  local line name
  local -a candidates
  local files=0
  while IFS= read -r line; do
    if [[ $line == :files ]]; then
      files=1
    else
      name=${line%%$'\t'*}
      candidates+=("${name//:/\\:}:${line#*$'\t'}")
    fi
  done < <(${~words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ${#candidates} )) && _describe -V rmctl candidates
  (( files )) && _files
}
if [[ $funcstack[1] == _rmctl ]]; then _rmctl "$@"; else compdef _rmctl rmctl; fi
)";

constexpr const char* fish_script = R"(# rmctl's completion for fish: rmctl completion fish | source
function __rmctl_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  for line in ($words[1] __complete -- $words[2..-1] "$current" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path "$current"
    else
      printf '%s\n' $line
    end
  end
end
complete -c rmctl -f -a '(__rmctl_complete)'
)";

}  // namespace

Completion complete(const std::vector<std::string>& words, const CompletionSources& sources) {
  return Completer(words, sources).run();
}

std::string completion_script(const std::string& shell) {
  return shell == "bash"   ? bash_script
         : shell == "zsh"  ? zsh_script
         : shell == "fish" ? fish_script
                           : "";
}

}  // namespace batch::cli
