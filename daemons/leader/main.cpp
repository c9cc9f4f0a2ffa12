// rm-leader: asks ZooKeeper once which masters there are, and prints them, the leader first.
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <cstdio>
#include <string>

#include "librm/runtime/zookeeper_elector.hpp"

namespace librm::daemon {
namespace {

constexpr std::chrono::seconds answer_timeout{10};

int ask(const std::string& text) {
  Result<ZookeeperUrl> url = read_zookeeper_url(text);
  if (!url) {
    std::fprintf(stderr, "rm-leader: %s\n", url.error().message.c_str());
    return 2;
  }
  asio::io_context io(1);
  int code = 5;
  std::string reason = to_string(*url) + ": no server answers";
  ElectorCallbacks told;
  told.on_change = [&](const Election& election) {
    if (!election.connected) return;
    reason = to_string(*url) + ": no master leads";
    if (election.members.empty()) return;
    for (const Member& member : election.members) {
      std::printf("http=%s cluster=%s version=%s\n", member.http.c_str(), member.frames.c_str(),
                  member.version.c_str());
    }
    code = 0;
    io.stop();
  };
  told.on_error = [&](const Error& error) {
    reason = error.message;
    io.stop();
  };
  ZookeeperElectorOptions options;
  options.url = *url;
  ZookeeperElector elector(io, std::move(options), std::move(told));
  elector.start();
  asio::steady_timer patience(io, answer_timeout);
  patience.async_wait([&](const asio::error_code& error) {
    if (!error) io.stop();
  });
  io.run();
  elector.stop();
  if (code != 0) std::fprintf(stderr, "rm-leader: %s\n", reason.c_str());
  return code;
}

}  // namespace
}  // namespace librm::daemon

int main(int argc, char** argv) {
  const std::string text = argc == 2 ? argv[1] : "";
  if (text.empty() || text.front() == '-') {
    std::fprintf(text == "--help" ? stdout : stderr,
                 "Usage: rm-leader zk://HOST:PORT,HOST:PORT/PATH | file:///FILE\n"
                 "Prints the masters that contend there, the leader first:\n"
                 "  http=HOST:PORT cluster=HOST:PORT version=VERSION\n"
                 "Exit code 5 where there is none, or nobody answers within 10 s.\n");
    return text == "--help" ? 0 : 2;
  }
  return librm::daemon::ask(text);
}
