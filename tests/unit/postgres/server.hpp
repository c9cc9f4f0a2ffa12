// A PostgreSQL server of Debian's package, one for all tests of the program.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>
#include <string>

#include "support/child.hpp"

namespace librm::test {

class PostgresServer {
 public:
  /// The program's own, started when first asked for. Empty-handed where the package is missing.
  static PostgresServer* get();

  /// Over TCP; `port` may be a proxy's.
  std::string url(const std::string& database = "postgres", int port = 0) const {
    return "postgresql://postgres@127.0.0.1:" + std::to_string(port == 0 ? port_ : port) + "/" +
           database;
  }
  int port() const { return port_; }
  /// Runs SQL as an operator would; the first value of the last result.
  std::string sql(const std::string& text, const std::string& database = "postgres") const;
  void kill() { server_.kill(); }
  void start();
  /// Not before it accepts connections.
  bool wait_ready() const;

 private:
  PostgresServer();
  bool prepared_ = false;
  TempDirectory directory_{"postgres"};
  std::string bin_;
  int port_ = 0;
  Child server_;
};

/// Skips the test, or fails it in CI, where there is no server.
#define NEEDS_POSTGRES()                                                          \
  do {                                                                            \
    if (::librm::test::PostgresServer::get() == nullptr) {                        \
      if (std::getenv("CI") != nullptr) FAIL() << "needs PostgreSQL";             \
      GTEST_SKIP() << "needs PostgreSQL (tests/install-packages.sh installs it)"; \
    }                                                                             \
  } while (false)

}  // namespace librm::test
