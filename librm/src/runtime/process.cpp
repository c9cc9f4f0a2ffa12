// posix_spawn and pidfd.
#include "librm/runtime/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>

#include "librm/base/check.hpp"

namespace librm {
namespace {

class SpawnFiles {
 public:
  SpawnFiles() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnFiles() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnFiles(const SpawnFiles&) = delete;
  SpawnFiles& operator=(const SpawnFiles&) = delete;

  int set(const std::string& log_file) {
    int error =
        ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0 && !log_file.empty()) {
      error = ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log_file.c_str(),
                                                 O_WRONLY | O_CREAT | O_APPEND, 0600);
      if (error == 0) {
        error = ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
      }
    }
    // Libraries open sockets without close-on-exec, and an inherited listener blocks its port.
    if (error == 0) error = ::posix_spawn_file_actions_addclosefrom_np(&actions_, 3);
    return error;
  }

  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

class SpawnAttributes {
 public:
  SpawnAttributes() { ::posix_spawnattr_init(&attributes_); }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;

  int set(bool own_session) {
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (own_session) flags |= POSIX_SPAWN_SETSID;
    int error = ::posix_spawnattr_setsigmask(&attributes_, &none);
    if (error == 0) error = ::posix_spawnattr_setsigdefault(&attributes_, &all);
    if (error == 0) error = ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
    return error;
  }

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const ProcessSpec& spec) {
  std::vector<std::string> result;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    bool replaced = false;
    for (const auto& [name, value] : spec.environment) {
      replaced |= text.substr(0, text.find('=')) == name;
    }
    if (!replaced) result.emplace_back(text);
  }
  for (const auto& [name, value] : spec.environment) result.push_back(name + "=" + value);
  return result;
}

}  // namespace

Result<pid_t> start_process(const ProcessSpec& spec) {
  std::vector<std::string> arguments = {spec.program};
  arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
  std::vector<std::string> environment = environment_with(spec);
  SpawnFiles files;
  SpawnAttributes attributes;
  pid_t pid = 0;
  int error = files.set(spec.log_file);
  if (error == 0) error = attributes.set(spec.own_session);
  if (error == 0) {
    error = ::posix_spawnp(&pid, spec.program.c_str(), files.get(), attributes.get(),
                           pointers(arguments).data(), pointers(environment).data());
  }
  if (error == 0) return pid;
  return fail(error == ENOENT ? ErrorCode::not_found : ErrorCode::io_error,
              "cannot start " + spec.program + ": " + std::strerror(error));
}

struct ProcessWatch::State : std::enable_shared_from_this<State> {
  State(asio::io_context& io, pid_t watched, std::function<void(ProcessExit)> callback)
      : pid(watched), on_exit(std::move(callback)), descriptor(io) {
    const long opened = ::syscall(SYS_pidfd_open, pid, 0);
    LIBRM_CHECK(opened >= 0, "an unreaped child has a pidfd, on Linux 5.3 and later");
    descriptor.assign(static_cast<int>(opened));
  }

  void wait() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const asio::error_code& error) {
                            if (!error && !self->ended) self->reap();
                          });
  }

  void reap() {
    int status = 0;
    pid_t reaped = 0;
    do {
      reaped = ::waitpid(pid, &status, WNOHANG);
    } while (reaped < 0 && errno == EINTR);
    if (reaped == 0) return wait();
    ended = true;
    descriptor.close();
    ProcessExit exit;
    if (reaped > 0 && WIFEXITED(status)) exit.exit_code = WEXITSTATUS(status);
    if (reaped > 0 && WIFSIGNALED(status)) exit.signal = WTERMSIG(status);
    on_exit(exit);
  }

  pid_t pid;
  std::function<void(ProcessExit)> on_exit;
  asio::posix::stream_descriptor descriptor;
  bool ended = false;
};

ProcessWatch::ProcessWatch(asio::io_context& io, pid_t pid,
                           std::function<void(ProcessExit)> on_exit)
    : state_(std::make_shared<State>(io, pid, std::move(on_exit))) {
  state_->wait();
}

ProcessWatch::~ProcessWatch() {
  state_->ended = true;
  asio::error_code ignored;
  state_->descriptor.close(ignored);
}

pid_t ProcessWatch::pid() const { return state_->pid; }

void ProcessWatch::signal(int number) {
  if (state_->ended) return;
  ::syscall(SYS_pidfd_send_signal, state_->descriptor.native_handle(), number, nullptr, 0);
}

}  // namespace librm
