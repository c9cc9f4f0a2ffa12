// fork, exec and /proc for `rmctl dev`; rmctl is small, so that fork is cheap.
#include "dev_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <utility>

#include "text.hpp"

namespace batch::cli {

using librm::ErrorCode;
using librm::fail;
using librm::Result;

namespace {

constexpr auto quick_end = std::chrono::seconds(2);

std::vector<char*> pointers(const std::vector<std::string>& argv) {
  std::vector<char*> out;
  for (const std::string& argument : argv) out.push_back(const_cast<char*>(argument.c_str()));
  out.push_back(nullptr);
  return out;
}

/// Our blocked signals and ignored SIGPIPE must not be inherited.
void restore_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
}

/// Runs in the child: tells the parent why exec failed, through a pipe that exec closes.
[[noreturn]] void exec_or_report(char** argv, int report) {
  ::execvp(argv[0], argv);
  const int reason = errno;
  [[maybe_unused]] const ssize_t written = ::write(report, &reason, sizeof reason);
  ::_exit(127);
}

Result<void> exec_result(const std::string& program, pid_t pid, int report) {
  int reason = 0;
  ssize_t size = 0;
  do {
    size = ::read(report, &reason, sizeof reason);
  } while (size < 0 && errno == EINTR);
  ::close(report);
  if (size == 0) return {};
  ::waitpid(pid, nullptr, 0);
  const auto code = reason == ENOENT ? ErrorCode::not_found : ErrorCode::io_error;
  return fail(code, program + ": " + ::strerror(reason));
}

}  // namespace

Result<Spawned> spawn_daemon(const std::vector<std::string>& argv, const std::string& log) {
  int output[2];
  int report[2];
  const int errors = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (errors < 0 || ::pipe2(output, O_CLOEXEC) != 0 || ::pipe2(report, O_CLOEXEC) != 0) {
    return fail(ErrorCode::io_error, log + ": " + ::strerror(errno));
  }
  const std::vector<char*> arguments = pointers(argv);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::setsid();
    restore_signals();
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent) ::_exit(1);  // we died before the line above
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, 0);
    ::dup2(output[1], 1);
    ::dup2(errors, 2);
    exec_or_report(const_cast<char**>(arguments.data()), report[1]);
  }
  ::close(errors);
  ::close(output[1]);
  ::close(report[1]);
  if (pid < 0) return fail(ErrorCode::io_error, std::string("fork: ") + ::strerror(errno));
  if (auto started = exec_result(argv[0], pid, report[0]); !started) {
    ::close(output[0]);
    return tl::unexpected(started.error());
  }
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  return Spawned{pid, output[0]};
}

Result<pid_t> spawn_command(const std::vector<std::string>& argv, const std::string& assignment) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) return fail(ErrorCode::io_error, ::strerror(errno));
  const std::vector<char*> arguments = pointers(argv);
  std::string variable = assignment;
  const pid_t pid = ::fork();
  if (pid == 0) {
    restore_signals();
    ::putenv(variable.data());
    exec_or_report(const_cast<char**>(arguments.data()), report[1]);
  }
  ::close(report[1]);
  if (pid < 0) return fail(ErrorCode::io_error, std::string("fork: ") + ::strerror(errno));
  if (auto started = exec_result(argv[0], pid, report[0]); !started) {
    return tl::unexpected(started.error());
  }
  return pid;
}

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) {
    const char* name = ::sigabbrev_np(WTERMSIG(status));
    return "signal " + std::to_string(WTERMSIG(status)) +
           (name == nullptr ? "" : std::string(" (") + name + ')');
  }
  return "exit " + std::to_string(WEXITSTATUS(status));
}

std::string ready_value(const std::string& line, const std::string& key) {
  for (const std::string& word : split(line, ' ')) {
    if (word.starts_with(key + '=')) return word.substr(key.size() + 1);
  }
  return {};
}

std::string tail_of(const std::string& path, std::size_t lines) {
  std::ifstream file(path);
  std::vector<std::string> all;
  for (std::string line; std::getline(file, line);) all.push_back(escape(line));
  std::string text;
  for (std::size_t i = all.size() - std::min(all.size(), lines); i < all.size(); ++i) {
    text += '\n' + all[i];
  }
  return text;
}

std::vector<pid_t> adopted_children() {
  std::vector<pid_t> found;
  const pid_t self = ::getpid();
  const pid_t session = ::getsid(0);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != name.npos) continue;
    std::ifstream file(entry.path() / "stat");
    std::string stat((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    // pid (name) state parent group session ...; the name may hold anything.
    const std::size_t close = stat.rfind(')');
    if (close == stat.npos) continue;
    const std::vector<std::string> fields = split(std::string_view(stat).substr(close + 1), ' ');
    if (fields.size() < 4 || fields[0] == "Z") continue;
    if (std::stol(fields[1]) == self && std::stol(fields[3]) != session) {
      found.push_back(static_cast<pid_t>(std::stol(name)));
    }
  }
  return found;
}

Daemon::Daemon(Daemon&& other) noexcept
    : label_(std::move(other.label_)),
      argv_(std::move(other.argv_)),
      log_(std::move(other.log_)),
      pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, -1)),
      printed_(std::move(other.printed_)),
      ready_line_(std::move(other.ready_line_)),
      started_(other.started_),
      status_(other.status_),
      quick_ends_(other.quick_ends_) {}

Result<void> Daemon::start() {
  auto spawned = spawn_daemon(argv_, log_);
  if (!spawned) return tl::unexpected(spawned.error());
  close_output();
  pid_ = spawned->pid;
  output_ = spawned->output;
  printed_.clear();
  started_ = Clock::now();
  return {};
}

void Daemon::close_output() {
  if (output_ >= 0) ::close(std::exchange(output_, -1));
}

void Daemon::on_output() {
  char buffer[4096];
  const ssize_t size = ::read(output_, buffer, sizeof buffer);
  if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) return close_output();
  if (size < 0 || printed_.size() > sizeof buffer) return;  // only the beginning matters
  printed_.append(buffer, static_cast<std::size_t>(size));
  for (const std::string& line : split(printed_.substr(0, printed_.rfind('\n') + 1), '\n')) {
    if (line.find(" ready ") != line.npos) ready_line_ = line;
  }
}

void Daemon::on_end(int status) {
  status_ = status;
  pid_ = -1;
  quick_ends_ = Clock::now() - started_ < quick_end ? quick_ends_ + 1 : 0;
}

void Daemon::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void Daemon::set_option(const std::string& name, const std::string& value) {
  const auto at = std::find(argv_.begin(), argv_.end(), name);
  if (at != argv_.end() && at + 1 != argv_.end()) *(at + 1) = value;
}

}  // namespace batch::cli
