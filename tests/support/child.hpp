// A server that a test starts: it never outlives the test, and its files go with it.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace librm::test {

/// A directory of its own, readable by all, removed with the object.
class TempDirectory {
 public:
  explicit TempDirectory(const std::string& name) {
    std::string path = std::filesystem::temp_directory_path() / ("librm-" + name + "-XXXXXX");
    if (mkdtemp(path.data()) == nullptr) std::abort();
    path_ = path;
    ::chmod(path.c_str(), 0755);
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Ports of loopback that were free just now, all different.
inline std::vector<int> free_ports(std::size_t count) {
  std::vector<int> sockets;
  std::vector<int> ports;
  while (ports.size() < count) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0) std::abort();
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    sockets.push_back(fd);
    ports.push_back(ntohs(address.sin_port));
  }
  for (int fd : sockets) ::close(fd);
  return ports;
}

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds timeout = std::chrono::seconds(15)) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

/// One process, with its output in a file. The kernel stops it when the test's thread ends.
class Child {
 public:
  struct Options {
    std::string user;           ///< whom to become, if we are root; empty: nobody else
    std::string log;            ///< path of the file for its output
    int stop_signal = SIGTERM;  ///< what makes it end soon
  };

  Child() = default;
  Child(const std::vector<std::string>& command, Options options) : options_(std::move(options)) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    const passwd* user =
        options_.user.empty() || geteuid() != 0 ? nullptr : getpwnam(options_.user.c_str());
    const pid_t parent = getpid();
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int fd = ::open(options_.log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::close_range(3, ~0u, 0);
    ::setsid();
    if (user != nullptr && (::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) _exit(126);
    // After the change of user, which would forget it.
    ::prctl(PR_SET_PDEATHSIG, options_.stop_signal);
    if (getppid() != parent) _exit(125);
    ::execv(argv[0], argv.data());
    _exit(127);
  }
  ~Child() { stop(); }
  Child(Child&& other) noexcept
      : options_(std::move(other.options_)), pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept {
    stop();
    options_ = std::move(other.options_);
    pid_ = std::exchange(other.pid_, -1);
    return *this;
  }

  pid_t pid() const { return pid_; }
  bool running() const { return pid_ > 0; }
  void signal(int number) const {
    if (pid_ > 0) ::kill(pid_, number);
  }
  /// Its wait status.
  int wait() {
    int status = -1;
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  /// Asks, waits some seconds, kills.
  void stop() {
    if (pid_ <= 0) return;
    signal(SIGCONT);
    signal(options_.stop_signal);
    for (int i = 0; i < 1000; ++i) {
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) {
        pid_ = -1;
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    kill();
  }
  void kill() {
    signal(SIGKILL);
    wait();
  }
  std::string output() const {
    std::ifstream file(options_.log);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  Options options_;
  pid_t pid_ = -1;
};

}  // namespace librm::test
