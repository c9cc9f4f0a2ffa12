// Targets, percent-encoding, hosts, numbers, globs, problems, and the table of routes.
#include "http/text.hpp"

#include <gtest/gtest.h>

#include "http/parameters.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "unit/http/capture.hpp"

namespace librm::http {
namespace {

using Segments = std::vector<std::string>;

TEST(Target, SegmentsAreDecodedAfterTheyWereCut) {
  EXPECT_EQ(parse_target("/")->segments, Segments{});
  EXPECT_EQ(parse_target("/a/b/")->segments, (Segments{"a", "b"}));
  EXPECT_EQ(parse_target("/a%2Fb/%2e%2e")->segments, (Segments{"a/b", ".."}));
  EXPECT_EQ(parse_target("/a//b")->segments, (Segments{"a", "", "b"}));
  EXPECT_EQ(parse_target("http://h:1/a?b")->segments, Segments{"a"});
  EXPECT_EQ(parse_target("http://h:1")->segments, Segments{});
  EXPECT_EQ(parse_target("/%00")->segments, Segments{std::string(1, '\0')});
}

TEST(Target, QueryIsAMap) {
  const auto target = parse_target("/a?x=1&y=%26+&z&&");
  EXPECT_EQ(target->query.find("x")->second, "1");
  EXPECT_EQ(target->query.find("y")->second, "& ");
  EXPECT_EQ(target->query.find("z")->second, "");
  EXPECT_EQ(target->raw_query, "x=1&y=%26+&z&&");
}

TEST(Target, MalformedOnesAreErrors) {
  for (const char* bad :
       {"", "a", "*", "/%", "/%4", "/%zz", "/%%41", "/a?x=%", "/a?x=1&y&x=2", "?x", "https://h/"}) {
    EXPECT_FALSE(parse_target(bad)) << bad;
  }
  std::string many = "/?";
  for (int i = 0; i < 100; ++i) many += "p" + std::to_string(i) + "&";
  EXPECT_FALSE(parse_target(many));
}

TEST(Percent, EncodingIsUndoneByDecoding) {
  std::string all;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  EXPECT_EQ(percent_decode(percent_encode(all)), all);
  EXPECT_EQ(percent_encode("a b/c"), "a%20b%2Fc");
}

TEST(Numbers, NothingButDigits) {
  EXPECT_EQ(parse_number("18446744073709551615"), UINT64_MAX);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "1e3", "18446744073709551616"}) {
    EXPECT_FALSE(parse_number(bad)) << bad;
  }
  EXPECT_EQ(parse_signed_number("-5"), -5);
}

TEST(ParseRfc3339, ReadsUtcAndNothingElse) {
  EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:01Z"), WallTime{1'000'000'000});
  EXPECT_EQ(parse_rfc3339("2024-02-29T01:02:03.25Z"), WallTime{1'709'168'523'250'000'000});
  for (const char* bad :
       {"", "2024-02-29", "2023-02-29T00:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00",
        "2024-01-01T00:00:00+01:00", "2024-01-01T00:00:00.Z", "9999-01-01T00:00:00Z",
        "x024-01-01T00:00:00Z"}) {
    EXPECT_FALSE(parse_rfc3339(bad)) << bad;
  }
}

TEST(Glob, StarsAndQuestionMarks) {
  EXPECT_TRUE(glob_match("*", ""));
  EXPECT_TRUE(glob_match("count-*", "count-1"));
  EXPECT_TRUE(glob_match("*-?-*z", "a-b-xyz"));
  EXPECT_FALSE(glob_match("count-?", "count-"));
  EXPECT_FALSE(glob_match("a", "A"));
  EXPECT_FALSE(glob_match("", "x"));
  // Many stars must not take exponential time.
  std::string stars;
  for (int i = 0; i < 50; ++i) stars += "*a";
  EXPECT_FALSE(glob_match(stars + "b", std::string(2000, 'a')));
}

TEST(Problem, SaysCodeStatusDetailAndFields) {
  const auto response = problem(Error{ErrorCode::not_found, "job 42: no such job"});
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  const auto json = nlohmann::json::parse(response.body);
  EXPECT_EQ(json["type"], "urn:librm:problem:not_found");
  EXPECT_EQ(json["code"], "not_found");
  EXPECT_EQ(json["status"], 404);
  EXPECT_EQ(json["detail"], "job 42: no such job");
  EXPECT_FALSE(json.contains("errors"));
  const batch::InputError input{{ErrorCode::invalid_argument, "cpuz"}, {{"/jobs/0/cpuz", "what"}}};
  const auto fields = nlohmann::json::parse(problem(input).body)["errors"];
  EXPECT_EQ(fields, nlohmann::json::parse(R"([{"path": "/jobs/0/cpuz", "detail": "what"}])"));
}

TEST(Problem, TextThatIsNotUtf8IsStillJson) {
  const auto response = problem(Error{ErrorCode::not_found, "job '\xff\xfe'"});
  EXPECT_NO_THROW(nlohmann::json::parse(response.body));
}

TEST(Problem, EveryCodeHasAStatus) {
  const std::vector<std::pair<ErrorCode, int>> all = {{ErrorCode::invalid_argument, 400},
                                                      {ErrorCode::not_found, 404},
                                                      {ErrorCode::already_exists, 409},
                                                      {ErrorCode::resource_exhausted, 422},
                                                      {ErrorCode::failed_precondition, 409},
                                                      {ErrorCode::permission_denied, 403},
                                                      {ErrorCode::unavailable, 503},
                                                      {ErrorCode::deadline_exceeded, 504},
                                                      {ErrorCode::corrupt, 500},
                                                      {ErrorCode::unsupported, 501},
                                                      {ErrorCode::io_error, 500},
                                                      {ErrorCode::stale, 409}};
  for (const auto& [code, status] : all) EXPECT_EQ(http_status(code), status) << to_string(code);
}

class RouterTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* method : {"GET", "POST"}) add(method, "/v1/jobs");
    add("GET", "/v1/jobs/{job}");
  }
  void add(const char* method, const char* pattern) {
    router.add(method, pattern,
               [this, pattern](const HttpRequest&, const Params& params, Responder responder) {
                 taken = pattern;
                 if (params.contains("job")) taken += '=' + params.at("job");
                 responder.reply({});
               });
  }
  Router router;
  std::string taken;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
  ask(router, "GET", "/v1/jobs/a%2Fb");
  EXPECT_EQ(taken, "/v1/jobs/{job}=a/b");
  ask(router, "POST", "/v1/jobs/");
  EXPECT_EQ(taken, "/v1/jobs");
}

TEST_F(RouterTest, UnknownPathNamesWhatThereIs) {
  const auto answer = ask(router, "GET", "/v1/jbos?x=1");
  EXPECT_EQ(answer->status(), 404);
  EXPECT_EQ(answer->json()["detail"],
            "/v1/jbos: nothing is here; there are /v1/jobs, /v1/jobs/{job}");
  EXPECT_EQ(ask(router, "GET", "/v1/jobs//why")->status(), 404);
}

TEST_F(RouterTest, UnknownMethodNamesWhatThereIs) {
  const auto answer = ask(router, "DELETE", "/v1/jobs");
  EXPECT_EQ(answer->status(), 405);
  EXPECT_EQ(answer->json()["detail"], "/v1/jobs does not know DELETE; it has GET, HEAD, POST");
  EXPECT_EQ(answer->response->headers.front().second, "GET, HEAD, POST");
}

TEST(Parameters, UnknownOnesAndWrongValuesAreNamed) {
  HttpRequest request;
  request.query = {{"limit", "0"}, {"follow", "maybe"}};
  EXPECT_EQ(check_parameters(request, {"follow"}).error().message,
            "unknown query parameter 'limit'; there are follow");
  EXPECT_EQ(flag_parameter(request, "follow").error().message,
            "query parameter 'follow' is 'maybe'; it may be 0 or 1");
  EXPECT_EQ(number_parameter(request, "limit", 1, 1000).error().message,
            "query parameter 'limit' is '0'; it must be a number from 1 to 1000");
  EXPECT_FALSE(*flag_parameter(request, "dry_run"));
  EXPECT_EQ(*number_parameter(request, "cursor", 1, 9), std::nullopt);
}

}  // namespace
}  // namespace librm::http
