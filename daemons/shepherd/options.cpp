// Reads the command line by hand: a handful of options does not pay for a parser in 8 MiB.
#include "shepherd/options.hpp"

#include <unistd.h>

#include <array>
#include <charconv>
#include <cstddef>
#include <string_view>
#include <utility>

namespace librm::shepherd {

namespace {

bool takes_value(const std::string& name) {
  return name == "--work-dir" || name == "--socket" || name == "--fetcher" ||
         name == "--fetch-bytes-max" || name == "--end-with" || name == "--resume" ||
         name == "--check-resume";
}

/// All of `value` as a number of `what`.
template <class Number>
Result<void> read_number(const std::string& name, const std::string& value, const char* what,
                         Number& number) {
  const char* end = value.data() + value.size();
  const auto read = std::from_chars(value.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end) return {};
  return fail(ErrorCode::invalid_argument, name + ": '" + value + "' is no " + what);
}

Result<void> set(Options& options, const std::string& name, std::string value) {
  if (value.empty()) return fail(ErrorCode::invalid_argument, name + ": is empty");
  if (name == "--work-dir") {
    options.work_dir = std::move(value);
  } else if (name == "--socket") {
    options.socket_path = std::move(value);
  } else if (name == "--fetcher") {
    options.fetcher = std::move(value);
  } else if (name == "--end-with") {
    auto ok = read_number(name, value, "process", options.end_with);
    if (ok && options.end_with <= 0) {
      return fail(ErrorCode::invalid_argument, name + ": '" + value + "' is no process");
    }
    return ok;
  } else if (name == "--resume") {
    return read_number(name, value, "descriptor", options.resume);
  } else if (name == "--check-resume") {
    return read_number(name, value, "descriptor", options.check_resume);
  } else {
    return read_number(name, value, "number of bytes", options.fetch_bytes_max);
  }
  return {};
}

std::string beside_this_program(const std::string& name) {
  const std::string own = own_path();
  return own.substr(0, own.rfind('/') + 1) + name;
}

}  // namespace

std::string own_path() {
  constexpr std::string_view replaced = " (deleted)";
  std::array<char, 4096> path{};
  const ssize_t size = ::readlink("/proc/self/exe", path.data(), path.size());
  std::string own(path.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (own.ends_with(replaced)) own.resize(own.size() - replaced.size());
  return own;
}

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::size_t first = i;
    const std::size_t equals = arguments[i].find('=');
    const std::string name = arguments[i].substr(0, equals);
    if (name == "--help" || name == "-h") {
      options.help = true;
    } else if (name == "--version") {
      options.version = true;
    } else if (name == "--log") {
      options.log = true;
    } else if (takes_value(name)) {
      const bool inside = equals != std::string::npos;
      if (!inside && i + 1 == arguments.size()) {
        return fail(ErrorCode::invalid_argument, name + ": needs a value");
      }
      std::string value = inside ? arguments[i].substr(equals + 1) : arguments[++i];
      if (auto ok = set(options, name, std::move(value)); !ok) {
        return tl::unexpected<Error>(ok.error());
      }
    } else {
      return fail(ErrorCode::invalid_argument, arguments[i] + ": not an option; see --help");
    }
    if (name == "--resume") continue;
    for (std::size_t k = first; k <= i; ++k) options.arguments.push_back(arguments[k]);
  }
  if (options.help || options.version || options.check_resume >= 0) return options;
  if (options.work_dir.empty()) {
    return fail(ErrorCode::invalid_argument, "--work-dir: is missing; see --help");
  }
  if (options.socket_path.empty()) options.socket_path = options.work_dir + "/shepherd.sock";
  if (options.fetcher.empty()) options.fetcher = beside_this_program("rm-fetch");
  return options;
}

}  // namespace librm::shepherd
