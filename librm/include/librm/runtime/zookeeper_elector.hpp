// Masters elect by ZooKeeper, and who looks for them finds them there.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "librm/base/result.hpp"
#include "librm/base/time.hpp"
#include "librm/runtime/elector.hpp"

namespace asio {
class io_context;
}

namespace librm {

/// Where a group is: servers, its node, and who we are to them.
struct ZookeeperUrl {
  std::vector<std::string> servers;  ///< `host:port`
  std::string path;                  ///< absolute, never the root
  std::string user;                  ///< empty: nobody; all may write then
  std::string password;
  bool operator==(const ZookeeperUrl&) const = default;
};

/// Reads `zk://user:password@h1:2181,h2,h3/path`. Ports are 2181 where they are missing, user and
/// password may be percent-encoded. invalid_argument says what is wrong, never the password.
Result<ZookeeperUrl> parse_zookeeper_url(std::string_view text);
/// The same, or `file:///path/to/file` of which the content is such a URL. io_error where it
/// cannot be read.
Result<ZookeeperUrl> read_zookeeper_url(const std::string& text);
/// Whether it begins like one of these.
bool is_zookeeper_url(std::string_view text);
/// Without user and password.
std::string to_string(const ZookeeperUrl& url);

struct ZookeeperElectorOptions {
  ZookeeperUrl url;
  /// Contends with this; nothing: only watches.
  std::optional<Member> self;
  /// What is asked for. Servers grant 2 to 20 of their ticks: 4 to 40 s as they are installed, so
  /// a session of 1 s needs minSessionTimeout or a tickTime of 500 ms.
  Duration session_timeout = seconds(10);
};

/// Each contender has an ephemeral sequential node below the path, which is created where it is
/// missing. With a user, everybody may read and only that user change what is created. A leader
/// asks the ensemble six times a session (`sync`, then whether its node exists, so a server that
/// is cut off from the others cannot say yes), and its lease is counted from the sending.
///
/// Runs on an external io_context, which must outlive it; single-threaded. Names of servers are
/// resolved on that thread, when a session begins. Destroying it is stop(), and may be done in a
/// callback.
class ZookeeperElector final : public Elector {
 public:
  ZookeeperElector(asio::io_context& io, ZookeeperElectorOptions options,
                   ElectorCallbacks callbacks);
  ~ZookeeperElector() override;
  ZookeeperElector(const ZookeeperElector&) = delete;
  ZookeeperElector& operator=(const ZookeeperElector&) = delete;

  void start() override;
  void stop() override;
  const Election& election() const override;
  bool leading() const override;
  Instant lease_until() const override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace librm
