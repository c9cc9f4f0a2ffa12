// rmctl: finds the verb, parses its options, does it, and turns errors into messages and codes.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "text.hpp"
#include "verb.hpp"

namespace {

using namespace batch::cli;

constexpr int usage_error = 2;

/// Options that take a value, for telling `--master URL` from a verb.
bool takes_value(const std::string& argument) {
  return argument == "--master" || argument == "-o" || argument == "--output" ||
         argument == "--color";
}

/// The verb's name, removed from `arguments`; options may stand before it.
std::string take_verb(std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (takes_value(arguments[i])) {
      ++i;
    } else if (!arguments[i].starts_with('-')) {
      std::string name = arguments[i];
      arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i));
      return name;
    }
  }
  return {};
}

int unknown_verb(const Context& context, const std::string& name, const Verb* group) {
  std::vector<std::string> known;
  for (const Verb& verb : group == nullptr ? verbs() : group->verbs()) {
    if (!verb.hidden) known.emplace_back(verb.name);
  }
  const auto meant = nearest(name, known);
  const std::string help = "rmctl help" + (group == nullptr ? "" : ' ' + std::string(group->name));
  context.note("no such verb: " + escape(name) +
               (meant ? "; did you mean '" + *meant + "'?" : "; '" + help + "' lists them"));
  return usage_error;
}

/// CLI11's words for what is wrong, where ours are not clearer.
std::string parse_problem(const Verb& verb, const CLI::App& app, const CLI::ParseError& error,
                          const std::vector<std::string>& unexpected) {
  const std::string words = error.what();
  if (dynamic_cast<const CLI::ConversionError*>(&error) != nullptr) {
    const std::size_t equals = words.find(" = ");
    const std::size_t name = words.rfind(' ', equals - 1) + 1;
    if (equals != words.npos) {
      return words.substr(name, equals - name) + ": '" + escape(words.substr(equals + 3)) +
             "' is not a number";
    }
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return words + "; none was given";
  if (dynamic_cast<const CLI::ExtrasError*>(&error) == nullptr || unexpected.empty()) return words;
  std::vector<std::string> known;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  const std::string& word = unexpected.front();
  const std::string given = word.substr(0, word.find('='));
  if (!given.starts_with('-')) return "unexpected argument '" + escape(word) + "'";
  const auto meant = nearest(given, known);
  const bool runs = verb.name == "run" || verb.name == "submit";
  return "unknown option '" + escape(given) + "'" +
         (meant  ? "; did you mean '" + *meant + "'?"
          : runs ? "; if it belongs to the command, put -- before the command"
                 : "");
}

int run_verb(Context& context, const Verb& verb, std::vector<std::string> arguments) {
  CLI::App app;
  app.name("rmctl " + std::string(verb.name));
  // Once a command has begun, what follows is its own business.
  const Action action = verb.define(app, context);
  define_common(app, context);
  const std::string prefix = "rmctl " + std::string(verb.name);
  try {
    std::reverse(arguments.begin(), arguments.end());
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    context.print(verb_help(verb, app));
    return 0;
  } catch (const CLI::ParseError& error) {
    context.note(parse_problem(verb, app, error, app.remaining()) + "\ntry '" + prefix +
                 " --help'");
    return usage_error;
  }
  const bool takes_command = verb.name == "__complete" || verb.name == "run" ||
                             verb.name == "submit" || verb.name == "dev" ||
                             verb.name == "schedule add" || verb.name == "schedule trigger";
  if (context.has_command && !takes_command) {
    context.note(std::string(verb.name) + " takes no command after --");
    return usage_error;
  }
  const auto code = action();
  if (code) return *code;
  context.note(code.error().message);
  return exit_code_of(code.error().code);
}

/// The flags where nothing was named that could be done.
bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& word) { return word == "-h" || word == "--help"; });
}

/// A group's verb is the next word.
int run_group(Context& context, const Verb& group, std::vector<std::string> arguments) {
  const std::string word = take_verb(arguments);
  const std::string name(group.name);
  if (!word.empty()) {
    const Verb* verb = find_verb(name + ' ' + word);
    return verb == nullptr ? unknown_verb(context, name + ' ' + word, &group)
                           : run_verb(context, *verb, std::move(arguments));
  }
  if (asks_for_help(arguments)) {
    context.print(group_help(group));
    return 0;
  }
  context.note("what to do? 'rmctl help " + name + "' lists its verbs");
  return usage_error;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  Context context;
  context.program = argc > 0 ? argv[0] : "rmctl";
  context.out = Terminal::detect(STDOUT_FILENO, ColorChoice::automatic);
  context.err = Terminal::detect(STDERR_FILENO, ColorChoice::automatic);

  const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
  if (dashes != arguments.end()) {
    context.has_command = true;
    context.command.assign(dashes + 1, arguments.end());
    arguments.erase(dashes, arguments.end());
  }
  const std::string name = take_verb(arguments);
  if (!name.empty()) {
    const Verb* verb = find_verb(name);
    if (verb == nullptr) return unknown_verb(context, name, nullptr);
    return verb->verbs != nullptr ? run_group(context, *verb, std::move(arguments))
                                  : run_verb(context, *verb, std::move(arguments));
  }
  if (std::find(arguments.begin(), arguments.end(), "--version") != arguments.end()) {
    context.print("rmctl " RM_VERSION "\n");
    return 0;
  }
  if (asks_for_help(arguments)) {
    context.print(overview());
    return 0;
  }
  context.note("what to do? 'rmctl help' lists the verbs");
  return usage_error;
}
