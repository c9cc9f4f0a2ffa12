// One daemon of a development cluster: started, watched for its ready line, stopped by its pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "librm/base/result.hpp"

namespace batch::cli {

/// Starts `argv` in a session of its own, so that ^C in the terminal reaches only us. Its stdout
/// is the returned pipe, its stderr is appended to `log`. It gets SIGTERM should we die.
struct Spawned {
  pid_t pid = -1;
  int output = -1;
};
librm::Result<Spawned> spawn_daemon(const std::vector<std::string>& argv, const std::string& log);

/// Starts `argv` in the foreground with our streams and one more variable.
librm::Result<pid_t> spawn_command(const std::vector<std::string>& argv,
                                   const std::string& assignment);

/// `exit 3`, `signal 9 (KILL)`, from a wait status.
std::string describe_status(int status);

/// The value of `key=` in a ready line, or empty.
std::string ready_value(const std::string& line, const std::string& key);

/// The last lines of a log, for saying why a daemon did not start.
std::string tail_of(const std::string& path, std::size_t lines);

/// Processes whose parent we are by now (orphans of daemons come to us) outside of our session.
std::vector<pid_t> adopted_children();

class Daemon {
 public:
  using Clock = std::chrono::steady_clock;

  Daemon(std::string label, std::vector<std::string> argv, std::string log)
      : label_(std::move(label)), argv_(std::move(argv)), log_(std::move(log)) {}
  ~Daemon() { close_output(); }
  Daemon(Daemon&& other) noexcept;
  Daemon& operator=(Daemon&&) = delete;

  librm::Result<void> start();
  /// Reads what it prints; the first line that says so makes it ready.
  void on_output();
  /// It was reaped.
  void on_end(int status);
  void signal(int number) const;

  const std::string& label() const { return label_; }
  const std::string& log() const { return log_; }
  pid_t pid() const { return pid_; }
  int output_fd() const { return output_; }
  bool running() const { return pid_ > 0; }
  bool ready() const { return !ready_line_.empty(); }
  /// Empty until it is ready; kept over restarts.
  std::string http_address() const { return ready_value(ready_line_, "http"); }
  std::string cluster_address() const { return ready_value(ready_line_, "cluster"); }
  int last_status() const { return status_; }
  /// Ends in a row, each within seconds of its start.
  int quick_ends() const { return quick_ends_; }
  /// So that what others know of it stays true: ports that it was given are asked for again.
  void set_option(const std::string& name, const std::string& value);

 private:
  void close_output();

  std::string label_;
  std::vector<std::string> argv_;
  std::string log_;
  pid_t pid_ = -1;
  int output_ = -1;
  std::string printed_;
  std::string ready_line_;
  Clock::time_point started_;
  int status_ = 0;
  int quick_ends_ = 0;
};

}  // namespace batch::cli
