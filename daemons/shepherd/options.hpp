// The shepherd's command line.
#pragma once

#include <string>
#include <vector>

#include "librm/base/result.hpp"

namespace librm::shepherd {

struct Options {
  std::string work_dir;
  std::string socket_path;  ///< default: `<work_dir>/shepherd.sock`
  bool log = false;         ///< stderr goes to `<work_dir>/shepherd.log`
  bool help = false;
  bool version = false;
};

inline constexpr const char* usage =
    "usage: rm-shepherd --work-dir DIR [--socket PATH] [--log]\n"
    "\n"
    "Starts and reaps the tasks of one rm-agent, and outlives it.\n"
    "\n"
    "  --work-dir DIR   where shepherd.{ledger,lock,pid,sock,log} are; must exist\n"
    "  --socket PATH    listen here instead of DIR/shepherd.sock\n"
    "  --log            append messages to DIR/shepherd.log instead of stderr\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM ends it and leaves the tasks running; the next shepherd finds them.\n";

/// Also takes `--name=value`. Fails with `invalid_argument`, naming the argument.
Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace librm::shepherd
