// What may be fetched and unpacked: URIs, names, and verdicts over archive entries.
#include "fetch/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shepherd/fetch_plan.hpp"

namespace librm::fetch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Fetch fetch_of(std::string uri, std::string output = {}) {
  Fetch fetch;
  fetch.uri = std::move(uri);
  fetch.output_file = std::move(output);
  return fetch;
}

TEST(FetchPlan, TextIsReadAsItWasWritten) {
  shepherd::FetchPlan plan;
  plan.bytes_max = 1234;
  plan.working_directory = "a b/%\n";
  plan.files = {{"http://h/x?y=1 2", "", true, false}, {"/p\xc3\xa9", "-", false, true}};
  const std::string text = print_fetch_plan(plan);
  EXPECT_EQ(text.find("a b"), std::string::npos);
  EXPECT_EQ(shepherd::parse_fetch_plan(text), plan);
  EXPECT_EQ(shepherd::parse_fetch_plan(""), shepherd::FetchPlan{});
}

TEST(FetchPlan, WhatIsNoPlanIsRefusedWithItsLine) {
  for (const char* text :
       {"x", "\n", "bytes_max\n", "bytes_max -1\n", "bytes_max 1", "file 1 1 a\n", "file 2 1 a b\n",
        "file 1 1 a%2 b\n", "file 1 1 a%zz b\n", "file 1 1 a b c\n", "directory \n",
        "bytes_max 99999999999999999999\n"}) {
    const auto plan = shepherd::parse_fetch_plan(text);
    ASSERT_FALSE(plan) << text;
    EXPECT_EQ(plan.error().message, "fetch plan: line 1 cannot be read");
  }
}

TEST(FetchPlan, ReportsArePrintable) {
  EXPECT_EQ(shepherd::printable("a\x1b[1m\n\xff"), "a\\x1b[1m\\x0a\\xff");
}

TEST(FetchSource, FilesAndUrls) {
  EXPECT_EQ(parse_source("/data/a%20b"), (Source{true, "/data/a%20b", "a%20b"}));
  EXPECT_EQ(parse_source("file:///data/a%20b"), (Source{true, "/data/a b", "a b"}));
  EXPECT_EQ(parse_source("FILE://localhost/x"), (Source{true, "/x", "x"}));
  EXPECT_EQ(parse_source("http://h:8/a/b.tgz?q=/z#f"),
            (Source{false, "http://h:8/a/b.tgz?q=/z#f", "b.tgz"}));
  EXPECT_EQ(parse_source("https://h"), (Source{false, "https://h", ""}));
  EXPECT_EQ(parse_source("ftp://h/x%41"), (Source{false, "ftp://h/x%41", "xA"}));
}

TEST(FetchSource, EverythingElseIsRefused) {
  for (const char* uri :
       {"", "words.txt", "../words.txt", "scp://h/x", "gopher://h/x", "dict://h/x", "file://x",
        "file://other/etc/passwd", "file:///a%00b", "file:///a%zz", "http://", "http:///x",
        "http://h/a b", "http://h/a\r\nHost: x", "http://h/%4", "javascript:alert(1)"}) {
    const auto source = parse_source(uri);
    EXPECT_FALSE(source) << uri;
  }
}

TEST(FetchSource, PasswordsAreNotShown) {
  EXPECT_EQ(shown("http://rita:pw@h/x"), "http://h/x");
  EXPECT_EQ(shown("ftp://a@b@h"), "ftp://h");
  EXPECT_EQ(shown("http://h/x@y"), "http://h/x@y");
  EXPECT_EQ(shown("/a/b\n"), "/a/b\\x0a");
  const auto refused = parse_source("http://rita:pw@h/a b");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, ::testing::Not(HasSubstr("pw")));
}

TEST(FetchTask, NameIsTheUrisLastSegmentOrTheOutputFile) {
  EXPECT_THAT(plan_task(fetch_of("http://h/a/words.txt"))->parts, ElementsAre("words.txt"));
  EXPECT_THAT(plan_task(fetch_of("http://h/a", "./data//w.txt"))->parts,
              ElementsAre("data", "w.txt"));
}

TEST(FetchTask, NoNameLeadsOut) {
  const std::pair<Fetch, const char*> cases[] = {
      {fetch_of("http://h/x", "../x"), "output file ../x: leads out of the sandbox"},
      {fetch_of("http://h/x", "a/../../x"), "leads out"},
      {fetch_of("http://h/x", "a/.."), "leads out"},
      {fetch_of("http://h/x", "/etc/x"), "is absolute"},
      {fetch_of("http://h/x", std::string("a\0b", 3)), "NUL"},
      {fetch_of("http://h/.."), "leads out"},
      {fetch_of("http://h/%2e%2e"), "leads out"},
      {fetch_of("http://h/..%2f..%2fetc%2fpasswd"), "contains a slash"},
      {fetch_of("http://h/"), "names no file"},
      {fetch_of("http://h"), "names no file"},
      {fetch_of("http://h/x", "data/"), "names no file"},
      {fetch_of("http://h/x", "."), "names no file"},
      {fetch_of("http://h/stdout"), "own output"},
      {fetch_of("http://h/x", "./stderr"), "own output"},
  };
  for (const auto& [fetch, message] : cases) {
    const auto task = plan_task(fetch);
    ASSERT_FALSE(task) << fetch.uri << ' ' << fetch.output_file;
    EXPECT_THAT(task.error().message, HasSubstr(message));
  }
  EXPECT_TRUE(plan_task(fetch_of("http://h/x", "data/stdout")));
}

TEST(FetchTask, PackingIsKnownByItsEnding) {
  for (const char* name :
       {"a.tar", "a.tar.gz", "a.TGZ", "a.tar.bz2", "a.tbz2", "a.tar.xz", "a.txz", "a.zip"}) {
    EXPECT_EQ(packing_of(name), Packing::archive) << name;
  }
  EXPECT_EQ(packing_of("a.gz"), Packing::gzip);
  for (const char* name : {"a", "a.txt", ".tar", ".gz", "a.bz2", "tar.gz.txt", "zip"}) {
    EXPECT_EQ(packing_of(name), Packing::none) << name;
  }
  Fetch fetch = fetch_of("/x/tool.zip");
  EXPECT_EQ(plan_task(fetch)->packing, Packing::archive);
  fetch.executable = true;
  EXPECT_EQ(plan_task(fetch)->packing, Packing::none) << "what may be executed is never unpacked";
  fetch.executable = fetch.extract = false;
  EXPECT_EQ(plan_task(fetch)->packing, Packing::none);
  EXPECT_EQ(plan_task(fetch_of("http://h/download", "words.tar.gz"))->packing, Packing::archive);
}

Entry entry(EntryKind kind, std::string path, std::string target = {}) {
  return {std::move(path), kind, std::move(target), 0644};
}

TEST(ArchiveRules, PathsStayBelow) {
  ArchiveRules rules(UnpackLimits{}, true);
  EXPECT_EQ(rules.check(entry(EntryKind::file, "a/./b//c")), "a/b/c");
  EXPECT_EQ(rules.check(entry(EntryKind::directory, "./")), "");
  for (const char* path : {"../x", "a/../../x", "a/..", "..", "/etc/passwd", "//x", ""}) {
    EXPECT_FALSE(rules.check(entry(EntryKind::file, path))) << path;
  }
  EXPECT_EQ(rules.check(entry(EntryKind::file, "../../etc/passwd")).error().message,
            "entry ../../etc/passwd: leads out of the sandbox");
  EXPECT_FALSE(rules.check(entry(EntryKind::file, std::string("a\0b", 3))));
}

TEST(ArchiveRules, TheTasksOutputIsNotReplaced) {
  ArchiveRules top(UnpackLimits{}, true);
  EXPECT_FALSE(top.check(entry(EntryKind::file, "./stdout")));
  EXPECT_FALSE(top.check(entry(EntryKind::hard_link, "x", "stderr")));
  EXPECT_TRUE(top.check(entry(EntryKind::file, "a/stdout")));
  ArchiveRules below(UnpackLimits{}, false);
  EXPECT_TRUE(below.check(entry(EntryKind::file, "stdout")));
}

TEST(ArchiveRules, LinksLeadDownOrUpAtTheirBeginningOnly) {
  ArchiveRules rules(UnpackLimits{}, true);
  const std::pair<const char*, const char*> good[] = {
      {"l", "a"}, {"l", "a/b"}, {"a/l", "../b"}, {"a/b/l", "../../c/d"}, {"l", "."}, {"l", "./a"}};
  for (const auto& [path, target] : good) {
    EXPECT_TRUE(rules.check(entry(EntryKind::symbolic_link, path, target))) << path << target;
  }
  const std::pair<const char*, const char*> bad[] = {{"l", "/etc/passwd"},
                                                     {"l", ".."},
                                                     {"l", "../x"},
                                                     {"a/l", "../../x"},
                                                     {"l", ""},
                                                     {"l", "a/../../x"},
                                                     {"l", "a/.."},
                                                     {"a/l", "../b/../../x"},
                                                     {"./l", "../x"},
                                                     {"a/../l", "b"}};
  for (const auto& [path, target] : bad) {
    EXPECT_FALSE(rules.check(entry(EntryKind::symbolic_link, path, target))) << path << target;
  }
  EXPECT_TRUE(rules.check(entry(EntryKind::hard_link, "a/l", "b/c")));
  for (const char* target : {"../x", "/etc/passwd", "b/../../x", ""}) {
    EXPECT_FALSE(rules.check(entry(EntryKind::hard_link, "a/l", target))) << target;
  }
  EXPECT_THAT(rules.check(entry(EntryKind::symbolic_link, "l", "/etc")).error().message,
              HasSubstr("entry l links to /etc, which may lead out of the sandbox"));
}

TEST(ArchiveRules, DevicesAndPipesAreRefused) {
  ArchiveRules rules(UnpackLimits{}, true);
  EXPECT_FALSE(rules.check(entry(EntryKind::other, "dev/sda")));
}

TEST(ArchiveRules, EntriesBytesAndRatioHaveLimits) {
  UnpackLimits limits;
  limits.entries_max = 2;
  limits.bytes_max = 10'000;
  limits.ratio_max = 10;
  limits.ratio_free_bytes = 1'000;
  ArchiveRules rules(limits, true);
  EXPECT_TRUE(rules.check(entry(EntryKind::file, "a")));
  EXPECT_TRUE(rules.check(entry(EntryKind::file, "b")));
  EXPECT_EQ(rules.check(entry(EntryKind::file, "c")).error().message, "more than 2 entries");
  EXPECT_TRUE(rules.check_size(1'000, 1));
  EXPECT_TRUE(rules.check_size(2'000, 200));
  EXPECT_THAT(rules.check_size(2'000, 100).error().message, HasSubstr("10 times"));
  EXPECT_FALSE(rules.check_size(10'001, 10'000));
}

TEST(ArchiveRules, ModesAreHarmless) {
  EXPECT_EQ(safe_mode(EntryKind::file, 07777), 0777U);
  EXPECT_EQ(safe_mode(EntryKind::file, 0), 0600U);
  EXPECT_EQ(safe_mode(EntryKind::directory, 02055), 0755U);
}

}  // namespace
}  // namespace librm::fetch
