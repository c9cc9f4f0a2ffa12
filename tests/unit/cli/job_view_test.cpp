// What is said of a job in a line: its id, how far an array is, what a job waits for.
#include "cli/job_view.hpp"

#include <gtest/gtest.h>

namespace batch::cli::test {
namespace {

Json array(const char* state, const char* counts) {
  Json job = Json::parse(R"({"id": 42, "index": null, "name": "train", "reason": ""})");
  job["state"] = state;
  job["array"] = {{"indices", "0-9"}, {"size", 10}, {"counts", Json::parse(counts)}};
  return job;
}

TEST(JobView, IdsAreSelectorsOfTheSame) {
  EXPECT_EQ(id_text(Json::parse(R"({"id": 42, "index": null, "array": null})")), "42");
  Json whole = array("running", R"({"finished": 3, "running": 7})");
  EXPECT_EQ(id_text(whole), "42[0-9]");
  whole["index"] = 7;
  EXPECT_EQ(id_text(whole), "42_7");
  EXPECT_EQ(element_id_of(whole), (ElementId{42, 7}));
}

TEST(JobView, AnArrayIsAsFarAsItsElementsAre) {
  EXPECT_EQ(remark(array("running", R"({"finished": 3, "running": 6, "failed": 1, "held": 0})")),
            "3/10 finished, 6 running, 1 failed");
  Json over = array("failed", R"({"finished": 9, "failed": 1})");
  over["reason"] = "1 of 10 elements failed: 3";
  EXPECT_EQ(remark(over), "1 of 10 elements failed: 3");
}

TEST(JobView, AJobSaysWhomItWaitsFor) {
  Json job = Json::parse(R"({"id": 3, "state": "pending", "reason": "", "dependencies": [
      {"job": 1, "name": "a", "state": "satisfied"}, {"job": 2, "name": "b", "state": "pending"}]})");
  EXPECT_EQ(remark(job), "waits for 2 (b)");
  job["dependencies"][0]["state"] = "pending";
  EXPECT_EQ(remark(job), "waits for 1 (a) and 1 more");
  job["reason"] = "exit code 1; retry 1 of 3";
  EXPECT_EQ(remark(job), "exit code 1; retry 1 of 3");
}

}  // namespace
}  // namespace batch::cli::test
