// mkdtemp and flock.
#include "local/cluster_directory.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

namespace librm::daemon {
namespace {

constexpr const char* name_prefix = "librm-local-";

tl::unexpected<Error> fail_errno(const std::string& path) {
  return fail(ErrorCode::io_error, path + ": " + std::strerror(errno));
}

/// The lock appears in its place only when it is held, so that nobody takes a directory that is
/// just being made for one whose owner is gone.
Result<int> lock_directory(const std::string& path) {
  const std::string fresh = path + "/lock.new";
  const int lock = ::open(fresh.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return fail_errno(fresh);
  const bool held = ::flock(lock, LOCK_EX | LOCK_NB) == 0;
  if (held && ::rename(fresh.c_str(), (path + "/lock").c_str()) == 0) return lock;
  const int reason = errno;
  ::close(lock);
  errno = reason;
  return fail_errno(fresh);
}

bool is_ours(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == ::geteuid();
}

/// Nothing happens where the owner lives.
void remove_if_left(const std::string& path) {
  const int lock = ::open((path + "/lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0) return;
  std::error_code ignored;
  if (::flock(lock, LOCK_EX | LOCK_NB) == 0) std::filesystem::remove_all(path, ignored);
  ::close(lock);
}

void remove_left(const std::filesystem::path& parent) {
  std::error_code ignored;
  std::filesystem::directory_iterator entry(parent, ignored);
  for (; !ignored && entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    const std::string path = entry->path().string();
    if (entry->path().filename().string().starts_with(name_prefix) && is_ours(path)) {
      remove_if_left(path);
    }
  }
}

}  // namespace

Result<ClusterDirectory> ClusterDirectory::make() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) return fail(ErrorCode::io_error, parent.string() + ": " + error.message());
  remove_left(parent);
  std::string path = (parent / (std::string(name_prefix) + "XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) return fail_errno(path);
  // Sandboxes of other users are below, so others may pass through, and no more.
  ::chmod(path.c_str(), 0711);
  Result<int> lock = lock_directory(path);
  if (!lock) return tl::unexpected<Error>(lock.error());
  return ClusterDirectory(std::move(path), *lock);
}

ClusterDirectory::ClusterDirectory(ClusterDirectory&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

ClusterDirectory::~ClusterDirectory() {
  if (lock_ < 0) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  ::close(lock_);
}

}  // namespace librm::daemon
