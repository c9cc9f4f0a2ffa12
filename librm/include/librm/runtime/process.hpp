// Helper processes of a daemon: started without fork, watched without signals.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "librm/base/result.hpp"

namespace asio {
class io_context;
}

namespace librm {

struct ProcessSpec {
  std::string program;                 ///< a path; a bare name is looked up in PATH
  std::vector<std::string> arguments;  ///< argv[1..]
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to this process's own
  bool own_session = false;  ///< survives the terminal and signals to our group
  std::string log_file;      ///< stdout and stderr are appended to it; empty: inherited
};

struct ProcessExit {
  std::optional<int> exit_code;
  int signal = 0;  ///< that ended it; 0 without an exit code: somebody else has reaped it
};

/// Starts it with default signal actions, an empty signal mask, /dev/null as stdin and no other
/// descriptor of ours. The caller watches it (ProcessWatch) or waits for it. Fails with not_found
/// or io_error. Thread-safe.
Result<pid_t> start_process(const ProcessSpec& spec);

/// Reaps one child by its pidfd and says how it ended. Destroying the watch leaves the process
/// alone and unreaped; init reaps it when we end. Used on the io_context's thread.
class ProcessWatch {
 public:
  /// `pid` is a child that nobody else waits for.
  ProcessWatch(asio::io_context& io, pid_t pid, std::function<void(ProcessExit)> on_exit);
  ~ProcessWatch();
  ProcessWatch(const ProcessWatch&) = delete;
  ProcessWatch& operator=(const ProcessWatch&) = delete;

  pid_t pid() const;
  /// Cannot hit another process that got the same number. Nothing once it was reaped.
  void signal(int number);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace librm
