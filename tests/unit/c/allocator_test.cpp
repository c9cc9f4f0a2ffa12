// The allocator through the C interface: what it gives, and that no bad input ends the process.
#include <cstdint>
#include <string>
#include <vector>

#include "librm/base/result.hpp"
#include "support.hpp"

namespace librm {
namespace {

using namespace test;

constexpr std::int64_t second = 1'000'000'000;

class CApi : public ::testing::Test {
 public:
  void SetUp() override {
    rm_allocator* made = nullptr;
    ASSERT_EQ(rm_allocator_new(nullptr, &made, nullptr), RM_OK);
    allocator.reset(made);
  }
  void TearDown() override {
    char* violations = nullptr;
    ASSERT_EQ(rm_allocator_check(allocator.get(), &violations, nullptr), RM_OK);
    EXPECT_EQ(take(violations), "");
  }
  CApi& framework(std::uint64_t id, const char* roles = "*") {
    EXPECT_EQ(said(rm_allocator_add_framework(get(), id, roles, 0, problem), problem), "ok");
    return *this;
  }
  CApi& agent(std::uint64_t id, const char* resources) {
    EXPECT_EQ(said(rm_allocator_add_agent(get(), id, "host", resources, "", problem), problem),
              "ok");
    return *this;
  }
  COffers run(std::int64_t now = 0) {
    rm_offers* offers = nullptr;
    EXPECT_EQ(said(rm_allocator_run(get(), now, RM_NO_TIME, &offers, problem), problem), "ok");
    return COffers(offers);
  }
  std::string accept(const rm_offer* offer, const char* used, std::int64_t until = RM_NO_TIME) {
    const std::uint64_t id = rm_offer_id(offer);
    return said(rm_allocator_accept(get(), &id, 1, used, until, 0, 0, problem), problem);
  }
  std::string release(std::uint64_t framework, std::uint64_t agent, const char* role,
                      const char* resources, std::int64_t until = RM_NO_TIME) {
    return said(rm_allocator_release(get(), framework, agent, role, resources, until, problem),
                problem);
  }
  std::string part(int which, std::uint64_t agent = 1) {
    char* text = nullptr;
    EXPECT_EQ(rm_allocator_agent_resources(get(), agent, which, &text, nullptr), RM_OK);
    return take(text);
  }
  rm_allocator* get() { return allocator.get(); }

  CAllocator allocator;
  Problem problem;
};

TEST(CCodes, HaveTheNumbersAndNamesOfTheLibrary) {
  for (int code = 1; code < 300; ++code) {
    if (code == RM_INTERNAL) continue;
    EXPECT_STREQ(rm_code_name(code), to_string(static_cast<ErrorCode>(code)));
  }
  EXPECT_EQ(RM_STALE, static_cast<int>(ErrorCode::stale));
  EXPECT_EQ(RM_NOT_FOUND, static_cast<int>(ErrorCode::not_found));
  EXPECT_STREQ(rm_code_name(RM_OK), "ok");
  EXPECT_STREQ(rm_code_name(-1), "unknown");
  EXPECT_EQ(rm_abi_version(), std::uint32_t{RM_ABI_VERSION});
}

TEST_F(CApi, OffersAreAcceptedHeldAndReleased) {
  framework(1).agent(1, "cpus:4;mem:8");
  const COffers offers = run();
  ASSERT_EQ(rm_offers_count(offers.get()), 1u);
  const rm_offer* offer = rm_offers_at(offers.get(), 0);
  EXPECT_STREQ(rm_offer_resources(offer), "cpus:4;mem:8");
  EXPECT_STREQ(rm_offer_role(offer), "*");
  EXPECT_EQ(rm_offer_expires_ns(offer), 30 * second);
  EXPECT_EQ(rm_offer_lent_until_ns(offer), RM_NO_TIME);
  EXPECT_EQ(rm_allocator_next_deadline(get()), 30 * second);
  EXPECT_EQ(accept(offer, "cpus:5"), "resource_exhausted: agent a-1: cpus: need 5, offered 4");
  EXPECT_EQ(accept(offer, "cpus:3"), "ok");
  EXPECT_EQ(accept(offer, "cpus:3"), "stale: offer o-1 is not outstanding");
  EXPECT_EQ(part(RM_HELD), "cpus:3");
  EXPECT_EQ(part(RM_FREE), "cpus:1;mem:8");
  EXPECT_EQ(release(1, 1, "*", "cpus:3"), "ok");
  EXPECT_EQ(part(RM_FREE), part(RM_TOTAL));
}

TEST_F(CApi, WhatIsNotHeldCannotBeReleased) {
  framework(1).agent(1, "cpus:4");
  const COffers offers = run();
  ASSERT_EQ(accept(rm_offers_at(offers.get(), 0), "cpus:3", 60 * second), "ok");
  EXPECT_EQ(release(1, 1, "*", "cpus:3"),
            "failed_precondition: held by f-1 on a-1 in role *: nothing");
  EXPECT_EQ(release(1, 1, "*", "cpus:4", 60 * second),
            "failed_precondition: held by f-1 on a-1 in role * until then: cpus:3, not 4 of cpus");
  EXPECT_EQ(release(2, 1, "*", "cpus:1", 60 * second),
            "failed_precondition: held by f-2 on a-1 in role * until then: nothing");
  EXPECT_EQ(release(1, 1, "*", "cpus:1", 60 * second), "ok");
  EXPECT_EQ(release(1, 1, "*", "cpus:2", 60 * second), "ok");
  EXPECT_EQ(release(1, 1, "*", "cpus:1", 60 * second),
            "failed_precondition: held by f-1 on a-1 in role * until then: nothing");
}

TEST_F(CApi, PiecesWithAnEndAreReleasedPieceByPiece) {
  agent(1, "cpus:4");
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(said(rm_allocator_hold(get(), 1, 1, "*", "cpus:2", second, problem), problem), "ok");
  }
  EXPECT_EQ(release(1, 1, "*", "cpus:4", second),
            "failed_precondition: held by f-1 on a-1 in role * until then: cpus:2, not 4 of cpus");
  EXPECT_EQ(release(1, 1, "*", "cpus:1", second), "ok");
  EXPECT_EQ(release(1, 1, "*", "cpus:2", second), "ok");
  EXPECT_EQ(release(1, 1, "*", "cpus:1", second), "ok");
}

TEST_F(CApi, HoldingsEndWithTheirAgent) {
  agent(1, "cpus:4");
  ASSERT_EQ(rm_allocator_hold(get(), 1, 1, "*", "cpus:2", RM_NO_TIME, nullptr), RM_OK);
  ASSERT_EQ(rm_allocator_remove_agent(get(), 1, nullptr, nullptr), RM_OK);
  agent(1, "cpus:4");
  EXPECT_EQ(release(1, 1, "*", "cpus:2"),
            "failed_precondition: held by f-1 on a-1 in role *: nothing");
}

TEST_F(CApi, ACloneGoesOnByItselfInWhateverOrderTheyAreFreed) {
  framework(1).agent(1, "cpus:4");
  ASSERT_EQ(rm_allocator_hold(get(), 1, 1, "*", "cpus:2", RM_NO_TIME, nullptr), RM_OK);
  rm_allocator* made = nullptr;
  ASSERT_EQ(rm_allocator_clone(get(), &made, nullptr), RM_OK);
  CAllocator other = std::exchange(allocator, CAllocator(made));
  EXPECT_EQ(release(1, 1, "*", "cpus:2"), "ok");
  EXPECT_EQ(part(RM_HELD), "");
  const COffers offers = run();
  std::swap(other, allocator);
  EXPECT_EQ(part(RM_HELD), "cpus:2");
  other.reset();
  EXPECT_STREQ(rm_offer_resources(rm_offers_at(offers.get(), 0)), "cpus:4");
}

TEST_F(CApi, GangsAreAcceptedTogether) {
  framework(1).agent(1, "cpus:4").agent(2, "cpus:4");
  rm_demand* made = nullptr;
  ASSERT_EQ(rm_demand_new(7, "*", "cpus:4", &made, nullptr), RM_OK);
  const CDemand demand(made);
  EXPECT_EQ(said(rm_demand_set_nodes(made, 3, 2, problem), problem),
            "invalid_argument: nodes, min: 3 is not within 1..2");
  ASSERT_EQ(rm_demand_set_nodes(made, 2, 2, nullptr), RM_OK);
  ASSERT_EQ(rm_demand_set_duration(made, 60 * second, nullptr), RM_OK);
  EXPECT_EQ(said(rm_demand_set_constraints(made, "rack ==", problem), problem),
            "invalid_argument: at position 8: expected a value, found the end");
  const rm_demand* const demands[] = {made};
  ASSERT_EQ(said(rm_allocator_set_demands(get(), 1, demands, 1, problem), problem), "ok");
  const COffers offers = run();
  ASSERT_EQ(rm_offers_count(offers.get()), 2u);
  EXPECT_EQ(rm_offer_earmark(rm_offers_at(offers.get(), 0)), 1u);
  EXPECT_EQ(accept(rm_offers_at(offers.get(), 0), "cpus:4"),
            "failed_precondition: e-1: a gang of at least 2, 1 of its offers are accepted");
  rm_parts* parts = nullptr;
  ASSERT_EQ(rm_parts_new(&parts, nullptr), RM_OK);
  for (std::size_t i = 0; i < 2; ++i) {
    const std::uint64_t id = rm_offer_id(rm_offers_at(offers.get(), i));
    ASSERT_EQ(rm_parts_add(parts, &id, 1, "cpus:4", 60 * second, nullptr), RM_OK);
  }
  EXPECT_EQ(said(rm_allocator_accept_together(get(), parts, 0, 0, problem), problem), "ok");
  rm_parts_free(parts);
  EXPECT_EQ(release(1, 2, "*", "cpus:4", 60 * second), "ok");
}

TEST_F(CApi, QuotasCountZeroAndReturnWhatTheyTakeBack) {
  framework(1, "eng/db; eng/web").agent(1, "cpus:4;gpus:2");
  ASSERT_EQ(rm_offers_count(run().get()), 1u);
  rm_ids* ended = nullptr;
  ASSERT_EQ(said(rm_allocator_set_quota(get(), "eng", "", "gpus:0", 0, &ended, problem), problem),
            "ok");
  ASSERT_EQ(rm_ids_count(ended), 1u);
  EXPECT_EQ(rm_ids_at(ended, 0), 1u);
  EXPECT_EQ(rm_ids_at(ended, 1), 0u);
  rm_ids_free(ended);
  EXPECT_STREQ(rm_offer_resources(rm_offers_at(run().get(), 0)), "cpus:4");
  for (const char* bad : {"cpus", "cpus:", "cpus:-1", "cpus:1;cpus:2", ":4", "cp us:1", "a:1:2"}) {
    EXPECT_EQ(rm_allocator_set_quota(get(), "eng", bad, "", 0, nullptr, nullptr),
              RM_INVALID_ARGUMENT)
        << bad;
  }
  EXPECT_EQ(said(rm_allocator_set_quota(get(), "eng", "cpus:5", "", 0, nullptr, problem), problem)
                .substr(0, 18),
            "resource_exhausted");
  char* lines = nullptr;
  ASSERT_EQ(rm_allocator_explain_role(get(), "eng", &lines, nullptr), RM_OK);
  EXPECT_NE(take(lines).find("gpus: has 0"), std::string::npos);
}

TEST_F(CApi, BadInputIsAnErrorAndChangesNothing) {
  framework(1).agent(1, "cpus:4");
  const auto refused = [&](rm_code code, rm_code wanted) {
    EXPECT_EQ(code, wanted);
    return said(code, problem);
  };
  EXPECT_EQ(
      refused(rm_allocator_add_agent(get(), 1, "h", "cpus:1", "", problem), RM_ALREADY_EXISTS),
      "already_exists: agent a-1 is known");
  EXPECT_EQ(
      refused(rm_allocator_add_agent(get(), 0, "h", "cpus:1", "", problem), RM_INVALID_ARGUMENT),
      "invalid_argument: agent: is 0, ids begin at 1");
  refused(rm_allocator_add_agent(get(), 2, "h", "cpus:x", "", problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_add_agent(get(), 2, "h", "cpus:1", "=", problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_add_agent(get(), 2, nullptr, "cpus:1", "", problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_add_framework(get(), 2, "", 0, problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_add_framework(get(), 2, "a//b", 0, problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_add_framework(get(), 2, "a", 6, problem), RM_UNSUPPORTED);
  refused(rm_allocator_set_weight(get(), "a", 0, problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_remove_agent(get(), 9, nullptr, problem), RM_NOT_FOUND);
  refused(rm_allocator_decline(get(), 9, 0, 0, nullptr, problem), RM_STALE);
  refused(rm_allocator_rescind(get(), 9, problem), RM_STALE);
  refused(rm_allocator_accept(get(), nullptr, 0, "", 0, 0, 0, problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_accept(get(), nullptr, 3, "", 0, 0, 0, problem), RM_INVALID_ARGUMENT);
  rm_offers* offers = nullptr;
  for (const std::int64_t now : {std::int64_t{-1}, INT64_MIN, INT64_MAX, RM_TIME_MAX + 1}) {
    refused(rm_allocator_run(get(), now, RM_NO_TIME, &offers, problem), RM_INVALID_ARGUMENT);
  }
  refused(rm_allocator_run(get(), 0, 0, nullptr, problem), RM_INVALID_ARGUMENT);
  EXPECT_EQ(offers, nullptr);
  char* text = nullptr;
  refused(rm_allocator_agent_resources(get(), 1, 4, &text, problem), RM_INVALID_ARGUMENT);
  refused(rm_allocator_explain_demand(get(), 1, 5, 0, &text, problem), RM_NOT_FOUND);
  EXPECT_EQ(
      refused(rm_allocator_explain(get(), 1, "*", "cpus:?", 0, &text, problem), RM_INVALID_ARGUMENT)
          .substr(0, 16),
      "invalid_argument");
  EXPECT_EQ(text, nullptr);
  const std::string huge((2 << 20), 'x');
  refused(rm_allocator_set_weight(get(), huge.c_str(), 1, problem), RM_INVALID_ARGUMENT);
  EXPECT_EQ(part(RM_FREE), "cpus:4");
}

TEST_F(CApi, TimesAtTheirLimitsDoNotOverflow) {
  framework(1).agent(1, "cpus:4");
  const COffers offers = run(RM_TIME_MAX);
  const std::uint64_t id = rm_offer_id(rm_offers_at(offers.get(), 0));
  EXPECT_EQ(rm_allocator_decline(get(), id, RM_TIME_MAX, RM_DURATION_MAX, "no", nullptr), RM_OK);
  EXPECT_EQ(rm_offers_count(run(RM_TIME_MAX).get()), 0u);
}

TEST(CNull, HandlesAreErrorsAndAccessorsGiveNothing) {
  Problem problem;
  rm_offers* offers = nullptr;
  char* text = nullptr;
  rm_allocator* allocator = nullptr;
  EXPECT_EQ(said(rm_allocator_run(nullptr, 0, 0, &offers, problem), problem),
            "invalid_argument: allocator: is null");
  EXPECT_EQ(rm_allocator_clone(nullptr, &allocator, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_new(nullptr, nullptr, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_add_framework(nullptr, 1, "*", 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_release(nullptr, 1, 1, "*", "cpus:1", 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_accept_together(nullptr, nullptr, 0, 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_check(nullptr, &text, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_select(nullptr, "", "*", &text, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_select("cpus:1", "cpus:2", "*", nullptr, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_demand_set_same(nullptr, "rack", nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_options_set_roles(nullptr, "a", nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_parts_add(nullptr, nullptr, 0, "", 0, nullptr), RM_INVALID_ARGUMENT);
  EXPECT_EQ(rm_allocator_next_deadline(nullptr), RM_NO_TIME);
  EXPECT_EQ(rm_offers_count(nullptr), 0u);
  EXPECT_EQ(rm_offers_at(nullptr, 0), nullptr);
  EXPECT_STREQ(rm_offer_resources(nullptr), "");
  EXPECT_EQ(rm_offer_id(nullptr), 0u);
  EXPECT_EQ(rm_error_code(nullptr), RM_OK);
  EXPECT_STREQ(rm_error_message(nullptr), "");
  rm_error_free(nullptr);
  rm_text_free(nullptr);
  rm_ids_free(nullptr);
  rm_offers_free(nullptr);
  rm_demand_free(nullptr);
  rm_options_free(nullptr);
  rm_parts_free(nullptr);
  rm_allocator_free(nullptr);
}

TEST(COptions, AreCopiedIntoTheAllocator) {
  rm_options* options = nullptr;
  ASSERT_EQ(rm_options_new(&options, nullptr), RM_OK);
  ASSERT_EQ(rm_options_set_roles(options, "eng;ops", nullptr), RM_OK);
  ASSERT_EQ(rm_options_set_offer_timeout(options, 5, nullptr), RM_OK);
  EXPECT_EQ(rm_options_set_offer_timeout(options, 0, nullptr), RM_INVALID_ARGUMENT);
  ASSERT_EQ(rm_options_add_min_allocatable(options, "cpus:2", nullptr), RM_OK);
  rm_allocator* made = nullptr;
  ASSERT_EQ(rm_allocator_new(options, &made, nullptr), RM_OK);
  rm_options_free(options);
  const CAllocator allocator(made);
  EXPECT_EQ(rm_allocator_add_framework(made, 1, "lab", 0, nullptr), RM_PERMISSION_DENIED);
  ASSERT_EQ(rm_allocator_add_framework(made, 1, "eng/db", 0, nullptr), RM_OK);
  ASSERT_EQ(rm_allocator_add_agent(made, 1, "h", "cpus:1", "", nullptr), RM_OK);
  ASSERT_EQ(rm_allocator_add_agent(made, 2, "h", "cpus:2", "", nullptr), RM_OK);
  rm_offers* list = nullptr;
  ASSERT_EQ(rm_allocator_run(made, 0, 0, &list, nullptr), RM_OK);
  const COffers offers(list);
  ASSERT_EQ(rm_offers_count(list), 1u);
  EXPECT_EQ(rm_offer_expires_ns(rm_offers_at(list, 0)), 5);
}

}  // namespace
}  // namespace librm
