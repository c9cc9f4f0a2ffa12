// Dependency graphs as text.
#pragma once

#include <string>

#include "graph_layout.hpp"
#include "terminal.hpp"

namespace batch::cli {

/// The graph from left to right, its parts below each other, what is connected with nothing last.
/// Lines are green where the dependency is satisfied and red where it never can be; a kind other
/// than `ok` stands on its line. A part that is wider than the terminal is drawn as a tree.
std::string draw_graph(const Terminal& terminal, const Graph& graph);

/// As an indented tree: each node below its first parent; where it is another's child, too, its
/// name comes again with `…` behind it. Cut to the terminal's width.
std::string draw_tree(const Terminal& terminal, const Graph& graph);

}  // namespace batch::cli
