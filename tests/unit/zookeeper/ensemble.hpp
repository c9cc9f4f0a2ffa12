// Three ZooKeeper servers of Debian's package on loopback, for all tests of the program.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "support/child.hpp"

namespace librm::test {

class Ensemble {
 public:
  static constexpr int count = 3;

  /// The program's own, started when first asked for. Nothing where a package is missing.
  static Ensemble* get();

  /// `h1,h2,h3`
  std::string servers() const;
  int port(int server) const { return ports_[static_cast<std::size_t>(server)]; }
  void start(int server);
  void kill(int server) { server_[static_cast<std::size_t>(server)].kill(); }
  /// Which of them leads the ensemble; -1 where none does.
  int leader() const;
  /// All three serve.
  bool wait_ready() const;
  /// What a server answers to a word of four letters; empty where it does not.
  std::string ask(int server, const std::string& word) const;

 private:
  Ensemble();
  bool prepared_ = false;
  TempDirectory directory_{"zookeeper"};
  std::vector<int> ports_;
  std::array<Child, count> server_;
};

/// Skips the test, or fails it in CI, where there are no servers.
#define NEEDS_ZOOKEEPER()                                                        \
  do {                                                                           \
    if (::librm::test::Ensemble::get() == nullptr) {                             \
      if (std::getenv("CI") != nullptr) FAIL() << "needs ZooKeeper";             \
      GTEST_SKIP() << "needs ZooKeeper (tests/install-packages.sh installs it)"; \
    }                                                                            \
  } while (false)

}  // namespace librm::test
