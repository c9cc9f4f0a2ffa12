// From a command to what is executed: programs to try, arguments, environment, directories.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/cluster/shepherd.hpp"

namespace librm::shepherd {

/// What every task's environment starts from; taken from the shepherd's own once, at its start.
struct BaseEnvironment {
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  std::string user;                         ///< USER and LOGNAME; empty: unset
  std::string home;                         ///< empty: the sandbox
  std::map<std::string, std::string> kept;  ///< LANG, LC_ALL, TZ, where they are set
  std::string instance;                     ///< of the ledger, as RM_SHEPHERD_ID
};

/// Where a command's files are fetched by a program in front of it.
struct FetchSetup {
  std::string program;          ///< path of rm-fetch
  std::uint64_t bytes_max = 0;  ///< of all that is fetched, and of all that is unpacked
};

/// The parts of `environment`, the process's own, that tasks get.
BaseEnvironment base_environment(const char* const* environment, std::uint64_t instance);

/// Processors have lower numbers on any host.
inline constexpr std::uint32_t cpus_max = 65'536;

struct LaunchPlan {
  std::vector<std::string> programs;     ///< tried in this order, as execvp(3) does
  std::vector<std::string> arguments;    ///< argv, with argv[0]
  std::vector<std::string> environment;  ///< `NAME=value`, sorted by name
  std::string sandbox;                   ///< stdout and stderr are in it
  std::string working_directory;         ///< empty: the sandbox; a relative one starts there
  std::vector<unsigned long> cpu_mask;   ///< as sched_setaffinity(2) wants it; empty: any processor
  bool fetches = false;                  ///< it starts with rm-fetch, which gets a report file
};

/// Pure. The command's own variables replace those of the base; RM_TASK_ID, RM_FRAMEWORK_ID,
/// RM_SANDBOX, MESOS_SANDBOX and RM_SHEPHERD_ID are always ours. A program's name without a slash
/// is looked up in the PATH that the task gets. Fails with `invalid_argument` for an empty command,
/// a bad variable name, text with a NUL byte, or a processor from cpus_max on.
///
/// A command with files to fetch becomes rm-fetch with that command as its arguments: rm-fetch
/// looks for the program and enters the working directory, both of which may be among the files.
Result<LaunchPlan> plan_launch(const TaskStart& start, const BaseEnvironment& base,
                               const FetchSetup& fetch = {});

/// How RM_SHEPHERD_ID shows an instance: 16 hexadecimal digits.
std::string instance_text(std::uint64_t instance);

}  // namespace librm::shepherd
