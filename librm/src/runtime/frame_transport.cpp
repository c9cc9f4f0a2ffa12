// Sessions on sockets: who listens, who connected, which channel is which ConnectionId.
#include "librm/runtime/frame_transport.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <list>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "endpoints.hpp"
#include "librm/wire/sequencer.hpp"
#include "socket_link.hpp"

namespace librm {
namespace {

using detail::SocketLink;
using detail::StreamAcceptor;
using detail::StreamEndpoint;
using detail::StreamSocket;

constexpr std::uint64_t connection_id_first = 2;
// Where no descriptor is left, room appears when another connection ends.
constexpr std::chrono::milliseconds accept_retry_after{100};
// The reason of a channel's end comes from outside and goes into logs.
constexpr std::size_t end_reason_bytes_max = 512;

std::string printable(std::string_view text) {
  std::string result(text.substr(0, end_reason_bytes_max));
  for (char& c : result) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return result;
}

}  // namespace

struct FrameTransport::Impl final : SocketLink::Owner, std::enable_shared_from_this<Impl> {
  struct Session {
    std::shared_ptr<SocketLink> link;
    std::uint32_t channel = 0;
    Sequencer sequencer;
  };

  struct Listener {
    Listener(StreamAcceptor a, asio::io_context& context)
        : acceptor(std::move(a)), retry(context) {}
    StreamAcceptor acceptor;
    asio::steady_timer retry;
  };

  Impl(asio::io_context& context, TransportOptions o, Callbacks c)
      : io(context), options(o), callbacks(std::move(c)), resolver(context) {}

  // --- listening ---

  Result<std::uint16_t> listen(const StreamEndpoint& endpoint, const std::string& name) {
    Result<StreamAcceptor> acceptor = detail::listen(io, endpoint, name);
    if (!acceptor) return tl::unexpected<Error>(acceptor.error());
    asio::error_code error;
    const std::uint16_t port = detail::port_of(acceptor->local_endpoint(error));
    listeners.push_back(std::make_shared<Listener>(std::move(*acceptor), io));
    accept(listeners.back());
    return port;
  }

  void accept(const std::shared_ptr<Listener>& listener) {
    if (accepted_sockets >= options.sockets_max) return accept_later(listener);
    listener->acceptor.async_accept([this, keep = shared_from_this(), listener](
                                        const asio::error_code& error, StreamSocket socket) {
      if (error == asio::error::operation_aborted || !listener->acceptor.is_open()) return;
      if (error) return accept_later(listener);
      on_accepted(std::move(socket));
      accept(listener);
    });
  }

  void accept_later(const std::shared_ptr<Listener>& listener) {
    listener->retry.expires_after(accept_retry_after);
    listener->retry.async_wait(
        [this, keep = shared_from_this(), listener](const asio::error_code& error) {
          if (!error && listener->acceptor.is_open()) accept(listener);
        });
  }

  void on_accepted(StreamSocket socket) {
    detail::set_stream_options(socket);
    asio::error_code error;
    const StreamEndpoint remote = socket.remote_endpoint(error);
    if (error) return;  // gone already
    auto link = add_link(std::move(socket), detail::to_string(remote), true);
    ++accepted_sockets;
    link->expect_session_within(options.first_message_timeout);
    link->start();
  }

  void stop_listening() {
    for (const std::shared_ptr<Listener>& listener : listeners) {
      asio::error_code ignored;
      listener->acceptor.close(ignored);
      listener->retry.cancel();
    }
    listeners.clear();
  }

  // --- connecting ---

  void connect(std::vector<StreamEndpoint> endpoints, std::string name, OnOpened on_opened) {
    detail::connect(io, std::move(endpoints), name, options.connect_timeout, weak_from_this(),
                    [this, name, answer = std::move(on_opened)](Result<StreamSocket> socket) {
                      if (is_shut) return;
                      if (!socket) return answer(tl::unexpected<Error>(socket.error()));
                      auto link = add_link(std::move(*socket), name, false);
                      const ConnectionId id = add_session(link, link->channel_next++);
                      link->start();
                      answer(id);
                    });
  }

  void resolve(const std::string& host, std::uint16_t port, OnOpened on_opened) {
    const std::string name = host + ":" + std::to_string(port);
    Result<StreamEndpoint> numeric = detail::tcp_endpoint(host, port);
    if (numeric) return connect({*numeric}, name, std::move(on_opened));
    resolver.async_resolve(
        host, std::to_string(port),
        [this, alive = weak_from_this(), name, answer = std::move(on_opened)](
            const asio::error_code& error, const asio::ip::tcp::resolver::results_type& found) {
          if (alive.expired() || is_shut) return;
          if (error) {
            return answer(fail(ErrorCode::unavailable, name + ": " + error.message()));
          }
          std::vector<StreamEndpoint> endpoints;
          for (const auto& entry : found) endpoints.emplace_back(entry.endpoint());
          connect(std::move(endpoints), name, answer);
        });
  }

  // --- sockets and sessions ---

  std::shared_ptr<SocketLink> add_link(StreamSocket socket, std::string peer, bool accepted) {
    auto link = std::make_shared<SocketLink>(
        std::move(socket), std::move(peer), accepted,
        SocketLink::Limits{options.payload_max, options.outgoing_bytes_max, options.linger}, *this);
    links.emplace(link.get(), link);
    return link;
  }

  ConnectionId add_session(const std::shared_ptr<SocketLink>& link, std::uint32_t channel) {
    const ConnectionId id{connection_id_next++};
    sessions.emplace(id, Session{link, channel, {}});
    link->channels.emplace(channel, id);
    return id;
  }

  void forget_link(SocketLink& link) {
    if (links.erase(&link) > 0 && link.accepted()) --accepted_sockets;
  }

  void send(Session& session, const std::function<std::string(const Slot&)>& encode) {
    session.link->append(encode({session.channel, session.sequencer.next_to_send(), epoch}));
  }

  void send_end(Session& session, const std::string& reason) {
    send(session, [&reason](const Slot& slot) {
      FrameHeader header;
      header.number = channel_end_number;
      header.channel = slot.channel;
      header.request_id = slot.request_id;
      header.epoch = slot.epoch;
      return encode_frame(header, reason);
    });
  }

  /// Ends one session; with its last session a socket ends, too.
  void end(ConnectionId id, const std::string& reason, bool tell_peer) {
    const auto found = sessions.find(id);
    if (found == sessions.end()) return;
    if (tell_peer) send_end(found->second, reason);
    const std::shared_ptr<SocketLink> link = found->second.link;
    link->channels.erase(found->second.channel);
    sessions.erase(found);
    if (!link->channels.empty()) return;
    forget_link(*link);
    link->finish();
  }

  void bad_peer(const SocketLink& link, const std::string& reason) {
    if (callbacks.on_bad_peer) callbacks.on_bad_peer(link.peer(), reason);
  }

  /// The peer broke the rules of this session.
  void refuse(SocketLink& link, ConnectionId id, const std::string& reason) {
    bad_peer(link, "session closed: " + reason);
    end(id, reason, true);
    if (callbacks.on_closed) callbacks.on_closed(id, reason);
  }

  // --- what comes in ---

  void on_frame(SocketLink& link, const Frame& frame) override {
    const auto keep = shared_from_this();
    const auto known = link.channels.find(frame.header.channel);
    const bool first = known == link.channels.end();
    // What the peer sent before it knew that the channel had ended.
    if (first && (!link.accepted() || frame.header.request_id != 1)) {
      if (!link.channels.empty()) return;
      return drop_link(link, "the first frame has request id " +
                                 std::to_string(frame.header.request_id) + ", need 1");
    }
    if (first && link.channels.size() >= options.channels_max) {
      return drop_link(link, "more than " + std::to_string(options.channels_max) + " channels");
    }
    const ConnectionId id =
        first ? add_session(link.shared_from_this(), frame.header.channel) : known->second;
    if (first && callbacks.on_connected) callbacks.on_connected(id);
    const auto session = sessions.find(id);
    if (session == sessions.end()) return;  // closed by on_connected
    deliver(link, id, session->second, frame);
  }

  void deliver(SocketLink& link, ConnectionId id, Session& session, const Frame& frame) {
    switch (session.sequencer.on_received(frame.header.request_id)) {
      case Sequencer::Verdict::deliver:
        break;
      case Sequencer::Verdict::duplicate:
        return;
      case Sequencer::Verdict::gap:
        return refuse(link, id,
                      "frame " + std::to_string(frame.header.request_id) + " came after " +
                          std::to_string(session.sequencer.last_received()));
    }
    if (frame.header.number == channel_end_number) {
      const std::string reason = "closed by the peer: " + printable(frame.payload);
      end(id, {}, false);
      if (callbacks.on_closed) callbacks.on_closed(id, reason);
      return;
    }
    if (!callbacks.on_frame) return;
    Result<void> taken = callbacks.on_frame(id, frame);
    if (!taken && sessions.contains(id)) refuse(link, id, taken.error().message);
  }

  /// A peer whose frames make no sense together.
  void drop_link(SocketLink& link, const std::string& reason) {
    const auto self = link.shared_from_this();
    link.abort();
    on_lost(link, reason, true);
  }

  void on_lost(SocketLink& link, const std::string& reason, bool was_bad) override {
    const auto keep = shared_from_this();
    const auto self = link.shared_from_this();
    if (was_bad) bad_peer(link, "connection closed: " + reason);
    forget_link(link);
    const std::map<std::uint32_t, ConnectionId> channels = std::exchange(link.channels, {});
    for (const auto& [channel, id] : channels) sessions.erase(id);
    for (const auto& [channel, id] : channels) {
      if (callbacks.on_closed) callbacks.on_closed(id, reason);
    }
  }

  void shut() {
    is_shut = true;
    stop_listening();
    resolver.cancel();
    sessions.clear();
    for (auto& [address, link] : std::exchange(links, {})) link->abort();
  }

  asio::io_context& io;
  TransportOptions options;
  Callbacks callbacks;
  asio::ip::tcp::resolver resolver;
  std::list<std::shared_ptr<Listener>> listeners;
  std::unordered_map<SocketLink*, std::shared_ptr<SocketLink>> links;
  std::unordered_map<ConnectionId, Session> sessions;
  std::uint64_t connection_id_next = connection_id_first;
  std::size_t accepted_sockets = 0;
  Epoch epoch = 0;
  bool is_shut = false;
};

FrameTransport::FrameTransport(asio::io_context& io, TransportOptions options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(io, options, std::move(callbacks))) {}

FrameTransport::~FrameTransport() { impl_->shut(); }

Result<std::uint16_t> FrameTransport::listen_tcp(const std::string& address, std::uint16_t port) {
  Result<StreamEndpoint> endpoint = detail::tcp_endpoint(address, port);
  if (!endpoint) return tl::unexpected<Error>(endpoint.error());
  return impl_->listen(*endpoint, detail::to_string(*endpoint));
}

Result<void> FrameTransport::listen_unix(const std::string& path) {
  Result<detail::UnixPath> name = detail::UnixPath::make(path);
  if (!name) return tl::unexpected<Error>(name.error());
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
  Result<std::uint16_t> listening = impl_->listen(name->endpoint(), path);
  if (!listening) return tl::unexpected<Error>(listening.error());
  // Until here the umask decided; what keeps strangers out meanwhile is the directory.
  ::chmod(path.c_str(), 0600);
  return {};
}

void FrameTransport::stop_listening() { impl_->stop_listening(); }

void FrameTransport::connect_tcp(const std::string& host, std::uint16_t port, OnOpened on_opened) {
  impl_->resolve(host, port, std::move(on_opened));
}

void FrameTransport::connect_unix(const std::string& path, OnOpened on_opened) {
  Result<detail::UnixPath> name = detail::UnixPath::make(path);
  if (!name) {
    asio::post(impl_->io, [alive = std::weak_ptr<Impl>(impl_), error = name.error(),
                           answer = std::move(on_opened)] {
      if (!alive.expired()) answer(tl::unexpected<Error>(error));
    });
    return;
  }
  // The kernel looks the path up within connect(), so the name may end with this function.
  impl_->connect({name->endpoint()}, path, std::move(on_opened));
}

Result<ConnectionId> FrameTransport::open_channel(ConnectionId beside) {
  const auto found = impl_->sessions.find(beside);
  if (found == impl_->sessions.end()) {
    return fail(ErrorCode::not_found, to_string(beside) + ": no such connection");
  }
  const std::shared_ptr<SocketLink> link = found->second.link;
  if (link->accepted()) {
    return fail(ErrorCode::failed_precondition,
                to_string(beside) + ": only the side that connected opens channels");
  }
  return impl_->add_session(link, link->channel_next++);
}

void FrameTransport::send(ConnectionId connection,
                          const std::function<std::string(const Slot&)>& encode) {
  const auto found = impl_->sessions.find(connection);
  if (found != impl_->sessions.end()) impl_->send(found->second, encode);
}

void FrameTransport::close(ConnectionId connection, const std::string& reason) {
  impl_->end(connection, reason, true);
}

void FrameTransport::close_all(const std::string& reason) {
  stop_listening();
  std::vector<ConnectionId> all;
  for (const auto& [id, session] : impl_->sessions) all.push_back(id);
  for (const ConnectionId id : all) impl_->end(id, reason, true);
}

void FrameTransport::set_epoch(Epoch epoch) { impl_->epoch = epoch; }

std::string FrameTransport::peer(ConnectionId connection) const {
  const auto found = impl_->sessions.find(connection);
  return found == impl_->sessions.end() ? std::string() : found->second.link->peer();
}

std::size_t FrameTransport::sessions() const { return impl_->sessions.size(); }
std::size_t FrameTransport::sockets() const { return impl_->links.size(); }

}  // namespace librm
