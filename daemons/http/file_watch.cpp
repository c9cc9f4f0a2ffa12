// One descriptor for all watched files; the kernel merges writes that come faster than we read.
#include "http/file_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <set>
#include <string>
#include <vector>

namespace librm::http {

struct FileWatch::Impl : std::enable_shared_from_this<FileWatch::Impl> {
  explicit Impl(asio::io_context& io) : inotify(io) {}

  void open() {
    const int fd = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (fd >= 0) inotify.assign(fd);
  }

  void wait() {
    inotify.async_wait(asio::posix::stream_descriptor::wait_read,
                       [weak = weak_from_this()](const std::error_code& error) {
                         const auto self = weak.lock();
                         if (!self || error) return;
                         self->read();
                         self->wait();
                       });
  }

  void read() {
    alignas(inotify_event) char buffer[4096];
    std::set<int> written;
    for (;;) {
      const ssize_t size = ::read(inotify.native_handle(), buffer, sizeof buffer);
      if (size <= 0) break;
      for (ssize_t at = 0; at < size;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer + at);
        written.insert(event->wd);
        at += static_cast<ssize_t>(sizeof(inotify_event)) + event->len;
      }
    }
    std::vector<Token> wanted;
    for (const auto& [token, watch] : watches) {
      if (written.contains(watch.descriptor)) wanted.push_back(token);
    }
    for (const Token token : wanted) {
      const auto found = watches.find(token);
      if (found == watches.end()) continue;
      const auto callback = found->second.callback;  // which may remove its own watch
      callback();
    }
  }

  struct Watch {
    int descriptor = -1;
    std::function<void()> callback;
  };
  asio::posix::stream_descriptor inotify;
  Token last = 0;
  std::map<Token, Watch> watches;
};

FileWatch::FileWatch(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {
  impl_->open();
  if (impl_->inotify.is_open()) impl_->wait();
}

FileWatch::~FileWatch() {
  std::error_code ignored;
  impl_->inotify.close(ignored);
  impl_->watches.clear();
}

FileWatch::Token FileWatch::add(int fd, std::function<void()> callback) {
  int descriptor = -1;
  if (impl_->inotify.is_open()) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    descriptor = ::inotify_add_watch(impl_->inotify.native_handle(), path.c_str(), IN_MODIFY);
  }
  impl_->watches[++impl_->last] = {descriptor, std::move(callback)};
  return impl_->last;
}

void FileWatch::remove(Token token) {
  const auto gone = impl_->watches.extract(token);
  if (gone.empty() || gone.mapped().descriptor < 0) return;
  const int descriptor = gone.mapped().descriptor;
  for (const auto& [other, watch] : impl_->watches) {
    if (watch.descriptor == descriptor) return;
  }
  if (impl_->inotify.is_open()) ::inotify_rm_watch(impl_->inotify.native_handle(), descriptor);
}

}  // namespace librm::http
