// Reads the command line by hand: three options do not pay for a parser in 8 MiB.
#include "shepherd/options.hpp"

#include <cstddef>

namespace librm::shepherd {

Result<Options> parse_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    const std::string name = arguments[i].substr(0, equals);
    if (name == "--help" || name == "-h") {
      options.help = true;
    } else if (name == "--version") {
      options.version = true;
    } else if (name == "--log") {
      options.log = true;
    } else if (name == "--work-dir" || name == "--socket") {
      const bool inside = equals != std::string::npos;
      if (!inside && i + 1 == arguments.size()) {
        return fail(ErrorCode::invalid_argument, name + ": needs a value");
      }
      std::string value = inside ? arguments[i].substr(equals + 1) : arguments[++i];
      if (value.empty()) return fail(ErrorCode::invalid_argument, name + ": is empty");
      (name == "--socket" ? options.socket_path : options.work_dir) = std::move(value);
    } else {
      return fail(ErrorCode::invalid_argument, arguments[i] + ": not an option; see --help");
    }
  }
  if (options.help || options.version) return options;
  if (options.work_dir.empty()) {
    return fail(ErrorCode::invalid_argument, "--work-dir: is missing; see --help");
  }
  if (options.socket_path.empty()) options.socket_path = options.work_dir + "/shepherd.sock";
  return options;
}

}  // namespace librm::shepherd
