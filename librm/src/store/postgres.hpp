// The few lines around libpq that bound every wait and make its handles values with owners.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"

namespace librm::store_detail {

using SteadyTime = std::chrono::steady_clock::time_point;
inline SteadyTime steady_now() { return std::chrono::steady_clock::now(); }
inline SteadyTime after(Duration span) { return steady_now() + std::chrono::nanoseconds(span.ns); }

/// One statement with its parameters: numbers and text as text, blobs as they are.
class PgQuery {
 public:
  explicit PgQuery(std::string sql) : sql_(std::move(sql)) {}
  PgQuery(PgQuery&&) = default;  // a copy's pointers would be into the original
  PgQuery& operator=(PgQuery&&) = default;

  PgQuery& with(std::string_view text) { return add(std::string(text), 0); }
  PgQuery& with(std::uint64_t number) { return add(std::to_string(number), 0); }
  PgQuery& with_bytes(std::string bytes) { return add(std::move(bytes), 1); }

 private:
  friend class PgConnection;
  PgQuery& add(std::string value, int format) {
    storage_.push_back(std::move(value));
    values_.push_back(storage_.back().data());
    lengths_.push_back(static_cast<int>(storage_.back().size()));
    formats_.push_back(format);
    return *this;
  }

  std::string sql_;
  std::deque<std::string> storage_;  // its elements stay where they are, also when it is moved
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

/// Rows in binary format; integers are int8 on the server's side.
class PgRows {
 public:
  PgRows() = default;
  explicit PgRows(PGresult* result) : result_(result) {}

  int count() const { return result_ ? PQntuples(result_.get()) : 0; }
  bool null(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
  std::int64_t integer(int row, int column) const;
  /// Valid as long as this object.
  std::string_view bytes(int row, int column) const;
  std::uint64_t changed() const;  ///< rows that an INSERT, UPDATE or DELETE touched

 private:
  struct Clearer {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clearer> result_;
};

/// An open connection. Not thread-safe: one thread at a time. After a failure lost() tells
/// whether it is gone, with the outcome of what was sent unknown; else the server has refused,
/// for the reason sqlstate().
class PgConnection {
 public:
  /// Checks the URL, and names its hosts and database without user and password.
  static Result<std::string> label(const std::string& url);

  /// Tries each host for at most some seconds. `lock_wait` bounds waiting for locks.
  static Result<PgConnection> open(const std::string& url, const std::string& name,
                                   Duration lock_wait);

  /// One transaction by itself, or what its SQL says.
  Result<PgRows> run(const PgQuery& query, SteadyTime deadline);
  /// Statements without parameters, of which no result is wanted.
  Result<void> script(const char* sql, SteadyTime deadline);
  /// All in one round trip; the first that fails makes the server skip the others. Without a
  /// BEGIN among them they are one transaction.
  Result<std::vector<PgRows>> pipeline(const std::vector<PgQuery>& queries, SteadyTime deadline);
  /// Calls `visit` for row 0 of each result as it comes; silence of `silence_max` ends it.
  Result<void> stream(const PgQuery& query, Duration silence_max,
                      const std::function<Result<void>(const PgRows&)>& visit);

  bool lost() const { return lost_ || PQstatus(handle_.get()) != CONNECTION_OK; }
  const std::string& sqlstate() const { return sqlstate_; }
  /// What errors call the journal.
  const std::string& name() const { return name_; }
  tl::unexpected<Error> error(ErrorCode code, std::string_view why) const;

 private:
  struct Closer {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };

  bool send(const PgQuery& query);
  Result<void> wait(SteadyTime deadline);
  Result<PGresult*> next(SteadyTime deadline);
  Result<void> drain(SteadyTime deadline);
  tl::unexpected<Error> lose(ErrorCode code, std::string_view why);
  tl::unexpected<Error> refused(const PGresult* result);

  std::unique_ptr<PGconn, Closer> handle_;
  std::string name_;
  std::string sqlstate_;
  bool lost_ = false;
};

}  // namespace librm::store_detail
