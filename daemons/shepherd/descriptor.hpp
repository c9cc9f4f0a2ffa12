// File descriptors with an owner, and the operating system's reasons as errors.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "librm/base/result.hpp"

namespace librm::shepherd {

/// Closes what it holds. Movable; empty after a move. Not thread-safe.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};

/// The text of an errno value: `No such file or directory`.
std::string errno_text(int number);

/// `subject: reason`, as io_error.
inline tl::unexpected<Error> fail_errno(const std::string& subject, int number = errno) {
  return fail(ErrorCode::io_error, subject + ": " + errno_text(number));
}

}  // namespace librm::shepherd
