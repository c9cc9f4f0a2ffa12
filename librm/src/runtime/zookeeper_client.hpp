// ZooKeeper's single-threaded client on an Asio loop: one session at a time, bounded retries.
#pragma once

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "librm/base/time.hpp"
#include "librm/runtime/zookeeper_elector.hpp"

struct _zhandle;

namespace librm::runtime_detail {

/// Lets some lines through, and counts the rest in the next that it lets through. Pure.
class LogLimiter {
 public:
  /// What to write; nothing where it is left out.
  std::optional<std::string> line(Instant now, std::string text);

 private:
  int budget_ = 5;
  std::uint64_t left_out_ = 0;
  std::optional<Instant> refilled_;
};

/// What a line of the C library says, without its own time, place and level; nothing for less
/// than a warning.
std::optional<std::string> client_log_line(std::string_view line);

/// How long to wait after so many failures in a row.
Duration reconnect_pause(int failures, Duration session_timeout);

/// Callbacks come from inside of the C library, so they only take notes; `on_turn` comes after
/// them, and may call anything, close() too.
class ZookeeperClient : public std::enable_shared_from_this<ZookeeperClient> {
 public:
  struct Handlers {
    std::function<void(int state)> on_session;  ///< ZOO_…_STATE
    std::function<void()> on_group;             ///< a watch of list() or of its missing path
    std::function<void(Error)> on_unresolved;   ///< no session could be begun; tried again
    std::function<void(std::string)> on_log;
    std::function<bool()> has_notes;
    std::function<void()> on_turn;
  };

  ZookeeperClient(asio::io_context& io, ZookeeperUrl url, Duration session_timeout,
                  Handlers handlers);
  ~ZookeeperClient();

  /// Begins a session, after the end of an earlier one.
  void open();
  /// Ends the session; no callback follows.
  void close();
  /// Runs on_turn, and what follows from it, soon.
  void kick();

  std::uint64_t session() const;
  Duration timeout() const;  ///< as granted

  // Each calls back with the library's code.
  void list(std::function<void(int, std::vector<std::string>)> done);
  void read(const std::string& name, std::function<void(int, std::string)> done);
  void create_member(const std::string& prefix, const std::string& text,
                     std::function<void(int)> done);
  void make_path(std::function<void(int)> done);
  /// Asks the leader of the ensemble, then whether the node is there and this session's.
  void confirm(const std::string& name, std::function<void(int, bool)> done);

 private:
  class InLibrary;
  struct Socket;
  template <class Signature>
  struct Call;

  void make_path_from(std::size_t slash, std::function<void(int)> done);
  void begin();
  void end();
  void turn(int ready);
  void note(int code);
  void watch_socket(int fd, int interest);
  void wait(std::chrono::nanoseconds span);
  std::string full(const std::string& name) const { return url_.path + "/" + name; }

  asio::io_context& io_;
  ZookeeperUrl url_;
  Duration session_timeout_;
  Handlers handlers_;

  _zhandle* handle_ = nullptr;
  bool wanted_ = false;
  bool ending_ = false;
  bool in_turn_ = false;
  bool kicked_ = false;
  int failures_ = 0;
  Instant paused_until_;
  asio::steady_timer timer_;
  std::shared_ptr<Socket> socket_;
};

}  // namespace librm::runtime_detail
