// Plans by hand, and their application for real in a network namespace that the test makes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "netiso/link.hpp"
#include "netiso/plan.hpp"
#include "unit/netiso/namespace_fixture.hpp"

namespace netiso {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

LinkStatistics link(std::string name, bool up, std::uint32_t mtu) {
  LinkStatistics value;
  value.name = std::move(name);
  value.up = up;
  value.mtu = mtu;
  return value;
}

TEST(NetworkPlan, IsEmptyWhereAllIsAsDesired) {
  const auto operations = plan({{"lo", true, 1500}, {"eth0", {}, {}}},
                               {link("lo", true, 1500), link("eth0", false, 9000)});
  ASSERT_TRUE(operations);
  EXPECT_THAT(*operations, IsEmpty());
}

TEST(NetworkPlan, SetsSizesBeforeLinksGoUp) {
  const auto operations = plan({{"a", true, 9000}, {"b", false, 1400}},
                               {link("a", false, 1500), link("b", true, 1500)});
  ASSERT_TRUE(operations);
  EXPECT_THAT(*operations, ElementsAre(SetLinkMtu{"a", 9000, 1500}, SetLinkMtu{"b", 1400, 1500},
                                       SetLinkUp{"a", true, false}, SetLinkUp{"b", false, true}));
  EXPECT_EQ(to_string((*operations)[0]), "link a: mtu 9000 (was 1500)");
  EXPECT_EQ(to_string((*operations)[3]), "link b: down (was up)");
}

TEST(NetworkPlan, UndoingTwiceIsTheOperation) {
  for (const Operation& operation :
       {Operation(SetLinkUp{"a", true, false}), Operation(SetLinkMtu{"a", 9000, 1500})}) {
    EXPECT_NE(undo(operation), operation);
    EXPECT_EQ(undo(undo(operation)), operation);
  }
}

TEST(NetworkPlan, RefusesWhatCannotBeWithTheReason) {
  const std::vector<LinkStatistics> observed{link("lo", true, 1500)};
  EXPECT_EQ(plan({{"eth7", true, {}}}, observed).error(),
            (librm::Error{librm::ErrorCode::not_found, "link eth7: no such link"}));
  EXPECT_EQ(plan({{"lo", {}, 67}}, observed).error().message, "link lo: mtu: 67, need 68..65536");
  EXPECT_EQ(plan({{"lo", true, {}}, {"lo", false, {}}}, observed).error().message,
            "link lo: desired twice");
}

TEST(NetworkLinks, LoopbackIsAlwaysThere) {
  const auto links = observe_links();
  ASSERT_TRUE(links) << links.error().message;
  ASSERT_FALSE(links->empty());
  EXPECT_EQ(links->front().name, "lo");
  EXPECT_EQ(links->front().index, 1);
}

TEST_F(NetworkNamespace, LinkGoesUpAsPlannedAndDownAgainWhenReverted) {
  in_namespace([] {
    EXPECT_FALSE(loopback().up);
    const std::vector<DesiredLink> desired{{"lo", true, 9000}};
    const auto operations = plan(desired, *observe_links());
    ASSERT_TRUE(operations);
    EXPECT_EQ(operations->size(), 2u);
    const auto applied = apply(*operations);
    ASSERT_TRUE(applied) << applied.error().message;
    EXPECT_TRUE(loopback().up);
    EXPECT_EQ(loopback().mtu, 9000u);
    EXPECT_THAT(*plan(desired, *observe_links()), IsEmpty());
    const auto reverted = revert(*operations);
    ASSERT_TRUE(reverted) << reverted.error().message;
    EXPECT_FALSE(loopback().up);
    EXPECT_EQ(loopback().mtu, 65'536u);
  });
}

TEST_F(NetworkNamespace, FailedOperationUndoesThoseBeforeIt) {
  in_namespace([] {
    const auto applied = apply({SetLinkUp{"lo", true, false}, SetLinkMtu{"lo", 9000, 65'536},
                                SetLinkUp{"missing", true, false}});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, librm::ErrorCode::not_found) << applied.error().message;
    EXPECT_THAT(applied.error().message, HasSubstr("link missing: up (was down)"));
    EXPECT_FALSE(loopback().up);
    EXPECT_EQ(loopback().mtu, 65'536u);
  });
}

TEST_F(NetworkNamespace, CountersCountWhatWasSent) {
  in_namespace([] {
    ASSERT_TRUE(apply({SetLinkUp{"lo", true, false}}));
    const LinkStatistics before = loopback();
    const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in target{};
    target.sin_family = AF_INET;
    target.sin_port = htons(9);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const std::string payload(1000, 'x');
    ASSERT_EQ(::sendto(socket, payload.data(), payload.size(), 0,
                       reinterpret_cast<sockaddr*>(&target), sizeof target),
              1000);
    ::close(socket);
    const LinkStatistics after = loopback();
    EXPECT_GE(after.tx_bytes, before.tx_bytes + 1000);
    EXPECT_GE(after.rx_packets, before.rx_packets + 1);
  });
}

TEST_F(NetworkNamespace, WithoutTheCapabilityNothingIsApplied) {
  in_namespace([] {
    ASSERT_EQ(::setresuid(65'534, 65'534, 65'534), 0);
    const auto applied = apply({SetLinkUp{"lo", true, false}});
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, librm::ErrorCode::permission_denied);
    EXPECT_FALSE(loopback().up);
  });
}

}  // namespace
}  // namespace netiso
