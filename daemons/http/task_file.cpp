// openat2 does what no comparison of paths can: the kernel refuses to leave the directory.
#include "http/task_file.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "librm/cluster/task.hpp"

namespace librm::http {

namespace {

/// -1 and errno, or a descriptor of what stands at `path` beneath the directory.
int open_beneath(const std::string& directory, const std::string& path, std::uint64_t flags) {
  const int root = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return -1;
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = -1;
  do {
    fd = ::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed meanwhile, so the kernel could not be sure.
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  const int reason = errno;
  ::close(root);
  errno = reason;
  return static_cast<int>(fd);
}

Error error_of(int reason, const std::string& what) {
  switch (reason) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::not_found, what + ": no such file"};
    case ELOOP:
    case EXDEV:
      return {ErrorCode::permission_denied, what + ": a link, which is not followed"};
    case EACCES:
    case EPERM:
    case ENXIO:
      return {ErrorCode::permission_denied, what + ": " + std::strerror(reason)};
    default:
      return {ErrorCode::io_error, what + ": " + std::strerror(reason)};
  }
}

}  // namespace

Result<TaskFile> TaskFile::open(const std::string& runs_directory, FrameworkId framework,
                                const TaskId& task, std::string_view name) {
  if (auto valid = validate_task_id(task); !valid) return tl::unexpected(valid.error());
  if (name != "stdout" && name != "stderr") {
    return fail(ErrorCode::not_found,
                "file '" + std::string(name) + "': there are stdout and stderr");
  }
  const std::string path = to_string(framework) + '/' + task + '/' + std::string(name);
  // Without O_NONBLOCK a pipe of this name would hold the loop until somebody writes to it.
  TaskFile file(open_beneath(runs_directory, path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (file.fd_ < 0) return tl::unexpected(error_of(errno, path));
  struct stat status {};
  if (::fstat(file.fd_, &status) != 0) return tl::unexpected(error_of(errno, path));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::permission_denied, path + ": not a regular file");
  }
  return file;
}

TaskFile::TaskFile(TaskFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TaskFile& TaskFile::operator=(TaskFile&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

TaskFile::~TaskFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::int64_t> TaskFile::size() const {
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return tl::unexpected(error_of(errno, "output file"));
  return static_cast<std::int64_t>(status.st_size);
}

Result<std::string> TaskFile::read(std::int64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  ssize_t got = -1;
  do {
    got = ::pread(fd_, bytes.data(), size, offset);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return tl::unexpected(error_of(errno, "output file"));
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

bool has_sandbox(const std::string& runs_directory, FrameworkId framework, const TaskId& task) {
  if (!validate_task_id(task)) return false;
  const int fd =
      open_beneath(runs_directory, to_string(framework) + '/' + task, O_PATH | O_DIRECTORY);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

}  // namespace librm::http
