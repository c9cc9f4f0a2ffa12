// Options on CLI11, the file on toml++.
#include "common/config.hpp"

#include <toml++/toml.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <iostream>
#include <map>
#include <sstream>
#include <utility>

#include "common/text.hpp"
#include "common/version.hpp"

namespace librm::daemon {
namespace {

std::string environment_name(std::string prefix, const std::string& option) {
  for (const char c : option) {
    prefix += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return prefix;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& names) {
  const std::optional<std::string> name = nearest(word, names);
  return name ? "; did you mean '" + *name + "'?" : std::string();
}

/// A file's value as the text that its flag would have; empty where the kind has none.
std::optional<std::string> as_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) {
    std::ostringstream out;
    out << number->get();
    return out.str();
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> as_texts(const toml::node& node) {
  std::vector<std::string> texts;
  const toml::array* array = node.as_array();
  if (array == nullptr) {
    std::optional<std::string> text = as_text(node);
    if (!text) return std::nullopt;
    texts.push_back(std::move(*text));
    return texts;
  }
  for (const toml::node& element : *array) {
    std::optional<std::string> text = as_text(element);
    if (!text) return std::nullopt;
    texts.push_back(std::move(*text));
  }
  return texts;
}

}  // namespace

struct Config::Impl {
  Impl(const std::string& program, const std::string& summary, std::string prefix)
      : app(summary, program), environment_prefix(std::move(prefix)) {
    app.set_version_flag("--version", program + " " + std::string(version));
    app.set_help_flag("-h,--help", "print this and end");
    app.get_option("--version")->description("print the version and end");
    app.get_formatter()->column_width(34);
    app.footer(
        "Every option is also a key of the TOML file. Flags win over the environment, the\n"
        "environment over the file, the file over the defaults.");
    app.add_option("--config", file, "TOML file with any of these options")->envname("RM_CONFIG");
  }

  void remember(const std::string& name, CLI::Option* option, const std::string& environment) {
    option->envname(environment.empty() ? environment_name(environment_prefix, name) : environment);
    option->capture_default_str();
    options.emplace(name, option);
  }

  std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& [name, option] : options) result.push_back(name);
    return result;
  }

  /// Throws CLI::ParseError. What flags or environment have set stays as it is.
  void read_file() {
    toml::table table;
    try {
      table = toml::parse_file(file);
    } catch (const toml::parse_error& error) {
      std::ostringstream where;
      if (error.source().begin) where << " (" << error.source().begin << ")";
      throw CLI::FileError(file + ": " + std::string(error.description()) + where.str(),
                           CLI::ExitCodes::FileError);
    }
    for (const auto& [key, node] : table) take(std::string(key.str()), node);
  }

  void take(const std::string& key, const toml::node& node) {
    const auto found = options.find(key);
    if (found == options.end()) {
      throw CLI::ConfigError(file + ": unknown key '" + key + "'" + did_you_mean(key, names()),
                             CLI::ExitCodes::ConfigError);
    }
    CLI::Option* option = found->second;
    std::optional<std::vector<std::string>> texts = as_texts(node);
    const bool single = option->get_items_expected_max() == 1;
    if (!texts || (single && texts->size() != 1)) {
      throw CLI::ConfigError(
          file + ": " + key + ": need " + (single ? "one value" : "a value or an array of values"),
          CLI::ExitCodes::ConfigError);
    }
    if (option->count() > 0) return;
    for (const std::string& text : *texts) option->add_result(text);
    try {
      option->run_callback();
    } catch (const CLI::ParseError& error) {
      throw CLI::ConfigError(file + ": " + error.what(), CLI::ExitCodes::ConfigError);
    }
  }

  int report(const CLI::ParseError& error, int argc, const char* const* argv) {
    if (error.get_exit_code() == 0) return app.exit(error);
    std::cerr << app.get_name() << ": " << error.what() << suggestion(argc, argv) << "\n"
              << app.get_name() << " --help lists the options\n";
    return 2;
  }

  /// For the first flag that does not exist.
  std::string suggestion(int argc, const char* const* argv) const {
    for (int i = 1; i < argc; ++i) {
      std::string word = argv[i];
      if (word == "--") break;
      if (word.rfind("--", 0) != 0) continue;
      word = word.substr(2, word.find('=') - 2);
      if (options.contains(word) || app.get_option_no_throw("--" + word) != nullptr) continue;
      return did_you_mean(word, names());
    }
    return {};
  }

  CLI::App app;
  std::string environment_prefix;
  std::string file;
  std::map<std::string, CLI::Option*> options;
};

Config::Config(const std::string& program, const std::string& summary,
               std::string environment_prefix)
    : impl_(std::make_unique<Impl>(program, summary, std::move(environment_prefix))) {}

Config::~Config() = default;

void Config::add(const std::string& name, std::string& value, const std::string& help,
                 const std::string& environment) {
  impl_->remember(name, impl_->app.add_option("--" + name, value, help), environment);
}

void Config::add(const std::string& name, std::uint16_t& value, const std::string& help) {
  impl_->remember(name, impl_->app.add_option("--" + name, value, help), {});
}

void Config::add(const std::string& name, std::uint32_t& value, const std::string& help) {
  impl_->remember(name, impl_->app.add_option("--" + name, value, help), {});
}

void Config::add(const std::string& name, Duration& value, const std::string& help) {
  CLI::callback_t read = [&value](const CLI::results_t& texts) {
    Result<Duration> parsed = parse_duration(texts.back());
    if (parsed) value = *parsed;
    return parsed.has_value();
  };
  CLI::Option* option = impl_->app.add_option("--" + name, read, help, false,
                                              [&value] { return print_duration(value); });
  option->type_name("SPAN");
  option->check([](const std::string& text) {
    Result<Duration> parsed = parse_duration(text);
    return parsed ? std::string() : parsed.error().message;
  });
  impl_->remember(name, option, {});
}

void Config::add(const std::string& name, std::vector<std::string>& values,
                 const std::string& help) {
  CLI::Option* option = impl_->app.add_option("--" + name, values, help);
  option->take_all()->allow_extra_args(false);
  impl_->remember(name, option, {});
}

void Config::add_choice(const std::string& name, std::string& value,
                        const std::vector<std::string>& choices, const std::string& help,
                        const std::string& environment) {
  CLI::Option* option = impl_->app.add_option("--" + name, value, help);
  option->check(CLI::IsMember(choices));
  impl_->remember(name, option, environment);
}

std::optional<int> Config::parse(int argc, const char* const* argv) {
  try {
    impl_->app.parse(argc, argv);
    if (!impl_->file.empty()) impl_->read_file();
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return impl_->report(error, argc, argv);
  }
}

}  // namespace librm::daemon
