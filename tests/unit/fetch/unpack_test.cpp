// Real archives, made here entry by entry, harmless and hostile.
#include "fetch/unpack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <clocale>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "fetch/fetcher.hpp"

namespace librm::fetch {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

struct Item {
  std::string path;
  unsigned type = AE_IFREG;
  std::string data;  ///< or a link's target
  unsigned mode = 0644;
  bool hard = false;
};

class UnpackTest : public testing::Test {
 protected:
  UnpackTest() {
    std::string pattern = (fs::temp_directory_path() / "rm-unpack-XXXXXX").string();
    root = ::mkdtemp(pattern.data());
    fs::create_directories(sandbox());
    before_ = fs::current_path();
    std::setlocale(LC_CTYPE, "C.UTF-8");
  }
  ~UnpackTest() override {
    fs::current_path(before_);
    fs::remove_all(root);
  }

  fs::path sandbox() const { return root / "runs" / "t"; }

  static void write_item(archive* to, const Item& item) {
    const std::unique_ptr<archive_entry, void (*)(archive_entry*)> entry(::archive_entry_new(),
                                                                         ::archive_entry_free);
    ::archive_entry_set_pathname(entry.get(), item.path.c_str());
    ::archive_entry_set_filetype(entry.get(), item.type);
    ::archive_entry_set_perm(entry.get(), item.mode);
    const bool link = item.hard || item.type == AE_IFLNK;
    if (item.hard) ::archive_entry_set_hardlink(entry.get(), item.data.c_str());
    if (item.type == AE_IFLNK) ::archive_entry_set_symlink(entry.get(), item.data.c_str());
    ::archive_entry_set_size(entry.get(), link ? 0 : static_cast<la_int64_t>(item.data.size()));
    ASSERT_EQ(::archive_write_header(to, entry.get()), ARCHIVE_OK) << ::archive_error_string(to);
    if (!link) ::archive_write_data(to, item.data.data(), item.data.size());
  }

  /// Unpacks these into the sandbox, from an archive of this name.
  Result<std::uint64_t> unpack(const std::vector<Item>& items, const std::string& name = "a.tar.gz",
                               UnpackLimits limits = {}) {
    const fs::path path = root / name;
    const std::unique_ptr<archive, int (*)(archive*)> to(::archive_write_new(),
                                                         ::archive_write_free);
    if (name.find(".zip") != std::string::npos) {
      ::archive_write_set_format_zip(to.get());
    } else {
      ::archive_write_set_format_pax_restricted(to.get());
      ::archive_write_add_filter_gzip(to.get());
    }
    EXPECT_EQ(::archive_write_open_filename(to.get(), path.c_str()), ARCHIVE_OK);
    for (const Item& item : items) write_item(to.get(), item);
    ::archive_write_close(to.get());
    if (limits.bytes_max == 0) limits.bytes_max = 1 << 30;
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    const Descriptor directory(::open(sandbox().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return unpack_archive(file, directory, true, limits);
  }

  std::string text(const fs::path& name) const {
    std::ostringstream out;
    out << std::ifstream(sandbox() / name).rdbuf();
    return out.str();
  }
  unsigned mode(const fs::path& name) const {
    struct stat status {};
    EXPECT_EQ(::lstat((sandbox() / name).c_str(), &status), 0) << name;
    return status.st_mode & 07777U;
  }
  bool nothing_outside() const {
    for (const auto& found : fs::recursive_directory_iterator(root)) {
      const fs::path relative = found.path().lexically_relative(root);
      const bool known = relative == "runs" || *relative.begin() == "a.tar.gz" ||
                         *relative.begin() == "a.zip" || *relative.begin() == "victim" ||
                         relative.string().rfind("runs/t", 0) == 0;
      if (!known) return false;
    }
    return !fs::exists(root / "victim") || read(root / "victim") == "intact";
  }
  static std::string read(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  void make_victim() { std::ofstream(root / "victim") << "intact"; }

  fs::path root;

 private:
  fs::path before_;
};

TEST_F(UnpackTest, FilesDirectoriesAndLinksInside) {
  for (const char* name : {"a.tar.gz", "a.zip"}) {
    const auto size = unpack({{"data", AE_IFDIR, "", 0755, false},
                              {"data/a", AE_IFREG, "hello", 0644, false},
                              {"b/c/d\xc3\xa9", AE_IFREG, "deep", 0755, false},
                              {"data/l", AE_IFLNK, "../b", 0777, false}},
                             name);
    ASSERT_TRUE(size) << size.error().message;
    EXPECT_EQ(*size, 9u);
    EXPECT_EQ(text("data/a"), "hello");
    EXPECT_EQ(text("data/l/c/d\xc3\xa9"), "deep");
    EXPECT_EQ(mode("b/c/d\xc3\xa9") & 0111U, 0111U);
  }
}

TEST_F(UnpackTest, HardLinksInsideAreMade) {
  ASSERT_TRUE(unpack({{"a", AE_IFREG, "one", 0644, false}, {"b", AE_IFREG, "a", 0644, true}}));
  EXPECT_EQ(text("b"), "one");
}

TEST_F(UnpackTest, SetuidBitsAreStripped) {
  ASSERT_TRUE(unpack({{"su", AE_IFREG, "x", 06755, false}, {"d", AE_IFDIR, "", 01777, false}}));
  EXPECT_EQ(mode("su") & 07000U, 0U);
  EXPECT_EQ(mode("d") & 07000U, 0U);
}

TEST_F(UnpackTest, ZipSlipIsRefused) {
  make_victim();
  for (const char* name : {"a.tar.gz", "a.zip"}) {
    for (const char* path : {"../../victim", "x/../../../victim", "/tmp/rm-unpack-victim"}) {
      const auto size = unpack(
          {{"good", AE_IFREG, "x", 0644, false}, {path, AE_IFREG, "evil", 0644, false}}, name);
      ASSERT_FALSE(size) << path;
      EXPECT_THAT(size.error().message, HasSubstr(std::string("entry ") + path));
    }
  }
  EXPECT_TRUE(nothing_outside());
  EXPECT_FALSE(fs::exists("/tmp/rm-unpack-victim"));
}

TEST_F(UnpackTest, NothingIsWrittenThroughALink) {
  make_victim();
  // A link inside is taken; what comes after it and leads through it is not.
  fs::create_directories(sandbox() / "real");
  const auto through =
      unpack({{"l", AE_IFLNK, "real", 0777, false}, {"l/x", AE_IFREG, "evil", 0644, false}});
  ASSERT_FALSE(through);
  EXPECT_FALSE(fs::exists(sandbox() / "real" / "x"));
  // One that the task's earlier file left and that leads out.
  fs::create_symlink(root, sandbox() / "out");
  EXPECT_FALSE(unpack({{"out/victim", AE_IFREG, "evil", 0644, false}}));
  EXPECT_FALSE(unpack(
      {{"out", AE_IFLNK, "../..", 0777, false}, {"out/victim", AE_IFREG, "evil", 0644, false}}));
  EXPECT_FALSE(unpack({{"h", AE_IFREG, "out/victim", 0644, true}}));
  // The last part is replaced, not followed.
  fs::create_symlink(root / "victim", sandbox() / "file");
  EXPECT_TRUE(unpack({{"file", AE_IFREG, "mine", 0644, false}}));
  EXPECT_EQ(text("file"), "mine");
  EXPECT_TRUE(nothing_outside());
}

TEST_F(UnpackTest, LinksOutAndDevicesAreRefused) {
  EXPECT_FALSE(unpack({{"l", AE_IFLNK, "/etc/passwd", 0777, false}}));
  EXPECT_FALSE(unpack({{"l", AE_IFLNK, "../../victim", 0777, false}}));
  EXPECT_FALSE(unpack({{"h", AE_IFREG, "../../victim", 0644, true}}));
  EXPECT_FALSE(unpack({{"p", AE_IFIFO, "", 0644, false}}));
  EXPECT_FALSE(unpack({{"d", AE_IFCHR, "", 0644, false}}));
}

TEST_F(UnpackTest, BombsEndAtTheirLimits) {
  UnpackLimits limits;
  limits.bytes_max = 1 << 20;
  const std::string zeros(2 << 20, '\0');
  EXPECT_THAT(unpack({{"z", AE_IFREG, zeros, 0644, false}}, "a.tar.gz", limits).error().message,
              HasSubstr("more than 1048576 bytes"));
  limits.bytes_max = 0;
  limits.ratio_free_bytes = 1 << 20;
  EXPECT_THAT(unpack({{"z", AE_IFREG, zeros, 0644, false}}, "a.zip", limits).error().message,
              HasSubstr("times as much"));
  limits.entries_max = 1;
  EXPECT_THAT(unpack({{"a", AE_IFREG, "", 0644, false}, {"b", AE_IFREG, "", 0644, false}},
                     "a.tar.gz", limits)
                  .error()
                  .message,
              HasSubstr("more than 1 entries"));
}

TEST_F(UnpackTest, DamagedArchivesAreErrors) {
  std::ofstream(root / "bad.tar.gz") << "this is no archive";
  const Descriptor file(::open((root / "bad.tar.gz").c_str(), O_RDONLY | O_CLOEXEC));
  const Descriptor directory(::open(sandbox().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  UnpackLimits limits;
  limits.bytes_max = 1 << 20;
  EXPECT_FALSE(unpack_archive(file, directory, true, limits));
  const Descriptor to(::open((root / "bad").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(unpack_gzip(file, to, limits).error().message, "is not packed with gzip");
}

/// The whole of rm-fetch but its main().
class FetcherTest : public UnpackTest {
 protected:
  Result<void> run(std::vector<Fetch> files, std::uint64_t bytes_max = 1 << 20) {
    Fetcher fetcher(std::move(Sandbox::open(sandbox().string()).value()), bytes_max);
    return fetcher.run({std::move(files), "", bytes_max});
  }
};

TEST_F(FetcherTest, FilesAreCopiedIntoDirectoriesThatAreMade) {
  make_victim();
  const std::string victim = (root / "victim").string();
  ASSERT_TRUE(run({{victim, "", true, false}, {"file://" + victim, "a/b/run.zip", true, true}}));
  EXPECT_EQ(text("victim"), "intact");
  EXPECT_EQ(text("a/b/run.zip"), "intact");
  EXPECT_EQ(mode("a/b/run.zip"), 0755U);
  EXPECT_EQ(mode("victim") & 0111U, 0U);
}

TEST_F(FetcherTest, AnExistingLinkIsReplacedAndADirectoryLinkRefused) {
  make_victim();
  std::ofstream(root / "evil") << "evil";
  fs::create_symlink(root / "victim", sandbox() / "x");
  fs::create_symlink(root, sandbox() / "d");
  ASSERT_TRUE(run({{(root / "evil").string(), "x", true, false}}));
  EXPECT_EQ(text("x"), "evil");
  EXPECT_EQ(read(root / "victim"), "intact");
  const auto through = run({{(root / "evil").string(), "d/victim", true, false}});
  ASSERT_FALSE(through);
  EXPECT_THAT(through.error().message, HasSubstr("a file or a link, where a directory is needed"));
  EXPECT_EQ(read(root / "victim"), "intact");
}

TEST_F(FetcherTest, OnlyRegularFilesOfThisHost) {
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(run({{(root / "pipe").string(), "", true, false}}).error().message,
            (root / "pipe").string() + ": not a regular file");
  EXPECT_EQ(run({{root.string(), "x", true, false}}).error().message,
            root.string() + ": not a regular file");
  EXPECT_THAT(run({{"/dev/zero", "", true, false}}).error().message, HasSubstr("not a regular"));
  EXPECT_EQ(run({{"/nosuch/file", "", true, false}}).error().message,
            "/nosuch/file: no such file or directory");
}

TEST_F(FetcherTest, AllFilesTogetherStayBelowTheLimit) {
  std::ofstream(root / "half") << std::string(600, 'x');
  const std::string half = (root / "half").string();
  EXPECT_TRUE(run({{half, "a", true, false}}, 1000));
  EXPECT_EQ(run({{half, "a", true, false}, {half, "b", true, false}}, 1000).error().message,
            half + ": more than 400 bytes");
}

TEST_F(FetcherTest, NothingIsFetchedWhereThePlanIsWrong) {
  make_victim();
  EXPECT_FALSE(run({{(root / "victim").string(), "", true, false}, {"words", "", true, false}}));
  EXPECT_FALSE(fs::exists(sandbox() / "victim"));
}

TEST_F(FetcherTest, NobodyListens) {
  EXPECT_EQ(run({{"http://127.0.0.1:1/x", "", true, false}}).error().message,
            "http://127.0.0.1:1/x: connection refused");
}

}  // namespace
}  // namespace librm::fetch
