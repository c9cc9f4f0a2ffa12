// Drawings of machines.
#include "cli/machine_view.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/text.hpp"

namespace batch::cli {
namespace {

using hwtopo::Cpuset;

hwtopo::Topology machine(const char* text) {
  auto topology = hwtopo::read_synthetic(text);
  EXPECT_TRUE(topology) << topology.error().message;
  return topology ? *topology : hwtopo::Topology{};
}

Terminal terminal(std::size_t width, bool utf8 = true) {
  Terminal terminal;
  terminal.width = width;
  terminal.utf8 = utf8;
  return terminal;
}

const char* const two_packages =
    "Package:2 [NUMANode(memory=34359738368)] L3Cache:1(size=33554432) L2Cache:4(size=2097152) "
    "L1dCache:1(size=49152) Core:1 PU:2";

TEST(DrawMachine, PartsWithTheSameThreadsShareAFrame) {
  const std::vector<Cpuset> taken{Cpuset({0, 1, 2}), Cpuset({8}), Cpuset({2})};
  EXPECT_EQ('\n' + draw_machine(terminal(100), machine(two_packages), &taken), R"(
╭─ Package 0 · NUMA 0 32G · L3 32M ───────╮ ╭─ Package 1 · NUMA 1 32G · L3 32M ───────╮
│ [ 0A  1A] [ 2*  3·] [ 4·  5·] [ 6·  7·] │ │ [ 8B  9·] [10· 11·] [12· 13·] [14· 15·] │
╰─────────────────────────────────────────╯ ╰─────────────────────────────────────────╯
each core: L2 2M, L1 48K; · free, * shared, letters: the tasks below
)");
}

TEST(DrawMachine, CachesOfSomeCoresHaveFramesInside) {
  EXPECT_EQ('\n' + draw_machine(terminal(60, false),
                                machine("Package:1 [NUMANode(memory=1073741824)] "
                                        "L3Cache:2(size=33554432) Core:4 PU:1"),
                                nullptr),
            R"(
+- Package 0, NUMA 0 1G ------------------+
| +- L3 32M --------+ +- L3 32M --------+ |
| | [0] [1] [2] [3] | | [4] [5] [6] [7] | |
| +-----------------+ +-----------------+ |
+-----------------------------------------+
)");
}

TEST(DrawMachine, WhatDoesNotFitBesideComesBelow) {
  const auto text = draw_machine(terminal(44), machine(two_packages), nullptr);
  EXPECT_EQ('\n' + text, R"(
╭─ Package 0 · NUMA 0 32G · L3 32M ─╮
│ [ 0  1] [ 2  3] [ 4  5] [ 6  7]   │
╰───────────────────────────────────╯
╭─ Package 1 · NUMA 1 32G · L3 32M ─╮
│ [ 8  9] [10 11] [12 13] [14 15]   │
╰───────────────────────────────────╯
each core: L2 2M, L1 48K
)");
}

TEST(DrawMachine, NoLineIsWiderThanTheTerminal) {
  const auto large = machine(
      "Package:2 Group:4 [NUMANode(memory=17179869184)] L3Cache:2(size=33554432) Core:8 PU:2");
  for (const std::size_t width : {40u, 80u, 132u}) {
    const std::string text = draw_machine(terminal(width), large, nullptr);
    EXPECT_NE(text, "");
    for (const std::string& line : split(text, '\n')) EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(DrawMachine, TooLargeIsNotDrawn) {
  EXPECT_EQ(draw_machine(terminal(80), machine("Package:2 Core:1024 PU:1"), nullptr), "");
}

TEST(TaskLetter, EndsWithOneForAllOthers) {
  EXPECT_EQ(task_letter(0), 'A');
  EXPECT_EQ(task_letter(26), 'a');
  EXPECT_EQ(task_letter(51), 'z');
  EXPECT_EQ(task_letter(52), '#');
}

}  // namespace
}  // namespace batch::cli
