// What people type: spans, addresses, names that are almost right.
#include "common/text.hpp"

#include <gtest/gtest.h>

namespace librm::daemon {
namespace {

TEST(Duration, FormsThatPeopleType) {
  EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
  EXPECT_EQ(parse_duration("5s"), seconds(5));
  EXPECT_EQ(parse_duration("5"), seconds(5));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("2m"), seconds(120));
  EXPECT_EQ(parse_duration("1h"), seconds(3600));
  EXPECT_EQ(parse_duration("7d"), seconds(7 * 86'400));
}

TEST(Duration, AnythingElseIsRefusedByName) {
  for (const char* text : {"", "s", "-5s", "5x", "1e3s", "5 s", "99999999d", "1.2.3s", "nan"}) {
    Result<Duration> parsed = parse_duration(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_NE(parsed.error().message.find(text), std::string::npos);
  }
}

TEST(Duration, PrintsWhatItReads) {
  for (const char* text : {"0s", "500ms", "5s", "2m", "1h", "7d", "1500ms"}) {
    EXPECT_EQ(print_duration(*parse_duration(text)), text);
  }
}

TEST(HostPort, BothFamiliesAndNames) {
  EXPECT_EQ(parse_host_port("node-1.example.org:5150")->host, "node-1.example.org");
  EXPECT_EQ(parse_host_port("10.0.0.1:5150")->port, 5150);
  EXPECT_EQ(parse_host_port("[::1]:5150")->host, "::1");
  EXPECT_EQ(print_host_port("::1", 5150), "[::1]:5150");
  EXPECT_EQ(print_host_port("127.0.0.1", 5150), "127.0.0.1:5150");
}

TEST(HostPort, AnythingElseIsRefused) {
  for (const char* text :
       {"", "host", "host:", ":5150", "host:0", "host:65536", "host:12x", "::1:5"}) {
    EXPECT_FALSE(parse_host_port(text).has_value()) << text;
  }
}

TEST(Nearest, NamesThatAreAlmostRight) {
  const std::vector<std::string> names = {"port", "cluster-port", "work-dir"};
  EXPECT_EQ(nearest("prot", names), "port");
  EXPECT_EQ(nearest("clusterport", names), "cluster-port");
  EXPECT_EQ(nearest("workdirs", names), "work-dir");
  EXPECT_EQ(nearest("colour", names), std::nullopt);
}

}  // namespace
}  // namespace librm::daemon
