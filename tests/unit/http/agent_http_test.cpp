// Output files: offsets, following, and every way in which a name or a link might lead elsewhere.
#include "http/agent_http.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "http/task_file.hpp"
#include "unit/http/capture.hpp"

namespace librm::http {
namespace {

namespace fs = std::filesystem;

class FakeAgent final : public AgentBackend {
 public:
  explicit FakeAgent(std::string runs) : runs_(std::move(runs)), core_(AgentOptions{}) {}
  bool ready() const override { return is_ready; }
  const AgentCore& core() const override { return core_; }
  std::string runs_directory() const override { return runs_; }
  void on_change(std::function<void()> callback) override { changed_ = std::move(callback); }

  void set(const TaskId& task, TaskState state) {
    TaskLedgerRecord record;
    record.framework = {1};
    record.info.id = task;
    record.latest.framework = {1};
    record.latest.task = task;
    record.latest.state = state;
    record.latest.sequence = ++sequence_;
    core_.apply(record);
    changed_();
  }

  bool is_ready = true;

 private:
  std::string runs_;
  AgentCore core_;
  std::function<void()> changed_;
  std::uint64_t sequence_ = 0;
};

class AgentHttpTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(sandbox);
    write("stdout", "0123456789");
  }
  ~AgentHttpTest() override { fs::remove_all(root); }

  static fs::path make_root() {
    std::string pattern = (fs::temp_directory_path() / "rm-http-XXXXXX").string();
    return ::mkdtemp(pattern.data());
  }
  void write(const std::string& name, const std::string& text, bool append = false) {
    std::ofstream(sandbox / name, append ? std::ios::app : std::ios::trunc) << text;
  }
  std::shared_ptr<Captured> get(const std::string& target) { return ask(http, "GET", target); }
  std::shared_ptr<Captured> file(const std::string& query, const std::string& name = "stdout") {
    return get("/v1/tasks/f-1/1.1.1/files/" + name + query);
  }
  /// Runs the loop until the condition holds.
  bool run_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_for(std::chrono::milliseconds(1));
    }
    return condition();
  }

  fs::path root = make_root();
  fs::path runs = root / "runs";
  fs::path sandbox = runs / "f-1" / "1.1.1";
  asio::io_context io{1};
  FakeAgent agent{runs.string()};
  AgentHttp http{io, agent};
};

TEST_F(AgentHttpTest, BytesFromAnOffset) {
  EXPECT_EQ(file("")->response->body, "0123456789");
  EXPECT_EQ(file("?offset=7")->response->body, "789");
  EXPECT_EQ(file("?offset=-2")->response->body, "89");
  EXPECT_EQ(file("?offset=-99")->response->body, "0123456789");
  EXPECT_EQ(file("?offset=10")->response->body, "");
  EXPECT_EQ(file("?offset=9223372036854775807")->response->body, "");
  for (const char* bad : {"?offset=x", "?offset=", "?offset=1.5", "?offset=9223372036854775808",
                          "?offset=-9223372036854775808", "?folow=1", "?follow=2"}) {
    EXPECT_EQ(file(bad)->status(), 400) << bad;
  }
}

TEST_F(AgentHttpTest, StateOfTheTaskIsAHeader) {
  EXPECT_EQ(file("")->response->headers.at(0),
            (std::pair<std::string, std::string>{"X-RM-Task-State", "unknown"}));
  agent.set("1.1.1", TaskState::running);
  EXPECT_EQ(file("")->response->headers.at(0).second, "running");
}

TEST_F(AgentHttpTest, LargeFileIsSentPieceByPiece) {
  AgentHttpOptions options;
  options.chunk_bytes = 4;
  const AgentHttp small(io, agent, options);
  const auto answer = ask(small, "GET", "/v1/tasks/f-1/1.1.1/files/stdout?offset=1");
  EXPECT_EQ(answer->stream->bytes, "1234");
  write("stdout", "more", true);
  while (answer->stream->drained) answer->stream->drained();
  EXPECT_EQ(answer->stream->bytes, "123456789") << "as it was when it was asked for";
  EXPECT_TRUE(answer->stream->closed);
}

TEST_F(AgentHttpTest, FollowGoesOnUntilTheTaskIsOver) {
  agent.set("1.1.1", TaskState::running);
  const auto answer = file("?follow=1&offset=8");
  ASSERT_TRUE(answer->stream_head);
  EXPECT_EQ(answer->stream->bytes, "89");
  write("stdout", "abc", true);
  EXPECT_TRUE(run_until([&] { return answer->stream->bytes == "89abc"; }));
  EXPECT_FALSE(answer->stream->closed);
  write("stdout", "last", true);
  agent.set("1.1.1", TaskState::finished);
  while (answer->stream->drained) answer->stream->drained();
  EXPECT_EQ(answer->stream->bytes, "89abclast");
  EXPECT_TRUE(answer->stream->closed);
}

TEST_F(AgentHttpTest, FollowOfATaskThatIsOverOrForgottenEndsAtOnce) {
  const auto answer = file("?follow=1");
  while (answer->stream->drained) answer->stream->drained();
  EXPECT_EQ(answer->stream->bytes, "0123456789");
  EXPECT_TRUE(answer->stream->closed);
}

TEST_F(AgentHttpTest, FollowWaitsForAFileThatMayStillCome) {
  const auto early = get("/v1/tasks/f-1/2.1.1/files/stdout?follow=1");
  EXPECT_FALSE(early->response);
  agent.set("2.1.1", TaskState::staging);
  EXPECT_FALSE(early->response);
  fs::create_directories(runs / "f-1" / "2.1.1");
  std::ofstream(runs / "f-1" / "2.1.1" / "stdout") << "here";
  agent.set("2.1.1", TaskState::running);
  EXPECT_EQ(early->stream->bytes, "here");
  agent.set("2.1.1", TaskState::finished);
  EXPECT_TRUE(early->stream->closed);
}

TEST_F(AgentHttpTest, FollowOfATaskThatNeverComesEndsWithNotFound) {
  AgentHttpOptions options;
  options.appear_timeout = milliseconds(20);
  options.look_interval = milliseconds(5);
  const AgentHttp quick(io, agent, options);
  const auto answer = ask(quick, "GET", "/v1/tasks/f-1/9.1.1/files/stdout?follow=1");
  EXPECT_TRUE(run_until([&] { return answer->response.has_value(); }));
  EXPECT_EQ(answer->status(), 404);
}

TEST_F(AgentHttpTest, FollowOfAStartThatFailedEndsWithNotFound) {
  agent.set("3.1.1", TaskState::staging);
  const auto answer = get("/v1/tasks/f-1/3.1.1/files/stdout?follow=1");
  EXPECT_FALSE(answer->response);
  agent.set("3.1.1", TaskState::failed);
  EXPECT_EQ(answer->status(), 404);
}

TEST_F(AgentHttpTest, ReaderThatGoesAwayIsForgotten) {
  agent.set("1.1.1", TaskState::running);
  const auto answer = file("?follow=1");
  answer->stream->gone();
  EXPECT_TRUE(answer->stream->broken);
  write("stdout", "more", true);
  agent.set("1.1.1", TaskState::finished);
  EXPECT_EQ(answer->stream->bytes, "0123456789");
}

TEST_F(AgentHttpTest, NoNameLeadsOut) {
  std::ofstream(root / "secret") << "secret";
  fs::create_directories(runs / "f-1" / "sandbox-evil");
  for (const char* path : {"f-1/../files/stdout",
                           "f-1/%2e%2e/files/stdout",
                           "f-1/%2e%2e%2f%2e%2e/files/stdout",
                           "f-1/1.1.1%2f..%2f../files/stdout",
                           "f-1/1.1.1%00/files/stdout",
                           "f-1//files/stdout",
                           "../1.1.1/files/stdout",
                           "%2e%2e/1.1.1/files/stdout",
                           "f-01/1.1.1/files/stdout",
                           "1/1.1.1/files/stdout",
                           "f-1/-x/files/stdout",
                           "f-1/.hidden/files/stdout",
                           "f-1/%252e%252e/files/stdout",
                           "f-1/1.1.1/files/..",
                           "f-1/1.1.1/files/%2e%2e",
                           "f-1/1.1.1/files/..%2f..%2f..%2fsecret",
                           "f-1/1.1.1/files/stdout%00.txt",
                           "f-1/1.1.1/files/other",
                           "f-1/1.1.1/files/stdout/x",
                           "f-1/%2froot/files/stdout"}) {
    const auto answer = get(std::string("/v1/tasks/") + path);
    EXPECT_EQ(answer->status() / 100, 4) << path;
    EXPECT_EQ(answer->response->body.find("secret\n"), std::string::npos) << path;
  }
  EXPECT_EQ(get("/v1/tasks/f-1/" + std::string(300, 'a') + "/files/stdout")->status(), 400);
}

TEST_F(AgentHttpTest, NoLinkIsFollowed) {
  std::ofstream(root / "secret") << "secret";
  fs::remove(sandbox / "stdout");
  fs::create_symlink(root / "secret", sandbox / "stdout");
  EXPECT_EQ(file("")->status(), 403);
  EXPECT_EQ(file("?follow=1")->status(), 403);
  fs::create_symlink("stdout2", sandbox / "stderr");
  write("stdout2", "inside");
  EXPECT_EQ(file("", "stderr")->status(), 403);
  // The run's directory itself swapped for a link.
  fs::create_directories(root / "elsewhere");
  std::ofstream(root / "elsewhere" / "stdout") << "secret";
  fs::create_symlink(root / "elsewhere", runs / "f-1" / "4.1.1");
  EXPECT_EQ(get("/v1/tasks/f-1/4.1.1/files/stdout")->status(), 403);
  EXPECT_FALSE(has_sandbox(runs.string(), {1}, "4.1.1"));
}

TEST_F(AgentHttpTest, SwappingFileAndLinkNeverShowsTheSecret) {
  std::ofstream(root / "secret") << "secret";
  const fs::path mine = sandbox / "stdout";
  for (int i = 0; i < 500; ++i) {
    fs::remove(mine);
    if (i % 2 == 0) {
      fs::create_symlink(root / "secret", mine);
    } else {
      write("stdout", "mine");
    }
    const auto answer = file("");
    EXPECT_EQ(answer->response->body.find("secret"), std::string::npos);
    EXPECT_EQ(answer->status(), i % 2 == 0 ? 403 : 200);
  }
}

TEST_F(AgentHttpTest, PipesAndDirectoriesAreRefusedWithoutBlocking) {
  fs::remove(sandbox / "stdout");
  ASSERT_EQ(::mkfifo((sandbox / "stdout").c_str(), 0600), 0);
  EXPECT_EQ(file("")->status(), 403);
  fs::create_directory(sandbox / "stderr");
  EXPECT_EQ(file("", "stderr")->status(), 403);
}

TEST_F(AgentHttpTest, AnyRegularFileBelowTheSandboxIsRead) {
  fs::create_directories(sandbox / "data" / "deep");
  write("data/deep/a b", "inside");
  write("top.txt", "top");
  fs::create_symlink("data/deep", sandbox / "latest");
  EXPECT_EQ(file("", "top.txt")->response->body, "top");
  const auto at = [&](const std::string& query) {
    return get("/v1/tasks/f-1/1.1.1/file?" + query);
  };
  EXPECT_EQ(at("path=data/deep/a%20b")->response->body, "inside");
  EXPECT_EQ(at("path=data/deep/a+b&offset=2")->response->body, "side");
  EXPECT_EQ(at("path=latest/a%20b")->response->body, "inside") << "a link that stays inside";
  EXPECT_EQ(at("path=data/../top.txt")->response->body, "top");
  EXPECT_EQ(at("path=stdout")->response->body, "0123456789");
  EXPECT_EQ(at("path=nosuch")->status(), 404);
  EXPECT_EQ(at("path=data")->status(), 403);
  EXPECT_EQ(at("")->status(), 400);
  EXPECT_EQ(at("path=top.txt&ofset=1")->status(), 400);
}

TEST_F(AgentHttpTest, DirectoriesAreListed) {
  fs::create_directories(sandbox / "data");
  write("data/b", "12");
  fs::create_symlink("b", sandbox / "data" / "link");
  fs::create_directory(sandbox / "data" / "a");
  ASSERT_EQ(::mkfifo((sandbox / "data" / "pipe").c_str(), 0640), 0);
  ::chmod((sandbox / "data" / "b").c_str(), 0751);
  const auto list = [&](const std::string& query) {
    return get("/v1/tasks/f-1/1.1.1/files" + query);
  };
  const auto answer = list("?path=data")->json();
  EXPECT_EQ(answer["path"], "data");
  EXPECT_EQ(answer["truncated"], false);
  const auto& entries = answer["entries"];
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries[0]["name"], "a");
  EXPECT_EQ(entries[0]["type"], "directory");
  EXPECT_EQ(entries[1]["size"], 2);
  EXPECT_EQ(entries[1]["mode"], "rwxr-x--x");
  EXPECT_EQ(entries[2]["type"], "link");
  EXPECT_EQ(entries[3]["type"], "other");
  EXPECT_EQ(list("")->json()["entries"].size(), 2u);
  EXPECT_EQ(list("?path=data/b")->status(), 404);
  EXPECT_EQ(list("?path=data/pipe")->status(), 404);
  EXPECT_EQ(list("?path=nosuch")->status(), 404);
  const auto few = list_directory(runs.string(), {1}, "1.1.1", "data", 2);
  EXPECT_EQ(few->entries.size(), 2u);
  EXPECT_TRUE(few->truncated);
}

/// Paths that lead out, or might by one decoding more, in the forms that servers have fallen for.
TEST_F(AgentHttpTest, NoPathLeadsOut) {
  std::ofstream(root / "secret") << "secret";
  std::ofstream(runs / "f-1" / "secret") << "secret";
  const fs::path evil = runs / "f-1" / "1.1.1-evil";
  fs::create_directories(evil);
  std::ofstream(evil / "secret") << "secret";
  fs::create_directories(sandbox / "d");
  fs::create_symlink(root / "secret", sandbox / "absolute");
  fs::create_symlink("../secret", sandbox / "relative");
  fs::create_symlink("..", sandbox / "up");
  fs::create_symlink("../1.1.1-evil", sandbox / "sibling");
  fs::create_symlink("../../secret", sandbox / "d" / "deep");
  fs::create_symlink("/proc/self", sandbox / "proc");
  fs::create_symlink("loop", sandbox / "loop");
  fs::create_symlink("up/secret", sandbox / "chain");
  ASSERT_EQ(::mkfifo((sandbox / "pipe").c_str(), 0600), 0);
  fs::create_symlink("/dev/zero", sandbox / "zero");
  const std::string absolute = percent_encode((root / "secret").string());
  const std::string hostile[] = {"../secret",
                                 "../../secret",
                                 "../../../secret",
                                 "..%2fsecret",
                                 "%2e%2e/secret",
                                 "%2e%2e%2fsecret",
                                 "..%2f..%2fsecret",
                                 "%252e%252e%252fsecret",
                                 "..%252fsecret",
                                 "%25252e%25252e/secret",
                                 "d/../../secret",
                                 "d/../../../secret",
                                 "./../secret",
                                 "d/./.././../secret",
                                 "..//secret",
                                 "..///..//secret",
                                 "../1.1.1-evil/secret",
                                 "../1.1.1-evil%2fsecret",
                                 "../1.1.1/../secret",
                                 absolute,
                                 "%2f" + absolute,
                                 "/etc/passwd",
                                 "//etc/passwd",
                                 "%2fetc%2fpasswd",
                                 "/proc/self/environ",
                                 "absolute",
                                 "relative",
                                 "up/secret",
                                 "up/1.1.1-evil/secret",
                                 "sibling/secret",
                                 "d/deep",
                                 "proc/environ",
                                 "proc/root/etc/passwd",
                                 "loop",
                                 "chain",
                                 "chain/..",
                                 "pipe",
                                 "zero",
                                 "secret%00",
                                 "%00",
                                 "stdout%00.txt",
                                 "..%00/secret",
                                 "..\\secret",
                                 "..%5csecret",
                                 "%c0%ae%c0%ae/secret",
                                 "%c0%ae%c0%ae%c0%afsecret",
                                 "..%c0%afsecret",
                                 "%uff0e%uff0e/secret",
                                 "~/secret",
                                 "file:///etc/passwd",
                                 "..;/secret",
                                 "d",
                                 ".",
                                 "..",
                                 "/",
                                 "",
                                 std::string(5000, 'a'),
                                 "d/" + std::string(300, 'b')};
  for (const std::string& path : hostile) {
    for (const char* route : {"file", "files"}) {
      const std::string target = std::string("/v1/tasks/f-1/1.1.1/") + route + "?path=" + path;
      if (!parse_target(target)) continue;  // refused before any route
      const auto answer = get(target);
      ASSERT_TRUE(answer->response) << target;
      EXPECT_EQ(answer->response->body.find("\"secret\""), std::string::npos) << target;
      EXPECT_EQ(answer->response->body.find("root:"), std::string::npos) << target;
      EXPECT_NE(answer->response->body, "secret") << target;
      const bool directory = path == "d" || path == "." || path.empty();
      if (!directory || std::string(route) == "file") {
        EXPECT_EQ(answer->status() / 100, 4) << target;
      }
    }
  }
  EXPECT_EQ(get("/v1/tasks/f-1/1.1.1/file?path=up/secret")->status(), 403);
  EXPECT_EQ(get("/v1/tasks/f-1/1.1.1/file?path=absolute")->status(), 403);
  EXPECT_EQ(get("/v1/tasks/f-1/1.1.1/file?path=pipe")->status(), 403);
  EXPECT_EQ(get("/v1/tasks/f-1/1.1.1/file?path=secret%00")->status(), 400);
}

TEST_F(AgentHttpTest, FilesAreLookedAtAsTheSandboxsOwner) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to have a sandbox of somebody else";
  write("data", "his");
  std::ofstream(root / "secret") << "secret";
  ASSERT_EQ(::chmod((root / "secret").c_str(), 0600), 0);
  // As where the kernel does not protect hard links.
  fs::create_hard_link(root / "secret", sandbox / "hard");
  ASSERT_EQ(::chown(sandbox.c_str(), 12345, 12345), 0);
  ASSERT_EQ(::chown((sandbox / "data").c_str(), 12345, 12345), 0);
  EXPECT_EQ(file("", "data")->response->body, "his");
  EXPECT_EQ(file("", "hard")->status(), 403);
}

TEST_F(AgentHttpTest, WhoIsCutOffKnowsWhereToGoOn) {
  agent.set("1.1.1", TaskState::running);
  const auto answer = file("?follow=1&offset=-3");
  EXPECT_EQ(answer->stream_head->headers.at(1),
            (std::pair<std::string, std::string>{"X-RM-Offset", "7"}));
  EXPECT_EQ(file("?offset=4")->response->headers.at(1).second, "4");
}

TEST_F(AgentHttpTest, NothingLooksCompleteWhileTheAgentStartsOrStops) {
  agent.set("1.1.1", TaskState::running);
  const auto answer = file("?follow=1");
  agent.is_ready = false;
  agent.set("1.1.1", TaskState::running);
  EXPECT_FALSE(answer->stream->closed);
  for (const char* query : {"", "?follow=1"}) EXPECT_EQ(file(query)->status(), 503);
}

TEST_F(AgentHttpTest, TasksAreListed) {
  agent.set("1.1.1", TaskState::running);
  const auto tasks = get("/v1/tasks")->json()["tasks"];
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0]["framework"], "f-1");
  EXPECT_EQ(tasks[0]["task"], "1.1.1");
  EXPECT_EQ(tasks[0]["state"], "running");
  EXPECT_EQ(tasks[0]["stdout"], "/v1/tasks/f-1/1.1.1/files/stdout");
  EXPECT_EQ(tasks[0]["cpus"], "") << "it is not bound";
}

TEST_F(AgentHttpTest, ReadinessSaysWhetherThereIsAMaster) {
  EXPECT_EQ(get("/livez")->response->body, "ok\n");
  EXPECT_EQ(get("/readyz")->response->body, "ok, but without a master\n");
  agent.is_ready = false;
  EXPECT_EQ(get("/readyz")->status(), 503);
  EXPECT_EQ(get("/v1/version")->status(), 200);
}

}  // namespace
}  // namespace librm::http
