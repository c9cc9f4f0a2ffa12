// Listens on a Unix socket and moves frames.
#include "shepherd/agent_link.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <span>
#include <utility>

#include "librm/wire/message.hpp"

namespace librm::shepherd {
namespace {

constexpr std::size_t read_chunk = 64u << 10;
constexpr std::size_t read_per_turn = 1u << 20;  // so that a talkative agent cannot delay reaping

/// The address of `path`. One that is longer than an address goes through `directory`, which must
/// stay open while the address is used.
Result<sockaddr_un> address_of(const std::string& path, Descriptor& directory) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof address.sun_path) {
    const std::size_t slash = path.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    directory = Descriptor(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory) return fail_errno(parent);
    text = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + path.substr(slash + 1);
  }
  if (text.size() >= sizeof address.sun_path) {
    return fail(ErrorCode::invalid_argument, "socket " + path + ": the name is too long");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

bool may_connect(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == ::geteuid() || peer.uid == 0;
}

}  // namespace

Result<AgentLink> AgentLink::listen(const std::string& path, int epoll, Tokens tokens) {
  Descriptor directory;
  Result<sockaddr_un> address = address_of(path, directory);
  if (!address) return tl::unexpected<Error>(address.error());
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener) return fail_errno("socket " + path);
  ::unlink(path.c_str());
  const mode_t before = ::umask(0177);
  const int bound =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  ::umask(before);
  if (bound != 0 || ::listen(listener.get(), 16) != 0) return fail_errno("socket " + path);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tokens.listener;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, listener.get(), &event) != 0) {
    return fail_errno("socket " + path);
  }
  return AgentLink(std::move(listener), epoll, tokens);
}

bool AgentLink::accept() {
  bool opened = false;
  for (;;) {
    Descriptor next(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!next) return opened;
    if (!may_connect(next.get())) continue;
    close();
    open(std::move(next));
    opened = connected();
  }
}

void AgentLink::open(Descriptor connection) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = tokens_.connection;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.get(), &event) != 0) return;
  connection_ = std::move(connection);
}

void AgentLink::close() {
  if (!connection_) return;
  // Closing alone would not do while a child that is just executing still holds a copy.
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, connection_.get(), nullptr);
  ::shutdown(connection_.get(), SHUT_RDWR);
  connection_.reset();
  reader_ = FrameReader();
  sequencer_ = Sequencer();
  outgoing_ = std::string();
  written_ = 0;
  writable_wanted_ = false;
}

Result<void> AgentLink::receive(std::vector<ShepherdMessage>& messages) {
  for (std::size_t taken = 0; connection_ && taken < read_per_turn;) {
    const std::span<char> room = reader_.prepare(read_chunk);
    const ssize_t count = ::recv(connection_.get(), room.data(), room.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return {};
    if (count <= 0) {
      const int reason = errno;
      close();
      if (count < 0) return fail_errno("agent", reason);
      return fail(ErrorCode::unavailable, "agent: closed the connection");
    }
    reader_.commit(static_cast<std::size_t>(count));
    taken += static_cast<std::size_t>(count);
    if (auto ok = take_frames(messages); !ok) {
      close();
      return ok;
    }
  }
  return {};
}

Result<void> AgentLink::take_frames(std::vector<ShepherdMessage>& messages) {
  for (;;) {
    Result<std::optional<Frame>> frame = reader_.next();
    if (!frame) return tl::unexpected<Error>(frame.error());
    if (!*frame) return {};
    const FrameHeader& header = (*frame)->header;
    switch (sequencer_.on_received(header.request_id)) {
      case Sequencer::Verdict::duplicate:
        continue;
      case Sequencer::Verdict::gap:
        return fail(ErrorCode::corrupt, "agent: frame " + std::to_string(header.request_id) +
                                            " after " + std::to_string(sequencer_.last_received()));
      case Sequencer::Verdict::deliver:
        break;
    }
    Result<ShepherdMessage> message = decode_shepherd_message(header, (*frame)->payload);
    if (!message) return tl::unexpected<Error>(message.error());
    messages.push_back(std::move(*message));
  }
}

void AgentLink::send(const ShepherdMessage& message) {
  if (!connection_) return;
  outgoing_ += encode_shepherd_message(message, sequencer_.next_to_send());
  flush();
}

void AgentLink::flush() {
  while (connection_ && written_ < outgoing_.size()) {
    const ssize_t count = ::send(connection_.get(), outgoing_.data() + written_,
                                 outgoing_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return want_writable(true);
    if (count < 0) return close();
    written_ += static_cast<std::size_t>(count);
  }
  // A whole state can be large; its room is not kept for the connection's life.
  if (outgoing_.capacity() > read_per_turn) outgoing_ = std::string();
  outgoing_.clear();
  written_ = 0;
  want_writable(false);
}

void AgentLink::want_writable(bool wanted) {
  if (!connection_ || wanted == writable_wanted_) return;
  writable_wanted_ = wanted;
  epoll_event event{};
  event.events = EPOLLIN | (wanted ? EPOLLOUT : 0u);
  event.data.u64 = tokens_.connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection_.get(), &event);
}

}  // namespace librm::shepherd
