// A copy of the journal, sent as fast as its reader takes it.
#include "http/backup_routes.hpp"

#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "http/parameters.hpp"
#include "http/problem.hpp"

namespace librm {

http::BackupFile::~BackupFile() {
  if (fd >= 0) ::close(fd);
}

}  // namespace librm

namespace librm::http {

namespace {

constexpr std::size_t piece_bytes = 256 << 10;  // read at a time: a moment even from a disk

/// Kept by the stream's callback, so it lives as long as that is open.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  Sender(std::shared_ptr<const BackupFile> file, std::shared_ptr<ResponseStream> stream)
      : file_(std::move(file)), stream_(std::move(stream)) {}

  void start() {
    stream_->on_drained([self = shared_from_this()] { self->send(); });
    stream_->on_closed([self = shared_from_this()] { self->end(); });
    send();
  }

 private:
  void send() {
    if (!stream_) return;
    std::string piece(std::min<std::uint64_t>(piece_bytes, file_->bytes - at_), '\0');
    ssize_t size = 0;
    do {
      size = ::pread(file_->fd, piece.data(), piece.size(), static_cast<off_t>(at_));
    } while (size < 0 && errno == EINTR);
    // Dropped without its end, so that half a backup is not taken for a whole one.
    if (size <= 0) return end();
    piece.resize(static_cast<std::size_t>(size));
    at_ += piece.size();
    if (!stream_->write(std::move(piece))) return end();
    if (at_ < file_->bytes) return;
    stream_->close();
    end();
  }

  void end() {
    // The callbacks, and with them this, go with the stream.
    const auto self = shared_from_this();
    stream_.reset();
  }

  std::shared_ptr<const BackupFile> file_;
  std::shared_ptr<ResponseStream> stream_;
  std::uint64_t at_ = 0;
};

}  // namespace

void add_backup_routes(const AddRoute& add, MasterBackend& backend) {
  add("GET", "/v1/backup",
      without_parameters([&backend](const HttpRequest& request, const Params&,
                                    Responder responder) {
        if (request.head) {
          return responder.reply({200, "application/vnd.sqlite3", {}, ""});  // nothing is copied
        }
        backend.backup([responder](Result<std::shared_ptr<const BackupFile>> made) mutable {
          if (!made) {
            const bool full = made.error().code == ErrorCode::resource_exhausted;
            return responder.reply(problem(made.error(), {}, full ? 507 : 0));
          }
          const std::shared_ptr<const BackupFile> file = std::move(*made);
          auto stream = responder.stream({200,
                                          "application/vnd.sqlite3",
                                          {{"Librm-Lsn", std::to_string(file->last_lsn)},
                                           {"Librm-Bytes", std::to_string(file->bytes)}},
                                          ""});
          std::make_shared<Sender>(file, std::move(stream))->start();
        });
      }));
}

}  // namespace librm::http
