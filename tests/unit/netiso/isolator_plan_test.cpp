// Plans of isolators, carried out on a simulated kernel that is as strict as the real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "librm/base/prng.hpp"
#include "netiso/isolator.hpp"
#include "unit/netiso/simulated_kernel.hpp"

namespace netiso {
namespace {

using librm::ErrorCode;
using librm::Prng;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const KernelFeatures everything{true, true, true, true, true};

DesiredIsolator desired_isolator() {
  DesiredIsolator desired;
  desired.space = "task-7";
  desired.host_link = "rm7";
  desired.host_address = parse_ipv4("10.77.0.1/30").value();
  desired.task_address = parse_ipv4("10.77.0.2/30").value();
  desired.egress_bits_per_second = 20'000'000;
  return desired;
}

std::vector<std::string> texts(const std::vector<Operation>& operations) {
  std::vector<std::string> result;
  for (const Operation& operation : operations) result.push_back(to_string(operation));
  return result;
}

std::vector<Operation> planned(const DesiredIsolator& desired, const SimulatedKernel& kernel,
                               const KernelFeatures& features = everything) {
  auto plan = plan_isolator(desired, kernel.observe(desired.space), features);
  EXPECT_TRUE(plan) << plan.error().message;
  return plan ? plan->operations : std::vector<Operation>{};
}

void apply_all(SimulatedKernel& kernel, const std::vector<Operation>& operations) {
  for (const Operation& operation : operations) {
    ASSERT_EQ(kernel.apply(operation), "") << to_string(operation);
  }
}

void revert_first(SimulatedKernel& kernel, const std::vector<Operation>& operations,
                  std::size_t count) {
  while (count-- > 0) {
    const Operation back = undo(operations[count]);
    ASSERT_EQ(kernel.apply(back), "") << to_string(back);
  }
}

librm::Error refusal(const DesiredIsolator& desired, const ObservedIsolator& observed = {},
                     const KernelFeatures& features = everything) {
  const auto plan = plan_isolator(desired, observed, features);
  EXPECT_FALSE(plan);
  return plan ? librm::Error{} : plan.error();
}

TEST(IsolatorPlan, MakesAllOfItInAnOrderThatWorks) {
  EXPECT_THAT(
      texts(planned(desired_isolator(), SimulatedKernel())),
      ElementsAre("namespace task-7: create", "link rm7: create veth with rm7p",
                  "link rm7p: move to eth0 in task-7", "link rm7: address 10.77.0.1/30",
                  "link eth0 in task-7: address 10.77.0.2/30",
                  "link eth0 in task-7: egress 20 Mbit/s by htb with fq_codel (was no limit)",
                  "link rm7: up (was down)", "link lo in task-7: up (was down)",
                  "link eth0 in task-7: up (was down)",
                  "link eth0 in task-7: default route via 10.77.0.1"));
}

TEST(IsolatorPlan, PlanningAfterApplyingIsEmpty) {
  SimulatedKernel kernel;
  const DesiredIsolator desired = desired_isolator();
  apply_all(kernel, planned(desired, kernel));
  EXPECT_THAT(texts(planned(desired, kernel)), IsEmpty());
}

TEST(IsolatorPlan, WhatIsHalfMadeIsCompletedAndUndoneFromAnyPoint) {
  const DesiredIsolator desired = desired_isolator();
  const auto whole = planned(desired, SimulatedKernel());
  for (std::size_t made = 0; made <= whole.size(); ++made) {
    SimulatedKernel kernel;
    apply_all(kernel, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(made)});
    SimulatedKernel other = kernel;
    const auto rest = planned(desired, kernel);
    EXPECT_EQ(rest.size(), whole.size() - made) << "nothing is done twice";
    apply_all(kernel, rest);
    EXPECT_THAT(texts(planned(desired, kernel)), IsEmpty());
    revert_first(other, whole, made);
    EXPECT_TRUE(other == SimulatedKernel()) << made;
  }
}

TEST(IsolatorPlan, RemovalTakesAwayWhateverWasMade) {
  const DesiredIsolator desired = desired_isolator();
  const auto whole = planned(desired, SimulatedKernel());
  for (std::size_t made = 0; made <= whole.size(); ++made) {
    SimulatedKernel kernel;
    apply_all(kernel, {whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(made)});
    apply_all(kernel, plan_removal(desired, kernel.observe(desired.space)));
    EXPECT_TRUE(kernel == SimulatedKernel()) << made;
    EXPECT_THAT(texts(plan_removal(desired, kernel.observe(desired.space))), IsEmpty());
  }
}

TEST(IsolatorPlan, RemovalLeavesALinkOfTheHostThatIsNoEndOfAPair) {
  DesiredIsolator desired = desired_isolator();
  ObservedIsolator observed;
  observed.host.links.resize(1);
  observed.host.links[0].name = desired.host_link;
  observed.host.links[0].index = 4;
  EXPECT_THAT(texts(plan_removal(desired, observed)), IsEmpty());
}

TEST(IsolatorPlan, NameWithoutNamespaceIsTakenOverAndRemoved) {
  const DesiredIsolator desired = desired_isolator();
  ObservedIsolator observed;
  observed.task.remnant = true;
  const auto plan = plan_isolator(desired, observed, everything);
  ASSERT_TRUE(plan);
  EXPECT_EQ(to_string(plan->operations.front()), "namespace task-7: create");
  EXPECT_THAT(texts(plan_removal(desired, observed)), ElementsAre("namespace task-7: remove"));
}

TEST(IsolatorPlan, ChangedLimitIsTheOnlyOperation) {
  SimulatedKernel kernel;
  DesiredIsolator desired = desired_isolator();
  apply_all(kernel, planned(desired, kernel));
  desired.egress_bits_per_second = 1'000'000'004;
  EXPECT_THAT(
      texts(planned(desired, kernel)),
      ElementsAre("link eth0 in task-7: egress 1 Gbit/s by htb with fq_codel (was 20 Mbit/s "
                  "by htb with fq_codel)"));
  desired.egress_bits_per_second.reset();
  EXPECT_THAT(texts(planned(desired, kernel)),
              ElementsAre("link eth0 in task-7: egress no limit (was 20 Mbit/s by htb with "
                          "fq_codel)"));
}

TEST(IsolatorPlan, ChangedAddressReplacesTheOldOneAndTheRouteThroughIt) {
  SimulatedKernel kernel;
  DesiredIsolator desired = desired_isolator();
  apply_all(kernel, planned(desired, kernel));
  const SimulatedKernel before = kernel;
  desired.task_address = parse_ipv4("10.78.0.2/24").value();
  desired.host_address = parse_ipv4("10.78.0.1/24").value();
  const auto change = planned(desired, kernel);
  EXPECT_THAT(texts(change),
              ElementsAre("link eth0 in task-7: no default route via 10.77.0.1",
                          "link rm7: no address 10.77.0.1/30", "link rm7: address 10.78.0.1/24",
                          "link eth0 in task-7: no address 10.77.0.2/30",
                          "link eth0 in task-7: address 10.78.0.2/24",
                          "link eth0 in task-7: default route via 10.78.0.1"));
  apply_all(kernel, change);
  EXPECT_THAT(texts(planned(desired, kernel)), IsEmpty());
  revert_first(kernel, change, change.size());
  EXPECT_TRUE(kernel == before);
}

TEST(IsolatorPlan, WithoutFairQueueingTheLimitStaysAndANoteSaysSo) {
  KernelFeatures features = everything;
  features.fq_codel = false;
  const auto plan = plan_isolator(desired_isolator(), {}, features);
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->notes,
              ElementsAre("egress limit of task-7: connections share one queue, first in first "
                          "out: this kernel has no fq_codel (CONFIG_NET_SCH_FQ_CODEL)"));
  EXPECT_THAT(texts(plan->operations),
              ::testing::Contains("link eth0 in task-7: egress 20 Mbit/s by htb (was no limit)"));
}

TEST(IsolatorPlan, WithoutHtbTheLimitIsABucket) {
  KernelFeatures features = everything;
  features.htb = false;
  const auto plan = plan_isolator(desired_isolator(), {}, features);
  ASSERT_TRUE(plan);
  EXPECT_THAT(
      plan->notes,
      ElementsAre("egress limit of task-7: by tbf: this kernel has no htb (CONFIG_NET_SCH_HTB)"));
  EXPECT_THAT(texts(plan->operations),
              ::testing::Contains("link eth0 in task-7: egress 20 Mbit/s by tbf (was no limit)"));

  DesiredIsolator fast = desired_isolator();
  fast.egress_bits_per_second = 100'000'000'000;
  EXPECT_EQ(refusal(fast, {}, features),
            (librm::Error{ErrorCode::unsupported,
                          "egress limit of task-7: need 100000000000 bit/s: this kernel has no htb "
                          "(CONFIG_NET_SCH_HTB), and tbf holds at most 16000000000 bit/s"}));
  features.tbf = false;
  EXPECT_EQ(refusal(desired_isolator(), {}, features),
            (librm::Error{ErrorCode::unsupported,
                          "egress limit of task-7: need 20000000 bit/s: this kernel has no htb "
                          "(CONFIG_NET_SCH_HTB), nor tbf (CONFIG_NET_SCH_TBF)"}));
}

TEST(IsolatorPlan, WithoutALimitNoShaperIsNeededAndNothingIsNoted) {
  DesiredIsolator desired = desired_isolator();
  desired.egress_bits_per_second.reset();
  const auto plan = plan_isolator(desired, {}, {.veth = true});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_THAT(plan->notes, IsEmpty());
}

TEST(IsolatorPlan, WithoutPairsAConnectedOneIsRefused) {
  KernelFeatures features = everything;
  features.veth = false;
  EXPECT_EQ(refusal(desired_isolator(), {}, features),
            (librm::Error{ErrorCode::unsupported,
                          "namespace task-7: this kernel has no link pairs (CONFIG_VETH)"}));
}

TEST(IsolatorPlan, DisconnectedHasALinkThatLeadsNowhereOrLoopbackAlone) {
  DesiredIsolator desired = desired_isolator();
  desired.connected = false;
  SimulatedKernel kernel;
  const auto operations = planned(desired, kernel);
  EXPECT_THAT(
      texts(operations),
      ElementsAre("namespace task-7: create", "link eth0 in task-7: create dummy",
                  "link eth0 in task-7: address 10.77.0.2/30", "link lo in task-7: up (was down)",
                  "link eth0 in task-7: up (was down)"));
  apply_all(kernel, operations);
  EXPECT_THAT(texts(planned(desired, kernel)), IsEmpty());
  revert_first(kernel, operations, operations.size());
  EXPECT_TRUE(kernel == SimulatedKernel());

  const auto plain = plan_isolator(desired, {}, {});
  ASSERT_TRUE(plain);
  EXPECT_THAT(texts(plain->operations),
              ElementsAre("namespace task-7: create", "link lo in task-7: up (was down)"));
  EXPECT_THAT(plain->notes,
              ElementsAre("namespace task-7: has lo alone, without eth0: this kernel has no dummy "
                          "links (CONFIG_DUMMY)"));
}

TEST(IsolatorPlan, WhatIsConnectedIsNotCalledDisconnected) {
  SimulatedKernel kernel;
  DesiredIsolator desired = desired_isolator();
  apply_all(kernel, planned(desired, kernel));
  desired.connected = false;
  EXPECT_EQ(refusal(desired, kernel.observe(desired.space)),
            (librm::Error{ErrorCode::failed_precondition,
                          "link eth0 in task-7: is one of a pair, need no way out"}));
}

TEST(IsolatorPlan, ForeignLinksWithOurNamesAreRefused) {
  const DesiredIsolator desired = desired_isolator();
  auto refused = [&](const std::vector<Operation>& before) {
    SimulatedKernel kernel;
    apply_all(kernel, before);
    const librm::Error error = refusal(desired, kernel.observe(desired.space));
    EXPECT_EQ(error.code, ErrorCode::failed_precondition);
    return error.message;
  };
  EXPECT_EQ(refused({CreateLink{"rm7", ""}}),
            "link rm7: is there, and its other end is not eth0 in task-7");
  EXPECT_EQ(refused({CreateLink{"rm7", "other"}}),
            "link rm7: is there, and its other end is not eth0 in task-7");
  EXPECT_EQ(refused({CreateLink{"rm7p", ""}}),
            "link rm7p: is there, and its other end is not eth0 in task-7");
  EXPECT_EQ(refused({CreateNamespace{"task-7"}, CreateLink{"rm8", "rm8p"},
                     MoveLink{"rm8p", "", "task-7", "eth0"}}),
            "link eth0 in task-7: is there, and its other end is not rm7");
  EXPECT_EQ(refused({CreateNamespace{"task-7"}, CreateLink{"rm7", "rm7p"},
                     CreateLink{"eth0", "", true, "task-7"}}),
            "link eth0 in task-7: is there, and its other end is not rm7");
}

TEST(IsolatorPlan, RefusesWhatCanNeverBeWithTheReason) {
  auto message = [](auto change) {
    DesiredIsolator desired = desired_isolator();
    change(desired);
    const librm::Error error = refusal(desired);
    EXPECT_EQ(error.code, ErrorCode::invalid_argument);
    return error.message;
  };
  EXPECT_EQ(message([](auto& d) { d.space = "../etc"; }),
            "namespace '../etc': need 1..64 of A-Za-z0-9._-, not beginning with . or -");
  EXPECT_EQ(message([](auto& d) { d.space = ""; }),
            "namespace '': need 1..64 of A-Za-z0-9._-, not beginning with . or -");
  EXPECT_EQ(message([](auto& d) { d.host_link = "link-of-15-byte"; }),
            "host link 'link-of-15-byte': need 1..14 of A-Za-z0-9._-, not beginning with . or -");
  EXPECT_EQ(message([](auto& d) { d.task_link = "lo"; }),
            "task link 'lo': every namespace has its own of that name");
  EXPECT_EQ(message([](auto& d) { d.mtu = 67; }), "mtu: 67, need 68..65535");
  EXPECT_EQ(message([](auto& d) { d.egress_bits_per_second = 7'999; }),
            "egress: 7999 bit/s, need 8000..1000000000000");
  EXPECT_EQ(message([](auto& d) { d.task_address = parse_ipv4("10.77.0.5/30").value(); }),
            "addresses 10.77.0.1/30 and 10.77.0.5/30: need two different ones of one network");
  EXPECT_EQ(message([](auto& d) { d.task_address = d.host_address; }),
            "addresses 10.77.0.1/30 and 10.77.0.1/30: need two different ones of one network");
  EXPECT_EQ(message([](auto& d) { d.task_address.bits = 32; }),
            "task address 10.77.0.2/32: need a network of 8..31 bits");
  EXPECT_EQ(message([](auto& d) { d.task_address.bits = 4'000'000'000; }),
            "task address 10.77.0.2/4000000000: need a network of 8..31 bits");
  EXPECT_EQ(message([](auto& d) { d.task_address = parse_ipv4("10.77.0.3/30").value(); }),
            "task address 10.77.0.3/30: it is the network's own or the one of all its hosts");
  EXPECT_EQ(message([](auto& d) { d.host_address = parse_ipv4("10.77.0.0/30").value(); }),
            "host address 10.77.0.0/30: it is the network's own or the one of all its hosts");
  EXPECT_EQ(message([](auto& d) { d.task_address = parse_ipv4("127.0.0.2/8").value(); }),
            "task address 127.0.0.2/8: need one that a host may have");
}

TEST(IsolatorPlan, NetworkOfTwoAddressesUsesBoth) {
  DesiredIsolator desired = desired_isolator();
  desired.host_address = parse_ipv4("10.77.0.2/31").value();
  desired.task_address = parse_ipv4("10.77.0.3/31").value();
  EXPECT_TRUE(plan_isolator(desired, {}, everything));
}

/// What may have happened to an isolator since it was planned.
void disturb(SimulatedKernel& kernel, const DesiredIsolator& desired, Prng& prng) {
  const std::vector<std::pair<Space, std::string>> ends{{"", desired.host_link},
                                                        {desired.space, desired.task_link}};
  for (int times = 0; times < 6; ++times) {
    const auto& [space, link] = ends[prng.below(ends.size())];
    const std::uint32_t gateway = (10u << 24) + static_cast<std::uint32_t>(prng.below(4));
    const Ipv4Prefix address{(10u << 24) + (77u << 16) + static_cast<std::uint32_t>(prng.below(8)),
                             prng.chance(1, 2) ? 30u : 24u};
    const std::vector<Operation> changes{
        SetLinkUp{link, prng.chance(1, 2), false, space},
        SetLinkMtu{link, prng.chance(1, 2) ? 9000u : 1400u, 1500, space},
        AddAddress{link, address, prng.chance(2, 3), space},
        AddRoute{desired.task_link, prng.chance(1, 2) ? desired.host_address.address : gateway,
                 prng.chance(1, 2), desired.space},
        kernel.random_limit(desired.space, desired.task_link, prng)};
    // What the kernel refuses has not happened.
    (void)kernel.apply(changes[prng.below(changes.size())]);
  }
}

DesiredIsolator random_isolator(Prng& prng) {
  DesiredIsolator desired = desired_isolator();
  if (prng.chance(1, 4)) desired.egress_bits_per_second.reset();
  if (prng.chance(1, 4)) desired.egress_bits_per_second = 8'000 + prng.below(1'000'000'000);
  if (prng.chance(1, 2)) desired.mtu = 9000;
  if (prng.chance(1, 4)) {
    desired.host_address = parse_ipv4("10.77.0.6/24").value();
    desired.task_address = parse_ipv4("10.77.0.7/24").value();
  }
  return desired;
}

TEST(IsolatorPlan, WhateverIsThereIsLedToTheDesiredAndBack) {
  Prng prng(7);
  for (int round = 0; round < 3'000; ++round) {
    SCOPED_TRACE(round);
    SimulatedKernel kernel;
    const auto first = planned(random_isolator(prng), kernel);
    const auto made = static_cast<std::ptrdiff_t>(prng.below(first.size() + 1));
    apply_all(kernel, {first.begin(), first.begin() + made});
    const DesiredIsolator desired = random_isolator(prng);
    disturb(kernel, desired, prng);

    KernelFeatures features = everything;
    features.fq_codel = prng.chance(1, 2);
    features.htb = prng.chance(2, 3);
    const SimulatedKernel before = kernel;
    const auto operations = planned(desired, kernel, features);
    // An apply that fails at any point takes back what it did.
    const std::size_t stopped = prng.below(operations.size() + 1);
    for (std::size_t done = 0; done < stopped; ++done) {
      ASSERT_EQ(kernel.apply(operations[done]), "") << to_string(operations[done]);
    }
    revert_first(kernel, operations, stopped);
    ASSERT_TRUE(kernel == before) << ::testing::PrintToString(texts(operations)) << stopped;

    apply_all(kernel, operations);
    ASSERT_THAT(texts(planned(desired, kernel, features)), IsEmpty());
    apply_all(kernel, plan_removal(desired, kernel.observe(desired.space)));
    ASSERT_TRUE(kernel == SimulatedKernel());
    if (HasFatalFailure()) return;
  }
}

TEST(IsolatorOperation, UndoingTwiceIsTheOperation) {
  const EgressLimit limit{8'000'000, Shaper::tbf, false};
  for (const Operation& operation :
       {Operation(CreateNamespace{"a"}), Operation(CreateLink{"b", "bp"}),
        Operation(MoveLink{"bp", "", "a", "eth0"}),
        Operation(AddAddress{"eth0", {0x0a000001, 8}, true, "a"}),
        Operation(AddRoute{"eth0", 0x0a000001, true, "a"}),
        Operation(SetEgressLimit{"eth0", limit, {}, "a"}),
        Operation(SetLinkUp{"eth0", true, false, "a"})}) {
    EXPECT_NE(undo(operation), operation) << to_string(operation);
    EXPECT_EQ(undo(undo(operation)), operation) << to_string(operation);
  }
  EXPECT_EQ(to_string(undo(MoveLink{"bp", "", "a", "eth0"})), "link eth0 in a: move to bp here");
  EXPECT_EQ(to_string(undo(AddRoute{"eth0", 0, true, "a"})), "link eth0 in a: no default route");
}

TEST(Ipv4Prefix, ReadsWhatItWrites) {
  for (const char* text : {"0.0.0.0/0", "10.77.0.2/30", "255.255.255.255/32"}) {
    const auto prefix = parse_ipv4(text);
    ASSERT_TRUE(prefix) << prefix.error().message;
    EXPECT_EQ(to_string(*prefix), text);
  }
  EXPECT_EQ(parse_ipv4("10.0.0.1").value(), (Ipv4Prefix{0x0a000001, 32}));
  EXPECT_EQ(parse_ipv4("10.77.1.2/23")->network(), 0x0a4d0000u);
}

TEST(Ipv4Prefix, RefusesWhatIsNoAddress) {
  for (const char* text : {"", "10", "10.0.0", "10.0.0.", "10.0.0.1.2", "256.0.0.1", "10.0.0.01",
                           "10.0.0.1/", "10.0.0.1/33", "10.0.0.1/8 ", "-1.0.0.1", "10..0.1"}) {
    const auto prefix = parse_ipv4(text);
    ASSERT_FALSE(prefix) << text;
    EXPECT_EQ(prefix.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(prefix.error().message, HasSubstr("'" + std::string(text) + "'"));
  }
}

}  // namespace
}  // namespace netiso
