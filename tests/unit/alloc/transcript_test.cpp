// Plays every transcript: the text beside its commands must be what they show.
#include "transcript.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace librm::test {
namespace {

const std::filesystem::path folder =
    std::filesystem::path(RM_SOURCE_DIR) / "tests" / "unit" / "alloc" / "transcripts";

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    all.push_back(entry.path().stem().string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

class AllocatorTranscript : public ::testing::TestWithParam<std::string> {};

/// RM_REWRITE=1 writes what is shown into the file, to be read as a diff.
TEST_P(AllocatorTranscript, ShowsWhatItSays) {
  const std::filesystem::path path = folder / (GetParam() + ".txt");
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string played = Transcript::play(text.str());
  EXPECT_EQ(played.find("VIOLATED"), std::string::npos) << played;
  if (std::getenv("RM_REWRITE") != nullptr) {
    std::ofstream(path) << played;
  } else {
    EXPECT_EQ(played, text.str());
  }
}

INSTANTIATE_TEST_SUITE_P(All, AllocatorTranscript, ::testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace librm::test
