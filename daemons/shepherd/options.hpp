// The shepherd's command line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "librm/base/result.hpp"

namespace librm::shepherd {

struct Options {
  std::string work_dir;
  std::string socket_path;  ///< default: `<work_dir>/shepherd.sock`
  bool log = false;         ///< stderr goes to `<work_dir>/shepherd.log`
  std::string fetcher;      ///< default: `rm-fetch` beside this program
  std::uint64_t fetch_bytes_max = 16ull << 30;
  std::int32_t end_with = 0;  ///< a pid; 0: it outlives everybody
  /// Descriptors of a ResumeState, see upgrade.hpp; -1: none.
  std::int32_t resume = -1;
  std::int32_t check_resume = -1;
  std::vector<std::string> arguments = {};  ///< all of them but --resume
  bool help = false;
  bool version = false;
};

inline constexpr const char* usage =
    "usage: rm-shepherd --work-dir DIR [--socket PATH] [--log] [--fetcher PROGRAM]\n"
    "                   [--fetch-bytes-max N] [--end-with PID]\n"
    "\n"
    "Starts and reaps the tasks of one rm-agent, and outlives it.\n"
    "\n"
    "  --work-dir DIR       where shepherd.{ledger,lock,pid,sock,log} are; must exist\n"
    "  --socket PATH        listen here instead of DIR/shepherd.sock\n"
    "  --log                append messages to DIR/shepherd.log instead of stderr\n"
    "  --fetcher PROGRAM    fetches the files that a command needs; default: rm-fetch beside this\n"
    "  --fetch-bytes-max N  that one task may fetch, and unpack; default 17179869184\n"
    "  --end-with PID       kill every task and end as soon as this process, which must have "
    "started\n"
    "                       this one, is gone\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM ends it and leaves the tasks running; the next shepherd finds them. SIGHUP makes it "
    "go\n"
    "on as the program that is at its path by now: same process, same children.\n";

/// Where this program is, or was before another file took its name.
std::string own_path();

/// Also takes `--name=value`. Fails with `invalid_argument`, naming the argument.
Result<Options> parse_options(const std::vector<std::string>& arguments);

}  // namespace librm::shepherd
