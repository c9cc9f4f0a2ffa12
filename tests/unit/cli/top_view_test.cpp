// The picture of the cluster, as a function of what the master says.
#include "cli/top_view.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace batch::cli {
namespace {

Terminal terminal(std::size_t width) {
  Terminal made;
  made.utf8 = true;
  made.width = width;
  return made;
}

ClusterPicture picture(std::size_t nodes, std::size_t jobs) {
  ClusterPicture made;
  made.state = Json::parse(R"({"jobs": {"running": 2, "pending": 12, "finished": 3},
      "nodes": {"connected": 2, "unreachable": 1},
      "resources": {"total": {"cpus": 8, "mem": 8192}, "held": {"cpus": 4, "mem": 512}}})");
  made.nodes = Json{{"nodes", Json::array()}};
  for (std::size_t n = 1; n <= nodes; ++n) {
    made.nodes["nodes"].push_back(Json::parse(R"({"status": "admitted", "connected": true,
        "total": {"cpus": 4, "mem": 4096}, "held": {"cpus": 2}, "tasks": 1})"));
    made.nodes["nodes"].back()["hostname"] = "node-" + std::to_string(n);
  }
  made.jobs = Json{{"jobs", Json::array()}};
  for (std::size_t n = 1; n <= jobs; ++n) {
    made.jobs["jobs"].push_back(Json::parse(R"({"state": "running", "name": "train",
        "started": "1970-01-01T00:00:10.000Z", "node": {"hostname": "node-1"},
        "command": {"shell": true, "value": "./train"}})"));
    made.jobs["jobs"].back()["id"] = n;
    made.jobs["jobs"].back()["request"] = {{"cpus", n}, {"mem", 128}};
  }
  return made;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

TEST(UsedBar, IsFilledInEighths) {
  EXPECT_EQ(used_bar(terminal(80), 0, 4), "░░░░");
  EXPECT_EQ(used_bar(terminal(80), 0.5, 4), "██░░");
  EXPECT_EQ(used_bar(terminal(80), 0.53125, 4), "██▏░");
  EXPECT_EQ(used_bar(terminal(80), 1, 4), "████");
  EXPECT_EQ(used_bar(terminal(80), 0.0001, 4), "▏░░░") << "what is not nothing is seen";
  EXPECT_EQ(used_bar(terminal(80), 7, 4), "████");
  EXPECT_EQ(used_bar(Terminal{}, 0.5, 4), "##..");
}

TEST(DrawTop, ShowsCountsNodesAndTheLargestJobsFirst) {
  const std::string text = draw_top(terminal(80), 0, picture(2, 3), 70);
  const auto lines = lines_of(text);
  EXPECT_EQ(lines[0], "jobs   3 finished, 2 running, 12 pending");
  EXPECT_EQ(lines[1], "nodes  2 here, 1 away");
  EXPECT_NE(lines[2].find("4/8"), std::string::npos) << lines[2];
  EXPECT_TRUE(lines[5].starts_with("node-1  ███")) << lines[5];
  EXPECT_EQ(lines[8], "JOB  NAME   CPUS   MEM   TIME  NODE    COMMAND");
  EXPECT_EQ(lines[9], "  3  train     3  128M  1m00s  node-1  ./train");
}

TEST(DrawTop, FitsTheScreen) {
  for (const std::size_t width : {60u, 80u, 140u}) {
    for (const std::size_t rows : {10u, 24u, 50u}) {
      const auto lines = lines_of(draw_top(terminal(width), rows, picture(40, 40), 70));
      EXPECT_LE(lines.size(), rows + 1);
      for (const std::string& line : lines) EXPECT_LE(display_width(line), width) << line;
    }
  }
}

TEST(DrawTop, SaysHowManyNodesAreNotShown) {
  const std::string text = draw_top(terminal(80), 24, picture(40, 0), 70);
  EXPECT_NE(text.find("and 24 more"), std::string::npos) << text;
  EXPECT_NE(text.find("no job runs"), std::string::npos);
}

TEST(DrawTop, NothingIsNotAnError) {
  const std::string text = draw_top(terminal(80), 24, {Json(), Json(), Json()}, 0);
  EXPECT_NE(text.find("no nodes"), std::string::npos);
}

}  // namespace
}  // namespace batch::cli
