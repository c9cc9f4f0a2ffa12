// Ids: printed with their prefix, read with or without it.
#include "librm/base/id.hpp"

#include <gtest/gtest.h>

#include <type_traits>

namespace librm {
namespace {

static_assert(!std::is_convertible_v<AgentId, FrameworkId>, "an agent is no framework");

TEST(Id, PrintsItsPrefix) {
  EXPECT_EQ(to_string(AgentId{17}), "a-17");
  EXPECT_EQ(to_string(Incarnation{3}), "boot-3");
}

TEST(Id, ReadsWithAndWithoutPrefix) {
  EXPECT_EQ(parse_id<AgentId>("a-17"), AgentId{17});
  EXPECT_EQ(parse_id<AgentId>("17"), AgentId{17});
  EXPECT_EQ(parse_id<OfferId>("o-18446744073709551615"), OfferId{18446744073709551615u});
}

TEST(Id, RefusesOtherPrefixesZeroAndTrailingText) {
  for (const char* text :
       {"", "a-", "f-17", "a-0", "0", "a-17x", "a--17", "-1", " 17", "a-18446744073709551616"}) {
    EXPECT_FALSE(parse_id<AgentId>(text)) << text;
  }
}

TEST(Id, ZeroMeansNone) {
  EXPECT_FALSE(AgentId{});
  EXPECT_TRUE(AgentId{1});
}

}  // namespace
}  // namespace librm
