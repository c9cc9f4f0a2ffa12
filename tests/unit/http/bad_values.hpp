// What every field of every request may and must not hold: the tables behind the test of bad input.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace librm::http {

/// JSON that each field is given once, by a name that the tables below use.
inline const std::map<std::string, std::string>& universal_values() {
  static const std::map<std::string, std::string> values = [] {
    const std::string many(65, '[');
    const std::string closed(65, ']');
    const std::string text((64 << 10) + 1, 'x');
    return std::map<std::string, std::string>{
        {"null", "null"},
        {"true", "true"},
        {"negative", "-1"},
        {"zero", "0"},
        {"one", "1"},
        {"huge", "18446744073709551616"},
        {"enormous", "1e300"},
        {"fraction", "0.5"},
        {"tiny", "0.0001"},
        {"empty", R"("")"},
        {"word", R"("x")"},
        {"nul", R"("a\u0000b")"},
        {"long", '"' + text + '"'},
        {"list", "[]"},
        {"lists", "[[]]"},
        {"nulls", "[null]"},
        {"numbers", "[-1]"},
        {"object", "{}"},
        {"member", R"({"x": 1})"},
        {"deep", many + closed},
    };
  }();
  return values;
}

/// All of the universal values that neither `legal` nor `elsewhere` names are wrong for the field.
struct FieldRule {
  std::set<std::string> legal;
  std::vector<std::string> also_legal = {};
  std::vector<std::string> also_wrong = {};
  std::vector<std::string> without = {};  ///< fields of the base that exclude this one
  std::set<std::string> elsewhere = {};   ///< of the universal: depend on more than the field
};
using FieldRules = std::map<std::string, FieldRule>;

inline const FieldRules& job_rules() {
  static const FieldRules rules = [] {
    const FieldRule text{{"empty", "word"}};
    const FieldRule parents{{"one", "list"}, {R"("there")", R"(["there", 1])"}, {R"("nobody")"}};
    const FieldRule pairs{
        {"object"}, {R"({"x": "y"})"}, {R"({"": "y"})", R"({"x": null})", R"({"x": "\u0000"})"}};
    const FieldRule count{{"zero", "one", "fraction"}, {}, {"0.0005", "1000000001"}};
    const FieldRule size{{"zero", "one", "fraction"}, {R"("2G")"}, {R"("2X")", R"("-1")"}};
    const std::string too_long(131'072, 'x');
    return FieldRules{
        {"name",
         {{"empty", "word"},
          {},
          {R"("a b")", R"("-a")", R"("42")", R"("42_7")", R"("last")", R"("all")", R"("last-2")",
           R"("\n")", R"("h\u00e9")"}}},
        {"description", text},
        {"owner", text},
        {"role", {{}, {R"("*")"}, {R"("a/b")"}}},
        {"command", {{"word", "long"}, {}, {R"("  ")", '"' + too_long + '"'}}},
        {"argv", {{}, {R"(["x", ""])"}, {R"([""])", R"(["x", "\u0000"])"}, {"command"}}},
        {"cpus", {{"one", "fraction"}, {"1000000000"}, {"1000000001", R"("1")"}}},
        {"mem", {{"one", "fraction"}, {R"("2G")"}, {R"("0")", R"("2000T")"}}},
        {"disk", size},
        {"gpus", count},
        {"ports", count},
        {"env", {{"object"}, {R"({"x": "y"})"}, {R"({"": "y"})", R"({"a=b": ""})"}}},
        {"workdir", text},
        {"user", text},
        {"image", text},
        {"fetch",
         {{"list"},
          {R"(["/a"])", R"([{"uri": "http://h/a", "extract": false}])"},
          {R"(["x"])", R"([{}])", R"([{"uri": 1}])", R"([{"uri": "/a", "extract": 1}])",
           R"([{"uri": "/a", "ur": ""}])", R"([{"uri": "/a", "output_file": "../b"}])"}}},
        {"constraints", pairs},
        {"labels", pairs},
        {"constraints_like", {{"object"}, {}, {R"({"": "y"})"}}},
        {"constraints_unlike", {{"object"}, {}, {R"({"": "y"})"}}},
        {"priority", {{"negative", "zero", "one"}, {"-1000000"}, {"1000001", "-1000001"}}},
        {"retries", {{"zero", "one"}, {"1000"}, {"1001"}}},
        {"retry_delay", {{"zero", "one", "fraction", "tiny"}, {R"("90s")"}, {R"("2y")"}}},
        {"time", {{"one", "fraction"}, {R"("1-12:00")"}, {R"("200000d")", R"("P1M")"}}},
        {"kill_grace", {{"zero", "one", "fraction", "tiny"}, {"86400"}, {"86401"}}},
        {"fence_after", {{"one"}, {R"("7d")"}, {R"("8d")"}}},
        {"after_ok", parents},
        {"after_any", parents},
        {"after_notok", parents},
        {"after_start", parents},
        {"after_corr", {{"one", "list"}, {R"("there")"}, {R"("train")", R"("nobody")"}}},
        {"on_dependency_failed", {{}, {R"("hold")"}, {R"("Hold")"}}},
        {"lost", {{}, {R"("fence")"}, {R"("wait ")"}}},
        {"hold", {{"true"}, {"false"}}},
        {"array",
         {{},
          {R"("0-3%2")", R"("4294967294")", R"("1,3,5-9:2")"},
          {R"("5-1")", R"("1,,2")", R"("1-")", R"("0-9:0")", R"("0-9%0")", R"("0-1000000")",
           R"("4294967295")", R"("-1")", R"(" 1")", R"("99999999999999999999")"}}},
    };
  }();
  return rules;
}

inline const FieldRules& schedule_rules() {
  static const FieldRules rules = [] {
    const FieldRule parents{{},
                            {R"("nightly")", R"(["nightly"])"},
                            {R"("new")", R"(["nightly", 1])"},
                            {"schedule"},
                            {"list"}};
    return FieldRules{
        {"name",
         {{},
          {R"("new")"},
          {R"("a b")", R"("42")", '"' + std::string(101, 'n') + '"'},
          {},
          {"word"}}},
        {"description", {{"empty", "word"}}},
        {"schedule",
         {{},
          {R"("R3/2030-01-31T02:00/P1M")", R"("R1/2030-01-01T00:00:00Z/PT0S")"},
          {R"("R0/2030-01-01T00:00:00Z/P1D")", R"("R/2030-01-01T00:00:00Z/PT0S")",
           R"("R/2030-01-02T00:00:00Z/2030-01-01T00:00:00Z")", R"("R/9999-01-01T00:00:00Z/P1D")",
           R"("R/2030-02-30T00:00:00Z/P1D")", R"("R/2030-01-01T00:00:00Z/P9999Y")",
           R"("R1/2000-01-01T00:00:00Z/P1D")", R"("* * * * *")"}}},
        {"schedule_timezone", {{"empty"}, {R"("UTC")"}, {R"("Mars/Olympus")", R"("../etc")"}}},
        {"after_ok", parents},
        {"after_any", parents},
        {"after_notok", parents},
        {"epsilon", {{"zero", "one", "fraction", "tiny"}, {R"("366d")"}, {R"("367d")"}}},
        {"catch_up", {{}, {R"("all")"}, {R"("none")"}}},
        {"catch_up_max", {{"one"}, {"10000"}, {"10001"}}},
        {"overlap", {{}, {R"("replace")"}, {R"("Replace")"}}},
        {"paused", {{"true"}, {"false"}}},
        {"soft_error", {{"true"}, {"false"}}},
        {"job", {{}, {R"({"command": "x"})"}, {R"({"command": ""})", R"({"name": "a"})"}}},
        {"jobs",
         {{},
          {R"([{"command": "x"}])"},
          {R"([{"command": "x"}, {"command": "y", "name": "a"}])",
           R"([{"command": "x", "name": "a"}, {"command": "y", "name": "a"}])"},
          {"job"}}},
        {"apiVersion", {{}, {R"("librm/v1")"}, {R"("librm/v2")"}}},
    };
  }();
  return rules;
}

inline const FieldRules& chronos_rules() {
  static const FieldRules rules = [] {
    const FieldRule text{{"empty", "word"}};
    const FieldRule flag{{"true"}, {"false"}};
    const FieldRule amount{{"zero", "one", "fraction", "tiny"}, {}, {"1000000001", R"("1")"}};
    const FieldRule unread{{"empty", "word", "nul", "long"}};
    FieldRule anything;
    for (const auto& [name, value] : universal_values()) {
      if (name != "deep") anything.legal.insert(name);
    }
    return FieldRules{
        {"name", {{"word"}, {}, {R"("a b")"}}},
        {"command", {{"word", "long"}, {}, {R"("  ")"}}},
        {"shell", flag},
        {"arguments", {{"list"}, {R"(["x"])"}, {R"(["\u0000"])"}}},
        {"schedule", {{}, {R"("R1//PT24H")"}, {R"("R0//PT24H")", R"("R/x/PT24H")"}}},
        {"scheduleTimeZone", {{"empty"}, {R"("UTC")"}, {R"("Mars/Olympus")"}}},
        {"epsilon", {{}, {R"("PT15M")"}, {R"("P1M")", R"("367d")"}}},
        {"parents", {{}, {R"(["nightly"])"}, {R"(["nobody"])", R"(["new"])"}, {"schedule"}}},
        {"retries", {{"zero", "one"}, {"1000"}, {"1001"}}},
        {"cpus", amount},
        {"mem", amount},
        {"disk", amount},
        {"disabled", flag},
        {"concurrent", flag},
        {"softError", flag},
        {"highPriority", flag},
        {"owner", text},
        {"ownerName", text},
        {"description", text},
        {"runAsUser", text},
        {"environmentVariables",
         {{"list"},
          {R"([{"name": "a", "value": "b"}])"},
          {R"([{"name": "a"}])", R"([{"name": "", "value": ""}])",
           R"([{"name": "a", "value": 1}])"}}},
        {"uris", {{"list"}, {R"(["/a"])"}, {R"(["x"])"}}},
        {"fetch",
         {{"list"}, {R"([{"uri": "/a", "cache": true}])"}, {R"([{}])", R"([{"url": "/a"}])"}}},
        {"constraints",
         {{"list"},
          {R"([["a", "EQUALS", "b"]])"},
          {R"([["a", "CLUSTER", "b"]])", R"([["a", "EQUALS"]])", R"([["a", "EQUALS", 1]])",
           R"([["", "EQUALS", "b"]])"}}},
        {"container", {{}, {R"({"image": "x"})"}, {R"({"image": ""})", R"({"image": 1})"}}},
        {"maxCompletionTime", {{"zero", "one"}, {}, {"315360001"}}},
        {"executor", {{"empty"}}},
        {"async", flag},
        {"dataProcessingJobType", flag},
        {"dataJob", flag},
        {"executorFlags", unread},
        {"taskInfoData", unread},
        {"successCount", anything},
        {"errorCount", anything},
        {"errorsSinceLastSuccess", anything},
        {"lastSuccess", anything},
        {"lastError", anything},
    };
  }();
  return rules;
}

/// What a query parameter must not be; nothing where it is any text.
inline const std::map<std::string, std::vector<std::string>>& wrong_parameters() {
  const std::vector<std::string> flag{"2", "yes", "%00"};
  const std::vector<std::string> number{"x", "-1", "1.5", "", "18446744073709551616", "1%00"};
  const std::vector<std::string> time{"x", "", "2026-13-01T00:00:00Z", "2026-01-01"};
  static const std::map<std::string, std::vector<std::string>> wrong{
      {"state", {"pendin", "running,x", "%ff"}},
      {"name", {}},
      {"owner", {}},
      {"label", {"x", "=y"}},
      {"ended_after", time},
      {"ended_before", time},
      {"attempts", flag},
      {"held", flag},
      {"dry_run", flag},
      {"force", flag},
      {"follow", flag},
      {"limit", number},
      {"cursor", number},
      {"n", number},
      {"attempt", number},
      {"offset", {"x", "1.5", "", "-9223372036854775809", "18446744073709551616"}},
      {"stream", {"stdin", "%00"}},
      {"format", {"xml"}},
      {"job", {"nobody", "1[", "%00"}},
      {"schedule", {"nobody", "%00"}},
      {"children", {"kill"}},
      {"command", {}},
      {"any", {}},
      {"arguments", {"%00"}},
  };
  return wrong;
}

}  // namespace librm::http
