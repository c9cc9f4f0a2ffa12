// Isolators for real: made through libnl in namespaces of the test, with traffic over them.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "netiso/isolator.hpp"
#include "unit/netiso/namespace_fixture.hpp"

namespace netiso {
namespace {

using librm::ErrorCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int deadline_s = 30;

class Socket {
 public:
  explicit Socket(int fd) : fd_(fd) {
    // Nothing here waits for longer; what takes longer fails.
    const timeval deadline{deadline_s, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
  }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

sockaddr_in endpoint(std::uint32_t address, std::uint16_t port) {
  sockaddr_in value{};
  value.sin_family = AF_INET;
  value.sin_port = htons(port);
  value.sin_addr.s_addr = htonl(address);
  return value;
}

int connect_to(const Socket& socket, const sockaddr_in& where) {
  return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where);
}

/// Runs the body on a thread in that namespace, as a task's process would be.
void in_space(const Space& space, const std::function<void()>& body) {
  std::thread([&] {
    const auto entered = enter_namespace(space);
    ASSERT_TRUE(entered) << entered.error().message;
    body();
  }).join();
}

DesiredIsolator desired_isolator() {
  DesiredIsolator desired;
  desired.space = "rm-test-" + std::to_string(::getpid());
  desired.host_link = "rm7";
  desired.host_address = parse_ipv4("10.77.0.1/30").value();
  desired.task_address = parse_ipv4("10.77.0.2/30").value();
  desired.mtu = 1400;
  return desired;
}

class NetworkIsolator : public NetworkNamespace {
 protected:
  /// In a network namespace that plays the host, on a kernel that has link pairs.
  void on_host(const std::function<void(const KernelFeatures&)>& body) {
    in_namespace([&] {
      const auto kernel = probe_kernel();
      ASSERT_TRUE(kernel) << kernel.error().message;
      ASSERT_TRUE(kernel->veth) << "needs CONFIG_VETH";
      body(*kernel);
    });
  }

  static IsolatorPlan planned(const DesiredIsolator& desired, const KernelFeatures& kernel) {
    const auto observed = observe_isolator(desired);
    EXPECT_TRUE(observed) << observed.error().message;
    if (!observed) return {};
    auto plan = plan_isolator(desired, *observed, kernel);
    EXPECT_TRUE(plan) << plan.error().message;
    return plan ? *plan : IsolatorPlan{};
  }

  static std::vector<std::string> texts(const std::vector<Operation>& operations) {
    std::vector<std::string> result;
    for (const Operation& operation : operations) result.push_back(to_string(operation));
    return result;
  }

  /// Plans, applies, and sees that nothing is left to do.
  static std::vector<Operation> make(const DesiredIsolator& desired, const KernelFeatures& kernel) {
    auto operations = planned(desired, kernel).operations;
    const auto applied = apply(operations);
    EXPECT_TRUE(applied) << applied.error().message;
    EXPECT_THAT(texts(planned(desired, kernel).operations), IsEmpty());
    return operations;
  }

  static void remove(const DesiredIsolator& desired) {
    const auto observed = observe_isolator(desired);
    ASSERT_TRUE(observed) << observed.error().message;
    const auto removed = apply(plan_removal(desired, *observed));
    EXPECT_TRUE(removed) << removed.error().message;
    expect_nothing_left();
  }

  static void expect_nothing_left() {
    const auto links = observe_links();
    ASSERT_TRUE(links) << links.error().message;
    EXPECT_THAT(*links, ElementsAre(::testing::Field(&LinkStatistics::name, "lo")));
    EXPECT_TRUE(std::filesystem::is_empty(names));
  }

  static LinkStatistics link(const Space& space, const std::string& name) {
    const auto links = observe_links(space);
    EXPECT_TRUE(links) << links.error().message;
    if (!links) return {};
    for (const LinkStatistics& value : *links) {
      if (value.name == name) return value;
    }
    ADD_FAILURE() << "no link " << name;
    return {};
  }

  static EgressStatistics egress(const DesiredIsolator& desired) {
    const auto found = observe_egress(desired.space, desired.task_link);
    EXPECT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found && *found) << "no limit";
    return found && *found ? **found : EgressStatistics{};
  }

  /// The task connects to its gateway and sends; what the host received.
  static std::size_t transfer(const DesiredIsolator& desired, std::size_t bytes) {
    const Socket server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    // A port that the kernel chooses: the one before may not be free yet.
    sockaddr_in where = endpoint(desired.host_address.address, 0);
    socklen_t size = sizeof where;
    EXPECT_EQ(::bind(server.get(), reinterpret_cast<sockaddr*>(&where), size), 0);
    EXPECT_EQ(::listen(server.get(), 1), 0);
    EXPECT_EQ(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&where), &size), 0);
    std::thread task([&] { in_space(desired.space, [&] { send_all(where, bytes); }); });
    std::size_t received = 0;
    {
      const Socket connection(::accept(server.get(), nullptr, nullptr));
      EXPECT_GE(connection.get(), 0) << "nobody connected";
      std::vector<char> buffer(64 * 1024);
      ssize_t count = 0;
      while ((count = ::recv(connection.get(), buffer.data(), buffer.size(), 0)) > 0) {
        received += static_cast<std::size_t>(count);
      }
      EXPECT_EQ(count, 0) << "the connection broke";
    }
    task.join();
    return received;
  }

  static void send_all(const sockaddr_in& where, std::size_t bytes) {
    const Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(connect_to(client, where), 0);
    const std::string block(16 * 1024, 'x');
    while (bytes > 0) {
      const ssize_t sent =
          ::send(client.get(), block.data(), std::min(bytes, block.size()), MSG_NOSIGNAL);
      ASSERT_GT(sent, 0);
      bytes -= static_cast<std::size_t>(sent);
    }
  }

  /// Datagrams from the task to its gateway until the kernel takes no more; how many it took.
  static int flood(const DesiredIsolator& desired, int datagrams) {
    int taken = 0;
    in_space(desired.space, [&] {
      const Socket client(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ASSERT_EQ(connect_to(client, endpoint(desired.host_address.address, 9)), 0);
      const std::string block(1'000, 'x');
      while (taken < datagrams) {
        // Nobody listens; a refusal is the answer to one that arrived.
        if (::send(client.get(), block.data(), block.size(), 0) >= 0) {
          ++taken;
        } else if (errno != ECONNREFUSED) {
          break;
        }
      }
    });
    return taken;
  }
};

TEST_F(NetworkIsolator, TaskReachesTheHostThroughItsLink) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    EXPECT_EQ(transfer(desired, 300'000), 300'000u);
    remove(desired);
  });
}

TEST_F(NetworkIsolator, AppliesAsPlannedAndLeavesNothingWhenReverted) {
  on_host([&](const KernelFeatures& kernel) {
    DesiredIsolator desired = desired_isolator();
    if (kernel.htb || kernel.tbf) desired.egress_bits_per_second = 20'000'000;
    const auto operations = make(desired, kernel);
    EXPECT_EQ(link("", desired.host_link).mtu, 1400u);
    EXPECT_EQ(link(desired.space, "eth0").mtu, 1400u);
    EXPECT_TRUE(link(desired.space, "lo").up);
    const auto reverted = revert(operations);
    EXPECT_TRUE(reverted) << reverted.error().message;
    expect_nothing_left();
  });
}

TEST_F(NetworkIsolator, CallingThreadStaysWhereItIs) {
  on_host([&](const KernelFeatures& kernel) {
    const auto before = std::filesystem::read_symlink("/proc/thread-self/ns/net");
    const DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/thread-self/ns/net"), before);
    in_space(desired.space,
             [&] { EXPECT_NE(std::filesystem::read_symlink("/proc/thread-self/ns/net"), before); });
    remove(desired);
  });
}

TEST_F(NetworkIsolator, WhatIsHalfMadeIsCompleted) {
  on_host([&](const KernelFeatures& kernel) {
    DesiredIsolator desired = desired_isolator();
    if (kernel.htb || kernel.tbf) desired.egress_bits_per_second = 20'000'000;
    const auto whole = planned(desired, kernel).operations;
    for (std::size_t made = 0; made <= whole.size(); ++made) {
      SCOPED_TRACE(made);
      ASSERT_TRUE(apply({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(made)}));
      EXPECT_EQ(make(desired, kernel).size(), whole.size() - made);
      remove(desired);
    }
  });
}

TEST_F(NetworkIsolator, FailureAtAnyPointLeavesNothing) {
  on_host([&](const KernelFeatures& kernel) {
    DesiredIsolator desired = desired_isolator();
    if (kernel.htb || kernel.tbf) desired.egress_bits_per_second = 20'000'000;
    const auto whole = planned(desired, kernel).operations;
    for (std::size_t made = 0; made <= whole.size(); ++made) {
      SCOPED_TRACE(made);
      auto broken = whole;
      broken.insert(broken.begin() + static_cast<std::ptrdiff_t>(made),
                    SetLinkUp{"missing", true, false});
      const auto applied = apply(broken);
      ASSERT_FALSE(applied);
      EXPECT_EQ(applied.error().code, ErrorCode::not_found);
      EXPECT_THAT(applied.error().message, HasSubstr("link missing: up (was down)"));
      EXPECT_THAT(applied.error().message, Not(HasSubstr("not undone")));
      expect_nothing_left();
    }
  });
}

TEST_F(NetworkIsolator, NameLeftByOneThatWasStoppedIsTakenOver) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    const std::string path = std::string(names) + "/" + desired.space;
    ::close(::open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0));
    EXPECT_EQ(observe_links(desired.space).error().code, ErrorCode::not_found);
    EXPECT_TRUE(observe_isolator(desired)->task.remnant);
    make(desired, kernel);
    remove(desired);
    ::close(::open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0));
    remove(desired);
  });
}

TEST_F(NetworkIsolator, CountersCountWhatTheTaskSends) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    const std::uint64_t task_before = link(desired.space, "eth0").tx_bytes;
    const std::uint64_t host_before = link("", "rm7").rx_bytes;
    constexpr std::size_t bytes = 200'000;
    ASSERT_EQ(transfer(desired, bytes), bytes);
    const std::uint64_t sent = link(desired.space, "eth0").tx_bytes - task_before;
    EXPECT_GE(sent, bytes);
    EXPECT_LT(sent, 2 * bytes) << "headers are less than that";
    EXPECT_GE(link("", "rm7").rx_bytes - host_before, bytes);
    remove(desired);
  });
}

class EgressLimitOfIsolator : public NetworkIsolator {
 protected:
  /// With each shaper that the kernel has; CI's has at least one.
  void with_each_shaper(const std::function<void(const KernelFeatures&, Shaper)>& body) {
    on_host([&](const KernelFeatures& kernel) {
      ASSERT_TRUE(kernel.htb || kernel.tbf) << "needs CONFIG_NET_SCH_HTB or CONFIG_NET_SCH_TBF";
      if (kernel.htb) body(kernel, Shaper::htb);
      KernelFeatures without_htb = kernel;
      without_htb.htb = false;
      if (kernel.tbf) body(without_htb, Shaper::tbf);
    });
  }
};

TEST_F(EgressLimitOfIsolator, HoldsBackWhatExceedsIt) {
  with_each_shaper([&](const KernelFeatures& kernel, Shaper shaper) {
    DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    ASSERT_EQ(transfer(desired, 1'000), 1'000u) << "from now on the addresses are resolved";
    // More than the socket's buffer holds.
    constexpr int datagrams = 5'000;
    EXPECT_EQ(flood(desired, datagrams), datagrams) << "without a limit nothing waits";
    desired.egress_bits_per_second = 80'000;
    make(desired, kernel);
    const std::uint64_t before = link("", "rm7").rx_bytes;
    const int taken = flood(desired, datagrams);
    const EgressStatistics found = egress(desired);
    EXPECT_EQ(found.limit.bits_per_second, 80'000u);
    EXPECT_EQ(found.limit.shaper, shaper);
    EXPECT_GT(found.held_back, 0u);
    // A full socket buffer or a full queue ends it; both are far below what was to be sent.
    EXPECT_TRUE(taken < datagrams || found.dropped_packets > 0) << taken;
    EXPECT_LT(link("", "rm7").rx_bytes - before, std::uint64_t{1'000} * datagrams / 2);
    remove(desired);
  });
}

TEST_F(EgressLimitOfIsolator, LetsAllThroughInItsTimeAndCountsIt) {
  with_each_shaper([&](const KernelFeatures& kernel, Shaper) {
    DesiredIsolator desired = desired_isolator();
    desired.egress_bits_per_second = 20'000'000;
    make(desired, kernel);
    constexpr std::size_t bytes = 400'000;
    EXPECT_EQ(transfer(desired, bytes), bytes);
    const EgressStatistics found = egress(desired);
    EXPECT_GE(found.sent_bytes, bytes);
    EXPECT_GT(found.sent_packets, 0u);
    EXPECT_GT(found.held_back, 0u);
    remove(desired);
  });
}

TEST_F(EgressLimitOfIsolator, ChangesAndGoesWithoutTheRestBeingTouched) {
  with_each_shaper([&](const KernelFeatures& kernel, Shaper shaper) {
    DesiredIsolator desired = desired_isolator();
    desired.egress_bits_per_second = 20'000'000;
    make(desired, kernel);
    ASSERT_EQ(transfer(desired, 50'000), 50'000u);
    const std::uint64_t before = egress(desired).sent_bytes;

    const DesiredIsolator old = desired;
    // 34 Gbit/s and more do not fit the older, narrower field for rates.
    for (const std::uint64_t rate : {8'000ull, 5'000'000'000ull, 40'000'000'000ull}) {
      if (shaper == Shaper::tbf && rate > 16'000'000'000) continue;
      desired.egress_bits_per_second = rate;
      const auto change = make(desired, kernel);
      EXPECT_EQ(change.size(), 1u);
      EXPECT_EQ(egress(desired).limit.bits_per_second, rate);
      // Of htb the class changes and the counters of its queue go on; tbf is made anew.
      EXPECT_GE(egress(desired).sent_bytes, shaper == Shaper::htb ? before : 0);
      ASSERT_TRUE(revert(change));
      EXPECT_THAT(texts(planned(old, kernel).operations), IsEmpty());
    }

    desired.egress_bits_per_second.reset();
    make(desired, kernel);
    EXPECT_EQ(observe_egress(desired.space, "eth0").value(), std::nullopt);
    remove(desired);
  });
}

TEST_F(EgressLimitOfIsolator, ThatTheKernelRefusesLeavesTheOneBefore) {
  with_each_shaper([&](const KernelFeatures& kernel, Shaper) {
    if (kernel.fq_codel) return;
    DesiredIsolator desired = desired_isolator();
    desired.egress_bits_per_second = 20'000'000;
    make(desired, kernel);
    const EgressLimit before = egress(desired).limit;
    const EgressLimit fair{80'000'000, Shaper::htb, true};
    const auto applied = apply({SetEgressLimit{desired.task_link, fair, before, desired.space}});
    ASSERT_FALSE(applied) << "this kernel has no fq_codel";
    EXPECT_EQ(egress(desired).limit, before);
    remove(desired);
  });
}

TEST_F(NetworkIsolator, ChangedAddressesWorkAndAreTakenBack) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator old = desired_isolator();
    make(old, kernel);
    DesiredIsolator desired = old;
    desired.host_address = parse_ipv4("10.78.0.1/24").value();
    desired.task_address = parse_ipv4("10.78.0.2/24").value();
    const auto change = make(desired, kernel);
    EXPECT_EQ(transfer(desired, 1'000), 1'000u);
    const auto reverted = revert(change);
    ASSERT_TRUE(reverted) << reverted.error().message;
    EXPECT_THAT(texts(planned(old, kernel).operations), IsEmpty());
    EXPECT_EQ(transfer(old, 1'000), 1'000u);
    remove(desired);
  });
}

TEST_F(NetworkIsolator, FurtherAddressesOfTheSameNetworkGo) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    const auto third = parse_ipv4("10.77.0.3/30").value();
    ASSERT_TRUE(apply({AddAddress{"eth0", desired.task_address, false, desired.space},
                       AddAddress{"eth0", third, true, desired.space},
                       AddAddress{"eth0", desired.task_address, true, desired.space}}));
    const auto change = make(desired, kernel);
    EXPECT_THAT(
        texts(change),
        ElementsAre(HasSubstr("no address 10.77.0.2/30"), HasSubstr("no address 10.77.0.3/30"),
                    HasSubstr("eth0 in " + desired.space + ": address 10.77.0.2/30"),
                    HasSubstr("default route via 10.77.0.1")));
    remove(desired);
  });
}

TEST_F(NetworkIsolator, SeveralDoNotSeeEachOther) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator one = desired_isolator();
    DesiredIsolator other = one;
    other.space += "b";
    other.host_link = "rm8";
    other.host_address = parse_ipv4("10.77.0.5/30").value();
    other.task_address = parse_ipv4("10.77.0.6/30").value();
    make(one, kernel);
    make(other, kernel);
    EXPECT_EQ(transfer(one, 1'000), 1'000u);
    const std::uint64_t before = link(other.space, "eth0").tx_bytes;
    EXPECT_EQ(transfer(one, 100'000), 100'000u);
    EXPECT_LT(link(other.space, "eth0").tx_bytes - before, 50'000u);
    ASSERT_TRUE(apply(plan_removal(one, *observe_isolator(one))));
    EXPECT_EQ(transfer(other, 1'000), 1'000u);
    remove(other);
  });
}

TEST_F(NetworkIsolator, DisconnectedReachesNobody) {
  on_host([&](const KernelFeatures& kernel) {
    DesiredIsolator desired = desired_isolator();
    desired.connected = false;
    EXPECT_EQ(planned(desired, kernel).notes.empty(), kernel.dummy);
    const auto operations = make(desired, kernel);
    ASSERT_TRUE(apply({SetLinkUp{"lo", true, false}}));
    in_space(desired.space, [&] {
      const Socket client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      EXPECT_NE(connect_to(client, endpoint(desired.host_address.address, 9)), 0);
      EXPECT_EQ(errno, ENETUNREACH);
    });
    ASSERT_TRUE(revert(operations));
    expect_nothing_left();
  });
}

TEST_F(NetworkIsolator, RemovalCutsOffAProcessThatLivesOn) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    make(desired, kernel);
    std::promise<void> inside;
    std::promise<void> removed;
    std::thread task([&] {
      in_space(desired.space, [&] {
        inside.set_value();
        removed.get_future().wait();
        const auto links = observe_links();
        ASSERT_TRUE(links);
        EXPECT_EQ(links->size(), 1u) << "lo alone";
      });
    });
    inside.get_future().wait();
    remove(desired);
    removed.set_value();
    task.join();
  });
}

TEST_F(NetworkIsolator, WithoutTheCapabilityNothingIsMade) {
  on_host([&](const KernelFeatures& kernel) {
    const DesiredIsolator desired = desired_isolator();
    const auto operations = planned(desired, kernel).operations;
    ASSERT_EQ(::setresuid(65'534, 65'534, 65'534), 0);
    EXPECT_EQ(probe_kernel().error().code, ErrorCode::permission_denied);
    EXPECT_EQ(apply(operations).error().code, ErrorCode::permission_denied);
    expect_nothing_left();
  });
}

TEST_F(NetworkIsolator, MissingNamespaceAndLinkAreNamed) {
  on_host([&](const KernelFeatures&) {
    EXPECT_EQ(observe_links("absent").error(),
              (librm::Error{ErrorCode::not_found, "namespace absent: No such file or directory"}));
    EXPECT_EQ(observe_egress("", "absent").error().code, ErrorCode::not_found);
    EXPECT_THAT(observe_egress("", "absent").error().message, HasSubstr("link absent: "));
    EXPECT_EQ(observe_egress("", "lo").value(), std::nullopt);
    EXPECT_EQ(enter_namespace("absent").error().code, ErrorCode::not_found);
  });
}

}  // namespace
}  // namespace netiso
