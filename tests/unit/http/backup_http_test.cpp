// The route that sends a copy of the master's journal, and what a full disk refuses.
#include <gtest/gtest.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "http/master_http.hpp"
#include "unit/http/capture.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

class BackupHttpTest : public testing::Test {
 protected:
  /// A file of these bytes that nobody else sees.
  static std::shared_ptr<const BackupFile> file_of(const std::string& bytes) {
    char name[] = "/tmp/librm-backup-XXXXXX";
    const auto file = std::make_shared<BackupFile>(::mkstemp(name));
    ::unlink(name);
    EXPECT_EQ(::write(file->fd, bytes.data(), bytes.size()), std::ssize(bytes));
    file->bytes = bytes.size();
    file->last_lsn = 42;
    return file;
  }

  asio::io_context io{1};
  FakeMaster master;
  MasterHttp http{io, master};
};

TEST_F(BackupHttpTest, IsSentPieceByPieceWithItsLsn) {
  const auto answer = ask(http, "GET", "/v1/backup");
  EXPECT_FALSE(answer->stream_head);
  const std::string bytes(600'000, 'b');
  master.on_backup(file_of(bytes));
  ASSERT_TRUE(answer->stream_head);
  EXPECT_EQ(answer->stream_head->content_type, "application/vnd.sqlite3");
  EXPECT_EQ(answer->stream_head->headers[0],
            (std::pair<std::string, std::string>("Librm-Lsn", "42")));
  EXPECT_LT(answer->stream->bytes.size(), bytes.size());  // not ahead of its reader
  for (int i = 0; i < 10 && answer->stream->drained; ++i) {
    const auto drained = answer->stream->drained;
    drained();
  }
  EXPECT_EQ(answer->stream->bytes, bytes);
  EXPECT_TRUE(answer->stream->closed);
}

TEST_F(BackupHttpTest, HalfAFileIsNotEndedAsAWholeOne) {
  const auto answer = ask(http, "GET", "/v1/backup");
  const auto file = file_of(std::string(1000, 'b'));
  const_cast<BackupFile&>(*file).bytes = 2000;
  master.on_backup(file);
  for (int i = 0; i < 10 && answer->stream->drained; ++i) {
    const auto drained = answer->stream->drained;
    drained();
  }
  EXPECT_FALSE(answer->stream->closed);
  EXPECT_TRUE(answer->stream->broken);
}

TEST_F(BackupHttpTest, WhatFailsIsAProblem) {
  const auto busy = ask(http, "GET", "/v1/backup");
  master.on_backup(fail(ErrorCode::failed_precondition, "another copy"));
  EXPECT_EQ(busy->status(), 409);
  const auto full = ask(http, "GET", "/v1/backup");
  master.on_backup(fail(ErrorCode::resource_exhausted, "no room"));
  EXPECT_EQ(full->status(), 507);
  EXPECT_EQ(ask(http, "GET", "/v1/backup?a=1")->status(), 400);
}

TEST_F(BackupHttpTest, ALowDiskRefusesNewWorkAtOnce) {
  master.step(MasterEvent(StorageLow{true}));
  const auto job = ask(http, "POST", "/v1/jobs", R"({"command": "true"})");
  EXPECT_EQ(job->status(), 507);
  EXPECT_EQ(job->json()["code"], "resource_exhausted");
  EXPECT_EQ(ask(http, "POST", "/v1/schedules", "{}")->status(), 507);
  EXPECT_EQ(ask(http, "GET", "/v1/jobs")->status(), 200);
  master.step(MasterEvent(StorageLow{false}));
  const auto again = ask(http, "POST", "/v1/jobs", R"({"command": "true"})");
  master.turn();
  EXPECT_EQ(again->status(), 201);
}

}  // namespace
}  // namespace librm::http
