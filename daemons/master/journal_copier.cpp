// A file that loses its name as soon as it is open: nothing of it stays, however this ends.
#include "master/journal_copier.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/files.hpp"
#include "librm/store/journal_copy.hpp"

namespace librm::daemon {
namespace {

using Copied = Result<std::shared_ptr<const http::BackupFile>>;

std::int64_t size_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_size) : 0;
}

Copied copy_to(const std::string& path, const JournalCopier::Copy& copy,
               const std::atomic<bool>& stop) {
  ::unlink(path.c_str());  // of a process that was killed
  const Result<JournalCopy> made = copy(path, stop);
  if (!made) return tl::unexpected<Error>(made.error());
  const auto file = std::make_shared<http::BackupFile>(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int reason = errno;
  ::unlink(path.c_str());
  if (file->fd < 0) return fail(ErrorCode::io_error, path + ": " + std::strerror(reason));
  file->bytes = made->bytes;
  file->last_lsn = made->last_lsn;
  return file;
}

}  // namespace

JournalCopier::JournalCopier(asio::io_context& io, const std::string& journal,
                             std::int64_t spare_bytes)
    : io_(io),
      journal_(journal),
      destination_(journal + ".backup"),
      copy_([journal](const std::string& destination, const std::atomic<bool>& stop) {
        return copy_journal(journal, destination, stop);
      }),
      spare_bytes_(spare_bytes) {}

JournalCopier::JournalCopier(asio::io_context& io, std::string destination, Copy copy,
                             std::int64_t spare_bytes)
    : io_(io),
      destination_(std::move(destination)),
      copy_(std::move(copy)),
      spare_bytes_(spare_bytes) {}

JournalCopier::~JournalCopier() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void JournalCopier::answer(http::MasterBackend::OnBackup callback, Copied result) {
  asio::post(io_, [weak = std::weak_ptr<bool>(running_), callback = std::move(callback),
                   result = std::move(result)]() mutable {
    const auto running = weak.lock();
    if (!running) return;
    *running = false;
    callback(std::move(result));
  });
}

void JournalCopier::start(http::MasterBackend::OnBackup callback) {
  if (*running_) {
    return asio::post(io_, [callback = std::move(callback)] {
      callback(fail(ErrorCode::failed_precondition,
                    "another copy of the journal is being made; ask again when it is done"));
    });
  }
  *running_ = true;
  const std::int64_t need = size_of(journal_) + size_of(journal_ + "-wal") + spare_bytes_;
  const std::int64_t free = free_bytes(destination_.substr(0, destination_.rfind('/')));
  if (free < need) {
    return answer(std::move(callback), fail(ErrorCode::resource_exhausted,
                                            "no room for a copy of the journal beside it: need " +
                                                std::to_string(need >> 20) + " MiB, free " +
                                                std::to_string(free >> 20)));
  }
  if (thread_.joinable()) thread_.join();  // its last copy is done
  thread_ = std::thread([this, callback = std::move(callback)]() mutable {
    answer(std::move(callback), copy_to(destination_, copy_, stop_));
  });
}

}  // namespace librm::daemon
