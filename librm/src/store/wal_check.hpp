// Reading SQLite's write-ahead log, which SQLite itself cuts off at the first torn frame in
// silence.
#pragma once

#include <cstdint>
#include <string>

#include "librm/base/result.hpp"

namespace librm::store_detail {

struct WalCheck {
  std::uint64_t bytes = 0;
  std::uint64_t frames = 0;   ///< that can be read and are committed
  std::uint64_t commits = 0;  ///< that they are
  /// Where the first frame of this log's generation is that cannot be read; 0: none.
  std::uint64_t bad_frame = 0;
  /// Commits that were begun after the one in which the bad frame is. That one may be torn by a
  /// crash in the middle of it; where every commit is synchronized these cannot be.
  std::uint64_t commits_cut = 0;
  /// The header is damaged: nothing behind it can be read.
  bool header_damaged = false;
};

/// A file that is missing or empty is a log without frames. Fails with io_error.
Result<WalCheck> check_wal(const std::string& path);

}  // namespace librm::store_detail
