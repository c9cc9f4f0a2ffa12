// openat, mkdirat and renameat with plain names; a file is written beside its name and then
// renamed.
#include "copy_target.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "text.hpp"

namespace batch::cli {

using librm::Error;
using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

/// A file without its name yet, removed unless it gets one.
struct Unfinished {
  int at;
  std::string name;
  int fd = -1;

  ~Unfinished() {
    if (fd >= 0) ::close(fd);
    if (!name.empty()) ::unlinkat(at, name.c_str(), 0);
  }
};

}  // namespace

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos &&
         name.find('\0') == name.npos;
}

Result<CopyTarget> CopyTarget::open(const std::string& path) {
  const int fd = ::open(path.c_str(), directory_flags);
  if (fd >= 0) return CopyTarget(fd, escape(path));
  return fail(ErrorCode::io_error, escape(path) + ": " + std::strerror(errno));
}

CopyTarget::CopyTarget(CopyTarget&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

CopyTarget::~CopyTarget() {
  if (fd_ >= 0) ::close(fd_);
}

Error CopyTarget::error(const std::string& name, const char* what) const {
  return {ErrorCode::io_error, path_ + '/' + escape(name) + ": " + what};
}

Result<CopyTarget> CopyTarget::directory(const std::string& name) const {
  if (!is_plain_name(name)) return tl::unexpected(error(name, "not a name for a directory"));
  if (::mkdirat(fd_, name.c_str(), 0700) != 0 && errno != EEXIST) {
    return tl::unexpected(error(name, std::strerror(errno)));
  }
  const int fd = ::openat(fd_, name.c_str(), directory_flags | O_NOFOLLOW);
  if (fd >= 0) return CopyTarget(fd, path_ + '/' + escape(name));
  const bool no_directory = errno == ENOTDIR || errno == ELOOP;
  return tl::unexpected(
      error(name, no_directory ? "there is something that is no directory" : std::strerror(errno)));
}

Result<void> CopyTarget::set_mode(unsigned mode) const {
  if (::fchmod(fd_, mode & 0777) == 0) return {};
  return tl::unexpected(error(".", std::strerror(errno)));
}

Result<void> CopyTarget::file(const std::string& name, unsigned mode,
                              const std::function<Result<void>(const Sink&)>& fill) const {
  if (!is_plain_name(name)) return tl::unexpected(error(name, "not a name for a file"));
  // Random, so that two copies at once do not meet; short, since the name may be as long as may be.
  Unfinished file{fd_, ".rmctl-" + new_idempotency_key().substr(0, 16)};
  file.fd =
      ::openat(fd_, file.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file.fd < 0) {
    const Error failed = error(name, std::strerror(errno));
    file.name.clear();
    return tl::unexpected(failed);
  }
  bool written = true;
  int reason = 0;
  auto filled = fill([&](std::string_view bytes) {
    written = write_all(file.fd, bytes);
    if (!written) reason = errno;
    return written;
  });
  if (!written) return tl::unexpected(error(name, std::strerror(reason)));
  if (!filled) return filled;
  if (::fchmod(file.fd, mode & 0777) != 0 ||
      ::renameat(fd_, file.name.c_str(), fd_, name.c_str()) != 0) {
    return tl::unexpected(error(name, std::strerror(errno)));
  }
  file.name.clear();
  return {};
}

}  // namespace batch::cli
