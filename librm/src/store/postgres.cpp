// Bodies of the wrapper around libpq.
#include "postgres.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace librm::store_detail {
namespace {

/// libpq's messages end with a newline, and may have more in the middle.
std::string one_line(const char* message) {
  std::string text = message == nullptr ? "" : message;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

struct OptionsFreer {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

constexpr char connect_timeout_s[] = "2";  // a host; only where the URL does not say

/// What a session needs so that a commit can neither hang nor be kept alive by a client that is
/// gone, and so that a server's defaults cannot weaken it.
std::string session_script(Duration lock_wait) {
  return "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;"
         "SET client_min_messages=error; SET lock_timeout=" +
         std::to_string(std::max<std::int64_t>(1, to_ms(lock_wait))) +
         "; SET idle_in_transaction_session_timeout=10000; SET tcp_keepalives_idle=3;"
         "SET tcp_keepalives_interval=2; SET tcp_keepalives_count=3;"
         "SELECT set_config('synchronous_commit', 'on', false)"
         " WHERE current_setting('synchronous_commit')='off';";
}

ErrorCode code_of(std::string_view sqlstate) {
  if (sqlstate == "42501" || sqlstate.substr(0, 2) == "28") return ErrorCode::permission_denied;
  if (sqlstate == "55P03") return ErrorCode::deadline_exceeded;
  if (sqlstate == "XX001" || sqlstate == "XX002") return ErrorCode::corrupt;
  return ErrorCode::io_error;
}

}  // namespace

std::int64_t PgRows::integer(int row, int column) const {
  const std::string_view raw = bytes(row, column);
  if (raw.size() != 8) return 0;
  std::uint64_t value = 0;
  for (char byte : raw) value = value << 8 | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

std::string_view PgRows::bytes(int row, int column) const {
  const char* data = PQgetvalue(result_.get(), row, column);
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::uint64_t PgRows::changed() const {
  return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10);
}

Result<std::string> PgConnection::label(const std::string& url) {
  char* message = nullptr;
  std::unique_ptr<PQconninfoOption, OptionsFreer> options;
  if (url.starts_with("postgresql://") || url.starts_with("postgres://")) {
    options.reset(PQconninfoParse(url.c_str(), &message));
    PQfreemem(message);  // it quotes the URL, and with it the password
  }
  if (!options) {
    return fail(ErrorCode::invalid_argument,
                "journal: not a URL of PostgreSQL, which is"
                " postgresql://user:password@host:port/database?option=value");
  }
  std::string host;
  std::string port;
  std::string database;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    if (std::strcmp(option->keyword, "host") == 0) host = option->val;
    if (std::strcmp(option->keyword, "port") == 0) port = ":" + std::string(option->val);
    if (std::strcmp(option->keyword, "dbname") == 0) database = "/" + std::string(option->val);
  }
  return "postgresql://" + host + port + database;
}

Result<PgConnection> PgConnection::open(const std::string& url, const std::string& name,
                                        Duration lock_wait) {
  // Later ones win, so the URL may say otherwise.
  const char* keywords[] = {"connect_timeout", "target_session_attrs", "tcp_user_timeout",
                            "keepalives_idle", "keepalives_interval",  "fallback_application_name",
                            "dbname",          "client_encoding",      nullptr};
  const char* values[] = {connect_timeout_s, "read-write", "10000", "3",    "2",
                          "librm",           url.c_str(),  "UTF8",  nullptr};
  PgConnection connection;
  connection.name_ = name;
  connection.handle_.reset(PQconnectdbParams(keywords, values, 1));
  PGconn* handle = connection.handle_.get();
  if (handle == nullptr) return fail(ErrorCode::unavailable, name + ": out of memory");
  if (PQstatus(handle) != CONNECTION_OK) {
    const std::string why = one_line(PQerrorMessage(handle));
    // The state of a refused login is not kept by libpq.
    const bool forbidden =
        PQconnectionNeedsPassword(handle) != 0 || PQconnectionUsedPassword(handle) != 0;
    const bool refused = why.find("authentication failed") != std::string::npos ||
                         (forbidden && why.find("no password supplied") != std::string::npos);
    return connection.error(refused ? ErrorCode::permission_denied : ErrorCode::unavailable, why);
  }
  PQsetnonblocking(handle, 1);
  Result<void> set = connection.script(session_script(lock_wait).c_str(), after(seconds(10)));
  if (!set) return tl::unexpected<Error>(std::move(set.error()));
  return connection;
}

tl::unexpected<Error> PgConnection::error(ErrorCode code, std::string_view why) const {
  return fail(code, name_ + ": " + std::string(why));
}

tl::unexpected<Error> PgConnection::lose(ErrorCode code, std::string_view why) {
  lost_ = true;
  return error(code, why);
}

tl::unexpected<Error> PgConnection::refused(const PGresult* result) {
  const char* state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  sqlstate_ = state == nullptr ? "" : state;
  // Without a state it is libpq that speaks, and of a connection that has ended.
  const bool gone = state == nullptr || PQstatus(handle_.get()) != CONNECTION_OK ||
                    sqlstate_.substr(0, 3) == "57P";
  if (gone) {
    return lose(ErrorCode::unavailable, message != nullptr
                                            ? std::string(message)
                                            : one_line(PQerrorMessage(handle_.get())));
  }
  return error(code_of(sqlstate_), message == nullptr ? "refused" : message);
}

Result<void> PgConnection::wait(SteadyTime deadline) {
  PGconn* handle = handle_.get();
  for (;;) {
    const int flushed = PQflush(handle);
    if (flushed < 0) return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle)));
    if (flushed == 0 && PQisBusy(handle) == 0) return {};
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_now());
    if (left.count() <= 0) return lose(ErrorCode::unavailable, "the server does not answer");
    pollfd poll_fd{PQsocket(handle), static_cast<short>(flushed > 0 ? POLLIN | POLLOUT : POLLIN),
                   0};
    const int timeout = static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000));
    if (::poll(&poll_fd, 1, timeout) < 0 && errno != EINTR) {
      return lose(ErrorCode::io_error, std::strerror(errno));
    }
    if ((poll_fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0 && PQconsumeInput(handle) == 0) {
      return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle)));
    }
  }
}

Result<PGresult*> PgConnection::next(SteadyTime deadline) {
  Result<void> waited = wait(deadline);
  if (!waited) return tl::unexpected<Error>(std::move(waited.error()));
  return PQgetResult(handle_.get());
}

Result<void> PgConnection::drain(SteadyTime deadline) {
  for (;;) {
    Result<PGresult*> result = next(deadline);
    if (!result) return tl::unexpected<Error>(std::move(result.error()));
    if (*result == nullptr) return {};
    PQclear(*result);
  }
}

bool PgConnection::send(const PgQuery& query) {
  return PQsendQueryParams(handle_.get(), query.sql_.c_str(),
                           static_cast<int>(query.values_.size()), nullptr, query.values_.data(),
                           query.lengths_.data(), query.formats_.data(), 1) != 0;
}

Result<PgRows> PgConnection::run(const PgQuery& query, SteadyTime deadline) {
  if (!send(query)) return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle_.get())));
  Result<PGresult*> result = next(deadline);
  if (!result) return tl::unexpected<Error>(std::move(result.error()));
  if (*result == nullptr) return lose(ErrorCode::unavailable, "no answer");
  PgRows rows(*result);
  const ExecStatusType status = PQresultStatus(*result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
    tl::unexpected<Error> why = refused(*result);
    if (!lost()) (void)drain(deadline);
    return why;
  }
  Result<void> drained = drain(deadline);
  if (!drained) return tl::unexpected<Error>(std::move(drained.error()));
  return rows;
}

Result<void> PgConnection::script(const char* sql, SteadyTime deadline) {
  if (PQsendQuery(handle_.get(), sql) == 0) {
    return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle_.get())));
  }
  std::optional<Error> failed;
  for (;;) {
    Result<PGresult*> result = next(deadline);
    if (!result) return tl::unexpected<Error>(std::move(result.error()));
    if (*result == nullptr) break;
    PgRows rows(*result);
    if (PQresultStatus(*result) == PGRES_FATAL_ERROR && !failed) failed = refused(*result).value();
    if (lost()) break;
  }
  if (failed) return tl::unexpected<Error>(std::move(*failed));
  return {};
}

Result<std::vector<PgRows>> PgConnection::pipeline(const std::vector<PgQuery>& queries,
                                                   SteadyTime deadline) {
  PGconn* handle = handle_.get();
  bool sent = PQenterPipelineMode(handle) != 0;
  for (const PgQuery& query : queries) sent = sent && send(query);
  if (!sent || PQpipelineSync(handle) == 0) {
    return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle)));
  }
  std::vector<PgRows> answers;
  std::optional<Error> failed;
  bool synced = false;
  // Each statement's results end with a null, the synchronization's do not.
  while (!synced) {
    Result<PGresult*> result = next(deadline);
    if (!result) return tl::unexpected<Error>(std::move(failed ? *failed : result.error()));
    if (*result == nullptr) {
      if (lost()) return lose(ErrorCode::unavailable, "the connection has ended");
      continue;
    }
    PgRows rows(*result);
    switch (PQresultStatus(*result)) {
      case PGRES_PIPELINE_SYNC:
        synced = true;
        break;
      case PGRES_PIPELINE_ABORTED:
        break;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK:
        answers.push_back(std::move(rows));
        break;
      default:
        if (!failed) failed = refused(*result).value();
        if (lost()) return tl::unexpected<Error>(std::move(*failed));
    }
  }
  if (PQexitPipelineMode(handle) == 0) {
    return lose(ErrorCode::io_error, one_line(PQerrorMessage(handle)));
  }
  if (failed) {
    // An explicit BEGIN among them left its transaction open.
    if (PQtransactionStatus(handle) != PQTRANS_IDLE) {
      const std::string state = sqlstate_;
      if (!script("ROLLBACK", deadline)) lost_ = true;
      sqlstate_ = state;
    }
    return tl::unexpected<Error>(std::move(*failed));
  }
  if (answers.size() != queries.size()) return lose(ErrorCode::io_error, "answers are missing");
  return answers;
}

Result<void> PgConnection::stream(const PgQuery& query, Duration silence_max,
                                  const std::function<Result<void>(const PgRows&)>& visit) {
  if (!send(query) || PQsetSingleRowMode(handle_.get()) == 0) {
    return lose(ErrorCode::unavailable, one_line(PQerrorMessage(handle_.get())));
  }
  std::optional<Error> failed;
  for (;;) {
    Result<PGresult*> result = next(after(silence_max));
    if (!result) return tl::unexpected<Error>(std::move(result.error()));
    if (*result == nullptr) break;
    PgRows rows(*result);
    const ExecStatusType status = PQresultStatus(*result);
    if (status == PGRES_SINGLE_TUPLE && !failed) {
      Result<void> visited = visit(rows);
      if (!visited) {
        // The rest need not come: the session is not used again.
        lost_ = true;
        return visited;
      }
    }
    if (status == PGRES_FATAL_ERROR && !failed) failed = refused(*result).value();
    if (lost()) break;
  }
  if (failed) return tl::unexpected<Error>(std::move(*failed));
  return {};
}

}  // namespace librm::store_detail
