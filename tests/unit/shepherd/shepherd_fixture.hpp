// A real rm-shepherd in a directory of its own, and an agent's side of its socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "librm/cluster/shepherd.hpp"
#include "librm/wire/frame.hpp"
#include "librm/wire/sequencer.hpp"
#include "shepherd/descriptor.hpp"

namespace librm::shepherd {

inline constexpr std::chrono::seconds test_limit{20};

/// Waits for a condition, not for a time; false when the limit passed first.
bool eventually(const std::function<bool()>& condition);

/// Removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// What an agent would know from the messages of its connections.
class FakeAgent {
 public:
  /// Waits for the shepherd's first message; connected() is false if it never came.
  explicit FakeAgent(const std::string& socket_path);
  bool connected() const { return static_cast<bool>(socket_); }

  void send(const ShepherdMessage& message);
  void send_bytes(std::string_view bytes);
  /// Takes messages until the condition holds; false at the limit or the connection's end.
  bool until(const std::function<bool()>& condition);
  /// True when the shepherd closes the connection.
  bool until_closed();

  std::optional<ShepherdState> state;  ///< the first message
  std::map<TaskKey, TaskProcess> running;
  std::map<TaskKey, TaskEnd> ended;
  int ended_twice = 0;
  int messages = 0;

  /// Waits for the end; a default one without any field where it did not come.
  TaskEnd end_of(const TaskKey& key);

 private:
  bool receive();
  void take(const ShepherdMessage& message);

  Descriptor socket_;
  FrameReader reader_;
  Sequencer sequencer_;
};

/// Its destructor ends the shepherd and every task.
class ShepherdProcess {
 public:
  explicit ShepherdProcess(std::string socket_path = {});
  ShepherdProcess(const ShepherdProcess&) = delete;
  ShepherdProcess& operator=(const ShepherdProcess&) = delete;
  ~ShepherdProcess();

  void start();
  /// Sends the signal and waits for its end.
  void stop(int signal);
  /// Its exit code, or minus the signal.
  int wait();
  pid_t pid() const { return pid_; }
  FakeAgent connect() const { return FakeAgent(socket_path_); }

  const std::string& work_dir() const { return directory_.path(); }
  const std::string& socket_path() const { return socket_path_; }
  /// A start of this command in a new sandbox; task ids count from 1.
  TaskStart task(const std::string& command);
  std::string output(const TaskKey& key, const std::string& stream = "stdout") const;
  /// Its path.
  static std::string program();
  /// Runs the shepherd's program with these arguments and returns how it ended.
  static int run(const std::vector<std::string>& arguments);

 private:
  TemporaryDirectory directory_;
  std::string socket_path_;
  pid_t pid_ = 0;
  int tasks_ = 0;
};

std::string read_text(const std::string& path);
/// True while the process exists and is not a zombie.
bool alive(pid_t pid);

}  // namespace librm::shepherd
