// The client's parsers: addresses, event streams, problems, and how jobs ended.
#include <gtest/gtest.h>

#include "cli/http.hpp"
#include "cli/job_view.hpp"
#include "cli/master.hpp"
#include "cli/sse.hpp"
#include "cli/table.hpp"

namespace batch::cli {
namespace {

TEST(ParseUrl, ReadsWhatPeopleWrite) {
  EXPECT_EQ(authority(parse_url("http://127.0.0.1:5050").value()), "127.0.0.1:5050");
  EXPECT_EQ(authority(parse_url("localhost:5051").value()), "localhost:5051");
  EXPECT_EQ(authority(parse_url("http://host").value()), "host:80");
  const Url v6 = parse_url("http://[::1]:5050/v1/jobs?limit=1").value();
  EXPECT_EQ(v6.host, "::1");
  EXPECT_EQ(authority(v6), "[::1]:5050");
  EXPECT_EQ(v6.target, "/v1/jobs?limit=1");
}

TEST(ParseUrl, RefusesWhatItCannotReach) {
  for (const char* text : {"https://host", "ftp://host", "http://", "host:port", "http://[::1"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(PercentEncode, KeepsOnlyUnreservedCharacters) {
  EXPECT_EQ(percent_encode("a-b_c.d~1"), "a-b_c.d~1");
  EXPECT_EQ(percent_encode("../x y?\xc4\x8d"), "..%2Fx%20y%3F%C4%8D");
}

std::vector<std::string> events_of(const std::vector<std::string>& pieces) {
  SseParser parser;
  std::vector<std::string> found;
  for (const std::string& piece : pieces) {
    parser.feed(piece);
    while (const auto event = parser.next()) {
      found.push_back(event->event + '/' + event->id + '/' + event->data);
    }
  }
  return found;
}

TEST(SseParser, TakesEventsInPieces) {
  const std::string stream =
      "event: job\nid: 1-2\ndata: {\"a\":\ndata: 1}\n\n: comment\n\ndata:x\r\n\r\n";
  const std::vector<std::string> expected{"job/1-2/{\"a\":\n1}", "message/1-2/x"};
  EXPECT_EQ(events_of({stream}), expected);
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  EXPECT_EQ(events_of(bytes), expected);
}

TEST(SseParser, HoldsBackAnEventThatIsNotComplete) {
  EXPECT_TRUE(events_of({"event: job\ndata: 1\n"}).empty());
}

TEST(JobExitCode, IsTheJobsOrTellsTheSignal) {
  EXPECT_EQ(job_exit_code(Json::parse(R"({"state": "finished", "exit_code": 0})")), 0);
  EXPECT_EQ(job_exit_code(Json::parse(R"({"state": "failed", "exit_code": 3})")), 3);
  EXPECT_EQ(job_exit_code(Json::parse(R"({"state": "failed", "signal": 9})")), 137);
  EXPECT_EQ(job_exit_code(Json::parse(R"({"state": "cancelled"})")), 1);
  EXPECT_EQ(job_exit_code(Json::parse(R"({"state": 7, "exit_code": "x"})")), 1);
}

TEST(CommandLine, QuotesWhatAShellWouldSplit) {
  EXPECT_EQ(command_line(Json::parse(
                R"({"command": {"shell": false, "value": "sh", "arguments": ["-c", "a b"]}})")),
            "sh -c \"a b\"");
  EXPECT_EQ(command_line(Json::parse(R"({"command": {"shell": true, "value": "a | b"}})")),
            "a | b");
}

TEST(ProblemOf, NamesEachFieldToBlame) {
  Response response;
  response.status = 400;
  response.body = R"({"code": "invalid_argument", "detail": "two fields are wrong", "errors": [
      {"path": "/cpuz", "detail": "unknown field"}, {"path": "/mem", "detail": "not a size"}]})";
  const librm::Error error = problem_of(response, "m:1");
  EXPECT_EQ(error.code, librm::ErrorCode::invalid_argument);
  EXPECT_EQ(error.message, "two fields are wrong\n/cpuz: unknown field\n/mem: not a size");
}

TEST(ProblemOf, ReadsTheStatusWhereThereIsNoProblem) {
  Response response;
  response.status = 404;
  response.body = "<html>";
  EXPECT_EQ(problem_of(response, "m:1").code, librm::ErrorCode::not_found);
}

TEST(Table, CutsTheWidestColumnThatMayShrink) {
  Table table({{"ID", true}, {"NAME", false, true}, {"STATE"}});
  table.add({"7", "a-very-long-name-of-a-job", "running"});
  table.add({"12", "x", "failed"});
  Terminal narrow;
  narrow.width = 24;
  EXPECT_EQ(table.render(narrow, true),
            "ID  NAME         STATE\n"
            " 7  a-very-lon…  running\n"
            "12  x            failed\n");
}

TEST(Table, IsNotCutWhereItIsNotShown) {
  Table table({{"NAME", false, true}});
  const std::string wide(300, 'x');
  table.add({wide});
  EXPECT_EQ(table.render(Terminal{}, false), wide + '\n');
}

}  // namespace
}  // namespace batch::cli
