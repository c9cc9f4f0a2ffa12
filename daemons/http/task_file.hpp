// Files of runs, opened so that no name and no link leads out of the sandbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::http {

/// What is above `runs_directory` is trusted. The sandbox is `runs_directory`/`framework`/`task`,
/// reached without following a link. `path` is relative to it; the kernel resolves it, refuses to
/// leave the sandbox, and looks as the sandbox's owner, not as root. The functions below fail with
/// invalid_argument (a task id or a path that cannot be), not_found, permission_denied (it leads
/// out, or is a pipe or a device) or io_error.

/// A file of a run, open for reading; closed with its owner.
class TaskFile {
 public:
  /// Opens nothing but a regular file. Links inside of the sandbox are followed, but not for the
  /// task's own `stdout` and `stderr`.
  static Result<TaskFile> open(const std::string& runs_directory, FrameworkId framework,
                               const TaskId& task, const std::string& path);

  TaskFile(TaskFile&& other) noexcept;
  TaskFile& operator=(TaskFile&& other) noexcept;
  ~TaskFile();

  int fd() const { return fd_; }
  Result<std::int64_t> size() const;
  /// Up to `size` bytes; empty at the end of the file.
  Result<std::string> read(std::int64_t offset, std::size_t size) const;

 private:
  explicit TaskFile(int fd) : fd_(fd) {}
  int fd_ = -1;
};

struct DirectoryEntry {
  std::string name;
  const char* type = "other";  ///< file, directory, link, other
  std::int64_t size = 0;
  std::string mode;  ///< `rw-r--r--`
  WallTime modified;
};

struct DirectoryListing {
  std::vector<DirectoryEntry> entries;  ///< by name
  bool truncated = false;               ///< there are more
};

/// Reads at most `entries_max` entries; an empty path is the sandbox itself.
Result<DirectoryListing> list_directory(const std::string& runs_directory, FrameworkId framework,
                                        const TaskId& task, const std::string& path,
                                        std::size_t entries_max = 10'000);

/// Whether the run's directory is there: then the task was here, even if nothing else is known.
bool has_sandbox(const std::string& runs_directory, FrameworkId framework, const TaskId& task);

}  // namespace librm::http
