// openat with O_NOFOLLOW at each part: what RESOLVE_BENEATH promises, and directories are made.
#include "fetch/sandbox.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace librm::fetch {

using shepherd::fail_errno;

namespace {

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Result<Descriptor> enter(const Descriptor& from, const std::string& part) {
  if (::mkdirat(from.get(), part.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno(part);
  Descriptor next(::openat(from.get(), part.c_str(), directory_flags));
  if (next) return next;
  if (errno == ELOOP || errno == ENOTDIR) {
    return fail(ErrorCode::permission_denied,
                part + ": a file or a link, where a directory is needed");
  }
  return fail_errno(part);
}

}  // namespace

Result<Sandbox> Sandbox::open(const std::string& path) {
  Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail_errno("sandbox " + path);
  return Sandbox(std::move(root));
}

Result<Descriptor> Sandbox::directory_of(const std::vector<std::string>& parts) const {
  Descriptor here(::openat(root_.get(), ".", directory_flags));
  if (!here) return fail_errno("sandbox");
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    Result<Descriptor> next = enter(here, parts[i]);
    if (!next) return next;
    here = std::move(*next);
  }
  return here;
}

Result<Descriptor> create_file(const Descriptor& directory, const std::string& name) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    Descriptor file(::openat(directory.get(), name.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (file) return file;
    if (errno != EEXIST || ::unlinkat(directory.get(), name.c_str(), 0) != 0) break;
  }
  return fail_errno(name);
}

Result<void> write_all(const Descriptor& file, const char* data, std::size_t size,
                       const std::string& name) {
  while (size > 0) {
    const ssize_t written = ::write(file.get(), data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(name);
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return {};
}

}  // namespace librm::fetch
