// The election's decision: who contends, who leads and until when, and what observers are told.
#include "librm/runtime/elector.hpp"

#include <gtest/gtest.h>

namespace librm {
namespace {

using namespace election_event;
using election_action::Changed;
using election_action::Confirm;
using election_action::Create;
using election_action::Deposed;
using election_action::Elected;
using election_action::List;
using election_action::MakePath;
using election_action::OpenSession;
using election_action::Read;
using election_action::Report;

std::string describe(const ElectionAction& action) {
  struct Describe {
    std::string operator()(const OpenSession&) const { return "open"; }
    std::string operator()(const List&) const { return "list"; }
    std::string operator()(const MakePath&) const { return "make path"; }
    std::string operator()(const Create&) const { return "create"; }
    std::string operator()(const Read& read) const { return "read " + read.name; }
    std::string operator()(const Confirm& confirm) const { return "confirm " + confirm.name; }
    std::string operator()(const Elected&) const { return "elected"; }
    std::string operator()(const Deposed& deposed) const { return "deposed: " + deposed.reason; }
    std::string operator()(const Changed&) const { return "changed"; }
    std::string operator()(const Report& report) const { return "report " + report.error.message; }
  };
  return std::visit(Describe(), action);
}

Member member(const std::string& id) { return Member{id, id + ":5050", id + ":5051", "0.1.0"}; }

constexpr Instant start{1'000'000'000'000};
constexpr char first[] = "m-a-0000000001";
constexpr char second[] = "m-b-0000000002";

class ElectionTest : public testing::Test {
 protected:
  using Trace = std::vector<std::string>;

  Trace step(const ElectionEvent& event) {
    std::vector<ElectionAction> actions;
    core_.step(now_, event, actions);
    Trace trace;
    for (const ElectionAction& action : actions) trace.push_back(describe(action));
    return trace;
  }
  Trace after(Duration span, const ElectionEvent& event = Tick{}) {
    now_ = now_ + span;
    return step(event);
  }
  static WasRead read(const std::string& name, const std::string& id) {
    return {name, encode_member(member(id))};
  }
  static Failed failed(Failed::Request request, Failed::Why why, std::string message = "") {
    return {request, why, {ErrorCode::permission_denied, std::move(message)}};
  }
  /// Session a, alone, confirmed now.
  void elect() {
    step(Connected{0xa, seconds(3)});
    step(Listed{{first}});
    step(read(first, "one"));
    EXPECT_EQ(step(Confirmed{now_, true}), (Trace{"elected"}));
  }

  ElectionCore core_{true};
  Instant now_ = start;
};

TEST_F(ElectionTest, AContenderListsCreatesAndLeadsOnceConfirmed) {
  EXPECT_EQ(step(Connected{0xa, seconds(3)}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{}}), (Trace{"create", "changed"}));
  EXPECT_EQ(step(Created{}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{"rubbish", first, "m-x-1", "m-g-0000000009"}}),
            (Trace{"read m-a-0000000001", "confirm m-a-0000000001"}));
  EXPECT_FALSE(core_.leading(now_)) << "a list may be an old one";
  EXPECT_EQ(step(read(first, "one")), (Trace{"changed"}));
  EXPECT_EQ(after(milliseconds(10), Confirmed{start, true}), (Trace{"elected"}));
  EXPECT_TRUE(core_.leading(now_));
  EXPECT_EQ(core_.lease_until(), start + seconds(2)) << "counted from the sending";
  EXPECT_EQ(core_.election().leader()->id, "one");
}

TEST_F(ElectionTest, AGroupThatIsMissingIsMadeByContenders) {
  step(Connected{0xa, seconds(3)});
  EXPECT_EQ(step(failed(Failed::Request::list, Failed::Why::no_path)),
            (Trace{"make path", "changed"}));
  EXPECT_EQ(step(Created{}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{}}), (Trace{"create"}));
  EXPECT_EQ(step(failed(Failed::Request::create, Failed::Why::no_path)), (Trace{"make path"}))
      << "deleted in between";
}

TEST_F(ElectionTest, ANodeWhoseCreationWasNotAnsweredIsKnownAgain) {
  step(Connected{0xa, seconds(3)});
  EXPECT_EQ(step(Listed{{}}), (Trace{"create", "changed"}));
  EXPECT_EQ(step(Disconnected{}), (Trace{"changed"}));
  EXPECT_EQ(step(Connected{0xa, seconds(3)}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{first}}),
            (Trace{"read m-a-0000000001", "confirm m-a-0000000001", "changed"}));
}

TEST_F(ElectionTest, TheLowestSequenceLeadsWhateverTheNames) {
  step(Connected{0xb, seconds(3)});
  EXPECT_EQ(step(Listed{{"m-b-0000000010", "m-ffff-0000000009"}}),
            (Trace{"read m-ffff-0000000009", "read m-b-0000000010", "changed"}));
  EXPECT_EQ(step(read("m-b-0000000010", "two")), Trace{});
  EXPECT_EQ(step(read("m-ffff-0000000009", "one")), (Trace{"changed"}));
  EXPECT_EQ(core_.election().members, (std::vector<Member>{member("one"), member("two")}));
  EXPECT_EQ(core_.next_deadline(), std::nullopt) << "only the lowest asks for confirmation";
  EXPECT_EQ(step(GroupChanged{}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{"m-b-0000000010"}}), (Trace{"confirm m-b-0000000010", "changed"}));
  EXPECT_EQ(step(Confirmed{now_, true}), (Trace{"elected"}));
}

TEST_F(ElectionTest, ALeaderAsksSixTimesASession) {
  elect();
  EXPECT_EQ(core_.next_deadline(), start + milliseconds(500));
  EXPECT_EQ(after(milliseconds(499)), Trace{});
  EXPECT_EQ(after(milliseconds(1)), (Trace{"confirm m-a-0000000001"}));
  EXPECT_EQ(core_.next_deadline(), start + seconds(2)) << "asked, and the lease still ends";
  EXPECT_EQ(after(milliseconds(100)), Trace{});
  EXPECT_EQ(step(Confirmed{start + milliseconds(500), true}), Trace{});
  EXPECT_EQ(core_.lease_until(), start + milliseconds(2500));
}

TEST_F(ElectionTest, ALeaseThatIsNotConfirmedEndsByOurOwnClock) {
  elect();
  EXPECT_EQ(step(Disconnected{}), (Trace{"changed"}));
  EXPECT_TRUE(core_.leading(now_)) << "the session may live on";
  EXPECT_EQ(core_.next_deadline(), start + seconds(2));
  EXPECT_FALSE(core_.leading(start + seconds(2))) << "even before anybody has looked";
  EXPECT_EQ(after(seconds(2)), (Trace{"deposed: no majority has confirmed it for 2000 ms"}));
  EXPECT_EQ(core_.lease_until(), Instant{});
  EXPECT_EQ(step(Connected{0xa, seconds(3)}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{first}}), (Trace{"confirm m-a-0000000001", "changed"}));
  EXPECT_EQ(step(Confirmed{now_, true}), (Trace{"elected"})) << "nobody took its place";
}

TEST_F(ElectionTest, AnAnswerThatCameTooLateElectsNobody) {
  step(Connected{0xa, seconds(3)});
  step(Listed{{first}});
  EXPECT_EQ(after(seconds(2), Confirmed{start, true}), Trace{});
  EXPECT_FALSE(core_.leading(now_));
  EXPECT_EQ(after(milliseconds(1)), (Trace{"confirm m-a-0000000001"}));
}

TEST_F(ElectionTest, AReconnectionWithinTheLeaseKeepsTheLead) {
  elect();
  step(Disconnected{});
  now_ = now_ + seconds(1);
  EXPECT_EQ(step(Connected{0xa, seconds(3)}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{first}}), (Trace{"confirm m-a-0000000001", "changed"}));
  EXPECT_EQ(step(Confirmed{now_, true}), Trace{});
  EXPECT_TRUE(core_.leading(now_));
}

TEST_F(ElectionTest, AnExpiredSessionDeposesAndContendsAnew) {
  elect();
  step(Disconnected{});
  EXPECT_EQ(step(Expired{}), (Trace{"deposed: its session has expired", "open"}));
  EXPECT_EQ(step(Connected{0xc, seconds(3)}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{first}}), (Trace{"create", "changed"}))
      << "the old session's node is not ours, though it is still listed";
}

TEST_F(ElectionTest, ANodeThatSomebodyDeletedDeposesAndIsMadeAnew) {
  elect();
  EXPECT_EQ(step(GroupChanged{}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{second}}),
            (Trace{"read m-b-0000000002", "deposed: its node is gone", "create"}));
}

TEST_F(ElectionTest, AConfirmationThatDoesNotFindTheNodeDeposes) {
  elect();
  after(milliseconds(500));
  EXPECT_EQ(step(Confirmed{now_, false}), (Trace{"deposed: its node is gone", "list"}));
}

TEST_F(ElectionTest, ChangesDuringAListAreListedAfterIt) {
  step(Connected{0xa, seconds(3)});
  EXPECT_EQ(step(GroupChanged{}), Trace{});
  EXPECT_EQ(step(GroupChanged{}), Trace{});
  EXPECT_EQ(step(Listed{{}}), (Trace{"create", "list", "changed"}));
}

TEST_F(ElectionTest, ARefusalIsReportedOnceAndTriedAgainLater) {
  step(Connected{0xa, seconds(3)});
  step(Listed{{}});
  const Failed refused = failed(Failed::Request::create, Failed::Why::refused, "not allowed");
  EXPECT_EQ(step(refused), (Trace{"report not allowed"}));
  EXPECT_EQ(core_.next_deadline(), now_ + seconds(5));
  EXPECT_EQ(after(seconds(5)), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{}}), (Trace{"create"}));
  EXPECT_EQ(step(refused), Trace{});
}

TEST_F(ElectionTest, WhatWasLostIsAskedAgainEvenWithoutADisconnection) {
  step(Connected{0xa, seconds(3)});
  step(failed(Failed::Request::list, Failed::Why::lost));
  EXPECT_EQ(after(seconds(1)), (Trace{"list"}));
}

TEST_F(ElectionTest, AGroupMadeBetweenQuestionAndWatchIsFoundAllTheSame) {
  core_ = ElectionCore(false);
  step(Connected{0xd, seconds(3)});
  step(failed(Failed::Request::list, Failed::Why::no_path));
  EXPECT_EQ(after(seconds(1)), (Trace{"list"}));
}

TEST_F(ElectionTest, AWatcherNeitherCreatesNorLeads) {
  core_ = ElectionCore(false);
  step(Connected{0xd, seconds(3)});
  EXPECT_EQ(step(failed(Failed::Request::list, Failed::Why::no_path)), (Trace{"changed"}));
  EXPECT_EQ(core_.election().leader(), nullptr);
  EXPECT_EQ(step(GroupChanged{}), (Trace{"list"}));
  EXPECT_EQ(step(Listed{{second, first}}), (Trace{"read m-a-0000000001", "read m-b-0000000002"}));
  step(read(first, "one"));
  EXPECT_EQ(step(read(second, "two")), (Trace{"changed"}));
  EXPECT_EQ(core_.election().leader()->id, "one");
  EXPECT_EQ(step(Disconnected{}), (Trace{"changed"}));
  EXPECT_EQ(core_.election().leader()->id, "one") << "the last known";
  EXPECT_FALSE(core_.election().connected);
}

TEST_F(ElectionTest, AMemberThatCannotBeReadIsLeftOut) {
  core_ = ElectionCore(false);
  step(Connected{0xd, seconds(3)});
  step(Listed{{first, second, "m-c-0000000003"}});
  step(WasRead{first, "something else"});
  step(WasRead{second, std::nullopt});
  step(read("m-c-0000000003", "three"));
  EXPECT_EQ(core_.election().members, (std::vector<Member>{member("three")}));
}

TEST(MemberText, IsReadAgainAndOtherTextRefused) {
  const Member written{"m=1", "h:1", "", "0.1.0"};
  EXPECT_EQ(encode_member(written), "librm-member 1\nid=m=1\nframes=h:1\nhttp=\nversion=0.1.0\n");
  EXPECT_EQ(decode_member(encode_member(written)).value(), written);
  EXPECT_EQ(decode_member("librm-member 1\nid=a\nregion=x").value().id, "a");
  EXPECT_EQ(decode_member("").error().code, ErrorCode::corrupt);
  EXPECT_EQ(decode_member("librm-member x\n").error().code, ErrorCode::corrupt);
  EXPECT_EQ(decode_member("librm-member 1\nnonsense\n").error().code, ErrorCode::corrupt);
  EXPECT_EQ(decode_member("librm-member 2\n").error().code, ErrorCode::unsupported);
  EXPECT_EQ(decode_member(encode_member({"a\nb", "", "", ""})).value().id, "a b");
}

}  // namespace
}  // namespace librm
