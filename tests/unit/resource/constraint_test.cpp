// Constraints on attributes: their text, one agent, and many.
#include "librm/resource/constraint.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "generate.hpp"

namespace librm {
namespace {

/// `prefix.*` and whole texts; `(` is a bad pattern.
class PrefixMatcher final : public Matcher {
 public:
  Result<bool> matches(std::string_view pattern, std::string_view text) const override {
    if (pattern == "(") return fail(ErrorCode::invalid_argument, "pattern '(': missing )");
    if (!pattern.ends_with(".*")) return pattern == text;
    return text.starts_with(pattern.substr(0, pattern.size() - 2));
  }
};

std::string canonical(std::string_view text) {
  const auto constraint = parse_constraint(text);
  return constraint ? to_string(*constraint) : "error: " + constraint.error().message;
}

/// Why an agent with these attributes does not keep it; empty where it does.
std::string why(std::string_view constraint, std::string_view attributes) {
  const Attributes all = parse_attributes(attributes).value();
  const PrefixMatcher matcher;
  return mismatch(parse_constraint(constraint).value(), {"n1", all}, &matcher).value_or("");
}

TEST(ParseConstraint, ReadsEachKind) {
  for (const char* text :
       {"rack == r7", "rack != r7", "os like lin.*", "os unlike win.*", "@hostname unique",
        "rack group_by 3", "rack group_by", "@zone max_per 2", "os == Debian 12", "os == \"\"",
        "os == \"a;b\"", "os like \" x\"", "os == \"\\\"\\x01\""}) {
    EXPECT_EQ(canonical(text), text);
  }
  EXPECT_EQ(canonical(" rack==r7  "), "rack == r7");
  EXPECT_EQ(canonical("x == \"plain\""), "x == plain");
}

TEST(ParseConstraint, ErrorsSayWhere) {
  EXPECT_EQ(canonical(""), "error: at position 1: expected a name, found the end");
  EXPECT_EQ(canonical("rack"),
            "error: at position 5: expected ==, !=, like, unlike, unique, group_by or max_per, "
            "found the end");
  EXPECT_EQ(canonical("rack is r7"),
            "error: at position 6: 'is' is not one of ==, !=, like, unlike, unique, group_by or "
            "max_per");
  EXPECT_EQ(canonical("rack = r7").substr(0, 32), "error: at position 6: '=' is not");
  EXPECT_EQ(canonical("rack =="), "error: at position 8: expected a value, found the end");
  EXPECT_EQ(canonical("rack max_per"),
            "error: at position 13: expected a whole number, found the end");
  EXPECT_EQ(canonical("rack max_per 0"),
            "error: at position 14: '0' is not a number from 1 to 1000000");
  EXPECT_EQ(canonical("rack unique x"), "error: at position 13: expected the end, found 'x'");
  EXPECT_EQ(canonical("@host unique"),
            "error: at position 2: 'host' is not one of @hostname, @region, @zone");
  EXPECT_EQ(canonical("a == b; c unique"), "error: at position 7: expected the end, found ';'");
}

TEST(ParseConstraints, ReadsAList) {
  const auto list = parse_constraints("rack == r7; @hostname unique;").value();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(to_string(list), "rack == r7; @hostname unique");
  EXPECT_TRUE(parse_constraints("")->empty());
}

TEST(ParseConstraint, PrintedFormReadsBack) {
  Prng random(41);
  for (int i = 0; i < 3000; ++i) {
    std::vector<Constraint> list(1 + random.below(3));
    for (Constraint& one : list) {
      one.attribute = random.chance(1, 3) ? "@zone" : "rack";
      one.kind = static_cast<ConstraintKind>(random.below(7));
      if (one.kind <= ConstraintKind::unlike) {
        one.value = test::random_word(random) + (random.chance(1, 2) ? "" : " ");
      } else if (one.kind != ConstraintKind::unique) {
        one.count = static_cast<std::uint32_t>(random.between(1, 1'000'000));
      }
    }
    const auto again = parse_constraints(to_string(list));
    ASSERT_TRUE(again) << to_string(list) << ": " << again.error().message;
    ASSERT_EQ(*again, list);
  }
}

TEST(Mismatch, NamesWhatIsNeededAndWhatIsThere) {
  EXPECT_EQ(why("rack == r7", "rack:r7"), "");
  EXPECT_EQ(why("rack == r7", "rack:r9"), "rack: need r7, agent has r9");
  EXPECT_EQ(why("rack != r9", "rack:r9"), "rack: need other than r9, agent has r9");
  EXPECT_EQ(why("os like lin.*", "os:linux"), "");
  EXPECT_EQ(why("os like lin.*", "os:win"), "os: need what is like lin.*, agent has win");
  EXPECT_EQ(why("os unlike w.*", "os:win"), "os: need other than what is like w.*, agent has win");
  EXPECT_EQ(why("@hostname == n2", ""), "@hostname: need n2, agent has n1");
  EXPECT_EQ(why("os like (", "os:x"), "os: pattern '(': missing )");
}

TEST(Mismatch, WhatIsMissingIsOtherThanAnything) {
  for (const char* text :
       {"rack == r7", "rack like r.*", "rack unique", "rack group_by 2", "rack max_per 2"}) {
    EXPECT_EQ(why(text, "os:linux"), "rack: agent has no rack");
  }
  EXPECT_EQ(why("@zone == a", "os:x"), "@zone: agent has no zone");
  EXPECT_EQ(why("rack != r7", "os:linux"), "");
  EXPECT_EQ(why("rack unlike r.*", "os:linux"), "");
}

TEST(Mismatch, EqualsLooksAtNumbersAndMembers) {
  EXPECT_EQ(why("slots == 4.0", "slots:4"), "");
  EXPECT_EQ(why("slots == four", "slots:4"), "slots: need four, agent has 4");
  EXPECT_EQ(why("vlans == 12", "vlans:[10-20]"), "");
  EXPECT_EQ(why("vlans == 10-11,20", "vlans:[10-20]"), "");
  EXPECT_EQ(why("vlans == [10-21]", "vlans:[10-20]"), "vlans: need [10-21], agent has [10-20]");
  EXPECT_EQ(why("vlans == []", "vlans:[10-20]"), "vlans: need [], agent has [10-20]");
  EXPECT_EQ(why("gpus == k80", "gpus:{a100,k80}"), "");
  EXPECT_EQ(why("gpus == {k80,a100}", "gpus:{a100,k80}"), "");
  EXPECT_EQ(why("gpus == {}", "gpus:{a100}"), "gpus: need {}, agent has {a100}");
  EXPECT_EQ(why("gpus != k80", "gpus:{a100,k80}"),
            "gpus: need other than k80, agent has {a100,k80}");
  EXPECT_EQ(why("gpus like k.*", "gpus:{a100,k80}"), "");
  EXPECT_EQ(why("os == 4", "os:4x"), "os: need 4, agent has 4x");
}

TEST(Mismatch, WithoutAMatcherPatternsAreNotKept) {
  const Attributes attributes = {{"os", "linux"}};
  for (const char* text : {"os like .*", "os unlike x"}) {
    EXPECT_EQ(mismatch(parse_constraint(text).value(), {"n1", attributes}, nullptr),
              "os: no regular expressions here");
  }
}

/// Puts tasks on racks, one each.
class Racks {
 public:
  explicit Racks(std::string_view constraints) : spread_(parse_constraints(constraints).value()) {}

  std::string refusal(const std::string& rack) const {
    const Attributes attributes = {{"rack", rack}};
    return spread_.mismatch({"n", attributes}).value_or("");
  }
  Racks& add(const std::string& rack) {
    const Attributes attributes = {{"rack", rack}};
    spread_.add({"n", attributes});
    return *this;
  }
  Racks& remove(const std::string& rack) {
    const Attributes attributes = {{"rack", rack}};
    spread_.remove({"n", attributes});
    return *this;
  }
  Racks& know(const std::string& rack) {
    const Attributes attributes = {{"rack", rack}};
    spread_.know({"n", attributes});
    return *this;
  }

 private:
  Spread spread_;
};

TEST(Spread, UniqueTakesEachValueOnce) {
  Racks racks("rack unique");
  racks.know("r1");
  EXPECT_EQ(racks.refusal("r1"), "");
  racks.add("r1");
  EXPECT_EQ(racks.refusal("r1"), "rack r1 has 1 of at most 1");
  EXPECT_EQ(racks.refusal("r2"), "");
  EXPECT_EQ(racks.remove("r1").refusal("r1"), "");
}

TEST(Spread, MaxPerCountsEachValue) {
  Racks racks("rack max_per 2");
  racks.add("r7").add("r7").add("r1");
  EXPECT_EQ(racks.refusal("r7"), "rack r7 has 2 of at most 2");
  EXPECT_EQ(racks.refusal("r1"), "");
}

TEST(Spread, EqualNumbersAreOneValue) {
  Racks racks("rack unique");
  racks.add("7.0");
  EXPECT_EQ(racks.refusal("7"), "rack 7 has 1 of at most 1");
}

TEST(Spread, GroupByFillsTheGroupsEvenly) {
  Racks racks("rack group_by 2");
  racks.add("a");
  EXPECT_EQ(racks.refusal("a"), "rack a has 1, and only 1 of at least 2 groups are known");
  racks.add("b");
  EXPECT_EQ(racks.refusal("a"), "");
  EXPECT_EQ(racks.refusal("c"), "");
  racks.add("a");
  EXPECT_EQ(racks.refusal("a"), "rack a has 2, 1 of 2 groups have 1");
  EXPECT_EQ(racks.refusal("b"), "");
  racks.know("c");
  EXPECT_EQ(racks.refusal("b"), "rack b has 1, 1 of 3 groups have 0");
  EXPECT_EQ(racks.refusal("c"), "");
}

TEST(Spread, AGroupThatIsEmptyAgainIsForgottenUnlessKnown) {
  Racks racks("rack group_by");
  racks.add("a").add("b").remove("b");
  EXPECT_EQ(racks.refusal("a"), "");
  racks.know("b").add("b").remove("b");
  EXPECT_EQ(racks.refusal("a"), "rack a has 1, 1 of 2 groups have 0");
}

TEST(Spread, AnAgentWithoutTheAttributeIsRefused) {
  Spread spread(parse_constraints("rack max_per 2; os == linux").value());
  const Attributes none;
  EXPECT_EQ(spread.mismatch({"n", none}), "rack: agent has no rack");
  spread.add({"n", none});  // nothing to count
  EXPECT_EQ(Spread({}).mismatch({"n", none}), std::nullopt);
}

TEST(Spread, GroupByNeverDiffersByMoreThanOne) {
  Prng random(42);
  for (int round = 0; round < 200; ++round) {
    Racks racks("rack group_by");
    std::map<std::string, int> placed;
    for (int n = 0; n < 4; ++n) {
      const std::string rack = "r" + std::to_string(n);
      racks.know(rack);
      placed[rack] = 0;
    }
    for (int i = 0; i < 40; ++i) {
      const std::string rack = "r" + std::to_string(random.below(4));
      if (!racks.refusal(rack).empty()) continue;
      racks.add(rack);
      ++placed[rack];
    }
    int least = 1000;
    int most = 0;
    for (const auto& [rack, count] : placed) {
      least = std::min(least, count);
      most = std::max(most, count);
    }
    ASSERT_LE(most - least, 1);
    ASSERT_GT(most, 0);
  }
}

}  // namespace
}  // namespace librm
