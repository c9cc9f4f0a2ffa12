// How an option is written in help and manual.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace batch::cli {

/// The option's value as its author named it; CLI11 appends what its checks accept.
inline std::string value_name(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

inline bool takes_value(const CLI::Option& option) {
  return !option.get_positional() && option.get_expected_max() != 0;
}

}  // namespace batch::cli
