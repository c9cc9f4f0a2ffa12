// One round: the thread empties the trash and reads the sandboxes, the loop moves some to the
// trash.
#include "agent/sandbox_gc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "agent/remove_tree.hpp"
#include "common/files.hpp"
#include "common/log.hpp"
#include "librm/runtime/clock.hpp"

namespace librm::daemon {
namespace {

// After each so many the disk is looked at again; it is also what one turn of the loop renames.
constexpr std::size_t moved_per_round = 256;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  const int fd_;
};

/// A directory below `at`, no part of which is a link.
int open_below(int at, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, at, path.c_str(), &how, sizeof how));
}

std::vector<std::string> names_in(int at, const std::string& path) {
  std::vector<std::string> names;
  const int fd = open_below(at, path);
  DIR* directory = fd >= 0 ? ::fdopendir(fd) : nullptr;
  if (directory == nullptr) {
    if (fd >= 0) ::close(fd);
    return names;
  }
  while (const dirent* entry = ::readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(directory);
  return names;
}

DiskUsage disk_usage(int at) {
  struct statvfs status {};
  if (::fstatvfs(at, &status) != 0) return {};
  // What only root may still write counts as neither used nor there.
  const std::uint64_t used = status.f_blocks - status.f_bfree;
  return {used, used + status.f_bavail};
}

/// `f-1/42.1.1` as a key; empty where it is none.
std::optional<TaskKey> key_of(const std::string& path) {
  const std::size_t slash = path.find('/');
  const auto framework = parse_id<FrameworkId>(path.substr(0, slash));
  if (!framework || slash == std::string::npos) return std::nullopt;
  return TaskKey{*framework, path.substr(slash + 1)};
}

/// What the thread has seen.
struct Survey {
  std::vector<AgedSandbox> sandboxes;  ///< all that there are, live ones too
  DiskUsage disk;
};

Survey survey(const std::string& runs, const std::atomic<bool>& stop) {
  Survey seen;
  const Descriptor at(::open(runs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!at) return seen;
  seen.disk = disk_usage(at.get());
  for (const std::string& framework : names_in(at.get(), ".")) {
    const std::vector<std::string> tasks = names_in(at.get(), framework);
    // A framework's directory goes with its last sandbox; where there is one, this fails.
    if (tasks.empty()) ::unlinkat(at.get(), framework.c_str(), AT_REMOVEDIR);
    for (const std::string& task : tasks) {
      if (stop) return {};
      const std::string path = framework + "/" + task;
      struct stat status {};
      if (::fstatat(at.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
      seen.sandboxes.push_back(
          {path, WallTime{status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec}});
    }
  }
  return seen;
}

}  // namespace

struct SandboxGc::Impl : std::enable_shared_from_this<SandboxGc::Impl> {
  Impl(asio::io_context& context, SandboxGcOptions o, std::function<bool(const TaskKey&)> used)
      : io(context),
        options(std::move(o)),
        in_use(std::move(used)),
        runs(options.work_dir + "/runs"),
        trash(options.work_dir + "/trash"),
        timer(context) {}

  /// The thread's part of a round; its end comes back to the loop.
  void begin_round() {
    if (stop) return;
    join();
    thread = std::thread([this, weak = weak_from_this()] {
      Result<Removed> removed = empty_trash(trash, stop);
      Survey seen = survey(runs, stop);
      std::vector<std::string> old =
          plan_gc(std::move(seen.sandboxes), seen.disk, read_clocks().wall, options.rules);
      asio::post(io, [weak, removed = std::move(removed), old = std::move(old)] {
        if (const auto self = weak.lock()) self->finish_round(removed, old);
      });
    });
  }

  /// `old` has sandboxes of live tasks too: only the loop knows which these are.
  void finish_round(const Result<Removed>& removed, const std::vector<std::string>& old) {
    if (stop) return;
    note_removed(removed);
    if (move_to_trash(old) > 0) return begin_round();
    timer.expires_after(std::chrono::nanoseconds(options.interval.ns));
    timer.async_wait([weak = weak_from_this()](const asio::error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->begin_round();
    });
  }

  void note_removed(const Result<Removed>& removed) {
    if (!removed) {
      log(LogLevel::warn, "cannot collect sandboxes", {{"error", removed.error().message}});
      return;
    }
    if (removed->entries == 0 && removed->left == left_before) return;
    left_before = removed->left;
    log(removed->left == 0 ? LogLevel::info : LogLevel::warn, "collected sandboxes",
        {{"files", std::to_string(removed->entries)}, {"left", std::to_string(removed->left)}});
  }

  std::size_t move_to_trash(const std::vector<std::string>& paths) {
    const Descriptor from(::open(runs.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const Descriptor to(::open(trash.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!from || !to) return 0;
    std::size_t moved = 0;
    for (const std::string& path : paths) {
      if (moved == moved_per_round) break;
      const std::optional<TaskKey> key = key_of(path);
      if (key && !in_use(*key) && move(from.get(), path, to.get())) ++moved;
    }
    return moved;
  }

  bool move(int from, const std::string& path, int to) {
    const std::size_t slash = path.find('/');
    const Descriptor parent(open_below(from, path.substr(0, slash)));
    if (!parent) return false;
    const std::string name = path.substr(slash + 1);
    // With the framework in it, so that no two have one name; what is there is from before.
    const std::string there = path.substr(0, slash) + ":" + name;
    if (::renameat(parent.get(), name.c_str(), to, there.c_str()) == 0) return true;
    log(LogLevel::warn, "cannot collect a sandbox",
        {{"sandbox", path}, {"error", std::strerror(errno)}});
    return false;
  }

  void join() {
    if (thread.joinable()) thread.join();
  }

  asio::io_context& io;
  const SandboxGcOptions options;
  std::function<bool(const TaskKey&)> in_use;
  const std::string runs;
  const std::string trash;
  asio::steady_timer timer;
  std::thread thread;
  std::atomic<bool> stop = false;
  std::uint64_t left_before = 0;
};

SandboxGc::SandboxGc(asio::io_context& io, SandboxGcOptions options,
                     std::function<bool(const TaskKey&)> in_use)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(in_use))) {}

SandboxGc::~SandboxGc() {
  stop();
  impl_->join();
}

void SandboxGc::start() {
  if (Result<void> made = make_directories(impl_->trash, 0700); !made) {
    log(LogLevel::warn, "cannot collect sandboxes", {{"error", made.error().message}});
    return;
  }
  impl_->begin_round();
}

void SandboxGc::stop() {
  impl_->stop = true;
  impl_->timer.cancel();
}

void SandboxGc::note_end(const std::string& sandbox) {
  ::utimensat(AT_FDCWD, sandbox.c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

}  // namespace librm::daemon
