// The socket under each connection: tells a refused client why, and tells when it is closed.
#pragma once

#include <sys/socket.h>

#include <asio/associated_executor.hpp>
#include <asio/bind_executor.hpp>
#include <asio/buffer.hpp>
#include <asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/refusal.hpp"

namespace librm::http {

class EdgeSocket;

/// A streamed answer, as its connection sees it.
class PeerStream {
 public:
  virtual ~PeerStream() = default;
  virtual bool is_open() const = 0;
  /// The connection is gone.
  virtual void lost() = 0;
};

/// One connection as the server keeps it. Owned by its socket; the server's map points to it.
struct Peer {
  std::uint64_t id = 0;
  EdgeSocket* socket = nullptr;  ///< follows moves; null once closed
  bool reading = false;          ///< RESTinio is parsing what arrived, on this very stack
  std::size_t exchanges = 0;     ///< requests whose answers are not written yet
  std::chrono::steady_clock::time_point active = std::chrono::steady_clock::now();
  std::vector<std::weak_ptr<PeerStream>> streams;
  std::function<void(Peer&)> on_gone;
  /// The answer to a request that RESTinio refuses, by its reason.
  std::function<std::string()> refusal;
};

/// The socket that RESTinio reads from, writes to and closes.
class EdgeSocket : public asio::ip::tcp::socket {
 public:
  EdgeSocket(asio::ip::tcp::socket socket, std::shared_ptr<Peer> peer)
      : asio::ip::tcp::socket(std::move(socket)), peer_(std::move(peer)) {
    peer_->socket = this;
  }
  EdgeSocket(EdgeSocket&& other) noexcept
      : asio::ip::tcp::socket(std::move(other)), peer_(std::move(other.peer_)) {
    if (peer_) peer_->socket = this;
  }
  EdgeSocket& operator=(EdgeSocket&&) = delete;
  ~EdgeSocket() { forget(); }

  template <class Buffers, class Completion>
  void async_read_some(const Buffers& buffers, Completion&& completion) {
    const auto executor = asio::get_associated_executor(completion, get_executor());
    asio::ip::tcp::socket::async_read_some(
        buffers, asio::bind_executor(
                     executor, [peer = peer_, buffers, next = std::forward<Completion>(completion)](
                                   const std::error_code& error, std::size_t size) mutable {
                       peer->active = std::chrono::steady_clock::now();
                       if (!error)
                         expect_continue(*peer, *asio::buffer_sequence_begin(buffers), size);
                       peer->reading = !error;
                       next(error, size);
                       peer->reading = false;
                     }));
  }

  void shutdown(shutdown_type what, std::error_code& error) {
    // Closing while it parses, with nothing under way: the request was refused.
    if (peer_ && peer_->reading && peer_->exchanges == 0 && is_open()) {
      if (const std::string answer = peer_->refusal(); !answer.empty()) {
        ::send(native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        asio::ip::tcp::socket::shutdown(shutdown_send, error);
        discard(std::move(static_cast<asio::ip::tcp::socket&>(*this)));
        return;
      }
    }
    asio::ip::tcp::socket::shutdown(what, error);
  }

  void close() {
    std::error_code ignored;
    asio::ip::tcp::socket::close(ignored);
    forget();
  }

 private:
  /// A client with a large body may wait for this line before it sends it. Sending it to one that
  /// does not wait is allowed by RFC 9110, 15.2, so a cheap look at the bytes will do.
  static void expect_continue(Peer& peer, asio::mutable_buffer buffer, std::size_t size) {
    constexpr std::string_view wanted = "100-continue";
    constexpr std::string_view answer = "HTTP/1.1 100 Continue\r\n\r\n";
    const std::string_view bytes(static_cast<const char*>(buffer.data()), size);
    if (peer.exchanges > 0 || peer.socket == nullptr) return;
    if (!bytes.ends_with("\r\n\r\n") || bytes.find(wanted) == bytes.npos) return;
    ::send(peer.socket->native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  void forget() {
    if (!peer_ || peer_->socket == nullptr) return;
    peer_->socket = nullptr;
    peer_->on_gone(*peer_);
  }

  std::shared_ptr<Peer> peer_;
};

}  // namespace librm::http
