// Whatever is wrong with a request, it is refused with the field at fault and changes nothing; what
// is right is taken. The fields come from the readers, the parameters from openapi.json.
#include <gtest/gtest.h>

#include <asio/io_context.hpp>
#include <fstream>
#include <functional>

#include "batch/edge/chronos_json.hpp"
#include "batch/edge/job_json.hpp"
#include "batch/edge/record_codec.hpp"
#include "batch/edge/schedule_json.hpp"
#include "http/master_http.hpp"
#include "unit/http/bad_values.hpp"
#include "unit/http/capture.hpp"
#include "unit/http/fake_master.hpp"

namespace librm::http {
namespace {

using Json = nlohmann::json;
using Headers = std::vector<std::pair<std::string, std::string>>;

const Json& openapi() {
  static const Json document = [] {
    std::ifstream file(RM_SOURCE_DIR "/daemons/http/openapi.json");
    return Json::parse(file);
  }();
  return document;
}

/// A master with a job, an array, a schedule and its child.
struct Site {
  Site() {
    expect(201, "POST", "/v1/jobs", R"({"command": "x", "name": "there", "hold": true})");
    expect(201, "POST", "/v1/jobs", R"({"command": "x", "name": "train", "array": "0-3"})");
    expect(201, "POST", "/v1/schedules",
           R"({"name": "nightly", "schedule": "R/2030-01-01T00:00:00Z/P1D",
               "job": {"command": "x"}})");
    expect(201, "POST", "/v1/schedules",
           R"({"name": "child", "after_ok": ["nightly"], "job": {"command": "x"}})");
  }
  std::shared_ptr<Captured> send(const std::string& method, const std::string& target,
                                 const std::string& body = "", Headers headers = {}) {
    auto captured = ask(http, method, target, body, std::move(headers));
    master.turn();
    return captured;
  }
  void expect(int status, const std::string& method, const std::string& target,
              const std::string& body) {
    const auto answer = send(method, target, body);
    EXPECT_EQ(answer->status(), status)
        << method << ' ' << target << ' ' << body.substr(0, 200) << '\n'
        << answer->response.value().body.substr(0, 400);
  }
  /// Everything that is stored, and what is shown of it.
  std::string state() {
    std::string state;
    for (const batch::BatchRecord& record : master.core().batch().snapshot()) {
      const RecordEntry entry = batch::encode_batch_record(record);
      state.append(entry.payload.begin(), entry.payload.end());
    }
    for (const char* path : {"/v1/state", "/v1/jobs?attempts=1", "/v1/schedules"}) {
      state += send("GET", path)->response.value().body;
    }
    return state;
  }

  asio::io_context io{1};
  FakeMaster master;
  MasterHttp http{io, master};
};

/// One place where an object of fields is sent.
struct Form {
  std::string name;
  std::string method;
  std::string target;
  std::string before;   ///< of the object
  std::string after;    ///< the object
  std::string pointer;  ///< to the object
  std::string base;     ///< fields that make it a good one
  const FieldRules* rules;
  Headers headers = {};
};

const std::vector<Form>& forms() {
  const std::string daily = R"("schedule": "R/2030-01-01T00:00:00Z/P1D")";
  const std::string start = R"({"name": "new", )" + daily;
  static const std::vector<Form> all{
      {"job", "POST", "/v1/jobs", "", "", "", R"({"command": "true"})", &job_rules()},
      {"jobs", "POST", "/v1/jobs", R"({"jobs": [{"command": "a"}, )", "]}", "/jobs/1",
       R"({"command": "true"})", &job_rules()},
      {"lines",
       "POST",
       "/v1/jobs",
       "{\"command\": \"a\"}\n",
       "\n",
       "/jobs/1",
       R"({"command": "true"})",
       &job_rules(),
       {{"Content-Type", "application/x-ndjson"}}},
      {"schedule", "POST", "/v1/schedules", "", "", "", start + R"(, "job": {"command": "true"}})",
       &schedule_rules()},
      {"replaced schedule", "PUT", "/v1/schedules/new", "", "", "",
       R"({)" + daily + R"(, "job": {"command": "true"}})", &schedule_rules()},
      {"schedule's job", "POST", "/v1/schedules", start + R"(, "job": )", "}", "/job",
       R"({"command": "true"})", &job_rules()},
      {"schedule's jobs", "PUT", "/v1/schedules/new",
       start + R"(, "jobs": [{"command": "a", "name": "a"}, )", "]}", "/jobs/1",
       R"({"command": "true", "name": "b"})", &job_rules()},
      {"iso8601", "POST", "/scheduler/iso8601", "", "", "",
       R"({"name": "new", "command": "true", "schedule": "R1//PT24H"})", &chronos_rules()},
      {"dependency", "PUT", "/v1/scheduler/dependency", "", "", "",
       R"({"name": "new", "command": "true", "parents": ["child"]})", &chronos_rules()},
  };
  return all;
}

/// Not every field makes sense at every form.
bool applies(const Form& form, const std::string& field) {
  if (form.name == "iso8601") return field != "parents";
  if (form.name == "dependency") return field != "schedule" && field != "scheduleTimeZone";
  return true;
}

/// The form's object with one field set to JSON that need not be well-formed.
std::string body_with(const Form& form, const std::string& field, const FieldRule& rule,
                      const std::string& value) {
  Json base = Json::parse(form.base);
  base.erase(field);
  for (const std::string& other : rule.without) base.erase(other);
  std::string object = base.dump();
  object.pop_back();
  if (!base.empty()) object += ", ";
  return form.before + object + '"' + field + "\": " + value + '}' + form.after;
}

void expect_problem(const Captured& answer, const std::string& what) {
  ASSERT_TRUE(answer.response) << what;
  EXPECT_EQ(answer.status() / 100, 4) << what << '\n' << answer.response->body.substr(0, 400);
  EXPECT_EQ(answer.response->content_type, "application/problem+json") << what;
  const Json problem = Json::parse(answer.response->body, nullptr, false);
  ASSERT_TRUE(problem.is_object()) << what;
  EXPECT_FALSE(problem.value("detail", "").empty()) << what;
}

/// A refusal that blames nothing but what is at `pointer`, and says what was given.
void expect_blamed(const Captured& answer, const std::string& pointer, const std::string& what) {
  expect_problem(answer, what);
  const Json problem = Json::parse(answer.response->body, nullptr, false);
  ASSERT_TRUE(problem.is_object() && problem.contains("errors")) << what << '\n' << problem;
  for (const Json& error : problem["errors"]) {
    const std::string path = error["path"];
    EXPECT_TRUE(path == pointer || path.starts_with(pointer + "/")) << what << '\n' << error;
    const std::string detail = error["detail"];
    EXPECT_FALSE(detail.empty()) << what;
    EXPECT_TRUE(!detail.starts_with("expected") || detail.find(", got ") != detail.npos) << error;
  }
}

std::string label(const Form& form, const std::string& field, const std::string& value) {
  return form.name + ": " + field + ": " + value.substr(0, 100);
}

using Visit = std::function<void(const Form&, const std::string& field, const FieldRule&)>;
void for_every_field(const Visit& visit) {
  for (const Form& form : forms()) {
    for (const auto& [field, rule] : *form.rules) {
      if (applies(form, field)) visit(form, field, rule);
    }
  }
}

std::set<std::string> names_of(const FieldRules& rules) {
  std::set<std::string> names;
  for (const auto& [name, rule] : rules) names.insert(name);
  return names;
}
std::set<std::string> names_of(const std::vector<std::string_view>& list) {
  return {list.begin(), list.end()};
}
std::set<std::string> names_of(const char* schema) {
  std::set<std::string> names;
  for (const auto& [name, property] :
       openapi()["components"]["schemas"][schema]["properties"].items()) {
    names.insert(name);
  }
  return names;
}

TEST(BadInput, EveryFieldIsReadDescribedAndTried) {
  EXPECT_EQ(names_of(batch::job_field_names()), names_of(job_rules()));
  EXPECT_EQ(names_of("JobSpec"), names_of(job_rules()));
  EXPECT_EQ(names_of(batch::schedule_field_names()), names_of(schedule_rules()));
  EXPECT_EQ(names_of("ScheduleSpec"), names_of(schedule_rules()));
  EXPECT_EQ(names_of(batch::chronos_field_names()), names_of(chronos_rules()));
  EXPECT_EQ(names_of("ChronosJob"), names_of(chronos_rules()));
}

TEST(BadInput, WhatIsLegalIsTaken) {
  for_every_field([](const Form& form, const std::string& field, const FieldRule& rule) {
    std::vector<std::string> values = rule.also_legal;
    for (const std::string& name : rule.legal) values.push_back(universal_values().at(name));
    for (const std::string& value : values) {
      // Among several jobs of a schedule each needs a name.
      if (form.name == "schedule's jobs" && field == "name" && value == R"("")") continue;
      Site site;
      const auto answer =
          site.send(form.method, form.target, body_with(form, field, rule, value), form.headers);
      EXPECT_EQ(answer->status() / 100, 2) << label(form, field, value) << '\n'
                                           << answer->response.value().body.substr(0, 400);
    }
  });
}

TEST(BadInput, WrongValuesAreBlamedAndChangeNothing) {
  Site site;
  const std::string before = site.state();
  for_every_field([&](const Form& form, const std::string& field, const FieldRule& rule) {
    std::vector<std::string> values = rule.also_wrong;
    for (const auto& [name, value] : universal_values()) {
      if (!rule.legal.contains(name) && !rule.elsewhere.contains(name)) values.push_back(value);
    }
    for (const std::string& value : values) {
      const auto answer =
          site.send(form.method, form.target, body_with(form, field, rule, value), form.headers);
      expect_blamed(*answer, form.pointer + "/" + field, label(form, field, value));
    }
    EXPECT_EQ(site.state(), before) << label(form, field, "");
  });
}

TEST(BadInput, FieldsThatAreUnknownOrComeTwiceAreBlamed) {
  Site site;
  const std::string before = site.state();
  for_every_field([&](const Form& form, const std::string& field, const FieldRule& rule) {
    const std::string near = field + "z";
    const auto unknown =
        site.send(form.method, form.target, body_with(form, near, {}, "1"), form.headers);
    expect_blamed(*unknown, form.pointer + "/" + near, label(form, near, ""));
    EXPECT_NE(unknown->response->body.find("did you mean"), std::string::npos) << near;
    const std::string twice = "true, \"" + field + "\": true";
    const auto repeated =
        site.send(form.method, form.target, body_with(form, field, rule, twice), form.headers);
    expect_blamed(*repeated, form.pointer + "/" + field, label(form, field, "twice"));
    EXPECT_NE(repeated->response->body.find("comes twice"), std::string::npos) << field;
  });
  EXPECT_EQ(site.state(), before);
}

TEST(BadInput, WhatIsNoTextOrNoJsonIsRefused) {
  Site site;
  const std::string before = site.state();
  for (const Form& form : forms()) {
    const std::string field = form.rules->begin()->first;
    for (const char* value :
         {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\x01\"", "\"\n\"", "\"\\ud800\"",
          "\"\\q\"", "\"", "01", "NaN", "1e999", "+1", "tru", "'x'", "1,", "}{", "/**/1", "[1,]"}) {
      const auto answer =
          site.send(form.method, form.target, body_with(form, field, {}, value), form.headers);
      expect_problem(*answer, label(form, field, value));
    }
    const std::string nul("\"\0\"", 3);
    expect_problem(
        *site.send(form.method, form.target, body_with(form, field, {}, nul), form.headers),
        label(form, field, "NUL"));
    for (const char* body : {"", " ", "null", "1", "\"x\"", "[]", "[{}]", "{", "{}", "{}}",
                             "\xef\xbb\xbf", "{\"jobs\": []}", "{\"jobs\": {}}"}) {
      expect_problem(*site.send(form.method, form.target, body, form.headers),
                     label(form, "body", body));
    }
  }
  EXPECT_EQ(site.state(), before);
}

// --- small bodies ---

struct SmallForm {
  const char* target;
  const char* field;
  const char* schema;
};
constexpr SmallForm small_forms[] = {
    {"/v1/jobs/there/cancel", "reason", "Reason"},
    {"/v1/jobs/there/hold", "reason", "Reason"},
    {"/v1/jobs/there/release", "reason", "Reason"},
    {"/v1/jobs/train/requeue", "reason", "Reason"},
    {"/v1/jobs/there/retry", "reason", "Reason"},
    {"/v1/schedules/nightly/trigger", "arguments", "TriggerArguments"},
};

TEST(BadInput, SmallBodiesAreReadAsStrictly) {
  Site site;
  const std::string before = site.state();
  for (const auto& [target, field, schema] : small_forms) {
    EXPECT_EQ(names_of(schema), std::set<std::string>{field});
    const std::string name = std::string("\"") + field + "\": ";
    for (const auto& [kind, value] : universal_values()) {
      if (kind == "empty" || kind == "word" || kind == "nul" || kind == "long") continue;
      expect_blamed(*site.send("POST", target, "{" + name + value + "}"), std::string("/") + field,
                    std::string(target) + " " + kind);
    }
    const std::string good = name + R"("x")";
    expect_problem(*site.send("POST", target, "{" + name + universal_values().at("long") + "}"),
                   std::string(target) + " long");
    expect_blamed(*site.send("POST", target, "{" + good + ", " + good + "}"),
                  std::string("/") + field, "twice");
    expect_blamed(*site.send("POST", target, "{" + good + R"(, "a/b~": 1})"), "/a~1b~0", "other");
    for (const char* body : {"null", "[]", "1", "{", "{}{}", "{\"\xff\": 1}", "x"}) {
      expect_problem(*site.send("POST", target, body), std::string(target) + " " + body);
    }
  }
  EXPECT_EQ(site.state(), before);
  Site other;
  other.expect(202, "POST", "/v1/schedules/nightly/trigger", R"({"arguments": "x"})");
  other.expect(202, "POST", "/v1/jobs/there/cancel", R"({"reason": "x"})");
}

TEST(BadInput, RunThatCannotStartWhenSomebodyAsksForItIsNotRemembered) {
  Site site;
  const std::string before = site.state();
  const auto answer =
      site.send("POST", "/v1/schedules/nightly/trigger", R"({"arguments": "\u0000"})");
  expect_blamed(*answer, "/arguments", "a NUL among the arguments");
  expect_problem(*site.send("PUT", "/scheduler/job/nightly?arguments=%00"), "the same of Chronos");
  EXPECT_EQ(site.state(), before);
}

// --- paths and parameters ---

/// The body that makes a request a good one, were it not for its path or parameters.
std::string good_body(const std::string& method, const std::string& pattern) {
  if (method == "GET" || method == "DELETE") return "";
  if (pattern == "/v1/jobs") return R"({"command": "x"})";
  if (pattern.ends_with("/iso8601")) return R"({"name": "new", "command": "x"})";
  if (pattern.ends_with("/dependency")) {
    return R"({"name": "new", "command": "x", "parents": ["child"]})";
  }
  if (pattern == "/v1/schedules" || pattern == "/v1/schedules/{schedule}") {
    return R"({"schedule": "R/2030-01-01T00:00:00Z/P2D", "job": {"command": "y"})" +
           std::string(pattern == "/v1/schedules" ? R"(, "name": "new"})" : "}");
  }
  return "";
}

/// The route's path, with `value` in place of its parameter.
std::string path_of(std::string pattern, const std::string& value = "") {
  const std::size_t begin = pattern.find('{');
  if (begin == pattern.npos) return pattern;
  const std::string name = pattern.substr(begin, pattern.find('}') - begin + 1);
  const char* good = name == "{job}" ? "there" : name == "{statistic}" ? "mean" : "nightly";
  return pattern.replace(begin, name.size(), value.empty() ? good : value);
}

TEST(BadInput, UnknownAndRepeatedParametersAreRefusedEverywhere) {
  Site site;
  const std::string before = site.state();
  for (const auto& [method, pattern] : site.http.routes()) {
    const std::string path = path_of(pattern);
    const std::string what = method + ' ' + path;
    const auto answer = site.send(method, path + "?nonsense=1", good_body(method, pattern));
    expect_problem(*answer, what);
    EXPECT_EQ(answer->status(), 400) << what;
    EXPECT_NE(answer->response->body.find("'nonsense'"), std::string::npos) << what;
  }
  EXPECT_FALSE(parse_target("/v1/jobs?limit=1&limit=2"));
  EXPECT_FALSE(parse_target("/v1/jobs?dry_run=1&dry%5frun=0"));
  EXPECT_EQ(site.state(), before);
}

TEST(BadInput, EveryParameterIsTriedAndItsWrongValuesAreRefused) {
  Site site;
  const std::string before = site.state();
  for (const auto& [method, pattern] : site.http.routes()) {
    std::string lower = method;
    for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const Json& operation = openapi()["paths"][pattern][lower];
    for (const Json& parameter : operation.value("parameters", Json::array())) {
      if (parameter["in"] != "query") continue;
      const std::string name = parameter["name"];
      ASSERT_TRUE(wrong_parameters().contains(name)) << pattern << ' ' << name;
      for (const std::string& value : wrong_parameters().at(name)) {
        const std::string target = path_of(pattern) + "?" + name + "=" + value;
        const auto answer = site.send(method, target, good_body(method, pattern));
        expect_problem(*answer, method + ' ' + target);
        EXPECT_NE(answer->status(), 409) << method << ' ' << target;
      }
    }
  }
  EXPECT_EQ(site.state(), before);
}

TEST(BadInput, NamesInPathsThatNameNothingAreRefused) {
  Site site;
  const std::string before = site.state();
  const std::string long_name(8000, 'x');
  for (const auto& [method, pattern] : site.http.routes()) {
    const bool is_job = pattern.find("{job}") != pattern.npos;
    if (pattern.find('{') == pattern.npos) continue;
    std::vector<std::string> wrong{"nobody", "%00", "%ff", "there%00", "..", "%2f", long_name};
    if (is_job) {
      for (const char* selector :
           {"42[", "42_", "42[]", "2[0", "2[0]x", "2[9]", "2_9", "2_99999999999", "there[0]",
            "2[3-0]", "2[0,,1]", "last-", "last-99", "last-x", "-1", "99999999999999999999"}) {
        wrong.emplace_back(selector);
      }
    }
    for (const std::string& value : wrong) {
      const std::string path = path_of(pattern, value);
      // A schedule that is put may be new: its name is wrong, or is not the one in the path.
      const bool is_new = method == "PUT" && pattern == "/v1/schedules/{schedule}";
      if (is_new && value == "nobody") continue;
      const auto answer = site.send(method, path, good_body(method, pattern));
      expect_problem(*answer, method + ' ' + path.substr(0, 100));
    }
  }
  EXPECT_EQ(site.state(), before);
}

// --- schedules that cannot be honoured ---

TEST(BadInput, SchedulesThatCannotBeHonouredAreRefused) {
  Site site;
  const std::string before = site.state();
  std::string jobs = R"({"command": "x", "name": "j0"})";
  for (int i = 1; i <= 1000; ++i) {
    jobs += R"(, {"command": "x", "name": "j)" + std::to_string(i) + "\"}";
  }
  const std::string daily = R"("schedule": "R/2030-01-01T00:00:00Z/P1D")";
  const std::string job = R"("job": {"command": "x"})";
  const std::string name100(100, 'n');
  const std::string name17(17, 'm');
  const struct {
    std::string name, fields, path, detail;
  } cases[] = {
      {"new", daily + ", \"jobs\": [" + jobs + "]", "/jobs", "1001, at most 1000"},
      {"new", R"("after_any": ["nobody"], )" + job, "/after_any", "no schedule 'nobody' is known"},
      {"new", R"("after_notok": ["new"], )" + job, "/after_notok", "wait for itself"},
      {"nightly", R"("after_any": ["child"], )" + job, "/after_any",
       "wait for itself by way of 'child'"},
      {"new", R"("after_ok": ["nightly"], "after_any": ["nightly"], )" + job, "/after_any",
       "given twice"},
      {"new", daily + R"(, "after_ok": ["nightly"], )" + job, "/schedule", "there are parents"},
      {"new", job, "/schedule", "is missing"},
      {"new", R"("schedule": "R/2030-01-01T00:00:00/P1D", "schedule_timezone": "Nowhere", )" + job,
       "/schedule_timezone", "no zone 'Nowhere' is known"},
      {"new", R"("schedule": "R5/2000-01-01T00:00:00Z/P1D", )" + job, "/schedule",
       "all of its occurrences are past"},
      {"new", daily + R"(, "catch_up_max": 0, )" + job, "/catch_up_max", "1 to 10000"},
      {"new", daily + R"(, "jobs": [{"command": "x", "name": "a", "after_ok": ["b"]},
                                     {"command": "x", "name": "b", "after_ok": ["a"]}])",
       "/jobs/0/after_ok", "dependency cycle"},
      {"new", daily + R"(, "jobs": [{"command": "x", "name": "a", "array": "0-3"},
                                     {"command": "x", "name": "b", "array": "0-4",
                                      "after_corr": ["a"]}])",
       "/jobs/1/after_corr", "has no element 4"},
      // Its first run would have had a name of 119 bytes, its billionth could not.
      {name100,
       daily + R"(, "jobs": [{"command": "x", "name": "a"}, {"command": "x", "name": ")" + name17 +
           "\"}]",
       "/jobs/1/name", "17 bytes, at most 16"},
  };
  for (const auto& one : cases) {
    const auto answer = site.send("PUT", "/v1/schedules/" + one.name, "{" + one.fields + "}");
    expect_blamed(*answer, one.path, one.fields.substr(0, 200));
    EXPECT_NE(answer->response->body.find(one.detail), std::string::npos)
        << one.detail << '\n'
        << answer->response->body.substr(0, 600);
    EXPECT_EQ(site.state(), before) << one.fields.substr(0, 200);
  }
}

TEST(BadInput, JobsThatCannotDependOnEachOtherAreRefused) {
  Site site;
  const std::string before = site.state();
  const struct {
    const char* body;
    const char* path;
    const char* detail;
  } cases[] = {
      {R"({"jobs": [{"command": "x", "name": "a"}, {"command": "x", "name": "a"}]})",
       "/jobs/1/name", "used twice"},
      {R"({"jobs": [{"command": "x"}, {"command": "x", "name": "there"}]})", "/jobs/1/name",
       "job 1 has it"},
      {R"({"jobs": [{"command": "x", "name": "a", "after_any": ["a"]}]})", "/jobs/0/after_any",
       "dependency cycle: a -> a"},
      {R"({"command": "x", "array": "0-4", "after_corr": "train"})", "/after_corr",
       "has no element 4"},
      {R"({"command": "x", "array": "0-999999", "name": "all-of-them", "retries": -1})", "/retries",
       "0 to 1000"},
      {R"({"jobs": []})", "/jobs", "the list is empty"},
  };
  for (const auto& [body, path, detail] : cases) {
    const auto answer = site.send("POST", "/v1/jobs", body);
    expect_blamed(*answer, path, body);
    EXPECT_NE(answer->response->body.find(detail), std::string::npos) << answer->response->body;
  }
  EXPECT_EQ(site.state(), before);
}

}  // namespace
}  // namespace librm::http
