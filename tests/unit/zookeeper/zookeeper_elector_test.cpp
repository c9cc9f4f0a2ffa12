// Election by real ZooKeeper servers: takeover, lost servers, outages, expiry, passwords.
#include "librm/runtime/zookeeper_elector.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <asio/io_context.hpp>

#include "ensemble.hpp"
#include "librm/runtime/clock.hpp"
#include "support/tcp_proxy.hpp"
#include "unit/runtime/loop.hpp"

namespace librm::test {
namespace {

constexpr Duration session_timeout = milliseconds(1500);

Member member(const std::string& id) { return Member{id, id + ":5050", id + ":5051", "0.1.0"}; }

/// An elector with what its callbacks said.
struct Candidate {
  Candidate(asio::io_context& io, ZookeeperUrl url, std::optional<Member> self) {
    ElectorCallbacks callbacks;
    callbacks.on_elected = [this] { ++elected; };
    callbacks.on_deposed = [this](const std::string& reason) {
      deposed.push_back(reason);
      deposed_at = read_clocks().mono;
    };
    callbacks.on_change = [this](const Election& election) {
      leader = election.leader() == nullptr ? "" : election.leader()->id;
      ++changes;
    };
    callbacks.on_error = [this](const Error& error) { errors.push_back(error); };
    callbacks.on_log = [this](const std::string& line) { lines.push_back(line); };
    elector.emplace(io, ZookeeperElectorOptions{std::move(url), std::move(self), session_timeout},
                    std::move(callbacks));
    elector->start();
  }
  bool leads() const { return elector->leading(); }
  std::size_t members() const { return elector->election().members.size(); }

  int elected = 0;
  std::vector<std::string> deposed;
  Instant deposed_at;
  std::string leader;
  int changes = 0;
  std::vector<Error> errors;
  std::vector<std::string> lines;
  std::optional<ZookeeperElector> elector;
};

class ZookeeperElectorTest : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_ZOOKEEPER();
    static int count = 0;
    path_ = "/librm/test-" + std::to_string(++count);
  }

  Ensemble& ensemble() { return *Ensemble::get(); }
  ZookeeperUrl url(const std::string& login = "rm:secret@") {
    return parse_zookeeper_url("zk://" + login + ensemble().servers() + path_).value();
  }
  ZookeeperUrl through(const TcpProxy& proxy) {
    return parse_zookeeper_url("zk://rm:secret@127.0.0.1:" + std::to_string(proxy.port()) + path_)
        .value();
  }
  std::unique_ptr<Candidate> contend(const std::string& id) { return contend(id, url()); }
  std::unique_ptr<Candidate> contend(const std::string& id, ZookeeperUrl where) {
    return std::make_unique<Candidate>(io_, std::move(where), member(id));
  }
  std::unique_ptr<Candidate> watch(ZookeeperUrl where) {
    return std::make_unique<Candidate>(io_, std::move(where), std::nullopt);
  }
  std::unique_ptr<Candidate> watch() { return watch(url("")); }
  template <class Condition>
  bool until(Condition condition) {
    return run_until(io_, condition);
  }
  void run_for(std::chrono::milliseconds span) {
    const auto end = std::chrono::steady_clock::now() + span;
    run_until(io_, [&] { return std::chrono::steady_clock::now() >= end; });
  }

  std::string path_;
  asio::io_context io_;
};

TEST_F(ZookeeperElectorTest, TheFirstLeadsAndAllAreSeenByWatchersWithoutAPassword) {
  auto watcher = watch();
  auto one = contend("one");
  ASSERT_TRUE(until([&] { return one->leads(); }));
  EXPECT_GT(one->elector->lease_until(), read_clocks().mono);
  EXPECT_LE(one->elector->lease_until(), read_clocks().mono + session_timeout * 2 / 3);
  auto two = contend("two");
  auto three = contend("three");
  ASSERT_TRUE(until([&] { return watcher->members() == 3 && two->members() == 3; }));
  EXPECT_EQ(watcher->leader, "one");
  EXPECT_EQ(two->leader, "one");
  EXPECT_EQ(*watcher->elector->election().leader(), member("one"));
  run_for(std::chrono::milliseconds(1500));
  EXPECT_TRUE(one->leads()) << "beyond its first lease";
  EXPECT_EQ(one->elected, 1);
  EXPECT_FALSE(two->leads() || three->leads() || watcher->leads());
  EXPECT_TRUE(watcher->errors.empty() && one->errors.empty());
}

TEST_F(ZookeeperElectorTest, WhoStopsIsFollowedAtOnce) {
  auto one = contend("one");
  ASSERT_TRUE(until([&] { return one->leads(); }));
  auto two = contend("two");
  ASSERT_TRUE(until([&] { return two->members() == 2; }));
  one->elector->stop();
  EXPECT_FALSE(one->leads());
  const Instant stopped = read_clocks().mono;
  ASSERT_TRUE(until([&] { return two->leads(); }));
  EXPECT_LT((read_clocks().mono - stopped).ns, session_timeout.ns) << "no timeout was awaited";
  EXPECT_TRUE(one->deposed.empty()) << "no callback follows stop()";
}

TEST_F(ZookeeperElectorTest, ALeaderThatFallsSilentIsDeposedBeforeAnotherLeads) {
  TcpProxy proxy(ensemble().port(0));
  auto one = contend("one", through(proxy));
  ASSERT_TRUE(until([&] { return one->leads(); }));
  auto two = contend("two");
  auto watcher = watch();
  ASSERT_TRUE(until([&] { return two->members() == 2; }));
  proxy.set_silent(true);
  bool both = false;
  ASSERT_TRUE(until([&] {
    both = both || (one->leads() && two->leads());
    return two->leads();
  }));
  EXPECT_FALSE(both);
  ASSERT_EQ(one->deposed.size(), 1u);
  EXPECT_EQ(one->deposed[0], "no majority has confirmed it for 1000 ms");
  ASSERT_TRUE(until([&] { return watcher->leader == "two"; }));
  proxy.set_silent(false);
  ASSERT_TRUE(until([&] { return one->members() == 2 && one->elector->election().connected; }));
  EXPECT_EQ(one->leader, "two") << "it contends anew, behind the other";
  EXPECT_FALSE(one->leads());
}

TEST_F(ZookeeperElectorTest, AProcessThatIsStoppedDoesNotLeadWhenItGoesOn) {
  const pid_t child = fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    asio::io_context io;
    Candidate one(io, url(), member("one"));
    // While it was stopped its lease went by: it must know before anything else runs.
    run_until(io, [&] { return one.leads(); });
    ::raise(SIGSTOP);
    _exit(one.leads() ? 1 : 0);
  }
  auto watcher = watch();
  ASSERT_TRUE(until([&] { return watcher->leader == "one"; }));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  auto two = contend("two");
  EXPECT_TRUE(until([&] { return two->leads() && watcher->leader == "two"; }));
  ::kill(child, SIGCONT);
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST_F(ZookeeperElectorTest, AConnectionThatIsCutCostsNothing) {
  TcpProxy proxy(ensemble().port(1));
  auto one = contend("one", through(proxy));
  ASSERT_TRUE(until([&] { return one->leads(); }));
  for (int i = 0; i < 3; ++i) {
    proxy.set_open(false);
    run_for(std::chrono::milliseconds(100));
    proxy.set_open(true);
    ASSERT_TRUE(until([&] { return one->elector->election().connected; }));
    run_for(std::chrono::milliseconds(300));
  }
  EXPECT_TRUE(one->leads());
  EXPECT_EQ(one->elected, 1);
  EXPECT_TRUE(one->deposed.empty()) << one->deposed[0];
}

TEST_F(ZookeeperElectorTest, ANodeThatAnOperatorDeletesDeposes) {
  auto one = contend("one");
  ASSERT_TRUE(until([&] { return one->leads(); }));
  auto two = contend("two");
  ASSERT_TRUE(until([&] { return two->members() == 2; }));
  // The operator's shell, as the user who may.
  Child shell({"/bin/sh", "-c",
               "printf 'addauth digest rm:secret\\nls " + path_ + "\\n' | java -cp " +
                   std::string("/usr/share/java/zookeeper.jar") +
                   " org.apache.zookeeper.ZooKeeperMain -server " + ensemble().servers() +
                   " 2>/dev/null | grep -o 'm-[0-9a-f]*-[0-9]*' | sort -t- -k3 | head -1 |"
                   " { read name; printf \"addauth digest rm:secret\\ndelete " +
                   path_ +
                   "/$name\\n\" | java -cp /usr/share/java/zookeeper.jar"
                   " org.apache.zookeeper.ZooKeeperMain -server " +
                   ensemble().servers() + "; } >/dev/null 2>&1"},
              {"", "/dev/null", SIGKILL});
  ASSERT_TRUE(until([&] { return !one->deposed.empty(); }));
  EXPECT_EQ(one->deposed[0], "its node is gone");
  EXPECT_TRUE(until([&] { return two->leads() && two->members() == 2; }));
  EXPECT_EQ(two->leader, "two");
  EXPECT_TRUE(one->errors.empty());
  shell.wait();
}

TEST_F(ZookeeperElectorTest, AWrongPasswordIsAClearErrorAndWatchingNeedsNone) {
  auto one = contend("one");
  ASSERT_TRUE(until([&] { return one->leads(); }));
  for (const char* login : {"rm:wrong@", ""}) {
    auto two = contend("two", url(login));
    ASSERT_TRUE(until([&] { return !two->errors.empty(); }));
    EXPECT_EQ(two->errors[0].code, ErrorCode::permission_denied);
    EXPECT_EQ(two->errors[0].message,
              to_string(url()) + ": contend below the path: not allowed " +
                  (login[0] == '\0' ? "without a user and a password"
                                    : "as user rm: is the password right?"));
    run_for(std::chrono::milliseconds(300));
    EXPECT_EQ(two->errors.size(), 1u);
    EXPECT_EQ(two->leader, "one");
  }
}

TEST_F(ZookeeperElectorTest, NamesThatDoNotResolveAreReportedOnce) {
  auto one = contend("one", parse_zookeeper_url("zk://no-such-host.invalid/x").value());
  ASSERT_TRUE(until([&] { return !one->errors.empty(); }));
  EXPECT_EQ(one->errors[0].code, ErrorCode::unavailable);
  run_for(std::chrono::milliseconds(500));
  EXPECT_EQ(one->errors.size(), 1u);
}

TEST_F(ZookeeperElectorTest, MayBeDestroyedInACallback) {
  std::optional<ZookeeperElector> elector;
  bool gone = false;
  ElectorCallbacks callbacks;
  callbacks.on_elected = [&] {
    elector.reset();
    gone = true;
  };
  elector.emplace(io_, ZookeeperElectorOptions{url(), member("one"), session_timeout},
                  std::move(callbacks));
  elector->start();
  EXPECT_TRUE(until([&] { return gone; }));
  run_for(std::chrono::milliseconds(100));
}

TEST_F(ZookeeperElectorTest, ALostServerOfTheEnsembleDeposesNobodyForLong) {
  auto one = contend("one");
  ASSERT_TRUE(until([&] { return one->leads(); }));
  auto two = contend("two");
  ASSERT_TRUE(until([&] { return two->members() == 2; }));
  const int leader = ensemble().leader();
  ASSERT_GE(leader, 0);
  ensemble().kill(leader);
  run_for(std::chrono::milliseconds(200));
  bool both = false;
  ASSERT_TRUE(until([&] {
    both = both || (one->leads() && two->leads());
    return ensemble().leader() >= 0 && (one->leads() || two->leads()) &&
           one->elector->election().connected && two->elector->election().connected;
  }));
  EXPECT_FALSE(both);
  ensemble().start(leader);
  EXPECT_TRUE(ensemble().wait_ready());
}

TEST_F(ZookeeperElectorTest, AnOutageOfAllServersIsWaitedOutWithoutSpinning) {
  auto one = contend("one");
  auto watcher = watch();
  ASSERT_TRUE(until([&] { return one->leads() && watcher->leader == "one"; }));
  for (int i = 0; i < Ensemble::count; ++i) ensemble().kill(i);
  const Instant killed = read_clocks().mono;
  ASSERT_TRUE(until([&] { return !one->deposed.empty(); }));
  EXPECT_LT((one->deposed_at - killed).ns, session_timeout.ns) << "on its own clock";
  ASSERT_TRUE(until([&] { return !watcher->elector->election().connected; }));
  EXPECT_EQ(watcher->leader, "one") << "the last known";

  const auto cpu_ms = [] {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1'000'000;
  };
  const auto before = cpu_ms();
  run_for(std::chrono::milliseconds(2000));
  EXPECT_LT(cpu_ms() - before, 200) << "of 2000 ms, for two electors";
  EXPECT_LT(one->lines.size(), 12u) << "lines of log";
  EXPECT_GT(one->lines.size(), 0u);

  for (int i = 0; i < Ensemble::count; ++i) ensemble().start(i);
  ASSERT_TRUE(ensemble().wait_ready());
  ASSERT_TRUE(until([&] {
    return one->leads() && watcher->elector->election().connected && watcher->leader == "one";
  }));
  EXPECT_TRUE(one->errors.empty());
}

}  // namespace
}  // namespace librm::test
