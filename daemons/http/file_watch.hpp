// Tells when open files grow, through one inotify instance on the event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

namespace asio {
class io_context;
}

namespace librm::http {

/// On the loop's thread. Where the system has no inotify to give, nobody is told: who watches also
/// looks from time to time.
class FileWatch {
 public:
  explicit FileWatch(asio::io_context& io);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

  using Token = std::uint64_t;
  /// `callback` is called from the loop whenever the file behind `fd` was written to; `fd` may be
  /// closed afterwards. Several may watch one file.
  Token add(int fd, std::function<void()> callback);
  /// Allowed from within a callback.
  void remove(Token token);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace librm::http
