// Starts and stops the tests' ZooKeeper servers.
#include "ensemble.hpp"

namespace librm::test {
namespace {

constexpr char jar[] = "/usr/share/java/zookeeper.jar";
constexpr char java[] = "/usr/bin/java";

std::unique_ptr<Ensemble> the_ensemble;

/// Stops it before main() ends, while everything is still there.
class StopEnsemble : public testing::Environment {
 public:
  void TearDown() override { the_ensemble.reset(); }
};
[[maybe_unused]] const auto* const stop_ensemble =
    testing::AddGlobalTestEnvironment(new StopEnsemble);

}  // namespace

Ensemble* Ensemble::get() {
  if (!the_ensemble) the_ensemble.reset(new Ensemble);
  return the_ensemble->prepared_ ? the_ensemble.get() : nullptr;
}

Ensemble::Ensemble() {
  if (!std::filesystem::exists(jar) || !std::filesystem::exists(java)) return;
  ports_ = free_ports(3 * count);
  for (int i = 0; i < count; ++i) {
    const std::string home = directory_.path() + "/" + std::to_string(i);
    std::filesystem::create_directories(home + "/data");
    std::ofstream(home + "/data/myid") << i + 1 << "\n";
    std::ofstream config(home + "/zoo.cfg");
    config << "tickTime=250\ninitLimit=60\nsyncLimit=8\nmaxClientCnxns=0\n"
           << "minSessionTimeout=500\nadmin.enableServer=false\n4lw.commands.whitelist=srvr,ruok\n"
           << "clientPortAddress=127.0.0.1\nclientPort=" << port(i) << "\ndataDir=" << home
           << "/data\n";
    for (int j = 0; j < count; ++j) {
      config << "server." << j + 1 << "=127.0.0.1:" << ports_[static_cast<std::size_t>(count + j)]
             << ":" << ports_[static_cast<std::size_t>(2 * count + j)] << "\n";
    }
    config.close();
    start(i);
  }
  prepared_ = wait_ready();
  if (!prepared_) ADD_FAILURE() << server_[0].output();
}

std::string Ensemble::servers() const {
  std::string text;
  for (int i = 0; i < count; ++i) {
    text += (i == 0 ? "127.0.0.1:" : ",127.0.0.1:") + std::to_string(port(i));
  }
  return text;
}

void Ensemble::start(int server) {
  const std::string home = directory_.path() + "/" + std::to_string(server);
  server_[static_cast<std::size_t>(server)] = Child(
      {java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", home + ":" + jar,
       "org.apache.zookeeper.server.quorum.QuorumPeerMain", home + "/zoo.cfg"},
      {"", home + "/log", SIGKILL});
}

std::string Ensemble::ask(int server, const std::string& word) const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port(server)));
  const timeval timeout{2, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  std::string answer;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
      ::send(fd, word.data(), word.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(word.size())) {
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
      answer.append(buffer, static_cast<std::size_t>(got));
    }
  }
  ::close(fd);
  return answer;
}

int Ensemble::leader() const {
  for (int i = 0; i < count; ++i) {
    if (ask(i, "srvr").find("Mode: leader") != std::string::npos) return i;
  }
  return -1;
}

bool Ensemble::wait_ready() const {
  return eventually(
      [this] {
        for (int i = 0; i < count; ++i) {
          if (ask(i, "srvr").find("Mode: ") == std::string::npos) return false;
        }
        return true;
      },
      std::chrono::seconds(40));
}

}  // namespace librm::test
