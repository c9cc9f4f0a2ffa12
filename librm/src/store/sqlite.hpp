// The few lines around SQLite's C interface that make its handles values with owners.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "librm/base/result.hpp"

namespace librm::store_detail {

/// An open connection. Not thread-safe: one thread at a time.
class Database {
 public:
  /// `flags` are SQLITE_OPEN_*. Fails with io_error.
  static Result<Database> open(const std::string& path, int flags);

  /// Runs statements that return nothing of interest. The error names `what`.
  Result<void> execute(const char* sql, std::string_view what);
  /// The last failure of this connection as an Error: `journal PATH: WHAT: REASON`.
  Error error(std::string_view what) const;

  sqlite3* handle() const { return handle_.get(); }
  const std::string& path() const { return path_; }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Closer> handle_;
  std::string path_;
};

/// A prepared statement. Parameters and columns count from 0 here; a blob or text that is bound
/// must live until reset().
class Statement {
 public:
  static Result<Statement> prepare(Database& database, const char* sql);

  template <class... Values>
  void bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
  }

  /// SQLITE_ROW, SQLITE_DONE or an error.
  int step() { return sqlite3_step(handle_.get()); }
  void reset() { sqlite3_reset(handle_.get()); }
  /// For statements without rows: steps, resets, and says whether it worked.
  bool run() {
    const int code = step();
    reset();
    return code == SQLITE_DONE;
  }

  std::int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  /// Valid until the next step() or reset().
  std::string_view blob(int column) const {
    const void* data = sqlite3_column_blob(handle_.get(), column);
    const int size = sqlite3_column_bytes(handle_.get(), column);
    if (data == nullptr || size <= 0) return {};
    return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
  }

 private:
  void bind_one(int index, std::int64_t value) { sqlite3_bind_int64(handle_.get(), index, value); }
  void bind_one(int index, std::uint64_t value) { bind_one(index, std::int64_t(value)); }
  void bind_one(int index, std::uint32_t value) { bind_one(index, std::int64_t{value}); }
  void bind_one(int index, std::uint16_t value) { bind_one(index, std::int64_t{value}); }
  void bind_one(int index, std::string_view blob) {
    sqlite3_bind_blob64(handle_.get(), index, blob.data(), blob.size(), SQLITE_STATIC);
  }

  struct Finalizer {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalizer> handle_;
};

}  // namespace librm::store_detail
