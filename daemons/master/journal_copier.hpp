// Copies of the master's journal, made by a thread beside the loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "http/backend.hpp"
#include "librm/store/journal_copy.hpp"

namespace asio {
class io_context;
}

namespace librm::daemon {

/// One copy at a time. Used and destroyed on the io_context's thread.
class JournalCopier {
 public:
  /// Writes all that is committed to the new file, on the copier's thread.
  using Copy = std::function<Result<JournalCopy>(const std::string& destination,
                                                 const std::atomic<bool>& stop)>;

  /// Of the file `journal`, beside it, if `spare_bytes` are left in the file system then.
  JournalCopier(asio::io_context& io, const std::string& journal, std::int64_t spare_bytes);
  /// Of a journal that is elsewhere, to the file `destination` for a moment.
  JournalCopier(asio::io_context& io, std::string destination, Copy copy, std::int64_t spare_bytes);
  /// Gives up a copy that is being made; nobody hears of it.
  ~JournalCopier();
  JournalCopier(const JournalCopier&) = delete;
  JournalCopier& operator=(const JournalCopier&) = delete;

  /// The callback comes from the loop.
  void start(http::MasterBackend::OnBackup callback);

 private:
  void answer(http::MasterBackend::OnBackup callback,
              Result<std::shared_ptr<const http::BackupFile>> result);

  asio::io_context& io_;
  const std::string journal_;  ///< whose size the copy has, about; where it is elsewhere, none
  const std::string destination_;
  const Copy copy_;
  const std::int64_t spare_bytes_;
  std::atomic<bool> stop_{false};
  std::shared_ptr<bool> running_ = std::make_shared<bool>(false);  ///< null to a late callback
  std::thread thread_;
};

}  // namespace librm::daemon
