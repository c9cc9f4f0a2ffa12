// Lines and labels on a canvas of cells, and the tree for what is too wide.
#include "graph_view.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "text.hpp"

namespace batch::cli {

namespace {

/// The sides of a cell that a line leaves by.
constexpr unsigned up = 1, down = 2, left = 4, right = 8;

std::size_t width_of(const std::string& painted) { return display_width(without_colors(painted)); }

const char* colour_of(const std::string& state) {
  return state == "satisfied" ? "32" : state == "unsatisfiable" ? "31" : "90";
}

/// The sides of each cell that a line leaves by, and text over them.
class Canvas {
 public:
  Canvas(const Terminal& terminal, std::size_t columns, std::size_t rows)
      : terminal_(terminal), rows_(rows, std::vector<Cell>(columns)) {}

  /// `owner` tells lines apart: where two cross, the vertical one is in front.
  void horizontal(std::size_t row, std::size_t from, std::size_t to, std::size_t owner,
                  const char* colour) {
    for (std::size_t x = from; x <= to; ++x) {
      const unsigned sides = (x > from ? left : 0u) | (x < to ? right : 0u);
      add(row, x, sides, owner, colour);
    }
  }
  void vertical(std::size_t column, std::size_t from, std::size_t to, std::size_t owner,
                const char* colour) {
    for (std::size_t y = from; y <= to; ++y) {
      const unsigned sides = (y > from ? up : 0u) | (y < to ? down : 0u);
      add(y, column, sides, owner, colour);
    }
  }
  /// Takes `width` columns, which a line may fill up.
  void text(std::size_t row, std::size_t column, const std::string& painted) {
    Cell& first = rows_[row][column];
    first.text = painted;
    for (std::size_t i = 1; i < width_of(painted); ++i) rows_[row][column + i].covered = true;
  }
  std::string render() const;

 private:
  struct Cell {
    unsigned sides = 0;
    std::size_t owner = 0;
    const char* colour = "";
    std::string text;
    bool covered = false;
  };

  void add(std::size_t row, std::size_t column, unsigned sides, std::size_t owner,
           const char* colour) {
    Cell& cell = rows_[row][column];
    const bool foreign = cell.sides != 0 && cell.owner != owner;
    if (foreign && (sides & (up | down)) == 0) return;  // passes behind
    if (foreign) cell.sides = 0;
    cell.sides |= sides;
    cell.owner = owner;
    cell.colour = colour;
  }
  const char* glyph(unsigned sides) const;

  const Terminal& terminal_;
  std::vector<std::vector<Cell>> rows_;
};

const char* Canvas::glyph(unsigned sides) const {
  static const char* const drawn[] = {" ", "╵", "╷", "│", "╴", "┘", "┐", "┤",
                                      "╶", "└", "┌", "├", "─", "┴", "┬", "┼"};
  static const char* const plain[] = {" ", "|", "|", "|", "-", "+", "+", "+",
                                      "-", "+", "+", "+", "-", "+", "+", "+"};
  // What leads nowhere at one end is still a whole line.
  if (sides == left || sides == right) sides = left | right;
  return (terminal_.utf8 ? drawn : plain)[sides];
}

std::string Canvas::render() const {
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    std::string run;  // of one colour
    const char* colour = "";
    const auto flush = [&] {
      line += *colour == '\0' ? run : paint(terminal_, colour, run);
      run.clear();
    };
    for (const Cell& cell : row) {
      if (cell.covered) continue;
      const char* next = cell.text.empty() && cell.sides != 0 ? cell.colour : "";
      if (std::string_view(next) != colour) flush();
      colour = next;
      run += !cell.text.empty() ? cell.text : glyph(cell.sides);
    }
    flush();
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

/// Where the columns of a layout are.
struct Columns {
  std::vector<std::size_t> layer;  ///< first column of labels
  std::vector<std::size_t> label;  ///< their width
  std::vector<std::size_t> track;  ///< of each channel: its first track
  std::vector<std::size_t> kind;   ///< where kinds stand
  std::vector<std::size_t> merge;  ///< where lines to one node meet
  std::size_t total = 0;
};

std::size_t kind_width(const std::vector<Bundle>& channel) {
  std::size_t width = 0;
  for (const Bundle& one : channel) {
    for (const Bundle::Port& port : one.ports) {
      if (port.kind != "ok") width = std::max(width, display_width(port.kind) + 2);
    }
  }
  return width;
}

bool merges(const std::vector<Bundle>& channel) {
  std::set<std::size_t> seen;
  for (const Bundle& one : channel) {
    for (const Bundle::Port& port : one.ports) {
      if (!seen.insert(port.target).second) return true;
    }
  }
  return false;
}

Columns columns_of(const Graph& graph, const GraphLayout& layout) {
  Columns columns;
  std::size_t x = 0;
  for (std::size_t l = 0; l < layout.layers; ++l) {
    columns.layer.push_back(x);
    std::size_t width = 0;
    for (const PlacedNode& place : layout.nodes) {
      if (place.layer != l || !place.node) continue;
      width = std::max(width, width_of(graph.nodes[*place.node].label));
    }
    columns.label.push_back(width);
    x += width;
    if (l + 1 == layout.layers) break;
    // A blank, a line, the tracks, kinds, the meeting column, an arrow, a blank.
    columns.track.push_back(x + 2);
    columns.kind.push_back(x + 2 + layout.tracks[l]);
    columns.merge.push_back(columns.kind[l] + kind_width(layout.channels[l]));
    x = columns.merge[l] + (merges(layout.channels[l]) ? 2 : 0) + 3;
  }
  columns.total = x;
  return columns;
}

class Drawing {
 public:
  Drawing(const Terminal& terminal, const Graph& graph, const GraphLayout& layout,
          const Columns& columns)
      : terminal_(terminal),
        graph_(graph),
        layout_(layout),
        columns_(columns),
        canvas_(terminal, columns.total, static_cast<std::size_t>(layout.rows)) {}

  std::string draw() {
    for (std::size_t l = 0; l + 1 < layout_.layers; ++l) draw_channel(l);
    for (const PlacedNode& place : layout_.nodes) {
      if (place.node) canvas_.text(row(place), columns_.layer[place.layer], label(place));
    }
    return canvas_.render();
  }

 private:
  static std::size_t row(const PlacedNode& place) { return static_cast<std::size_t>(place.row); }
  const std::string& label(const PlacedNode& place) const {
    return graph_.nodes[*place.node].label;
  }
  /// Where the line out of a place begins.
  std::size_t out_of(const PlacedNode& place) const {
    const std::size_t x = columns_.layer[place.layer];
    return place.node ? x + width_of(label(place)) + 1 : x;
  }

  void draw_channel(std::size_t l) {
    const auto& channel = layout_.channels[l];
    std::map<std::size_t, std::vector<const Bundle::Port*>> arriving;
    for (const Bundle& one : channel) {
      ++owner_;
      draw_bundle(l, one);
      for (const Bundle::Port& port : one.ports) arriving[port.target].push_back(&port);
    }
    for (const auto& [target, ports] : arriving) draw_arrival(l, target, ports);
  }

  void draw_bundle(std::size_t l, const Bundle& one) {
    std::string state = one.ports.front().state;
    for (const Bundle::Port& port : one.ports) {
      if (port.state != state) state.clear();
    }
    const char* trunk = colour_of(state);
    const std::size_t turn = columns_.track[l] + one.track.value_or(0);
    std::size_t low = SIZE_MAX;
    std::size_t high = 0;
    const auto reach = [&](std::size_t y) {
      low = std::min(low, y);
      high = std::max(high, y);
    };
    for (const Bundle::Port& port : one.ports) {
      const auto y = static_cast<std::size_t>(port.row);
      reach(y);
      canvas_.horizontal(y, turn, columns_.merge[l], owner_, colour_of(port.state));
    }
    for (const std::size_t source : one.sources) {
      const PlacedNode& place = layout_.nodes[source];
      reach(row(place));
      canvas_.horizontal(row(place), out_of(place), turn, owner_, trunk);
    }
    if (one.track) canvas_.vertical(turn, low, high, owner_, trunk);
  }

  /// From where the lines of all bundles have arrived to the node.
  void draw_arrival(std::size_t l, std::size_t target,
                    const std::vector<const Bundle::Port*>& ports) {
    const PlacedNode& place = layout_.nodes[target];
    const std::size_t meet = columns_.merge[l];
    const std::size_t end = columns_.layer[l + 1];
    const char* colour = ports.size() == 1 ? colour_of(ports.front()->state) : "90";
    ++owner_;
    if (ports.size() > 1) {
      int low = ports.front()->row;
      int high = low;
      for (const Bundle::Port* port : ports) {
        low = std::min(low, port->row);
        high = std::max(high, port->row);
      }
      canvas_.vertical(meet, static_cast<std::size_t>(low), static_cast<std::size_t>(high), owner_,
                       colour);
      for (const Bundle::Port* port : ports) {
        canvas_.horizontal(static_cast<std::size_t>(port->row), meet - 1, meet, owner_, colour);
      }
    }
    // A long line goes on through its layer to the next channel.
    const std::size_t last =
        place.node ? end - 2 : end + (columns_.label[l + 1] > 0 ? columns_.label[l + 1] : 1) - 1;
    canvas_.horizontal(row(place), meet, last, owner_, colour);
    if (place.node) {
      canvas_.text(row(place), end - 2, paint(terminal_, colour, terminal_.utf8 ? "▶" : ">"));
    }
    for (const Bundle::Port* port : ports) {
      if (port->kind == "ok") continue;
      canvas_.text(static_cast<std::size_t>(port->row), columns_.kind[l] + 1,
                   paint(terminal_, "33", port->kind));
    }
  }

  const Terminal& terminal_;
  const Graph& graph_;
  const GraphLayout& layout_;
  const Columns& columns_;
  Canvas canvas_;
  std::size_t owner_ = 0;
};

std::string draw_part(const Terminal& terminal, const Graph& part) {
  const auto layout = lay_out(part);
  if (!layout) return draw_tree(terminal, part);
  const Columns columns = columns_of(part, *layout);
  if (terminal.width != 0 && columns.total > terminal.width) return draw_tree(terminal, part);
  return Drawing(terminal, part, *layout, columns).draw();
}

/// One node and what is below it, depth first.
class Tree {
 public:
  Tree(const Terminal& terminal, const Graph& graph) : terminal_(terminal), graph_(graph) {
    for (const GraphEdge& edge : graph.edges) children_[edge.from].push_back(&edge);
  }

  std::string draw() {
    std::set<std::size_t> with_parents;
    for (const GraphEdge& edge : graph_.edges) with_parents.insert(edge.to);
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!with_parents.contains(n)) add(n, "", "", "");
    }
    // Whatever only a cycle leads to.
    for (std::size_t n = 0; n < graph_.nodes.size(); ++n) {
      if (!drawn_.contains(n)) add(n, "", "", "");
    }
    return out_;
  }

 private:
  void add(std::size_t node, const std::string& indent, const std::string& branch,
           const std::string& kind) {
    const bool again = !drawn_.insert(node).second;
    const auto found = children_.find(node);
    const bool hides = again && found != children_.end();
    out_ += shorten_painted(
                indent + paint(terminal_, "90", branch) +
                    (kind.empty() || kind == "ok" ? "" : paint(terminal_, "33", kind) + ' ') +
                    graph_.nodes[node].label + (hides ? (terminal_.utf8 ? " …" : " ...") : ""),
                terminal_.width) +
            '\n';
    if (again || found == children_.end()) return;
    const bool utf8 = terminal_.utf8;
    const std::string below = branch.empty() ? ""
                              : branch == (utf8 ? "└─ " : "`- ")
                                  ? indent + "   "
                                  : indent + paint(terminal_, "90", utf8 ? "│" : "|") + "  ";
    for (const GraphEdge* edge : found->second) {
      const bool last = edge == found->second.back();
      add(edge->to, below, utf8 ? (last ? "└─ " : "├─ ") : (last ? "`- " : "|- "), edge->kind);
    }
  }

  const Terminal& terminal_;
  const Graph& graph_;
  std::map<std::size_t, std::vector<const GraphEdge*>> children_;
  std::set<std::size_t> drawn_;
  std::string out_;
};

}  // namespace

std::string draw_graph(const Terminal& terminal, const Graph& graph) {
  std::string connected;
  std::string alone;
  for (const Graph& part : components(graph)) {
    if (part.nodes.size() == 1) {
      alone += shorten_painted(part.nodes.front().label, terminal.width) + '\n';
    } else {
      connected += (connected.empty() ? "" : "\n") + draw_part(terminal, part);
    }
  }
  return connected + (connected.empty() || alone.empty() ? "" : "\n") + alone;
}

std::string draw_tree(const Terminal& terminal, const Graph& graph) {
  return Tree(terminal, graph).draw();
}

}  // namespace batch::cli
