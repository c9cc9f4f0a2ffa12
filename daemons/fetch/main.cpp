// rm-fetch: fetches a task's files into its sandbox, then becomes the task's command.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/fetcher.hpp"

namespace librm::fetch {
namespace {

constexpr int exit_failed = 1;

/// What the shepherd reads after our end. It is closed by the exec: a command never has it.
void report(char kind, const std::string& message) {
  const std::string text = kind + message.substr(0, shepherd::fetch_report_bytes_max - 1);
  if (::fcntl(shepherd::fetch_report_descriptor, F_GETFD) < 0) return;
  [[maybe_unused]] const ssize_t written =
      ::pwrite(shepherd::fetch_report_descriptor, text.data(), text.size(), 0);
}

int fail_with(char kind, const std::string& message, const std::vector<std::string>& progress) {
  for (const std::string& line : progress) std::fprintf(stderr, "rm-fetch: %s\n", line.c_str());
  std::fprintf(stderr, "rm-fetch: %s\n", message.c_str());
  report(kind, message);
  return exit_failed;
}

/// The environment that the command gets: without the plan, and with what was set aside for it.
void restore_environment() {
  std::vector<std::string> kept;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (std::string_view(*variable).rfind(shepherd::fetch_kept_prefix, 0) == 0) {
      kept.emplace_back(*variable);
    }
  }
  for (const std::string& variable : kept) {
    const std::size_t equals = variable.find('=');
    const std::size_t prefix = shepherd::fetch_kept_prefix.size();
    ::setenv(variable.substr(prefix, equals - prefix).c_str(), variable.c_str() + equals + 1, 1);
    ::unsetenv(variable.substr(0, equals).c_str());
  }
  ::unsetenv(std::string(shepherd::fetch_plan_variable).c_str());
}

int become(char** command, const std::string& sandbox, const std::string& directory) {
  restore_environment();
  if (::chdir(sandbox.c_str()) != 0 || (!directory.empty() && ::chdir(directory.c_str()) != 0)) {
    return fail_with(shepherd::fetch_report_exec,
                     "working directory " + directory + ": " + shepherd::errno_text(errno), {});
  }
  ::fcntl(shepherd::fetch_report_descriptor, F_SETFD, FD_CLOEXEC);
  ::execvp(command[0], command);
  return fail_with(shepherd::fetch_report_exec,
                   std::string("exec ") + command[0] + ": " + shepherd::errno_text(errno), {});
}

int run(char** command) {
  const char* text = std::getenv(std::string(shepherd::fetch_plan_variable).c_str());
  const char* sandbox_path = std::getenv("RM_SANDBOX");
  if (text == nullptr || sandbox_path == nullptr) {
    std::fprintf(stderr, "rm-fetch: is started by rm-shepherd, which says what to fetch\n");
    return 2;
  }
  const std::string path = sandbox_path;
  const Result<shepherd::FetchPlan> plan = shepherd::parse_fetch_plan(text);
  if (!plan) return fail_with(shepherd::fetch_report_fetch, plan.error().message, {});
  Result<Sandbox> sandbox = Sandbox::open(path);
  if (!sandbox) return fail_with(shepherd::fetch_report_fetch, sandbox.error().message, {});
  Fetcher fetcher(std::move(*sandbox), plan->bytes_max);
  if (auto ok = fetcher.run(*plan); !ok) {
    return fail_with(shepherd::fetch_report_fetch, ok.error().message, fetcher.progress());
  }
  return become(command, path, plan->working_directory);
}

}  // namespace
}  // namespace librm::fetch

int main(int argc, char** argv) {
  if (argc < 3 || std::string_view(argv[1]) != "--") {
    std::fprintf(stderr, "usage: rm-fetch -- COMMAND [ARGUMENT]...\n");
    return 2;
  }
  // Names in archives are UTF-8; in the C locale libarchive gives up on them.
  std::setlocale(LC_CTYPE, "C.UTF-8");
  return librm::fetch::run(argv + 2);
}
