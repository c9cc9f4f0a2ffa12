// The state in a file in memory, and the question to the next program whether it understands it.
#include "shepherd/upgrade.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>
#include <utility>

#include "librm/wire/archive.hpp"
#include "librm/wire/fields.hpp"
#include "librm/wire/fields_cluster.hpp"
#include "shepherd/processes.hpp"

namespace librm::shepherd {

LIBRM_WIRE(FileIdentity, device, inode)
LIBRM_WIRE(ResumedTask, key, report, signalled, fenced)
LIBRM_WIRE(ResumedStart, start, signal)
LIBRM_WIRE(ResumeState, lock, open_files, open_files_max, program, tasks, queue, fences)

namespace {

constexpr int answer_ms_max = 5000;
constexpr std::size_t format_size = 2;

Result<std::string> read_all(int fd) {
  std::string bytes;
  char buffer[65536];
  for (;;) {
    const ssize_t count = ::pread(fd, buffer, sizeof buffer, static_cast<off_t>(bytes.size()));
    if (count < 0) return fail_errno("resume state");
    if (count == 0) return bytes;
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

FileIdentity identity_of(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return {};
  return {file.st_dev, file.st_ino};
}

Result<Descriptor> write_resume_state(const ResumeState& state) {
  Descriptor file(::memfd_create("shepherd-resume", MFD_CLOEXEC));
  if (!file) return fail_errno("resume state");
  std::string bytes{static_cast<char>(resume_format & 0xff), static_cast<char>(resume_format >> 8)};
  encode_to(bytes, state);
  for (std::string_view rest = bytes; !rest.empty();) {
    const ssize_t count = ::write(file.get(), rest.data(), rest.size());
    if (count <= 0) return fail_errno("resume state");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  return file;
}

Result<ResumeState> read_resume_state(int fd) {
  Result<std::string> bytes = read_all(fd);
  if (!bytes) return tl::unexpected<Error>(bytes.error());
  if (bytes->size() < format_size) return fail(ErrorCode::corrupt, "resume state: is cut off");
  const unsigned format = static_cast<unsigned char>((*bytes)[0]) |
                          static_cast<unsigned>(static_cast<unsigned char>((*bytes)[1])) << 8;
  if (format != resume_format) {
    return fail(ErrorCode::unsupported, "resume state: format " + std::to_string(format) +
                                            ", this program reads " +
                                            std::to_string(resume_format));
  }
  return decode<ResumeState>(std::string_view(*bytes).substr(format_size), Trailing::ignored);
}

void keep_open(int fd, bool kept) { ::fcntl(fd, F_SETFD, kept ? 0 : FD_CLOEXEC); }

Result<void> try_program(const std::string& program, int state) {
  std::string option = "--check-resume=" + std::to_string(state);
  std::string name = program;
  char* const arguments[] = {name.data(), option.data(), nullptr};
  keep_open(state, true);
  pid_t pid = 0;
  const int reason = ::posix_spawn(&pid, name.c_str(), nullptr, nullptr, arguments, environ);
  keep_open(state, false);
  if (reason != 0) return fail_errno(program, reason);
  const Descriptor process = open_process(pid);
  pollfd wanted{process.get(), POLLIN, 0};
  const bool answered = process && ::poll(&wanted, 1, answer_ms_max) == 1;
  if (!answered) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!answered) return fail(ErrorCode::unavailable, program + ": no answer within 5 s");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorCode::unsupported,
              program + ": would not go on, " +
                  (WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                     : "signal " + std::to_string(WTERMSIG(status))));
}

}  // namespace librm::shepherd
