// A cluster inside this test: what it has, that several live side by side, and that nothing stays.
#include "local/local_cluster.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "common/log.hpp"
#include "local/cluster_directory.hpp"

namespace librm::daemon {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// Programs of one build are in one directory; RM_BIN_DIR names another.
std::string programs_directory() {
  if (const char* directory = std::getenv("RM_BIN_DIR")) return directory;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

LocalClusterOptions two_nodes() {
  LocalClusterOptions options;
  options.nodes = 2;
  options.cpus = Amount::units(4);
  options.mem_mib = Amount::units(512);
  options.programs_directory = programs_directory();
  return options;
}

std::size_t thread_count() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST(LocalCluster, SeveralLiveInOneProcessAndLeaveNeitherThreadNorFile) {
  start_log("error");
  const std::size_t threads_before = thread_count();
  auto first = LocalCluster::start(two_nodes());
  ASSERT_TRUE(first) << first.error().message;
  auto second = LocalCluster::start(two_nodes());
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_THAT((*first)->url(), StartsWith("http://127.0.0.1:"));
  EXPECT_NE((*first)->url(), (*second)->url());
  EXPECT_GT(thread_count(), threads_before);
  const std::vector<std::string> directories{(*first)->directory(), (*second)->directory()};
  for (const std::string& path : directories) EXPECT_TRUE(std::filesystem::exists(path));

  EXPECT_TRUE((*first)->stop());
  EXPECT_TRUE((*first)->stop()) << "repeating it does nothing";
  EXPECT_FALSE(std::filesystem::exists(directories[0]));
  EXPECT_TRUE(std::filesystem::exists(directories[1]));
  second->reset();  // as good as stop()
  EXPECT_FALSE(std::filesystem::exists(directories[1]));
  EXPECT_EQ(thread_count(), threads_before);
}

TEST(LocalCluster, BadOptionsAreNamed) {
  LocalClusterOptions none = two_nodes();
  none.nodes = 0;
  LocalClusterOptions nowhere = two_nodes();
  nowhere.programs_directory = "/nonexistent";
  LocalClusterOptions no_machine = two_nodes();
  no_machine.topology = "pack:two";
  const std::size_t threads_before = thread_count();
  for (const auto& [options, message] : {std::pair(none, "nodes: need 1 to 64, have 0"),
                                         std::pair(nowhere, "/nonexistent/rm-shepherd: no such"),
                                         std::pair(no_machine, "pack:two")}) {
    const auto started = LocalCluster::start(options);
    ASSERT_FALSE(started) << message;
    EXPECT_THAT(started.error().message, HasSubstr(message));
  }
  EXPECT_EQ(thread_count(), threads_before);
}

TEST(ClusterDirectory, RemovesWhatADeadOwnerLeftAndNothingElse) {
  std::string pattern = std::filesystem::temp_directory_path() / "librm-local-XXXXXX";
  const std::filesystem::path left = ::mkdtemp(pattern.data());
  std::ofstream(left / "lock") << "";
  std::ofstream(left / "data") << "x";
  std::string other_pattern = std::filesystem::temp_directory_path() / "librm-local-XXXXXX";
  const std::filesystem::path being_made = ::mkdtemp(other_pattern.data());
  auto first = ClusterDirectory::make();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(being_made)) << "it has no lock yet";
  auto second = ClusterDirectory::make();
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_TRUE(std::filesystem::exists(first->path())) << "its owner lives";
  std::filesystem::remove_all(being_made);
}

}  // namespace
}  // namespace librm::daemon
