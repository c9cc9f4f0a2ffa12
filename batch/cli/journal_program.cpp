// One process, one pipe: rm-journal's stdout is read to its end.
#include "journal_program.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

ErrorCode code_of(const std::string& name) {
  for (int code = 1; code <= 12; ++code) {
    if (name == librm::to_string(static_cast<ErrorCode>(code))) return static_cast<ErrorCode>(code);
  }
  return ErrorCode::io_error;
}

std::string read_to_end(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t size = ::read(fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

}  // namespace

Result<JournalAnswer> ask_journal_program(const std::vector<std::string>& arguments) {
  std::error_code error;
  const std::string program =
      (std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "rm-journal")
          .string();
  std::string name = program;
  std::vector<std::string> words = arguments;
  std::vector<char*> argv{name.data()};
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(ErrorCode::io_error, ::strerror(errno));
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  const std::string text = failed == 0 ? read_to_end(ends[0]) : "";
  ::close(ends[0]);
  if (failed != 0) {
    return fail(failed == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
                program + ": " + ::strerror(failed));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  JournalAnswer answer{Json::parse(text, nullptr, false),
                       WIFEXITED(status) ? WEXITSTATUS(status) : 1};
  if (!answer.json.is_object()) {
    return fail(ErrorCode::io_error,
                program + ": ended with status " + std::to_string(status) + " and no answer");
  }
  if (const Json& problem = member(answer.json, "error"); problem.is_object()) {
    return fail(code_of(text_of(problem, "code")), text_of(problem, "message"));
  }
  return answer;
}

}  // namespace batch::cli
