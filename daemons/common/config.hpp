// A daemon's options: flags over environment over file over defaults.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/time.hpp"

namespace librm::daemon {

/// Every option is a flag `--name`, an environment variable and a key `name` of the TOML file that
/// `--config` or RM_CONFIG names. Adding an option binds a variable, whose value is the default;
/// the variables must live as long as this. `--help` and `--version` are there by themselves.
class Config {
 public:
  /// Environment variables are `prefix` + NAME, unless an option names another.
  Config(const std::string& program, const std::string& summary, std::string environment_prefix);
  ~Config();
  Config(const Config&) = delete;
  Config& operator=(const Config&) = delete;

  /// `name` is the flag without dashes; `help` says the unit, where there is one.
  void add(const std::string& name, std::string& value, const std::string& help,
           const std::string& environment = {});
  void add(const std::string& name, std::uint16_t& value, const std::string& help);
  void add(const std::string& name, std::uint32_t& value, const std::string& help);
  void add(const std::string& name, Duration& value, const std::string& help);
  /// May be given several times; in the file an array of strings.
  void add(const std::string& name, std::vector<std::string>& values, const std::string& help);
  void add_choice(const std::string& name, std::string& value,
                  const std::vector<std::string>& choices, const std::string& help,
                  const std::string& environment = {});

  /// Reads everything. Returns the exit code where the program should end: 0 after --help and
  /// --version, 2 after an error, which was printed to stderr.
  std::optional<int> parse(int argc, const char* const* argv);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace librm::daemon
