// unlinkat and renameat relative to open directories; a path is used for `trash` alone.
#include "agent/remove_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace librm::daemon {
namespace {

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

constexpr int directory_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

Directory open_directory(int at, const std::string& name) {
  const int fd = ::openat(at, name.c_str(), directory_flags);
  DIR* directory = fd >= 0 ? ::fdopendir(fd) : nullptr;
  if (fd >= 0 && directory == nullptr) ::close(fd);
  return {directory, ::closedir};
}

/// For an agent that is not root: a directory of its own user may forbid even that user.
void allow_ourselves(int at, const std::string& name) {
  if (::geteuid() == 0) return;
  const int fd = ::openat(at, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  ::chmod(("/proc/self/fd/" + std::to_string(fd)).c_str(), 0700);
  ::close(fd);
}

class Emptying {
 public:
  Emptying(Directory trash, const std::atomic<bool>& stop)
      : trash_(std::move(trash)), at_(::dirfd(trash_.get())), stop_(stop) {}

  Removed run() {
    collect_names();
    while (!waiting_.empty() && !stop_) {
      const std::string name = std::move(waiting_.back());
      waiting_.pop_back();
      take(name);
    }
    removed_.done = waiting_.empty();
    return removed_;
  }

 private:
  void collect_names() {
    while (const dirent* entry = ::readdir(trash_.get())) {
      const std::string name = entry->d_name;
      if (name == "." || name == "..") continue;
      waiting_.push_back(name);
      taken_.insert(name);
    }
  }

  /// Something at the top of the trash.
  void take(const std::string& name) {
    if (unlink(at_, name, 0)) return;
    allow_ourselves(at_, name);
    empty(name);
    if (stop_) {
      waiting_.push_back(name);
    } else if (!unlink(at_, name, AT_REMOVEDIR)) {
      ++removed_.left;
    }
  }

  void empty(const std::string& name) {
    const Directory directory = open_directory(at_, name);
    if (!directory) return;
    const int inside = ::dirfd(directory.get());
    while (const dirent* entry = stop_ ? nullptr : ::readdir(directory.get())) {
      const std::string part = entry->d_name;
      if (part == "." || part == "..") continue;
      if (entry->d_type != DT_DIR && unlink(inside, part, 0)) continue;
      if (unlink(inside, part, AT_REMOVEDIR)) continue;
      move_up(inside, part);
    }
  }

  void move_up(int inside, const std::string& part) {
    allow_ourselves(inside, part);
    std::string name;
    do {
      name = "d" + std::to_string(++names_);
    } while (taken_.contains(name));
    // Where something is mounted this fails, and so it is never entered.
    if (::renameat(inside, part.c_str(), at_, name.c_str()) == 0) waiting_.push_back(name);
  }

  bool unlink(int at, const std::string& name, int flags) {
    if (::unlinkat(at, name.c_str(), flags) != 0) return errno == ENOENT;
    ++removed_.entries;
    return true;
  }

  Directory trash_;
  const int at_;
  const std::atomic<bool>& stop_;
  std::vector<std::string> waiting_;  // at the top of the trash
  std::set<std::string> taken_;       // names that an earlier run left there
  std::uint64_t names_ = 0;
  Removed removed_;
};

}  // namespace

Result<Removed> empty_trash(const std::string& trash, const std::atomic<bool>& stop) {
  Directory directory = open_directory(AT_FDCWD, trash);
  if (!directory) return fail(ErrorCode::io_error, trash + ": " + std::strerror(errno));
  return Emptying(std::move(directory), stop).run();
}

}  // namespace librm::daemon
