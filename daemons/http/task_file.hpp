// Files of runs, opened so that no name and no link leads out of the runs directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "librm/base/id.hpp"
#include "librm/base/result.hpp"

namespace librm::http {

/// A task's output file, open for reading; closed with its owner.
class TaskFile {
 public:
  /// `runs_directory`/`framework`/`task`/`name`, where `name` is stdout or stderr. What is above
  /// `runs_directory` is trusted; below it no symbolic link is followed and nothing but a regular
  /// file is opened. Fails with invalid_argument (a task id that cannot be), not_found,
  /// permission_denied (a link, a pipe, a device) or io_error.
  static Result<TaskFile> open(const std::string& runs_directory, FrameworkId framework,
                               const TaskId& task, std::string_view name);

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

/// Whether the run's directory is there: then the task was here, even if nothing else is known.
bool has_sandbox(const std::string& runs_directory, FrameworkId framework, const TaskId& task);

}  // namespace librm::http
