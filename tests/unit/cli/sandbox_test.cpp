// Names of places in sandboxes, and a copy's target: whole files or none, never through a link.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "cli/copy_target.hpp"
#include "cli/job_view.hpp"
#include "cli/sandbox_files.hpp"

namespace batch::cli {
namespace {

namespace fs = std::filesystem;

TEST(SandboxPlace, TheFirstColonEndsTheJob) {
  EXPECT_EQ(parse_place("42").job, "42");
  EXPECT_EQ(parse_place("42").path, "");
  EXPECT_EQ(parse_place("42_7:data/a:b").job, "42_7");
  EXPECT_EQ(parse_place("42_7:data/a:b").path, "data/a:b");
  EXPECT_EQ(parse_place("last:data//").path, "data");
  EXPECT_EQ(parse_place("last:/").path, "/");
  EXPECT_EQ(shown(SandboxPlace{"1", "a\x1b[1m"}), "1:a\\x1b[1m");
}

TEST(ParseMode, TakesPermissionsAndNothingElse) {
  EXPECT_EQ(parse_mode("rwxr-x---"), 0750u);
  EXPECT_EQ(parse_mode("rw-r--r--"), 0644u);
  EXPECT_EQ(parse_mode("---------"), 0u);
  for (const char* wrong : {"", "rwsr-xr-x", "rwxrwxrw", "rwxrwxrwxr", "xxxxxxxxx"}) {
    EXPECT_EQ(parse_mode(wrong), 0600u) << wrong;
  }
}

TEST(BesideOutput, LeadsToAnotherFileOfTheSameTask) {
  const Url output =
      parse_url("http://h:1/v1/tasks/f-1/4.1.1/files/stdout?offset=3&follow=1").value();
  EXPECT_EQ(beside_output(output, "file", "a b/files/c").target,
            "/v1/tasks/f-1/4.1.1/file?path=a%20b%2Ffiles%2Fc&offset=3&follow=1");
  const Url plain = parse_url("http://h:1/v1/tasks/f-1/4.1.1/files/stdout").value();
  EXPECT_EQ(beside_output(plain, "files", "").target, "/v1/tasks/f-1/4.1.1/files?path=");
  EXPECT_EQ(authority(beside_output(plain, "files", "")), "h:1");
}

TEST(StableSelector, KeepsIdsAndResolvesTheRest) {
  const Json job = Json::parse(R"({"id": 42})");
  EXPECT_EQ(stable_selector("42_7", job), "42_7");
  EXPECT_EQ(stable_selector("last", job), "42");
  EXPECT_EQ(stable_selector("count[7]", Json::parse(R"({"id": 42, "index": 7})")), "42_7");
}

class Copied : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "rm-copy-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root); }

  librm::Result<CopyTarget> target() const { return CopyTarget::open(root.string()); }
  std::string read(const fs::path& path) const {
    std::ifstream in(root / path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  mode_t mode(const fs::path& path) const {
    struct stat status {};
    EXPECT_EQ(::lstat((root / path).c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(root), fs::directory_iterator()));
  }

  fs::path root;
};

librm::Result<void> two_pieces(const Sink& sink) {
  EXPECT_TRUE(sink("one ") && sink("two"));
  return {};
}

TEST_F(Copied, AFileHasItsBytesAndItsMode) {
  ASSERT_TRUE(target()->file("a", 0750, two_pieces));
  EXPECT_EQ(read("a"), "one two");
  EXPECT_EQ(mode("a"), 0750u);
  ASSERT_TRUE(target()->file("b", 06755, two_pieces));
  EXPECT_EQ(mode("b"), 0755u) << "nothing becomes another user by being copied";
  EXPECT_EQ(count(), 2u);
}

TEST_F(Copied, WhatBreaksOffLeavesWhatWasThere) {
  std::ofstream(root / "a") << "old";
  const auto broken = target()->file("a", 0644, [this](const Sink& sink) -> librm::Result<void> {
    sink("new");
    EXPECT_EQ(read("a"), "old") << "until it is complete";
    return librm::fail(librm::ErrorCode::unavailable, "gone");
  });
  EXPECT_EQ(broken.error().message, "gone");
  EXPECT_EQ(read("a"), "old");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Copied, ALinkIsReplacedAndNotWrittenThrough) {
  const fs::path outside = root / "outside";
  std::ofstream(outside) << "precious";
  fs::create_directory(root / "inner");
  fs::create_symlink(outside, root / "inner/a");
  const auto inner = target()->directory("inner");
  ASSERT_TRUE(inner);
  ASSERT_TRUE(inner->file("a", 0644, two_pieces));
  EXPECT_EQ(read("outside"), "precious");
  EXPECT_FALSE(fs::is_symlink(root / "inner/a"));
}

TEST_F(Copied, ADirectoryIsMadeAndALinkInItsPlaceIsRefused) {
  const auto made = target()->directory("d");
  ASSERT_TRUE(made);
  EXPECT_EQ(mode("d"), 0700u);
  ASSERT_TRUE(made->set_mode(0550));
  EXPECT_EQ(mode("d"), 0550u);
  EXPECT_TRUE(target()->directory("d")) << "it may be there";
  fs::create_directory(root / "elsewhere");
  fs::create_directory_symlink(root / "elsewhere", root / "link");
  const auto link = target()->directory("link");
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().message, root.string() + "/link: there is something that is no directory");
}

TEST_F(Copied, NamesThatLeadElsewhereAreNoNames) {
  const std::string with_nul("a\0b", 3);
  for (const std::string& name : {std::string(), std::string("."), std::string(".."),
                                  std::string("a/b"), std::string("/etc/passwd"), with_nul}) {
    EXPECT_FALSE(is_plain_name(name)) << name;
    EXPECT_FALSE(target()->directory(name)) << name;
    EXPECT_FALSE(target()->file(name, 0644, two_pieces)) << name;
  }
  EXPECT_EQ(count(), 0u);
  EXPECT_TRUE(is_plain_name("...")) << "an ordinary name";
}

}  // namespace
}  // namespace batch::cli
