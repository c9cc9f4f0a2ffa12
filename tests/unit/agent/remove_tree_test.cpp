// Trees that tasks leave: deep, closed, full of links; nothing outside of the trash is touched.
#include "agent/remove_tree.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace librm::daemon {
namespace {

namespace fs = std::filesystem;

void write(const fs::path& path) { std::ofstream(path) << "x"; }

class EmptyTrash : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rm-trash-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
    trash = root / "trash";
    fs::create_directory(trash);
  }
  void TearDown() override { fs::remove_all(root); }

  Removed run() {
    const Result<Removed> removed = empty_trash(trash, stop);
    EXPECT_TRUE(removed) << removed.error().message;
    return removed.value_or(Removed{});
  }

  fs::path root;
  fs::path trash;
  std::atomic<bool> stop = false;
};

TEST_F(EmptyTrash, RemovesFilesAndDirectoriesAndCountsThem) {
  fs::create_directories(trash / "task/a/b");
  write(trash / "task/a/b/file");
  write(trash / "task/stdout");
  const Removed removed = run();
  EXPECT_EQ(removed.entries, 5u);
  EXPECT_EQ(removed.left, 0u);
  EXPECT_TRUE(removed.done);
  EXPECT_TRUE(fs::is_empty(trash));
}

TEST_F(EmptyTrash, LinksAreRemovedAndNotFollowed) {
  fs::create_directory(root / "outside");
  write(root / "outside/file");
  fs::create_directory(trash / "task");
  fs::create_directory_symlink(root / "outside", trash / "task/directory");
  fs::create_symlink(root / "outside/file", trash / "task/file");
  fs::create_hard_link(root / "outside/file", trash / "task/hard");
  fs::create_directory_symlink(root / "outside", trash / "sandbox-that-is-a-link");
  EXPECT_EQ(run().left, 0u);
  EXPECT_TRUE(fs::is_empty(trash));
  EXPECT_TRUE(fs::exists(root / "outside/file"));
}

TEST_F(EmptyTrash, DepthIsNoLimit) {
  constexpr int depth = 500;
  const std::string name = "a-directory";  // its path is longer than one may be
  int at = ::open(trash.c_str(), O_RDONLY | O_DIRECTORY);
  for (int i = 0; i < depth; ++i) {
    ASSERT_EQ(::mkdirat(at, name.c_str(), 0700), 0);
    const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY);
    ASSERT_GE(next, 0);
    ::close(at);
    at = next;
  }
  ::close(at);
  EXPECT_EQ(run().entries, static_cast<std::uint64_t>(depth));
  EXPECT_TRUE(fs::is_empty(trash));
}

TEST_F(EmptyTrash, DirectoriesThatForbidEvenTheirOwnerGoToo) {
  fs::create_directories(trash / "task/closed/inner");
  write(trash / "task/closed/inner/file");
  ::chmod((trash / "task/closed/inner").c_str(), 0);
  ::chmod((trash / "task/closed").c_str(), 0);
  ::chmod((trash / "task").c_str(), 0500);
  EXPECT_EQ(run().left, 0u);
  EXPECT_TRUE(fs::is_empty(trash));
}

TEST_F(EmptyTrash, NamesThatAnInterruptedRunUsedAreNotInTheWay) {
  fs::create_directories(trash / "d1/x/y");
  fs::create_directories(trash / "d2/x");
  fs::create_directories(trash / "task/one/two/three");
  EXPECT_EQ(run().left, 0u);
  EXPECT_TRUE(fs::is_empty(trash));
}

TEST_F(EmptyTrash, StopsWhenItIsToldToAndTheNextRunGoesOn) {
  fs::create_directories(trash / "task/a");
  stop = true;
  EXPECT_FALSE(run().done);
  EXPECT_FALSE(fs::is_empty(trash));
  stop = false;
  EXPECT_TRUE(run().done);
  EXPECT_TRUE(fs::is_empty(trash));
}

TEST_F(EmptyTrash, WithoutTrashItFails) {
  fs::remove(trash);
  EXPECT_EQ(empty_trash(trash, stop).error().code, ErrorCode::io_error);
  fs::create_directory(root / "other");
  fs::create_directory_symlink(root / "other", trash);
  EXPECT_FALSE(empty_trash(trash, stop)) << "a link is not our trash";
}

}  // namespace
}  // namespace librm::daemon
