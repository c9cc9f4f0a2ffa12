// A TCP proxy that a test can make lose connections at chosen moments.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace librm::test {

/// Passes bytes between a port of its own and one of loopback, on a thread. Thread-safe.
class TcpProxy {
 public:
  enum class Cut {
    none,
    before,  ///< what the client sends with the word never arrives
    after,   ///< it arrives, and the answer, which has been given, does not
  };

  explicit TcpProxy(int server_port) : server_port_(server_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    ::listen(listener_, 16);
    thread_ = std::thread([this] { run(); });
  }
  ~TcpProxy() {
    ends_ = true;
    thread_.join();
    ::close(listener_);
    for (const Pair& pair : pairs_) close(pair);
  }
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }
  /// The next connection whose client sends `word` is cut.
  void cut_at(std::string word, Cut cut) {
    std::lock_guard lock(mutex_);
    word_ = std::move(word);
    cut_ = cut;
  }
  int cuts() const { return cuts_; }
  /// Ends all connections, and refuses new ones until told otherwise.
  void set_open(bool open) { open_ = open; }
  /// Keeps connections and passes nothing on.
  void set_silent(bool silent) { silent_ = silent; }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    bool cutting = false;
  };

  static sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
  }
  static void close(const Pair& pair) {
    ::close(pair.client);
    ::close(pair.server);
  }
  static bool ready(int fd) {
    pollfd poll_fd{fd, POLLIN, 0};
    return ::poll(&poll_fd, 1, 0) > 0;
  }
  static bool send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  void run() {
    while (!ends_) {
      pollfd poll_fd{listener_, POLLIN, 0};
      ::poll(&poll_fd, 1, 1);
      if ((poll_fd.revents & POLLIN) != 0) accept();
      for (auto pair = pairs_.begin(); pair != pairs_.end();) {
        const bool alive = open_ && (silent_ || pass(*pair));
        if (!alive) close(*pair);
        pair = alive ? std::next(pair) : pairs_.erase(pair);
      }
    }
  }
  void accept() {
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(server_port_);
    const auto* target = reinterpret_cast<const sockaddr*>(&address);
    if (!open_ || ::connect(server, target, sizeof address) != 0) {
      close({client, server, false});
      return;
    }
    pairs_.push_back({client, server, false});
  }
  /// False where the connection has ended.
  bool pass(Pair& pair) {
    char buffer[65536];
    if (!pair.cutting && ready(pair.client)) {
      const ssize_t got = ::recv(pair.client, buffer, sizeof buffer, 0);
      if (got <= 0) return false;
      const std::string_view bytes(buffer, static_cast<std::size_t>(got));
      const Cut cut = cut_for(bytes);
      if (cut != Cut::none) ++cuts_;
      if (cut == Cut::before || !send_all(pair.server, bytes)) return false;
      pair.cutting = cut == Cut::after;
    }
    if (ready(pair.server)) {
      const ssize_t got = ::recv(pair.server, buffer, sizeof buffer, 0);
      if (got <= 0 || pair.cutting) return false;
      return send_all(pair.client, {buffer, static_cast<std::size_t>(got)});
    }
    return true;
  }
  Cut cut_for(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    if (cut_ == Cut::none || bytes.find(word_) == std::string_view::npos) return Cut::none;
    return std::exchange(cut_, Cut::none);
  }

  int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::mutex mutex_;
  std::string word_;
  Cut cut_ = Cut::none;
  std::atomic<int> cuts_{0};
  std::atomic<bool> open_{true};
  std::atomic<bool> silent_{false};
  std::atomic<bool> ends_{false};
  std::list<Pair> pairs_;
  std::thread thread_;
};

}  // namespace librm::test
