// The HTTP server on RESTinio's connections. All of RESTinio is in this file: it is slow to parse.
//
// Two things are ours. The accept loop, because RESTinio's ends for good at the first failed
// accept (no file descriptors left, say). And the socket under each connection, because RESTinio
// closes a connection whose request it cannot parse without a word, where we send a problem.
#include "http/server.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <asio/ip/tcp.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <restinio/http_server.hpp>
#include <restinio/settings.hpp>
#include <restinio/traits.hpp>
#include <unordered_map>

#include "http/edge_socket.hpp"
#include "http/problem.hpp"
#include "http/refusal.hpp"
#include "http/text.hpp"

namespace librm::http {

namespace {

using Tcp = asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr std::size_t read_buffer_bytes = 16 << 10;
constexpr auto accept_retry_after = std::chrono::milliseconds(100);

/// Keeps RESTinio's last complaint for refusal_for().
class EdgeLogger {
 public:
  explicit EdgeLogger(std::shared_ptr<std::string> last) : last_(std::move(last)) {}
  template <class Builder>
  void trace(Builder&&) const noexcept {}
  template <class Builder>
  void info(Builder&&) const noexcept {}
  template <class Builder>
  void warn(Builder&&) const noexcept {}
  template <class Builder>
  void error(Builder&& builder) const {
    *last_ = builder();
  }

 private:
  std::shared_ptr<std::string> last_;
};

struct EdgeTraits : restinio::traits_t<restinio::asio_timer_manager_t, EdgeLogger,
                                       restinio::details::autodetect_request_handler_type,
                                       restinio::noop_strand_t, EdgeSocket> {};

using Connection = restinio::impl::connection_t<EdgeTraits>;
using ConnectionSettings = restinio::impl::connection_settings_t<EdgeTraits>;
using LifetimeMonitor = restinio::connection_count_limits::connection_lifetime_monitor_t<
    restinio::connection_count_limits::noop_connection_count_limiter_t>;

template <class Builder>
void add_headers(Builder& builder, HttpResponse& response) {
  builder.append_header(restinio::http_field::content_type, std::move(response.content_type));
  builder.append_header(restinio::http_field::cache_control, "no-store");
  builder.append_header("X-Content-Type-Options", "nosniff");
  for (auto& [name, value] : response.headers) {
    builder.append_header(std::move(name), header_safe(std::move(value)));
  }
}

restinio::http_status_line_t status_line(int status) {
  return {restinio::http_status_code_t{static_cast<std::uint16_t>(status)}, reason_phrase(status)};
}

/// Sends chunks; has at most one write under way, and gathers what is written meanwhile.
class Stream final : public PeerStream, public std::enable_shared_from_this<Stream> {
 public:
  using Builder = restinio::response_builder_t<restinio::chunked_output_t>;

  Stream(asio::io_context& io, std::shared_ptr<Peer> peer, Builder builder, std::size_t bytes_max)
      : io_(io), peer_(std::move(peer)), builder_(std::move(builder)), bytes_max_(bytes_max) {}

  void start() {
    // After the handler's turn, so that the first bytes travel with the headers.
    asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && self->open_ && !self->begun_) self->flush({});
    });
  }

  bool write(std::string bytes) {
    if (!open_) return false;
    if (bytes.empty()) return true;
    buffered_ += bytes.size();
    if (buffered_ > bytes_max_) {
      abort();
      return false;
    }
    if (writing_) {
      pending_ += bytes;
    } else {
      flush(std::move(bytes));
    }
    return open_;
  }

  void close() {
    if (!open_) return;
    open_ = false;
    closed_ = drained_ = nullptr;
    if (!pending_.empty()) builder_.append_chunk(std::move(pending_));
    builder_.done([peer = peer_](const std::error_code&) { --peer->exchanges; });
  }

  /// Cuts the client off.
  void abort() {
    if (!open_) return;
    if (peer_->socket != nullptr) peer_->socket->close();
    lost();
  }

  bool is_open() const override { return open_; }

  void lost() override {
    if (!open_) return;
    open_ = false;
    --peer_->exchanges;
    pending_.clear();
    drained_ = nullptr;
    asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self && self->closed_) std::exchange(self->closed_, nullptr)();
    });
  }

  bool open_ = true;
  std::size_t buffered_ = 0;
  std::function<void()> closed_;
  std::function<void()> drained_;

 private:
  void flush(std::string bytes) {
    writing_ = begun_ = true;
    const std::size_t size = bytes.size();
    if (size > 0) builder_.append_chunk(std::move(bytes));
    builder_.flush([weak = weak_from_this(), size](const std::error_code& error) {
      if (const auto self = weak.lock()) self->on_sent(error, size);
    });
  }

  void on_sent(const std::error_code& error, std::size_t size) {
    writing_ = false;
    buffered_ -= size;
    if (!open_) return;
    if (error) return lost();
    if (!pending_.empty()) return flush(std::exchange(pending_, {}));
    // A copy: the callback may replace or end itself.
    if (auto drained = drained_) drained();
  }

  asio::io_context& io_;
  std::shared_ptr<Peer> peer_;
  Builder builder_;
  const std::size_t bytes_max_;
  std::string pending_;
  bool writing_ = false;
  bool begun_ = false;
};

/// What a handler holds; the last one that goes away breaks a stream that was not closed.
class StreamHandle final : public ResponseStream {
 public:
  explicit StreamHandle(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  StreamHandle(const StreamHandle&) = delete;
  StreamHandle& operator=(const StreamHandle&) = delete;
  ~StreamHandle() override {
    stream_->closed_ = stream_->drained_ = nullptr;
    stream_->abort();
  }

  bool write(std::string bytes) override { return stream_->write(std::move(bytes)); }
  void close() override { stream_->close(); }
  bool is_open() const override { return stream_->open_; }
  std::size_t buffered() const override { return stream_->buffered_; }
  void on_closed(std::function<void()> callback) override {
    if (stream_->open_) stream_->closed_ = std::move(callback);
  }
  void on_drained(std::function<void()> callback) override {
    if (stream_->open_) stream_->drained_ = std::move(callback);
  }

 private:
  std::shared_ptr<Stream> stream_;
};

/// One request of one connection.
class ServerExchange final : public Exchange {
 public:
  ServerExchange(asio::io_context& io, std::shared_ptr<Peer> peer,
                 restinio::request_handle_t request, bool head, std::size_t stream_bytes_max,
                 std::shared_ptr<const bool> stopping)
      : io_(io),
        peer_(std::move(peer)),
        request_(std::move(request)),
        head_(head),
        stream_bytes_max_(stream_bytes_max),
        stopping_(std::move(stopping)) {}

  void reply(HttpResponse response) override {
    const auto written = [peer = peer_](const std::error_code&) { --peer->exchanges; };
    if (head_) {
      auto builder = request_->create_response<restinio::user_controlled_output_t>(
          status_line(response.status));
      if (*stopping_) builder.connection_close();
      add_headers(builder, response);
      builder.set_content_length(response.body.size());
      builder.done(written);
    } else {
      auto builder = request_->create_response(status_line(response.status));
      if (*stopping_) builder.connection_close();
      add_headers(builder, response);
      builder.set_body(std::move(response.body));
      builder.done(written);
    }
  }

  std::shared_ptr<ResponseStream> stream(HttpResponse head) override {
    const auto& header = request_->header();
    if (header.http_major() == 1 && header.http_minor() == 0) {
      reply(problem(Error{ErrorCode::unsupported, "a streamed answer needs HTTP/1.1"}, {}, 505));
      return closed_stream();
    }
    if (head_) {
      reply(std::move(head));
      return closed_stream();
    }
    auto builder = request_->create_response<restinio::chunked_output_t>(status_line(head.status));
    if (*stopping_) builder.connection_close();
    add_headers(builder, head);
    auto stream = std::make_shared<Stream>(io_, peer_, std::move(builder), stream_bytes_max_);
    auto handle = std::make_shared<StreamHandle>(stream);
    if (peer_->socket == nullptr) {
      stream->lost();
    } else {
      std::erase_if(peer_->streams, [](const auto& weak) { return weak.expired(); });
      peer_->streams.push_back(stream);
      stream->start();
    }
    return handle;
  }

 private:
  asio::io_context& io_;
  std::shared_ptr<Peer> peer_;
  restinio::request_handle_t request_;
  const bool head_;
  const std::size_t stream_bytes_max_;
  std::shared_ptr<const bool> stopping_;
};

/// Our changes to RESTinio's parser callbacks.
http_parser_settings parser_settings() {
  using namespace restinio::impl;
  auto settings = create_parser_settings<restinio::default_http_methods_t>();
  settings.on_headers_complete = [](http_parser* parser) -> int {
    const int result = restinio_headers_complete_cb(parser);
    auto& header = static_cast<http_parser_ctx_t*>(parser->data)->m_header;
    header.http_major(parser->http_major);
    header.http_minor(parser->http_minor);
    // We speak nothing but HTTP/1.1; an offer to change the protocol may be ignored.
    parser->upgrade = 0;
    return result;
  };
  // RESTinio would note every chunk's place, at several times the cost of a small chunk itself.
  settings.on_chunk_header = [](http_parser*) -> int { return 0; };
  return settings;
}

Clock::duration to_chrono(Duration d) { return std::chrono::nanoseconds(d.ns); }

}  // namespace

class HttpServer::Impl : public std::enable_shared_from_this<HttpServer::Impl> {
 public:
  Impl(asio::io_context& io, HttpServerOptions options, Handler handler)
      : io_(io),
        options_(std::move(options)),
        handler_(std::move(handler)),
        acceptor_(io),
        timer_(io) {}

  Result<void> listen() {
    std::error_code error;
    const std::string& name = options_.address;
    const auto address = asio::ip::make_address(name == "localhost" ? "127.0.0.1" : name, error);
    if (error) {
      return fail(ErrorCode::invalid_argument, "http address '" + name + "': not an IP address");
    }
    const Tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) ::fcntl(acceptor_.native_handle(), F_SETFD, FD_CLOEXEC);
    if (!error) acceptor_.set_option(Tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) bound_ = acceptor_.local_endpoint(error);
    if (error) {
      std::error_code ignored;
      acceptor_.close(ignored);
      return fail(ErrorCode::io_error,
                  "http: cannot listen on " + printed(endpoint) + ": " + error.message());
    }
    settings_ = make_settings();
    accept();
    return {};
  }

  std::uint16_t port() const { return bound_.port(); }
  std::string address() const { return printed(bound_); }
  std::size_t connections() const { return peers_.size(); }

  void stop(Duration grace, std::function<void()> done) {
    *stopping_ = true;
    stopped_ = std::move(done);
    std::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& peer : all_peers()) {
      end_streams(*peer);
      if (peer->exchanges == 0) kill(*peer);
    }
    timer_.expires_after(to_chrono(grace));
    timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
      const auto self = weak.lock();
      if (self && !error) self->kill_all();
    });
    finish_stop_if_idle();
  }

  /// Requests that still wait for their turn on the loop find nobody.
  void abandon() {
    handler_ = nullptr;
    kill_all();
  }

  void kill_all() {
    std::error_code ignored;
    acceptor_.close(ignored);
    for (const auto& peer : all_peers()) kill(*peer);
  }

 private:
  static std::string printed(const Tcp::endpoint& endpoint) {
    const std::string host = endpoint.address().to_string();
    return (endpoint.address().is_v6() ? '[' + host + ']' : host) + ':' +
           std::to_string(endpoint.port());
  }

  std::shared_ptr<ConnectionSettings> make_settings() {
    const Clock::duration read = to_chrono(options_.read_timeout);
    const Clock::duration write = to_chrono(options_.write_timeout);
    // How often each connection looks whether its time is over.
    const Clock::duration check = std::clamp<Clock::duration>(
        std::min(read, write) / 6, std::chrono::milliseconds(10), std::chrono::seconds(5));
    restinio::server_settings_t<EdgeTraits> settings;
    settings.logger(last_complaint_)
        .timer_manager(check)
        .buffer_size(read_buffer_bytes)
        .read_next_http_message_timelimit(read)
        .write_http_response_timelimit(write)
        // Between request and answer: as long as it takes. A quiet stream lives for days.
        .handle_request_timeout(std::chrono::hours(24 * 365 * 10))
        .max_pipelined_requests(options_.pipelined_max)
        .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
                                      .max_url_size(options_.target_bytes_max)
                                      .max_field_name_size(256)
                                      .max_field_value_size(options_.header_bytes_max)
                                      .max_field_count(options_.header_count_max)
                                      .max_body_size(options_.body_bytes_max))
        .request_handler([weak = weak_from_this()](restinio::request_handle_t request) {
          if (const auto self = weak.lock()) {
            self->on_request(std::move(request));
            return restinio::request_accepted();
          }
          return restinio::request_rejected();
        });
    auto timers = settings.timer_factory()->create(io_);
    return std::make_shared<ConnectionSettings>(std::move(settings), parser_settings(),
                                                std::move(timers));
  }

  void accept() {
    acceptor_.async_accept(
        [weak = weak_from_this()](const std::error_code& error, Tcp::socket socket) {
          const auto self = weak.lock();
          if (!self || *self->stopping_ || error == asio::error::operation_aborted) return;
          if (!error) {
            self->on_accepted(std::move(socket));
            return self->accept();
          }
          // Most likely out of descriptors: others may give some back.
          self->timer_.expires_after(accept_retry_after);
          self->timer_.async_wait([weak](const std::error_code& cancelled) {
            const auto again = weak.lock();
            if (again && !cancelled && !*again->stopping_) again->accept();
          });
        });
  }

  void on_accepted(Tcp::socket socket) {
    std::error_code error;
    const auto remote = socket.remote_endpoint(error);
    if (error) return;  // gone already
    ::fcntl(socket.native_handle(), F_SETFD, FD_CLOEXEC);
    socket.set_option(Tcp::no_delay(true), error);
    socket.set_option(asio::socket_base::keep_alive(true), error);
    if (peers_.size() >= options_.connections_max && !make_room()) {
      const std::string answer = raw_answer(
          problem(Error{ErrorCode::unavailable, "too many connections; try again later"}));
      ::send(socket.native_handle(), answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      return;
    }
    auto peer = std::make_shared<Peer>();
    peer->id = ++connection_id_last_;
    peer->on_gone = [weak = weak_from_this()](Peer& gone) {
      if (const auto self = weak.lock()) self->on_gone(gone);
    };
    peer->refusal = [last = last_complaint_] {
      const std::string why = std::exchange(*last, {});
      const bool refused = why.find("parser error") != why.npos;
      return refused ? raw_answer(refusal_for(why)) : std::string();
    };
    peers_.emplace(peer->id, peer);
    const auto connection = std::make_shared<Connection>(
        peer->id, EdgeSocket(std::move(socket), peer), settings_, remote, LifetimeMonitor(nullptr));
    connection->init();
  }

  /// Ends the connection that has been idle for longest; false where all are busy.
  bool make_room() {
    std::shared_ptr<Peer> oldest;
    for (const auto& [id, peer] : peers_) {
      if (peer->exchanges == 0 && (!oldest || peer->active < oldest->active)) oldest = peer;
    }
    if (oldest) kill(*oldest);
    return oldest != nullptr;
  }

  void on_request(restinio::request_handle_t handle) {
    const auto found = peers_.find(handle->connection_id());
    if (found == peers_.end()) return;
    const std::shared_ptr<Peer> peer = found->second;
    ++peer->exchanges;
    HttpRequest request;
    const auto& header = handle->header();
    request.method = header.method().c_str();
    request.head = request.method == "HEAD";
    if (request.head) request.method = "GET";
    request.target = header.request_target();
    header.for_each_field(
        [&](const auto& field) { request.headers.emplace_back(field.name(), field.value()); });
    request.body = std::move(handle->body());
    const bool served = header.http_major() == 1;
    Responder responder(std::make_unique<ServerExchange>(io_, peer, std::move(handle), request.head,
                                                         options_.stream_bytes_max, stopping_));
    if (!served) {
      return responder.reply(
          problem(Error{ErrorCode::unsupported, "only HTTP/1.1 is served here"}, {}, 505));
    }
    // Not on RESTinio's stack: an answer from within its reading makes it lose count of pipelined
    // requests.
    asio::post(io_, [self = shared_from_this(), request = std::move(request),
                     responder = std::move(responder)]() mutable {
      self->handle_request(request, responder);
    });
  }

  void handle_request(HttpRequest& request, Responder& responder) {
    if (!handler_) return;
    auto target = parse_target(request.target);
    if (!target) return responder.reply(problem(target.error()));
    request.segments = std::move(target->segments);
    request.raw_query = std::move(target->raw_query);
    request.query = std::move(target->query);
    if (const auto allowed = check_site(request, bound_.address().is_loopback()); !allowed) {
      return responder.reply(problem(allowed.error()));
    }
    try {
      handler_(request, responder);
    } catch (const std::exception& error) {
      responder.reply(problem(Error{ErrorCode::io_error, error.what()}));
    }
  }

  void on_gone(Peer& gone) {
    const auto found = peers_.find(gone.id);
    if (found == peers_.end()) return;
    const std::shared_ptr<Peer> peer = found->second;
    peers_.erase(found);
    for (const auto& weak : std::exchange(peer->streams, {})) {
      if (const auto stream = weak.lock()) stream->lost();
    }
    finish_stop_if_idle();
  }

  static void end_streams(Peer& peer) {
    bool ended = false;
    for (const auto& weak : peer.streams) {
      const auto stream = weak.lock();
      ended = ended || (stream && stream->is_open());
    }
    if (ended) kill(peer);
  }

  static void kill(Peer& peer) {
    if (peer.socket != nullptr) peer.socket->close();
  }

  std::vector<std::shared_ptr<Peer>> all_peers() const {
    std::vector<std::shared_ptr<Peer>> all;
    for (const auto& [id, peer] : peers_) all.push_back(peer);
    return all;
  }

  void finish_stop_if_idle() {
    if (!*stopping_ || !peers_.empty() || !stopped_) return;
    timer_.cancel();
    asio::post(io_, std::exchange(stopped_, nullptr));
  }

  asio::io_context& io_;
  const HttpServerOptions options_;
  Handler handler_;  ///< empty once the server is gone
  Tcp::acceptor acceptor_;
  Tcp::endpoint bound_;
  asio::steady_timer timer_;  ///< of the next try to accept, then of the end of a stop
  std::shared_ptr<std::string> last_complaint_ = std::make_shared<std::string>();
  std::shared_ptr<bool> stopping_ = std::make_shared<bool>(false);
  std::function<void()> stopped_;
  std::shared_ptr<ConnectionSettings> settings_;
  restinio::connection_id_t connection_id_last_ = 0;
  std::unordered_map<restinio::connection_id_t, std::shared_ptr<Peer>> peers_;
};

HttpServer::HttpServer(asio::io_context& io, HttpServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(handler))) {}
HttpServer::~HttpServer() { impl_->abandon(); }
Result<void> HttpServer::listen() { return impl_->listen(); }
std::uint16_t HttpServer::port() const { return impl_->port(); }
std::string HttpServer::address() const { return impl_->address(); }
std::size_t HttpServer::connections() const { return impl_->connections(); }
void HttpServer::stop(Duration grace, std::function<void()> done) {
  impl_->stop(grace, std::move(done));
}

}  // namespace librm::http
