// What is offered at each place of a command line.
#include "cli/completer.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace batch::cli {
namespace {

using Words = std::vector<std::string>;

class Complete : public testing::Test {
 protected:
  Words complete_words(const Words& words) {
    found = complete(words, sources);
    Words all;
    for (const Candidate& one : found.candidates) all.push_back(one.word);
    return all;
  }
  bool offers(const Words& words, const std::string& wanted) {
    const Words all = complete_words(words);
    return std::find(all.begin(), all.end(), wanted) != all.end();
  }

  Words states_asked;
  Completion found;
  CompletionSources sources{
      [this](const std::vector<std::string>& states, const std::string&) {
        states_asked = states;
        return std::vector<Candidate>{{"42", "count, running"}, {"count", "job 42, running"}};
      },
      [] {
        return std::vector<Candidate>{{"nightly", ""}};
      },
      [] {
        return std::vector<Candidate>{{"node-1", ""}, {"a-1", ""}};
      },
      [] {
        return std::vector<Candidate>{{"eng", ""}, {"eng/db", ""}};
      }};
};

TEST_F(Complete, VerbsFirst) {
  EXPECT_EQ(complete_words({"ca"}), Words{"cancel"});
  EXPECT_TRUE(offers({""}, "submit"));
  EXPECT_TRUE(offers({}, "submit"));
  EXPECT_FALSE(offers({""}, "__complete"));
  EXPECT_EQ(complete_words({"--master", "http://h", "ca"}), Words{"cancel"});
  EXPECT_TRUE(complete_words({"nonsense", ""}).empty());
}

TEST_F(Complete, VerbsOfGroups) {
  EXPECT_EQ(complete_words({"schedule", "pa"}), Words{"pause"});
  EXPECT_EQ(complete_words({"node", "s"}), Words{"show"});
  EXPECT_EQ(found.candidates[0].about.substr(0, 5), "shows");
  EXPECT_EQ(complete_words({"node", "drain", "--mode", ""}), (Words{"wait", "requeue", "kill"}));
  EXPECT_EQ(complete_words({"maintenance", "s"}), (Words{"show", "set"}));
}

TEST_F(Complete, OptionsOfTheVerbAndOfAll) {
  EXPECT_EQ(complete_words({"wait", "--ti"}), Words{"--timeout"});
  EXPECT_EQ(complete_words({"wait", "--out"}), Words{"--output"});
  EXPECT_TRUE(offers({"wait", "-"}, "-o"));
  EXPECT_TRUE(offers({"--"}, "--master"));
}

TEST_F(Complete, ValuesOfOptions) {
  const Words forms{"table", "wide", "json", "name"};
  EXPECT_EQ(complete_words({"jobs", "-o", ""}), forms);
  EXPECT_EQ(complete_words({"-o", ""}), forms);
  EXPECT_EQ(complete_words({"jobs", "-f", "f"}), (Words{"finished", "failed"}));
  EXPECT_EQ(complete_words({"submit", "--after-ok", "c"}), Words{"count"});
  EXPECT_EQ(complete_words({"schedule", "add", "--after-ok", ""}), Words{"nightly"});
  EXPECT_EQ(complete_words({"wait", "--any", "c"}), Words{"count"}) << "a flag takes no value";
}

TEST_F(Complete, ValueBehindAnEqualsSign) {
  EXPECT_EQ(complete_words({"jobs", "--color=al"}), Words{"--color=always"});
  EXPECT_EQ(complete_words({"jobs", "--color", "=", "al"}), Words{"always"}) << "as bash cuts it";
  EXPECT_EQ(complete_words({"jobs", "--color", "="}), (Words{"auto", "always", "never"}));
}

TEST_F(Complete, JobsInTheStatesThatTheVerbIsAbout) {
  EXPECT_EQ(complete_words({"cancel", ""}), (Words{"42", "count", "last", "all"}));
  EXPECT_EQ(states_asked, (Words{"pending", "held", "running"}));
  complete_words({"retry", ""});
  EXPECT_EQ(states_asked, (Words{"failed", "cancelled"}));
  complete_words({"show", ""});
  EXPECT_TRUE(states_asked.empty());
  EXPECT_EQ(complete_words({"cancel", "count", "4"}), Words{"42"});
}

TEST_F(Complete, SchedulesAndNodes) {
  EXPECT_EQ(complete_words({"schedule", "pause", ""}), Words{"nightly"});
  EXPECT_EQ(complete_words({"node", "show", "n"}), Words{"node-1"});
  EXPECT_TRUE(offers({"graph", ""}, "nightly"));
  EXPECT_TRUE(offers({"graph", ""}, "count"));
}

TEST_F(Complete, Roles) {
  EXPECT_EQ(complete_words({"role", "show", "eng/"}), Words{"eng/db"});
  EXPECT_EQ(complete_words({"role", "quota", ""}), (Words{"eng", "eng/db"}));
  EXPECT_EQ(complete_words({"submit", "--role", "e"}), (Words{"eng", "eng/db"}));
  EXPECT_EQ(complete_words({"node", "reserve", "node-1", "cpus:1", "--role", "eng/"}),
            Words{"eng/db"});
}

TEST_F(Complete, FilesWhereTheyFit) {
  complete_words({"submit", ""});
  EXPECT_TRUE(found.files);
  complete_words({"run", "--", "make", ""});
  EXPECT_TRUE(found.files);
  complete_words({"cancel", ""});
  EXPECT_FALSE(found.files);
}

TEST_F(Complete, ShellsAndVerbs) {
  EXPECT_EQ(complete_words({"completion", ""}), (Words{"bash", "zsh", "fish"}));
  EXPECT_EQ(complete_words({"help", "ver"}), Words{"version"});
}

}  // namespace
}  // namespace batch::cli
