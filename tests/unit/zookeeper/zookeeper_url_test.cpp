// URLs of groups in ZooKeeper: what they say, and what is wrong with others.
#include <gtest/gtest.h>

#include "librm/runtime/zookeeper_elector.hpp"
#include "support/child.hpp"

namespace librm {
namespace {

TEST(ZookeeperUrl, HasServersPathUserAndPassword) {
  const ZookeeperUrl url =
      parse_zookeeper_url("zk://u:p@h1:2181,h2,10.0.0.3:99/librm/prod/").value();
  EXPECT_EQ(url.servers, (std::vector<std::string>{"h1:2181", "h2:2181", "10.0.0.3:99"}));
  EXPECT_EQ(url.path, "/librm/prod");
  EXPECT_EQ(url.user, "u");
  EXPECT_EQ(url.password, "p");
  EXPECT_EQ(to_string(url), "zk://h1:2181,h2:2181,10.0.0.3:99/librm/prod");
}

TEST(ZookeeperUrl, NeedsNoUser) {
  const ZookeeperUrl url = parse_zookeeper_url("zk://[::1]:2182/a").value();
  EXPECT_EQ(url.servers, (std::vector<std::string>{"[::1]:2182"}));
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(parse_zookeeper_url("zk://[::1]/a").value().servers[0], "[::1]:2181");
}

TEST(ZookeeperUrl, PasswordsMayHaveAnything) {
  EXPECT_EQ(parse_zookeeper_url("zk://u:p%2F%40:x@h/a").value().password, "p/@:x");
  EXPECT_EQ(parse_zookeeper_url("zk://u:p@q/r@h/a").value().password, "p@q/r");
}

TEST(ZookeeperUrl, SaysWhatIsWrongButNotThePassword) {
  const std::pair<const char*, const char*> wrong[] = {
      {"http://h/a", "does not begin with zk://"},
      {"zk://h", "a path is missing"},
      {"zk://h/", "the path is the root"},
      {"zk://h/a//b", "the path is not one"},
      {"zk://h/a/../b", "the path is not one"},
      {"zk://h/a b", "the path is not one"},
      {"zk:///a", "'' is not a server"},
      {"zk://h1,,h2/a", "'' is not a server"},
      {"zk://h:x/a", "'x' is not a port"},
      {"zk://h:70000/a", "'70000' is not a port"},
      {"zk://u:secret%zz@h/a", "a % that is no %XX"},
      {"zk://u:@h/a", "user or password is empty"},
      {"zk://secret@h/a", "user or password is empty"},
      {"zk://a%3Ab:secret@h/a", "a user has no colon"},
  };
  for (const auto& [text, why] : wrong) {
    Result<ZookeeperUrl> url = parse_zookeeper_url(text);
    ASSERT_FALSE(url) << text;
    EXPECT_EQ(url.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(url.error().message.find(why), std::string::npos) << url.error().message;
    EXPECT_EQ(url.error().message.find("secret"), std::string::npos) << url.error().message;
  }
}

TEST(ZookeeperUrl, IsReadFromAFile) {
  const test::TempDirectory directory("zk-url");
  const std::string path = directory.path() + "/url";
  std::ofstream(path) << "zk://u:p@h/a\n\n";
  EXPECT_EQ(read_zookeeper_url("file://" + path).value(),
            parse_zookeeper_url("zk://u:p@h/a").value());
  EXPECT_EQ(read_zookeeper_url("zk://h/a").value().path, "/a");
  std::ofstream(path) << std::string(5000, 'x');
  EXPECT_EQ(read_zookeeper_url("file://" + path).error().message,
            "ZooKeeper URL in " + path + ": more than 4096 bytes");
  EXPECT_EQ(
      read_zookeeper_url("file://" + path + "x").error(),
      (Error{ErrorCode::io_error, "ZooKeeper URL in " + path + "x: No such file or directory"}));
}

}  // namespace
}  // namespace librm
