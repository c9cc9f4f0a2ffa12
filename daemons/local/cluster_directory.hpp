// The temporary directory of a cluster inside a program, and what programs that died left of
// theirs.
#pragma once

#include <string>

#include "librm/base/result.hpp"

namespace librm::daemon {

/// `librm-local-XXXXXX` in the system's temporary directory, locked as long as this lives, and
/// removed with it. A value that owns; empty after a move. Not thread-safe.
class ClusterDirectory {
 public:
  /// First removes those of this user whose owner is gone. Fails with io_error.
  static Result<ClusterDirectory> make();
  ClusterDirectory(ClusterDirectory&& other) noexcept;
  ClusterDirectory& operator=(ClusterDirectory&&) = delete;
  ~ClusterDirectory();

  /// Absolute.
  const std::string& path() const { return path_; }

 private:
  ClusterDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_ = -1;
};

}  // namespace librm::daemon
