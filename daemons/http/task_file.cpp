// openat2 does what no comparison of paths can: the kernel refuses to leave the directory.
#include "http/task_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "librm/cluster/task.hpp"

namespace librm::http {

namespace {

constexpr std::uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
constexpr std::uint64_t no_links = beneath | RESOLVE_NO_SYMLINKS;

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    const int reason = errno;
    if (fd_ >= 0) ::close(fd_);
    errno = reason;
  }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

/// A thread that is root looks at files as somebody else, for as long as this lives: with his
/// rights, so that no hard link shows what he could not read himself.
class LookAs {
 public:
  explicit LookAs(const struct stat& owner) : changed_(::geteuid() == 0 && owner.st_uid != 0) {
    if (!changed_) return;
    ::setfsgid(owner.st_gid);
    ::setfsuid(owner.st_uid);
  }
  LookAs(const LookAs&) = delete;
  LookAs& operator=(const LookAs&) = delete;
  ~LookAs() {
    if (!changed_) return;
    const int reason = errno;
    ::setfsuid(0);
    ::setfsgid(::getegid());
    errno = reason;
  }

 private:
  const bool changed_;
};

/// Empty and errno, or a descriptor of what stands at `path` beneath the directory.
Descriptor open_beneath(int directory, const std::string& path, std::uint64_t flags,
                        std::uint64_t resolve) {
  open_how how{};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  long fd = -1;
  do {
    fd = ::syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    // EAGAIN: something was renamed meanwhile, so the kernel could not be sure.
  } while (fd < 0 && (errno == EINTR || errno == EAGAIN));
  return Descriptor(static_cast<int>(fd));
}

Error error_of(int reason, const std::string& what) {
  switch (reason) {
    case ENOENT:
    case ENOTDIR:
      return {ErrorCode::not_found, what + ": no such file"};
    case ENAMETOOLONG:
    case EINVAL:
      return {ErrorCode::invalid_argument, what.substr(0, 100) + ": not a path that can be"};
    case EXDEV:
      return {ErrorCode::permission_denied, what + ": leads out of the sandbox"};
    case ELOOP:
      return {ErrorCode::permission_denied, what + ": a link, which is not followed"};
    case EACCES:
    case EPERM:
    case ENXIO:
      return {ErrorCode::permission_denied, what + ": " + std::strerror(reason)};
    default:
      return {ErrorCode::io_error, what + ": " + std::strerror(reason)};
  }
}

Result<Descriptor> open_sandbox(const std::string& runs_directory, FrameworkId framework,
                                const TaskId& task) {
  if (auto valid = validate_task_id(task); !valid) return tl::unexpected(valid.error());
  const std::string path = to_string(framework) + '/' + task;
  const Descriptor runs(::open(runs_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!runs) return tl::unexpected(error_of(errno, path));
  Descriptor sandbox = open_beneath(runs.get(), path, O_PATH | O_DIRECTORY, no_links);
  // What stands there as a link or a file is no sandbox; which of them is nobody's business.
  if (!sandbox && errno == ENOENT) {
    return fail(ErrorCode::not_found, path + ": it has no sandbox here, or no longer");
  }
  if (!sandbox) {
    return tl::unexpected(error_of(errno == ENOTDIR ? ELOOP : errno, path));
  }
  return sandbox;
}

Result<void> check_path(const std::string& path) {
  if (path.find('\0') == std::string::npos) return {};
  return fail(ErrorCode::invalid_argument, "path: contains a NUL byte");
}

/// What is at `path`, not yet opened for reading: to open a device may do something already.
Result<Descriptor> locate(const Descriptor& sandbox, const std::string& path,
                          std::uint64_t resolve) {
  struct stat owner {};
  if (::fstat(sandbox.get(), &owner) != 0) return tl::unexpected(error_of(errno, path));
  const LookAs look(owner);
  Descriptor found = open_beneath(sandbox.get(), path, O_PATH, resolve);
  if (!found) return tl::unexpected(error_of(errno, path));
  return found;
}

Result<Descriptor> open_located(const Descriptor& sandbox, const Descriptor& found, int flags,
                                const std::string& path) {
  struct stat owner {};
  if (::fstat(sandbox.get(), &owner) != 0) return tl::unexpected(error_of(errno, path));
  const std::string itself = "/proc/self/fd/" + std::to_string(found.get());
  const LookAs look(owner);
  Descriptor opened(::open(itself.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags));
  if (!opened) return tl::unexpected(error_of(errno, path));
  return opened;
}

const char* type_of(mode_t mode) {
  if (S_ISREG(mode)) return "file";
  if (S_ISDIR(mode)) return "directory";
  return S_ISLNK(mode) ? "link" : "other";
}

std::string mode_text(mode_t mode) {
  std::string text = "rwxrwxrwx";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((mode & (0400U >> i)) == 0) text[i] = '-';
  }
  return text;
}

}  // namespace

Result<TaskFile> TaskFile::open(const std::string& runs_directory, FrameworkId framework,
                                const TaskId& task, const std::string& path) {
  if (auto ok = check_path(path); !ok) return tl::unexpected(ok.error());
  if (path.empty()) return fail(ErrorCode::invalid_argument, "path: names no file");
  const Result<Descriptor> sandbox = open_sandbox(runs_directory, framework, task);
  if (!sandbox) return tl::unexpected(sandbox.error());
  const bool is_output = path == "stdout" || path == "stderr";
  const Result<Descriptor> found = locate(*sandbox, path, is_output ? no_links : beneath);
  if (!found) return tl::unexpected(found.error());
  struct stat status {};
  if (::fstat(found->get(), &status) != 0) return tl::unexpected(error_of(errno, path));
  if (!S_ISREG(status.st_mode)) {
    return fail(ErrorCode::permission_denied, path + ": not a regular file");
  }
  Result<Descriptor> file = open_located(*sandbox, *found, 0, path);
  if (!file) return tl::unexpected(file.error());
  return TaskFile(file->release());
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
  if (::fstat(fd_, &status) != 0) return tl::unexpected(error_of(errno, "file"));
  return static_cast<std::int64_t>(status.st_size);
}

Result<std::string> TaskFile::read(std::int64_t offset, std::size_t size) const {
  std::string bytes(size, '\0');
  ssize_t got = -1;
  do {
    got = ::pread(fd_, bytes.data(), size, offset);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return tl::unexpected(error_of(errno, "file"));
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

Result<DirectoryListing> list_directory(const std::string& runs_directory, FrameworkId framework,
                                        const TaskId& task, const std::string& path,
                                        std::size_t entries_max) {
  if (auto ok = check_path(path); !ok) return tl::unexpected(ok.error());
  const Result<Descriptor> sandbox = open_sandbox(runs_directory, framework, task);
  if (!sandbox) return tl::unexpected(sandbox.error());
  const Result<Descriptor> found = locate(*sandbox, path.empty() ? "." : path, beneath);
  if (!found) return tl::unexpected(found.error());
  Result<Descriptor> opened = open_located(*sandbox, *found, O_DIRECTORY, path);
  if (!opened && opened.error().code == ErrorCode::not_found) {
    return fail(ErrorCode::not_found, path + ": not a directory");
  }
  if (!opened) return tl::unexpected(opened.error());
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::fdopendir(opened->get()), ::closedir);
  if (!directory) return tl::unexpected(error_of(errno, path));
  opened->release();
  DirectoryListing listing;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (listing.entries.size() == entries_max) {
      listing.truncated = true;
      break;
    }
    struct stat status {};
    // What is gone meanwhile is left out.
    if (::fstatat(::dirfd(directory.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      continue;
    }
    const WallTime modified{status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
    listing.entries.push_back(
        {name, type_of(status.st_mode), status.st_size, mode_text(status.st_mode), modified});
  }
  std::sort(listing.entries.begin(), listing.entries.end(),
            [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  return listing;
}

bool has_sandbox(const std::string& runs_directory, FrameworkId framework, const TaskId& task) {
  return open_sandbox(runs_directory, framework, task).has_value();
}

}  // namespace librm::http
