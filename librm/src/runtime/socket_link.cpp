// Reading and writing of one frame socket.
#include "socket_link.hpp"

#include <algorithm>
#include <asio/buffer.hpp>
#include <asio/post.hpp>
#include <asio/write.hpp>
#include <chrono>
#include <optional>
#include <utility>

namespace librm::detail {
namespace {

// Small at first, so that many quiet sockets cost little; doubled while a peer fills it.
constexpr std::size_t read_size_min = 4u << 10;
constexpr std::size_t read_size_max = 256u << 10;
// A burst's buffer is given back; below this it is worth keeping.
constexpr std::size_t write_buffer_kept = 256u << 10;

}  // namespace

SocketLink::SocketLink(StreamSocket socket, std::string peer, bool accepted, Limits limits,
                       Owner& owner)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      accepted_(accepted),
      limits_(limits),
      owner_(&owner),
      reader_(limits.payload_max),
      read_size_(read_size_min),
      timer_(socket_.get_executor()) {}

void SocketLink::start() { read(); }

void SocketLink::expect_session_within(Duration time) {
  timer_.expires_after(std::chrono::nanoseconds(time.ns));
  timer_.async_wait([self = shared_from_this(), time](const asio::error_code& error) {
    if (error || !self->open() || !self->channels.empty()) return;
    self->lose("no message within " + std::to_string(to_ms(time)) + " ms", true);
  });
}

void SocketLink::read() {
  std::span<char> room = reader_.prepare(read_size_);
  socket_.async_read_some(
      asio::buffer(room.data(), room.size()),
      [self = shared_from_this()](const asio::error_code& error, std::size_t size) {
        if (!self->open()) return self->on_read_while_finishing(error);
        if (!error) return self->on_read(size);
        const std::size_t pending = self->reader_.pending();
        if (pending > 0) {
          self->lose("closed by the peer in the middle of a frame, after " +
                         std::to_string(pending) + " bytes of it",
                     true);
        } else if (error == asio::error::eof) {
          self->lose("closed by the peer", false);
        } else {
          self->lose(error.message(), false);
        }
      });
}

void SocketLink::on_read(std::size_t size) {
  reader_.commit(size);
  if (size == read_size_) {
    read_size_ = std::min(read_size_ * 2, read_size_max);
  } else if (size < read_size_ / 4) {
    read_size_ = std::max(read_size_ / 2, read_size_min);
  }
  take_frames();
  if (state_ != State::closed) read();
}

// Closing with unread bytes would reset the connection and take our last frames with it.
void SocketLink::on_read_while_finishing(const asio::error_code& error) {
  if (state_ == State::closed) return;
  if (error) return close_socket();
  read();
}

void SocketLink::take_frames() {
  while (open()) {
    Result<std::optional<Frame>> frame = reader_.next();
    if (!frame) return lose(frame.error().message, true);
    if (!*frame) return;
    if (owner_) owner_->on_frame(*this, **frame);
  }
}

void SocketLink::append(std::string_view frame) {
  if (!open() || overflowed_) return;
  const std::size_t waiting = outgoing_.size() + writing_.size();
  if (waiting + frame.size() > limits_.outgoing_bytes_max) {
    return lose_soon("does not read: " + std::to_string(waiting) + " bytes wait for it, limit " +
                     std::to_string(limits_.outgoing_bytes_max));
  }
  outgoing_.append(frame);
  flush_soon();
}

void SocketLink::flush_soon() {
  if (flush_posted_ || !writing_.empty()) return;
  flush_posted_ = true;
  asio::post(socket_.get_executor(), [self = shared_from_this()] {
    self->flush_posted_ = false;
    self->write();
  });
}

void SocketLink::write() {
  if (state_ == State::closed || !writing_.empty()) return;
  if (outgoing_.empty()) {
    asio::error_code ignored;
    if (state_ == State::finishing) socket_.shutdown(StreamSocket::shutdown_send, ignored);
    return;
  }
  writing_.swap(outgoing_);
  asio::async_write(socket_, asio::buffer(writing_),
                    [self = shared_from_this()](const asio::error_code& error, std::size_t) {
                      self->writing_.clear();
                      if (self->writing_.capacity() > write_buffer_kept) {
                        self->writing_ = std::string();
                      }
                      if (self->state_ == State::closed) return;
                      if (!error) return self->write();
                      if (self->open()) return self->lose(error.message(), false);
                      self->close_socket();
                    });
}

void SocketLink::finish() {
  if (!open()) return;
  state_ = State::finishing;
  owner_ = nullptr;
  timer_.expires_after(std::chrono::nanoseconds(limits_.linger.ns));
  timer_.async_wait([self = shared_from_this()](const asio::error_code& error) {
    if (!error) self->close_socket();
  });
  flush_soon();
}

void SocketLink::abort() {
  owner_ = nullptr;
  close_socket();
}

void SocketLink::lose(const std::string& reason, bool bad_peer) {
  if (!open()) return;
  Owner* owner = std::exchange(owner_, nullptr);
  close_socket();
  if (owner) owner->on_lost(*this, reason, bad_peer);
}

// A sender must not be called back from within its own send().
void SocketLink::lose_soon(std::string reason) {
  overflowed_ = true;
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), reason = std::move(reason)] { self->lose(reason, true); });
}

void SocketLink::close_socket() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  timer_.cancel();
  asio::error_code ignored;
  socket_.close(ignored);
  outgoing_ = std::string();
}

}  // namespace librm::detail
