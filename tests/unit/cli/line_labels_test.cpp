// Whole lines behind labels, however the bytes arrive.
#include "cli/line_labels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace batch::cli {
namespace {

using testing::ElementsAre;

class Labelled : public testing::Test {
 protected:
  std::vector<std::string> written;
  LabelledLines lines{"a | ", [this](std::string_view text) {
                        written.emplace_back(text);
                        return true;
                      }};
};

TEST_F(Labelled, OnlyWholeLinesArePassedOn) {
  lines.take("one\ntw");
  EXPECT_THAT(written, ElementsAre("a | one\n"));
  lines.take("o");
  EXPECT_EQ(written.size(), 1u);
  lines.take("\n\nthree\nfour");
  EXPECT_THAT(written, ElementsAre("a | one\n", "a | two\na | \na | three\n"));
}

TEST_F(Labelled, ALastLineWithoutItsEndGetsOne) {
  lines.take("begun");
  EXPECT_TRUE(lines.finish());
  EXPECT_THAT(written, ElementsAre("a | begun\n"));
  EXPECT_TRUE(lines.finish());
  EXPECT_EQ(written.size(), 1u) << "there is nothing left";
}

TEST_F(Labelled, ByteByByteIsTheSame) {
  for (const char c : std::string("x\ny\r\n\xff\n")) lines.take({&c, 1});
  EXPECT_THAT(written, ElementsAre("a | x\n", "a | y\r\n", "a | \xff\n"));
}

TEST_F(Labelled, AnEndlessLineComesInPieces) {
  const std::string piece(LabelledLines::line_bytes_max, 'x');
  lines.take(piece);
  ASSERT_EQ(written.size(), 1u);
  EXPECT_EQ(written[0].size(), piece.size() + 5);
}

TEST(LabelledLines, SaysWhenNobodyReads) {
  LabelledLines lines("", [](std::string_view) { return false; });
  EXPECT_TRUE(lines.take("not a line yet"));
  EXPECT_FALSE(lines.take("\n"));
}

TEST(LabelsFor, AreEquallyWideAndTellNamesakesApart) {
  EXPECT_THAT(labels_for({"load", "count", "count"}, {"1", "2", "30"}),
              ElementsAre("load     ", "count #2 ", "count #30"));
  EXPECT_THAT(labels_for({"a\x1b"}, {"1"}), ElementsAre("a\\x1b")) << "names are others' text";
}

}  // namespace
}  // namespace batch::cli
