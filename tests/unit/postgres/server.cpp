// Starts and stops the tests' PostgreSQL.
#include "server.hpp"

#include <algorithm>

namespace librm::test {
namespace {

std::unique_ptr<PostgresServer> the_server;

/// Stops it before main() ends, while everything is still there.
class StopServer : public testing::Environment {
 public:
  void TearDown() override { the_server.reset(); }
};
[[maybe_unused]] const auto* const stop_server = testing::AddGlobalTestEnvironment(new StopServer);

std::string newest_bin() {
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string bin = entry.path() / "bin";
    if (std::filesystem::exists(bin + "/initdb")) found.push_back(bin);
  }
  std::sort(found.begin(), found.end());
  return found.empty() ? "" : found.back();
}

}  // namespace

PostgresServer* PostgresServer::get() {
  if (!the_server) the_server.reset(new PostgresServer);
  return the_server->prepared_ ? the_server.get() : nullptr;
}

PostgresServer::PostgresServer() : bin_(newest_bin()) {
  if (bin_.empty()) return;
  if (geteuid() == 0) {
    const passwd* user = getpwnam("postgres");
    if (user == nullptr || ::chown(directory_.path().c_str(), user->pw_uid, user->pw_gid) != 0) {
      return;
    }
  }
  Child initdb({bin_ + "/initdb", "-D", directory_.path() + "/data", "-U", "postgres", "-A",
                "trust", "-E", "UTF8", "--locale=C", "-N", "--no-instructions"},
               {"postgres", directory_.path() + "/initdb.log", SIGTERM});
  if (initdb.wait() != 0) {
    ADD_FAILURE() << initdb.output();
    return;
  }
  port_ = free_ports(1)[0];
  start();
  prepared_ = wait_ready();
  if (!prepared_) ADD_FAILURE() << server_.output();
}

void PostgresServer::start() {
  server_ =
      Child({bin_ + "/postgres", "-D", directory_.path() + "/data", "-p", std::to_string(port_),
             "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=on",
             "-c", "shared_buffers=16MB", "-c", "max_connections=50", "-c", "autovacuum=off"},
            {"postgres", directory_.path() + "/server.log", SIGQUIT});
}

bool PostgresServer::wait_ready() const {
  return eventually([this] { return PQping(url().c_str()) == PQPING_OK; });
}

std::string PostgresServer::sql(const std::string& text, const std::string& database) const {
  PGconn* connection = PQconnectdb(url(database).c_str());
  EXPECT_EQ(PQstatus(connection), CONNECTION_OK) << PQerrorMessage(connection);
  PGresult* result = PQexec(connection, text.c_str());
  const ExecStatusType status = PQresultStatus(result);
  EXPECT_TRUE(status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
      << PQerrorMessage(connection);
  std::string value;
  if (PQntuples(result) > 0) value = PQgetvalue(result, 0, 0);
  PQclear(result);
  PQfinish(connection);
  return value;
}

}  // namespace librm::test
