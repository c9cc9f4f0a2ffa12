// The agent's side of its shepherd: finds it, starts it, speaks with it, starts it again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "librm/base/time.hpp"
#include "librm/cluster/shepherd.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

/// One connection to `<work_dir>/shepherd.sock` at a time. Where nobody answers there, a shepherd
/// is started in its own session, so that it and its tasks outlive this agent; where it is lost it
/// is found or started again, with a growing pause. One that runs as another program goes on as
/// ours, with its tasks. On the io_context's thread.
class ShepherdLink {
 public:
  struct Options {
    std::string work_dir;
    std::string program;  ///< path of rm-shepherd
    std::uint64_t fetch_bytes_max = 16ull
                                    << 30;  ///< for one task; a shepherd that runs keeps its own
    bool ends_with_us = false;  ///< it kills its tasks and ends when this process is gone
    Duration start_timeout = seconds(10);
    Duration restart_min = milliseconds(100);  ///< doubles up to the maximum
    Duration restart_max = seconds(5);
  };
  struct Callbacks {
    std::function<void(ShepherdMessage)> on_message;
    std::function<void()> on_lost;  ///< after at least one message
  };

  ShepherdLink(asio::io_context& io, Options options, Callbacks callbacks);
  /// The shepherd lives on.
  ~ShepherdLink();
  ShepherdLink(const ShepherdLink&) = delete;
  ShepherdLink& operator=(const ShepherdLink&) = delete;

  void start();
  /// Swallowed where there is no connection: the first message of the next one says what it knows.
  void send(const ShepherdMessage& message);
  /// Tells it to kill everything and end; `done` comes when it is gone, or after `timeout`.
  void shut_down(Duration timeout, std::function<void(bool gone)> done);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace librm::daemon
