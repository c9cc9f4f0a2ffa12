// Makes, enters and removes named network namespaces as `ip netns` does.
#include "netlink_namespace.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "netiso/isolator.hpp"

namespace netiso {
namespace {

using librm::ErrorCode;
using librm::Result;

constexpr const char* directory = "/run/netns";
constexpr const char* own_namespace = "/proc/thread-self/ns/net";

std::string path_of(const Space& space) { return std::string(directory) + "/" + space; }
std::string subject_of(const Space& space) { return "namespace " + space; }

}  // namespace

Handle::~Handle() {
  if (fd_ >= 0) ::close(fd_);
}

tl::unexpected<librm::Error> fail_system(const std::string& subject, int number) {
  ErrorCode code = ErrorCode::io_error;
  if (number == EPERM || number == EACCES) code = ErrorCode::permission_denied;
  if (number == EEXIST) code = ErrorCode::already_exists;
  if (number == ENOENT) code = ErrorCode::not_found;
  return librm::fail(code, subject + ": " + std::strerror(number));
}

Result<Handle> open_namespace(const Space& space) {
  const std::string path = space.empty() ? own_namespace : path_of(space);
  Handle handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (handle.get() < 0) return fail_system(subject_of(space), errno);
  struct statfs kind {};
  if (::fstatfs(handle.get(), &kind) != 0) return fail_system(subject_of(space), errno);
  if (kind.f_type != NSFS_MAGIC) {
    return librm::fail(ErrorCode::not_found,
                       subject_of(space) + ": " + path + " has none behind it");
  }
  return handle;
}

bool is_remnant(const Space& space) {
  struct stat file {};
  return !space.empty() && ::stat(path_of(space).c_str(), &file) == 0 && S_ISREG(file.st_mode) &&
         !open_namespace(space);
}

Result<void> on_other_thread(const std::function<Result<void>()>& enter,
                             const std::function<Result<void>()>& body) {
  Result<void> outcome;
  std::thread([&] {
    outcome = enter();
    if (outcome) outcome = body();
  }).join();
  return outcome;
}

Result<void> enter_namespace(const Space& space) {
  auto handle = open_namespace(space);
  if (!handle) return tl::unexpected(handle.error());
  if (::setns(handle->get(), CLONE_NEWNET) != 0) return fail_system(subject_of(space), errno);
  return {};
}

Result<NetlinkSocket> open_netlink_in(const Space& space) {
  if (space.empty()) return open_netlink();
  NetlinkSocket socket;
  auto opened = on_other_thread([&] { return enter_namespace(space); },
                                [&]() -> Result<void> {
                                  auto made = open_netlink();
                                  if (!made) return tl::unexpected(made.error());
                                  socket = std::move(*made);
                                  return {};
                                });
  if (!opened) return tl::unexpected(opened.error());
  return socket;
}

Result<void> create_namespace(const Space& space) {
  if (::mkdir(directory, 0755) != 0 && errno != EEXIST) return fail_system(directory, errno);
  const std::string path = path_of(space);
  // What one left behind that was stopped before it mounted is as good as a new file.
  const int exclusive = is_remnant(space) ? 0 : O_EXCL;
  const Handle file(::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | exclusive, 0));
  if (file.get() < 0) return fail_system(subject_of(space), errno);
  auto made = on_other_thread(
      [&]() -> Result<void> {
        if (::unshare(CLONE_NEWNET) == 0) return {};
        return fail_system(subject_of(space), errno);
      },
      [&]() -> Result<void> {
        if (::mount(own_namespace, path.c_str(), "none", MS_BIND, nullptr) == 0) return {};
        return fail_system(subject_of(space), errno);
      });
  if (!made) ::unlink(path.c_str());
  return made;
}

Result<void> remove_namespace(const Space& space) {
  const std::string path = path_of(space);
  // It is not mounted where a crash came between the file and the mount.
  if (::umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL) {
    return fail_system(subject_of(space), errno);
  }
  if (::unlink(path.c_str()) != 0) return fail_system(subject_of(space), errno);
  return {};
}

}  // namespace netiso
