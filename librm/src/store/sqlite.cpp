// Bodies of the wrapper around SQLite.
#include "sqlite.hpp"

namespace librm::store_detail {

Result<Database> Database::open(const std::string& path, int flags) {
  Database database;
  database.path_ = path;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  database.handle_.reset(handle);
  if (code != SQLITE_OK) return tl::unexpected<Error>(database.error("open"));
  sqlite3_extended_result_codes(handle, 1);
  return database;
}

Result<void> Database::execute(const char* sql, std::string_view what) {
  if (sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return tl::unexpected<Error>(error(what));
  }
  return {};
}

Error Database::error(std::string_view what) const {
  const int code = handle_ ? sqlite3_errcode(handle()) & 0xff : SQLITE_NOMEM;
  const bool corrupt = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
  std::string message = "journal " + path_ + ": ";
  message += what;
  message += ": ";
  message += handle_ ? sqlite3_errmsg(handle()) : "out of memory";
  return Error{corrupt ? ErrorCode::corrupt : ErrorCode::io_error, std::move(message)};
}

Result<Statement> Statement::prepare(Database& database, const char* sql) {
  Statement statement;
  sqlite3_stmt* handle = nullptr;
  const int code =
      sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return tl::unexpected<Error>(database.error("prepare"));
  statement.handle_.reset(handle);
  return statement;
}

}  // namespace librm::store_detail
