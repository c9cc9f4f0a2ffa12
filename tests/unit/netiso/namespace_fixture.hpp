// Tests that need a network of their own, which nobody else sees and which ends with the test.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <iostream>

#include "netiso/link.hpp"

namespace netiso {

/// Runs the body in a child with a network namespace of its own, in which only lo is, and down, and
/// with a /run/netns of its own, which is empty. Its failures fail this test.
class NetworkNamespace : public ::testing::Test {
 protected:
  void in_namespace(const std::function<void()>& body) {
    if (::geteuid() != 0) {
      ASSERT_EQ(std::getenv("CI"), nullptr) << "CI runs as root";
      GTEST_SKIP() << "needs root for a network namespace";
    }
    std::cout.flush();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      if (!leave_the_host()) ::_exit(cannot_unshare);
      body();
      std::cout.flush();
      ::_exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == cannot_unshare) {
      ASSERT_EQ(std::getenv("CI"), nullptr) << "CI may make network namespaces";
      GTEST_SKIP() << "may not make a network namespace";
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "see the child's output above";
  }

  static LinkStatistics loopback() {
    const auto links = observe_links();
    return links && !links->empty() ? links->front() : LinkStatistics{};
  }

  static constexpr const char* names = "/run/netns";

 private:
  static bool leave_the_host() {
    if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) return false;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
    if (::mkdir(names, 0755) != 0 && errno != EEXIST) return false;
    return ::mount("none", names, "tmpfs", 0, nullptr) == 0;
  }

  static constexpr int cannot_unshare = 42;
};

}  // namespace netiso
