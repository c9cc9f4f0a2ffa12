// Drives the C library: its sockets, its timeouts, its callbacks, and its many words.
#include "zookeeper_client.hpp"

#include <sys/stat.h>
#include <unistd.h>
#include <zookeeper/zookeeper.h>

#include <algorithm>
#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "librm/runtime/clock.hpp"

namespace librm::runtime_detail {
namespace {

constexpr int log_lines_burst = 5;
constexpr Duration log_line_every = seconds(10);
constexpr Duration pause_min = milliseconds(10);
constexpr int rounds_per_turn_max = 16;

// The library's log callback has no context, but it is called within our calls only.
thread_local ZookeeperClient* current_client = nullptr;
thread_local const std::function<void(std::string)>* current_log = nullptr;

void log_callback(const char* message) {
  if (current_log == nullptr || !*current_log) return;
  if (std::optional<std::string> line = client_log_line(message)) (*current_log)(std::move(*line));
}

ino_t inode(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? status.st_ino : 0;
}

std::chrono::nanoseconds to_chrono(Duration span) { return std::chrono::nanoseconds(span.ns); }

/// What is created may be read by all, and changed by its creator.
struct Acl {
  explicit Acl(bool owned) {
    entries[0] = {ZOO_PERM_READ, ZOO_ANYONE_ID_UNSAFE};
    entries[1] = {ZOO_PERM_ALL, ZOO_AUTH_IDS};
    vector = owned ? ACL_vector{2, entries} : ZOO_OPEN_ACL_UNSAFE;
  }
  Acl(const Acl&) = delete;
  Acl& operator=(const Acl&) = delete;
  ACL entries[2];
  ACL_vector vector;
};

}  // namespace

std::optional<std::string> LogLimiter::line(Instant now, std::string text) {
  if (!refilled_) refilled_ = now;
  while (now - *refilled_ >= log_line_every && budget_ < log_lines_burst) {
    *refilled_ = *refilled_ + log_line_every;
    ++budget_;
  }
  if (budget_ == log_lines_burst) refilled_ = now;
  if (budget_ == 0) {
    ++left_out_;
    return std::nullopt;
  }
  --budget_;
  if (left_out_ > 0)
    text += " (" + std::to_string(std::exchange(left_out_, 0)) + " lines left out)";
  return text;
}

std::optional<std::string> client_log_line(std::string_view line) {
  // 2026-01-01 00:00:00,000:PID(0xTHREAD):ZOO_ERROR@function@1234: words
  const std::size_t level = line.find("ZOO_");
  if (level == std::string_view::npos) return std::string(line);
  const std::string_view rest = line.substr(level);
  if (!rest.starts_with("ZOO_ERROR") && !rest.starts_with("ZOO_WARN")) return std::nullopt;
  const std::size_t words = rest.find(": ");
  return std::string(words == std::string_view::npos ? rest : rest.substr(words + 2));
}

Duration reconnect_pause(int failures, Duration session_timeout) {
  const Duration most = std::clamp(session_timeout / 10, milliseconds(50), milliseconds(500));
  const int doublings = std::clamp(failures - 1, 0, 10);
  return std::min(most, pause_min * (std::int64_t{1} << doublings));
}

class ZookeeperClient::InLibrary {
 public:
  explicit InLibrary(ZookeeperClient& client)
      : client_(std::exchange(current_client, &client)),
        log_(std::exchange(current_log, &client.handlers_.on_log)) {}
  ~InLibrary() {
    current_client = client_;
    current_log = log_;
  }
  InLibrary(const InLibrary&) = delete;
  InLibrary& operator=(const InLibrary&) = delete;

 private:
  ZookeeperClient* client_;
  const std::function<void(std::string)>* log_;
};

/// A duplicate of the library's socket: it closes its own whenever it likes, and Asio must not
/// wait on a number that has become another socket.
struct ZookeeperClient::Socket {
  Socket(asio::io_context& io, int fd) : number(inode(fd)), descriptor(io, ::dup(fd)) {}
  ino_t number;
  asio::posix::stream_descriptor descriptor;
  bool reading = false;
  bool writing = false;
};

/// Travels through the library as its `data`.
template <class... Args>
struct ZookeeperClient::Call<void(Args...)> {
  ZookeeperClient* client;
  std::function<void(Args...)> done;

  static const void* make(ZookeeperClient* client, std::function<void(Args...)> done) {
    return new Call{client, std::move(done)};
  }
  static void finish(const void* data, Args... args) {
    const std::unique_ptr<const Call> call(static_cast<const Call*>(data));
    if (!call->client->ending_) call->done(std::move(args)...);
  }
};

ZookeeperClient::ZookeeperClient(asio::io_context& io, ZookeeperUrl url, Duration session_timeout,
                                 Handlers handlers)
    : io_(io),
      url_(std::move(url)),
      session_timeout_(session_timeout),
      handlers_(std::move(handlers)),
      timer_(io) {}

ZookeeperClient::~ZookeeperClient() { end(); }

// --- sessions ---

void ZookeeperClient::open() {
  end();
  wanted_ = true;
  kick();
}

void ZookeeperClient::close() {
  wanted_ = false;
  end();
  timer_.cancel();
}

void ZookeeperClient::begin() {
  std::string servers;
  for (const std::string& server : url_.servers) servers += (servers.empty() ? "" : ",") + server;
  const auto watcher = [](zhandle_t*, int type, int state, const char*, void*) {
    ZookeeperClient* client = current_client;
    if (client == nullptr || client->ending_) return;
    if (type == ZOO_SESSION_EVENT) {
      if (state == ZOO_CONNECTED_STATE) client->failures_ = 0;
      client->handlers_.on_session(state);
    } else {
      client->handlers_.on_group();
    }
  };
  errno = 0;
  handle_ = zookeeper_init2(servers.c_str(), watcher, static_cast<int>(to_ms(session_timeout_)),
                            nullptr, nullptr, ZOO_NO_LOG_CLIENTENV, log_callback);
  if (handle_ == nullptr) {
    const std::string why = errno == 0 ? "names do not resolve" : std::strerror(errno);
    note(ZSYSTEMERROR);
    handlers_.on_unresolved({ErrorCode::unavailable, to_string(url_) + ": " + why});
    return;
  }
  if (url_.user.empty()) return;
  const std::string login = url_.user + ":" + url_.password;
  zoo_add_auth(handle_, "digest", login.c_str(), static_cast<int>(login.size()), nullptr, nullptr);
}

void ZookeeperClient::end() {
  if (handle_ == nullptr) return;
  InLibrary scope(*this);
  ending_ = true;
  zookeeper_close(std::exchange(handle_, nullptr));
  ending_ = false;
  socket_.reset();
}

std::uint64_t ZookeeperClient::session() const {
  return handle_ == nullptr ? 0 : static_cast<std::uint64_t>(zoo_client_id(handle_)->client_id);
}

Duration ZookeeperClient::timeout() const {
  return handle_ == nullptr ? Duration{} : milliseconds(zoo_recv_timeout(handle_));
}

// --- the loop ---

void ZookeeperClient::kick() {
  if (std::exchange(kicked_, true)) return;
  asio::post(io_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) {
      self->kicked_ = false;
      self->turn(0);
    }
  });
}

void ZookeeperClient::note(int code) {
  if (code == ZOK || code == ZNOTHING) return;
  ++failures_;
  paused_until_ = read_clocks().mono + reconnect_pause(failures_, session_timeout_);
}

void ZookeeperClient::turn(int ready) {
  if (in_turn_ || !wanted_) return;
  const std::shared_ptr<ZookeeperClient> self = shared_from_this();
  in_turn_ = true;
  if (ready != 0 && handle_ != nullptr) {
    InLibrary scope(*this);
    note(zookeeper_process(handle_, ready));
  }
  int fd = -1;
  int interest = 0;
  timeval span{0, 0};
  Duration pause{};
  for (int round = 0; round < rounds_per_turn_max && wanted_; ++round) {
    handlers_.on_turn();
    if (!wanted_) break;
    fd = -1;
    // Without a pause the library would try server after server every few milliseconds.
    pause = paused_until_ - read_clocks().mono;
    if (pause.ns > 0) break;
    InLibrary scope(*this);
    if (handle_ == nullptr) begin();
    if (handle_ != nullptr) note(zookeeper_interest(handle_, &fd, &interest, &span));
    pause = paused_until_ - read_clocks().mono;
    if (!handlers_.has_notes()) break;
  }
  in_turn_ = false;
  if (!wanted_) return;
  if (handlers_.has_notes()) kick();
  if (pause.ns > 0) {
    socket_.reset();
    wait(to_chrono(pause));
    return;
  }
  watch_socket(fd, interest);
  const auto library = std::chrono::seconds(span.tv_sec) + std::chrono::microseconds(span.tv_usec);
  wait(std::max<std::chrono::nanoseconds>(library, std::chrono::milliseconds(1)));
}

void ZookeeperClient::wait(std::chrono::nanoseconds span) {
  timer_.expires_after(span);
  timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->turn(0);
  });
}

void ZookeeperClient::watch_socket(int fd, int interest) {
  if (fd < 0) {
    socket_.reset();
    return;
  }
  if (!socket_ || socket_->number != inode(fd)) socket_ = std::make_shared<Socket>(io_, fd);
  const auto watch = [this](bool Socket::*armed, int event,
                            asio::posix::stream_descriptor::wait_type type) {
    if (std::exchange((*socket_).*armed, true)) return;
    socket_->descriptor.async_wait(type, [weak = weak_from_this(), socket = socket_, armed,
                                          event](const std::error_code& error) {
      (*socket).*armed = false;
      const auto self = weak.lock();
      if (!error && self && self->socket_ == socket) self->turn(event);
    });
  };
  using Descriptor = asio::posix::stream_descriptor;
  if ((interest & ZOOKEEPER_READ) != 0) {
    watch(&Socket::reading, ZOOKEEPER_READ, Descriptor::wait_read);
  }
  if ((interest & ZOOKEEPER_WRITE) != 0) {
    watch(&Socket::writing, ZOOKEEPER_WRITE, Descriptor::wait_write);
  }
}

// --- requests ---

void ZookeeperClient::list(std::function<void(int, std::vector<std::string>)> done) {
  using Listing = Call<void(int, std::vector<std::string>)>;
  if (handle_ == nullptr) return done(ZINVALIDSTATE, {});
  InLibrary scope(*this);
  const auto answered = [](int code, const String_vector* names, const void* data) {
    std::vector<std::string> found;
    for (int i = 0; code == ZOK && i < names->count; ++i) found.emplace_back(names->data[i]);
    Listing::finish(data, code, std::move(found));
  };
  const void* data = Listing::make(this, [this, done](int code, std::vector<std::string> names) {
    // Where it is missing, its making is what is watched.
    if (code == ZNONODE && handle_ != nullptr) {
      zoo_aexists(
          handle_, url_.path.c_str(), 1, [](int, const Stat*, const void*) {}, nullptr);
    }
    done(code, std::move(names));
  });
  const int code = zoo_aget_children(handle_, url_.path.c_str(), 1, answered, data);
  if (code != ZOK) Listing::finish(data, code, {});
}

void ZookeeperClient::read(const std::string& name, std::function<void(int, std::string)> done) {
  using Reading = Call<void(int, std::string)>;
  if (handle_ == nullptr) return done(ZINVALIDSTATE, {});
  InLibrary scope(*this);
  const auto answered = [](int code, const char* value, int size, const Stat*, const void* data) {
    const bool there = code == ZOK && value != nullptr && size > 0;
    Reading::finish(data, code, there ? std::string(value, static_cast<std::size_t>(size)) : "");
  };
  const void* data = Reading::make(this, std::move(done));
  const int code = zoo_aget(handle_, full(name).c_str(), 0, answered, data);
  if (code != ZOK) Reading::finish(data, code, {});
}

void ZookeeperClient::create_member(const std::string& prefix, const std::string& text,
                                    std::function<void(int)> done) {
  using Creating = Call<void(int)>;
  if (handle_ == nullptr) return done(ZINVALIDSTATE);
  InLibrary scope(*this);
  const auto answered = [](int code, const char*, const void* data) {
    Creating::finish(data, code);
  };
  const Acl acl(!url_.user.empty());
  const void* data = Creating::make(this, std::move(done));
  const int code =
      zoo_acreate(handle_, full(prefix).c_str(), text.data(), static_cast<int>(text.size()),
                  &acl.vector, ZOO_EPHEMERAL_SEQUENTIAL, answered, data);
  if (code != ZOK) Creating::finish(data, code);
}

void ZookeeperClient::make_path(std::function<void(int)> done) {
  make_path_from(1, std::move(done));
}

void ZookeeperClient::make_path_from(std::size_t begin, std::function<void(int)> done) {
  using Creating = Call<void(int)>;
  if (handle_ == nullptr) return done(ZINVALIDSTATE);
  InLibrary scope(*this);
  const std::size_t slash = url_.path.find('/', begin);
  const std::string path = url_.path.substr(0, slash);
  const auto answered = [](int code, const char*, const void* data) {
    Creating::finish(data, code);
  };
  const Acl acl(!url_.user.empty());
  const void* data = Creating::make(this, [this, slash, done](int code) {
    const bool last = slash == std::string::npos;
    // Above, one that exists may well be forbidden to us.
    if (!last && (code == ZOK || code == ZNODEEXISTS || code == ZNOAUTH)) {
      make_path_from(slash + 1, done);
      return;
    }
    done(code == ZNODEEXISTS ? static_cast<int>(ZOK)
                             : (code == ZNONODE ? static_cast<int>(ZNOAUTH) : code));
  });
  const int code =
      zoo_acreate(handle_, path.c_str(), "", 0, &acl.vector, ZOO_PERSISTENT, answered, data);
  if (code != ZOK) Creating::finish(data, code);
}

void ZookeeperClient::confirm(const std::string& name, std::function<void(int, bool)> done) {
  using Confirming = Call<void(int, bool)>;
  if (handle_ == nullptr) return done(ZINVALIDSTATE, false);
  InLibrary scope(*this);
  const std::string path = full(name);
  // Answers come in the order of the questions.
  const auto synced = std::make_shared<int>(ZCONNECTIONLOSS);
  const void* first = Confirming::make(this, [synced](int code, bool) { *synced = code; });
  const int code = zoo_async(
      handle_, path.c_str(),
      [](int result, const char*, const void* data) { Confirming::finish(data, result, true); },
      first);
  if (code != ZOK) {
    Confirming::finish(first, code, false);
    return done(code, false);
  }
  const auto answered = [](int result, const Stat* stat, const void* data) {
    ZookeeperClient* client = static_cast<const Confirming*>(data)->client;
    const bool ours = result == ZOK && client->handle_ != nullptr &&
                      static_cast<std::uint64_t>(stat->ephemeralOwner) == client->session();
    Confirming::finish(data, result, ours);
  };
  const void* second = Confirming::make(this, [synced, done](int result, bool ours) {
    if (*synced != ZOK) return done(*synced, false);
    done(result == ZNONODE ? static_cast<int>(ZOK) : result, ours);
  });
  const int asked = zoo_aexists(handle_, path.c_str(), 0, answered, second);
  if (asked != ZOK) Confirming::finish(second, asked, false);
}

}  // namespace librm::runtime_detail
