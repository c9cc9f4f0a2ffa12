// What a selector means, what it asks the master for, and what is none.
#include "cli/selector.hpp"

#include <gtest/gtest.h>

namespace batch::cli {
namespace {

using Words = std::vector<std::string>;

std::string problem_of(const std::string& text) {
  const auto selector = parse_selector(text);
  return selector ? "" : selector.error().message;
}

TEST(ParseSelector, OneJobIsWhatTheMasterReads) {
  for (const char* text :
       {"42", "last", "last-2", "train", "a-b", "42_7", "42[3,7-9]", "train_1"}) {
    const auto selector = parse_selector(text);
    ASSERT_TRUE(selector) << text;
    EXPECT_EQ(selector->jobs, Words{text});
    EXPECT_FALSE(selector->filter) << text;
  }
}

TEST(ParseSelector, RangeIsEachOfItsIds) {
  EXPECT_EQ(parse_selector("40-42")->jobs, (Words{"40", "41", "42"}));
  EXPECT_EQ(problem_of("9-3"),
            "9-3: a range goes from the lower id to the higher, at most 10000 jobs");
  EXPECT_FALSE(parse_selector("1-99999999"));
}

TEST(ParseSelector, TermsAreJoinedByCommas) {
  EXPECT_EQ(*parse_selector("train*")->filter, (JobFilter{"train*", "", {}, {}}));
  EXPECT_EQ(*parse_selector("name=x,owner=an?")->filter, (JobFilter{"x", "an?", {}, {}}));
  EXPECT_EQ(*parse_selector("train*,state=failed,cancelled,label.team=red")->filter,
            (JobFilter{"train*", "", {"failed", "cancelled"}, {{"team", "red"}}}));
  EXPECT_FALSE(parse_selector("state=failed,x*")) << "a term without = goes on with the states";
}

TEST(ParseSelector, AllIsAFilterThatAsksForNothing) {
  const auto selector = parse_selector("all");
  EXPECT_TRUE(selector->all);
  EXPECT_EQ(*selector->filter, JobFilter{});
  EXPECT_EQ(*parse_selector("all,state=held")->filter, (JobFilter{"", "", {"held"}, {}}));
}

TEST(ParseSelector, SaysWhatIsWrong) {
  EXPECT_EQ(problem_of(""), "a selector is empty");
  EXPECT_EQ(problem_of("state=fialed"),
            "state=fialed: 'fialed' is no state; did you mean 'failed'?");
  EXPECT_EQ(problem_of("nmae=x"), "nmae=x: 'nmae' is nothing to select by; did you mean 'name'?");
  EXPECT_EQ(problem_of("label=x"),
            "label=x: 'label' is nothing to select by; did you mean 'label.KEY'?");
  EXPECT_EQ(problem_of("quux=x"),
            "quux=x: 'quux' is nothing to select by; there are name, state, owner and label.KEY");
  EXPECT_EQ(problem_of("owner="), "owner=: 'owner=' lacks a value");
  EXPECT_EQ(problem_of("name=a,name=b"),
            "name=a,name=b: name is there twice; all terms must be so");
  EXPECT_EQ(problem_of("41,42"),
            "41,42: jobs are set apart by spaces; commas join terms such as state=failed");
  EXPECT_NE(problem_of("42[3").find("42[3: at 5"), std::string::npos) << problem_of("42[3");
}

TEST(QueryOf, EncodesWhatIsAskedFor) {
  EXPECT_EQ(query_of({}), "");
  EXPECT_EQ(query_of({"a*&", "", {"failed", "held"}, {{"k", "v w"}, {"team", "red"}}}),
            "&name=a%2A%26&state=failed%2Cheld&label=k%3Dv%20w%2Cteam%3Dred");
}

TEST(Matches, AllOfItMustBeSo) {
  const Json job = Json::parse(R"({"name": "train-1", "owner": "ann", "state": "failed",
                                   "labels": {"team": "red"}})");
  EXPECT_TRUE(matches({}, job));
  EXPECT_TRUE(matches({"train*", "a??", {"held", "failed"}, {{"team", "r*"}}}, job));
  EXPECT_FALSE(matches({"x*", "", {}, {}}, job));
  EXPECT_FALSE(matches({"", "bob", {}, {}}, job));
  EXPECT_FALSE(matches({"", "", {"running"}, {}}, job));
  EXPECT_FALSE(matches({"", "", {}, {{"team", "blue"}}}, job));
  EXPECT_FALSE(matches({"", "", {}, {{"kind", "*"}}}, job));
}

}  // namespace
}  // namespace batch::cli
