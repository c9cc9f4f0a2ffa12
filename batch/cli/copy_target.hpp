// Where `rmctl sandbox cp` writes: directories and files that appear whole, never through a link.
#pragma once

#include <functional>
#include <string>

#include "librm/base/result.hpp"
#include "log_stream.hpp"

namespace batch::cli {

/// One name of a directory, and nothing else: not empty, no slash, not `.` or `..`, no NUL. Names
/// come from another machine.
bool is_plain_name(const std::string& name);

/// An open directory that is written to. Only names in it are used, so nothing can lead elsewhere.
class CopyTarget {
 public:
  /// An existing directory; links on the way to it are its owner's wish.
  static librm::Result<CopyTarget> open(const std::string& path);
  CopyTarget(CopyTarget&& other) noexcept;
  CopyTarget& operator=(CopyTarget&&) = delete;
  ~CopyTarget();

  /// Makes it if it is not there; fails where a link or a file has that name. Only its owner sees
  /// it until set_mode().
  librm::Result<CopyTarget> directory(const std::string& name) const;
  librm::Result<void> set_mode(unsigned mode) const;
  /// What `fill` gives to the sink gets this name once `fill` has succeeded, in place of what had
  /// it; else nothing is left.
  librm::Result<void> file(const std::string& name, unsigned mode,
                           const std::function<librm::Result<void>(const Sink&)>& fill) const;
  /// For messages, safe for a terminal.
  const std::string& path() const { return path_; }

 private:
  CopyTarget(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  librm::Error error(const std::string& name, const char* what) const;

  int fd_;
  std::string path_;
};

}  // namespace batch::cli
