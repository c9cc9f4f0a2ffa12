// Drawings of dependency graphs: every line can be followed, and none touches another.
#include "cli/graph_view.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "cli/text.hpp"

namespace batch::cli {
namespace {

/// `a>b a>c:any d`: edges, their kinds, and nodes that have none.
Graph graph(const std::string& text) {
  Graph made;
  std::map<std::string, std::size_t> index;
  const auto node = [&](const std::string& name) {
    const auto [at, is_new] = index.emplace(name, made.nodes.size());
    if (is_new) made.nodes.push_back({name, name});
    return at->second;
  };
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t to = word.find('>');
    const std::size_t kind = std::min(word.find(':'), word.size());
    const std::size_t from = node(word.substr(0, to));
    if (to == word.npos) continue;
    made.edges.push_back({from, node(word.substr(to + 1, kind - to - 1)),
                          kind == word.size() ? "ok" : word.substr(kind + 1), "satisfied"});
  }
  return made;
}

Terminal terminal(std::size_t width = 0) {
  Terminal made;
  made.utf8 = true;
  made.width = width;
  return made;
}

std::string drawn(const std::string& text, std::size_t width = 0) {
  return '\n' + draw_graph(terminal(width), graph(text));
}

TEST(DrawGraph, ChainIsALine) {
  EXPECT_EQ(drawn("extract>clean clean>load"), "\nextract ──▶ clean ──▶ load\n");
}

TEST(DrawGraph, Diamond) {
  EXPECT_EQ(drawn("a>b a>c b>d c>d"), R"(
   ┌─▶ b ─┐
a ─┴─▶ c ─┴─▶ d
)");
}

TEST(DrawGraph, FanOutAndFanInAreInTheMiddle) {
  EXPECT_EQ(drawn("shard>c1 shard>c2 shard>c3 c1>merge c2>merge c3>merge merge>report"), R"(
       ┌─▶ c1 ─┐
shard ─┼─▶ c2 ─┼─▶ merge ──▶ report
       └─▶ c3 ─┘
)");
}

TEST(DrawGraph, ChildrenOfDifferentParentsMeetBehindTheTurns) {
  EXPECT_EQ(drawn("A>T1 A>T2 B>T2 B>T3"), R"(
A ─┬───▶ T1
   └┬──▶ T2
B ─┬┘
   └───▶ T3
)");
}

TEST(DrawGraph, SameChildrenAreOneBundle) {
  EXPECT_EQ(drawn("A>T1 A>T2 B>T1 B>T2"), R"(
A ─┬─▶ T1
B ─┴─▶ T2
)");
}

TEST(DrawGraph, LongLinesPassThroughLayers) {
  EXPECT_EQ(drawn("a>b b>c a>c"), R"(
   ┌─▶ b ─┐
a ─┴──────┴─▶ c
)");
}

TEST(DrawGraph, KindsStandOnTheirLines) {
  EXPECT_EQ(drawn("x>y:any y>z:notok"), "\nx ──any──▶ y ──notok──▶ z\n");
}

TEST(DrawGraph, PartsAreBelowEachOtherAndLonersLast) {
  EXPECT_EQ(drawn("q a>b c>d"), R"(
a ──▶ b

c ──▶ d

q
)");
}

TEST(DrawGraph, WithoutUtf8LinesAreAscii) {
  Terminal ascii;
  EXPECT_EQ('\n' + draw_graph(ascii, graph("a>b a>c b>d c>d")), R"(
   +-> b -+
a -+-> c -+-> d
)");
}

TEST(DrawGraph, WideGraphsAreTrees) {
  EXPECT_EQ(drawn("shard>count-1 shard>count-2 count-1>merge count-2>merge merge>report", 30), R"(
shard
├─ count-1
│  └─ merge
│     └─ report
└─ count-2
   └─ merge …
)");
}

TEST(DrawGraph, LinesAreNoWiderThanTheTerminal) {
  const std::string chain = "a-long-name>another-long-name another-long-name>a-third-long-name";
  std::size_t at = 0;
  const std::string text = draw_graph(terminal(12), graph(chain));
  while (at < text.size()) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(display_width(text.substr(at, end - at)), 12u);
    at = end + 1;
  }
}

TEST(DrawGraph, CycleIsDrawnAsATree) { EXPECT_EQ(drawn("a>b b>a"), "\na\n└─ b\n   └─ a …\n"); }

TEST(DrawGraph, ColoursTakeNoRoom) {
  Graph painted = graph("a>b a>c");
  painted.nodes[0].label = "\x1b[32ma\x1b[0m";
  const std::string text = draw_graph(terminal(), painted);
  EXPECT_EQ('\n' + without_colors(text), "\na ─┬─▶ b\n   └─▶ c\n");
}

// --- the layout's promises, on graphs of a fixed pseudo-random series ---

Graph random_graph(unsigned seed) {
  const auto next = [&seed](unsigned below) {
    seed = seed * 1'664'525u + 1'013'904'223u;
    return (seed >> 8) % below;
  };
  Graph made;
  const unsigned count = 2 + next(14);
  for (unsigned n = 0; n < count; ++n) made.nodes.push_back({std::to_string(n), "n"});
  for (unsigned n = 1; n < count; ++n) {
    for (unsigned k = 0; k < 1 + next(3); ++k) {
      made.edges.push_back({next(n), n, next(4) == 0 ? "any" : "ok", "pending"});
    }
  }
  return made;
}

/// Follows lines on a drawing as a reader does: to the right, up and down, never back; a line that
/// meets a vertical one without a corner passes behind it.
class Reader {
 public:
  explicit Reader(const std::string& text) {
    std::vector<std::string> row;
    for (std::size_t at = 0; at < text.size();) {
      const auto byte = static_cast<unsigned char>(text[at]);
      const std::size_t size = byte < 0x80 ? 1 : byte < 0xe0 ? 2 : 3;
      const std::string glyph = text.substr(at, size);
      at += size;
      if (glyph != "\n") {
        row.push_back(glyph);
      } else {
        rows_.push_back(std::exchange(row, {}));
      }
    }
  }

  /// The labels that lines from this one lead to.
  std::set<std::string> targets_of(const std::string& label) {
    found_.clear();
    seen_.clear();
    for (std::size_t y = 0; y < rows_.size(); ++y) {
      for (std::size_t x = 0; x < rows_[y].size(); ++x) {
        if (word_at(x, y) != label || (x > 0 && at(x - 1, y) != " ")) continue;
        if (at(x + label.size() + 1, y) == "─" || at(x + label.size() + 1, y) == "│") {
          follow(x + label.size() + 1, y, 'r');
        }
      }
    }
    return found_;
  }

 private:
  std::string at(std::size_t x, std::size_t y) const {
    return y < rows_.size() && x < rows_[y].size() ? rows_[y][x] : " ";
  }
  std::string word_at(std::size_t x, std::size_t y) const {
    std::string word;
    for (; at(x, y) != " " && at(x, y).size() == 1; ++x) word += at(x, y);
    return word;
  }
  void follow(std::size_t x, std::size_t y, char from) {
    if (!seen_.emplace(x, y, from).second) return;
    const std::string glyph = at(x, y);
    if (glyph == "▶") {
      found_.insert(word_at(x + 2, y));
      return;
    }
    static const std::map<std::string, std::string> sides{
        {"─", "lr"},  {"│", "ud"},  {"┌", "dr"},  {"┐", "dl"},  {"└", "ur"},  {"┘", "ul"},
        {"├", "udr"}, {"┤", "udl"}, {"┬", "dlr"}, {"┴", "ulr"}, {"┼", "udlr"}};
    const auto known = sides.find(glyph);
    ASSERT_NE(known, sides.end()) << "a line ends in '" << glyph << "' at " << x << ',' << y;
    const bool behind = glyph == "│" && from == 'r';
    const auto leads = [&](char side) {
      return behind ? side == 'r' : known->second.find(side) != std::string::npos;
    };
    if (leads('r')) follow(x + 1, y, 'r');
    if (leads('u') && from != 'd') follow(x, y - 1, 'u');
    if (leads('d') && from != 'u') follow(x, y + 1, 'd');
  }

  std::vector<std::vector<std::string>> rows_;
  std::set<std::string> found_;
  std::set<std::tuple<std::size_t, std::size_t, char>> seen_;
};

TEST(DrawGraph, EveryLineLeadsToItsChildrenAndToNoOther) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    Graph made = random_graph(seed);
    for (std::size_t n = 0; n < made.nodes.size(); ++n) {
      made.nodes[n].label = std::string("n") + std::to_string(n);
    }
    for (GraphEdge& edge : made.edges) edge.kind = "ok";
    std::map<std::string, std::set<std::string>> wanted;
    for (const GraphEdge& edge : made.edges) {
      wanted[made.nodes[edge.from].label].insert(made.nodes[edge.to].label);
    }
    const std::string text = draw_graph(terminal(), made);
    Reader reader(text);
    for (const GraphNode& node : made.nodes) {
      ASSERT_EQ(reader.targets_of(node.label), wanted[node.label])
          << "seed " << seed << ", " << node.label << '\n'
          << text;
    }
  }
}

TEST(LayOut, NoTwoLinesShareAPlace) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    const auto layout = lay_out(random_graph(seed));
    ASSERT_TRUE(layout) << seed;
    std::set<std::pair<std::size_t, int>> places;
    for (const PlacedNode& node : layout->nodes) {
      EXPECT_TRUE(places.emplace(node.layer, node.row).second) << seed;
      EXPECT_GE(node.row, 0);
      EXPECT_LT(node.row, layout->rows);
    }
    for (const auto& channel : layout->channels) {
      std::map<int, const Bundle*> sources;
      std::set<int> rows;
      std::map<std::size_t, std::set<std::pair<int, int>>> tracks;
      for (const Bundle& one : channel) {
        for (const std::size_t source : one.sources) sources[layout->nodes[source].row] = &one;
      }
      for (const Bundle& one : channel) {
        int low = INT32_MAX;
        int high = INT32_MIN;
        for (const std::size_t source : one.sources) {
          low = std::min(low, layout->nodes[source].row);
          high = std::max(high, layout->nodes[source].row);
        }
        for (const Bundle::Port& port : one.ports) {
          EXPECT_TRUE(rows.insert(port.row).second) << seed << ": two lines arrive in a row";
          const auto same = sources.find(port.row);
          EXPECT_TRUE(same == sources.end() || same->second == &one) << seed;
          low = std::min(low, port.row);
          high = std::max(high, port.row);
        }
        EXPECT_EQ(one.track.has_value(), low != high) << seed;
        if (!one.track) continue;
        for (const auto& [other_low, other_high] : tracks[*one.track]) {
          EXPECT_TRUE(other_high < low || high < other_low) << seed << ": two lines in a column";
        }
        tracks[*one.track].emplace(low, high);
      }
    }
  }
}

TEST(LayOut, EdgesGoToTheRight) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    const Graph made = random_graph(seed);
    const auto layout = lay_out(made);
    std::map<std::size_t, std::size_t> layer;
    for (const PlacedNode& node : layout->nodes) {
      if (node.node) layer[*node.node] = node.layer;
    }
    for (const GraphEdge& edge : made.edges) EXPECT_LT(layer[edge.from], layer[edge.to]) << seed;
  }
}

TEST(LayOut, RefusesCyclesAndWhatIsTooLarge) {
  EXPECT_FALSE(lay_out(graph("a>b b>a")));
  EXPECT_FALSE(lay_out(graph("a>b b>c"), 2));
  EXPECT_FALSE(lay_out(Graph{}));
}

}  // namespace
}  // namespace batch::cli
